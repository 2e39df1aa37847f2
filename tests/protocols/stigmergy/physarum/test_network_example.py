"""The example of a network runs as a stranger runs it, in small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = ROOT / "examples" / "physarum_network" / "run.py"


def run_example(folder, *arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env=os.environ | {"MPLCONFIGDIR": str(folder / "fonts")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_example_writes_its_pictures(tmp_path):
    small = ("--agents", "500", "--height", "40", "--width", "60", "--steps", "5")
    done = run_example(tmp_path, *small, "--pictures", "2", "--folder", "deep/veins")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "deep" / "veins").iterdir())
    assert names == ["step_00005.png", "step_00010.png"]
    assert done.stdout.count("agent steps a second") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folder", "taken"), "--folder taken: File exists"),
        (("--steps", "0"), "--steps is 0; allowed: at least 1"),
        (("--pictures", "-1"), "--pictures is -1; allowed: at least 1"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(tmp_path, arguments, message):
    (tmp_path / "taken").write_text("a file")
    # Agents enough to fill the memory, were they made.
    done = run_example(tmp_path, "--agents", "2000000000", *arguments)
    assert done.returncode == 2
    assert message in done.stderr

"""The ant foraging example runs as a stranger runs it, in small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = ROOT / "examples" / "ant_foraging" / "run.py"


def run_example(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1", "MPLCONFIGDIR": str(folder / "fonts")} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_example_ends_with_table_and_picture(tmp_path):
    done = run_example(tmp_path, "--worlds", "2", "--steps", "300")
    assert done.returncode == 0, done.stderr
    for name in ("trail", "Lévy flights, μ = 1.5", "correlated random walk", "delivered"):
        assert name in done.stdout
    assert "clustered: the trail brings" in done.stdout
    assert (tmp_path / "ant_foraging.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_prints_figures_for_programs(tmp_path):
    done = run_example(
        tmp_path, "--worlds", "2", "--steps", "300", "--json", "--picture", "ants.png"
    )
    figures = json.loads(done.stdout)
    assert set(figures["delivered"]) == {"clustered", "scattered"}
    for colonies in figures["delivered"].values():
        assert len(colonies) == 5
        assert all(0.0 <= mean <= 600.0 and width >= 0.0 for mean, width in colonies.values())
    assert (tmp_path / "ants.png").exists()


@pytest.mark.parametrize("path", ["none/ants.png", ".", "ants.exe"])
def test_a_picture_that_cannot_be_is_refused_before_the_work(tmp_path, path):
    # Steps enough to run for hours.
    done = run_example(tmp_path, "--steps", "100000000", "--picture", path)
    assert done.returncode == 2
    assert f"--picture {path}" in done.stderr
    assert not done.stdout


def test_the_table_is_shown_even_where_the_drawing_fails(tmp_path):
    # A package of this name that cannot draw.
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no drawing here')")
    done = run_example(tmp_path, "--worlds", "2", "--steps", "50", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "no drawing here" in done.stderr
    assert "clustered: the trail brings" in done.stdout


def test_the_example_says_what_is_allowed(tmp_path):
    done = run_example(tmp_path, "--worlds", "1")
    assert done.returncode == 2
    assert "at least 2 worlds" in done.stderr

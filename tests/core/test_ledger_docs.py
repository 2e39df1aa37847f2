"""The code blocks of the ledger's page run as they stand, one after the other, in one folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_line(line):
    command = [sys.executable, "-c", "from swarmloom.cli import main; main()", *line.split()[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_block_of_the_page_runs(folder, capsys):
    names: dict[str, object] = {}
    commands = []
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, str(PAGE), "exec"), names)
        else:
            commands += [run_line(line) for line in code.splitlines()]
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].endswith("ledger.sqlite")
    assert printed.count("'q1': '42'") == 2
    assert "outcome {'answer': '42'" in printed
    assert len(commands) == 2
    assert "finished" in commands[0]
    assert "verdict" in commands[1]
    assert (folder / "copy.sqlite").stat().st_size > 0

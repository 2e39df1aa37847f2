"""The page on CrewAI runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from swarmloom.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "crewai.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def _save(text: str, folder: Path) -> None:
    name = text.splitlines()[0].removeprefix("# ")
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def _console(text: str) -> None:
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        assert words[0] == "swarmloom"
        with pytest.raises(SystemExit) as exit:
            main(words[1:])
        assert not exit.value.code, line


def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(tmp_path / "ledger.sqlite"))
    namespace: dict[str, Any] = {"__name__": "page"}
    languages = []
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        languages.append(language)
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), namespace)
        elif language == "console":
            _console(text)
        elif language == "json":
            (tmp_path / "questions.jsonl").write_text(text)
        else:
            _save(text, tmp_path)
    assert set(languages) == {"python", "toml", "yaml", "json", "console"}
    shown = capsys.readouterr().out
    assert "Ants follow the trails" in shown
    assert "six" in shown

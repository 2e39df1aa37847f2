"""The code of the pages on stigmergy and bio-routing runs, and their tables name every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmloom_plugins.bio_routing import BioRoutingConfig
from swarmloom_plugins.stigmergy import StigmergyConfig

PAGES = Path(__file__).resolve().parents[2] / "docs" / "protocols"
CONFIGS = {"stigmergy": StigmergyConfig, "bio_routing": BioRoutingConfig}


@pytest.fixture
def ledger_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__ENABLED", "false")


def text_of(page):
    return (PAGES / f"{page}.md").read_text(encoding="utf-8")


def run_blocks(page):
    blocks = re.findall(r"^```python\n(.*?)^```$", text_of(page), re.M | re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec"), {})


def test_stigmergy_page_runs(ledger_off, capsys):
    run_blocks("stigmergy")
    right, best, left, *_ = capsys.readouterr().out.splitlines()
    assert int(right.split()[0]) > 170
    assert '"expert": "poet"' in best
    assert left == "4.5"


def test_bio_routing_page_runs(ledger_off, capsys):
    run_blocks("bio_routing")
    calls, trails, route, out, index = capsys.readouterr().out.splitlines()
    assert int(calls.split()[0]) < 240
    assert trails.index("steady") < trails.index("flaky")
    assert "('manager', 'steady')" in route
    assert out == '{"taken_out": ["flaky"]}'
    assert index.startswith("[[")


@pytest.mark.parametrize("page", sorted(CONFIGS))
def test_tables_give_every_key_with_its_default(page):
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text_of(page), re.M))
    fields = CONFIGS[page].model_fields
    assert list(rows) == list(fields)
    for key, default in rows.items():
        assert default == str(fields[key].default).replace("False", "false")

"""The code of two protocol pages runs, and their tables name every configuration key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmloom_plugins.entanglement import EntanglementConfig
from swarmloom_plugins.orchestration import OrchestrationConfig

PAGES = Path(__file__).resolve().parents[2] / "docs" / "protocols"
CONFIGS = {"orchestration": OrchestrationConfig, "entanglement": EntanglementConfig}


@pytest.fixture(params=sorted(CONFIGS))
def page(request):
    return request.param, (PAGES / f"{request.param}.md").read_text(encoding="utf-8")


def test_every_block_runs(page, tmp_path, monkeypatch, capsys):
    name, text = page
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__ENABLED", "false")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    for block in blocks:
        exec(compile(block, f"{name}.md", "exec"), {})
    assert len(blocks) == 2
    assert {"orchestration": "[1 2 0]", "entanglement": '"leader"'}[name] in capsys.readouterr().out


def test_tables_give_every_key_with_its_default(page):
    name, text = page
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.M))
    fields = CONFIGS[name].model_fields
    assert list(rows) == list(fields)
    for key, default in rows.items():
        assert default.strip('"') == str(fields[key].default).replace("True", "true").replace(
            "False", "false"
        )

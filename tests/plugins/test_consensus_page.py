"""The page on consensus names every setting with its default."""

from __future__ import annotations

import re
from pathlib import Path

from swarmloom_plugins.consensus import ConsensusConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocols" / "consensus.md"


def test_the_table_gives_every_key_with_its_default():
    settings = PAGE.read_text(encoding="utf-8").split("## Settings")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", settings, re.M))
    fields = ConsensusConfig.model_fields
    assert set(rows) == set(fields)
    for key, default in rows.items():
        assert default.strip('"') == str(fields[key].default).replace("True", "true").replace(
            "False", "false"
        )

"""The example of an outage, and the measurement of recovery, in small."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.bio_routing_recovery import (
    DIES,
    REPAIRED,
    WINDOW,
    Record,
    outage,
    rounds_until,
    summary,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "crew_outage"
ROW = re.compile(r"^(no plugin|bio-routing[^\d]*?)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(.+)$", re.MULTILINE)


def rows(text):
    return {name.strip(): (int(lost), int(failed), int(right), back)
            for name, lost, failed, right, back in ROW.findall(text)}  # fmt: skip


def test_the_example_runs_and_its_page_says_what_it_prints(tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), "--picture", "outage.png"],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = rows(done.stdout)
    assert seen == rows((EXAMPLE / "README.md").read_text(encoding="utf-8"))
    assert len(seen) == 3
    assert [row[0] for row in seen.values()] == [0, 0, 0]
    assert seen["bio-routing"][1] * 3 < seen["no plugin"][1]
    assert (tmp_path / "outage.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def records():
    ways = {"auto": False, "hand": True}
    return {
        (kind, way): [outage(seed, kind, ["bio_routing"], by_hand=hand) for seed in (20, 21)]
        for kind in ("errors", "garbage")
        for way, hand in ways.items()
    }


def test_an_expert_that_dies_in_the_middle_of_a_batch_loses_no_task(records):
    for found in records.values():
        assert sum(record.lost for record in found) == 0


@pytest.mark.parametrize(("kind", "most"), [("errors", 6), ("garbage", 8)])
def test_it_is_left_within_a_few_rounds_by_itself_and_at_once_by_hand(records, kind, most):
    told = summary(records[kind, "auto"])
    assert told["rounds until drained"]["never"] == 0
    assert told["rounds until drained"]["worst"] <= most
    assert told["right afterwards"] > told["right before"] - 0.05
    for record in records[kind, "hand"]:
        rounds = range(2, record.repaired)
        assert sum(record.share.get(number, 0.0) for number in rounds) == 0.0


def test_brought_back_by_hand_it_works_again(records):
    for kind in ("errors", "garbage"):
        assert summary(records[kind, "hand"])["rounds until back"]["never"] == 0


def test_rounds_are_counted_until_three_of_them_hold_on_average():
    share = dict(enumerate([1.0, 1.0, 0.3, 0.0, 0.1, 0.0]))
    record = Record(share, {}, 0, 0, (REPAIRED - DIES) // WINDOW)
    assert rounds_until(record, 0, lambda s: s < 0.2, 9) == 2
    assert rounds_until(record, 3, lambda s: s > 0.5, 6) == -1
    assert np.isclose(np.mean([share[n] for n in (2, 3, 4)]), 0.4 / 3)

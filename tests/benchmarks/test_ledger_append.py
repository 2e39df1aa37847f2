"""What one event costs the ledger, in runs of different length: the cost must not grow with them.

Run with ``pytest tests/benchmarks/test_ledger_append.py --benchmark-enable``.
"""

from __future__ import annotations

import pytest

from swarmloom.events import EventKind, ballot_event
from swarmloom.ledger import Ledger
from swarmloom.types import Ballot, Event

BATCH = 100


def ballots(first: int, count: int) -> list[Event]:
    return [
        ballot_event(Ballot(f"task{n}", n % 12, "answer", 1.0, 0.25, 40), f"expert{n % 12}")
        for n in range(first, first + count)
    ]


@pytest.fixture(params=[1_000, 100_000], ids=lambda length: f"{length}_events")
def long_run(request, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        run = ledger.begin({})
        for first in range(0, request.param, 1000):
            ledger.append(run, ballots(first, 1000))
        yield ledger, run, request.param


@pytest.mark.parametrize("together", [1, 64])
def test_append(benchmark, long_run, together):
    ledger, run, length = long_run
    batches = [ballots(length + first, together) for first in range(0, BATCH, together)]
    calls = ledger.record(run).calls

    def append():
        for batch in batches:
            ledger.append(run, batch)

    benchmark(append)
    benchmark.extra_info["events a call"] = sum(map(len, batches))
    assert (ledger.record(run).calls - calls) % sum(map(len, batches)) == 0
    assert ledger.record(run).calls > calls


def test_read(benchmark, long_run):
    ledger, run, length = long_run
    read = benchmark(lambda: sum(1 for _ in ledger.events(run, kinds=[EventKind.BALLOT])))
    assert read == length

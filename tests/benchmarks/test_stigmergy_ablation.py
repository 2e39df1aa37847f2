"""The ablation report of stigmergy: with and without consensus and entanglement."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.benchmarks.stigmergy_ablation import MIXTURES, ablation

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))


@pytest.mark.row("S16")
def test_traces_steer_choices_with_and_without_other_protocols(benchmark: Any) -> None:
    size = (12, 400) if FULL else (2, 120)
    found = benchmark.pedantic(ablation, args=size, rounds=1, iterations=1)
    for mixture, row in found.items():
        benchmark.extra_info[mixture] = row._asdict()
        print(f"\n{mixture:36} {row}", end="")  # noqa: T201
    assert list(found) == list(MIXTURES)
    for mixture, row in found.items():
        assert (row.share[0] > 0.0) == ("stigmergy" in mixture)
        assert 1.0 <= row.calls[0] <= 8.0
    for without in ("nothing", "entanglement"):
        with_traces = "stigmergy" if without == "nothing" else f"{without}, stigmergy"
        assert found[with_traces].right[0] > found[without].right[0] + 0.02
        assert found[with_traces].asked_best[0] > found[without].asked_best[0] + 0.05


def test_a_run_can_be_repeated() -> None:
    first, again = (ablation(1, 40, ["entanglement, stigmergy"]) for _ in range(2))
    assert first["entanglement, stigmergy"].right[0] == again["entanglement, stigmergy"].right[0]
    assert first["entanglement, stigmergy"].calls[0] == again["entanglement, stigmergy"].calls[0]

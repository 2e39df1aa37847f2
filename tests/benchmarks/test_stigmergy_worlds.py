"""What traces are worth in simulated worlds, against the goals they were built for.

Small by default, so that the goals are checked in every run; SWARMLOOM_FULL_BENCHMARKS=1 gives the
sizes of the documentation's tables.
"""

from __future__ import annotations

import math
import os
from typing import Any

import pytest

from tests.benchmarks import stigmergy_worlds as worlds

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))


def measured(benchmark: Any, function: Any, *arguments: Any, **options: Any) -> Any:
    table = benchmark.pedantic(function, args=arguments, kwargs=options, rounds=1, iterations=1)
    for way, row in table.items():
        benchmark.extra_info[way] = row
        print(f"\n{way:40} {row}", end="")  # noqa: T201
    return table


def mean(row: worlds.Row) -> float:
    return row[0]


@pytest.mark.parametrize("every", [100, 40, 0] if FULL else [100])
def test_shared_memory(every: int, benchmark: Any) -> None:
    size = (16, 400, every) if FULL else (4, 150, every)
    found = measured(benchmark, worlds.shared_memory, *size)
    assert mean(found["shared"]) >= 1.25 * mean(found["own memory"])
    assert mean(found["shared trace store"]) > 1.15 * mean(found["own memory"])
    assert mean(found["random"]) < 0.3 < mean(found["shared"]) < mean(found["oracle"])


def test_evaporation_hurts_in_a_still_world(benchmark: Any) -> None:
    size = (16, 400, 0) if FULL else (4, 250, 0)
    ways = ("shared", "shared, half-life 50 rounds")
    kept, fading = map(mean, measured(benchmark, worlds.shared_memory, *size, ways).values())
    assert fading < kept - 0.02


def test_near_topics_that_are_alike(benchmark: Any) -> None:
    size = (16, 200) if FULL else (6, 120)
    exact, near = map(mean, measured(benchmark, worlds.near_topics, *size, alike=True).values())
    assert near >= 1.3 * exact


def test_near_topics_that_are_not_alike(benchmark: Any) -> None:
    size = (16, 200) if FULL else (6, 120)
    exact, near = map(mean, measured(benchmark, worlds.near_topics, *size, alike=False).values())
    assert near > exact - 0.02


def test_claims_with_crashes(benchmark: Any) -> None:
    found = measured(benchmark, worlds.claims, 16 if FULL else 4)
    twice = {way: mean(row[0]) for way, row in found.items()}
    done = {way: mean(row[1]) for way, row in found.items()}
    assert (twice["claim"], done["claim"]) == (0.0, 1.0)
    assert twice["nothing"] > 0.1
    assert 0.0 < twice["look, then mark"] < 0.1
    assert twice["lock for ever"] == 0.0
    assert done["lock for ever"] < 0.99


def test_load(benchmark: Any) -> None:
    found = measured(benchmark, worlds.load, *((16, 20_000) if FULL else (4, 5000)))
    assert mean(found["by known speed"]) > 2.5
    assert mean(found["counts of 4 processes"]) <= 1.5
    # A trace at the end of work sends everybody to the tool that looks idle.
    assert mean(found["deposit at the end, half-life 5 s"]) > 2.0 * mean(found["by known speed"])
    assert mean(found["board 5 s old"]) > 2.0 * mean(found["by known speed"])


@pytest.mark.parametrize("forgers", [1, 2] if FULL else [1])
def test_forged_traces(forgers: int, benchmark: Any) -> None:
    size = (16, 300) if FULL else (4, 100)
    clean = mean(worlds.poisoning(*size, 0, ("both",))["both"])
    found = measured(benchmark, worlds.poisoning, *size, forgers)
    assert mean(found["none"]) < 0.5 * clean
    assert mean(found["both"]) >= (0.85 if forgers == 1 else 0.7) * clean


def test_intervals() -> None:
    value, half = worlds.interval([1.0, 2.0, 3.0, 4.0])
    assert value == 2.5
    assert half == pytest.approx(3.1824 * math.sqrt(5 / 3) / 2, rel=1e-4)

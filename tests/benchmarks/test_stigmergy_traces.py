"""What a deposit, a reading and a claim cost, in memory and in a file, and how that grows.

Run with ``pytest tests/benchmarks/test_stigmergy_traces.py --benchmark-enable -s``. Peers in the
same run: a plain dictionary of counts, which neither fades nor tells who deposited, as the lower
bound in memory; a plain SQLite table of counts for the file, and diskcache where it is installed.
With ``SWARMLOOM_FULL_BENCHMARKS`` set the sizes are those of the documentation, and the simulated
crews run on enough seeds for intervals.

Rates are operations a second of CPU time, the best of several repeats: other processes on the
machine then disturb them least.
"""

from __future__ import annotations

import os
import sqlite3
import time
from itertools import count

import numpy as np
import pytest

from swarmloom_protocols.stigmergy.traces.neighbourhoods import CosineNeighbourhood
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.benchmarks.measuring import least_cpu_seconds, tell
from tests.protocols.stigmergy.traces.crews import queueing, tool_choice, topic_choice

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
OPERATIONS = 100_000 if FULL else 500
REPEATS = 7 if FULL else 1
SIZES = [1_000, 10_000, 100_000, 1_000_000] if FULL else [100, 1_000]
SEEDS = range(24 if FULL else 2)
ROUNDS = 300 if FULL else 20


def rate(work, operations=OPERATIONS):
    """Operations a CPU second, the best of several repeats."""
    return operations / least_cpu_seconds(lambda: work(operations), REPEATS)


# -- in memory -------------------------------------------------------------------------------------


def in_memory():
    store, plain, number = TraceStore(), {}, count()
    store.channel("load", half_life=60.0)
    for i in range(1000):
        store.deposit(i, "load", agent="a")
        for agent in "abcdefgh":
            store.deposit(i, "ok", agent=agent)

    store.sense(0, "ok")

    def deposit(times):
        for i in range(times):
            store.deposit(i % 1000, "load", agent="a")

    def deposit_many(times):
        for first in range(0, times, 500):
            store.deposit_many([(i, "load", "a") for i in range(first, first + 500)])

    def sense(times):
        for i in range(times):
            store.sense(i % 1000, "load")

    def sense_eight(times):
        for i in range(times):
            store.sense(i % 1000, "ok")

    def claim(times):
        for _ in range(times):
            store.claim(next(number), agent="a", ttl=60.0)

    def dictionary(times):
        for i in range(times):
            plain[i % 1000, "load", "a"] = plain.get((i % 1000, "load", "a"), 0.0) + 1.0

    return deposit, deposit_many, sense, sense_eight, claim, dictionary


def test_rates_in_memory(benchmark):
    works = in_memory()
    rates = benchmark.pedantic(
        lambda: {work.__name__: rate(work) for work in works}, rounds=1, iterations=1
    )
    ratio = rates["dictionary"] / rates["deposit"]
    tell(benchmark, "in memory, a second", **rates, dictionary_over_deposit=ratio)
    assert set(rates) == {work.__name__ for work in works}


@pytest.mark.parametrize("size", SIZES)
def test_growth_with_keys(benchmark, size):
    store = TraceStore()
    store.channel("load", half_life=3600.0)
    store.deposit_many([(i, "load", "a") for i in range(size)])
    order = np.random.default_rng(0).integers(size, size=OPERATIONS).tolist()

    def deposit(times):
        for i in order:
            store.deposit(i, "load", agent="a")

    def sense(times):
        for i in order:
            store.sense(i, "load")

    rates = benchmark.pedantic(lambda: (rate(deposit), rate(sense)), rounds=1, iterations=1)
    tell(benchmark, f"{size:,} keys, a second", deposit=rates[0], sense=rates[1])
    assert store.changes(0)[0] == size + REPEATS * OPERATIONS


# -- in a file -------------------------------------------------------------------------------------


def plain_table(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE counts (key TEXT PRIMARY KEY, amount REAL) WITHOUT ROWID")
    sql = (
        "INSERT INTO counts VALUES (?, 1.0) ON CONFLICT DO UPDATE SET amount = amount + 1.0 "
        "RETURNING amount"
    )

    def plain_upsert(times):
        for i in range(times):
            connection.execute(sql, (str(i % 1000),)).fetchone()

    return connection, plain_upsert


def disk_cache(path):
    diskcache = pytest.importorskip("diskcache")
    cache = diskcache.Cache(path)

    def diskcache_incr(times):
        for i in range(times):
            cache.incr(i % 1000)

    return cache, diskcache_incr


def in_a_file(path):
    store, number = TraceStore.open(path), count()
    store.channel("load", half_life=60.0)

    def deposit(times):
        for i in range(times):
            store.deposit(i % 1000, "load", agent="a")

    def deposit_many(times):
        for first in range(0, times, 500):
            store.deposit_many([(i, "load", "a") for i in range(first, first + 500)])

    def sense(times):
        for i in range(times):
            store.sense(i % 1000, "load")

    def claim(times):
        for _ in range(times):
            store.claim(next(number), agent="a", ttl=60.0)

    return store, (deposit, deposit_many, sense, claim)


def test_rates_in_a_file(benchmark, tmp_path):
    store, works = in_a_file(tmp_path / "store.sqlite")
    connection, plain_upsert = plain_table(tmp_path / "plain.sqlite")
    operations = OPERATIONS // 10
    rates = benchmark.pedantic(
        lambda: {work.__name__: rate(work, operations) for work in (*works, plain_upsert)},
        rounds=1,
        iterations=1,
    )
    ratio = rates["plain_upsert"] / rates["deposit"]
    tell(benchmark, "in a file, a second", **rates, plain_over_deposit=ratio)
    assert store.sense(0, "load").evidence > 0
    store.close()
    connection.close()


def test_rate_of_diskcache(benchmark, tmp_path):
    cache, diskcache_incr = disk_cache(tmp_path / "cache")
    store, (deposit, *_) = in_a_file(tmp_path / "store.sqlite")
    operations = OPERATIONS // 10
    rates = benchmark.pedantic(
        lambda: (rate(deposit, operations), rate(diskcache_incr, operations)),
        rounds=1,
        iterations=1,
    )
    ratio = rates[0] / rates[1]
    tell(benchmark, "a second", deposit=rates[0], diskcache_incr=rates[1], ratio=ratio)
    assert cache[0] > 0
    store.close()
    cache.close()


# -- around a key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [1_000, 10_000, 100_000] if FULL else [200])
def test_sense_over_vectors(benchmark, places):
    vectors = np.random.default_rng(0).normal(size=(places, 384)).astype(np.float32)
    store = TraceStore(neighbourhood=CosineNeighbourhood(lambda keys: vectors[keys]))
    store.deposit_many([(i, "ok", "a") for i in range(places)])
    store.sense(0, "ok", radius=0.5)
    times = []
    for i in range(5 * REPEATS):
        started = time.perf_counter()
        store.sense(i, "ok", radius=0.5)
        times.append(time.perf_counter() - started)
    benchmark.pedantic(store.sense, (1, "ok"), {"radius": 0.5}, rounds=1, iterations=1)
    tell(benchmark, f"{places:,} places of 384", milliseconds=1e3 * min(times))
    assert store.sense(1, "ok", radius=0.5).value >= 1.0


# -- simulated crews -------------------------------------------------------------------------------

CREWS = {
    "own memory": lambda seed: tool_choice(seed, rounds=ROUNDS, shared=False),
    "shared": lambda seed: tool_choice(seed, rounds=ROUNDS),
    "shared, drifting": lambda seed: tool_choice(seed, rounds=ROUNDS, drift=100),
    "shared, drifting, half-life 50": lambda seed: tool_choice(
        seed, rounds=ROUNDS, drift=100, half_life=50.0
    ),
    "shared, drifting, half-life 400": lambda seed: tool_choice(
        seed, rounds=ROUNDS, drift=100, half_life=400.0
    ),
    "shared, half-life 50": lambda seed: tool_choice(seed, rounds=ROUNDS, half_life=50.0),
    "shared, no caps and trust": lambda seed: tool_choice(seed, rounds=ROUNDS, protected=False),
    "1 forger of 8": lambda seed: tool_choice(seed, rounds=ROUNDS, forgers=1),
    "1 forger of 8, no caps and trust": lambda seed: tool_choice(
        seed, rounds=ROUNDS, forgers=1, protected=False
    ),
    "2 forgers of 8": lambda seed: tool_choice(seed, rounds=ROUNDS, forgers=2),
    "exact topic": lambda seed: topic_choice(seed, 0.0, rounds=ROUNDS // 5),
    "near topics": lambda seed: topic_choice(seed, 0.7, rounds=ROUNDS // 5),
    "load: known speed (s)": lambda seed: queueing(seed, jobs=5 * ROUNDS, rule="speed"),
    "load: start (s)": lambda seed: queueing(seed, jobs=5 * ROUNDS, rule="start"),
    "load: end (s)": lambda seed: queueing(seed, jobs=5 * ROUNDS, rule="end"),
    "load, exponential: known speed (s)": lambda seed: queueing(
        seed, jobs=5 * ROUNDS, rule="speed", fixed=False
    ),
    "load, exponential: start (s)": lambda seed: queueing(
        seed, jobs=5 * ROUNDS, rule="start", fixed=False
    ),
}


@pytest.mark.parametrize("crew", CREWS)
def test_simulated_crews(benchmark, crew):
    values = benchmark.pedantic(
        lambda: [CREWS[crew](seed) for seed in SEEDS], rounds=1, iterations=1
    )
    half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    tell(benchmark, crew, mean=float(np.mean(values)), half_width_95=half)
    assert np.isfinite(values).all()

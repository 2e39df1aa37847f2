"""Simulated worlds in which it shows what traces are worth: no language model, chance alone.

Each world is run on the trail tables and the trace store themselves. ``python
tests/benchmarks/stigmergy_worlds.py WORLD`` prints its table at full size.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy import stats

from swarmloom_protocols.stigmergy.topic_map import TopicMap
from swarmloom_protocols.stigmergy.topic_pooling import TopicPooling
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from swarmloom_protocols.stigmergy.trails import TrailTable

AGENTS = 8
TOPICS, TOOLS = 10, 12

Row = tuple[float, float]
Table = dict[str, Row]


def interval(values: Sequence[float]) -> Row:
    """Mean and half the width of its 95 % interval (Student)."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        return float(found.mean()), math.nan
    error = found.std(ddof=1) / math.sqrt(len(found))
    return float(found.mean()), float(stats.t.ppf(0.975, len(found) - 1) * error)


def table_of(ways: dict[str, Callable[[int], float]], seeds: int) -> Table:
    return {name: interval([way(seed) for seed in range(seeds)]) for name, way in ways.items()}


# -- what worked, shared or not --------------------------------------------------------------------


def drifting(rng, truth, number, every):
    """Draw half of the topics anew now and then."""
    if every and number and number % every == 0:
        topics = rng.permutation(len(truth))[: len(truth) // 2]
        truth[topics] = rng.beta(0.75, 2.25, (len(topics), truth.shape[1]))


class OneTable:
    """All agents share one trail table; time is tasks, 8 a round."""

    def __init__(self, half_life=None):
        self.table = TrailTable(half_life=None if half_life is None else half_life * AGENTS)
        self.table.appoint(0, trust=1.0, cap=None, standing="reference")

    def choose(self, topics, rng):
        return self.table.rates(topics, range(TOOLS), rng).argmax(axis=1)

    def learn(self, agent, topic, tool, worked):
        self.table.deposit(topic, tool, 0, success=worked, failure=1.0 - worked)

    def pass_round(self):
        self.table.advance(AGENTS)


class OwnTables:
    """Each agent has a table of its own."""

    def __init__(self):
        self.tables = [OneTable() for _ in range(AGENTS)]

    def choose(self, topics, rng):
        own = zip(self.tables, topics, strict=True)
        return np.array([table.choose([topic], rng)[0] for table, topic in own])

    def learn(self, agent, topic, tool, worked):
        self.tables[agent].learn(agent, topic, tool, worked)

    def pass_round(self):
        for table in self.tables:
            table.pass_round()


class LastTwenty:
    """All agents share a list of each topic's last twenty outcomes, as a prompt could hold."""

    def __init__(self):
        self.lists = [deque(maxlen=20) for _ in range(TOPICS)]

    def choose(self, topics, rng):
        counts = np.ones((len(topics), TOOLS, 2))
        for row, topic in enumerate(topics):
            for tool, worked in self.lists[topic]:
                counts[row, tool, int(not worked)] += 1
        return rng.beta(counts[..., 0], counts[..., 1]).argmax(axis=1)

    def learn(self, agent, topic, tool, worked):
        self.lists[topic].append((tool, worked))

    def pass_round(self):
        pass


class OneStore:
    """All agents share a trace store, each under its own name, capped and trusted by default."""

    def __init__(self):
        self.store = TraceStore(clock=lambda: 0.0)

    def choose(self, topics, rng):
        tools = range(TOOLS)
        chosen = [self.store.choose([(t, x) for x in tools], rng=rng) for t in topics.tolist()]
        return np.array([tool for _, tool in chosen])

    def learn(self, agent, topic, tool, worked):
        channel = "ok" if worked else "fail"
        self.store.deposit((int(topic), int(tool)), channel, agent=f"agent {agent}")

    def pass_round(self):
        pass


def tool_success(seed, memory, rounds, every):
    """Share of tries that work; a memory of None asks at random, "oracle" knows the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.75, 2.25, (TOPICS, TOOLS))
    knows = memory() if callable(memory) else None
    worked = 0.0
    for number in range(rounds):
        drifting(rng, truth, number, every)
        topics = rng.integers(0, TOPICS, AGENTS)
        if memory == "oracle":
            tools = truth[topics].argmax(axis=1)
        elif knows is None:
            tools = rng.integers(0, TOOLS, AGENTS)
        else:
            tools = knows.choose(topics, rng)
        right = (rng.random(AGENTS) < truth[topics, tools]).astype(float)
        worked += right.sum()
        if knows is not None:
            for agent in range(AGENTS):
                knows.learn(agent, int(topics[agent]), int(tools[agent]), float(right[agent]))
            knows.pass_round()
    return worked / (rounds * AGENTS)


MEMORIES = {
    "random": None,
    "own memory": OwnTables,
    "last 20 outcomes": LastTwenty,
    "shared": OneTable,
    "shared, half-life 50 rounds": partial(OneTable, 50.0),
    "shared, half-life 400 rounds": partial(OneTable, 400.0),
    "shared trace store": OneStore,
    "oracle": "oracle",
}


def shared_memory(seeds: int, rounds: int, every: int, ways: Sequence[str] = ()) -> Table:
    """Compare memories; half of the topics change `every` so many rounds, 0 for never."""
    chosen = {name: MEMORIES[name] for name in ways or MEMORIES}
    runs = {
        name: partial(tool_success, memory=memory, rounds=rounds, every=every)
        for name, memory in chosen.items()
    }
    return table_of(runs, seeds)


# -- near topics -----------------------------------------------------------------------------------


def near_success(seed, way, rounds, alike):
    """Share of tries that work on 60 topics in 6 clusters, whose embedding shows the cluster."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, 32))
    of = rng.integers(0, 6, 60)
    places = centres[of] / np.linalg.norm(centres[of], axis=1, keepdims=True)
    places = places + 0.06 * rng.normal(size=places.shape)
    by_cluster = rng.beta(0.75, 2.25, (6, TOOLS))[of]
    truth = by_cluster if alike else rng.beta(0.75, 2.25, (60, TOOLS))
    topic_map = TopicMap(lambda names: places[[int(name) for name in names]])
    topic_map.extend([str(topic) for topic in range(60)])
    pooling = TopicPooling(topic_map, {0: 1.0})
    trails = TrailTable()
    trails.appoint(0, trust=1.0, cap=None, standing="reference")
    tools, worked = np.arange(TOOLS), 0.0
    for _ in range(rounds):
        topics = rng.integers(0, 60, AGENTS)
        rows = of[topics] if way == "true cluster" else topics
        if way == "oracle":
            chosen = truth[topics].argmax(axis=1)
        else:
            names = [str(topic) for topic in topics]
            prior = pooling.prior(trails, names, tools) if way == "near topics" else None
            chosen = trails.rates(rows, tools, rng, prior).argmax(axis=1)
        right = (rng.random(AGENTS) < truth[topics, chosen]).astype(float)
        worked += right.sum()
        for row, topic, tool, one in zip(rows, topics, chosen, right, strict=True):
            if way == "near topics":
                pooling.observe(trails, str(topic), int(tool), one, 1.0)
            trails.deposit(int(row), int(tool), 0, success=one, failure=1.0 - one)
    return worked / (rounds * AGENTS)


def near_topics(
    seeds: int, rounds: int, *, alike: bool, ways: Sequence[str] = ("exact topic", "near topics")
) -> Table:
    """Compare exact topics with near ones; `alike` says whether near topics are."""
    runs = {way: partial(near_success, way=way, rounds=rounds, alike=alike) for way in ways}
    return table_of(runs, seeds)


# -- claims ----------------------------------------------------------------------------------------


def claimed_work(seed, way, tasks=200, agents=10, crash=0.03):
    """Ten agents do 200 tasks; some crash and come back. Shares done twice, and done at all."""
    rng = np.random.default_rng(seed)
    clock = [0.0]
    store = TraceStore(clock=lambda: clock[0])
    store.channel("doing", expires_after=30.0)
    done = np.zeros(tasks, dtype=np.int64)
    # Time, agent, the task it is about to begin or at the end of, and its claim.
    queue = [(float(start), agent, None, None, None) for agent, start in enumerate(rng.random(10))]
    heapq.heapify(queue)
    while queue and clock[0] < 1000.0 and not (done > 0).all():
        clock[0], agent, begun, ended, claim = heapq.heappop(queue)
        if ended is not None and (claim is None or claim.finish()):
            done[ended] += 1
        if begun is None:
            begun, claim = picked(store, rng, done, way, f"agent {agent}")
            # Looking and marking are two calls; a model thinks between them.
            if begun is None or way == "look, then mark":
                pause = 0.25 if begun is not None else 1.0
                heapq.heappush(queue, (clock[0] + pause, agent, begun, None, None))
                continue
        if way == "look, then mark":
            store.deposit(begun, "doing", agent=f"agent {agent}")
        if rng.random() < crash:  # It comes back after a while, and knows nothing of its task.
            heapq.heappush(queue, (clock[0] + 10.0, agent, None, None, None))
        else:
            end = clock[0] + 2.0 + 2.0 * rng.random()
            heapq.heappush(queue, (end, agent, None, begun, claim))
    twice = float(np.maximum(done - 1, 0).sum() / tasks)
    return twice, float((done > 0).mean())


def picked(store, rng, done, way, agent):
    """Choose a task that seems free, by one of four ways; None for none."""
    open_tasks = rng.permutation(np.flatnonzero(done == 0)).tolist()
    if way in ("nothing", "look, then mark"):
        free = [t for t in open_tasks if not store.sense(t, "doing").evidence]
        return (free[0] if free else None), None
    for task in open_tasks:
        claim = store.claim(task, agent=agent, ttl=10.0 if way == "claim" else 1e9)
        if claim is not None:
            return task, claim
    return None, None


WAYS_TO_CLAIM = ("nothing", "look, then mark", "lock for ever", "claim")


def claims(seeds: int, ways: Sequence[str] = WAYS_TO_CLAIM) -> dict[str, tuple[Row, Row]]:
    """Shares of tasks done twice, and done at all."""
    found = {way: [claimed_work(seed, way) for seed in range(seeds)] for way in ways}
    return {
        way: (interval([one[0] for one in runs]), interval([one[1] for one in runs]))
        for way, runs in found.items()
    }


# -- load ------------------------------------------------------------------------------------------

SPEEDS = np.linspace(0.5, 3.075, 8)


class Board:
    """Everybody sees the queues, as they were up to so many seconds ago."""

    def __init__(self, age):
        self.age, self.looked, self.seen = age, -math.inf, np.zeros(8)

    def look(self, now, load):
        if now - self.looked >= self.age:
            self.seen, self.looked = load.copy(), now
        return self.seen

    def started(self, now, tool):
        pass

    ended = started


class Deposits:
    """A deposit at the start of each call, or at its end, which evaporates."""

    def __init__(self, half_life, *, at_start):
        self.now, self.at_start = 0.0, at_start
        self.store = TraceStore(clock=lambda: self.now)
        self.store.channel("load", half_life=half_life)

    def look(self, now, load):
        self.now = now
        return np.array([self.store.sense(tool, "load").value for tool in range(8)])

    def started(self, now, tool):
        if self.at_start:
            self.store.deposit(tool, "load", agent="crew", now=now)

    def ended(self, now, tool):
        if not self.at_start:
            self.store.deposit(tool, "load", agent="crew", now=now)


class Counts:
    """Four processes write down how many calls they have out, as the plugin does."""

    def __init__(self, half_life=60.0):
        self.store, self.half_life = TraceStore(), half_life
        self.store.channel("load")
        self.out, self.turn, self.whose = np.zeros((4, 8)), 0, [deque() for _ in range(8)]
        self.known, self.version = {}, 0

    def look(self, now, load):
        self.turn = (self.turn + 1) % 4
        self.version, rows = self.store.changes(self.version)
        self.known.update({(row.key, row.agent): (row.meta, row.time) for row in rows})
        seen = np.zeros(8)
        for (tool, _), (count, when) in self.known.items():
            seen[tool] += count * 2.0 ** ((when - now) / self.half_life)
        return seen

    def started(self, now, tool):
        self.whose[tool].append(self.turn)
        self.write(now, tool, self.turn, 1)

    def ended(self, now, tool):
        self.write(now, tool, self.whose[tool].popleft(), -1)

    def write(self, now, tool, process, change):
        self.out[process, tool] += change
        count = int(self.out[process, tool])
        self.store.deposit(tool, "load", agent=f"process {process}", now=now, meta=count)


def sojourn(seed, sight, arrivals):
    """Mean seconds from arrival to answer, 8 unequal tools at 85 %; None goes by speed alone."""
    rng = np.random.default_rng(seed)
    view = None if sight is None else sight()
    now, total = 0.0, 0.0
    free_at, load = np.zeros(8), np.zeros(8)
    ends: list[tuple[float, int]] = []
    gaps = rng.exponential(1.0 / (0.85 * SPEEDS.sum()), arrivals)
    works = rng.exponential(1.0, arrivals)
    by_speed = rng.choice(8, size=arrivals, p=SPEEDS / SPEEDS.sum())
    for gap, work, tool in zip(gaps, works, by_speed.tolist(), strict=True):
        now += gap
        while ends and ends[0][0] <= now:
            when, idle = heapq.heappop(ends)
            load[idle] -= 1
            if view is not None:
                view.ended(when, idle)
        if view is not None:
            tool = int(((view.look(now, load) + 1.0) / SPEEDS).argmin())
            view.started(now, tool)
        free_at[tool] = max(now, free_at[tool]) + work / SPEEDS[tool]
        load[tool] += 1
        heapq.heappush(ends, (free_at[tool], tool))
        total += free_at[tool] - now
    return total / arrivals


SIGHTS = {
    "by known speed": None,
    "board 0.5 s old": partial(Board, 0.5),
    "board 5 s old": partial(Board, 5.0),
    "board without delay": partial(Board, 0.0),
    "counts of 4 processes": Counts,
    "deposit at the start, half-life 3 s": partial(Deposits, 3.0, at_start=True),
    "deposit at the start, half-life 10 s": partial(Deposits, 10.0, at_start=True),
    "deposit at the end, half-life 5 s": partial(Deposits, 5.0, at_start=False),
}


def load(seeds: int, arrivals: int, ways: Sequence[str] = ()) -> Table:
    """Mean seconds from arrival to answer."""
    runs = {way: partial(sojourn, sight=SIGHTS[way], arrivals=arrivals) for way in ways or SIGHTS}
    return table_of(runs, seeds)


# -- forged traces ---------------------------------------------------------------------------------


def forged_success(seed, forgers, guard, rounds):
    """Share of honest tries that work; forgers praise the worst tool, fifty times a round."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.75, 2.25, (TOPICS, TOOLS))
    table = TrailTable()
    for agent in range(AGENTS):
        trust = None if guard in ("trust", "both") else 1.0
        table.appoint(agent, trust=trust, cap=10.0 if guard in ("cap", "both") else None)
    right = asked = 0.0
    for number in range(rounds):
        drifting(rng, truth, number, 100)
        topics = rng.integers(0, TOPICS, AGENTS)
        chosen = table.rates(topics, range(TOOLS), rng).argmax(axis=1)
        for agent, (topic, tool) in enumerate(zip(topics.tolist(), chosen.tolist(), strict=True)):
            if agent < forgers:
                table.deposit(topic, int(truth[topic].argmin()), agent, success=50.0)
                continue
            worked = float(rng.random() < truth[topic, tool])
            table.deposit(topic, tool, agent, success=worked, failure=1.0 - worked)
            right, asked = right + worked, asked + 1.0
        table.advance(AGENTS)
    return right / asked


GUARDS = ("none", "cap", "trust", "both")


def poisoning(seeds: int, rounds: int, forgers: int, guards: Sequence[str] = GUARDS) -> Table:
    """Success of the honest agents among eight."""
    runs = {
        guard: partial(forged_success, forgers=forgers, guard=guard, rounds=rounds)
        for guard in guards
    }
    return table_of(runs, seeds)


# -- at full size ----------------------------------------------------------------------------------


NEAR_WAYS = ("exact topic", "near topics", "true cluster", "oracle")


def full(world: str) -> dict[str, object]:
    """Give a world's tables at full size."""
    sizes: dict[str, Callable[[], dict[str, object]]] = {
        "memory": lambda: {
            f"changes every {every} rounds" if every else "still": shared_memory(16, 400, every)
            for every in (100, 40, 0)
        },
        "near": lambda: {
            "alike": near_topics(16, 200, alike=True, ways=NEAR_WAYS),
            "only near": near_topics(16, 200, alike=False, ways=(*NEAR_WAYS[:2], "oracle")),
        },
        "claims": lambda: {"twice, done": claims(16)},
        "load": lambda: {"seconds": load(16, 20_000)},
        "poisoning": lambda: {f"{n} of 8 forge": poisoning(16, 300, n) for n in (0, 1, 2)},
    }
    return sizes[world]()


if __name__ == "__main__":
    for title, rows in full(sys.argv[1]).items():
        print(title)  # noqa: T201
        for name, row in rows.items():  # type: ignore[attr-defined]
            print(f"  {name:40} {row}")  # noqa: T201

"""Simulated crews that choose tools by what a trace store knows. No model is called."""

from __future__ import annotations

import numpy as np

from swarmloom_protocols.stigmergy.traces.neighbourhoods import CosineNeighbourhood
from swarmloom_protocols.stigmergy.traces.store import TraceStore


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def new_store(clock, half_life=None, protected=True, neighbourhood=None):
    store = TraceStore(clock=clock, neighbourhood=neighbourhood)
    protection = {} if protected else {"agent_cap": None, "opposite": None}
    for channel in ("ok", "fail"):
        store.channel(channel, half_life=half_life, **protection)
    return store


def tool_choice(
    seed,
    *,
    shared=True,
    forgers=0,
    protected=True,
    half_life=None,
    drift=None,
    topics=10,
    tools=12,
    agents=8,
    rounds=300,
):
    """Share of honest agents' tasks that succeed; one task an agent and round.

    A forger praises the worst tool of a topic and blames the best one, 20 observations at a time.
    """
    rng, clock = np.random.default_rng(seed), Clock()
    rates = rng.beta(1.0, 3.0, (topics, tools))
    stores = [new_store(clock, half_life, protected) for _ in range(1 if shared else agents)]
    won = total = 0
    for round_ in range(rounds):
        clock.now = float(round_)
        if drift and round_ and round_ % drift == 0:
            new = rng.choice(topics, topics // 2, replace=False)
            rates[new] = rng.beta(1.0, 3.0, (len(new), tools))
        for agent in range(agents):
            store, topic = stores[0 if shared else agent], int(rng.integers(topics))
            if agent < forgers:
                forge(store, topic, rates[topic], f"agent{agent}")
                continue
            options = [(topic, tool) for tool in range(tools)]
            _, tool = key = store.choose(options, rng=rng)
            success = bool(rng.random() < rates[topic, tool])
            store.deposit(key, "ok" if success else "fail", agent=f"agent{agent}")
            won, total = won + success, total + 1
    return won / total


def forge(store, topic, rates, agent):
    store.deposit((topic, int(rates.argmin())), "ok", 20.0, agent=agent)
    store.deposit((topic, int(rates.argmax())), "fail", 20.0, agent=agent)


def topic_choice(seed, radius, *, topics=60, clusters=6, tools=12, agents=8, rounds=60, size=16):
    """Success rate where topics of one cluster, near one another, want the same tools."""
    rng, clock = np.random.default_rng(seed), Clock()
    rates = rng.beta(1.0, 3.0, (clusters, tools))
    centres = rng.normal(size=(clusters, size))
    of = rng.integers(clusters, size=topics)
    vectors = centres[of] + 0.5 * rng.normal(size=(topics, size))
    store = new_store(clock, neighbourhood=CosineNeighbourhood(lambda places: vectors[places]))
    won = 0
    for _ in range(rounds):
        for agent in range(agents):
            topic = int(rng.integers(topics))
            options = [(topic, tool) for tool in range(tools)]
            _, tool = key = store.choose(options, rng=rng, radius=radius)
            success = bool(rng.random() < rates[of[topic], tool])
            store.deposit(key, "ok" if success else "fail", agent=f"agent{agent}")
            won += success
    return won / (rounds * agents)


def queueing(seed, rule, *, servers=8, jobs=1500, load=0.85, half_life=6.0, fixed=True):
    """Mean time in the system of jobs sent to unequal servers; arrivals are simulated (Poisson).

    `rule` is "speed" (in proportion to the known speed), "start" (least load left at the start of
    work, which fades) or "end" (least load left when work is done). All jobs are the same work, or
    exponentially distributed if not `fixed`.
    """
    rng, clock = np.random.default_rng(seed), Clock()
    speeds = rng.uniform(0.5, 2.0, servers)
    store = TraceStore(clock=clock)
    store.channel("load", half_life=half_life)
    free, ends, total = np.zeros(servers), [], 0.0
    for _ in range(jobs):
        clock.now += rng.exponential(1.0 / (load * speeds.sum()))
        for _, server in [end for end in ends if end[0] <= clock.now]:
            store.deposit(server, "load", agent="end")
        ends = [end for end in ends if end[0] > clock.now]
        if rule == "speed":
            server = int(rng.choice(servers, p=speeds / speeds.sum()))
        else:
            waiting = [store.sense(i, "load").value for i in range(servers)]
            server = int(np.argmin((np.array(waiting) + 1.0) / speeds + 1e-9 * rng.random(servers)))
        work = 1.0 if fixed else rng.exponential()
        if rule == "start":
            store.deposit(server, "load", agent="start")
        free[server] = max(free[server], clock.now) + work / speeds[server]
        total += free[server] - clock.now
        if rule == "end":
            ends.append((free[server], server))
    return total / jobs

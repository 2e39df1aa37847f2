"""Random sequences of operations, against a store that goes through every deposit."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.naive.trace_store import NaiveStore

CHANNELS = {
    "stays": {},
    "fades": {"half_life": 7.0, "floor": 0.05},
    "held": {"cap": 9.0, "agent_cap": 4.0, "half_life": 30.0},
    "ends": {"expires_after": 12.0, "half_life": 40.0},
}
KEYS = st.sampled_from(["k", "", 3, (1, "x"), (1.0, "x"), None, 0.5, b"k", True])
AGENTS = st.sampled_from(["a", "b", "ä"])
AMOUNTS = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 17.0])
STEPS = st.sampled_from([0.0, 0.5, 3.0, 11.0, 25.0])
TRUST = st.sampled_from([{}, {"a": 0.5}, {"b": 0.0, "*": 2.0}])
TTL = st.sampled_from([1.0, 5.0, 20.0])

DEPOSIT = st.tuples(
    st.just("deposit"), KEYS, st.sampled_from(sorted(CHANNELS)), AMOUNTS, AGENTS, STEPS
)
OPERATIONS = st.one_of(
    DEPOSIT,
    DEPOSIT,
    st.tuples(st.just("sense"), KEYS, st.sampled_from(sorted(CHANNELS)), TRUST),
    st.tuples(st.just("wait"), STEPS),
    st.tuples(st.just("claim"), KEYS, AGENTS, TTL),
    st.tuples(st.just("add"), st.lists(KEYS, max_size=3)),
    st.tuples(st.just("next"), AGENTS, TTL),
    st.tuples(
        st.just("change"), st.integers(0, 9), st.sampled_from(["renew", "release", "finish"])
    ),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("restore")),
)


class Both:
    """Does everything to a store and to the naive one, and compares what they say."""

    def __init__(self, store, clock):
        self.store, self.clock, self.naive = store, clock, NaiveStore()
        self.claims = []
        for name, options in CHANNELS.items():
            store.channel(name, **options)
            self.naive.channel(name, **options)

    def deposit(self, key, channel, amount, agent, age):
        when = self.clock[0] - age
        returned = self.store.deposit(key, channel, amount, agent=agent, now=when)
        expected = self.naive.deposit(key, channel, amount, agent, when)
        assert returned == pytest.approx(expected, rel=1e-9)

    def sense(self, key, channel, trust):
        now = self.clock[0]
        reading = self.store.sense(key, channel, trust=trust)
        value, evidence, last, by_agent = self.naive.sense(key, channel, now, trust)
        assert reading.value == pytest.approx(value, rel=1e-9)
        assert (reading.evidence, reading.last) == (evidence, last)
        assert reading.by_agent == pytest.approx(by_agent, rel=1e-9)

    def wait(self, seconds):
        self.clock[0] += seconds

    def claim(self, key, agent, ttl):
        claim = self.store.claim(key, agent=agent, ttl=ttl)
        token = self.naive.take(self.naive.claims, key, agent, self.clock[0], ttl)
        self.compare(claim, token, self.naive.claims, key)

    def add(self, keys):
        place = self.naive.boards.setdefault("board", {})
        assert self.store.board("board").add(keys) == len({*keys} - place.keys())
        for key in keys:
            place.setdefault(key, None)

    def next(self, agent, ttl):
        claim = self.store.board("board").next(agent, ttl)
        key, token = self.naive.next("board", agent, self.clock[0], ttl) or (None, None)
        self.compare(claim, token, self.naive.boards["board"], key)

    def compare(self, claim, token, place, key):
        assert (claim is None) == (token is None)
        if claim is not None:
            assert (claim.key, claim.token) == (key, token)
            self.claims.append((claim, place))

    def change(self, which, how):
        if not self.claims:
            return
        claim, place = self.claims[which % len(self.claims)]
        if how == "renew":
            done, how = claim.renew(5.0), self.clock[0] + 5.0
        else:
            done = claim.release() if how == "release" else claim.finish("done")
        assert done == self.naive.change(place, claim.key, claim.token, how)

    def sweep(self):
        self.store.sweep()
        now = self.clock[0]
        # What is worth nothing now is gone for late readers too, as are ended claims.
        self.naive.deposits = [
            deposit
            for deposit in self.naive.deposits
            if self.naive.worth(*deposit[:2], deposit[3], now)[0] > 0.0
        ]
        plain = self.naive.claims
        for key in [k for k, held in plain.items() if held and held[3] is None and held[2] <= now]:
            del plain[key]

    def restore(self):
        saved = self.store.snapshot()
        self.store.restore(json.loads(json.dumps(saved)))
        assert self.store.snapshot() == saved

    def finally_(self):
        for key in ["k", 3, (1, "x"), None]:
            for channel in CHANNELS:
                self.sense(key, channel, {})
        board = self.store.board("board")
        counts = self.naive.counts("board", self.clock[0])
        assert (board.waiting, board.held, board.done) == counts


def run(store, clock, operations):
    both = Both(store, clock)
    for name, *arguments in operations:
        getattr(both, name)(*arguments)
    both.finally_()


@settings(deadline=None, max_examples=150)
@given(st.lists(OPERATIONS, max_size=40))
def test_in_memory(operations):
    clock = [100.0]
    run(TraceStore(clock=lambda: clock[0]), clock, operations)


@settings(deadline=None, max_examples=40)
@given(st.lists(OPERATIONS, max_size=40))
def test_in_a_file(operations):
    clock = [100.0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with closing(TraceStore.open(path, clock=lambda: clock[0])) as store:
            run(store, clock, operations)

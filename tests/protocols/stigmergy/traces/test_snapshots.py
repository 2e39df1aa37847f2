"""Everything in a store written out and read back, bit by bit; what is no snapshot is refused."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.traces.memory import MemoryBackend
from swarmloom_protocols.stigmergy.traces.store import TraceStore


def fill(store, clock):
    rng = np.random.default_rng(5)
    store.channel("scent", half_life=7.3, cap=9.0, floor=0.0)
    store.channel("fact", expires_after=3.0, opposite="scent")
    for _ in range(300):
        clock.advance(float(rng.exponential()))
        key = [("a", int(rng.integers(5))), b"\xff", None, 0.1, "é"][rng.integers(5)]
        channel = ["ok", "scent", "fact"][rng.integers(3)]
        store.deposit(key, channel, float(rng.exponential()), agent="xyz"[rng.integers(3)])
    store.deposit("k", "ok", agent="x", meta={"why": [1, None, "é"]})
    board = store.board("b")
    board.add(range(6))
    board.next("x", 5.0).finish({"r": 1})
    board.next("y", 5.0)
    board.next("y", 5.0).release()
    store.claim("plain", agent="x", ttl=3.0)
    store.claim("done", agent="x", ttl=3.0).finish("result")
    return store


@pytest.mark.row("S14")
def test_a_snapshot_comes_back_bit_by_bit(store, new_store, clock):
    saved = fill(store, clock).snapshot()
    text = json.dumps(saved, allow_nan=False)
    again = new_store()
    again.restore(json.loads(text))
    assert again.snapshot() == saved
    assert json.dumps(again.snapshot()) == text
    for key in (("a", 1), b"\xff", None, 0.1, "é"):
        for channel in ("ok", "scent", "fact"):
            assert again.sense(key, channel, trust={}) == store.sense(key, channel, trust={})
    assert [trace[1:] for trace in again.traces()] == [trace[1:] for trace in store.traces()]


@pytest.mark.row("S14")
def test_a_snapshot_moves_between_memory_and_file(clock, tmp_path):
    memory = fill(TraceStore(clock=clock), clock)
    saved = memory.snapshot()
    with TraceStore.open(tmp_path / "store.sqlite", clock=clock) as file:
        file.restore(saved)
        assert file.snapshot() == saved
        for store in (memory, file):
            store.deposit(0.1, "scent", 2.0, agent="x", now=clock.now + 1.0)
        assert file.snapshot() == memory.snapshot()
        claims = [store.board("b").next("z", 5.0) for store in (memory, file)]
        assert claims[0].token == claims[1].token
        memory.restore(file.snapshot())
        assert memory.snapshot() == file.snapshot()


def test_a_restored_store_goes_on(store, clock):
    saved = fill(store, clock).snapshot()
    holder = store.claim("later", agent="x", ttl=5.0)
    version, _ = store.changes()
    store.deposit("later", "ok", agent="x")
    store.restore(saved)
    assert store.sense("later", "ok").value == 0.0
    assert not holder.finish("late")
    assert store.claim("later", agent="y", ttl=5.0).token > holder.token
    after, rows = store.changes(version)
    assert after > version
    assert len(rows) == len(store.changes(0)[1])
    top = max(trace.id for trace in store.traces())
    store.deposit("later", "ok", agent="x")
    assert [row.key for row in store.changes(after)[1]] == ["later"]
    assert list(store.traces())[-1].id > top
    held = store.board("b")
    assert (held.waiting, held.held, held.done) == (4, 1, 1)
    assert held.results() == {0: {"r": 1}}
    assert store.result("done") == "result"


def test_a_follower_hears_of_all_that_is_restored(new_store):
    store = new_store(log_size=5)
    store.deposit("old", "ok", agent="a")
    for _ in range(7):
        store.deposit("k", "ok", agent="a")
    version, _ = store.changes()
    store.restore(store.snapshot())
    assert [row.key for row in store.changes(version)[1]] == ["old", "k"]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_who_knew_a_channel_before_declares_it_again(kind, tmp_path):
    if kind == "memory":
        backend = MemoryBackend()
        one, other = TraceStore(backend), TraceStore(backend)
    else:
        one, other = (TraceStore.open(tmp_path / "store.sqlite") for _ in range(2))
    empty = one.snapshot()
    one.channel("scent", half_life=60.0)
    one.deposit("k", "scent", agent="a", now=0.0)
    other.restore(empty)
    one.deposit("k", "scent", agent="a", now=0.0)
    other.restore(empty)
    one.deposit_many([("k", "scent", "a", 2.0, 0.0)])
    saved = other.snapshot()
    assert [channel["half_life"] for channel in saved["channels"]] == [60.0]
    other.restore(saved)
    assert other.sense("k", "scent", now=60.0).value == 1.0
    one.close()
    other.close()


def test_an_empty_snapshot_empties(store, new_store, clock):
    empty = new_store().snapshot()
    version = fill(store, clock).changes()[0]
    store.restore(empty)
    assert store.changes(0)[1] == []
    assert list(store.traces()) == []
    store.deposit("k", "ok", agent="a")
    assert next(iter(store.traces())).id > version


def test_settings_come_with_the_snapshot(store, new_store, clock):
    store.channel("ok", half_life=10.0)
    other = new_store()
    other.deposit("k", "ok", 8.0, agent="a")
    other.restore(store.snapshot())
    other.deposit("k", "ok", 8.0, agent="a")
    clock.advance(10.0)
    assert other.sense("k", "ok").value == 4.0


def swapped(path, value):
    def change(saved):
        *way, last = path
        place = saved
        for step in way:
            place = place[step]
        place[last] = value

    return change


DAMAGE = {
    "another kind": swapped(["kind"], "a recipe"),
    "newer": swapped(["version"], 2),
    "no trails": lambda saved: saved.pop("trails"),
    "a trail too short": lambda saved: saved["trails"][0].pop(),
    "a trail twice": lambda saved: saved["trails"].append(saved["trails"][0]),
    "a channel twice": lambda saved: saved["channels"].append(saved["channels"][0]),
    "an item twice": lambda saved: saved["items"].append(saved["items"][0]),
    "negative": swapped(["trails", 0, 3], -1.0),
    "not a number": swapped(["trails", 0, 3], float("nan")),
    "a text for an amount": swapped(["trails", 0, 3], "3"),
    "endless": swapped(["trails", 0, 4], float("inf")),
    "no deposits": swapped(["trails", 0, 5], 0),
    "half a deposit": swapped(["trails", 0, 5], 1.5),
    "an unknown channel": swapped(["trails", 0, 1], "smell"),
    "no agent": swapped(["trails", 0, 2], ""),
    "no key": swapped(["trails", 0, 0], "{not json"),
    "a key of another kind": swapped(["trails", 0, 0], '{"a": 1}'),
    "a note that is none": swapped(["trails", 0, 6], "{"),
    "a negative half-life": swapped(["channels", 0, "half_life"], -1.0),
    "a channel without settings": lambda saved: saved["channels"][0].pop("floor"),
    "a log entry of nobody": swapped(["log", 0, 2], None),
    "an amount too large": swapped(["log", 0, 3], 1e300),
    "a token below those given": swapped(["token"], 0),
    "a result that is none": swapped(["items", -1, 5], "{"),
    "an end that is none": swapped(["items", -1, 4], "soon"),
    "no list": swapped(["items"], 3),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_no_snapshot_is_refused_and_changes_nothing(store, clock, damage):
    before = fill(store, clock).snapshot()
    wrong = copy.deepcopy(before)
    damage(wrong)
    with pytest.raises(InputError):
        store.restore(wrong)
    assert store.snapshot() == before


@pytest.mark.parametrize("wrong", [None, [], {}, "text", {"kind": "ledger", "version": 1}])
def test_what_is_of_another_kind_is_named(store, wrong):
    with pytest.raises(InputError, match="no snapshot of a trace store; allowed: kind"):
        store.restore(wrong)

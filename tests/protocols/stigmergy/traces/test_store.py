"""Deposits, readings, channels, the log: the same of both kinds of store."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.traces.records import Deposit
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from swarmloom_protocols.stigmergy.trust import learned_trust

# -- decay -----------------------------------------------------------------------------------------


@pytest.mark.row("S2")
@pytest.mark.parametrize("half_life", [1e-3, 1.0, 37.0, 1e9])
def test_half_is_left_after_a_half_life(store, clock, half_life):
    store.channel("scent", half_life=half_life)
    assert store.deposit("k", "scent", 8.0, agent="a") == 8.0
    for left in (8.0, 4.0, 2.0, 1.0):
        assert store.sense("k", "scent").value == pytest.approx(left, rel=1e-9)
        clock.advance(half_life)


def test_without_a_half_life_nothing_is_lost(store, clock):
    store.deposit("k", "ok", 3.0, agent="a")
    clock.advance(1e12)
    assert store.sense("k", "ok").value == 3.0


def test_a_late_deposit_is_decayed_to_the_last_one(store, clock):
    store.channel("scent", half_life=10.0)
    store.deposit("k", "scent", 1.0, agent="a")
    returned = store.deposit("k", "scent", 4.0, agent="a", now=clock.now - 20.0)
    assert returned == pytest.approx(1.0 + 1.0)
    assert store.sense("k", "scent").last == clock.now


def test_the_order_of_deposits_does_not_matter(store, new_store):
    deposits = [(5.0, 1.0), (1.0, 2.0), (9.0, 4.0), (9.0, 8.0), (3.0, 16.0)]
    values = []
    for one, order in ((store, deposits), (new_store(), deposits[::-1])):
        one.channel("scent", half_life=3.0)
        for time, amount in order:
            one.deposit("k", "scent", amount, agent="a", now=time)
        values.append(one.sense("k", "scent", now=12.0).value)
    exact = sum(amount * 2.0 ** (-(12.0 - time) / 3.0) for time, amount in deposits)
    assert values == pytest.approx([exact, exact], rel=1e-12)


def test_reading_before_the_last_deposit_does_not_grow_it(store, clock):
    store.channel("scent", half_life=1.0)
    store.deposit("k", "scent", 1.0, agent="a")
    assert store.sense("k", "scent", now=clock.now - 1000.0).value == 1.0


def test_what_is_below_the_floor_is_nothing(store, clock):
    store.channel("scent", half_life=1.0, floor=0.25)
    store.deposit("k", "scent", 1.0, agent="a")
    clock.advance(2.0)
    assert store.sense("k", "scent").value == 0.25
    clock.advance(0.01)
    assert store.sense("k", "scent") == (0.0, 0, None, {})


@pytest.mark.row("S14")
def test_knowledge_expires(store, clock):
    store.channel("fact", expires_after=60.0)
    store.deposit("k", "fact", 5.0, agent="a")
    clock.advance(60.0)
    assert store.sense("k", "fact").value == 5.0
    store.deposit("k", "fact", 1.0, agent="a")
    clock.advance(60.1)
    assert store.sense("k", "fact").value == 0.0
    assert store.deposit("k", "fact", 2.0, agent="a") == 2.0
    assert store.sense("k", "fact").evidence == 1


# -- readings --------------------------------------------------------------------------------------


def test_a_reading_tells_who_and_how_often_and_when(store, clock):
    store.deposit("k", "ok", 2.0, agent="a")
    clock.advance(1.0)
    store.deposit("k", "ok", 1.0, agent="b")
    store.deposit("k", "ok", 1.0, agent="b")
    reading = store.sense("k", "ok")
    assert reading == (4.0, 3, clock.now, {"a": 2.0, "b": 2.0})


def test_nothing_is_known_at_first(store):
    assert store.sense("k", "ok") == (0.0, 0, None, {})


def test_caps_hold_agents_and_cells(store):
    store.channel("vote", cap=5.0, agent_cap=2.0)
    store.deposit("k", "vote", 100.0, agent="a")
    assert store.sense("k", "vote").value == 2.0
    assert store.sense("k", "vote").by_agent == {"a": 100.0}
    for agent in "bcd":
        store.deposit("k", "vote", 100.0, agent=agent)
    assert store.sense("k", "vote").value == 5.0


def test_the_given_channels_are_capped(store):
    store.deposit("k", "ok", 1e6, agent="a")
    assert store.sense("k", "ok").value == 10.0


def test_trust_weighs_agents(store):
    store.channel("vote", agent_cap=2.0)
    for agent in "abc":
        store.deposit("k", "vote", 2.0, agent=agent)
    assert store.sense("k", "vote", trust={"a": 0.5}).value == 5.0
    assert store.sense("k", "vote", trust={"a": 0.5, "*": 0.0}).value == 1.0
    assert store.sense("k", "vote", trust={}).value == 6.0


def test_trust_is_learned_as_the_trails_learn_it(store):
    rng = np.random.default_rng(3)
    agents = [f"a{i}" for i in range(4)]
    amounts = np.zeros((2, 6, 4))
    for key in range(6):
        for row, agent in enumerate(agents):
            liar = row == 3
            for channel, side in (("ok", 0), ("fail", 1)):
                amount = float(rng.integers(0, 5)) + (9.0 if (side == key % 2) != liar else 0.0)
                store.deposit(key, channel, amount, agent=agent)
                amounts[side, key, row] = amount
    amounts *= np.minimum(1.0, 10.0 / amounts.sum(axis=0))
    cells, who = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    expected = learned_trust(amounts.reshape(2, 24), cells, who, np.full(4, np.nan))
    assert expected[3] < 0.5 * expected[:3].min()
    reading = store.sense(0, "ok")
    worth = sum(
        expected[row] * min(10.0, reading.by_agent.get(agent, 0.0))
        for row, agent in enumerate(agents)
    )
    assert reading.value == pytest.approx(worth, rel=1e-9)
    assert store.sense(0, "ok", trust={}).value > worth


def test_trust_is_learned_anew(store):
    def work(liars):
        for key in range(20):
            for agent in "abcd":
                store.deposit(key, "fail" if agent in liars else "ok", agent=agent)

    work("")
    assert store.sense(0, "ok").value == 4.0
    for _ in range(5):
        work("d")
    believed = store.sense(0, "fail").value
    assert believed < 2.5 < store.sense(0, "fail", trust={}).value


def test_other_channels_can_learn_trust_too(store):
    store.channel("useful", opposite="useless")
    store.channel("useless", opposite="useful")
    store.channel("load")
    for key in range(30):
        for agent in "abc":
            store.deposit(key, "useful", 5.0, agent=agent)
            store.deposit(key, "ok", 5.0, agent=agent)
        store.deposit(key, "useless", 5.0, agent="liar")
        store.deposit(key, "fail", 5.0, agent="liar")
    assert store.sense(0, "useless").value < 1.0
    assert store.sense(0, "useless", trust={}).value == 5.0
    store.deposit(0, "load", 5.0, agent="liar")
    assert store.sense(0, "load").value == 5.0
    assert store.sense(0, "load", trust="learned").value < 1.0


# -- channels --------------------------------------------------------------------------------------


def test_a_channel_can_be_declared_again_only_as_it_is(store):
    first = store.channel("scent", half_life=3.0)
    assert store.channel("scent", half_life=3.0) == first
    with pytest.raises(InputError, match=r"'scent' is declared as .*half_life=3.0"):
        store.channel("scent", half_life=4.0)


def test_a_given_channel_keeps_its_protection_unless_told(store):
    assert store.channel("ok", half_life=400.0).agent_cap == 10.0
    assert store.channel("fail", agent_cap=None).agent_cap is None


def test_a_given_channel_is_fixed_by_its_first_deposit(store):
    assert store.sense("k", "ok").value == 0.0
    store.channel("ok", half_life=5.0)
    store.deposit("k", "fail", agent="a")
    with pytest.raises(InputError, match="allowed: the same again"):
        store.channel("fail", half_life=5.0)


def test_an_unknown_channel_is_named_with_the_known_ones(store):
    store.channel("scent")
    for use in (store.sense, store.gradient):
        with pytest.raises(InputError, match="no channel 'sent'; declared: fail, ok, scent"):
            use("k", "sent")
    with pytest.raises(InputError, match="no channel 'sent'"):
        store.deposit("k", "sent", agent="a")


@pytest.mark.parametrize(
    "settings",
    [
        {"half_life": 0.0},
        {"half_life": math.nan},
        {"cap": -1.0},
        {"agent_cap": 0.0},
        {"floor": -1.0},
        {"floor": math.inf},
        {"expires_after": math.inf},
        {"opposite": "scent"},
        {"opposite": ""},
        {"halflife": 3.0},
    ],
)
def test_a_setting_that_cannot_be_is_refused(store, settings):
    with pytest.raises(InputError, match="allowed"):
        store.channel("scent", **settings)
    with pytest.raises(InputError, match="no channel 'scent'"):
        store.sense("k", "scent")


# -- what is refused -------------------------------------------------------------------------------

REFUSED = [
    ({"amount": math.nan}, "amount is nan"),
    ({"amount": math.inf}, "amount is inf"),
    ({"amount": -1.0}, r"amount is -1\.0; allowed: finite, 0 to"),
    ({"amount": 1e101}, "amount is 1e"),
    ({"amount": "3"}, "amount is '3'"),
    ({"amount": None}, "amount is None"),
    ({"amount": 10**400}, "amount is 1000"),
    ({"now": 10**400}, "now is a whole number of 1329 bits"),
    ({"agent": ""}, "agent is ''"),
    ({"agent": 7}, "agent is 7"),
    ({"channel": ""}, "channel is ''"),
    ({"now": math.nan}, "now is nan"),
    ({"now": math.inf}, "now is inf"),
    ({"now": "noon"}, "now is 'noon'"),
    ({"meta": {1, 2}}, "meta cannot be written"),
    ({"meta": math.nan}, "meta cannot be written"),
    ({"key": ["list"]}, r"key \['list'\]"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_a_deposit_that_cannot_be_is_refused(store, wrong, message):
    store.deposit("k", "ok", agent="a")
    before = store.snapshot()
    given = {"key": "k", "channel": "ok", "agent": "a", "amount": 1.0, "now": None, "meta": None}
    given |= wrong
    key, channel = given.pop("key"), given.pop("channel")
    with pytest.raises(InputError, match=message):
        store.deposit(key, channel, given.pop("amount"), **given)
    assert store.snapshot() == before


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_one_wrong_deposit_of_many_refuses_all(store, wrong, message):
    store.deposit("k", "ok", agent="a")
    before = store.snapshot()
    wrong = {"time" if name == "now" else name: value for name, value in wrong.items()}
    bad = Deposit("k", "ok", "a")._replace(**wrong)
    with pytest.raises(InputError, match=message):
        store.deposit_many([("k", "ok", "a"), bad, ("k", "ok", "a")])
    assert store.snapshot() == before


@pytest.mark.parametrize(
    "wrong",
    [{"now": math.nan}, {"trust": {"a": -1.0}}, {"trust": {"a": math.nan}}, {"trust": "blind"}],
)
def test_a_reading_that_cannot_be_is_refused(store, wrong):
    with pytest.raises(InputError, match="allowed"):
        store.sense("k", "ok", **wrong)


@pytest.mark.parametrize("log_size", [0, -1, 2.5])
def test_a_log_that_cannot_be_is_refused(new_store, log_size):
    with pytest.raises(InputError, match="log_size"):
        new_store(log_size=log_size)


# -- keys ------------------------------------------------------------------------------------------


def test_equal_keys_are_one_place(store):
    for key in (1, 1.0, np.int64(1)):
        store.deposit(key, "ok", agent="a")
        store.deposit((key, "x"), "ok", agent="a")
    assert store.sense(1, "ok").value == 3.0
    assert store.sense((1.0, "x"), "ok").value == 3.0
    assert store.sense("1", "ok").value == 0.0


def test_any_hashable_is_a_key_in_memory():
    store = TraceStore()
    for key in (frozenset({1}), Fraction(1, 3), object()):
        store.deposit(key, "ok", agent="a")
        assert store.sense(key, "ok").value == 1.0
    with pytest.raises(InputError, match="cannot be written to a file; allowed: a str, int"):
        store.snapshot()


def test_a_file_takes_keys_that_can_be_written(tmp_path):
    with TraceStore.open(tmp_path / "store.sqlite") as store:
        for key in ("é\ud800\0", -(2**70), 0.1, None, b"\xff", ("a", (1, None, ())), math.inf):
            store.deposit(key, "ok", agent="a")
            assert store.sense(key, "ok").value == 1.0
        with pytest.raises(InputError, match="allowed: a str, int, float, bool, None or bytes"):
            store.deposit(frozenset({1}), "ok", agent="a")
        with pytest.raises(InputError, match="allowed"):
            store.deposit(math.nan, "ok", agent="a")
        with pytest.raises(InputError, match="Unicode"):
            store.deposit("k", "ok", agent="\ud800")


def test_a_key_that_cannot_be_is_refused_by_readers(store):
    store.deposit("k", "ok", agent="a")
    for use in (
        lambda: store.sense(["list"], "ok"),
        lambda: store.sense({}, "ok", radius=0.5),
        lambda: store.choose([["list"], "k"]),
    ):
        with pytest.raises(InputError, match="key"):
            use()


# -- many at once ----------------------------------------------------------------------------------


def test_many_deposits_are_as_one_after_the_other(new_store, clock):
    rng = np.random.default_rng(0)
    deposits = [
        Deposit(
            int(rng.integers(5)),
            ("ok", "scent")[rng.integers(2)],
            "abc"[rng.integers(3)],
            float(rng.integers(4)),
            float(rng.uniform(0.0, 100.0)),
            None if rng.random() < 0.5 else int(rng.integers(9)),
        )
        for _ in range(200)
    ]
    snapshots = []
    for together in (1, 7, 200):
        store = new_store(log_size=50)
        store.channel("scent", half_life=9.0, expires_after=30.0)
        for first in range(0, 200, together):
            assert store.deposit_many(deposits[first : first + together]) == len(
                deposits[first : first + together]
            )
        snapshots.append(store.snapshot())
    assert snapshots[0] == snapshots[1] == snapshots[2]
    assert store.deposit_many([]) == 0


# -- the log ---------------------------------------------------------------------------------------


@pytest.mark.row("S10")
def test_the_log_keeps_the_last_thousand_exactly(store):
    store.deposit_many([(i % 7, "ok", "ab"[i % 2], float(i), float(i)) for i in range(2345)])
    traces = list(store.traces())
    assert [trace.amount for trace in traces] == [float(i) for i in range(1345, 2345)]
    assert [trace.key for trace in traces] == [i % 7 for i in range(1345, 2345)]
    ids = [trace.id for trace in traces]
    assert ids == sorted(set(ids))
    for i in range(2345, 2360):
        store.deposit(0, "ok", float(i), agent="a", now=float(i))
    assert [trace.amount for trace in store.traces()][-1000:] == [
        float(i) for i in range(1360, 2360)
    ]
    assert len(list(store.traces())) == 1000


def test_the_log_can_be_asked(store):
    for time, (key, agent) in enumerate([("k", "a"), ("l", "a"), ("k", "b"), (None, "b")]):
        store.deposit(key, "ok", agent=agent, now=float(time), meta={"n": time})
    assert [trace.meta["n"] for trace in store.traces("k")] == [0, 2]
    assert [trace.meta["n"] for trace in store.traces(None)] == [3]
    assert [trace.meta["n"] for trace in store.traces(agent="a")] == [0, 1]
    assert [trace.meta["n"] for trace in store.traces(since=2.0)] == [2, 3]
    assert [trace.meta["n"] for trace in store.traces("k", "b", 1.0)] == [2]


def test_a_log_of_one_has_the_last(new_store):
    store = new_store(log_size=1)
    for amount in (1.0, 2.0, 3.0):
        store.deposit("k", "ok", amount, agent="a")
    assert [trace.amount for trace in store.traces()] == [3.0]
    assert store.sense("k", "ok").value == 6.0


# -- following -------------------------------------------------------------------------------------


def test_changes_tell_each_trail_once(store):
    version, rows = store.changes()
    assert rows == []
    for key in ("k", "l", "k"):
        store.deposit(key, "ok", 2.0, agent="a", now=5.0, meta="n")
    later, rows = store.changes(version)
    assert [(row.key, row.amount, row.time, row.evidence, row.meta) for row in rows] == [
        ("l", 2.0, 5.0, 1, "n"),
        ("k", 4.0, 5.0, 2, "n"),
    ]
    assert store.changes(later) == (later, [])
    assert [row.key for row in store.changes(rows[0].version)[1]] == ["k"]


def test_changes_reach_back_beyond_the_log(new_store):
    store = new_store(log_size=5)
    store.deposit_many([(i, "ok", "a") for i in range(100)])
    assert [row.key for row in store.changes(0)[1]] == list(range(100))
    assert [row.key for row in store.changes(90)[1]] == list(range(90, 100))


def test_a_follower_has_what_the_store_has(store):
    rng = np.random.default_rng(1)
    store.channel("scent", half_life=3.0)
    mirror, version = {}, 0
    for step in range(300):
        store.deposit(int(rng.integers(20)), "scent", agent="ab"[rng.integers(2)], now=float(step))
        if rng.random() < 0.1:
            version, rows = store.changes(version)
            mirror |= {(row.key, row.agent): (row.amount, row.time) for row in rows}
    mirror |= {(row.key, row.agent): (row.amount, row.time) for row in store.changes(version)[1]}
    everything = store.changes(0)[1]
    assert mirror == {(row.key, row.agent): (row.amount, row.time) for row in everything}


def test_the_last_note_stays(store):
    store.deposit("k", "ok", agent="a", meta="first")
    store.deposit("k", "ok", agent="a")
    assert store.changes()[1][0].meta == "first"
    store.deposit("k", "ok", agent="a", meta=["second", 2])
    assert store.changes()[1][0].meta == ["second", 2]


# -- sweeping --------------------------------------------------------------------------------------


def test_sweeping_drops_what_reads_as_nothing(store, clock):
    store.channel("scent", half_life=1.0)
    store.channel("fact", expires_after=10.0)
    for channel in ("ok", "scent", "fact"):
        store.deposit("k", channel, agent="a")
    assert store.sweep() == 0
    clock.advance(100.0)
    store.deposit("l", "scent", agent="a")
    before = [store.sense(key, channel) for key in "kl" for channel in ("ok", "scent", "fact")]
    assert store.sweep() == 2
    assert [(row.key, row.channel) for row in store.changes()[1]] == [("k", "ok"), ("l", "scent")]
    after = [store.sense(key, channel) for key in "kl" for channel in ("ok", "scent", "fact")]
    assert before == after
    assert store.deposit("k", "scent", 2.0, agent="a") == 2.0

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.success_rates import log_odds
from swarmloom_protocols.stigmergy.trails import BYTES_PER_TRAIL, TrailTable
from swarmloom_protocols.stigmergy.trust import guest_trust, learned_trust, pool_shares
from tests.naive import trails as naive

# Amounts are read in float32.
CLOSE = 2e-6


# -- decay -----------------------------------------------------------------------------------------


@pytest.mark.row("S2")
@pytest.mark.parametrize("half_life", [0.5, 1.0, 37.0, 1e6])
def test_half_is_left_after_a_half_life(half_life):
    table = TrailTable(half_life=half_life)
    table.deposit(0, 0, 0, success=8.0, failure=2.0)
    for left in (1, 2, 4, 8):
        reading = table.sense(0, 0)
        assert reading.success == pytest.approx(8.0 / left, rel=1e-6)
        assert reading.failure == pytest.approx(2.0 / left, rel=1e-6)
        table.advance(half_life)


@pytest.mark.row("S2")
def test_steady_inflow_settles_at_inflow_over_rate():
    # q deposited a unit of time, in steps of dt, against the rate k = ln 2 / h: x → q / k.
    half_life, inflow, step = 10.0, 3.0, 0.01
    table = TrailTable(half_life=half_life)
    for _ in range(int(20 * half_life / step)):
        table.advance(step)
        table.deposit(0, 0, 0, success=inflow * step)
    rate = math.log(2.0) / half_life
    assert table.sense(0, 0).success == pytest.approx(inflow / rate, rel=rate * step)


@pytest.mark.row("B4")
def test_equal_deposits_follow_the_closed_form_of_the_recursion():
    # τ ← ρτ + Δ from 0 gives Δ(1 − ρⁿ)/(1 − ρ) after n deposits.
    half_life, amount = 5.0, 1.5
    kept = 2.0 ** (-1 / half_life)
    table = TrailTable(half_life=half_life)
    for count in range(1, 60):
        table.advance()
        table.deposit(0, 0, 0, success=amount)
        expected = amount * (1 - kept**count) / (1 - kept)
        assert table.sense(0, 0).success == pytest.approx(expected, rel=1e-6)


def test_without_half_life_nothing_is_lost():
    table = TrailTable()
    table.deposit(3, 1, 0, success=1.0, failure=2.0)
    table.advance(1e12)
    reading = table.sense(3, 1)
    assert (reading.success, reading.failure) == (1.0, 2.0)


def test_late_deposit_is_decayed_to_the_last_one():
    late, timely = TrailTable(half_life=4.0), TrailTable(half_life=4.0)
    timely.deposit(0, 0, 0, success=8.0)
    for table in (late, timely):
        table.advance(4.0)
        table.deposit(0, 0, 0, success=1.0)
    late.deposit(0, 0, 0, success=8.0, time=0.0)
    assert late.sense(0, 0) == timely.sense(0, 0)
    assert late.sense(0, 0).success == pytest.approx(5.0, rel=1e-6)


def test_age_beyond_all_exponents_is_nothing():
    table = TrailTable(half_life=1e-3)
    table.deposit(0, 0, 0, success=1e30)
    table.advance(1e6)
    assert table.sense(0, 0).success == 0.0
    assert table.rates([0], [0])[0, 0] == 0.5


# -- rates -----------------------------------------------------------------------------------------


def test_unknown_crew_has_the_prior_rate():
    rates = TrailTable().rates([0, 5, 0], [0, 3])
    np.testing.assert_array_equal(log_odds(rates), np.zeros((3, 2)))
    np.testing.assert_allclose(TrailTable(prior_rate=0.9).rates([0, 5], [3]), [[0.9], [0.9]])


def test_log_odds():
    np.testing.assert_allclose(log_odds([0.2, 0.9]), [-math.log(4), math.log(9)], rtol=1e-6)
    assert np.isfinite(log_odds([0.0, 1.0])).all()


def test_single_expert_by_hand():
    table = TrailTable(topic_prior=2.0, expert_prior=2.0)
    table.deposit(0, 0, 0, success=6.0)
    crew = (6 + 1) / (6 + 2)
    expert = (6 + 2 * crew) / (6 + 2)
    assert table.rates([0], [0])[0, 0] == pytest.approx((6 + 2 * expert) / (6 + 2))


def test_unseen_topic_starts_from_the_experts_rate():
    table = TrailTable()
    table.deposit(0, 0, 0, success=40.0, failure=2.0)
    table.deposit(0, 1, 0, success=2.0, failure=40.0)
    good, bad = table.expert_rates([0, 1])
    np.testing.assert_allclose(table.rates([7], [0, 1]), [[good, bad]])
    assert good > 0.85
    assert bad < 0.15


def test_many_observations_overcome_the_pooled_rate():
    table = TrailTable()
    for topic in range(5):
        table.deposit(topic, 0, 0, success=50.0)
    table.deposit(9, 0, 0, failure=200.0)
    assert table.rates([9], [0])[0, 0] < 0.05
    assert table.rates([0], [0])[0, 0] > 0.9


def test_draws_have_the_posteriors_mean_and_spread_and_a_seed():
    table = TrailTable()
    table.deposit(0, 0, 0, success=12.0, failure=4.0)
    mean = table.rates([0], [0])[0, 0]
    draws = table.rates(np.zeros(20_000, int), [0], np.random.default_rng(1))[:, 0]
    spread = math.sqrt(mean * (1 - mean) / (16 + 4 + 1))
    assert draws.mean() == pytest.approx(mean, abs=4 * spread / math.sqrt(20_000))
    assert draws.std() == pytest.approx(spread, rel=0.05)
    again = table.rates(np.zeros(5, int), [0], np.random.default_rng(1))[:, 0]
    np.testing.assert_array_equal(again, draws[:5])


amounts = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))
deposits = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), amounts, amounts,
        st.floats(0.0, 20.0), st.floats(0.0, 1.0),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    deposits,
    st.one_of(st.none(), st.floats(0.5, 100.0)),
    st.floats(0.1, 20.0),
    st.floats(0.1, 20.0),
    st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3),
    st.one_of(st.none(), st.floats(0.1, 100.0)),
)
def test_rates_equal_those_of_going_through_all_deposits(
    made, half_life, topic_prior, expert_prior, trust, cap
):
    table = TrailTable(half_life=half_life, topic_prior=topic_prior, expert_prior=expert_prior)
    caps = {} if cap is None else {1: cap}
    reference = naive.NaiveTrails(
        half_life, topic_prior, expert_prior, dict(enumerate(trust)), caps
    )
    for depositor in range(3):
        table.appoint(depositor, trust=trust[depositor], cap=caps.get(depositor))
    for topic, expert, depositor, success, failure, wait, back in made:
        table.advance(wait)
        reference.now += wait
        when = table.now * back
        table.deposit(topic, expert, depositor, success, failure, time=when)
        reference.deposit(topic, expert, depositor, success, failure, when)
    topics, experts = [4, 0, 1, 2, 3, 0], [2, 0, 4, 1]
    expected = [[reference.rate(topic, expert) for expert in experts] for topic in topics]
    np.testing.assert_allclose(table.rates(topics, experts), expected, rtol=1e-4, atol=CLOSE)


# -- depositors ------------------------------------------------------------------------------------


@pytest.mark.row("B4")
def test_cap_limits_a_depositors_word_and_keeps_its_ratio():
    table = TrailTable()
    table.appoint(0, trust=1.0, cap=10.0)
    table.deposit(0, 0, 0, success=75.0, failure=25.0)
    reading = table.sense(0, 0)
    assert (reading.success, reading.failure) == (7.5, 2.5)
    assert reading.by_depositor == {0: (75.0, 25.0)}


def test_trust_weighs_a_depositors_word():
    table = TrailTable()
    table.appoint(3, trust=0.25, cap=None)
    table.deposit(0, 0, 3, success=8.0)
    table.deposit(0, 0, 1, failure=1.0)
    table.appoint(1, trust=1.0, cap=None)
    reading = table.sense(0, 0)
    assert (reading.success, reading.failure) == (2.0, 1.0)
    assert table.trust(3) == 0.25


def test_lone_depositor_is_believed():
    table = TrailTable()
    table.deposit(0, 0, 0, success=30.0, failure=10.0)
    assert table.trust(0) == 1.0
    assert table.trust(99) == 1.0


def test_honest_depositors_keep_their_trust_and_a_liar_loses_it():
    rng = np.random.default_rng(5)
    table = TrailTable()
    truth = rng.uniform(0.1, 0.9, 20)
    for depositor in range(6):
        for expert in range(20):
            good = rng.binomial(10, truth[expert])
            lie = depositor == 5
            pair = (10 - good, good) if lie else (good, 10 - good)
            table.deposit(0, expert, depositor, *map(float, pair))
    assert all(table.trust(depositor) > 0.4 for depositor in range(5))
    assert table.trust(5) < 0.15


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(amounts, amounts, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
    ),
    st.lists(st.one_of(st.none(), st.floats(0.0, 1.0)), min_size=4, max_size=4),
)
def test_learned_trust_equals_the_loop_over_trails(trails, fixed):
    # As in a table, a depositor has one trail in a cell.
    trails = list({trail[2:]: trail for trail in trails}.values())
    success, failure, cells, depositors = (list(column) for column in zip(*trails, strict=True))
    found = learned_trust(
        np.array([success, failure]),
        np.array(cells),
        np.array(depositors),
        np.array([np.nan if value is None else value for value in fixed]),
    )
    expected = naive.learned_trust((success, failure), cells, depositors, fixed)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


trail_lists = st.lists(
    st.tuples(amounts, amounts, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(trail_lists, st.lists(st.booleans(), min_size=4, max_size=4))
def test_guest_trust_equals_the_loop_over_trails(trails, references):
    trails = list({trail[2:]: trail for trail in trails}.values())
    success, failure, cells, depositors = (list(column) for column in zip(*trails, strict=True))
    found = guest_trust(
        np.array([success, failure]), np.array(cells), np.array(depositors), np.array(references)
    )
    expected = naive.guest_trust((success, failure), cells, depositors, references)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(amounts, st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.floats(0.0, 1.0),
    st.floats(0.0, 5.0),
)
def test_pool_shares_equal_the_loop_over_trails(trails, share, floor):
    size, places, guests = (list(column) for column in zip(*trails, strict=True))
    found = pool_shares(np.array(size), np.array(places), np.array(guests), share, floor)
    expected = naive.pool_shares(size, places, guests, share, floor)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_guests_are_believed_as_far_as_references_bear_them_out():
    table = TrailTable()
    table.appoint(0, trust=1.0, cap=None, standing="reference")
    for guest in (1, 2, 3):
        table.appoint(guest, trust=None, cap=10.0, standing="guest")
    for expert in range(6):
        good = expert % 2 == 0
        for depositor in (0, 1, 2):
            right = good != (depositor == 2)
            table.deposit(0, expert, depositor, success=8.0 * right, failure=8.0 * (not right))
    # On what no reference has seen two say the same: that bears nobody out.
    table.deposit(1, 0, 2, success=8.0)
    table.deposit(1, 0, 3, success=8.0)
    assert table.trust(1) > 0.7
    assert table.trust(2) < 0.05
    assert table.trust(3) == 0.25


@pytest.mark.parametrize("names", [1, 10, 1000])
def test_guests_together_have_a_limit_on_a_cell_and_on_an_expert(names):
    table = TrailTable(guest_share=0.1, guest_floor=2.0)
    table.appoint(0, trust=1.0, cap=None)
    table.deposit(0, 0, 0, success=50.0)
    for guest in range(1, names + 1):
        table.appoint(guest, trust=None, cap=None, standing="guest")
        table.deposit(0, 0, guest, failure=100.0)
        table.deposit(guest, 1, guest, failure=100.0)
    assert table.sense(0, 0).failure == pytest.approx(5.0)
    # Two observations at most, over however many topics.
    assert table.totals[1] == pytest.approx(7.0)


def crew_with_forger(seed, *, forgers=0, guarded=True, rounds=200):
    """Success rate of honest agents that share what worked; forgers praise the worst tool.

    Ten topics, twelve tools, eight agents; half the topics are drawn anew every 100 rounds.
    """
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.75, 2.25, (10, 12))
    table = TrailTable()
    for agent in range(8):
        table.appoint(agent, trust=None if guarded else 1.0, cap=10.0 if guarded else None)
    right = asked = 0
    for number in range(rounds):
        if number and number % 100 == 0:
            truth[rng.permutation(10)[:5]] = rng.beta(0.75, 2.25, (5, 12))
        topics = rng.integers(0, 10, 8)
        chosen = table.rates(topics, range(12), rng).argmax(axis=1)
        for agent, (topic, tool) in enumerate(zip(topics.tolist(), chosen.tolist(), strict=True)):
            if agent < forgers:
                worst = int(truth[topic].argmin())
                table.deposit(topic, worst, agent, success=50.0)
                continue
            worked = float(rng.random() < truth[topic, tool])
            table.deposit(topic, tool, agent, success=worked, failure=1 - worked)
            right, asked = right + worked, asked + 1
        table.advance(8)
    return right / asked


def test_one_forger_of_eight_cannot_halve_the_result():
    seeds = range(6)
    clean = np.array([crew_with_forger(seed) for seed in seeds])
    forged = np.array([crew_with_forger(seed, forgers=1) for seed in seeds])
    naked = np.array([crew_with_forger(seed, forgers=1, guarded=False) for seed in seeds])
    ratios = forged / clean
    margin = 2.57 * ratios.std(ddof=1) / math.sqrt(len(ratios))  # t, 5 degrees of freedom, 95 %
    assert ratios.mean() - margin > 0.75
    assert naked.mean() < 0.5 * clean.mean()  # What cap and trust are there for.


# -- edges and errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -1e-9, 2e30])
@pytest.mark.parametrize("kind", ["success", "failure"])
def test_impossible_amounts_are_refused(amount, kind):
    table = TrailTable()
    with pytest.raises(InputError, match=kind):
        table.deposit(0, 0, 0, **{kind: amount})
    assert len(table) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda table: TrailTable(half_life=0.0), "half_life"),
        (lambda table: TrailTable(half_life=math.nan), "half_life"),
        (lambda table: TrailTable(topic_prior=-1.0), "topic_prior"),
        (lambda table: TrailTable(prior_rate=1.0), "prior_rate"),
        (lambda table: table.deposit(-1, 0, 0), "topic"),
        (lambda table: table.deposit(0, -1, 0), "expert"),
        (lambda table: table.deposit(0, 0, -1), "depositor"),
        (lambda table: table.deposit(0, 0, 0, 1.0, time=1.0), "time"),
        (lambda table: table.deposit(0, 0, 0, 1.0, time=math.nan), "time"),
        (lambda table: table.advance(-1.0), "finished"),
        (lambda table: table.appoint(0, trust=-0.1, cap=None), "trust"),
        (lambda table: table.appoint(0, trust=None, cap=0.0), "cap"),
        (lambda table: table.rates([-1], [0]), "topics"),
        (lambda table: table.rates([0], [[0]]), "experts"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call(TrailTable())


def test_huge_amounts_stay_finite():
    table = TrailTable(half_life=10.0)
    for kind in ("success", "failure"):
        table.deposit(0, int(kind == "failure"), 0, **{kind: 1e30})
    table.deposit(0, 0, 1, failure=1e30)
    for rng in (None, np.random.default_rng(0)):
        assert np.isfinite(table.rates([0, 1], [0, 1, 2], rng)).all()


@pytest.mark.parametrize(("topics", "experts"), [([], [0, 1]), ([0, 1], []), ([], [])])
def test_empty_rounds(topics, experts):
    table = TrailTable()
    table.deposit(0, 0, 0, success=1.0)
    for rng in (None, np.random.default_rng(0)):
        assert table.rates(topics, experts, rng).shape == (len(topics), len(experts))


def test_read_only_rows():
    topics, experts = np.array([1, 0]), np.array([0, 1])
    topics.setflags(write=False)
    experts.setflags(write=False)
    assert TrailTable().rates(topics, experts).shape == (2, 2)


def test_state_round_trip_goes_on_alike():
    rng = np.random.default_rng(2)
    table = TrailTable(half_life=30.0)
    table.reserve(100)
    assert table.nbytes == 100 * BYTES_PER_TRAIL
    for _ in range(40):
        table.advance()
        topic, expert, depositor = rng.integers(0, 5, 3).tolist()
        table.deposit(topic, expert, depositor, *rng.random(2).tolist())
    copy = TrailTable(half_life=30.0)
    copy.restore(table.state())
    for one in (table, copy):
        one.advance(3.0)
        one.deposit(0, 0, 0, success=2.0)
    np.testing.assert_array_equal(copy.rates(range(6), range(6)), table.rates(range(6), range(6)))
    assert copy.now == table.now


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("amounts", [[-1.0], [0.0]]),
        ("amounts", [[math.nan], [0.0]]),
        ("amounts", [[1.0, 1.0], [0.0, 0.0]]),
        ("times", [9.0]),
        ("times", [math.nan]),
        ("keys", [[-1], [0], [0]]),
    ],
)
def test_damaged_state_is_refused_and_nothing_changes(key, value):
    table = TrailTable()
    table.deposit(0, 0, 0, success=1.0)
    with pytest.raises(InputError, match="trails"):
        table.restore({**table.state(), key: value})
    assert table.sense(0, 0).success == 1.0

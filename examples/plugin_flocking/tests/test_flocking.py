from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import swarmloom_flocking
from hypothesis import given, settings
from hypothesis import strategies as st
from swarmloom_flocking import Flocking, FlockingConfig, likeness, novelty, pooled_rates

from swarmloom import Ballot, Expert, Outcome, Round, Settings, Task, Verdict

sys.path.insert(0, str(Path(__file__).parents[1]))

from try_it import run_crew

PLUGIN = ("flocking", swarmloom_flocking)


def naive_likeness(agreed, met, common_tasks):
    n = len(met)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    total = sum(met[i, j] for i, j in pairs)
    chance = min(0.99, sum(agreed[i, j] for i, j in pairs) / total) if total else 0.0
    result = np.zeros((n, n))
    for i, j in pairs:
        if met[i, j]:
            kappa = (agreed[i, j] / met[i, j] - chance) / (1 - chance)
            shrunk = kappa * met[i, j] / (met[i, j] + common_tasks)
            result[i, j] = min(0.99, max(0.0, shrunk))
    return result


def naive_rates(wins, losses, alike, prior):
    topics, experts = wins.shape
    crew = (wins.sum() + 1) / (wins.sum() + losses.sum() + 2)
    rates = np.zeros((topics, experts))
    for i in range(experts):
        weight = [1.0 if j == i else alike[j, i] for j in range(experts)]

        def pooled(table, rows, weight=weight):
            return sum(weight[j] * table[t, j] for t in rows for j in range(experts))

        everything = range(topics)
        all_wins, all_losses = pooled(wins, everything), pooled(losses, everything)
        usual = (all_wins + prior * crew) / (all_wins + all_losses + prior)
        for t in range(topics):
            own_wins, own_losses = pooled(wins, [t]), pooled(losses, [t])
            rates[t, i] = (own_wins + prior * usual) / (own_wins + own_losses + prior)
    return rates


@given(seed=st.integers(0, 2**32), experts=st.integers(0, 6), topics=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_the_arrays_are_those_of_plain_loops(seed, experts, topics):
    rng = np.random.default_rng(seed)
    met = rng.integers(0, 9, size=(experts, experts)).astype(float)
    met = met + met.T
    agreed = np.floor(met * rng.random((experts, experts)))
    agreed = np.minimum(agreed, agreed.T)
    wins, losses = rng.gamma(1.0, 2.0, size=(2, topics, experts))
    alike = likeness(agreed, met, 4.0)
    np.testing.assert_allclose(alike, naive_likeness(agreed, met, 4.0), atol=1e-12)
    assert (alike == alike.T).all()
    rates = pooled_rates(wins, losses, alike, 2.0)
    np.testing.assert_allclose(rates, naive_rates(wins, losses, alike, 2.0), rtol=1e-9)
    assert ((rates > 0) & (rates < 1)).all()


def test_experts_that_always_agree_are_alike_and_the_others_are_not():
    met = np.full((3, 3), 100.0)
    agreed = np.array([[0, 100, 30], [100, 0, 30], [30, 30, 0]], dtype=float)
    alike = likeness(agreed, met, 4.0)
    # Chance is 160/300; kappa 1 for the pair, shrunk by 100/104.
    assert alike[0, 1] == pytest.approx(100 / 104)
    assert alike[0, 2] == alike[2, 1] == 0.0


def test_novelty_multiplies_over_those_who_have_answered():
    alike = np.array([[0, 0.5, 0.2], [0.5, 0, 0], [0.2, 0, 0]])
    np.testing.assert_allclose(np.exp(novelty(alike, [0, 1])), [0.5, 0.5, 0.8])
    np.testing.assert_array_equal(novelty(alike, []), np.zeros(3))


class Crew:
    def __init__(self, *names):
        self.experts = [Expert(name) for name in names]


def outcome(topic, answers, truth="x"):
    ballots = tuple(Ballot("t", i, answer) for i, answer in answers.items())
    return Outcome(Task("t", topic=topic), Verdict("t", "x", {"x": 1.0}), ballots, truth=truth)


def round_of(topics, ballots, experts=3):
    return Round(
        number=0,
        tasks=tuple(Task(f"t{i}", topic=topic) for i, topic in enumerate(topics)),
        experts=tuple(Expert(name) for name in "abc"[:experts]),
        allowed=np.ones((len(topics), experts), dtype=bool),
        ballots=tuple(tuple(one) for one in ballots),
        in_flight=np.zeros(experts, dtype=np.int64),
        prices=np.ones(experts),
        elapsed=0.0,
        rng=np.random.default_rng(0),
    )


def taught():
    """A protocol that has seen a and b agree on ten tasks, and c differ."""
    protocol = Flocking(FlockingConfig())
    protocol.swarmloom_initialize(Crew("a", "b", "c"))
    protocol.swarmloom_evolve([outcome("old", {0: "x", 1: "x", 2: "y"}) for _ in range(10)])
    return protocol


def test_without_outcomes_it_has_no_opinion():
    protocol = Flocking(FlockingConfig())
    protocol.swarmloom_initialize(Crew("a", "b", "c"))
    assert protocol.swarmloom_navigate(round_of(["old"], [[]])) is None


def test_separation_asks_outside_the_flock_next():
    first, second = (
        taught().swarmloom_navigate(round_of(["new", "new"], [[], [Ballot("t1", 0, "x")]])).affinity
    )
    drop = first - second
    assert drop[1] > 1.0
    assert drop[0] == drop[2] == 0.0


def test_alignment_lets_an_outcome_count_for_the_flock():
    protocol = taught()
    before = protocol.swarmloom_navigate(round_of(["new"], [[]])).affinity[0]
    protocol.swarmloom_evolve([outcome("new", {0: "y"})])
    after = protocol.swarmloom_navigate(round_of(["new"], [[]])).affinity[0]
    assert after[0] < before[0]
    assert after[1] < before[1] - 0.01
    assert abs(after[2] - before[2]) < abs(after[1] - before[1])


def test_what_was_learned_survives_a_snapshot_and_a_change_of_the_crew():
    protocol, other = taught(), Flocking(FlockingConfig())
    other.swarmloom_initialize(Crew("a", "b", "c"))
    other.swarmloom_restore(protocol.swarmloom_snapshot())
    asked = round_of(["old", "new"], [[], [Ballot("t1", 1, "x")]])
    expected = protocol.swarmloom_navigate(asked).affinity
    np.testing.assert_array_equal(other.swarmloom_navigate(asked).affinity, expected)
    protocol.swarmloom_initialize(Crew("new one", "c"))
    protocol.swarmloom_initialize(Crew("a", "b", "c"))
    np.testing.assert_allclose(protocol.swarmloom_navigate(asked).affinity, expected, rtol=1e-6)


def test_half_life_halves():
    protocol = Flocking(FlockingConfig(half_life=10))
    protocol.swarmloom_initialize(Crew("a", "b", "c"))
    protocol.swarmloom_evolve([outcome("old", {0: "x", 1: "x"})])
    protocol.swarmloom_evolve([outcome("old", {2: "x"}) for _ in range(10)])
    assert protocol.swarmloom_snapshot()["met"][0, 1] == pytest.approx(0.5)
    assert protocol.swarmloom_snapshot()["wins"][0, 0] == pytest.approx(0.5)


def test_failed_calls_count_as_losses_and_for_no_agreement():
    protocol = Flocking(FlockingConfig())
    protocol.swarmloom_initialize(Crew("a", "b", "c"))
    failed = Ballot("t", 0, None, error="timed out")
    done = Outcome(Task("t", topic="old"), Verdict("t", "x"), (failed, Ballot("t", 1, "x")))
    protocol.swarmloom_evolve([done])
    state = protocol.swarmloom_snapshot()
    assert state["losses"][0, 0] == 1.0
    assert state["met"].sum() == 0.0


def test_a_crew_with_flocking_gets_more_tasks_right():
    """Five seeds, paired: the 95 % interval of the difference is above 0."""
    alone = [
        run_crew(seed, Settings(swarm={"seed": seed}, plugins={"enable": []})) for seed in range(5)
    ]
    flocking = [
        run_crew(seed, Settings(swarm={"seed": seed}, plugins={"enable": []}), [PLUGIN])
        for seed in range(5)
    ]
    gains = np.array([one[0] for one in flocking]) - np.array([one[0] for one in alone])
    # Student's t for four degrees of freedom.
    half_width = 2.776 * gains.std(ddof=1) / np.sqrt(len(gains))
    assert gains.mean() - half_width > 0.0, gains
    assert all(shares == {"flocking": pytest.approx(1.0)} for _, _, shares in flocking)

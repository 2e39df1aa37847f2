"""Choosing by success and failure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from swarmloom.errors import InputError


def known(store, outcomes):
    store.channel("ok", agent_cap=None)
    store.channel("fail", agent_cap=None)
    for key, (won, lost) in outcomes.items():
        store.deposit(key, "ok", won, agent="a")
        store.deposit(key, "fail", lost, agent="a")


def test_mean_takes_the_best(store):
    known(store, {"x": (30, 70), "y": (6, 4), "z": (50, 50)})
    assert store.choose(["x", "y", "z"], policy="mean") == "y"
    assert store.choose(["x", "new", "z"], policy="mean", prior=(3.0, 1.0)) == "new"


def test_ucb_is_its_formula(store):
    outcomes = {"x": (30.0, 70.0), "y": (4.0, 6.0), "z": (50.0, 50.0), "new": (0.0, 0.0)}
    known(store, outcomes)
    # The last pair tells √(2 ln N / n) from other factors than 2.
    outcomes |= {"good": (60.0, 40.0), "bad": (0.0, 10.0), "worse": (0.0, 14.0)}
    known(store, {key: outcomes[key] for key in ("good", "bad", "worse")})
    pairs = (["good", "bad"], ["good", "worse"])
    for options in (["x", "z"], ["x", "y", "z"], ["x", "y", "z", "new"], *pairs):
        counts = {key: (outcomes[key][0] + 1.0, sum(outcomes[key]) + 2.0) for key in options}
        total = sum(size for _, size in counts.values())
        bound = {
            key: won / size + math.sqrt(2.0 * math.log(total) / size)
            for key, (won, size) in counts.items()
        }
        assert store.choose(options, policy="ucb") == max(bound, key=bound.get)


def test_thompson_draws_from_the_posterior(store):
    known(store, {"x": (6, 4), "y": (5, 5)})
    rng = np.random.default_rng(0)
    picks = [store.choose(["x", "y"], rng=rng) for _ in range(2000)]
    grid = np.linspace(0.0, 1.0, 20_001)
    share = np.trapezoid(stats.beta.pdf(grid, 7, 5) * stats.beta.cdf(grid, 6, 6), grid)
    # Four standard errors.
    bound = 4.0 * math.sqrt(share * (1.0 - share) / 2000)
    assert picks.count("x") / 2000 == pytest.approx(share, abs=bound)


def test_a_seed_makes_choices_the_same(store):
    known(store, {"x": (6, 4), "y": (5, 5)})
    runs = []
    for _ in range(2):
        rng = np.random.default_rng(9)
        runs.append([store.choose(["x", "y", "z"], rng=rng) for _ in range(30)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1


def test_ties_are_broken_by_the_generator(store):
    rng = np.random.default_rng(0)
    picks = {store.choose(["x", "y", "z"], policy="mean", rng=rng) for _ in range(60)}
    assert picks == {"x", "y", "z"}


def test_caps_leave_the_ratio(store):
    # Held to its cap on each channel alone, 90 of 100 would read as 10 of 20.
    store.deposit("x", "ok", 90.0, agent="a")
    store.deposit("x", "fail", 10.0, agent="a")
    store.deposit("y", "ok", 6.0, agent="a")
    store.deposit("y", "fail", 4.0, agent="a")
    assert store.choose(["x", "y"], policy="mean") == "x"


def test_one_agents_word_is_held_to_its_cap(store):
    store.deposit("x", "ok", 1000.0, agent="boaster")
    for agent in "bcdef":
        store.deposit("x", "fail", 2.0, agent=agent)
        store.deposit("y", "ok", 1.2, agent=agent)
        store.deposit("y", "fail", 0.8, agent=agent)
    assert store.choose(["x", "y"], policy="mean", trust={}) == "y"
    assert store.choose(["x", "y"], policy="mean") == "y"


def test_a_cell_is_held_to_its_cap_as_a_whole(store):
    # 85 of 100 beat 8 of 9; as 8.5 of 10 they do not, nor would they as 10 of 20.
    for cap, best in ((1000.0, "x"), (10.0, "y")):
        won, lost = (store.channel(f"{side}{cap:g}", cap=cap).name for side in ("won", "lost"))
        for agent in "abcde":
            store.deposit("x", won, 17.0, agent=agent)
            store.deposit("x", lost, 3.0, agent=agent)
        store.deposit("y", won, 8.0, agent="a")
        store.deposit("y", lost, 1.0, agent="a")
        assert store.choose(["x", "y"], good=won, bad=lost, policy="mean") == best
    assert store.choose(["x", "z"], good=won, bad=lost, policy="mean", prior=(3.0, 1.0)) == "x"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"keys": []}, "keys is empty"),
        ({"policy": "luck"}, "policy is 'luck'; allowed: thompson, mean, ucb"),
        ({"prior": (0.0, 1.0)}, "prior"),
        ({"prior": (1.0, math.nan)}, "prior"),
        ({"good": "fine"}, "no channel 'fine'"),
        ({"keys": [["list"]]}, "key"),
        ({"now": math.inf}, "now"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(store, wrong, message):
    given = {"keys": ["x", "y"]} | wrong
    with pytest.raises(InputError, match=message):
        store.choose(given.pop("keys"), **given)

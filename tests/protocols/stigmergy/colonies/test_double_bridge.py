"""The double bridge: the short branch is found, equal ones are chosen between at random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.double_bridge import double_bridge
from tests.naive import double_bridge as naive

RUNS = 400


@pytest.mark.row("S13")
def test_the_short_branch_of_half_the_length_is_chosen_in_95_of_100_runs():
    shares = double_bridge(RUNS, np.random.default_rng(1)).first_share(last=0.25)
    chosen = int((shares > 0.5).sum())
    # Were the true rate 95 % or less, so many would be seen in one of a hundred tests at most.
    assert binom.sf(chosen - 1, RUNS, 0.95) < 0.01
    assert np.median(shares) > 0.8


@pytest.mark.row("S13")
def test_equal_branches_are_chosen_evenly_by_colonies_but_not_by_ants():
    shares = double_bridge(RUNS, np.random.default_rng(2), ratio=1.0).first_share(last=0.25)
    first = int((shares > 0.5).sum())
    low, high = binom.ppf([0.005, 0.995], RUNS, 0.5)
    assert low <= first <= high
    # Each colony has decided: most of its ants walk on one branch, whichever it is.
    assert np.median(np.maximum(shares, 1.0 - shares)) > 0.8


@pytest.mark.row("S13")
def test_marks_at_departure_drown_the_head_start_of_the_short_branch():
    shares = double_bridge(RUNS, np.random.default_rng(5), departure_mark=1.0).first_share()
    assert binom.cdf(int((shares > 0.5).sum()), RUNS, 0.95) < 0.01


@pytest.mark.row("S13")
def test_the_choice_needs_a_steep_choice_function():
    shares = double_bridge(RUNS, np.random.default_rng(3), ratio=1.0, exponent=1.0).first_share()
    assert np.median(np.maximum(shares, 1.0 - shares)) < 0.65


def test_a_longer_second_branch_is_avoided_by_more_colonies():
    chosen = [
        (double_bridge(RUNS, np.random.default_rng(4), ratio=ratio).first_share() > 0.5).mean()
        for ratio in (1.0, 1.25, 2.0)
    ]
    assert chosen[0] < chosen[1] - 0.1 < chosen[2] - 0.1


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(1.0, 4.0),
    st.integers(1, 12),
    st.integers(1, 20),
    st.floats(0.5, 3.0),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([0.0, 0.02]),
)
def test_runs_equal_the_naive_reference(
    seed, ratio, travel, ants, exponent, departure, evaporation
):
    model = {
        "ratio": ratio,
        "travel": travel,
        "ants": ants,
        "departure_mark": departure,
        "steps": 60,
        "exponent": exponent,
        "evaporation": evaporation,
    }
    found = double_bridge(3, np.random.default_rng(seed), **model).crossings
    np.testing.assert_array_equal(
        found, naive.double_bridge(3, np.random.default_rng(seed), **model)
    )


def test_runs_are_the_same_on_any_number_of_threads():
    results = []
    for threads in (1, 3):
        with use_threads(threads):
            results.append(double_bridge(30, np.random.default_rng(7), steps=2000).crossings)
    np.testing.assert_array_equal(*results)


def test_a_steep_choice_function_does_not_overflow():
    runs = double_bridge(5, np.random.default_rng(8), exponent=500.0, offset=1e-3)
    shares = runs.first_share()
    assert ((shares >= 0.0) & (shares <= 1.0)).all()


def test_no_ant_is_lost():
    runs = double_bridge(3, np.random.default_rng(9), ratio=1.0, travel=7, ants=30, steps=40 * 7)
    # After all are out, each ant sets out once in every seven steps.
    per_round = runs.crossings.sum(axis=2)[:, 35:].reshape(3, -1, 7).sum(axis=2)
    assert (per_round == 30).all()
    assert np.isnan(double_bridge(1, np.random.default_rng(9), ants=1, steps=9).first_share(0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": 0}, "runs"),
        ({"runs": 2.5}, "runs is 2.5; allowed: whole numbers from 1"),
        ({"steps": 10.0}, "steps is 10.0"),
        ({"rng": 0}, "rng is 0; allowed: a numpy.random.Generator"),
        ({"device": "gpu"}, "device: 'gpu'"),
        ({"ratio": 0.5}, "ratio"),
        ({"ratio": np.nan}, "ratio"),
        ({"travel": 0}, "travel"),
        ({"steps": 0}, "steps"),
        ({"ants": 0}, "ants"),
        ({"ants": 2**31, "steps": 2**31}, "ants"),
        ({"departure_mark": -1.0}, "departure_mark"),
        ({"offset": 0.0}, "offset"),
        ({"exponent": np.inf}, "exponent"),
        ({"evaporation": 1.0}, "evaporation"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(InputError, match=message):
        double_bridge(**({"runs": 1, "rng": np.random.default_rng(0)} | change))
    with pytest.raises(InputError, match="last"):
        double_bridge(1, np.random.default_rng(0)).first_share(0.0)

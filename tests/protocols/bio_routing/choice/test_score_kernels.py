"""The routing score: reliability less wait, for every task and expert."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.score_kernels import index_scores
from tests.naive import routing_score as naive


@st.composite
def crews(draw):
    """Arguments of `index_scores`, all read-only."""
    n_topics, n_experts = draw(st.integers(1, 4)), draw(st.integers(0, 6))
    share = st.floats(0.0, 1.0)
    arrays = (
        draw(hnp.arrays(np.float64, (n_topics, n_experts), elements=share)),
        draw(hnp.arrays(np.int32, st.integers(0, 6), elements=st.integers(0, n_topics - 1))),
        draw(hnp.arrays(np.float64, n_experts, elements=st.floats(0.0, 2.0))),
        draw(hnp.arrays(np.uint8, n_experts)),
        draw(hnp.arrays(np.int64, n_experts, elements=st.integers(1, 10**6))),
        draw(hnp.arrays(np.float64, n_experts, elements=st.floats(0.0, 1e300))),
    )
    for array in arrays:
        array.flags.writeable = False
    return arrays


@given(crews(), st.floats(0.0, 10.0))
@settings(deadline=None)
def test_scores_equal_the_naive_reference(crew, wait_weight):
    scores = index_scores(*crew, wait_weight=wait_weight)
    expected = naive.index_scores(*crew, wait_weight)
    assert (scores.shape, scores.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(scores, expected, rtol=2e-6, atol=1e-6)


def test_known_answer():
    # Mean latency 2; the second expert has 3 tasks for 2 slots: it would wait (3+1-2)/2 · 3/2.
    scores = index_scores(
        [[0.9, 0.5], [0.1, 0.7]], [0, 1, 1], [1.5, 0.5], [0, 3], [1, 2], [1.0, 3.0]
    )
    expected = [[0.9, 0.25 - 0.6], [0.1, 0.35 - 0.6], [0.1, 0.35 - 0.6]]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_free_slot_means_no_wait():
    scores = index_scores([[0.5, 0.5]], [0], [1, 1], [1, 2], [2, 2], [1.0, 1.0])
    np.testing.assert_allclose(scores, [[0.5, 0.5 - 0.4 * 0.5]], rtol=1e-6)


@pytest.mark.parametrize("latency", [[0.0, 0.0], [1e308, 1e308], [5e-324, 5e-324]])
def test_equal_latencies_count_as_one_whatever_they_are(latency):
    scores = index_scores([[0.5, 0.5]], [0], [1, 1], [1, 0], [1, 1], latency)
    np.testing.assert_allclose(scores, [[0.1, 0.5]], rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_scores_do_not_depend_on_threads(threads, monkeypatch):
    rng = np.random.default_rng(3)
    crew = (
        rng.random((3, 20)),
        rng.integers(0, 3, 101),
        np.ones(20),
        rng.integers(0, 9, 20),
        rng.integers(1, 4, 20),
        rng.random(20),
    )
    expected = index_scores(*crew)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 100)
    with use_threads(threads):
        np.testing.assert_array_equal(index_scores(*crew), expected)


def test_eight_threads_may_call_at_once():
    def scores(load):
        return index_scores(
            np.full((2, 50), 0.5),
            [0, 1] * 20,
            np.ones(50),
            np.full(50, load),
            np.ones(50),
            np.ones(50),
        )

    with ThreadPoolExecutor(8) as pool:
        for load, found in enumerate(pool.map(scores, range(32))):
            np.testing.assert_allclose(found, np.full((40, 50), 0.5 - 0.4 * load), rtol=1e-6)


GOOD = {
    "reliability": [[0.5, 0.5]],
    "topics": [0],
    "health": [1.0, 1.0],
    "in_flight": [0, 0],
    "slots": [1, 1],
    "latency": [1.0, 1.0],
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reliability": [0.5, 0.5]}, r"reliability: shape \(2,\), not \(topics, experts\)"),
        ({"reliability": [[0.5, np.nan]]}, "reliability: nan is not a finite number"),
        ({"topics": [1]}, "topics: 1 is not one of 1 rows of reliability"),
        ({"topics": [-1]}, "topics: -1 is not one of 1 rows"),
        ({"topics": np.array([2**64 - 1], np.uint64)}, "topics: -1 is not one of 1 rows"),
        ({"topics": [0.0]}, "topics: float64 of shape .* not a vector of integers"),
        ({"topics": [[0]]}, "not a vector of integers"),
        ({"health": [1.0]}, r"health: shape \(1,\), not \(2,\)"),
        ({"health": [1.0, -0.5]}, "health: -0.5 is not a finite number of at least 0"),
        ({"in_flight": [-1, 0]}, "in_flight: -1.0 is not a finite number of at least 0"),
        ({"slots": [0, 1]}, "slots: 0.0 is not a finite number of at least 1"),
        ({"latency": [np.inf, 1.0]}, "latency: inf is not a finite number of at least 0"),
        ({"wait_weight": np.nan}, "wait_weight: nan is not a finite number"),
    ],
)
def test_unusable_arguments_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        index_scores(**(GOOD | wrong))


def test_no_tasks_or_no_experts_give_an_empty_table():
    assert index_scores(**(GOOD | {"topics": []})).shape == (0, 2)
    assert index_scores(np.ones((1, 0)), [0], [], [], [], []).shape == (1, 0)

"""The item walk: a graph worked out by hand, dense loops, evaporation of old visits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.item_walk import item_walk, top_items, visits
from tests.naive import item_walk as naive

# Ann has visited 0 and 1, Bob 1 and 2, Cid 3.
TOY = visits([0, 0, 1, 1, 2], [0, 1, 1, 2, 3], (3, 5))


@pytest.mark.row("S13")
def test_a_toy_graph_by_hand():
    # Ann goes to 0 and back to herself (1/2), or to 1 (1/2) and on to either (1/4 each).
    np.testing.assert_allclose(
        item_walk(TOY, damping=0.0),
        [
            [3 / 8, 1 / 2, 1 / 8, 0.0, 0.0],
            [1 / 8, 1 / 2, 3 / 8, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 0.0],
        ],
    )
    # Two have visited item 1.
    np.testing.assert_allclose(item_walk(TOY, [1], damping=0.5)[0, 1], 0.5 / np.sqrt(2.0))
    np.testing.assert_allclose(item_walk(TOY, [1], damping=1.0)[0, :3], [1 / 8, 1 / 4, 3 / 8])


@pytest.mark.row("S13")
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 2.0), st.booleans())
def test_scores_equal_dense_loops(seed, damping, weighted):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 8, 2))
    trail = (rng.random(shape) < 0.4) * (rng.uniform(0.1, 3.0, shape) if weighted else 1.0)
    users = rng.integers(0, shape[0], 3)
    scores = item_walk(csr_array(trail), users, damping=damping)
    np.testing.assert_allclose(scores, naive.item_walk(trail, damping)[users], rtol=1e-10)


def test_without_damping_the_scores_are_chances():
    rng = np.random.default_rng(1)
    trail = csr_array((rng.random((30, 50)) < 0.2).astype(float))
    sums = item_walk(trail, damping=0.0).sum(axis=1)
    np.testing.assert_allclose(sums, np.diff(trail.indptr) > 0)


def test_damping_moves_recommendations_away_from_what_is_popular():
    rng = np.random.default_rng(2)
    chances = 1.0 / np.arange(1, 101)
    trail = csr_array((rng.random((200, 100)) < chances).astype(float))
    popularity = np.append(trail.sum(axis=0), 0.0)
    means = [
        popularity[top_items(item_walk(trail, damping=damping), trail, 5)].mean()
        for damping in (0.0, 0.5, 1.0)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.row("S13")
def test_old_visits_evaporate_and_change_the_recommendation():
    # 0 saw item 0; others went on from it: two long ago to item 1, one lately to item 2.
    users, items = [0, 1, 1, 2, 2, 3, 3], [0, 0, 1, 0, 1, 0, 2]
    times = [100.0, 0.0, 0.0, 0.0, 0.0, 99.0, 99.0]
    fresh = visits(users, items, (4, 3))
    worn = visits(users, items, (4, 3), times=times, now=100.0, half_life=10.0)
    assert top_items(item_walk(fresh, [0], damping=0.0), fresh[[0]], 1)[0, 0] == 1
    assert top_items(item_walk(worn, [0], damping=0.0), worn[[0]], 1)[0, 0] == 2
    assert worn[1, 1] == pytest.approx(2.0**-10)
    assert worn[3, 2] == pytest.approx(2.0**-0.1)
    dead = visits([0], [0], (1, 1), times=[-1e9], now=0.0, half_life=1.0)
    assert dead.nnz == 0


def test_the_last_visit_is_now_by_default_and_repeated_visits_add_up():
    trail = visits([0, 0], [1, 1], (1, 2), times=[5.0, 15.0], half_life=10.0)
    assert trail[0, 1] == pytest.approx(1.5)
    assert visits([], [], (2, 2), times=[], half_life=1.0).nnz == 0
    assert visits([0, 0], [1, 1], (1, 2))[0, 1] == 2.0


def test_top_items_leave_out_what_was_seen_and_what_was_not_reached():
    top = top_items(item_walk(TOY), TOY, 3)
    assert top.tolist() == [[2, -1, -1], [0, -1, -1], [-1, -1, -1]]
    assert top_items([[1.0, 1.0, 2.0]], csr_array((1, 3)), 9).tolist() == [[2, 0, 1]]


def test_wrong_arguments_are_named():
    for trail in (csr_array([[-1.0]]), csr_array([[np.nan]])):
        with pytest.raises(InputError, match="trail"):
            item_walk(trail)
    for damping in (-0.1, 2.1, np.nan):
        with pytest.raises(InputError, match="damping"):
            item_walk(TOY, damping=damping)
    for users in ([3], [-1], [0.5], [[0]]):
        with pytest.raises(InputError, match="users"):
            item_walk(TOY, users)
    with pytest.raises(InputError, match=r"items: 0 to 5"):
        visits([0, 0], [0, 5], (3, 5))
    with pytest.raises(InputError, match="differs"):
        visits([0, 0], [0], (3, 5))
    with pytest.raises(InputError, match=r"times: shape \(0,\)"):
        visits([0], [0], (1, 1), half_life=1.0)
    with pytest.raises(InputError, match="times: allowed"):
        visits([0], [0], (1, 1), times=[np.nan], half_life=1.0)
    with pytest.raises(InputError, match="half_life"):
        visits([0], [0], (1, 1), times=[0.0], half_life=0.0)
    with pytest.raises(InputError, match=r"count is 0"):
        top_items(item_walk(TOY), TOY, 0)
    with pytest.raises(InputError, match=r"count is 1.5"):
        top_items(item_walk(TOY), TOY, 1.5)
    with pytest.raises(InputError, match=r"shape is 2.5"):
        visits([0], [0], (2.5, 2))
    with pytest.raises(InputError, match="scores"):
        top_items(item_walk(TOY, [0]), TOY, 1)

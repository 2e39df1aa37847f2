"""Hegselmann and Krause's step against all pairs, on a line, in cells, in tiles and on graphs."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.opinions import bounded_confidence
from swarmloom_protocols.consensus.opinions.bounded_confidence import bounded_means
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.models import HegselmannKrause
from tests.naive import opinions as naive

pytestmark = pytest.mark.row("C1")


def crowd(rng, n, dimensions, spread=1.0):
    values = rng.random((n, dimensions)) * spread
    # Some agree to the last bit, some stand on a lattice whose steps are the radius.
    values[: n // 3] = np.round(values[: n // 3], 1)
    return values


@settings(deadline=None, max_examples=40)
@given(
    dimensions=st.sampled_from([1, 2, 3, 5]),
    n=st.integers(1, 60),
    radius=st.sampled_from([0.0, 0.03, 0.2, 0.7, 5.0, np.inf]),
    one=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_means_are_those_of_all_pairs(dimensions, n, radius, one, seed):
    rng = np.random.default_rng(seed)
    values = crowd(rng, n, dimensions)
    radii = np.full(n, radius) if one else np.minimum(rng.random(n), radius)
    confidence = np.ones(n) if one else rng.uniform(0.1, 1.0, n)
    for array in (values, radii, confidence):
        array.flags.writeable = False
    means = bounded_means(values, radii, confidence=confidence, device="cpu")
    expected = naive.bounded_means(values, radii, confidence)
    np.testing.assert_allclose(means, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("spread", [1e-12, 1.0, 1e6])
def test_many_are_right_too_wherever_they_stand(dimensions, spread):
    rng = np.random.default_rng(dimensions)
    values = 3.0 * spread + crowd(rng, 1500, dimensions, spread)
    radius = 0.21 * spread
    away = np.linalg.norm(values[:, np.newaxis] - values, axis=2) <= radius
    expected = away @ values / away.sum(axis=1, keepdims=True)
    means = bounded_means(values, radius, device="cpu")
    np.testing.assert_allclose(means, expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_flat_and_lumpy_crowds_fit_into_cells(dimensions):
    rng = np.random.default_rng(5)
    lump = np.full((200, dimensions), 0.25) + 1e-9 * rng.random((200, dimensions))
    line = np.zeros((200, dimensions))
    line[:, 0] = rng.random(200)
    values = np.concatenate([lump, line, np.full((1, dimensions), 40.0)])
    means = bounded_means(values, 0.3, device="cpu")
    expected = naive.bounded_means(values, np.full(401, 0.3), np.ones(401))
    np.testing.assert_allclose(means, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_huge_opinions_are_opinions_too(dimensions):
    values = np.full((3, dimensions), 1e150)
    values[0] = -1e150
    means = bounded_means(values, 1e149, device="cpu")
    np.testing.assert_allclose(means, values, rtol=1e-12)
    together = bounded_means(values, np.inf, device="cpu")
    np.testing.assert_allclose(together, np.full_like(values, 1e150 / 3.0), rtol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3, 4, 7])
def test_who_stands_at_the_radius_is_heard_in_every_dimension(dimensions):
    """Tenths are no binary fractions: which sums round to the radius is a matter of the bits."""
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2, (200, dimensions)) / 10.0
    values[:, 0] = rng.integers(-30, 60, 200) / 10.0
    for radius in (0.1, 0.2, 0.3):
        means = bounded_means(values, radius, device="cpu")
        expected = naive.bounded_means(values, np.full(200, radius), np.ones(200))
        np.testing.assert_allclose(means, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("far", [[1e6], [-1e6], [-3.0, 1e3, 1e3 + 0.05, 1e9]])
def test_few_who_stand_far_away_leave_the_cells_of_the_many_small(dimensions, far, monkeypatch):
    sides = []
    side_of = bounded_confidence._cell_side

    def noted(*arguments):
        sides.append(side_of(*arguments))
        return sides[-1]

    monkeypatch.setattr(bounded_confidence, "_cell_side", noted)
    rng = np.random.default_rng(6)
    many = crowd(rng, 400, dimensions)
    few = np.full((len(far), dimensions), 0.5)
    few[:, 0] = far
    values = np.concatenate([many, few])
    n = len(values)
    means = bounded_means(values, 0.1, device="cpu")
    expected = naive.bounded_means(values, np.full(n, 0.1), np.ones(n))
    np.testing.assert_allclose(means[:400], expected[:400], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(means[400:], expected[400:], rtol=1e-12)
    assert sides[0] < 0.5


def test_a_small_group_at_the_end_of_a_long_line_loses_no_digit():
    values = np.concatenate([1e6 + np.linspace(0.0, 1.0, 50_000), [1e6 + 7.0, 1e6 + 7.0 + 2**-20]])
    means = bounded_means(values, 0.5)
    assert means[-1, 0] == 1e6 + 7.0 + 2**-21


def test_threads_change_nothing():
    values = np.random.default_rng(2).random((5000, 2))
    with use_threads(1):
        one = bounded_means(values, 0.1, device="cpu")
    with use_threads(4):
        np.testing.assert_array_equal(bounded_means(values, 0.1, device="cpu"), one)


def test_on_a_line_order_is_kept_and_all_stands_still_in_finite_time():
    values = np.random.default_rng(0).permutation(np.linspace(0.0, 1.0, 2000))
    order = np.argsort(values)
    crew = OpinionLandscape(values, influence_radius=0.1)
    for _ in range(30):
        crew.step(HegselmannKrause())
        assert np.all(np.diff(crew.values[order, 0]) >= 0.0)
    run = crew.run(HegselmannKrause(), tolerance=0.0)
    assert run.frozen
    assert run.moved == 0.0
    groups = np.unique(crew.values)
    assert 2 <= len(groups) <= 5
    assert np.all(np.diff(groups) > 0.1)


def test_a_wide_radius_makes_one_opinion_and_a_narrow_one_several():
    values = np.linspace(0.0, 1.0, 500)
    wide = OpinionLandscape(values, influence_radius=0.3)
    wide.run(HegselmannKrause())
    assert np.ptp(wide.values) < 1e-12
    assert wide.values[0, 0] == pytest.approx(0.5, abs=1e-9)
    narrow = OpinionLandscape(values, influence_radius=0.05)
    narrow.run(HegselmannKrause())
    assert 5 <= len(np.unique(narrow.values.round(6))) <= 10


@pytest.mark.parametrize("dimensions", [1, 3])
@pytest.mark.parametrize("own", [True, False])
def test_on_a_graph_only_neighbours_count(dimensions, own):
    rng = np.random.default_rng(7)
    graph = nx.gnp_random_graph(40, 0.15, seed=3)
    graph.add_edges_from((node, (node + 1) % 40) for node in graph)
    for _, _, edge in graph.edges(data=True):
        edge["weight"] = float(rng.uniform(0.5, 2.0))
    values, confidence = crowd(rng, 40, dimensions), rng.uniform(0.2, 1.0, 40)
    radii = rng.uniform(0.1, 0.6, 40)
    crew = OpinionLandscape(values, confidence=confidence, influence_radius=radii)
    crew.step(HegselmannKrause(graph, with_own=own))
    weights = nx.to_numpy_array(graph)
    expected = naive.graph_means(values, radii, confidence, weights, float(own))
    np.testing.assert_allclose(crew.values, expected, rtol=0.0, atol=1e-12)


def test_on_the_complete_graph_it_is_the_model_without_one():
    values = np.random.default_rng(1).random((60, 2))
    alone, linked = (OpinionLandscape(values, influence_radius=0.3) for _ in range(2))
    alone.run(HegselmannKrause(), 5, tolerance=None)
    linked.run(HegselmannKrause(np.ones((60, 60))), 5, tolerance=None)
    np.testing.assert_allclose(alone.values, linked.values, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 0.1), r"opinions: shape \(0,\)"),
        (([0.0, np.nan], 0.1), r"opinions\[1\] is \[nan\]"),
        (([0.0, -1e151], 0.1), r"opinions\[1\] is \[-1e\+151\]; allowed: finite numbers up to"),
        ((np.zeros((2, 2, 2)), 0.1), "shape"),
        (([0.0, 1j], 0.1), "opinions of type complex128; allowed: real numbers"),
        (([[0.0], [1.0, 2.0]], 0.1), "opinions: .*allowed: real numbers in rows of equal length"),
        ((["left", "right"], 0.1), "opinions of type <U5; allowed: real numbers"),
        (([0.0, 1.0], ["a", "b"]), "radius of type <U1"),
        (([0.0, 1.0], -0.1), r"radius\[0\] is -0.1; allowed: from 0"),
        (([0.0, 1.0], np.nan), r"radius\[0\] is nan"),
        (([0.0, 1.0], [0.1, 0.2, 0.3]), r"radius: shape \(3,\)"),
    ],
)
def test_what_is_wrong_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        bounded_means(*arguments)


def test_confidence_has_to_be_above_zero():
    with pytest.raises(InputError, match=r"confidence\[1\] is 0; allowed: above 0 to 1"):
        bounded_means([0.0, 1.0], 0.5, confidence=[1.0, 0.0])

"""Groups against a flood, planted groups, and consensus at its very limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.opinions.clusters import (
    ConsensusDetector,
    adjusted_rand_index,
    cluster_stability,
    detect_consensus,
    opinion_clusters,
)
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.models import HegselmannKrause
from tests.naive import opinions as naive

groups = pytest.mark.row("C10")
consensus = pytest.mark.row("C11")


def same(one, other):
    """Whether two divisions are the same one, in whatever numbers."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


@groups
@settings(deadline=None, max_examples=60)
@given(
    dimensions=st.integers(1, 5),
    n=st.integers(1, 60),
    radius=st.sampled_from([1e-9, 0.02, 0.1, 0.3, 9.0]),
    seed=st.integers(0, 2**32),
)
def test_groups_are_those_of_a_flood(dimensions, n, radius, seed):
    rng = np.random.default_rng(seed)
    points = rng.random((n, dimensions)) * np.array([1.0, 0.1, 3.0, 1.0, 1.0])[:dimensions]
    points[: n // 3] = np.round(points[: n // 3], 1)
    points.flags.writeable = False
    found = opinion_clusters(points, radius)
    assert same(found.labels, naive.labels(points, radius))
    assert found.sizes.tolist() == np.bincount(found.labels).tolist()
    assert np.all(np.diff(found.sizes) <= 0)


@groups
def test_a_group_is_described_by_size_centre_and_cohesion():
    found = opinion_clusters([[0.0, 0.0], [9.0, 9.0], [0.0, 0.2], [0.0, 0.4]], 0.25)
    assert found.labels.tolist() == [0, 1, 0, 0]
    assert found.sizes.tolist() == [3, 1]
    np.testing.assert_allclose(found.centroids, [[0.0, 0.2], [9.0, 9.0]])
    np.testing.assert_allclose(found.cohesion, [1.0 - 0.4 / 3 / 0.25, 1.0])
    assert found.widest == pytest.approx(0.4)


@groups
def test_a_gap_of_the_radius_joins_and_a_wider_one_parts():
    assert opinion_clusters([0.0, 0.25, 0.5], 0.25).sizes.tolist() == [3]
    assert opinion_clusters([0.0, 0.25, np.nextafter(0.5, 1.0)], 0.25).sizes.tolist() == [2, 1]


@groups
@pytest.mark.parametrize("dimensions", [1, 2, 3, 8])
def test_planted_groups_are_found(dimensions):
    rng = np.random.default_rng(dimensions)
    planted = np.repeat(np.arange(6), 50)
    centres = np.zeros((6, dimensions))
    centres[:, 0] = np.arange(6) * 3.0
    points = centres[planted] + rng.uniform(-0.5, 0.5, (300, dimensions))
    found = opinion_clusters(points, 1.4)
    assert adjusted_rand_index(found.labels, planted) == 1.0
    order = np.argsort(found.centroids[:, 0])
    np.testing.assert_allclose(found.centroids[order], centres, atol=0.3)


@groups
def test_a_crowd_in_one_place_costs_no_pairs():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((50_000, 2)) * 1e-3, 5.0 + rng.random((50_000, 2)) * 1e-3])
    assert opinion_clusters(points, 0.1).sizes.tolist() == [50_000, 50_000]
    # Nor do two that all but touch.
    points[50_000:] += [0.102 - 5.0, -5.0]
    assert opinion_clusters(points, 0.1).sizes.tolist() == [50_000, 50_000]
    assert opinion_clusters(points, 0.102).sizes.tolist() == [100_000]


@groups
def test_a_chain_far_longer_than_cells_can_count_is_still_one_group():
    points = np.zeros((6, 2))
    points[:, 0] = [0.0, 1e-9, 1e12, 1e12, -1e12, 3.0]
    assert opinion_clusters(points, 1e-8).sizes.tolist() == [2, 2, 1, 1]


@groups
@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), min_size=1, max_size=30))
def test_the_index_is_scikit_learns(pairs):
    one, other = np.array(pairs).T
    expected = adjusted_rand_score(one, other)
    assert adjusted_rand_index(one, other) == pytest.approx(expected, abs=1e-12)


@groups
def test_stability_drops_where_groups_join():
    crew = OpinionLandscape(np.linspace(0.0, 1.0, 200), influence_radius=0.12)
    run = crew.run(HegselmannKrause(), 100, record_every=1)
    stability = cluster_stability(run.trajectory.values, 0.05)
    assert stability.shape == (len(run.trajectory.steps) - 1,)
    assert stability.min() < 0.9
    assert stability[-1] == 1.0
    assert cluster_stability([[0.0, 1.0]], 0.1).shape == (0,)


@consensus
@pytest.mark.parametrize(("agreeing", "found"), [(79, False), (80, False), (81, True)])
def test_consensus_needs_more_than_four_fifths(agreeing, found):
    opinions = np.where(np.arange(100) < agreeing, 0.5, 5.0)
    result = detect_consensus(opinions, 0.2)
    assert (result is not None) == found
    if found:
        assert result.participation == 0.81
        assert result.members.tolist() == list(range(81))
        assert result.opinion.tolist() == [0.5]
        assert result.cohesion == 1.0


@consensus
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_consensus_needs_more_than_its_cohesion(step):
    away = 0.125 * (1.0 + step * 1e-12)
    opinions = np.array([-away, away] * 8)
    result = detect_consensus(opinions, 1.0, cohesion=0.875)
    assert (result is not None) == (step < 0)


@consensus
def test_by_default_cohesion_has_to_exceed_nine_tenths():
    spread = np.array([-1.0, 1.0] * 50)
    assert detect_consensus(0.0999 * spread, 1.0) is not None
    assert detect_consensus(0.1001 * spread, 1.0) is None


def crowd(agreeing):
    return np.where(np.arange(100) < agreeing, 0.0, 5.0)


@consensus
def test_a_consensus_lasts_below_where_it_began():
    detector = ConsensusDetector(0.5, slack=0.1)
    seen = []
    for agreeing in (75, 80, 81, 79, 72, 71, 70, 75, 80, 81):
        found = detector.update(crowd(agreeing))
        assert detector.reached == (found is not None)
        seen.append(detector.reached)
    assert seen == [False, False, True, True, True, True, False, False, False, True]


@consensus
def test_without_slack_it_is_the_plain_rule():
    detector = ConsensusDetector(0.5, slack=0.0)
    for agreeing in (82, 79, 81, 80):
        plain = detect_consensus(crowd(agreeing), 0.5)
        assert (detector.update(crowd(agreeing)) is None) == (plain is None)


@consensus
def test_models_reach_the_consensus_that_is_detected():
    crew = OpinionLandscape(np.linspace(0.0, 1.0, 300), influence_radius=0.3)
    detector = ConsensusDetector(0.1)
    steps = 0
    while detector.update(crew.values) is None:
        crew.step(HegselmannKrause())
        steps += 1
    assert 2 <= steps <= 20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: opinion_clusters([0.0, np.nan], 0.1), r"opinions\[1\]"),
        (lambda: opinion_clusters([0.0], 0.0), "radius is 0.0"),
        (lambda: detect_consensus([0.0], 0.1, participation=1.5), "participation is 1.5"),
        (lambda: ConsensusDetector(0.1, slack=0.85), "slack is 0.85; allowed: finite, 0 to 0.8"),
        (lambda: adjusted_rand_index([0, 1], [0]), "shapes"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()

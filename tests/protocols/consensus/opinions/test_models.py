"""Known answers of the six models, and what confidence, radius and momentum do in them."""

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.opinions.arguments import trust_matrix
from swarmloom_protocols.consensus.opinions.clusters import opinion_clusters
from swarmloom_protocols.consensus.opinions.landscape import OpinionLandscape
from swarmloom_protocols.consensus.opinions.linear import (
    affine_steps,
    friedkin_johnsen_limit,
    social_influence,
)
from swarmloom_protocols.consensus.opinions.models import (
    Deffuant,
    DeGroot,
    FriedkinJohnsen,
    HegselmannKrause,
    Kuramoto,
    Voter,
)
from swarmloom_protocols.consensus.opinions.motions import Crowd
from swarmloom_protocols.consensus.opinions.phase_kernels import sine
from swarmloom_protocols.consensus.opinions.phases import kuramoto_steps, order_parameter
from tests.naive import opinions as naive

pytestmark = pytest.mark.row("C1")


def seeded(values, seed=1, **settings):
    return OpinionLandscape(values, rng=np.random.default_rng(seed), **settings)


def random_trust(rng, n):
    weights = rng.random((n, n)) * (rng.random((n, n)) < 0.3)
    weights += np.roll(np.eye(n), 1, axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


# -- DeGroot and Friedkin–Johnsen ---------------------------------------------------------------


def test_degroot_ends_at_the_opinions_weighed_by_influence():
    rng = np.random.default_rng(0)
    weights, values = random_trust(rng, 30), rng.random((30, 2))
    crew = OpinionLandscape(values)
    run = crew.run(DeGroot(weights), 5000, tolerance=1e-15)
    influence = social_influence(weights)
    assert influence.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(influence @ weights, influence, atol=1e-14)
    assert run.frozen
    np.testing.assert_allclose(crew.values, np.tile(influence @ values, (30, 1)), atol=1e-12)


@pytest.mark.parametrize("n", [9, 32, 65])
def test_on_a_ring_disagreement_shrinks_by_the_cosine(n):
    ring = nx.cycle_graph(n)
    wave = np.cos(2.0 * np.pi * np.arange(n) / n)
    crew = OpinionLandscape(wave)
    crew.run(DeGroot(trust_matrix(ring)), 20, tolerance=None)
    np.testing.assert_allclose(crew.values[:, 0], np.cos(2.0 * np.pi / n) ** 20 * wave, atol=1e-12)


def test_the_mean_without_a_graph_is_weighed_by_confidence():
    crew = OpinionLandscape([0.0, 1.0, 4.0], confidence=[1.0, 0.5, 0.5])
    crew.step(DeGroot())
    np.testing.assert_allclose(crew.values[:, 0], 1.25)


def test_who_is_left_by_nobody_has_all_the_influence():
    weights = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(social_influence(weights), [1.0, 0.0, 0.0])
    two_heads = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
    with pytest.raises(InputError, match="2 groups listen to nobody outside"):
        social_influence(two_heads)


@pytest.mark.parametrize("graph", [True, False])
def test_friedkin_johnsen_settles_where_the_inverse_says(graph):
    rng = np.random.default_rng(4)
    n = 40
    weights = random_trust(rng, n) if graph else np.full((n, n), 1.0 / n)
    values, share = rng.random((n, 3)), rng.uniform(0.0, 0.95, n)
    crew = OpinionLandscape(values)
    model = FriedkinJohnsen(share, weights if graph else None)
    crew.run(model, 3, tolerance=None)
    # A second run still holds on to the first opinions.
    assert crew.run(model, 2000, tolerance=1e-15).frozen
    system = np.eye(n) - share[:, np.newaxis] * weights
    expected = np.linalg.solve(system, (1.0 - share)[:, np.newaxis] * values)
    np.testing.assert_allclose(crew.values, expected, atol=1e-12)
    np.testing.assert_allclose(friedkin_johnsen_limit(weights, share, values), expected, atol=1e-12)


def test_anchors_may_be_others_than_the_first_opinions():
    crew = OpinionLandscape([0.0, 1.0, 4.0])
    crew.step(FriedkinJohnsen(0.5, anchors=[9.0, 9.0, 1.0]))
    np.testing.assert_allclose(crew.values[:, 0], 0.5 * 5.0 / 3.0 + 0.5 * np.array([9.0, 9.0, 1.0]))


def test_without_anybody_stubborn_in_reach_there_is_no_limit():
    weights = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    with pytest.raises(InputError, match="0 hears nobody with less than 1"):
        friedkin_johnsen_limit(weights, [1.0, 1.0, 0.5], [0.0, 0.5, 1.0])


def test_affine_steps_are_matrix_products():
    rng = np.random.default_rng(3)
    matrix, values, offset = rng.random((6, 6)) / 6, rng.random((6, 2)), rng.random((6, 2))
    expected = values
    for _ in range(4):
        expected = naive.affine_step(matrix, expected, offset)
    np.testing.assert_allclose(affine_steps(matrix, values, offset, steps=4), expected, rtol=1e-13)
    np.testing.assert_array_equal(affine_steps(matrix, values, steps=0), values)


# -- Deffuant -----------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [None, nx.gnp_random_graph(60, 0.2, seed=1)])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_meetings_are_those_of_the_plain_loop(graph, dimensions):
    rng = np.random.default_rng(5)
    values, radii = rng.random((60, dimensions)), rng.uniform(0.1, 0.8, 60)
    confidence = rng.uniform(0.1, 1.0, 60)
    crew = seeded(values, confidence=confidence, influence_radius=radii)
    crew.run(Deffuant(graph, rate=0.4), 3, tolerance=None)
    seed = np.random.default_rng(1).integers(1 << 32)
    neighbours = None if graph is None else [sorted(graph[i]) for i in range(60)]
    expected = values.copy()
    for sweep in range(3):
        naive.pair_sweep(expected, radii, confidence, 0.4, neighbours, seed, sweep)
    np.testing.assert_allclose(crew.values, expected, rtol=0.0, atol=1e-12)


def test_meetings_keep_the_mean():
    values = np.random.default_rng(6).random((3000, 2))
    crew = seeded(values, influence_radius=0.3)
    crew.run(Deffuant(rate=0.3), 100, tolerance=None)
    np.testing.assert_allclose(crew.values.mean(axis=0), values.mean(axis=0), atol=1e-12)
    assert np.abs(crew.values - values).max() > 0.1


def test_meetings_keep_the_mean_that_confidence_weighs():
    rng = np.random.default_rng(6)
    values, confidence = rng.random(2000), rng.uniform(0.05, 1.0, 2000)
    crew = seeded(values, confidence=confidence, influence_radius=0.4)
    crew.run(Deffuant(), 50, tolerance=None)
    kept = confidence @ values
    assert confidence @ crew.values[:, 0] == pytest.approx(kept, rel=1e-12)
    assert abs(crew.values.mean() - values.mean()) > 1e-4


@pytest.mark.parametrize("radius", [0.5, 0.16, 0.1, 0.06])
def test_about_one_group_in_two_radii_remains(radius):
    groups = []
    for seed in range(4):
        crew = seeded(np.random.default_rng(seed).random(1000), seed, influence_radius=radius)
        assert crew.run(Deffuant(), 20000, tolerance=1e-6).frozen
        sizes = opinion_clusters(crew.values, radius).sizes
        # Small groups at the ends and between the peaks are known of the model.
        groups.append(np.count_nonzero(sizes > 50))
    assert np.mean(groups) == pytest.approx(0.5 / radius, rel=0.25)


@pytest.mark.parametrize(("radius", "left"), [(0.0, 50), (np.inf, 1)])
def test_nobody_moves_without_a_radius_and_all_agree_without_a_limit(radius, left):
    crew = seeded(np.random.default_rng(2).random((50, 2)), influence_radius=radius)
    assert crew.run(Deffuant(), 500, tolerance=1e-9).frozen
    assert len(np.unique(crew.values.round(6), axis=0)) == left


def test_on_a_graph_it_freezes_only_where_no_edge_can_move_anything():
    graph = nx.random_regular_graph(4, 200, seed=1)
    crew = seeded(np.random.default_rng(3).random(200), influence_radius=0.2)
    run = crew.run(Deffuant(graph), 5000, tolerance=1e-7)
    assert run.frozen
    away = np.array([abs(crew.values[i, 0] - crew.values[j, 0]) for i, j in graph.edges])
    assert not np.any((away > 1e-7) & (away <= 0.2))
    assert np.any(away > 0.2)


@pytest.mark.parametrize("graph", [None, nx.complete_graph(3)])
def test_nothing_is_frozen_while_one_of_a_pair_still_listens(graph):
    """The widest radius decides whether a pair that meets still moves."""
    values, radii = np.array([[0.0], [0.5], [5.0]]), np.array([0.1, 1.0, 0.1])
    motion = Deffuant(graph).begin(Crowd(values, values, np.ones(3), radii, np.uint32(0)), "cpu")
    assert not motion.settled(values, 0.0, 1e-9)
    assert motion.settled(np.array([[0.5], [0.5], [5.0]]), 0.0, 1e-9)


# -- Kuramoto -----------------------------------------------------------------------------------


def lorentz(n, width=0.5):
    return width * np.tan(np.pi * ((np.arange(n) + 0.5) / n - 0.5))


@pytest.mark.parametrize("coupling", [1.5, 2.0, 4.0])
def test_phases_lock_as_far_as_the_formula_says(coupling):
    n = 2000
    phases = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, n)
    crew = OpinionLandscape(phases)
    run = crew.run(
        Kuramoto(lorentz(n), coupling), 1600, tolerance=None, record_every=10, most_records=200
    )
    late = [order_parameter(values[:, 0]) for values in run.trajectory.values[-60:]]
    assert np.mean(late) == pytest.approx(np.sqrt(1.0 - 1.0 / coupling), abs=0.02)


def test_below_the_threshold_phases_do_not_lock():
    phases = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, 2000)
    phases = kuramoto_steps(phases, lorentz(2000), 0.5, steps=800)
    assert order_parameter(phases) < 0.1


@pytest.mark.parametrize("graph", [True, False])
def test_a_step_is_that_of_the_double_loop(graph):
    rng = np.random.default_rng(8)
    n = 25
    weights = random_trust(rng, n) if graph else np.full((n, n), 1.0 / n)
    phases, own = rng.uniform(-4.0, 4.0, n), rng.standard_normal(n)
    stepped = kuramoto_steps(phases, own, 1.7, weights=weights if graph else None, dt=0.1)
    expected = naive.kuramoto_step(phases, own, 1.7, weights, 0.1)
    np.testing.assert_allclose(stepped, expected, rtol=0.0, atol=1e-12)


def test_the_sine_of_a_gpu_is_the_sine():
    angles = np.concatenate([np.linspace(-20.0, 20.0, 2001), np.arange(-8, 9) * np.pi / 2, [1e5]])
    values = [sine(float(angle)) for angle in angles]
    np.testing.assert_allclose(values, np.sin(angles), rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(values[:-1], np.sin(angles[:-1]), rtol=0.0, atol=1e-14)


def test_an_order_needs_phases():
    assert order_parameter([0, 0]) == 1.0
    for wrong in ([], [np.nan], ["a"], [1j]):
        with pytest.raises(InputError, match="phases"):
            order_parameter(wrong)


def test_confidence_pulls_phases_as_it_weighs():
    confidence = np.array([1.0, 0.25, 0.5])
    phases, own = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3])
    for graph in (None, np.ones((3, 3))):
        crew = OpinionLandscape(phases, confidence=confidence)
        crew.step(Kuramoto(own, 2.0, graph, dt=0.01))
        weights = np.tile(confidence, (3, 1))
        if graph is not None:
            np.fill_diagonal(weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        expected = naive.kuramoto_step(phases, own, 2.0, weights, 0.01)
        np.testing.assert_allclose(crew.values[:, 0], expected, atol=1e-13)


# -- voter --------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [None, nx.gnp_random_graph(50, 0.2, seed=2)])
def test_copies_are_those_of_the_plain_loop(graph):
    rng = np.random.default_rng(5)
    values, confidence = rng.random((50, 2)), rng.uniform(0.1, 1.0, 50)
    crew = seeded(values, confidence=confidence)
    crew.run(Voter(graph), 2, tolerance=None)
    seed = np.random.default_rng(1).integers(1 << 32)
    neighbours = None if graph is None else [sorted(graph[i]) for i in range(50)]
    expected = values.copy()
    for sweep in range(2):
        naive.copy_sweep(expected, confidence, neighbours, seed, sweep)
    np.testing.assert_array_equal(crew.values, expected)


@pytest.mark.parametrize("graph", [None, nx.cycle_graph(20)])
def test_an_opinion_wins_as_often_as_its_first_share(graph):
    values = (np.arange(20) < 6).astype(float)
    wins = 0
    for seed in range(300):
        crew = seeded(np.random.default_rng(seed).permutation(values), seed)
        assert crew.run(Voter(graph), 5000, tolerance=0.0).frozen
        wins += crew.values[0, 0]
    # Four standard errors about 0.3.
    assert wins / 300 == pytest.approx(0.3, abs=0.105)


def test_the_confident_are_copied_more_often():
    confidence = np.where(np.arange(20) < 6, 1.0, 0.1)
    wins = 0
    for seed in range(200):
        crew = seeded((np.arange(20) < 6).astype(float), seed, confidence=confidence)
        crew.run(Voter(), 5000, tolerance=0.0)
        wins += crew.values[0, 0]
    assert wins > 120


# -- common to all ------------------------------------------------------------------------------

GRAPH = nx.random_regular_graph(4, 30, seed=0)
TRUST = trust_matrix(GRAPH, own=0.5)
MODELS = [
    DeGroot(TRUST),
    FriedkinJohnsen(0.7, TRUST),
    HegselmannKrause(),
    HegselmannKrause(GRAPH),
    Deffuant(),
    Deffuant(GRAPH),
    Kuramoto(np.linspace(-1.0, 1.0, 30), 1.0),
    Kuramoto(np.linspace(-1.0, 1.0, 30), 1.0, GRAPH),
    Voter(),
    Voter(GRAPH),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_runs_do_not_depend_on_threads_or_on_how_they_are_cut(model):
    values = np.random.default_rng(9).random(30)

    def end(threads, portions):
        crew = seeded(values, influence_radius=0.3)
        with use_threads(threads):
            for steps in portions:
                crew.run(model, steps, tolerance=None)
        assert crew.steps_taken == 6
        return crew.values

    np.testing.assert_array_equal(end(1, [6]), end(3, [1, 3, 2]))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_confidence_acts_in_every_model(model):
    values, confidence = np.random.default_rng(9).random(30), np.linspace(0.1, 1.0, 30)
    even, uneven = seeded(values), seeded(values, confidence=confidence)
    even.run(model, 3)
    uneven.run(model, 3)
    assert np.abs(even.values - uneven.values).max() > 1e-6


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix, np.asarray, nx.Graph])
def test_graphs_may_come_in_any_form(form):
    values = np.random.default_rng(9).random(30)
    crews = [OpinionLandscape(values) for _ in range(2)]
    crews[0].step(HegselmannKrause(nx.to_numpy_array(GRAPH, nodelist=range(30))))
    graph = nx.Graph() if form is nx.Graph else form(nx.to_numpy_array(GRAPH, nodelist=range(30)))
    if form is nx.Graph:
        graph.add_nodes_from(range(30))
        graph.add_edges_from(GRAPH.edges)
    crews[1].step(HegselmannKrause(graph))
    np.testing.assert_array_equal(crews[0].values, crews[1].values)


def lonely():
    graph = nx.path_graph(3)
    graph.add_node(3)
    return graph


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (DeGroot(np.eye(3)), r"weights: shape \(3, 3\); allowed: \(4, 4\)"),
        (DeGroot(np.full((4, 4), 0.2)), "row 0 sums to 0.8; allowed: 1"),
        (DeGroot(np.eye(4) * 2.0 - np.eye(4)[::-1]), r"weights\[0, 3\] is -1"),
        (DeGroot(np.full((4, 4), np.nan)), r"weights\[0, 0\] is nan"),
        (DeGroot(np.ones((4, 3))), r"shape \(4, 3\)"),
        (FriedkinJohnsen([0.5, 1.5, 0.5, 0.5]), r"susceptibility\[1\] is 1.5"),
        (FriedkinJohnsen(0.5, anchors=[1.0, 2.0]), "anchors: shape"),
        (HegselmannKrause(lonely()), "node 3 is isolated"),
        (HegselmannKrause(np.eye(4)), "node 0 is isolated"),
        (HegselmannKrause(with_own=False), "with_own is False"),
        (Deffuant(lonely()), "node 3 is isolated"),
        (Deffuant(rate=0.6), "rate is 0.6"),
        (Kuramoto([1.0, 2.0], 1.0), r"frequencies: shape \(2,\)"),
        (Kuramoto(1.0, -1.0), "coupling is -1"),
        ("DeGroot", "model: 'DeGroot'; allowed: a Model"),
    ],
)
def test_what_is_wrong_is_named(model, message):
    crew = seeded([0.0, 0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=message):
        crew.run(model)
    assert crew.steps_taken == 0
    np.testing.assert_array_equal(crew.values[:, 0], [0.0, 0.1, 0.2, 0.3])


def test_phases_have_one_dimension():
    with pytest.raises(InputError, match="2 dimensions; allowed: 1"):
        OpinionLandscape(np.zeros((3, 2))).step(Kuramoto([1.0, 1.0, 1.0], 1.0))


def test_nobody_meets_alone():
    with pytest.raises(InputError, match="one expert"):
        seeded([0.5]).step(Deffuant())

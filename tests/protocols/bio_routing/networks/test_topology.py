import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.hop_kernels import depths
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.topology import (
    adjacency,
    grow,
    measure,
    pairs_of,
    power_law_exponent,
)


def check_against_networkx(graph):
    found = measure(Network.from_networkx(graph))
    assert found.degrees.tolist() == [degree for _, degree in graph.degree()]
    assert found.clustering == pytest.approx(list(nx.clustering(graph).values()))
    assert found.betweenness == pytest.approx(list(nx.betweenness_centrality(graph).values()))
    assert found.efficiency == pytest.approx(nx.global_efficiency(graph))
    lengths = [
        length
        for _, row in nx.all_pairs_shortest_path_length(graph)
        for length in row.values()
        if length > 0
    ]
    assert found.diameter == max(lengths, default=0)
    assert found.joined == pytest.approx(len(lengths) / max(len(graph) * (len(graph) - 1), 1))
    if lengths:
        assert found.path_length == pytest.approx(np.mean(lengths))
    else:
        assert math.isnan(found.path_length)


@pytest.mark.row("B8")
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0.0, 0.5), st.integers(0, 1000))
def test_metrics_equal_networkx_on_random_graphs(n_nodes, density, seed):
    check_against_networkx(nx.gnp_random_graph(n_nodes, density, seed=seed))


@pytest.mark.row("B8")
@pytest.mark.parametrize(
    "graph",
    [
        nx.path_graph(70),
        nx.star_graph(64),
        nx.watts_strogatz_graph(150, 6, 0.1, seed=1),
        nx.barabasi_albert_graph(129, 2, seed=2),
        nx.disjoint_union(nx.cycle_graph(65), nx.complete_graph(9)),
    ],
)
def test_metrics_equal_networkx_over_several_words(graph):
    # Distances are counted from 64 nodes at once.
    check_against_networkx(graph)


def test_depths_equal_networkx():
    graph = nx.gnp_random_graph(60, 0.03, seed=5)
    found = depths(7, *adjacency(60, np.array(graph.edges)))
    expected = nx.single_source_shortest_path_length(graph, 7)
    assert found.tolist() == [expected.get(node, -1) for node in range(60)]


def test_parallel_and_failed_links():
    network = Network([0, 0, 1, 2], [1, 1, 0, 1], 1.0)
    assert pairs_of(network).tolist() == [[0, 1], [1, 2]]
    assert measure(network).degrees.tolist() == [1, 2, 1]
    failed = network.fail(links=[3])
    assert measure(failed).degrees.tolist() == [1, 1, 0]
    assert measure(failed).joined == pytest.approx(1 / 3)
    nobody = measure(Network([], [], 1.0))
    assert (nobody.diameter, nobody.efficiency) == (0, 0.0)


@pytest.mark.row("B7")
def test_small_worlds_cluster_like_lattices_and_are_as_short_as_random_graphs():
    # Watts & Strogatz 1998: a lattice of degree k has C = 3(k − 2) / (4(k − 1)), L ≈ n / 2k;
    # rewired at p, C(p) ≈ C(0)(1 − p)³ (Barrat & Weigt 2000).
    rng = np.random.default_rng(0)
    lattice = measure(grow("small_world", 1000, 10, rng, rewired=0.0))
    assert lattice.clustering.mean() == pytest.approx(2 / 3)
    assert lattice.path_length == pytest.approx(1000 / 20, rel=0.02)
    small = measure(grow("small_world", 1000, 10, rng, rewired=0.05))
    assert small.clustering.mean() == pytest.approx(2 / 3 * 0.95**3, rel=0.03)
    assert small.path_length < 0.12 * lattice.path_length
    random = measure(grow("small_world", 1000, 10, rng, rewired=1.0))
    assert random.clustering.mean() < 0.03
    assert random.path_length == pytest.approx(math.log(1000) / math.log(10), rel=0.15)


@pytest.mark.row("B7")
def test_scale_free_networks_have_an_exponent_near_three():
    exponents = [
        power_law_exponent(
            np.bincount(pairs_of(grow("scale_free", 5000, 6, np.random.default_rng(seed))).ravel()),
            10,
        )
        for seed in range(3)
    ]
    assert np.mean(exponents) == pytest.approx(3.0, abs=0.15)


def test_exponent_of_a_power_law():
    uniform = np.random.default_rng(1).random(200_000)
    degrees = np.floor(9.5 * (1.0 - uniform) ** (-1.0 / 1.5) + 0.5).astype(np.int64)
    assert power_law_exponent(degrees, 10) == pytest.approx(2.5, abs=0.02)
    with pytest.raises(InputError, match="least is 9; allowed: at most the largest degree"):
        power_law_exponent(np.array([1, 2]), 9)


@pytest.mark.row("B7")
def test_meshes_and_hierarchies():
    rng = np.random.default_rng(0)
    assert measure(grow("mesh", 1000, 4, rng)).path_length == pytest.approx(125.4, abs=0.05)
    for degree in (2, 3, 5):
        tree = grow("hierarchical", 1 + degree * (1 + (degree - 1)), degree, rng)
        found = measure(tree)
        assert set(found.degrees.tolist()) == {degree, 1}
        assert (found.diameter, found.joined) == (4, 1.0)
        assert tree.n_links == 2 * (tree.n_nodes - 1)


def test_networks_follow_from_the_seed():
    for shape in ("small_world", "scale_free"):
        one, same, other = (
            grow(shape, 50, 4, np.random.default_rng(seed)).targets.tolist() for seed in (1, 1, 2)
        )
        assert one == same
        assert one != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ring", 10, 4), "shape is 'ring'; allowed: 'mesh', 'hierarchical'"),
        (("mesh", 10, 3), "degree is 3; allowed: even numbers for the shape 'mesh'"),
        (("mesh", 4, 4), "n_nodes is 4; allowed: whole numbers from 5"),
        (("hierarchical", 10, 1), "degree is 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        grow(*arguments, np.random.default_rng(0))
    with pytest.raises(InputError, match="rewired is 2"):
        grow("small_world", 10, 4, np.random.default_rng(0), rewired=2)
    with pytest.raises(InputError, match="rng is 7"):
        grow("small_world", 10, 4, 7)

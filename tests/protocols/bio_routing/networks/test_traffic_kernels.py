import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom_protocols.bio_routing.networks.demands import Traffic
from swarmloom_protocols.bio_routing.networks.flow_kernels import straighten
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_sets import MOST_PATHS, RULE, PathSets
from swarmloom_protocols.bio_routing.networks.tree_kernels import grow_tree, room_for
from tests.naive.traffic import cheapest_ways, link_loads, one_round


@st.composite
def networks(draw):
    """Up to eight nodes, parallel links and links out of order among them."""
    n = draw(st.integers(2, 8))
    node = st.integers(0, n - 1)
    ends = draw(st.lists(st.tuples(node, node).filter(lambda e: e[0] != e[1]), max_size=24))
    sources, targets = np.array(ends, dtype=int).reshape(-1, 2).T
    seed = draw(st.integers(0, 2**32 - 1))
    capacities = np.random.default_rng(seed).uniform(0.5, 2.0, len(ends))
    network = Network(sources, targets, capacities, names=[str(i) for i in range(n)])
    failed = draw(st.lists(st.sampled_from(range(len(ends))), max_size=2)) if ends else []
    return network.fail(links=failed)


def demands_on(network, seed):
    rng = np.random.default_rng(seed)
    demands = rng.exponential(1.0, (network.n_nodes, network.n_nodes))
    demands *= rng.random(demands.shape) < 0.7
    np.fill_diagonal(demands, 0.0)
    return demands


@settings(max_examples=40)
@given(networks(), st.integers(0, 99))
def test_trees_are_those_of_bellman_and_ford(network, seed):
    prices = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 2.0, 3.3], network.n_links)
    traffic = Traffic.on(network, np.zeros((network.n_nodes, network.n_nodes)))
    room = room_for(traffic.graph)
    costs, next_links = np.empty(network.n_nodes), np.empty(network.n_nodes, dtype=np.int64)
    for root in range(network.n_nodes):
        reached = grow_tree(root, prices, traffic.graph, room, costs, next_links)
        naive, _ = cheapest_ways(network, root, prices)
        assert {node: costs[node] for node in naive} == pytest.approx(naive)
        order = room.order[:reached].tolist()
        assert sorted(order) == sorted(naive)
        assert order[0] == root
        for place, node in enumerate(order[1:], 1):
            link = next_links[node]
            assert network.sources[link] == node
            assert network.targets[link] in order[:place]
            assert costs[node] == costs[network.targets[link]] + prices[link]
        assert (next_links[[n for n in range(network.n_nodes) if n not in naive]] == -1).all()


@settings(max_examples=40)
@given(networks(), st.integers(0, 99))
def test_rounds_are_those_of_plain_loops(network, seed):
    matrix = demands_on(network, seed)
    paths = PathSets.none_yet(Traffic.on(network, matrix))
    demands = {(int(s), int(t)): matrix[s, t] for s, t in np.argwhere(matrix > 0)}
    trails = {}
    for _ in range(4):
        paths.round()
        one_round(network, demands, trails, RULE, paths.beta, MOST_PATHS)
        naive = link_loads(network, demands, trails)
        np.testing.assert_allclose(paths.loads, naive, rtol=1e-6, atol=1e-9)
    delivered = paths.measure()
    assert delivered == pytest.approx(sum(demands[pair] for pair in trails))
    for pair, shares in trails.items():
        ways = {tuple(links.tolist()): share for share, links in paths.ways(*pair)}
        assert ways == pytest.approx(shares, rel=1e-6, abs=1e-9)


def test_a_full_set_gives_up_its_weakest_path():
    """Twelve ways of two links each; at most ten are kept, and none of the traffic is lost."""
    middle = np.arange(2, 14)
    sources = np.r_[np.zeros(12, int), middle]
    targets = np.r_[middle, np.ones(12, int)]
    network = Network(sources, targets, np.tile(np.linspace(1.0, 2.0, 12), 2))
    paths = PathSets.none_yet(Traffic.on(network, _one_demand(14)))
    for _ in range(40):
        paths.round()
        assert paths.measure() == 1.0
        assert paths.paths.trails[0, : paths.paths.counts[0]].sum() == pytest.approx(1.0)
        assert paths.loads[:12].sum() == pytest.approx(1.0)
    assert paths.paths.counts[0] == MOST_PATHS
    fullest = (paths.loads / network.capacities).max()
    widest = np.sort(network.capacities[:12])[-MOST_PATHS:].sum()
    assert fullest <= 1.02 / widest


def _one_demand(n):
    demands = np.zeros((n, n))
    demands[0, 1] = 1.0
    return demands


def test_packed_paths_outlive_many_rounds():
    """The room for links runs out, and is packed, many times in a dense network."""
    n = 16
    sources, targets = np.nonzero(~np.eye(n, dtype=bool))
    rng = np.random.default_rng(0)
    network = Network(sources, targets, rng.uniform(0.1, 1.0, len(sources)))
    paths = PathSets.none_yet(Traffic.on(network, demands_on(network, 0)))
    rooms = set()
    for _ in range(30):
        paths.round()
        rooms.add(len(paths.paths.links))
    assert len(rooms) > 3
    kept = paths.loads.copy()
    paths.measure()
    np.testing.assert_allclose(paths.loads, kept, rtol=1e-9, atol=1e-12)
    for source in range(n):
        for _, links in paths.ways(source, (source + 1) % n):
            nodes = [source, *network.targets[links].tolist()]
            assert len(set(nodes)) == len(nodes)


@settings(max_examples=40)
@given(networks(), st.integers(0, 99))
def test_straightened_flows_have_no_cycle_and_deliver(network, seed):
    """Any flow with a way for everybody, cycles thrown in, arrives whole and without a cycle."""
    traffic = Traffic.on(network, demands_on(network, seed))
    rng = np.random.default_rng(seed)
    flows = rng.exponential(1.0, (len(traffic.pairs.roots), network.n_links))
    roots, amounts = traffic.pairs.roots, traffic.amounts
    for row, root in enumerate(roots):
        _, following = cheapest_ways(network, int(root), np.ones(network.n_links))
        dead_ends = [
            link for link in range(network.n_links) if int(network.targets[link]) not in following
        ]
        flows[row, [link for link in dead_ends if network.targets[link] != root]] = 0.0
        # What leaves each node exceeds what comes, so that cancelling cycles leaves it a way.
        for node, link in following.items():
            flows[row, link] += 100.0 + amounts[row, node]
            flows[row, link] += 100.0 * _behind(network, following, node, int(root))
    flows[:, ~network.link_works] = 0.0
    out = network.out_starts, network.out_links
    arrived = straighten(roots, amounts, network.targets, out, flows)
    assert arrived == pytest.approx(traffic.deliverable)
    for row, root in enumerate(roots):
        _check_row(network, flows[row], amounts[row], int(root))


def _behind(network, following, node, root):
    """How many nodes' ways lead through a node."""
    count = 0
    for start in following:
        here = start
        while here != root:
            here = int(network.targets[following[here]])
            count += here == node
    return count


def _check_row(network, flow, amounts, root):
    import networkx as nx

    used = [link for link in range(network.n_links) if flow[link] > 0]
    graph = nx.DiGraph((int(network.sources[k]), int(network.targets[k])) for k in used)
    assert nx.is_directed_acyclic_graph(graph)
    leaving = np.bincount(network.sources, flow, network.n_nodes)
    coming = np.bincount(network.targets, flow, network.n_nodes)
    others = np.arange(network.n_nodes) != root
    np.testing.assert_allclose((leaving - coming)[others], amounts[others], atol=1e-9)
    assert leaving[root] == 0.0


def test_a_lower_bound_is_the_room_that_is_taken_at_least():
    """A path of two links: the demand takes 2 of the 3 + 1 that there is, at prices of 1."""
    network = Network([0, 1], [1, 2], [3.0, 1.0])
    traffic = Traffic.on(network, np.array([[0, 0, 1.0], [0, 0, 0], [0, 0, 0]]))
    assert traffic.lower_bound(np.ones(2)) == 0.5
    assert traffic.lower_bound(np.array([0.0, 1.0])) == 1.0
    assert traffic.lower_bound(np.zeros(2)) == 0.0
    assert math.isfinite(traffic.costs(np.ones(2))[0, 0])

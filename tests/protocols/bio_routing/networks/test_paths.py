import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.paths import (
    constrained,
    distances,
    k_shortest,
    losses,
    pareto_front,
    shortest,
    shortest_tree,
    widest,
)
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from tests.naive import paths as naive

# Two ways from a to d: fast, weak and wide by b; slow, sure and narrow by c.
DIAMOND = {
    "ab": (1.0, 0.9, 5.0),
    "bd": (1.0, 0.9, 4.0),
    "ac": (2.0, 0.99, 1.0),
    "cd": (2.0, 0.99, 1.0),
}


def network_of(links):
    names = sorted(set("".join(links)))
    ends = np.array([[names.index(end) for end in link] for link in links]).T
    delays, reliabilities, capacities = np.array(list(links.values())).T
    return Network(*ends, capacities, delays, reliabilities, names)


@pytest.fixture
def diamond():
    return network_of(DIAMOND)


def test_what_a_path_promises(diamond):
    path = shortest(diamond, "a", 3)
    assert path.nodes == ("a", "b", "d")
    assert path.links == (0, 1)
    assert (path.cost, path.latency, path.capacity) == (2.0, 2.0, 4.0)
    assert path.reliability == pytest.approx(0.81)


def test_costs_in_place_of_delays(diamond):
    path = shortest(diamond, "a", "d", costs=[3, 3, 1, 1])
    assert (path.nodes, path.cost, path.latency) == (("a", "c", "d"), 2.0, 4.0)
    assert shortest(diamond, "a", "d", costs=[math.inf, 0, 9, 9]).cost == 18.0
    assert widest(diamond, "a", "d", costs=[math.inf, 0, 9, 9]).capacity == 1.0
    assert constrained(diamond, "a", "d", costs=[math.inf, 0, 9, 9]).cost == 18.0
    with pytest.raises(NoRouteError):
        constrained(diamond, "a", "d", costs=[math.inf, 0, math.inf, 9], max_latency=9.0)


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("least", "path"), [(0.81, "abd"), (0.85, "acd"), (0.9, "acd"), (0.98, "acd")]
)
def test_a_limit_that_the_weakest_link_keeps_may_still_be_broken(diamond, least, path):
    # By the weakest link the way over b would pass at 0.85 and 0.9.
    assert constrained(diamond, "a", "d", min_reliability=least).nodes == tuple(path)


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"min_reliability": 0.99}, r"with reliability ≥ 0.99 \(the most reliable has 0.9801\)"),
        ({"max_latency": 1.9}, r"with latency ≤ 1.9 \(the fastest has 2\)$"),
        (
            {"max_latency": 3.0, "min_reliability": 0.9},
            "'a' to 'd' with latency ≤ 3 and reliability ≥ 0.9 at once",
        ),
        ({"max_latency": 1.0, "min_reliability": 0.999}, "has 2.* and reliability ≥ 0.999"),
    ],
)
def test_the_limit_that_cannot_be_kept_is_named(diamond, limits, message):
    with pytest.raises(NoRouteError, match=message):
        constrained(diamond, "a", "d", **limits)
    with pytest.raises(NoRouteError, match=message):
        constrained(diamond, "a", "d", costs=[1, 2, 3, 4], **limits)


@pytest.mark.row("B10")
def test_dead_link_is_no_way_even_without_limits():
    with pytest.raises(NoRouteError, match="'a' to 'b': no path leads there"):
        constrained(network_of({"ab": (1.0, 0.0, 1.0)}), "a", "b")


@pytest.mark.row("B10")
def test_a_slow_reliable_prefix_survives_a_fast_weak_one():
    # At b the fast label is not reliable enough for the rest of the way.
    links = {"ab": (1, 0.5, 1), "ac": (2, 1, 1), "cb": (2, 1, 1), "bd": (1, 0.9, 1)}
    path = constrained(network_of(links), "a", "d", min_reliability=0.8)
    assert path.nodes == ("a", "c", "b", "d")


@pytest.mark.parametrize("find", [shortest, widest, constrained])
def test_ends(find, diamond):
    same = find(diamond, "a", "a")
    assert (same.nodes, same.links, same.cost, same.reliability) == (("a",), (), 0.0, 1.0)
    assert same.capacity == math.inf
    with pytest.raises(NoRouteError, match="no route from 'd' to 'a': no path leads there"):
        find(diamond, "d", "a")
    with pytest.raises(InputError, match="no node 'z' among the 4"):
        find(diamond, "a", "z")
    with pytest.raises(NoRouteError, match="node 'a' is out of order"):
        find(diamond.fail(nodes=["a"]), "a", "d")
    assert find(diamond.fail(links=[0]), "a", "d").nodes == ("a", "c", "d")


@pytest.mark.parametrize("find", [shortest, shortest_tree, distances, widest, constrained])
@pytest.mark.parametrize("wrong", [-1.0, math.nan])
def test_wrong_costs_are_named_by_link(find, wrong, diamond):
    costs = np.array([1, 1, wrong, 1])
    costs.flags.writeable = False
    arguments = [[0]] if find is distances else ["a"] if find is shortest_tree else ["a", "d"]
    with pytest.raises(InputError, match=r"costs: link 2 \(a → c\) has (-1.0|nan); allowed"):
        find(diamond, *arguments, costs=costs)
    with pytest.raises(InputError, match=r"shape \(2,\); allowed: one of each of the 4 links"):
        find(diamond, *arguments, costs=[1, 2])


def test_wrong_limits_are_named(diamond):
    with pytest.raises(InputError, match="max_latency is nan"):
        constrained(diamond, "a", "d", max_latency=math.nan)
    with pytest.raises(InputError, match="min_reliability is 2"):
        constrained(diamond, "a", "d", min_reliability=2)
    with pytest.raises(InputError, match="k is 0"):
        k_shortest(diamond, "a", "d", 0)


def test_too_many_labels_are_refused(diamond):
    with pytest.raises(MemoryLimitError, match="more than 1 partial paths"):
        constrained(diamond, "a", "d", min_reliability=0.9, max_labels=1)
    with pytest.raises(MemoryLimitError, match="max_labels"):
        pareto_front(diamond, "a", "d", diamond.delays, losses(diamond), max_labels=2)


@pytest.mark.row("B3")
def test_front_of_latency_and_reliability(diamond):
    front = pareto_front(diamond, "a", "d", diamond.delays, losses(diamond))
    assert [path.nodes for path in front] == [("a", "b", "d"), ("a", "c", "d")]
    with pytest.raises(NoRouteError, match="no path leads there"):
        pareto_front(diamond, "d", "a", diamond.delays, losses(diamond))
    with pytest.raises(InputError, match=r"second: link 0 \(a → b\) has -1"):
        pareto_front(diamond, "a", "d", diamond.delays, [-1, 0, 0, 0])
    assert [path.links for path in pareto_front(diamond, "a", "a", [1] * 4, [1] * 4)] == [()]


@pytest.mark.row("B3")
def test_front_of_every_number():
    # Stage i costs 2ⁱ by the one or by the other measure: each split of 2⁶ − 1 is unbeaten.
    stages = np.arange(6).repeat(2)
    network = Network(stages, stages + 1, 1.0)
    first = np.where(np.arange(12) % 2, 2.0**stages, 0.0)
    second = np.where(np.arange(12) % 2, 0.0, 2.0**stages)
    front = pareto_front(network, 0, 6, first, second)
    assert [path.cost for path in front] == list(range(64))
    assert [second[list(path.links)].sum() for path in front] == list(range(63, -1, -1))


def test_k_shortest_uses_the_cheapest_of_parallel_links():
    network = Network([0, 0, 1, 0], [1, 1, 2, 2], 1, [3.0, 1.0, 1.0, 5.0])
    found = k_shortest(network, 0, 2, 9)
    assert [path.links for path in found] == [(1, 2), (3,)]
    assert [path.cost for path in found] == [2.0, 5.0]
    assert [path.links for path in k_shortest(network.fail(links=[1]), 0, 2, 1)] == [(0, 2)]
    assert k_shortest(network, 1, 1, 3)[0].cost == 0.0
    with pytest.raises(NoRouteError, match="'2' to '0'"):
        k_shortest(network, 2, 0, 3)


nodes = st.integers(0, 5)
weights = st.one_of(st.integers(0, 4).map(float), st.floats(0.0, 10.0))
shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.3, 1.0))
links = st.lists(
    st.tuples(nodes, nodes, weights, weights, shares, st.integers(1, 4).map(float)).filter(
        lambda link: link[0] != link[1]
    ),
    min_size=1,
    max_size=16,
)


def random_network(given_links):
    sources, targets, costs, delays, reliabilities, capacities = zip(*given_links, strict=True)
    names = [str(node) for node in range(6)]
    return Network(sources, targets, capacities, delays, reliabilities, names), np.array(costs)


def found(find, *arguments, **options):
    try:
        return find(*arguments, **options)
    except NoRouteError:
        return None


def holds_together(path, given_links, costs):
    """Tell whether a path leads along its links and promises what they add up to."""
    ends = [str(given_links[link][1]) for link in path.links]
    starts = [str(given_links[link][0]) for link in path.links]
    assert path.nodes == ("0", *ends)
    assert list(path.nodes[:-1]) == starts
    assert len(set(path.nodes)) == len(path.nodes)
    sums = naive.sums(given_links, path.links)
    assert (path.cost, path.latency, path.reliability, path.capacity) == sums


@pytest.mark.row("B10")
@settings(max_examples=200, deadline=None)
@given(
    links,
    st.one_of(st.none(), st.integers(0, 12).map(float), st.floats(0.0, 30.0)),
    st.one_of(st.none(), st.sampled_from([0.25, 0.5]), st.floats(0.0, 1.0)),
)
def test_limits_are_kept_as_by_trying_every_path(given_links, slowest, worst):
    network, costs = random_network(given_links)
    limits = {"max_latency": slowest, "min_reliability": worst}
    path = found(constrained, network, 0, 5, costs=costs, **limits)
    bounds = (math.inf if slowest is None else slowest), worst or 0.0
    expected = naive.constrained(given_links, 0, 5, *bounds)
    assert (path is None) == (expected is None)
    if path is not None:
        holds_together(path, given_links, costs)
        assert path.latency <= bounds[0]
        assert path.reliability >= bounds[1]
        assert path.cost == pytest.approx(expected[0], rel=1e-12)
        if all(link[2] == int(link[2]) for link in given_links):
            assert path.reliability == -expected[1]
    # The fastest way, for which delays are costs too.
    path = found(constrained, network, 0, 5, **limits)
    swapped = [(a, b, delay, delay, share, width) for a, b, _, delay, share, width in given_links]
    expected = naive.constrained(swapped, 0, 5, *bounds)
    assert (path is None) == (expected is None)
    if path is not None:
        assert path.latency == pytest.approx(expected[0], rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(links)
def test_shortest_and_widest_equal_networkx_and_trying_every_path(given_links):
    network, costs = random_network(given_links)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(6))
    for source, target, cost, *_ in given_links:
        graph.add_edge(source, target, weight=cost)
    expected = nx.single_source_dijkstra_path_length(graph, 0)
    tree = shortest_tree(network, 0, costs=costs)
    everywhere = distances(network, costs=costs)
    for node in range(6):
        path = found(shortest, network, 0, node, costs=costs)
        far = expected.get(node, math.inf)
        assert tree.costs[node] == everywhere[0, node] == pytest.approx(far)
        if path is None:
            assert far == math.inf
            with pytest.raises(NoRouteError):
                tree.path(node)
        else:
            holds_together(path, given_links, costs)
            assert path.cost == pytest.approx(far)
            holds_together(tree.path(node), given_links, costs)
            assert tree.path(node).cost == pytest.approx(far)
    best = naive.widest(given_links, 0, 5)
    path = found(widest, network, 0, 5, costs=costs)
    assert (path is None) == (best is None)
    if path is not None:
        holds_together(path, given_links, costs)
        assert path.capacity == -best[0]
        assert path.cost == pytest.approx(best[1])


@pytest.mark.row("B3")
@settings(max_examples=150, deadline=None)
@given(links, st.booleans())
def test_front_is_that_of_trying_every_path(given_links, whole):
    if whole:
        given_links = [
            (a, b, float(int(cost)), float(int(delay)), *others)
            for a, b, cost, delay, *others in given_links
        ]
    network, costs = random_network(given_links)
    expected = naive.pareto_front(given_links, 0, 5)
    front = found(pareto_front, network, 0, 5, costs, network.delays) or []
    for path in front:
        holds_together(path, given_links, costs)
    if whole:
        assert [(path.cost, path.latency) for path in front] == expected
    # Paths that differ by rounding alone may be missing.
    for cost, latency in expected:
        assert any(
            path.cost <= cost * (1 + 1e-12) and path.latency <= latency * (1 + 1e-12)
            for path in front
        )


@settings(max_examples=100, deadline=None)
@given(links)
def test_k_shortest_are_those_of_trying_every_path(given_links):
    cheapest = {}
    for link in given_links:
        cheapest[link[:2]] = min(link, cheapest.get(link[:2], link), key=lambda one: one[2])
    simple = list(cheapest.values())
    expected = sorted(naive.sums(simple, path)[0] for path in naive.simple_paths(simple, 0, 5))
    network, costs = random_network(given_links)
    paths = found(k_shortest, network, 0, 5, 7, costs=costs) or []
    assert [path.cost for path in paths] == pytest.approx(expected[:7])
    assert len({path.nodes for path in paths}) == len(paths)
    for path in paths:
        holds_together(path, given_links, costs)


def test_larger_networks_equal_networkx():
    rng = np.random.default_rng(3)
    graph = nx.barabasi_albert_graph(300, 3, seed=4)
    for edge in graph.edges.values():
        edge["delay"] = rng.uniform(1.0, 10.0)
    network = Network.from_networkx(graph)
    hops = np.ones(network.n_links)
    for source, target in rng.integers(0, 300, (20, 2)).tolist():
        expected = nx.dijkstra_path_length(graph, source, target, weight="delay")
        assert shortest(network, source, target).cost == pytest.approx(expected)
        limit = 1.3 * expected
        within = constrained(network, source, target, costs=hops, max_latency=limit)
        front = pareto_front(network, source, target, hops, network.delays)
        assert within.cost == min(path.cost for path in front if path.latency <= limit)


def test_shared_network_oracles_agree(shared_data):
    network = Network.from_repetita(shared_data / "networks" / "Geant2012.graph")
    far = distances(network)
    for source in range(0, network.n_nodes, 7):
        for target in range(network.n_nodes):
            path = shortest(network, source, target)
            assert path.cost == far[source, target]
            if source != target:
                assert [k_shortest(network, source, target, 2)[0].cost] == [path.cost]
            assert constrained(network, source, target, max_latency=path.cost).cost == path.cost

"""Packet ants: what they find, what they leave behind, and what they refuse."""

import dataclasses

import networkx as nx
import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.bio_routing.networks import packet_colony
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_ants import PacketAnts
from swarmloom_protocols.bio_routing.networks.packet_kinds import (
    KINDS,
    PheromoneKind,
    TripQuality,
    Trips,
    hops,
    latencies,
)
from swarmloom_protocols.bio_routing.networks.packet_walks import walked
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from tests.naive import packets

UNREACHABLE = [[0, 3], [1, 3], [2, 3], [3, 0], [3, 1], [3, 2]]


def small_world(seed, n=30, degree=4):
    rng = np.random.default_rng(seed)
    graph = nx.connected_watts_strogatz_graph(n, degree, 0.3, seed=seed)
    for edge in graph.edges.values():
        edge["capacity"] = float(rng.choice([1.0, 4.0, 10.0]))
        edge["delay"] = float(rng.integers(1, 100))
        # Fast links fail more often, so that no path is best by both.
        edge["reliability"] = float(1.0 - 0.2 * rng.random() - 2.0 / (10.0 + edge["delay"]))
    return Network.from_networkx(graph)


def as_graph(network, values):
    """The working links as a graph, parallel ones by the least value."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(network.n_nodes))
    for link in np.flatnonzero(network.link_works)[np.argsort(-values[network.link_works])]:
        source, target = int(network.sources[link]), int(network.targets[link])
        graph.add_edge(source, target, weight=values[link], width=network.capacities[link])
    return graph


def assert_is_a_way(network, route, source, target):
    assert network.link_works[list(route.links)].all()
    assert (route.nodes[0], route.nodes[-1]) == (source, target)
    assert len(set(route.nodes)) == len(route.nodes)
    assert list(network.sources[list(route.links)]) == list(route.nodes[:-1])
    assert list(network.targets[list(route.links)]) == list(route.nodes[1:])


def some_pairs(network, count=60):
    pairs = [(s, t) for s in range(network.n_nodes) for t in range(network.n_nodes) if s != t]
    return [pairs[i] for i in np.random.default_rng(0).choice(len(pairs), count, replace=False)]


def constant(amount):
    return lambda trips: np.full(len(trips.costs), amount)


@pytest.mark.row("B2")
@pytest.mark.parametrize("seed", range(3))
def test_routes_are_within_two_percent_of_dijkstras(seed):
    network = small_world(seed)
    ants = PacketAnts(network, rng=np.random.default_rng(seed))
    before = [ants.route(*pair).costs["latency"] for pair in some_pairs(network)]
    costs = ants.round(100)
    routes = [ants.route(*pair) for pair in some_pairs(network)]
    lengths = dict(nx.all_pairs_dijkstra_path_length(as_graph(network, network.delays)))
    best = np.array([lengths[source][target] for source, target in some_pairs(network)])
    found = np.array([route.costs["latency"] for route in routes])
    for route, (source, target) in zip(routes, some_pairs(network), strict=True):
        assert_is_a_way(network, route, source, target)
    assert (found >= best - 1e-9).all()
    assert (found / best).mean() <= 1.02
    assert (before / best).mean() > (found / best).mean()
    assert costs[-10:].mean() < 0.7 * costs[:1].mean()
    assert ants.statistics()["latency"].lost == 0


@pytest.mark.row("B2")
def test_widest_paths_are_a_kind_that_ants_learn_slowly():
    """Nothing says how wide a way is before an ant has come through: see the page's figures."""
    network = small_world(5)
    ants = PacketAnts(network, ["width"], rng=np.random.default_rng(1))
    tree = nx.maximum_spanning_tree(
        as_graph(network, -network.capacities).to_undirected(), weight="width"
    )
    gaps = []
    for _ in range(2):
        ratios = []
        for source, target in some_pairs(network):
            steps = nx.utils.pairwise(nx.shortest_path(tree, source, target))
            widest = min(tree.edges[step]["width"] for step in steps)
            cost = ants.route(source, target, kind="width").costs["width"]
            assert cost >= 1.0 / widest
            ratios.append(cost * widest)
        gaps.append(np.mean(ratios) - 1.0)
        ants.round(150)
    assert gaps[1] <= 0.02 < gaps[0]


@pytest.mark.row("B2")
def test_several_routes_are_near_yens():
    network = small_world(7)
    ants = PacketAnts(network, rng=np.random.default_rng(2))
    ants.round(30)
    graph, ratios = as_graph(network, network.delays), []
    for source, target in some_pairs(network, 15):
        routes = ants.routes(source, target, count=3, walks=512)
        assert len({route.links for route in routes}) == 3
        paths = nx.shortest_simple_paths(graph, source, target, weight="weight")
        best = [nx.path_weight(graph, next(paths), "weight") for _ in range(3)]
        found = [route.costs["latency"] for route in routes]
        assert found == sorted(found)
        assert all(f >= b - 1e-9 for f, b in zip(found, best, strict=True))
        ratios.append(sum(found) / sum(best))
    assert np.mean(ratios) <= 1.02


@pytest.mark.row("B3")
@pytest.mark.parametrize("seed", range(4))
def test_the_front_is_that_of_the_exact_labels(seed):
    network = small_world(seed, 40, 6)
    ants = PacketAnts(network, ("latency", "reliability"), rng=np.random.default_rng(seed))
    ants.round(10)
    costs = network.delays, -np.log(network.reliabilities)
    exact = packets.pareto_front(network, costs, 0, 20)
    routes = ants.front(0, 20)
    found = [tuple(route.costs.values()) for route in routes]
    for route in routes:
        assert_is_a_way(network, route, 0, 20)
    reference = tuple(1.1 * np.max(exact, axis=0))
    share = packets.hypervolume(found, reference) / packets.hypervolume(exact, reference)
    assert 0.98 <= share <= 1.0 + 1e-12
    assert len(exact) >= 2


def test_the_front_by_weights_is_the_cheapest_way():
    network = small_world(3)
    ants = PacketAnts(network, ("latency", "reliability"), rng=np.random.default_rng(0))
    losses = -np.log(network.reliabilities)
    prices = 3.0 * network.delays / network.delays.mean() + losses / losses.mean()
    route = ants.route(0, 15, weights={"latency": 3.0, "reliability": 1.0})
    best = nx.dijkstra_path_length(as_graph(network, prices), 0, 15)
    assert prices[list(route.links)].sum() == pytest.approx(best)


@pytest.mark.row("B3")
def test_the_identity_decouples_kinds_bit_for_bit():
    network, kinds = small_world(1), ("latency", "reliability", "load")
    together = PacketAnts(network, kinds, np.eye(3), rng=np.random.default_rng(4))
    default = PacketAnts(network, kinds, rng=np.random.default_rng(4))
    alone = [PacketAnts(network, [kind], rng=np.random.default_rng(4)) for kind in kinds]
    for ants in (together, default, *alone):
        ants.round(8)
    assert (together.trails == default.trails).all()
    for row, ants in enumerate(alone):
        assert (together.trails[row] == ants.trails[0]).all()
    assert not (together.trails[0] == together.trails[1]).all()


@pytest.mark.row("B3")
def test_interaction_lets_a_kind_follow_anothers_trail():
    network, kinds = small_world(1), ("latency", "reliability")
    coupled = PacketAnts(network, kinds, [[1, 0], [3, 1]], rng=np.random.default_rng(4))
    free = PacketAnts(network, kinds, rng=np.random.default_rng(4))
    coupled.round(20), free.round(20)
    # Latency perceives nothing new; reliability is drawn to latency's ways.
    assert (coupled.trails[0] == free.trails[0]).all()
    apart = np.abs(free.trails[1] - free.trails[0]).sum()
    assert np.abs(coupled.trails[1] - coupled.trails[0]).sum() < 0.9 * apart


@pytest.mark.row("B4")
@pytest.mark.parametrize("amount", [1.5, 2.0, 0.5])
def test_trails_follow_the_closed_form(amount):
    line = Network([0, 1], [1, 0], 1.0)
    kind = PheromoneKind(
        "plain", hops, constant(amount), relative=False, evaporation=0.1, floor=0.01, cap=1e6
    )
    ants = PacketAnts(line, [kind], rng=np.random.default_rng(0), ants=1)
    for t in range(1, 40):
        ants.round()
        limit = amount / 0.1
        assert ants.trails[0, 1, 0] == pytest.approx(limit + 0.9**t * (0.01 - limit))


@pytest.mark.row("B4")
def test_trails_keep_their_caps_and_floors():
    network = small_world(2)
    kind = PheromoneKind(
        "plain", hops, constant(1.5), relative=False, evaporation=0.1, floor=0.5, cap=4.0
    )
    ants = PacketAnts(network, [kind, "latency"], rng=np.random.default_rng(0))
    ants.round(30)
    plain, latency = ants.trails
    assert (plain.min(), plain.max()) == (0.5, 4.0)
    assert latency.min() >= 1e-3
    assert latency.max() <= 1.0


@pytest.mark.row("B4")
def test_shares_follow_the_closed_form():
    """Two links to one node: the one that all use takes 1 − (1 − r)^t of the rest over."""
    twins = Network([0, 0, 1], [1, 1, 0], 1.0, [1.0, 5.0, 1.0])
    kind = PheromoneKind("some", latencies, lambda trips: 0.2 * (trips.costs < 2.0), floor=1e-9)
    ants = PacketAnts(twins, [kind], rng=np.random.default_rng(0), ants=1)
    taken = 0
    for _ in range(30):
        before = ants.trails[0, 1, 0]
        ants.round()
        taken += ants.trails[0, 1, 0] != before
        assert ants.trails[0, 1, 0] == pytest.approx(1.0 - 0.8**taken * 0.5)
        assert ants.trails[0, 1, :2].sum() == pytest.approx(1.0)
    assert taken > 10


def test_a_round_is_that_of_the_naive_reference(monkeypatch):
    network, found = small_world(9, 12), []

    def recorded(*arguments, **options):
        found.append(walked(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(packet_colony, "walked", recorded)
    rule = lambda trips: 0.3 / trips.costs  # noqa: E731
    kind = PheromoneKind("own", latencies, rule, relative=True, evaporation=0.2, floor=0.05)
    ants = PacketAnts(network, [kind], rng=np.random.default_rng(3), ants=2)
    before = ants.trails[0]
    ants.round()
    paths = [path[path >= 0] for path in found[0]]
    assert [network.sources[path[0]] for path in paths] == np.repeat(range(12), 2).tolist()
    for target in range(12):
        own = [path for path in paths if network.targets[path[-1]] == target]
        amounts = [0.3 / np.cumsum(network.delays[path][::-1])[::-1] for path in own]
        expected = packets.laid(
            network, own, amounts, before[target], kept=0.8, floor=0.05, cap=1.0, relative=True
        )
        np.testing.assert_allclose(ants.trails[0, target], expected)


def test_models_are_the_trips_own_averages():
    twins, seen = Network([0, 0, 1], [1, 1, 0], 1.0, [1.0, 5.0, 2.0]), []
    kind = PheromoneKind("own", latencies, lambda trips: seen.append(trips) or 0.0 * trips.costs)
    ants = PacketAnts(twins, [kind], rng=np.random.default_rng(3), ants=1)
    ants.round(50)
    costs = np.array([trips.costs[0] for trips in seen])
    assert set(costs) == {1.0, 5.0}
    assert [trips.means[0] for trips in seen] == pytest.approx(
        [costs[: i + 1].mean() for i in range(50)]
    )
    assert seen[-1].deviations[0] == pytest.approx(costs.std())
    assert [trips.best[0] for trips in seen] == [costs[: i + 1].min() for i in range(50)]
    assert seen[-1].counts.tolist() == [50, 50]
    assert seen[0].degrees.tolist() == [2, 1]


def trips_of(costs, best=10.0, degree=3, mean=12.0):
    n = len(costs)
    full, whole = np.full, np.zeros(n, np.int64)
    return Trips(
        whole, whole + 1, np.array(costs), full(n, best), full(n, mean), full(n, 2.0), whole + 400,
        whole + degree,
    )  # fmt: skip


def test_the_better_trip_lays_more_and_the_best_the_gain():
    amounts = TripQuality(gain=0.5)(trips_of([10.0, 11.0, 15.0, 40.0]))
    assert amounts[0] == 0.5
    assert (np.diff(amounts) < 0).all()
    assert amounts[-1] > 0
    assert (TripQuality()(trips_of([0.0, 0.0], best=0.0, mean=0.0)) == 0.02).all()


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e200, 1e298])
def test_costs_may_be_nothing_tiny_or_huge(scale):
    network = small_world(0)
    delays = scale * network.delays
    network = Network(network.sources, network.targets, 1.0, delays)
    ants = PacketAnts(network, rng=np.random.default_rng(0))
    ants.round(30)
    best = nx.dijkstra_path_length(as_graph(network, delays), 0, 15)
    assert best <= ants.route(0, 15).costs["latency"] <= 1.5 * best
    assert ants.front(0, 15)[0].costs["latency"] == pytest.approx(best)


@pytest.mark.row("B6")
def test_after_failures_ants_go_round_and_pairs_without_a_way_are_named():
    gaps = []
    for seed in (4, 5, 6):
        network = small_world(seed)
        ants = PacketAnts(network, rng=np.random.default_rng(1))
        ants.round(30)
        used = ants.route(0, 15).links
        ants.fail(links=[used[0]], nodes=[7])
        route = ants.route(0, 15)
        assert used[0] not in route.links
        assert_is_a_way(ants.network, route, 0, 15)
        others = [node for node in range(30) if node != 7]
        cut = sorted([[7, node] for node in others] + [[node, 7] for node in others])
        assert ants.unreachable.tolist() == cut
        ants.round()
        assert ants.statistics()["latency"].lost == 0
        ants.round(80)
        best = dict(nx.all_pairs_dijkstra_path_length(as_graph(ants.network, network.delays)))
        pairs = [pair for pair in some_pairs(network) if 7 not in pair]
        gaps += [ants.route(*pair).costs["latency"] / best[pair[0]][pair[1]] for pair in pairs]
    assert np.mean(gaps) <= 1.02


@pytest.mark.row("B6")
def test_what_is_repaired_is_used_again():
    twins = Network([0, 0, 1], [1, 1, 0], 1.0, [1.0, 5.0, 1.0])
    ants = PacketAnts(twins, rng=np.random.default_rng(1))
    ants.fail(links=[0])
    ants.round(50)
    assert ants.route(0, 1).links == (1,)
    ants.repair(links=[0])
    # A fresh half beside the other's whole, nine tenths of it, and a tenth spread evenly.
    assert ants.trails[0, 1, 0] == pytest.approx(0.9 / 3.0 + 0.05, abs=0.001)
    ants.round(200)
    assert ants.route(0, 1, walks=1).links == (0,)
    assert ants.trails[0, 1, 0] > 0.9


def test_a_bridge_cuts_exactly_its_pairs():
    path = Network([0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2], 1.0, names=list("abcd"))
    ants = PacketAnts(path, rng=np.random.default_rng(1))
    assert ants.unreachable.tolist() == []
    ants.fail(links=path.links_between("c", "d", both_ways=True))
    assert ants.unreachable.tolist() == UNREACHABLE
    with pytest.raises(NoRouteError, match="a to d"):
        ants.route("a", "d")
    with pytest.raises(NoRouteError, match="d to b"):
        ants.front("d", "b", kinds=["latency"])
    ants.round(2)
    assert ants.route("a", "c").nodes == (0, 1, 2)


@pytest.mark.row("B9")
def test_where_there_is_one_path_branching_is_one_and_nothing_is_open():
    line = Network([0, 1, 2], [1, 2, 0], 1.0)
    ants = PacketAnts(line, rng=np.random.default_rng(0))
    ants.round(3)
    statistics = ants.statistics()["latency"]
    assert (statistics.branching, statistics.entropy, statistics.lost) == (1.0, 0.0, 0)
    assert 1.0 < statistics.mean_cost < 2.0


@pytest.mark.row("B9")
def test_entropy_and_branching_fall_as_ants_agree():
    ants = PacketAnts(small_world(0), rng=np.random.default_rng(0))
    start = ants.statistics()["latency"]
    degrees = np.diff(ants.network.out_starts)
    assert start.branching == pytest.approx(degrees.mean())
    assert start.entropy == pytest.approx(np.log2(degrees).mean())
    assert np.isnan(start.mean_cost)
    ants.round(200)
    end = ants.statistics()["latency"]
    assert end.branching < 0.6 * start.branching
    assert end.entropy < 0.5 * start.entropy


def test_snapshots_go_on_as_the_ants_did_and_are_not_changed():
    network = small_world(6)
    ants = PacketAnts(network, ("latency", "load"), rng=np.random.default_rng(0))
    ants.round(5)
    ants.fail(nodes=[3])
    state = ants.snapshot()
    ants.round(5)
    other = PacketAnts(network, ("latency", "load"), rng=np.random.default_rng(99))
    for _ in range(2):
        other.restore(state)
        assert not other.network.node_works[3]
        other.round(5)
        assert (other.trails == ants.trails).all()
        assert (other.loads == ants.loads).all()
        assert other.route(0, 9) == ants.route(0, 9)
    for stranger in (
        PacketAnts(network, ("latency",), rng=np.random.default_rng(0)),
        PacketAnts(small_world(6, 20), ("latency", "load"), rng=np.random.default_rng(0)),
    ):
        before = stranger.trails
        with pytest.raises(InputError, match="snapshot is of kinds"):
            stranger.restore(state)
        assert (stranger.trails == before).all()


def test_numbers_do_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr("swarmloom.device.BAND_ELEMENTS", 1 << 10)
    network, trails = small_world(8), []
    for threads in (1, 4):
        with use_threads(threads):
            ants = PacketAnts(network, ("latency", "load"), rng=np.random.default_rng(0))
            ants.round(6)
            trails.append(ants.trails)
    assert (trails[0] == trails[1]).all()


@pytest.mark.row("B5")
def test_load_ants_spread_what_latency_ants_pile_up():
    """Two ways of capacities 1 and 2, demand 1.5: the least utilisation is a half."""
    parallel = Network([0, 0], [1, 1], [1.0, 2.0])
    ants = PacketAnts(
        parallel, ["load", "latency"], rng=np.random.default_rng(0), demands={(0, 1): 1.5}, ants=40
    )
    ants.round(600)
    carried = ants.traffic("load", walks=2000)
    assert carried.sum() == pytest.approx(1.5)
    assert carried / parallel.capacities == pytest.approx(0.5, abs=0.06)
    assert ants.loads[0] == pytest.approx([0.5, 1.0], abs=0.12)


def test_ants_go_where_the_traffic_does():
    network, seen = small_world(0), []
    kind = PheromoneKind("own", hops, lambda trips: seen.append(trips) or 0.0 * trips.costs)
    demands = {(0, 5): 3.0, (0, 9): 1.0, (4, 9): 2.0}
    ants = PacketAnts(network, [kind], rng=np.random.default_rng(0), demands=demands, ants=400)
    ants.round()
    trips = seen[0]
    first = np.flatnonzero(np.concatenate(([True], np.diff(trips.costs) >= 0)))
    ends = list(zip(trips.nodes[first].tolist(), trips.targets[first].tolist(), strict=True))
    assert set(ends) == set(demands)
    assert ends.count((4, 9)) == 400
    assert ends.count((0, 5)) == pytest.approx(300, abs=40)
    assert ants.traffic(walks=8).sum() >= 6.0


def test_a_limit_of_links_loses_ants_and_says_so():
    line = Network([0, 1, 2, 3], [1, 2, 3, 0], 1.0)
    ants = PacketAnts(line, rng=np.random.default_rng(0), most_links=2)
    ants.round()
    assert ants.statistics()["latency"].lost > 0
    with pytest.raises(NoRouteError, match="no ant came from 0 to 3 in 2 links"):
        ants.route(0, 3)


@pytest.mark.parametrize("network", [Network([], [], 1.0), Network([], [], 1.0, names=["a", "b"])])
def test_networks_without_links_have_nothing_to_do(network):
    ants = PacketAnts(network, rng=np.random.default_rng(0))
    assert np.isnan(ants.round(2)).all()
    assert len(ants.unreachable) == network.n_nodes * (network.n_nodes - 1)
    assert np.isnan(ants.traffic()).sum() == 0
    assert ants.statistics()["latency"].lost == 0


RING = Network([0, 1, 2], [1, 2, 0], 1.0, names=["a", "b", "c"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["smell"]}, "kind 'smell' has no rule"),
        ({"kinds": []}, "at least one"),
        ({"kinds": ["latency", "latency"]}, "no two of one name"),
        ({"interaction": np.eye(2)}, r"shape \(2, 2\)"),
        ({"interaction": [[np.nan]]}, "1 of it not finite"),
        ({"ants": 0}, "ants is 0"),
        ({"most_links": 0}, "most_links is 0"),
        ({"load_step": 2.0}, "load_step is 2"),
        ({"demands": {("a", "z"): 1.0}}, "no node 'z'"),
        ({"demands": {("a", "b"): -1.0}}, "demand from a to b is -1"),
        ({"rng": 3}, "numpy.random.Generator"),
        ({"device": "tpu"}, "'tpu' is not one of"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        PacketAnts(RING, **{"rng": np.random.default_rng(0), **options}).round()


def test_more_ants_than_memory_allows_are_refused_and_fewer_are_not():
    rng = np.random.default_rng(0)
    with pytest.raises(MemoryLimitError, match="10000000000 ants from each of 3 nodes"):
        PacketAnts(RING, rng=rng, ants=10**10)
    with pytest.raises(MemoryLimitError, match=r"allowed: memory_limit .* or 18 ants"):
        PacketAnts(RING, rng=rng, ants=100, memory_limit=10_000)
    ants = PacketAnts(RING, rng=rng, ants=18, memory_limit=10_000)
    ants.round()
    with pytest.raises(MemoryLimitError, match="allowed by memory_limit: 1250 walks"):
        ants.route(0, 1, walks=10**6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deposit": None}, "kind 'x' has no rule: deposit is None"),
        ({"cost": None}, "kind 'x' has no rule: cost is None"),
        ({"name": ""}, "name of a kind is ''"),
        ({"evaporation": 1.0}, "evaporation of kind 'x' is 1"),
        ({"floor": 0.0}, "floor of kind 'x' is 0"),
        ({"cap": 1e-4}, "cap of kind 'x' is 0.0001"),
    ],
)
def test_kinds_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        PheromoneKind(**{"name": "x", "cost": hops, "deposit": TripQuality(), **changes})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"cost": lambda network, loads: [1.0, -1.0, 1.0]}, r"link 1 \(b → c\) is -1"),
        ({"cost": lambda network, loads: [np.nan, 1.0, 1.0]}, r"link 0 \(a → b\) is nan"),
        (
            {"cost": lambda network, loads: [1.0, 1.0, np.inf]},
            r"\(c → a\) is inf; allowed: 0 to 1e",
        ),
        ({"cost": lambda network, loads: [1.0]}, r"shape \(1,\)"),
        ({"deposit": lambda trips: -1.0 + 0 * trips.costs}, "from node 0 to . is -1"),
        ({"deposit": lambda trips: 1.0 + 0 * trips.costs}, "is 1.0; allowed: 0 to 0.95"),
        ({"deposit": lambda trips: 0.1}, r"shape \(\)"),
        ({"deposit": lambda trips: ["a"]}, "deposits of kind 'own'"),
    ],
)
def test_wrong_rules_are_named_and_no_trail_is_changed(rule, message):
    own = dataclasses.replace(KINDS["latency"], name="own", **rule)
    ants = PacketAnts(RING, ["latency", own], rng=np.random.default_rng(0))
    before = ants.trails
    with pytest.raises(InputError, match=message):
        ants.round()
    assert (ants.trails == before).all()
    assert ants.rounds == 0


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda ants: ants.route(0, 9), "node is 9"),
        (lambda ants: ants.route("a", "nowhere"), "no node 'nowhere'"),
        (lambda ants: ants.route(1, 1), "source and target are both b"),
        (lambda ants: ants.route(0, 1, kind="load"), "no kind 'load'; allowed: latency, width"),
        (lambda ants: ants.route(0, 1, weights={}), "none, or one twice"),
        (lambda ants: ants.route(0, 1, weights={"latency": -1}), "weight of 'latency' is -1"),
        (lambda ants: ants.route(0, 1, weights={"latency": 0}), "weights are all 0"),
        (lambda ants: ants.route(0, 1, kind="latency", weights={"latency": 1}), "one of the two"),
        (lambda ants: ants.front(0, 1), "'width' is of the widest path"),
        (lambda ants: ants.routes(0, 1, count=0), "count is 0"),
        (lambda ants: ants.traffic(walks=0), "walks is 0"),
        (lambda ants: ants.round(-1), "n is -1"),
        (lambda ants: ants.fail(links=[5]), "link is 5"),
        (lambda ants: ants.fail(nodes=["z"]), "no node 'z'"),
    ],
)
def test_questions_are_checked(question, message):
    ants = PacketAnts(RING, ("latency", "width"), rng=np.random.default_rng(0))
    before = ants.trails
    with pytest.raises(InputError, match=message):
        question(ants)
    assert (ants.trails == before).all()

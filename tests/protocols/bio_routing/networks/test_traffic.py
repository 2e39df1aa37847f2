import itertools

import networkx as nx
import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.repetita import read_demands
from swarmloom_protocols.bio_routing.networks.traffic import split_traffic
from tests.naive.traffic import unreachable_pairs

METHODS = ("pheromone", "mw", "fw", "ecmp", "lp")
ECMP = {"Abilene": 1.068991, "Geant2012": 2.154049, "AttMpls": 1.725819, "Cogentco": 1.721701}
# Of the linear program, by HiGHS; the last one takes it a quarter of a minute.
OPTIMA = {"Abilene": 0.9, "Geant2012": 0.9, "AttMpls": 0.9, "Cogentco": 0.8984753}


def shared(shared_data, name):
    folder = shared_data / "networks"
    network = Network.from_repetita(folder / f"{name}.graph")
    return network, read_demands(folder / f"{name}.0000.demands", network.n_nodes)


def generated(seed, n=20, extra=14):
    """A ring with chords, capacities of three sizes, gravity demands."""
    rng = np.random.default_rng(seed)
    graph = nx.cycle_graph(n)
    while graph.number_of_edges() < n + extra:
        graph.add_edge(*rng.choice(n, 2, replace=False).tolist())
    for edge in graph.edges.values():
        edge["capacity"] = float(rng.choice([1.0, 4.0, 10.0]))
    mass = rng.lognormal(0.0, 1.0, n)
    demands = np.outer(mass, mass)
    np.fill_diagonal(demands, 0.0)
    return Network.from_networkx(graph), demands


def physical(network):
    """Both directions of each link of a file of REPETITA or of an undirected graph."""
    return [[link, link + 1] for link in range(0, network.n_links, 2)]


def all_paths(split):
    for source, target in itertools.permutations(range(split.network.n_nodes), 2):
        yield source, target, split.paths(source, target)


def check(split):
    """Every path is simple, works and leads where it should; they carry what the loads say."""
    loads = np.zeros(split.network.n_links)
    lost = {tuple(pair) for pair in split.unreachable.tolist()}
    for source, target, paths in all_paths(split):
        wanted = split.demands[source, target] > 0 and (source, target) not in lost
        assert sum(path.share for path in paths) == pytest.approx(float(wanted), abs=1e-6)
        for path in paths:
            assert len(set(path.nodes)) == len(path.nodes) == len(path.links) + 1
            assert (path.nodes[0], path.nodes[-1]) == (source, target)
            for link, (here, there) in zip(path.links, itertools.pairwise(path.nodes), strict=True):
                assert split.network.link_works[link]
                assert split.network.sources[link] == here
                assert split.network.targets[link] == there
                loads[link] += path.share * split.demands[source, target]
    np.testing.assert_allclose(loads, split.loads, rtol=1e-5, atol=1e-6 * split.loads.max())


@pytest.mark.row("B5")
@pytest.mark.parametrize("name", ECMP)
def test_even_splits_of_the_shared_networks(shared_data, name):
    split = split_traffic(*shared(shared_data, name), method="ecmp")
    assert split.max_utilisation == pytest.approx(ECMP[name], abs=1e-6)
    assert split.delivered == 1.0


@pytest.mark.row("B5")
@pytest.mark.parametrize("name", ["Abilene", "Geant2012", "AttMpls"])
def test_the_program_finds_and_proves_the_optimum(shared_data, name):
    split = split_traffic(*shared(shared_data, name), method="lp")
    assert split.max_utilisation == pytest.approx(0.9, abs=2e-5)
    assert split.lower_bound == pytest.approx(split.max_utilisation, rel=1e-6)


@pytest.mark.row("B5")
@pytest.mark.parametrize("name", OPTIMA)
def test_pheromone_comes_within_a_percent_on_the_shared_networks(shared_data, name):
    split = split_traffic(*shared(shared_data, name), tolerance=0.005)
    assert OPTIMA[name] * (1 - 1e-4) <= split.max_utilisation <= 1.01 * OPTIMA[name]
    assert split.lower_bound <= OPTIMA[name] * (1 + 1e-6)
    assert split.max_utilisation <= 1.005 * split.lower_bound
    assert split.trace.rounds <= 60
    assert split.trace.max_utilisation[-1] == split.max_utilisation


@pytest.mark.row("B5")
@pytest.mark.parametrize("seed", range(6))
def test_pheromone_comes_within_a_percent_on_generated_networks(seed):
    network, demands = generated(seed)
    best = split_traffic(network, demands, method="lp")
    split = split_traffic(network, demands)
    assert best.max_utilisation * (1 - 1e-6) <= split.max_utilisation
    assert split.max_utilisation <= 1.01 * best.max_utilisation
    assert best.max_utilisation * 0.98 <= split.lower_bound
    assert split.lower_bound <= best.max_utilisation * (1 + 1e-6)


@pytest.mark.row("B5")
@pytest.mark.parametrize("method", METHODS)
def test_no_path_has_a_loop_and_all_arrives(method):
    network, demands = generated(7, n=12, extra=8)
    split = split_traffic(network, demands, method=method)
    check(split)
    assert split.delivered == 1.0
    assert split.lower_bound <= split.max_utilisation * (1 + 1e-9)


@pytest.mark.row("B5")
@pytest.mark.parametrize("method", ["pheromone", "mw", "fw", "lp"])
def test_parallel_links_are_filled_alike(method):
    network = Network([0, 0], [1, 1], [1.0, 2.0])
    split = split_traffic(network, {("0", "1"): 1.5}, method=method, tolerance=0.003, rounds=500)
    # The prices of multiplicative weights take turns between the two links to the end.
    accuracy = 0.02 if method == "mw" else 0.003
    assert split.max_utilisation == pytest.approx(0.5, rel=accuracy)
    assert split.lower_bound == pytest.approx(0.5, rel=0.2 if method == "mw" else 0.003)
    assert [path.links for path in split.paths(0, 1)] == [(1,), (0,)]
    assert split.paths(0, 1)[0].share == pytest.approx(2 / 3, rel=accuracy)


def test_weights_and_frank_wolfe_come_near(shared_data):
    given = shared(shared_data, "Abilene")
    for method in ("mw", "fw"):
        split = split_traffic(*given, method=method, rounds=500)
        assert 0.9 * (1 - 1e-4) <= split.max_utilisation <= 1.01 * 0.9
        assert split.max_utilisation == pytest.approx(split.trace.max_utilisation[-1])


@pytest.mark.row("B6")
def test_each_failure_of_abilene(shared_data):
    network, demands = shared(shared_data, "Abilene")
    before = split_traffic(network, demands, tolerance=0.002)
    optima = []
    for links in physical(network):
        best = split_traffic(network.fail(links), demands, method="lp").max_utilisation
        optima.append(best)
        one, five = (before.fail(links, rounds=rounds) for rounds in (1, 5))
        assert one.delivered == 1.0
        assert len(one.unreachable) == 0
        assert five.max_utilisation <= 1.02 * best
        assert before.fail(links).max_utilisation <= 1.003 * best
    anchors = [0.9] * 5 + [0.9824, 1.2853, 1.3189, 1.3435, 1.3435, 1.3989, 1.3989, 1.8, 1.8]
    np.testing.assert_allclose(sorted(optima), anchors, atol=6e-5)


@pytest.mark.row("B6")
def test_failures_of_bridges_name_the_pairs_they_cut(shared_data):
    network, demands = shared(shared_data, "Geant2012")
    before = split_traffic(network, demands)
    graph = nx.Graph(zip(network.sources.tolist(), network.targets.tolist(), strict=True))
    bridges = list(nx.bridges(graph))
    assert len(bridges) == 8
    for source, target in bridges:
        after = before.fail(network.links_between(source, target, both_ways=True), rounds=1)
        assert len(after.unreachable) == 78
        assert after.unreachable.tolist() == unreachable_pairs(after.network, demands)
        assert after.delivered == 1.0


@pytest.mark.row("B6")
def test_what_is_left_right_after_a_failure(shared_data):
    network, demands = shared(shared_data, "AttMpls")
    before = split_traffic(network, demands)
    left = before.fail(links=[0, 1], rounds=0)
    assert left.trace.rounds == 0
    assert 0.9 < left.delivered < 1.0
    after = before.fail(links=[0, 1], rounds=20)
    assert after.trace.max_utilisation[0] == left.max_utilisation
    assert after.trace.delivered[0] == left.delivered
    assert (after.trace.delivered[1:] == 1.0).all()
    assert before.network.link_works.all()
    check(after)


@pytest.mark.row("B6")
@pytest.mark.parametrize("method", METHODS)
def test_a_node_fails_and_comes_back(method):
    network, demands = generated(3, n=12, extra=8)
    before = split_traffic(network, demands, method=method)
    after = before.fail(nodes=[5])
    gone = [[a, b] for a in range(12) for b in range(12) if 5 in (a, b) and a != b]
    assert after.unreachable.tolist() == gone
    assert after.delivered == 1.0
    check(after)
    again = after.restore(nodes=["5"])
    assert len(again.unreachable) == 0
    check(again)
    best = split_traffic(network, demands, method="lp").max_utilisation
    if method in ("pheromone", "lp"):
        assert again.max_utilisation <= 1.01 * best


@pytest.mark.row("B6")
def test_failures_one_after_the_other():
    network, demands = generated(4)
    split = split_traffic(network, demands)
    rng = np.random.default_rng(0)
    for links in rng.permutation(physical(network))[:10].tolist():
        split = split.fail(links, rounds=60)
        assert split.unreachable.tolist() == unreachable_pairs(split.network, demands)
        assert split.delivered == 1.0
        if split.trace.rounds:
            best = split_traffic(split.network, demands, method="lp").max_utilisation
            assert split.max_utilisation <= 1.011 * best


def test_a_network_in_parts():
    network = Network([0, 1, 2, 3], [1, 0, 3, 2], 1.0)
    demands = np.ones((4, 4)) - np.eye(4)
    for method in METHODS:
        split = split_traffic(network, demands, method=method)
        assert split.unreachable.tolist() == unreachable_pairs(network, demands)
        assert split.max_utilisation == pytest.approx(1.0)
        assert split.delivered == 1.0
        assert split.paths(0, 2) == ()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_send_and_nothing_to_send_it_over(method):
    idle = split_traffic(Network([0], [1], 1.0), np.zeros((2, 2)), method=method)
    assert idle.max_utilisation == 0.0
    assert idle.delivered == 1.0
    assert idle.unreachable.shape == (0, 2)
    bare = split_traffic(Network([], [], [], names=["a", "b"]), {("a", "b"): 1.0}, method=method)
    assert bare.unreachable.tolist() == [[0, 1]]
    assert bare.max_utilisation == 0.0


def test_the_same_on_any_number_of_threads_and_from_read_only_demands():
    network, demands = generated(1)
    demands.flags.writeable = False
    loads = []
    for threads in (1, 3):
        with use_threads(threads):
            loads.append(split_traffic(network, demands).loads)
    np.testing.assert_array_equal(*loads)


def test_more_demand_than_room_is_split_alike():
    network, demands = generated(2)
    usual, ample = (split_traffic(network, factor * demands) for factor in (1.0, 1000.0))
    assert ample.max_utilisation == pytest.approx(1000 * usual.max_utilisation, rel=0.01)


@pytest.mark.parametrize(
    ("demands", "message"),
    [
        ([[0, -1], [0, 0]], "demand from 0 to 1 is -1.0; allowed: finite, ≥ 0"),
        ([[0, 0], [np.nan, 0]], "demand from 1 to 0 is nan"),
        ([[0, np.inf], [0, 0]], "demand from 0 to 1 is inf"),
        ([[1, 0], [0, 0]], "demand from 0 to 0 is 1.0"),
        (np.zeros((3, 3)), r"demands are of shape \(3, 3\); allowed: \(2, 2\)"),
        ({("0", "z"): 1.0}, "no node 'z'"),
        ({(0, 2): 1.0}, "node is 2; allowed"),
        ({(0, 1): -2.0}, "demand from 0 to 1 is -2.0"),
        ({(0, 1): "much"}, "demand from 0 to 1 is 'much'"),
        ([["much", "more"], [0, 0]], "demands of type"),
    ],
)
def test_wrong_demands_are_named(demands, message):
    with pytest.raises(InputError, match=message):
        split_traffic(Network([0, 1], [1, 0], 1.0), demands)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "ospf"}, "method is 'ospf'; allowed: 'pheromone', 'mw', 'fw', 'ecmp', 'lp'"),
        ({"rounds": 0}, "rounds is 0"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"tolerance": np.nan}, "tolerance is nan"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(InputError, match=message):
        split_traffic(Network([0, 1], [1, 0], 1.0), {(0, 1): 1.0}, **change)


def test_a_failure_that_names_no_link_changes_nothing():
    network, demands = generated(1)
    split = split_traffic(network, demands)
    loads = split.loads.copy()
    with pytest.raises(InputError, match="link is 999"):
        split.fail(links=[0, 999])
    with pytest.raises(InputError, match="rounds is -1"):
        split.fail(links=[0], rounds=-1)
    np.testing.assert_array_equal(split.loads, loads)
    assert split.network.link_works.all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9, 1e12])
def test_the_program_does_not_depend_on_the_unit_of_demands(scale):
    """Capacities that are tiny beside the demands are not taken for 0 by the solver."""
    network = Network([0, 0, 1, 2], [1, 2, 3, 3], [10.0, 5.0, 10.0, 5.0], names="abcd")
    demands = {("a", "d"): 9.0 * scale, ("b", "d"): scale}
    split = split_traffic(network, demands, method="lp")
    assert split.max_utilisation / scale == pytest.approx(2 / 3)
    assert split.lower_bound / scale == pytest.approx(2 / 3)

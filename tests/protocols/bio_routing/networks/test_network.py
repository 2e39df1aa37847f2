import networkx as nx
import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.repetita import read_demands, read_graph


@pytest.fixture
def square():
    """A square with a second link along one side: 0 → 1 → 2 → 3 → 0, and 0 → 1 again."""
    return Network([0, 1, 2, 3, 0], [1, 2, 3, 0, 1], [1, 2, 3, 4, 5], names=["a", "b", "c", "d"])


def links_of(starts, links, node):
    return links[starts[node] : starts[node + 1]].tolist()


def test_links_are_listed_by_both_ends(square):
    out = [links_of(square.out_starts, square.out_links, node) for node in range(4)]
    into = [links_of(square.in_starts, square.in_links, node) for node in range(4)]
    assert out == [[0, 4], [1], [2], [3]]
    assert into == [[3], [0, 4], [1], [2]]
    assert square.delays.tolist() == [1] * 5
    assert square.reliabilities.tolist() == [1] * 5
    assert square.capacities.dtype == np.float64
    assert square.out_links.dtype == square.sources.dtype == np.int64


def test_arrays_are_the_networks_own():
    sources, capacities = np.array([0, 1]), np.array([1.0, 2.0])
    network = Network(sources, [1, 2], capacities)
    sources[0], capacities[0] = 7, -1.0
    assert network.sources[0] == 0
    assert network.capacities[0] == 1.0
    capacities.flags.writeable = False
    assert Network([0, 1], [1, 2], capacities[1:].repeat(2)).capacities.flags.writeable


@pytest.mark.row("B6")
def test_what_fails_keeps_its_number_and_is_not_met(square):
    failed = square.fail(links=[0], nodes=["c"])
    assert failed.link_works.tolist() == [False, False, False, True, True]
    assert failed.node_works.tolist() == [True, True, False, True]
    assert links_of(failed.out_starts, failed.out_links, 0) == [4]
    assert failed.in_links.tolist() == [3, 4]
    assert square.link_works.all()
    assert failed.n_links == square.n_links
    assert "3 of them out of order" in repr(failed)


@pytest.mark.row("B6")
def test_a_node_brings_back_no_link_that_failed_by_itself(square):
    failed = square.fail(links=[1], nodes=["c"])
    assert failed.restore(nodes=["c"]).link_works.tolist() == [True, False, True, True, True]
    assert failed.restore(links=[1]).link_works.tolist() == [True, False, False, True, True]
    assert failed.restore(links=[1], nodes=[2]).link_works.all()


def test_links_between_nodes(square):
    assert square.links_between("a", "b").tolist() == [0, 4]
    assert square.links_between("a", 3).tolist() == []
    assert square.links_between("a", 3, both_ways=True).tolist() == [3]


def test_of_an_undirected_graph():
    graph = nx.path_graph(3)
    graph.edges[1, 2].update(capacity=5, delay=0.5, reliability=0.25)
    network = Network.from_networkx(graph)
    assert list(zip(network.sources, network.targets, strict=True)) == [
        (0, 1),
        (1, 0),
        (1, 2),
        (2, 1),
    ]
    assert network.capacities.tolist() == [1, 1, 5, 5]
    assert network.delays.tolist() == [1, 1, 0.5, 0.5]
    assert network.reliabilities.tolist() == [1, 1, 0.25, 0.25]


def test_of_a_directed_graph_of_names_and_of_numbers_out_of_order():
    named = Network.from_networkx(nx.MultiDiGraph([("x", "y"), ("x", "y")]))
    assert named.names == ("x", "y")
    assert named.links_between("x", "y").tolist() == [0, 1]
    numbered = Network.from_networkx(nx.DiGraph([(2, 0), (0, 1)]))
    assert numbered.sources.tolist() == [2, 0]
    assert Network.from_networkx(nx.empty_graph(2)).out_starts.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacities": [1, 0]}, r"capacities: link 1 \(b → c\) has 0.0; allowed: finite, above 0"),
        ({"capacities": [np.nan, 1]}, r"capacities: link 0 \(a → b\) has nan"),
        ({"capacities": [1, np.inf]}, "has inf"),
        ({"capacities": [1, 1, 1]}, r"shape \(3,\); allowed: one number, or one of each of the 2"),
        ({"capacities": ["x", "y"]}, "capacities of type"),
        ({"delays": [1, -1]}, r"delays: link 1 \(b → c\) has -1.0; allowed: finite, ≥ 0"),
        ({"delays": [np.nan, 0]}, "delays: link 0"),
        ({"reliabilities": [1, 1.5]}, r"reliabilities: link 1 \(b → c\) has 1.5; allowed: 0 to 1"),
        ({"targets": [1, 3]}, "link 1 is between nodes 1 and 3; allowed: 0 to 2"),
        ({"targets": [1, 1]}, r"link 1 \(b → b\) leads to where it begins"),
        ({"targets": [1, -1]}, "targets: link 1 has -1"),
        ({"targets": [1, 1.5]}, "targets: link 1 has 1.5"),
        ({"targets": [1, np.nan]}, "targets: link 1 has nan"),
        ({"targets": [1]}, "2 sources and 1 targets"),
        ({"targets": [[1, 2]]}, "targets are of shape"),
        ({"names": ["a", "b", "a"]}, "names: 'a'; allowed: text, no two alike"),
        ({"names": [1, 2, 3]}, "names: 1; allowed"),
    ],
)
def test_wrong_links_are_named(change, message):
    right = {"sources": [0, 1], "targets": [1, 2], "capacities": 1, "names": ["a", "b", "c"]}
    with pytest.raises(InputError, match=message):
        Network(**(right | change))


def test_unknown_nodes_and_links_are_named(square):
    with pytest.raises(InputError, match="no node 'e'"):
        square.fail(nodes=["e"])
    with pytest.raises(InputError, match="node is 4; allowed: whole numbers from 0 to 3"):
        square.node(4)
    with pytest.raises(InputError, match="link is -1; allowed: whole numbers from 0 to 4"):
        square.fail(links=[-1])


def test_shared_networks(shared_data):
    folder = shared_data / "networks"
    network = Network.from_repetita(folder / "Abilene.graph")
    assert (network.n_nodes, network.n_links) == (11, 28)
    assert network.names[1] == "1_Chicago"
    assert network.capacities[0] == 9953280
    assert network.delays[2] == 552
    demands = read_demands(folder / "Abilene.0000.demands", 11)
    assert demands[0, 2] == 84913
    assert np.count_nonzero(demands) == 110
    assert read_graph(folder / "Abilene.graph").positions[0].tolist() == [-74.00597, 40.71427]


GRAPH = """NODES 2
label x y
a 0 0
b 1 1

EDGES 1
label src dest weight bw delay
e 0 1 1 10 5
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NODES 2", "NODES x", r"line 1: 'NODES x'; allowed: NODES and a count"),
        ("EDGES 1", "EDGES 2", "1 lines of EDGES where 2 are announced"),
        ("e 0 1 1 10", "e 0 2 1 10", "line 8: node 2; allowed: 0 to 1"),
        ("e 0 1 1 10", "e 0 1 1 ten", "line 8: 'ten' is not a finite number"),
        ("e 0 1 1 10 5", "e 0 1 1 10", "line 8: 5 words; allowed: label src dest weight bw delay"),
    ],
)
def test_wrong_files_are_named_by_line(tmp_path, old, new, message):
    path = tmp_path / "small.graph"
    path.write_text(GRAPH)
    assert read_graph(path).capacities.tolist() == [10]
    path.write_text(GRAPH.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_graph(path)

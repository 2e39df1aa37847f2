from __future__ import annotations

import math

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError, SwarmloomError
from swarmloom_protocols.bio_routing.no_route import NoRouteError
from swarmloom_protocols.bio_routing.routes import add_link, fastest_way
from tests.naive import router as naive


def graph_of(links):
    graph = nx.DiGraph()
    for (source, target), (latency, reliability) in links.items():
        add_link(graph, source, target, latency, reliability)
    return graph


# Two ways from a to d: fast and weak by b, slow and sure by c.
DIAMOND = {
    ("a", "b"): (1.0, 0.9),
    ("b", "d"): (1.0, 0.9),
    ("a", "c"): (2.0, 0.99),
    ("c", "d"): (2.0, 0.99),
}


@pytest.mark.row("B10")
def test_reliability_multiplies():
    way = fastest_way(graph_of(DIAMOND), "a", "d")
    assert way.path == ("a", "b", "d")
    assert way.latency == 2.0
    assert way.reliability == pytest.approx(0.81)


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("least", "path"), [(0.81, "abd"), (0.85, "acd"), (0.9, "acd"), (0.98, "acd")]
)
def test_a_limit_that_the_weakest_link_keeps_may_still_be_broken(least, path):
    # By the weakest link the way over b would pass at 0.85 and 0.9.
    assert fastest_way(graph_of(DIAMOND), "a", "d", min_reliability=least).path == tuple(path)


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    "limits",
    [
        {"min_reliability": 0.99},
        {"max_latency": 1.9},
        {"max_latency": 3.0, "min_reliability": 0.9},
    ],
)
def test_no_route_keeps_the_limits(limits):
    with pytest.raises(NoRouteError, match="'a' to 'd'"):
        fastest_way(graph_of(DIAMOND), "a", "d", **limits)


def test_against_the_direction_of_the_links_there_is_no_route():
    with pytest.raises(NoRouteError):
        fastest_way(graph_of(DIAMOND), "d", "a")


@pytest.mark.parametrize("pair", [("a", "z"), ("z", "a")])
def test_unknown_members_are_named(pair):
    with pytest.raises(NoRouteError, match="'z' is no member"):
        fastest_way(graph_of(DIAMOND), *pair)


def test_way_to_oneself_costs_nothing():
    way = fastest_way(graph_of(DIAMOND), "a", "a", max_latency=0.0, min_reliability=1.0)
    assert (way.path, way.latency, way.reliability) == (("a",), 0.0, 1.0)


def test_dead_link_is_no_way_even_without_limits():
    with pytest.raises(NoRouteError):
        fastest_way(graph_of({("a", "b"): (1.0, 0.0)}), "a", "b")


def test_a_slow_reliable_prefix_survives_a_fast_weak_one():
    # At b the fast label is not reliable enough for the rest of the way.
    links = {
        ("a", "b"): (1.0, 0.5),
        ("a", "c"): (2.0, 1.0),
        ("c", "b"): (2.0, 1.0),
        ("b", "d"): (1.0, 0.9),
    }
    way = fastest_way(graph_of(links), "a", "d", min_reliability=0.8)
    assert way.path == ("a", "c", "b", "d")


members = st.sampled_from("abcdef")
links = st.dictionaries(
    st.tuples(members, members),
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 10.0)),
        st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.3, 1.0)),
    ),
    max_size=18,
)


@pytest.mark.row("B10")
@settings(max_examples=150, deadline=None)
@given(
    links,
    st.one_of(st.just(math.inf), st.floats(0.0, 30.0)),
    st.one_of(st.just(0.0), st.floats(0.0, 1.0)),
)
def test_equals_trying_every_path(given_links, slowest, worst):
    graph = graph_of(given_links)
    graph.add_nodes_from("af")
    expected = naive.fastest_way(given_links, "a", "f", slowest, worst)
    try:
        way = fastest_way(graph, "a", "f", max_latency=slowest, min_reliability=worst)
    except NoRouteError:
        assert expected is None
    else:
        assert expected is not None
        assert (way.latency, way.reliability) == pytest.approx(expected, rel=1e-12)
        hops = list(zip(way.path, way.path[1:], strict=False))
        assert sum(given_links[hop][0] for hop in hops) == pytest.approx(way.latency)
        assert math.prod(given_links[hop][1] for hop in hops) == pytest.approx(way.reliability)


@pytest.mark.parametrize(
    ("latency", "reliability"),
    [(math.nan, 1.0), (math.inf, 1.0), (-1.0, 1.0), (1.0, math.nan), (1.0, 1.1), (1.0, -0.1)],
)
def test_impossible_links_are_refused(latency, reliability):
    with pytest.raises(InputError, match="a → b"):
        add_link(nx.DiGraph(), "a", "b", latency, reliability)


def test_limits_must_be_numbers():
    with pytest.raises(InputError, match="max_latency"):
        fastest_way(graph_of(DIAMOND), "a", "d", max_latency=math.nan)
    assert issubclass(NoRouteError, SwarmloomError)

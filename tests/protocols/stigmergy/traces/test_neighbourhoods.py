"""What is near what: hops, angles, words; and readings over them."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors
from swarmloom_protocols.stigmergy.traces.neighbourhoods import (
    CosineNeighbourhood,
    HopNeighbourhood,
)

# -- hops ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_hops_are_those_of_the_graph(radius):
    graph = nx.gnp_random_graph(40, 0.06, seed=2)
    ways = HopNeighbourhood(graph, decay=0.3)
    for node in graph:
        hops = nx.single_source_shortest_path_length(graph, node, cutoff=radius)
        expected = {other: pytest.approx(0.3**hop) for other, hop in hops.items()}
        near = ways.around(node, radius)
        assert dict(near) == expected
        assert near[0] == (node, 1.0)
        assert [weight for _, weight in near] == sorted(dict(near).values(), reverse=True)


def test_a_graph_may_be_a_mapping_that_lacks_nodes():
    ways = HopNeighbourhood({"a": ["b"]})
    assert ways.around("a", 3) == [("a", 1.0), ("b", 0.5)]
    assert ways.around("z", 3) == [("z", 1.0)]


@pytest.mark.parametrize("radius", [0.5, 1.5, -1, float("nan"), float("inf")])
def test_hops_are_whole_numbers(radius):
    with pytest.raises(InputError, match="allowed: a whole number of hops, from 1"):
        HopNeighbourhood({"a": ["b"]}).around("a", radius)


@pytest.mark.parametrize("decay", [0.0, 1.5, float("nan")])
def test_a_decay_that_cannot_be_is_refused(decay):
    with pytest.raises(InputError, match="decay"):
        HopNeighbourhood({}, decay)


def test_sense_over_a_graph(new_store):
    store = new_store(neighbourhood=HopNeighbourhood(nx.path_graph(5), decay=0.5))
    store.channel("scent", agent_cap=4.0)
    for node in range(5):
        store.deposit(node, "scent", 2.0**node, agent="ab"[node % 2], now=float(node))
    assert store.sense(0, "scent", radius=1).value == 1.0 + 0.5 * 2.0
    reading = store.sense(1, "scent", radius=2)
    assert reading.value == 2.0 + 0.5 * (1.0 + 4.0) + 0.25 * 4.0
    assert (reading.evidence, reading.last) == (4, 3.0)
    assert reading.by_agent == {"a": 0.5 * (1.0 + 4.0), "b": 2.0 + 0.25 * 8.0}


def test_gradient_over_a_grid(new_store):
    grid = nx.grid_2d_graph(3, 3)
    store = new_store(neighbourhood=HopNeighbourhood(grid))
    store.channel("scent")
    for y, x in grid:
        store.deposit((y, x), "scent", float(y + 10 * x), agent="a")
    assert store.gradient((1, 1), "scent") == [
        ((1, 2), 10.0),
        ((2, 1), 1.0),
        ((0, 1), -1.0),
        ((1, 0), -10.0),
    ]
    assert store.gradient("nowhere", "scent") == []


# -- angles ----------------------------------------------------------------------------------------

ANGLES = {"east": 0.0, "near": 20.0, "far": 50.0, "north": 90.0, "west": 180.0}


def compass(places):
    angles = np.radians([ANGLES[place] for place in places])
    return 7.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_the_kernel_over_angles(new_store):
    store = new_store(neighbourhood=CosineNeighbourhood(compass))
    store.channel("scent")
    for place in ANGLES:
        store.deposit(place, "scent", agent="a")
    expected = 0.0
    for angle in ANGLES.values():
        distance = 1.0 - np.cos(np.radians(angle))
        expected += max(0.0, 1.0 - (distance / 0.5) ** 2)
    assert store.sense("east", "scent", radius=0.5).value == pytest.approx(expected, rel=1e-5)
    assert store.sense("east", "scent", radius=0.5).evidence == 3
    rises = store.gradient("east", "scent")
    assert [place for place, _ in rises] == ["near", "far"]


def test_pairs_are_pooled_over_places_with_the_same_rest(new_store):
    store = new_store(neighbourhood=CosineNeighbourhood(compass))
    store.deposit(("near", "hammer"), "ok", 4.0, agent="a")
    store.deposit(("near", "saw"), "fail", 4.0, agent="a")
    assert store.sense(("east", "hammer"), "ok", radius=0.5).value > 3.0
    assert store.sense(("east", "saw"), "ok", radius=0.5).value == 0.0
    options = [("east", "saw"), ("east", "hammer")]
    for policy in ("mean", "thompson", "ucb"):
        rng = np.random.default_rng(0)
        picks = [store.choose(options, policy=policy, radius=0.5, rng=rng) for _ in range(50)]
        assert picks.count(("east", "hammer")) > 40


def test_what_is_farther_counts_less_in_a_choice(new_store):
    store = new_store(neighbourhood=CosineNeighbourhood(compass))
    store.deposit(("east", "hammer"), "ok", 6.0, agent="a")
    store.deposit(("far", "saw"), "ok", 10.0, agent="a")
    # 10 of 10 in full would beat 6 of 6; about half of them does not.
    options = [("east", "saw"), ("east", "hammer")]
    assert store.choose(options, policy="mean", radius=0.5) == ("east", "hammer")
    assert store.choose(options, policy="mean", radius=2.0) == ("east", "saw")


def test_the_nearest_are_enough():
    ways = CosineNeighbourhood(compass, nearest=2)
    ways.learn(ANGLES)
    assert [place for place, _ in ways.around("near", 2.0)] == ["near", "east", "far"]


def test_new_keys_are_found_at_once(new_store):
    store = new_store(neighbourhood=CosineNeighbourhood(compass))
    assert store.sense("east", "ok", radius=0.5).value == 0.0
    store.deposit("near", "ok", agent="a")
    assert store.sense("east", "ok", radius=0.5).value > 0.9
    saved = store.snapshot()
    store.deposit("far", "ok", agent="a")
    both = store.sense("east", "ok", radius=0.5).value
    store.restore(saved)
    assert store.sense("east", "ok", radius=0.5).value < both


@pytest.mark.parametrize(
    "wrong",
    [
        lambda places: np.zeros((len(places) + 1, 3)),
        lambda places: np.full((len(places), 3), np.nan),
        lambda places: np.zeros(3),
        lambda places: [[np.inf, 0.0]] * len(places),
    ],
)
def test_an_embedding_that_cannot_be_is_refused(new_store, wrong):
    store = new_store(neighbourhood=CosineNeighbourhood(wrong))
    store.deposit_many([("k", "ok", "a"), ("l", "ok", "a")])
    with pytest.raises(InputError, match="embed gave"):
        store.sense("k", "ok", radius=0.5)
    assert store.sense("k", "ok").value == 1.0


def test_vectors_of_another_size_are_refused():
    sizes = iter([3, 4])
    ways = CosineNeighbourhood(lambda places: np.ones((len(places), next(sizes))))
    ways.learn(["a"])
    with pytest.raises(InputError, match=r"allowed: finite numbers, shape \(1, 3\)"):
        ways.learn(["b"])


@pytest.mark.parametrize("radius", [-0.5, 2.5, float("nan")])
def test_a_distance_that_cannot_be_is_refused(store, radius):
    with pytest.raises(InputError, match="radius"):
        store.sense("k", "ok", radius=radius)


@pytest.mark.parametrize("wrong", [{"default_radius": 0.0}, {"nearest": 0}, {"nearest": np.nan}])
def test_a_neighbourhood_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match="allowed"):
        CosineNeighbourhood(**wrong)


def test_read_only_vectors_are_left_alone():
    vectors = np.array([[3.0, 4.0]])
    vectors.flags.writeable = False
    CosineNeighbourhood(lambda places: vectors).learn(["a"])
    assert vectors.tolist() == [[3.0, 4.0]]


# -- words -----------------------------------------------------------------------------------------


def nearness(one, other):
    vectors = lexical_vectors([one, other])
    return float(vectors[0] @ vectors[1])


def test_shared_words_and_parts_of_words_are_near():
    assert nearness("parse invoices", "Parse INVOICES!") == pytest.approx(1.0)
    assert nearness("parse_invoices", "parse invoices") == pytest.approx(1.0)
    assert nearness("parse invoices", "parsing an invoice") > 0.35
    assert nearness("summarise the contract", "summarize a contract") > 0.5
    assert abs(nearness("parse invoices", "book a flight")) < 0.2


def test_meaning_is_not_seen():
    assert abs(nearness("car", "automobile")) < 0.2


def test_vectors_have_length_one_or_none():
    vectors = lexical_vectors(["a", "", "!?", "é", 7, "\ud800", "a" * 10_000])
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx([1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0], abs=1e-5)
    assert vectors.dtype == np.float32
    assert lexical_vectors([]).shape == (0, 512)


@given(st.text(max_size=30), st.text(max_size=30))
def test_nearness_is_mutual_and_bounded(one, other):
    assert nearness(one, other) == pytest.approx(nearness(other, one), abs=1e-6)
    assert abs(nearness(one, other)) < 1.0 + 1e-5


def test_vectors_are_the_same_in_every_process():
    code = (
        "from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors; "
        "import zlib; print(zlib.crc32(lexical_vectors(['parse invoices', 'é']).tobytes()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1

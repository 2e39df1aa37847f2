"""Where topics lie and which are near, against going through all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.topic_map import TopicMap
from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors
from tests.naive import topic_pooling as naive

vectors = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(-3, 3).map(float)
)


def map_of(places, batches=1, **options):
    """Topics named by their rows, placed in so many calls."""
    table = TopicMap(lambda names: places[[int(name) for name in names]], **options)
    for batch in np.array_split(np.arange(len(places)), batches):
        table.extend([str(row) for row in batch])
    return table


def listed(table, topic):
    rows, cosines = table.near(str(topic))
    return dict(zip(rows.tolist(), cosines.tolist(), strict=True))


@settings(deadline=None, max_examples=80)
@given(vectors, st.integers(1, 4))
def test_near_topics_are_those_of_all_pairs(places, batches):
    table = map_of(places, min(batches, len(places)), neighbours=50, least=0.2000001)
    for topic in range(len(places)):
        expected = dict(naive.near(places.astype(float).tolist(), topic, 0.2000001))
        assert listed(table, topic) == pytest.approx(expected, abs=1e-5)


def test_only_the_nearest_are_kept_whenever_they_came():
    angle = np.deg2rad([0.0, 40.0, 30.0, 10.0, 20.0, 3.0])
    table = map_of(np.stack([np.cos(angle), np.sin(angle)], axis=1), 6, neighbours=2)
    assert set(listed(table, 0)) == {3, 5}
    assert set(listed(table, 1)) == {2, 4}
    near, cosines = table.cosines(["0", "1", "0"])
    assert near.tolist() == [2, 3, 4, 5]
    assert cosines.toarray()[0, 3] == pytest.approx(np.cos(np.deg2rad(3)))
    np.testing.assert_array_equal(cosines.toarray()[0], cosines.toarray()[2])


def test_topics_without_a_place_are_near_nothing():
    table = map_of(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    assert listed(table, 0) == {}
    assert listed(table, 1) == {2: 1.0}
    near, cosines = table.cosines([])
    assert (len(near), cosines.shape) == (0, (0, 0))


def test_what_is_near_does_not_hang_on_the_order_of_the_topics():
    """All alike, and more than are kept."""
    places = np.ones((7, 3)) + 0.01 * np.eye(7, 3)
    orders = [list(range(7)), [3, 6, 0, 5, 1, 4, 2]]
    found = []
    for order in orders:
        table = TopicMap(lambda names: places[[int(name) for name in names]], neighbours=3)
        for row in order:
            table.extend([str(row)])
        names = [str(order[one]) for one in range(7)]
        found.append({n: {names[row] for row in table.near(n)[0]} for n in names})
    assert found[0] == found[1]
    assert all(len(near) == 3 for near in found[0].values())


def test_a_topic_that_is_not_placed_has_the_near_ones_it_will_have():
    places = np.random.default_rng(0).normal(size=(30, 4))
    table = TopicMap(lambda names: places[[int(name) for name in names]], neighbours=5)
    assert len(table.near("29")[0]) == 0
    table.extend([str(row) for row in range(29)])
    before = table.near("29")
    table.extend(["29"])
    for passing, placed in zip(before, table.near("29"), strict=True):
        np.testing.assert_array_equal(passing, placed)
    assert table.row("29") == 29


def test_a_topic_is_embedded_once_though_it_is_asked_for_before_it_is_placed():
    places = np.random.default_rng(1).normal(size=(6, 4))
    asked = []
    table = TopicMap(lambda names: places[[asked.append(name) or int(name) for name in names]])
    table.extend(["0", "1"])
    for name in "2345":
        table.near(name)
        table.near(name)
        table.extend([name])
    assert asked == list("012345")


@settings(deadline=None, max_examples=50)
@given(vectors, st.data())
def test_a_search_goes_on_where_it_ended_when_topics_have_come(places, data):
    """Topics are asked for, and placed, in any order between others; then all is as from anew."""
    table = map_of(places[:1], 1, neighbours=50, least=0.2000001)
    table._embed = lambda names: places[[int(name) for name in names]]
    for topic in range(1, len(places)):
        for asked in data.draw(st.lists(st.integers(0, len(places) - 1), max_size=4)):
            table.near(str(asked))
        table.extend([str(topic)])
    for topic in range(len(places)):
        expected = dict(naive.near(places.astype(float).tolist(), topic, 0.2000001))
        assert listed(table, topic) == pytest.approx(expected, abs=1e-5)


def test_many_topics_at_once_are_near_as_those_that_come_one_by_one():
    places = np.random.default_rng(2).normal(size=(600, 3))
    at_once, one_by_one = map_of(places, 1), map_of(places, 600)
    for topic in range(600):
        assert listed(at_once, topic) == listed(one_by_one, topic)


def test_near_names_have_near_places():
    names = ["tax law", "tax law, Germany", "fluid dynamics", "TAX LAW!", "", "?!"]
    places = lexical_vectors(names)
    unit = places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-9)
    cosine = unit @ unit.T
    assert cosine[0, 1] > 0.5 > 0.25 > abs(cosine[0, 2])
    assert cosine[0, 3] == pytest.approx(1.0)
    assert not places[4:].any()
    np.testing.assert_array_equal(places, lexical_vectors(names))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[np.nan, 1.0]], "finite"),
        ([1.0, 2.0], "shape"),
        (np.ones((2, 2)), r"shape \(2, 2\)"),
        (np.ones((1, 0)), "shape"),
    ],
)
def test_embeddings_that_are_none_are_refused_and_nothing_changes(answer, message):
    table = TopicMap(lambda names: answer)
    with pytest.raises(InputError, match=message):
        table.extend(["a"])
    assert len(table) == 0


def test_an_embedding_that_changes_its_width_is_refused():
    table = TopicMap(lambda names: np.ones((len(names), len(names))))
    table.extend(["a"])
    with pytest.raises(InputError, match=r"allowed: finite, \(2, 1\)"):
        table.extend(["b", "c"])
    assert len(table) == 1


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"least": 0.0}, {"least": 1.0}])
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        TopicMap(lexical_vectors, **wrong)

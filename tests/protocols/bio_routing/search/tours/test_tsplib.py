"""Reading instances: known lengths, roundings, and what broken files are answered."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.tours.distances import Cities, tour_length
from swarmloom_protocols.bio_routing.search.tours.tsplib import read_tsplib

# Lengths of the tours in the order of the files.
IDENTITY = {
    "eil51": 1308,
    "berlin52": 22205,
    "kroA100": 191387,
    "lin318": 119872,
    "pcb442": 221440,
    "pr1002": 349403,
    "pr2392": 378032,
}

GOOD = """NAME : three
COMMENT : a triangle: with a colon
TYPE : TSP
DIMENSION : 3
EDGE_WEIGHT_TYPE : EUC_2D
NODE_COORD_SECTION
2 3.0 0
1 0 0
3 0 4.5e0

EOF
"""


def written(tmp_path, text):
    path = tmp_path / "three.tsp"
    path.write_text(text)
    return path


@pytest.mark.row("B1")
@pytest.mark.parametrize("name", IDENTITY)
def test_the_identity_has_its_known_length(shared_data, name):
    instance = read_tsplib(shared_data / "tsplib" / f"{name}.tsp")
    assert instance.name.startswith(name)
    assert instance.length(np.arange(len(instance.points))) == IDENTITY[name]


@pytest.mark.parametrize(
    ("kind", "length"), [("EUC_2D", 3 + 5 + 5), ("CEIL_2D", 3 + 6 + 5), ("ATT", 1 + 2 + 2)]
)
def test_roundings_differ(tmp_path, kind, length):
    instance = read_tsplib(written(tmp_path, GOOD.replace("EUC_2D", kind)))
    np.testing.assert_array_equal(instance.points, [[0, 0], [3, 0], [0, 4.5]])
    assert instance.length([0, 1, 2]) == length


def test_without_rounding_lengths_are_euclidean():
    assert tour_length([1, 0, 2], [[0, 0], [3, 0], [0, 4]]) == 12.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("EUC_2D", "GEO", "line 5: EDGE_WEIGHT_TYPE: 'GEO' is none of EUC_2D, CEIL_2D, ATT"),
        ("TYPE : TSP", "TYPE : ATSP", "line 3: TYPE: 'ATSP'"),
        ("TYPE : TSP", "CAPACITY : 3", "line 3: CAPACITY: allowed"),
        ("TYPE : TSP\n", "", "TYPE is missing"),
        ("DIMENSION : 3", "DIMENSION : three", "line 4: DIMENSION: 'three'"),
        ("DIMENSION : 3", "DIMENSION : 4000000000", "city 4 of 4000000000 is missing"),
        ("DIMENSION : 3", "DIMENSION : 2", "line 9: NODE_COORD_SECTION"),
        ("2 3.0 0", "1 3.0 0", "line 8: NODE_COORD_SECTION: city 1 is there twice"),
        ("2 3.0 0", "2 nan 0", "line 7: NODE_COORD_SECTION: '2 nan 0'"),
        ("2 3.0 0", "2 3.0", "line 7: NODE_COORD_SECTION: '2 3.0' is not a city"),
        ("2 3.0 0\n", "", "city 2 of 3 is missing"),
        ("NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION", "line 6: EDGE_WEIGHT_SECTION"),
    ],
)
def test_broken_files_are_named_with_line_and_key(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read_tsplib(written(tmp_path, GOOD.replace(old, new)))


def test_a_file_without_cities_is_named(tmp_path):
    with pytest.raises(InputError, match=r"three\.tsp: NODE_COORD_SECTION is missing"):
        read_tsplib(written(tmp_path, "NAME : three\n"))


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 3], [0.0, 1.0, 2.0]])
def test_a_tour_visits_every_city_once(order):
    with pytest.raises(InputError, match="order"):
        tour_length(order, np.eye(3)[:, :2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either points or costs"),
        ({"points": [[0, 1]], "costs": [[0]]}, "either points or costs"),
        ({"points": [[0, np.nan]]}, r"points\[0, 1\] is nan"),
        ({"points": [[0, 1e200], [0, 0]]}, "overflows"),
        ({"points": [[0, 1, 2]]}, r"allowed: \(n, 2\)"),
        ({"points": [[0, 1]], "rounding": "down"}, "rounding is 'down'"),
        ({"costs": [[0, 1]]}, "n rows of n"),
        ({"costs": [[0, np.nan], [1, 0]]}, r"costs\[0, 1\] is nan"),
        ({"costs": [[0, -1], [-1, 0]]}, r"costs\[0, 1\] is -1"),
        ({"costs": [[0, 1], [2, 0]]}, "the same in both directions"),
        ({"costs": [[0, np.inf], [np.inf, 0]]}, r"costs\[0, 1\] is inf"),
        ({"costs": [[0, 1], [1, 0]], "rounding": "up"}, "of a matrix of costs: none"),
    ],
)
def test_cities_that_cannot_be_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        Cities.of(**given)

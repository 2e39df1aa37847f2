"""Navigation fields against exact oracles, naive loops, and the plain pheromone that fails."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.colonies.wayfinding import follow, navigation_field
from tests.naive import wayfinding as naive
from tests.protocols.stigmergy.colonies.maps import KINDS, free_cells


def oracle(walls, goal):
    """Cost from everywhere to the goal by scipy, 8 directions, no cut corner."""
    at = np.arange(walls.size).reshape(walls.shape)
    free = np.pad(~walls, 1)
    height, width = walls.shape
    rows, columns, lengths = [], [], []
    for dy, dx in naive.STEPS:
        there = free[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        beside = free[1 + dy : 1 + dy + height, 1 : 1 + width]
        above = free[1 : 1 + height, 1 + dx : 1 + dx + width]
        open_moves = free[1:-1, 1:-1] & there & beside & above
        rows.append(at[open_moves])
        columns.append(at[open_moves] + dy * width + dx)
        lengths.append(np.full(open_moves.sum(), math.hypot(dy, dx)))
    parts = np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))
    graph = coo_array(parts, shape=(walls.size, walls.size)).tocsr()
    return dijkstra(graph, indices=at[tuple(goal)]).reshape(walls.shape)


def path_cost(walls, path):
    """Check that every move is allowed, and add up what they cost."""
    ground = naive.terrain(walls, None)
    total = 0.0
    for here, there in zip(path[:-1].tolist(), path[1:].tolist(), strict=True):
        total += dict(naive.moves(ground, *here, 8))[tuple(there)]
    return total


@pytest.mark.row("S13")
@pytest.mark.row("S9a")
@pytest.mark.parametrize("smoothing", [0.0, 0.05])
@pytest.mark.parametrize("kind", KINDS)
def test_every_start_that_can_arrives_by_a_cheapest_way(kind, smoothing):
    for seed, size in enumerate((17, 64, 200)):
        rng = np.random.default_rng(seed)
        walls = KINDS[kind](rng, size)
        goal, *starts = free_cells(walls, rng, 25)
        best = oracle(walls, goal)[tuple(np.transpose(starts))]
        paths = follow(navigation_field(walls, goal, smoothing=smoothing), starts)
        np.testing.assert_array_equal(paths.reached, np.isfinite(best))
        assert paths.reached.any()
        assert (paths.costs[paths.reached] <= 1.001 * best[paths.reached] + 1e-9).all()


@pytest.mark.row("S13")
@pytest.mark.parametrize("kind", ["maze", "rooms"])
def test_a_map_of_512_by_512(kind):
    rng = np.random.default_rng(512)
    walls = KINDS[kind](rng, 512)
    goal = free_cells(walls, rng, 1)[0]
    field = navigation_field(walls, goal)
    best = oracle(walls, goal)
    np.testing.assert_array_equal(field.reachable, np.isfinite(best))
    np.testing.assert_allclose(field.potential, best, rtol=1e-9)
    starts = np.argwhere(field.reachable)[:: field.reachable.sum() // 20]
    paths = follow(field, starts)
    assert paths.reached.all()
    np.testing.assert_allclose(paths.costs, best[tuple(starts.T)], rtol=1e-9)


def test_paths_go_from_start_to_goal_by_allowed_moves():
    rng = np.random.default_rng(3)
    walls = KINDS["random 25 %"](rng, 40)
    field = navigation_field(walls, free_cells(walls, rng, 2), smoothing=0.1)
    starts = np.argwhere(field.reachable)[::50]
    paths = follow(field, starts)
    for start, path, cost in zip(starts, paths.cells, paths.costs, strict=True):
        assert path[0].tolist() == start.tolist()
        assert field.potential[tuple(path[-1])] == 0.0
        assert path_cost(walls, path) == pytest.approx(cost)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    # The naive reference solves for e^(−φ/ε), which has to stay far above the smallest float.
    st.sampled_from([0.0, 0.2, 0.3]),
    st.sampled_from([4, 8]),
    st.booleans(),
)
def test_fields_equal_the_naive_reference(seed, shape, smoothing, directions, uneven):
    rng = np.random.default_rng(seed)
    walls = rng.random(shape) < 0.3
    walls[0, 0] = False
    goals = np.argwhere(~walls)[: rng.integers(1, 3)]
    costs = rng.uniform(1.0, 4.0, shape) if uneven else None
    expected = naive.navigation_field(walls, goals, smoothing, costs, directions)
    for array in (walls, goals, costs):
        if array is not None:
            array.flags.writeable = False
    field = navigation_field(walls, goals, smoothing=smoothing, costs=costs, directions=directions)
    np.testing.assert_allclose(field.potential, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8]))
def test_any_allowed_smoothing_leads_every_walker_to_a_goal(seed, directions):
    rng = np.random.default_rng(seed)
    walls = rng.random((12, 12)) < 0.25
    costs = rng.uniform(1.0, 3.0, walls.shape)
    walls[6, 6] = False
    smoothing = rng.uniform(0.8, 0.95) * costs.min() / math.log(directions)
    field = navigation_field(walls, (6, 6), smoothing=smoothing, costs=costs, directions=directions)
    paths = follow(field, np.argwhere(field.reachable))
    assert paths.reached.all()
    for path in paths.cells:
        assert (np.diff(field.potential[tuple(path.T)]) < 0.0).all()


@pytest.mark.row("S13")
def test_costs_over_seven_orders_of_magnitude_are_exact():
    rng = np.random.default_rng(8)
    costs = 10.0 ** rng.uniform(-3.0, 4.0, (30, 30))
    walls = rng.random((30, 30)) < 0.2
    walls[4, 4] = False
    field = navigation_field(walls, (4, 4), costs=costs, directions=4)
    graph = nx.Graph()
    for y, x in np.argwhere(~walls):
        for there, cost in naive.moves(naive.terrain(walls, costs), y, x, 4):
            graph.add_edge((int(y), int(x)), there, weight=cost)
    best = nx.single_source_dijkstra_path_length(graph, (4, 4))
    assert field.reachable.sum() == len(best)
    for cell, cost in best.items():
        assert field.potential[cell] == pytest.approx(cost, rel=1e-9)


def test_no_corner_is_cut():
    walls = np.array([[False, True], [True, False]])
    assert np.isinf(navigation_field(walls, (0, 0)).potential[1, 1])
    walls[1, 0] = False
    assert navigation_field(walls, (0, 0)).potential[1, 1] == 2.0
    assert navigation_field(np.zeros((2, 2), bool), (0, 0)).potential[1, 1] == math.sqrt(2.0)


@pytest.mark.row("S13")
def test_where_no_way_leads_the_result_says_so():
    walls = np.zeros((5, 5), bool)
    walls[:, 2] = True
    field = navigation_field(walls, (0, 0))
    paths = follow(field, [(4, 4), (0, 2), (4, 1)])
    assert field.potential[4, 4] == math.inf
    assert paths.reached.tolist() == [False, False, True]
    assert [len(path) for path in paths.cells] == [0, 0, 5]
    assert np.isinf(paths.costs[:2]).all()
    assert follow(field, np.empty((0, 2), int)).cells == []


def test_several_goals_each_draw_their_nearest():
    field = navigation_field(np.zeros((1, 9), bool), [(0, 0), (0, 8), (0, 8)])
    np.testing.assert_array_equal(field.potential[0], [0, 1, 2, 3, 4, 3, 2, 1, 0])


def test_smoothing_makes_the_wide_way_of_two_equals_the_cheaper_one():
    # Two ways round a block of the same length: a corridor one cell wide and one five wide.
    walls = np.zeros((11, 15), bool)
    walls[1:6, 2:13] = True
    field = navigation_field(walls, (3, 14), directions=4, smoothing=0.4)
    hard = navigation_field(walls, (3, 14), directions=4)
    narrow, wide = (0, 7), (6, 7)
    assert hard.potential[narrow] == hard.potential[wide]
    assert field.potential[wide] < field.potential[narrow] - 0.05


def test_a_plain_pheromone_fails_on_a_long_way_where_the_logarithm_arrives():
    # Float32 spans some 87 decay lengths √(diffusion/evaporation), here 389 cells.
    length, diffusion, evaporation = 800, np.float32(0.2), np.float32(0.01)
    trail = np.zeros(length, np.float32)
    for _ in range(12_000):
        trail[0] = 1.0
        around = np.pad(trail, 1, mode="edge")
        trail += diffusion * (around[:-2] + around[2:] - 2 * trail) - evaporation * trail
        trail[trail < np.finfo(np.float32).smallest_normal] = 0.0
    smelled = np.flatnonzero(trail == 0.0)[0]
    assert 300 < smelled < 500
    # Hill climbing from beyond finds no slope at all.
    assert not trail[smelled:].any()
    field = navigation_field(np.zeros((1, length), bool), (0, 0), smoothing=0.05)
    assert follow(field, (0, length - 1)).costs[0] == length - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"walls": np.zeros((0, 3), bool)}, "walls: shape"),
        ({"walls": np.zeros((2, 2, 2), bool)}, "walls: shape"),
        ({"walls": np.zeros((3, 3))}, "walls: shape .* float64"),
        ({"goals": []}, "goals: none"),
        ({"goals": (3, 0)}, r"goals: \(3, 0\) is outside the map of 3 × 3"),
        ({"goals": (-1, 0)}, "is outside"),
        ({"goals": (0.5, 0.0)}, "of int"),
        ({"goals": (1, 1)}, r"goals: \(1, 1\) is a wall"),
        ({"costs": np.ones((2, 3))}, "costs: shape"),
        ({"costs": np.zeros((3, 3))}, r"costs: 0.0 at \(0, 0\)"),
        ({"costs": np.full((3, 3), np.nan)}, "costs: nan"),
        ({"costs": np.full((3, 3), np.inf)}, "costs: inf"),
        ({"smoothing": -0.1}, "smoothing: -0.1"),
        ({"smoothing": math.nan}, "smoothing: nan"),
        ({"smoothing": 0.5}, "0 to 0.456853"),
        ({"costs": np.array([[1e-9, 1, 1], [1, 1, 1], [1, 1, 1e9]])}, "costs: 1e-09 to"),
        (
            {"costs": np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1e9]]), "smoothing": 0.1},
            "costs: 1.0 to 1000000000.0 on 9 cells",
        ),
        ({"walls": np.broadcast_to(False, (1 << 16, 1 << 16))}, r"below 2\*\*31 cells"),
        ({"directions": 8.0}, "directions: 8.0 is not 4 or 8"),
        ({"smoothing": "0.1"}, "smoothing: 0.1; allowed"),
        ({"directions": 6}, "directions: 6 is not 4 or 8"),
        ({"device": "gpu"}, "device"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    walls = np.zeros((3, 3), bool)
    walls[1, 1] = True
    arguments = {"walls": walls, "goals": (0, 0)} | change
    with pytest.raises(InputError, match=message):
        navigation_field(**arguments)


def test_a_start_outside_the_map_is_named():
    field = navigation_field(np.zeros((3, 3), bool), (0, 0))
    with pytest.raises(InputError, match="starts"):
        follow(field, (0, 3))

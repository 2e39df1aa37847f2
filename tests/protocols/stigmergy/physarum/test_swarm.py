"""Swarms against the naive reference, and what is known of them exactly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.device import use_threads
from swarmloom_protocols.stigmergy.physarum import world
from swarmloom_protocols.stigmergy.physarum.snapshots import FORMAT
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm
from tests.naive import physarum as naive

DEGREE = math.pi / 180.0
KINDS = st.sampled_from(["periodic", "reflecting"])


@st.composite
def cases(draw):
    """A seed and parameters in which everything can happen."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    short = 0.999 * min(shape)
    rules = {
        "sensor_angle": draw(st.floats(0.0, math.pi)),
        "sensor_distance": draw(st.floats(0.0, short)),
        "turn_angle": draw(st.floats(0.0, math.pi)),
        "step_size": draw(st.floats(0.0, short)),
        "deposit": draw(st.sampled_from([0.0, 0.3, 5.0])),
        "decay": draw(st.sampled_from([0.0, 0.1, 1.0])),
        "diffusion": draw(st.sampled_from([0.0, 0.4, 1.0])),
    }
    return shape, rules, (draw(KINDS), draw(KINDS)), draw(st.integers(0, 2**32 - 1))


def pair(shape, rules, boundaries, seed, agents=None, walled=False):
    """The same swarm twice: ours and the naive one."""
    rng = np.random.default_rng(seed)
    agents = int(rng.integers(0, 8)) if agents is None else agents
    walls = rng.random(shape) < 0.3 if walled else np.zeros(shape, bool)
    walls[0, 0] = False
    trail = np.where(walls, 0, rng.integers(0, 4, shape)).astype(np.float32)
    cells = np.argwhere(~walls)[rng.integers((~walls).sum(), size=agents)]
    positions = cells + rng.uniform(-0.5, 0.499, (agents, 2))
    ours = PhysarumSwarm(
        agents,
        shape,
        **rules,
        boundaries={"y": boundaries[0], "x": boundaries[1]},
        walls=walls,
        trail=trail,
        food=[(0, 0, 2.5)],
        positions=positions,
        seed=seed,
        device="cpu",
    )
    theirs = naive.Swarm(
        shape,
        positions,
        ours.headings,
        ours.snapshot()["seed"].item(),
        **rules,
        boundaries=boundaries,
        trail=trail,
        walls=walls,
        food=[(0, 0, 2.5)],
    )
    return ours, theirs


def assert_same(ours, theirs):
    state = ours.snapshot()
    np.testing.assert_array_equal(state["places"].T, np.reshape(theirs.places, (-1, 2)))
    headings = np.reshape(theirs.headings, (-1, 2))
    np.testing.assert_array_equal(state["headings"].T, headings)
    np.testing.assert_array_equal(state["trail"], theirs.trail)


@settings(max_examples=60, deadline=None)
@given(cases(), st.booleans())
def test_agents_and_trail_are_those_of_the_naive_reference_to_the_bit(case, walled):
    ours, theirs = pair(*case, walled=walled)
    for _ in range(4):
        ours.step()
        theirs.step()
        assert_same(ours, theirs)


def test_many_agents_are_those_of_the_naive_reference_to_the_bit():
    rules = {
        "sensor_angle": 0.7,
        "sensor_distance": 3.0,
        "turn_angle": 0.5,
        "step_size": 1.0,
        "deposit": 0.7,
        "decay": 0.1,
        "diffusion": 1.0,
    }
    ours, theirs = pair((13, 11), rules, ("periodic", "reflecting"), 5, agents=600, walled=True)
    for _ in range(5):
        ours.step()
        theirs.step()
    assert_same(ours, theirs)


def same_state(first, second):
    left, right = first.snapshot(), second.snapshot()
    return all(np.array_equal(left[name], right[name]) for name in left)


@pytest.mark.row("S1")
def test_any_number_of_threads_gives_the_same_swarm():
    swarms = [PhysarumSwarm(150_000, (700, 800), seed=3) for _ in range(3)]
    for threads, swarm in zip((1, 2, 4), swarms, strict=True):
        with use_threads(threads):
            swarm.step(4)
    assert same_state(swarms[0], swarms[1])
    assert same_state(swarms[0], swarms[2])


def test_sorting_agents_for_the_caches_changes_no_number(monkeypatch):
    walls = np.zeros((90, 120), bool)
    walls[30:50, 30:60] = True
    states, orders = [], []
    for least in (10**9, 1):
        monkeypatch.setattr(world, "CELLS_WORTH_SORTING", least)
        swarm = PhysarumSwarm(3000, walls.shape, walls=walls, seed=11)
        swarm.step(world.SORTING + 70)
        states.append(swarm)
        orders.append(swarm._world.agents.order.reshape(-1)[:3000])
    assert same_state(*states)
    assert (orders[0] != orders[1]).any()
    np.testing.assert_array_equal(np.sort(orders[1]), orders[0])


@pytest.mark.row("S1")
@pytest.mark.parametrize("threads", [1, 4])
def test_more_deposits_in_one_cell_than_a_byte_holds_are_all_counted(threads):
    agents = 140_000
    swarm = PhysarumSwarm(
        agents,
        (6, 7),
        positions=np.tile([2.0, 3.0], (agents, 1)),
        step_size=0.0,
        sensor_distance=0.0,
        deposit=1.0,
        decay=0.0,
        diffusion=0.0,
    )
    with use_threads(threads):
        swarm.step(3)
    assert swarm.trail[2, 3] == 3 * agents
    assert swarm.trail.sum() == 3 * agents


def test_agents_walk_straight_where_there_is_no_trail():
    n, steps = 500, 200
    swarm = PhysarumSwarm(n, (301, 401), deposit=0.0, step_size=1.5, seed=1)
    start, headings = swarm.positions, swarm.headings
    swarm.step(steps)
    np.testing.assert_allclose(swarm.headings, headings, atol=1e-6)
    expected = start + steps * 1.5 * headings.astype(float)
    gone = (swarm.positions - expected + 150.0) % swarm.shape - 150.0
    # A step is cut to the next multiple of 2⁻¹⁶ cells; headings are put right every 64 steps.
    assert np.abs(gone).max() <= steps * (2.0**-16 + 1.5e-6)


def test_a_reflecting_edge_returns_agents_as_a_mirror_does():
    swarm = PhysarumSwarm(
        2,
        (9, 50),
        positions=[[4.0, 47.0], [1.0, 25.0]],
        headings=[[0.0, 1.0], [-1.0, 0.0]],
        sensor_distance=1.0,
        deposit=0.0,
        boundaries="reflecting",
    )
    swarm.step(5)
    # The edges are at x = 49.5 and y = -0.5; a place is 2⁻¹⁶ cells wide.
    np.testing.assert_allclose(swarm.positions, [[4.0, 47.0], [3.0, 25.0]], atol=2.0**-15)
    np.testing.assert_array_equal(swarm.headings, [[0.0, -1.0], [1.0, 0.0]])


def two_equal_sides(agents, seed):
    """Agents on a grid of stripes: both side sensors on trail, the one in front on none."""
    trail = np.zeros((64, 64), np.float32)
    trail[28], trail[36] = 1.0, 1.0
    swarm = PhysarumSwarm(
        agents,
        (64, 64),
        sensor_angle=math.pi / 2,
        sensor_distance=4.0,
        turn_angle=90 * DEGREE,
        deposit=0.0,
        trail=trail,
        positions=np.tile([32.0, 32.0], (agents, 1)),
        headings=np.tile([0.0, 1.0], (agents, 1)),
        seed=seed,
    )
    swarm.step()
    return swarm.headings[:, 0]


def test_between_two_equal_sensors_each_side_is_taken_half_the_time():
    agents = 40_000
    up = two_equal_sides(agents, seed=2) > 0.5
    # χ² with one degree of freedom: below 10.8 in 999 of 1000 seeds.
    assert (2 * up.sum() - agents) ** 2 / agents < 10.8
    # Neighbours in the order of the agents, and the next seed, toss coins of their own.
    assert abs(np.mean(up[1:] == up[:-1]) - 0.5) < 0.0125
    assert abs(np.mean(up == (two_equal_sides(agents, seed=3) > 0.5)) - 0.5) < 0.0125


@pytest.mark.row("S1")
@pytest.mark.parametrize("boundaries", ["periodic", "reflecting"])
@pytest.mark.parametrize("walled", [False, True])
def test_mass_follows_its_closed_form(boundaries, walled):
    n, steps, deposit, decay, food = 3000, 60, 0.7, 0.03, 11.0
    walls = np.zeros((70, 90), bool)
    walls[20:50, 40:44] = walled
    swarm = PhysarumSwarm(
        n,
        walls.shape,
        deposit=deposit,
        decay=decay,
        food=[(5, 5, food)],
        walls=walls,
        boundaries=boundaries,
        step_size=0.9,
        seed=4,
    )
    mass = 0.0
    for _ in range(steps):
        blocked = 0
        before = swarm.positions
        swarm.step()
        if walled:
            blocked = int((swarm.positions == before).all(axis=1).sum())
        mass = (mass + (n - blocked) * deposit + food) * (1.0 - decay)
    assert swarm.trail.sum(dtype=float) == pytest.approx(mass, rel=3e-6)
    assert not swarm.trail[walls].any()


def test_agents_stay_inside_and_out_of_walls():
    rng = np.random.default_rng(6)
    walls = rng.random((40, 30)) < 0.25
    swarm = PhysarumSwarm(
        5000, walls.shape, walls=walls, sensor_distance=4.0, boundaries="reflecting", seed=6
    )
    swarm.step(100)
    y, x = np.floor(swarm.positions + 0.5).astype(int).T
    assert len(y) == 5000
    assert y.min() >= 0
    assert x.min() >= 0
    assert not walls[y, x].any()
    np.testing.assert_allclose(np.hypot(*swarm.headings.T), 1.0, atol=1e-6)


def mirrored(swarm, seed):
    """The swarm seen in a mirror along x."""
    state = swarm.snapshot()
    state["places"][1] = swarm.shape[1] * naive.CELL - 1 - state["places"][1]
    state["headings"][1] *= -1
    state["trail"] = state["trail"][:, ::-1].copy()
    other = PhysarumSwarm(swarm.n, swarm.shape, boundaries="reflecting", seed=seed)
    other.restore(FORMAT.seal(state))
    return other


def test_a_mirrored_swarm_does_the_mirrored_thing_but_for_its_coins():
    swarm = PhysarumSwarm(3000, (50, 60), boundaries="reflecting", seed=7)
    swarm.step(20)
    twin = mirrored(swarm, 7)
    # One step: where no coin is tossed both agree to the bit, and tossed sides are the same side.
    swarm.step()
    twin.step()
    ours, theirs = swarm.snapshot(), mirrored(twin, 7).snapshot()
    equal = (ours["places"] == theirs["places"]).all(axis=0)
    assert 0.5 < equal.mean() < 1.0
    np.testing.assert_array_equal(ours["headings"][:, equal], theirs["headings"][:, equal])


def test_a_quarter_turn_of_the_trail_turns_what_the_filter_makes_of_it():
    trail = np.random.default_rng(8).random((40, 40)).astype(np.float32)
    results = []
    for quarters in range(4):
        swarm = PhysarumSwarm(0, trail.shape, trail=np.rot90(trail, quarters), diffusion=0.8)
        swarm.step(5)
        results.append(np.rot90(swarm.trail, -quarters))
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=2e-6)


def test_no_agents_are_fine():
    swarm = PhysarumSwarm(0, (8, 9), sensor_distance=2.0)
    swarm.step(3)
    assert swarm.positions.shape == (0, 2)
    assert swarm.headings.shape == (0, 2)
    assert not swarm.trail.any()


def test_an_idle_trail_ends_at_zero_and_not_in_denormals():
    trail = np.zeros((20, 20), np.float32)
    trail[10, 10] = 1.0
    swarm = PhysarumSwarm(0, trail.shape, trail=trail, decay=0.5)
    swarm.step(60)
    smallest = swarm.trail[swarm.trail > 0].min()
    assert smallest >= 1e-30
    swarm.step(100)
    assert not swarm.trail.any()

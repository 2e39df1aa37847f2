"""What a swarm refuses, and that it stays as it was."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.physarum.settings import LONGEST_SIDE
from swarmloom_protocols.stigmergy.physarum.snapshots import FORMAT
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm

SHAPE = (12, 15)
WALLS = np.zeros(SHAPE, bool)
WALLS[3, 4] = True
TRAIL_IN_WALL = np.ones(SHAPE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", -1),
        ("n", 1.5),
        ("n", 2**31),
        ("shape", (0, 5)),
        ("shape", (5,)),
        ("shape", (5, 5, 5)),
        ("shape", (12.5, 15)),
        ("shape", (12, 14.5, 15)),
        ("shape", (12.0, 15)),
        ("seed", -1),
        ("seed", 0.5),
        ("shape", (math.nan, 15)),
        ("shape", (math.inf, 15)),
        ("shape", (LONGEST_SIDE + 1, 20)),
        ("shape", 7),
        ("sensor_angle", math.nan),
        ("sensor_angle", 3.2),
        ("turn_angle", -0.1),
        ("turn_angle", math.inf),
        ("sensor_distance", 12.0),
        ("sensor_distance", -1.0),
        ("step_size", 12.0),
        ("step_size", math.nan),
        ("deposit", -1.0),
        ("deposit", math.inf),
        ("deposit", 1e30),
        ("decay", 1.1),
        ("decay", math.nan),
        ("diffusion", 1.01),
        ("diffusion", -0.01),
        ("boundaries", "absorbing"),
        ("boundaries", "open"),
        ("boundaries", {"y": ("periodic", "reflecting")}),
        ("boundaries", {"y": ("absorbing", "reflecting")}),
        ("boundaries", {"w": "periodic"}),
        ("food", [(1, 2)]),
        ("food", [(1, 2, math.nan)]),
        ("food", [(1, 2, -1.0)]),
        ("food", [(12, 2, 1.0)]),
        ("food", [(1.5, 2, 1.0)]),
        ("food", [(3, 4, 1.0)]),
        ("walls", np.ones(SHAPE, bool)),
        ("walls", np.zeros((12, 14), bool)),
        ("walls", np.zeros(SHAPE)),
        ("trail", np.zeros((15, 12))),
        ("trail", np.full(SHAPE, math.nan)),
        ("trail", np.full(SHAPE, math.inf)),
        ("trail", np.full(SHAPE, -1e-3)),
        ("trail", np.full(SHAPE, 1e38)),
        ("trail", TRAIL_IN_WALL),
        ("positions", np.zeros((2, 2))),
        ("positions", [(1.0, math.nan)]),
        ("positions", [(1.0, 14.5)]),
        ("positions", [(-0.51, 2.0)]),
        ("positions", [(3.2, 4.1)]),
        ("headings", np.zeros((1, 3))),
        ("headings", [(0.0, 0.0)]),
        ("headings", [(math.nan, 1.0)]),
        ("headings", [(math.inf, 1.0)]),
    ],
)
def test_a_wrong_argument_is_named(name, value):
    arguments = {"n": 1, "shape": SHAPE, "walls": WALLS, name: value}
    with pytest.raises(InputError, match=rf"(?s)^{name}\b"):
        PhysarumSwarm(**arguments)


def test_the_message_says_which_agent_is_where():
    with pytest.raises(InputError, match=r"agent 1 is at \(20\.0, 3\.0\).*y in \[-0\.5, 11\.5\)"):
        PhysarumSwarm(2, SHAPE, positions=[(1.0, 1.0), (20.0, 3.0)])


def test_what_is_given_is_neither_changed_nor_kept():
    trail, positions = np.ones(SHAPE, np.float32), np.full((3, 2), 4.0)
    for array in (trail, positions):
        array.flags.writeable = False
    swarm = PhysarumSwarm(3, SHAPE, trail=trail, positions=positions)
    swarm.step(2)
    assert (trail == 1.0).all()
    with pytest.raises(ValueError, match="read-only"):
        swarm.trail[0, 0] = 5.0


@pytest.mark.parametrize("n", [-1, 1.5, 1.0, math.nan, "2", None, True])
def test_steps_are_whole_numbers_from_zero(n):
    swarm = PhysarumSwarm(3, SHAPE)
    with pytest.raises(InputError, match=r"^n is .*; allowed: whole numbers from 0 to"):
        swarm.step(n)
    swarm.step(0)
    assert swarm.steps == 0


def test_an_unknown_device_is_refused_at_once():
    with pytest.raises(InputError, match="device"):
        PhysarumSwarm(3, SHAPE, device="gpu")


def a_swarm(seed=0):
    swarm = PhysarumSwarm(500, SHAPE, walls=WALLS, food=[(1, 1, 2.0)], seed=seed)
    swarm.step(70)
    return swarm


@pytest.mark.row("S14")
def test_a_restored_swarm_goes_on_to_the_bit():
    swarm = a_swarm()
    state = swarm.snapshot()
    other = PhysarumSwarm(500, SHAPE, walls=WALLS, food=[(1, 1, 2.0)], seed=99)
    other.step(3)
    other.restore(state)
    assert other.steps == 70
    for one in (swarm, other):
        one.step(80)
    ours, theirs = swarm.snapshot(), other.snapshot()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_snapshot_is_a_copy():
    swarm = a_swarm()
    state = swarm.snapshot()
    before = {name: np.copy(value) for name, value in state.items()}
    swarm.step(3)
    other = a_swarm()
    other.restore(state)
    other.step(3)
    assert all(np.array_equal(state[name], before[name]) for name in state)


@pytest.mark.row("S14")
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("step", lambda _: -1),
        ("seed", lambda _: 2**32),
        ("places", lambda places: places[:, 1:]),
        ("places", lambda places: places - (1 << 30)),
        ("places", lambda places: places * 0 + np.array([[3 << 16], [4 << 16]], np.int32)),
        ("headings", lambda headings: headings * np.float32(1.1)),
        ("headings", lambda headings: headings * np.float32(math.nan)),
        ("headings", lambda headings: headings.T),
        ("trail", lambda trail: trail[1:]),
        ("trail", lambda trail: trail * np.float32(math.nan)),
    ],
)
def test_a_wrong_snapshot_changes_nothing(name, change):
    swarm = a_swarm()
    before, state = swarm.snapshot(), swarm.snapshot()
    state[name] = np.asarray(change(state[name]))
    with pytest.raises(InputError, match="checksum"):
        swarm.restore(state)
    # What cannot be is refused even where somebody has sealed it.
    with pytest.raises(InputError, match=name):
        swarm.restore(FORMAT.seal(state))
    after = swarm.snapshot()
    assert all(np.array_equal(after[one], before[one]) for one in before)


@pytest.mark.row("S14")
def test_a_snapshot_goes_through_a_file(tmp_path):
    swarm, other = a_swarm(), a_swarm(seed=99)
    np.savez(tmp_path / "swarm.npz", **swarm.snapshot())
    with np.load(tmp_path / "swarm.npz") as state:
        other.restore(state)
    for one in (swarm, other):
        one.step(80)
    ours, theirs = swarm.snapshot(), other.snapshot()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": np.array(2)}, "snapshot: format and version"),
        ({"format": np.array("else")}, "snapshot: format and version"),
        ({"places": np.zeros((2, 500))}, "snapshot: places is of type float64"),
        ({"trail": None}, "snapshot: trail is of type object"),
        ({"trail": [[1.0], [2.0, 3.0]]}, "snapshot: trail is no array"),
        ({"step": "now"}, "snapshot: step is of type <U3"),
        ({"seed": np.array(5)}, "checksum"),
    ],
)
def test_an_altered_snapshot_changes_nothing(change, message):
    swarm = a_swarm()
    before = swarm.snapshot()
    with pytest.raises(InputError, match=message):
        swarm.restore(swarm.snapshot() | change)
    after = swarm.snapshot()
    assert all(np.array_equal(after[one], before[one]) for one in before)


def test_a_missing_part_is_named():
    state = a_swarm().snapshot()
    del state["trail"]
    with pytest.raises(InputError, match="snapshot: trail missing"):
        a_swarm().restore(state)


@pytest.mark.parametrize("state", [None, [], {}, {"version": 1}])
def test_what_is_no_snapshot_is_refused(state):
    with pytest.raises(InputError, match="snapshot"):
        a_swarm().restore(state)

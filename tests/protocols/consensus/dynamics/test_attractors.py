"""Attractors and their basins."""

import math

import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import user_system
from swarmloom_protocols.consensus.dynamics.attractors import find_attractor
from swarmloom_protocols.consensus.dynamics.basins import find_basins, grid_of_starts
from swarmloom_protocols.consensus.dynamics.equilibria import equilibrium
from tests.naive import dynamics as naive


def rng(seed=0):
    return np.random.default_rng(seed)


def newton_step(state, parameters):
    x, y = state[0], state[1]
    real, imaginary = x * x - y * y, 2 * x * y
    size = real * real + imaginary * imaginary
    # z − (z³ − 1)/(3z²) = (2z + 1/z²)/3
    return ((2 * x + real / size) / 3, (2 * y - imaginary / size) / 3)


NEWTON = user_system("newton", newton_step, kind="map", start=[1.0, 0.5])


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("system", "duration", "kind"),
    [
        (known.damped_oscillator(1.0, 0.1), 60.0, "FixedPoint"),
        (known.damped_oscillator(1.0, 0.005), 400.0, "FixedPoint"),
        (known.double_well(0.3), 100.0, "FixedPoint"),
        (known.logistic(2.8), 1000.0, "FixedPoint"),
        (known.van_der_pol(1.0), 300.0, "LimitCycle"),
        (known.logistic(3.5), 2000.0, "LimitCycle"),
        (known.torus(), 600.0, "Torus"),
        (known.circle_map(), 4000.0, "Torus"),
        (known.lorenz(), 600.0, "StrangeAttractor"),
        (known.henon(), 4000.0, "StrangeAttractor"),
        (known.logistic(4.0), 5000.0, "Chaotic"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_attractors_are_typed(system, duration, kind):
    found = find_attractor(system, rng=rng(), duration=duration)
    assert found.kind == kind
    assert found.agreed or kind == "FixedPoint"
    assert found.outcome == "Complete"


@pytest.mark.row("C4")
def test_what_is_known_of_them():
    cycle = find_attractor(known.van_der_pol(1.0), rng=rng(), duration=300.0)
    assert cycle.period.period == pytest.approx(6.66329, abs=1e-3)
    assert cycle.extent[0] == pytest.approx(2 * 2.00862, abs=1e-4)
    well = find_attractor(known.double_well(0.3), rng=rng(), start=[-0.5, 0.0], duration=100.0)
    np.testing.assert_allclose(well.position, [-1.0, 0.0], atol=1e-9)
    strange = find_attractor(known.henon(), rng=rng(), duration=20_000.0)
    assert strange.dimension == pytest.approx(1.258, abs=0.02)
    assert strange.zero_one > 0.9


def standard_step(state, parameters):
    push = (state[0] + parameters[0] * math.sin(state[1])) % (2 * math.pi)
    return (push, (state[1] + push) % (2 * math.pi))


def standard_slopes(state, parameters):
    push = parameters[0] * math.cos(state[1])
    return ((1.0, push), (1.0, 1.0 + push))


@pytest.mark.row("C4")
def test_chaos_that_keeps_areas_is_on_no_attractor():
    standard = user_system(
        "standard map",
        standard_step,
        kind="map",
        start=[1.0, 2.0],
        parameters={"kick": 6.0},
        jacobian=standard_slopes,
    )
    found = find_attractor(standard, rng=rng(), duration=5_000.0)
    # ln(K/2), Chirikov (1979).
    assert found.exponents[0] == pytest.approx(math.log(3.0), abs=0.05)
    assert found.exponents.sum() == pytest.approx(0.0, abs=1e-9)
    assert (found.kind, found.agreed) == ("Chaotic", True)


def test_a_superstable_cycle_is_a_cycle():
    square = user_system("square", lambda x, p: (x[0] * x[0] - 1.0,), kind="map", start=[0.0])
    found = find_attractor(square, rng=rng())
    assert (found.kind, found.period.period, found.agreed) == ("LimitCycle", 2.0, True)
    assert found.exponents[0] == -math.inf


def duffing(state, parameters):
    x, speed, clock = state[0], state[1], state[2]
    force = x - x**3 - 0.3 * speed + parameters[0] * math.cos(clock)
    return (speed, force, 1.2)


@pytest.mark.parametrize(
    ("amplitude", "kind", "periods"),
    [(0.2, "LimitCycle", 1), (0.28, "LimitCycle", 2), (0.5, "StrangeAttractor", None)],
)
def test_forced_systems_are_typed_by_their_clock(amplitude, kind, periods):
    system = DUFFING.with_parameters(amplitude=amplitude)
    found = find_attractor(system, rng=rng(), angles=(2,), duration=1_500.0)
    assert (found.kind, found.agreed) == (kind, True)
    assert math.isnan(found.position[2])
    assert found.extent[2] <= 2 * math.pi
    if periods:
        assert found.period.period == pytest.approx(periods * 2 * math.pi / 1.2, rel=1e-6)


def test_a_clock_that_nobody_names_leaves():
    found = find_attractor(DUFFING, rng=rng(), duration=100.0)
    assert (found.kind, found.outcome, found.agreed) == (None, "Complete", False)
    for angles in [(3,), (-1,), (0.5,)]:
        with pytest.raises(InputError, match="angles"):
            find_attractor(DUFFING, rng=rng(), angles=angles)


DUFFING = user_system(
    "duffing", duffing, kind="flow", start=[0.5, 0.0, 0.0], parameters={"amplitude": 0.2}
)


@pytest.mark.parametrize(
    "system", [known.damped_oscillator(1.0, -0.05), known.henon(1.4, 1.1), known.logistic(4.1)]
)
def test_an_escape_is_no_attractor(system):
    found = find_attractor(system, rng=rng(), duration=100.0)
    assert found.kind is None
    assert np.isnan(found.position).all()


def test_equilibria_by_newton():
    np.testing.assert_allclose(equilibrium(known.double_well(0.5), [0.8, 0.3]), [1, 0], atol=1e-12)
    np.testing.assert_allclose(equilibrium(known.logistic(3.7), [0.7]), [1 - 1 / 3.7], atol=1e-12)
    lonely = user_system("lonely", lambda x, p: (x[0] * x[0] + 1.0,), kind="flow", start=[0.5])
    assert equilibrium(lonely) is None


@pytest.mark.row("C4")
def test_a_symmetric_double_well_is_shared_in_halves():
    starts = grid_of_starts([-2, -2], [2, 2], 30)
    found = find_basins(known.double_well(0.5), starts, dt=0.05, transient=60.0)
    np.testing.assert_array_equal(found.fractions, [0.5, 0.5])
    assert found.fractions.sum() + found.escaped == 1.0
    np.testing.assert_allclose(sorted(found.ends[:, 0]), [-1, 1], atol=1e-6)
    # The mirror image of a start ends in the other well.
    np.testing.assert_array_equal(found.labels + found.labels[::-1], 1)


@pytest.mark.row("C4")
def test_experts_are_counted_by_basin():
    starts = grid_of_starts([-2, -2], [2, 2], 10)
    found = find_basins(known.double_well(0.5), starts, dt=0.05, transient=60.0)
    right = int(np.argmax(found.ends[:, 0]))
    opinions = np.array([[0.9, 0.0], [1.2, 0.1], [-1.0, 0.0], [0.1, 0.0]])
    counts = found.experts_captured(opinions)
    assert (counts[right], counts[1 - right]) == (3, 1)
    np.testing.assert_array_equal(found.capture(opinions) == right, [True, True, False, True])
    kinds = {found.attractor(basin, rng=rng(), duration=50.0).kind for basin in range(2)}
    assert kinds == {"FixedPoint"}


@pytest.mark.row("C4")
def test_cube_roots_share_a_disc_in_thirds():
    radius = np.linspace(0.3, 2.0, 12)
    angle = 2 * np.pi * (np.arange(60) + 0.37) / 60
    starts = np.stack(
        [np.outer(radius, np.cos(angle)).ravel(), np.outer(radius, np.sin(angle)).ravel()], axis=1
    )
    found = find_basins(NEWTON, starts, transient=60.0, window=5.0)
    np.testing.assert_allclose(found.fractions, 1 / 3, atol=0.01)
    assert found.fractions.sum() + found.escaped == pytest.approx(1.0)
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    reached = [naive.root_reached(x, y, 60) for x, y in starts]
    ends = found.ends[found.labels][:, :2] @ [1, 1j]
    np.testing.assert_allclose(ends, roots[reached], atol=1e-6)


def test_starts_that_escape_are_counted_apart():
    starts = grid_of_starts([-3, -3], [3, 3], 20)
    found = find_basins(known.henon(), starts, transient=500, window=2000, tolerance=0.1)
    assert len(found.fractions) == 1
    assert 0.1 < found.fractions[0] < 0.4
    assert found.fractions.sum() + found.escaped == pytest.approx(1.0)
    np.testing.assert_array_equal(found.labels == -1, ~(found.labels == 0))
    assert found.capture([[100.0, 0.0]])[0] == -1
    assert found.experts_captured([[100.0, 0.0], [0.1, 0.1]]).tolist() == [1]


def test_a_start_on_the_ridge_is_a_basin_of_its_own():
    found = find_basins(known.double_well(0.5), [[0.0, 0.0], [0.5, 0.0], [0.6, 0.0]])
    np.testing.assert_allclose(found.fractions, [2 / 3, 1 / 3])
    np.testing.assert_array_equal(found.ends[1], 0.0)


def test_a_cycle_is_one_basin():
    starts = grid_of_starts([-3, -3], [3, 3], 6)
    found = find_basins(known.van_der_pol(), starts, transient=60.0, window=60.0, tolerance=0.1)
    np.testing.assert_array_equal(found.fractions, [1.0])
    assert found.attractor(0, rng=rng(), duration=200.0).kind == "LimitCycle"


CHEBYSHEV = user_system("T2", lambda x, p: (2 * x[0] * x[0] - 1.0,), kind="map", start=[0.3])


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("system", "starts"),
    [
        (known.lorenz(), grid_of_starts([-10, -11, 10], [11, 10, 40], 5)),
        (known.lorenz(), grid_of_starts([-10, -11, 10], [11, 10, 40], 2)),
        (known.henon(), grid_of_starts([-0.5, -0.2], [0.5, 0.2], 15)),
        (CHEBYSHEV, np.random.default_rng(0).uniform(-1, 1, (200, 1))),
        (known.rossler(), grid_of_starts([-4, -4, 0], [4, 4, 1], 4)),
        (known.van_der_pol(), grid_of_starts([-3, -3], [3, 3], 6)),
        (known.circle_map(), grid_of_starts([0], [1], 30)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_attractor_is_one_basin_at_default_settings(system, starts):
    found = find_basins(system, starts)
    np.testing.assert_array_equal(found.fractions, [1.0])
    np.testing.assert_array_equal(found.capture(starts[::-1]), 0)


@pytest.mark.row("C4")
def test_points_stay_apart_at_default_settings():
    wells = find_basins(known.double_well(0.5), grid_of_starts([-2, -2], [2, 2], 20))
    np.testing.assert_array_equal(wells.fractions, [0.5, 0.5])
    roots = find_basins(NEWTON, np.random.default_rng(1).uniform(-2, 2, (300, 2)))
    np.testing.assert_allclose(roots.fractions, 1 / 3, atol=0.1)


def test_two_strange_attractors_are_two_basins():
    def side_by_side(x, p):
        away = (abs(x[0]) - 1.0) / 0.4
        moved = 1.0 + 0.4 * (1.0 - 1.9 * away * away)
        return (moved if x[0] > 0 else -moved,)

    halves = user_system("halves", side_by_side, kind="map", start=[1.0])
    sizes = np.random.default_rng(2).uniform(0.7, 1.3, (50, 1))
    found = find_basins(halves, np.vstack([sizes, -sizes]))
    np.testing.assert_array_equal(found.fractions, [0.5, 0.5])
    assert found.attractor(0, rng=rng()).exponents[0] > 0.1


def test_a_start_between_two_wells_joins_neither():
    # It lies so near the ridge that it leaves it within the window.
    starts = [[1e-44, 0.0], [0.5, 0.0], [0.6, 0.0], [-0.5, 0.0], [-0.6, 0.0]]
    found = find_basins(known.double_well(0.5), starts, transient=100.0, window=60.0)
    np.testing.assert_allclose(found.fractions, [0.4, 0.4, 0.2])
    assert found.labels[0] == 2
    assert 0.1 < found.ends[2, 0] < 0.9


def test_basins_of_one_start_each_are_a_warning():
    starts = np.stack([np.linspace(0.1, 3.0, 12), np.zeros(12)], axis=1)
    with pytest.warns(RuntimeWarning, match="12 of 12 basins hold one start"):
        found = find_basins(known.damped_oscillator(1.0, 0.0), starts)
    assert len(found.fractions) == 12


def test_all_escape_and_none_are_given():
    escape = known.damped_oscillator(1.0, -1.0)
    found = find_basins(escape, [[1.0, 0.0]], transient=50.0)
    assert (found.escaped, len(found.fractions)) == (1.0, 0)
    assert found.experts_captured([[1.0, 0.0]]).size == 0
    nobody = find_basins(escape, np.empty((0, 2)))
    assert (nobody.escaped, len(nobody.labels)) == (0.0, 0)


def test_basins_do_not_depend_on_threads():
    starts = grid_of_starts([-2, -2], [2, 2], 20)
    starts.flags.writeable = False
    results = []
    for threads in (1, 3):
        with use_threads(threads):
            results.append(find_basins(known.double_well(), starts, transient=200.0).labels)
    np.testing.assert_array_equal(*results)


def test_a_grid_is_of_the_middles_of_its_cells():
    np.testing.assert_allclose(grid_of_starts([0, 0], [2, 1], (2, 1)), [[0.5, 0.5], [1.5, 0.5]])
    assert math.prod(grid_of_starts([0] * 3, [1] * 3, 3).shape) == 81


@pytest.mark.parametrize(
    "make",
    [
        lambda: find_basins(known.henon(), [[1.0]]),
        lambda: find_basins(known.henon(), [[np.nan, 0.0]]),
        lambda: find_basins(known.henon(), [[0.0, 0.0]], window=0.0),
        lambda: find_basins(known.henon(), [[0.0, 0.0]], tolerance=-1.0),
        lambda: find_basins(known.henon(), [[0.0, 0.0]]).capture([0.0, 0.0]),
        lambda: find_basins(known.henon(), [[0.0, 0.0]]).attractor(5, rng=rng()),
        lambda: grid_of_starts([0.0], [0.0], 5),
        lambda: grid_of_starts([0.0, 0.0], [1.0, 1.0], (5,)),
        lambda: grid_of_starts([0.0], [1.0], 0),
        lambda: find_attractor(known.henon(), rng=rng(), duration=-5.0),
        lambda: find_attractor(known.henon(), rng=1),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(InputError, match="allowed"):
        make()

"""Bifurcations: where they are, of which kind, how the branches run."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.systems import user_system
from swarmloom_protocols.consensus.dynamics.bifurcations import bifurcations_on, find_bifurcations
from swarmloom_protocols.consensus.dynamics.continuation import Family, continue_equilibria
from swarmloom_protocols.consensus.dynamics.normal_forms import lyapunov_coefficient
from swarmloom_protocols.consensus.dynamics.period_doubling import FEIGENBAUM, period_doublings
from tests.naive import dynamics as naive

PARTS = ("xx", "xy", "yy", "xxx", "xxy", "xyy", "yyy")
NUMBERS = st.floats(-2, 2).map(lambda value: round(value, 3))


def normal_form(x, p):
    mu, mixing = p[0], p[5]
    first = p[1] * mu + p[2] * mu * x[0] + p[3] * x[0] ** 2 + p[4] * x[0] ** 3
    return (first + 0.3 * mixing * x[0] * x[1], -x[1] + mixing * x[0] ** 2)


def planar(x, p):
    u, v, f, g = x[0], x[1], p[2:9], p[9:16]
    first, second = p[0] * u - p[1] * v, p[1] * u + p[0] * v
    powers = (u * u / 2, u * v, v * v / 2, u**3 / 6, u * u * v / 2, u * v * v / 2, v**3 / 6)
    for k in range(7):
        first += f[k] * powers[k]
        second += g[k] * powers[k]
    return (first, second)


def delayed(x, p):
    return (p[0] * x[0] * (1.0 - x[1]), x[0])


FORMS = user_system(
    "normal form",
    normal_form,
    kind="flow",
    start=[0.0, 0.0],
    parameters={"mu": -0.9, "drive": 0.0, "cross": 0.0, "square": 0.0, "cubic": 0.0, "mixing": 0.0},
)
PLANAR = user_system(
    "planar",
    planar,
    kind="flow",
    start=[0.0, 0.0],
    parameters={"mu": -0.5, "omega": 1.0}
    | {f"{name}{part}": 0.0 for name in "fg" for part in PARTS},
)
DELAYED = user_system("delayed", delayed, kind="map", start=[0.5, 0.5], parameters={"r": 1.8})


@pytest.mark.row("C5")
@pytest.mark.parametrize("mixing", [0.0, 0.5])
@pytest.mark.parametrize(
    ("changes", "guess", "kind", "criticality"),
    [
        ({"mu": 0.7, "drive": 1, "square": -1}, 0.8, "SaddleNode", None),
        ({"mu": -0.7, "drive": 1, "square": 1}, 0.8, "SaddleNode", None),
        ({"cross": 1, "square": -1}, 0.0, "Transcritical", None),
        ({"mu": 0.7, "cross": 1, "square": -1}, 0.7, "Transcritical", None),
        ({"cross": 1, "cubic": -1}, 0.0, "Pitchfork", "super"),
        ({"cross": 1, "cubic": 1}, 0.0, "Pitchfork", "sub"),
        ({"mu": 0.6, "cross": 1, "cubic": -1}, 0.8, "Pitchfork", "super"),
        ({"mu": -0.6, "cross": 1, "cubic": 1}, 0.8, "Pitchfork", "sub"),
    ],
)
def test_normal_forms_are_typed_at_zero(changes, guess, kind, criticality, mixing):
    system = FORMS.with_parameters(mixing=mixing, **changes)
    found = find_bifurcations(system, "mu", -0.93, 1.0, guess=[guess, mixing * guess**2])
    there = [one for one in found if abs(one.parameter) < 1e-6]
    assert [one.kind for one in there] == [kind]
    assert there[0].criticality == criticality
    assert abs(there[0].parameter) < 1e-9
    np.testing.assert_allclose(there[0].state, 0.0, atol=1e-6)
    if kind in ("SaddleNode", "Transcritical"):
        assert there[0].coefficient == pytest.approx(changes["square"], abs=1e-6)
    else:
        # y follows x² with the weight `mixing`, and acts back with 0.3 of it.
        assert there[0].coefficient == pytest.approx(changes["cubic"] + 0.3 * mixing**2, abs=1e-6)


@pytest.mark.row("C5")
@pytest.mark.parametrize(("cubic", "criticality"), [(-1.0, "super"), (1.0, "sub"), (0.0, None)])
def test_hopf_normal_forms_are_typed_at_zero(cubic, criticality):
    # r' = μr + c·r³ in Cartesian coordinates.
    terms = {"fxxx": 6, "fxyy": 2, "gxxy": 2, "gyyy": 6}
    changes = {name: cubic * factor for name, factor in terms.items()}
    found = find_bifurcations(PLANAR.with_parameters(omega=2.0, **changes), "mu", -0.93, 1.0)
    assert [one.kind for one in found] == ["Hopf"]
    assert found[0].criticality == criticality
    assert abs(found[0].parameter) < 1e-9
    assert found[0].frequency == pytest.approx(2.0)
    assert found[0].coefficient == pytest.approx(2 * cubic / 2.0, abs=1e-6)


@settings(max_examples=20)
@given(st.lists(NUMBERS, min_size=14, max_size=14), st.floats(0.5, 3))
def test_lyapunov_coefficient_is_the_planar_formula(numbers, omega):
    f, g = dict(zip(PARTS, numbers[:7], strict=True)), dict(zip(PARTS, numbers[7:], strict=True))
    changes = {f"f{part}": value for part, value in f.items()}
    changes |= {f"g{part}": value for part, value in g.items()}
    system = PLANAR.with_parameters(omega=omega, **changes)
    found, frequency = lyapunov_coefficient(Family(system, "mu"), np.zeros(3))
    assert frequency == pytest.approx(omega)
    assert found == pytest.approx(2 * naive.planar_hopf(f, g, omega) / omega, abs=1e-4)


@pytest.mark.row("C5")
def test_lorenz_has_a_pitchfork_and_two_subcritical_hopf_points():
    found = find_bifurcations(known.lorenz(rho=10.0), "rho", 0.0, 30.0, guess=[5.0, 5.0, 9.0])
    assert [one.kind for one in found] == ["Hopf", "Pitchfork", "Hopf"]
    # σ(σ + β + 3)/(σ − β − 1), Sparrow (1982).
    exact = 10 * (10 + 8 / 3 + 3) / (10 - 8 / 3 - 1)
    for one in found[::2]:
        assert one.criticality == "sub"
        assert one.parameter == pytest.approx(exact, abs=1e-8)
        assert one.frequency == pytest.approx(math.sqrt(8 / 3 * (exact + 10)), abs=1e-6)
    assert (found[1].criticality, found[1].parameter) == ("super", pytest.approx(1.0, abs=1e-9))


def test_van_der_pol_is_a_centre_at_zero():
    found = find_bifurcations(known.van_der_pol(-0.5), "mu", -1.0, 1.0, guess=[0.0, 0.0])
    assert [(one.kind, one.criticality) for one in found] == [("Hopf", None)]


@pytest.mark.row("C5")
def test_a_tilted_double_well_loses_a_well_at_each_fold():
    branch = continue_equilibria(known.double_well(), "tilt", -1.0, 1.0, guess=[-1.0, 0.0])
    found = bifurcations_on(branch)
    fold = 2 / (3 * math.sqrt(3))
    assert [one.kind for one in found] == ["SaddleNode"] * 2
    np.testing.assert_allclose([one.parameter for one in found], [fold, -fold], atol=1e-9)
    # One curve from −1 to 1 by way of both folds, stable but for its middle.
    assert branch.complete
    np.testing.assert_allclose(branch.parameters, branch.states[:, 0] ** 3 - branch.states[:, 0])
    between = abs(branch.states[:, 0]) < 1 / math.sqrt(3)
    np.testing.assert_array_equal(branch.stable, ~between)
    assert (np.diff(branch.parameters) < 0).any()


@pytest.mark.row("C5")
def test_known_bifurcations_of_maps():
    found = find_bifurcations(known.logistic(2.5), "r", 0.1, 4.0, guess=[0.6])
    assert [(one.kind, one.criticality) for one in found] == [
        ("Transcritical", None),
        ("PeriodDoubling", "super"),
    ]
    np.testing.assert_allclose([one.parameter for one in found], [1.0, 3.0], atol=1e-9)
    henon = find_bifurcations(known.henon(0.1), "a", -1.0, 2.0, guess=[0.6, 0.2])
    assert [one.kind for one in henon] == ["SaddleNode", "PeriodDoubling"]
    # −(1 − b)²/4 and 3·(1 − b)²/4, Hénon (1976).
    np.testing.assert_allclose([one.parameter for one in henon], [-0.1225, 0.3675], atol=1e-9)


def test_the_delayed_logistic_map_has_a_circle():
    found = find_bifurcations(DELAYED, "r", 1.5, 2.3)
    assert [one.kind for one in found] == ["NeimarkSacker"]
    # Multipliers e^(±iπ/3) at r = 2 (Aronson et al. 1982).
    assert found[0].parameter == pytest.approx(2.0, abs=1e-9)
    assert found[0].frequency == pytest.approx(math.pi / 3, abs=1e-6)
    assert math.isnan(found[0].coefficient)


@pytest.mark.row("C5")
def test_period_doublings_of_the_logistic_map():
    found = period_doublings(known.logistic(2.5), "r", 2.0, 3.6, count=8, guess=[0.6])
    known_places = [3.0, 1 + math.sqrt(6), 3.544090, 3.564407, 3.568759]
    np.testing.assert_allclose(found.parameters[:5], known_places, atol=1e-6)
    assert found.parameters[1] == pytest.approx(3.449490, abs=1e-6)
    assert found.ratios[0] == pytest.approx(4.7514, abs=1e-4)
    assert found.ratios[-1] == pytest.approx(FEIGENBAUM, abs=2e-4)
    assert abs(np.diff(abs(found.ratios[1:] - FEIGENBAUM))).max() < 0.02
    assert found.accumulation == pytest.approx(3.5699456718, abs=1e-6)


@pytest.mark.row("C5")
def test_the_henon_map_doubles_at_the_same_rate():
    found = period_doublings(known.henon(0.1), "a", 0.0, 1.2, count=7, guess=[0.6, 0.2])
    np.testing.assert_allclose(found.parameters[:3], [0.3675, 0.9125, 1.0258554], atol=1e-6)
    assert found.ratios[-1] == pytest.approx(FEIGENBAUM, abs=0.01)


def test_a_branch_ends_where_its_budget_or_bound_does():
    system = known.double_well()
    short = continue_equilibria(system, "tilt", -1.0, 1.0, guess=[-1.0, 0.0], most_points=5)
    assert not short.complete
    assert len(short.parameters) == 9
    narrow = continue_equilibria(system, "tilt", -1.0, 1.0, guess=[-1.0, 0.0], bound=1.05)
    assert not narrow.complete
    assert abs(narrow.states).max() <= 1.05


@pytest.mark.parametrize("kind", ["flow", "map"])
def test_a_branch_ends_where_its_rule_does(kind):
    rooted = user_system(
        "rooted",
        lambda x, p: (np.sqrt(p[0] - x[0]) - (x[0] if p[1] > 0 else 0.0),),
        kind=kind,
        start=[0.5],
        parameters={"r": 0.75, "flow": float(kind == "flow")},
    )
    branch = continue_equilibria(rooted, "r", -2.0, 2.0)
    assert not branch.complete
    # x² = r − x, down to x = r = 0, and up to the border.
    np.testing.assert_allclose(branch.states[:, 0] ** 2, branch.parameters - branch.states[:, 0])
    assert 0 < branch.parameters.min() < 0.02
    assert branch.parameters.max() > 1.9
    # The map's slope is −1/(2x).
    doubled = [] if kind == "flow" else [("PeriodDoubling", pytest.approx(0.75, abs=1e-6))]
    assert [(one.kind, one.parameter) for one in bifurcations_on(branch)] == doubled
    with pytest.raises(InputError, match="guess: no equilibrium"):
        continue_equilibria(rooted.with_parameters(r=-1.0), "r", -2.0, 2.0)


@pytest.mark.row("C5")
def test_a_fold_on_a_hopf_point_has_no_coefficient():
    found = find_bifurcations(known.rossler(c=3.0), "c", 0.3, 6.0, guess=[0.0, 0.0, 0.0])
    # At a = b = 0.2 both eigenvalue conditions hold at c = 2√(ab): 0 and ±i√1.96.
    assert {one.kind for one in found} == {"SaddleNode", "Hopf"}
    hopf = next(one for one in found if one.kind == "Hopf")
    assert hopf.parameter == pytest.approx(0.4, abs=1e-6)
    assert hopf.criticality is None
    assert math.isnan(hopf.coefficient)
    assert hopf.frequency == pytest.approx(1.4, abs=1e-4)


def test_a_level_field_has_equilibria_everywhere_and_nothing_happens():
    found = find_bifurcations(FORMS, "mu", -1.0, 1.0)
    assert found == ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: find_bifurcations(known.lorenz(), "gamma", 0, 1),
        lambda: find_bifurcations(known.lorenz(), "rho", 0, 20),
        lambda: find_bifurcations(known.logistic(0.5), "r", 0, 1, guess=[np.nan]),
        lambda: find_bifurcations(known.logistic(0.5), "r", 0, 1, step=0.0),
        lambda: continue_equilibria(
            FORMS.with_parameters(drive=1, square=1, mu=1.0), "mu", 0, 2, guess=[0.5, 0.0]
        ),
        lambda: period_doublings(known.lorenz(), "rho", 0, 30),
        lambda: period_doublings(known.logistic(2.5), "r", 2.0, 2.9, guess=[0.6]),
        lambda: period_doublings(known.logistic(2.5), "r", 2.0, 3.6, count=13, guess=[0.6]),
    ],
)
def test_what_cannot_be_followed_is_refused(make):
    with pytest.raises(InputError, match="allowed"):
        make()

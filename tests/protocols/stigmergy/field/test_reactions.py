"""Reaction networks: SciPy's solution, nothing below 0, conservation to rounding, second order."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.presets import fisher_kpp_steps
from swarmloom_protocols.stigmergy.field.reaction_networks import (
    Amplifier,
    Catalyst,
    Dampener,
    Inhibitor,
    Reaction,
    ReactionNetwork,
    pairwise_network,
    parse_reactions,
)
from swarmloom_protocols.stigmergy.field.reactions import react, reaction_diffusion_steps
from tests.naive import reactions as naive

EIGHT = tuple("ABCDEFGH")
MODIFIERS = [Catalyst, Inhibitor, Amplifier, Dampener]
LOGISTIC = ReactionNetwork(
    ("A",), parse_reactions("A -> 2 A", 1.0) + parse_reactions("2 A -> A", 1.0)
)


def network(text, *rates, channels="ABC", modifiers=()):
    return ReactionNetwork(tuple(channels), parse_reactions(text, *rates), modifiers)


def random_network(rng):
    """Up to six reactions of second order between eight channels, with two modifiers."""
    reactions = []
    for _ in range(rng.integers(1, 7)):
        sides = []
        for _ in range(2):
            names = rng.choice(8, size=rng.integers(0, 3), replace=True)
            sides.append({EIGHT[i]: int((names == i).sum()) for i in set(names.tolist())})
        # Nothing grows without bound: no more is made than is taken.
        taken, made = sorted(sides, key=lambda side: -sum(side.values()))
        reactions.append(Reaction(taken, made, float(rng.uniform(0.1, 3.0))))
    modifiers = [
        MODIFIERS[i](EIGHT[rng.integers(8)], rng.uniform(0, 1), rng.uniform(0.2, 1), affects)
        for i, affects in zip(rng.integers(0, 4, 2), (None, ("A", "B", "C")), strict=True)
    ]
    return ReactionNetwork(EIGHT, reactions, modifiers)


@pytest.mark.row("S6")
@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_random_networks_follow_scipy(seed):
    rng = np.random.default_rng(seed)
    mixture, some = random_network(rng), rng.random((8, 3)).astype(np.float32)
    some[rng.random(some.shape) < 0.2] = 0.0
    some.flags.writeable = False
    end = react(some, mixture, 2.5)
    assert (end.shape, end.dtype) == (some.shape, np.float32)
    assert end.min() >= 0.0
    np.testing.assert_allclose(end, naive.react(some, mixture, 2.5), rtol=1e-4, atol=1e-5)
    laws = mixture.conservation_laws()
    np.testing.assert_allclose(laws @ end, laws @ some, atol=2e-6)


@pytest.mark.row("S6")
@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.01, 30.0))
@settings(deadline=None, max_examples=60)
def test_a_and_b_to_c_conserves_both_sums(a, b, c, rate):
    start = np.float32([[a], [b], [c]])
    end = react(start, network("A + B -> C", rate), 3.0)
    assert end.min() >= 0.0
    np.testing.assert_allclose(end[:2] + end[2], start[:2] + start[2], rtol=2e-6, atol=1e-6)
    assert end[2] >= start[2] * (1 - 1e-6) - 1e-30


@pytest.mark.row("S6")
def test_equilibrium_obeys_the_law_of_mass_action():
    start = np.random.default_rng(0).random((3, 20)).astype(np.float32)
    a, b, c = react(start, network("A + B <-> C", 4.0, 0.5), 60.0)
    np.testing.assert_allclose(c / (a * b), 8.0, rtol=1e-3)


@pytest.mark.row("S6")
def test_reactions_of_known_solution():
    t = 1.7
    start = np.full((3, 1), 0.8, np.float32)
    decay = react(start, network("A ->", 0.9), t)[0, 0]
    assert decay == pytest.approx(0.8 * math.exp(-0.9 * t), rel=5e-5)
    pair = react(start, network("2 A -> B", 0.6), t)[0, 0]
    assert pair == pytest.approx(0.8 / (1 + 2 * 0.6 * 0.8 * t), rel=5e-5)
    source = react(start, network("-> C", 0.25), t)[2, 0]
    assert source == pytest.approx(0.8 + 0.25 * t, rel=1e-6)
    growth = react(start[:1], LOGISTIC, t)[0, 0]
    assert growth == pytest.approx(1 / (1 + (1 / 0.8 - 1) * math.exp(-t)), rel=5e-5)


@pytest.mark.row("S6")
@pytest.mark.parametrize(
    ("modifier", "factor"),
    [
        (Catalyst("C", 3.0, 0.5), 1 + 3 * 2 / 2.5),
        (Inhibitor("C", 0.8, 0.5), 1 - 0.8 * 2 / 2.5),
        (Amplifier("C", 3.0, 0.5), 1 + 3 * 1.5),
        (Amplifier("C", 3.0, 2.5), 1.0),
        (Dampener("C", 3.0, 0.5), 1 / (1 + 3 * 1.5)),
        (Dampener("C", 3.0, 2.5), 1.0),
        (Catalyst("C", 3.0, 0.5, affects=("B",)), 1 + 3 * 2 / 2.5),
        (Catalyst("C", 3.0, 0.5, affects=("C",)), 1.0),
    ],
)
def test_modifiers_multiply_rates_and_are_not_used_up(modifier, factor):
    start = np.float32([[1.0], [0.0], [2.0]])
    end = react(start, network("A -> B", 0.4, modifiers=[modifier]), 1.3)
    assert end[0, 0] == pytest.approx(math.exp(-0.4 * factor * 1.3), rel=5e-5)
    assert end[0, 0] + end[1, 0] == pytest.approx(1.0, abs=1e-6)
    assert end[2, 0] == 2.0


@pytest.mark.row("S6")
def test_the_pairwise_matrix_of_eight_channels():
    rng = np.random.default_rng(2)
    rates = rng.normal(0.0, 0.4, (8, 8))
    start = rng.random((8, 4)).astype(np.float32)
    everyone = pairwise_network(EIGHT, rates - rates.T)
    end = react(start, everyone, 3.0, relative_tolerance=1e-6)
    np.testing.assert_allclose(end.sum(axis=0), start.sum(axis=0), rtol=3e-6)
    np.testing.assert_allclose(end, naive.react(start, everyone, 3.0), rtol=5e-5, atol=1e-6)
    matrix = rates - rates.T
    slopes = naive.changes(everyone, start[:, 0])
    np.testing.assert_allclose(slopes, start[:, 0] * (matrix @ start[:, 0]), rtol=1e-6)
    # Each channel with itself: decay as 1 / t where negative.
    alone = react(start, pairwise_network(EIGHT, -np.eye(8)), 2.0)
    np.testing.assert_allclose(alone, start / (1 + 2 * start), rtol=1e-4)


def test_what_reacts_fast_or_is_almost_gone_never_falls_below_nothing():
    start = np.float32([[1e-8, 1.0, 0.0, 1e4], [1.0, 1e-8, 3.0, 1e4], [0.0] * 4])
    end = react(start, network("A + B -> C", 50.0), 20.0)
    assert end.min() >= 0.0
    np.testing.assert_allclose(end[0] + end[2], start[0], rtol=1e-5, atol=1e-7)
    tiny = np.finfo(np.float32).smallest_normal
    assert not ((end > 0) & (end < tiny)).any()


@pytest.mark.row("S6")
def test_splitting_is_of_second_order():
    y = np.linspace(0.0, 2 * math.pi, 16, endpoint=False)
    start = (0.6 + 0.4 * np.sin(y)).astype(np.float32).reshape(1, 1, 16)
    # In time: fine steps of the split method itself are the reference.
    fine, *coarse = (
        reaction_diffusion_steps(
            start, LOGISTIC, [0.4], dt, round(4 / dt), "periodic", relative_tolerance=1e-6
        )
        for dt in (0.01, 1.0, 0.5, 0.25)
    )
    errors = [np.abs(one - fine).max() for one in coarse]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.7).all()


@pytest.mark.row("S6")
def test_a_split_network_agrees_with_the_fused_preset():
    rng = np.random.default_rng(4)
    start = (rng.random((20, 24)) * 0.5).astype(np.float32)
    split = reaction_diffusion_steps(start[None], LOGISTIC, [0.5], 0.1, 30, "periodic")[0]
    fused = fisher_kpp_steps(start, 1.0, 0.5, 1.0, 0.002, 1500, "periodic")
    np.testing.assert_allclose(split, fused, rtol=2e-3)


@pytest.mark.row("S6")
@pytest.mark.parametrize("boundaries", ["reflecting", "periodic"])
def test_reaction_and_diffusion_together_conserve_the_sums(boundaries):
    start = np.random.default_rng(5).random((3, 3, 8, 9)).astype(np.float32)
    mixture = network("A + B <-> C", 2.0, 0.3)
    end = reaction_diffusion_steps(start, mixture, [0.5, 0.1, 0.8], 0.2, 40, boundaries)
    before, after = (f.sum(axis=(1, 2, 3), dtype=float) for f in (start, end))
    np.testing.assert_allclose(after[:2] + after[2], before[:2] + before[2], rtol=2e-6)
    assert end.min() >= 0.0
    assert np.ptp(end[2]) < np.ptp(start[2]) / 10


@given(st.integers(0, 2**31), st.sampled_from([(3, 1, 4), (3, 3, 4), (3, 2, 2, 3)]))
@settings(deadline=None, max_examples=8)
def test_split_steps_equal_the_naive_reference(seed, shape):
    rng = np.random.default_rng(seed)
    start = rng.random(shape).astype(np.float32)
    sides = {"y": "absorbing", "x": ("reflecting", "absorbing"), "z": "periodic"}
    mixture = network("A + B <-> C", 2.0, 0.3, modifiers=[Inhibitor("C", 0.5)])
    given, lost = (mixture, [0.5, 0.1, 0.8], 0.15, 2), [0.5, 0.0, 0.1]
    options = {"relative_tolerance": 1e-6, "evaporation": lost}
    end = reaction_diffusion_steps(start, *given, sides, **options)
    expected = naive.reaction_diffusion_steps(start, *given, boundary_codes(sides), lost)
    np.testing.assert_allclose(end, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    start = np.random.default_rng(3).random((3, 1000), np.float32)
    expected = react(start, network("A + B <-> C", 2.0, 0.3), 1.0)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 500)
    with use_threads(threads):
        end = react(start, network("A + B <-> C", 2.0, 0.3), 1.0)
    np.testing.assert_array_equal(end, expected)


def test_eight_threads_may_call_at_once():
    mixture = network("A + B <-> C", 2.0, 0.3)
    starts = np.random.default_rng(3).random((32, 3, 200), np.float32)
    expected = [react(start, mixture, 1.0) for start in starts]
    with ThreadPoolExecutor(8) as pool:
        for end, wanted in zip(
            pool.map(lambda s: react(s, mixture, 1.0), starts), expected, strict=True
        ):
            np.testing.assert_array_equal(end, wanted)


def test_a_cell_does_not_depend_on_its_neighbours():
    start = np.random.default_rng(3).random((3, 300), np.float32)
    end = react(start, network("A + B <-> C", 2.0, 0.3), 1.0)
    alone = react(start[:, 170:171], network("A + B <-> C", 2.0, 0.3), 1.0)
    np.testing.assert_allclose(end[:, 170:171], alone, rtol=1e-6)


def test_no_time_no_cells_no_reactions():
    start = np.random.default_rng(3).random((3, 7), np.float32)
    np.testing.assert_array_equal(react(start, network("A -> B", 1.0), 0.0), start)
    np.testing.assert_array_equal(react(start, ReactionNetwork(("A", "B", "C"), []), 5.0), start)
    assert react(np.zeros((3, 0)), network("A -> B", 1.0), 1.0).shape == (3, 0)


@pytest.mark.parametrize(
    ("text", "reactants", "products"),
    [
        ("A + B -> C", {"A": 1, "B": 1}, {"C": 1}),
        ("2A->B", {"A": 2}, {"B": 1}),
        ("A + A + 3 * B -> 2 C + A", {"A": 2, "B": 3}, {"C": 2, "A": 1}),
        ("-> food_1", {}, {"food_1": 1}),
        ("A -> 0", {"A": 1}, {}),
    ],
)
def test_reactions_are_read(text, reactants, products):
    (reaction,) = parse_reactions(text, 0.5)
    assert (dict(reaction.reactants), dict(reaction.products)) == (reactants, products)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parse_reactions("A + B", 1.0), "not two sides"),
        (lambda: parse_reactions("A -> B -> C", 1.0), "not two sides"),
        (lambda: parse_reactions("A + -> C", 1.0), "'' is not a number and a channel"),
        (lambda: parse_reactions("1.5 A -> C", 1.0), "'1.5 A' is not a number and a channel"),
        (lambda: parse_reactions("A <-> C", 1.0), "reverse_rate is for '<->'"),
        (lambda: parse_reactions("A -> C", 1.0, 2.0), "reverse_rate is for '<->'"),
        (lambda: parse_reactions("A -> C", -1.0), "rate is -1.0"),
        (lambda: parse_reactions("A -> C", math.nan), "rate is nan"),
        (lambda: parse_reactions("9 A -> C", 1.0), "A: 9 is not a whole number"),
        (lambda: network("A -> X", 1.0), "channel 'X' is not one of 'A', 'B', 'C'"),
        (lambda: network("A -> B", 1.0, modifiers=[Catalyst("Y")]), "channel 'Y' is not one of"),
        (
            lambda: network("A -> B", 1.0, modifiers=[Catalyst("A", affects=("Z",))]),
            "channel 'Z' is not one of",
        ),
        (lambda: ReactionNetwork(("A", "A"), []), "are not different names"),
        (lambda: Catalyst("A", -1.0), "strength is -1.0"),
        (lambda: Inhibitor("A", 1.5), "strength of an Inhibitor is 1.5"),
        (lambda: Dampener("A", 1.0, 0.0), "threshold is 0.0"),
        (lambda: pairwise_network("AB", np.eye(3)), r"rates: shape \(3, 3\) is not \(2, 2\)"),
        (lambda: pairwise_network("AB", [[0, math.nan], [0, 0]]), r"rates: nan at \(0, 1\)"),
    ],
)
def test_networks_that_cannot_be_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amounts": np.ones((2, 4))}, r"shape \(2, 4\) does not begin with the 3 channels"),
        ({"amounts": -np.ones((3, 4))}, "amounts lie between -1"),
        ({"amounts": np.full((3, 4), math.nan)}, "amounts lie between nan"),
        ({"time": -1.0}, "time is -1.0"),
        ({"time": math.inf}, "time is inf"),
        ({"relative_tolerance": 1e-9}, "relative_tolerance is 1e-09"),
        ({"absolute_tolerance": 0.0}, "absolute_tolerance is 0.0"),
        ({"most_steps": 0}, "most_steps is 0"),
        ({"network": network("2 A -> 3 A", 1.0)}, "cell 0 is not done after 10000 steps"),
        ({"network": network("A <-> B", 1e6, 5e5)}, "cell 0 is not done after 10000 steps"),
    ],
)
def test_unusable_arguments_are_refused_and_amounts_stay(options, message):
    start = np.ones((3, 4))
    usual = {"amounts": start, "network": network("A -> B", 1.0), "time": 2.0}
    with pytest.raises(InputError, match=message):
        react(**{**usual, **options})
    np.testing.assert_array_equal(start, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.6}, r"dt is 0\.6; allowed: above 0, at most 0\.5"),
        ({"diffusion": [0.5]}, r"diffusion: shape \(1,\), not one of 3 channels"),
        ({"evaporation": [0.1, 0.1, -0.1]}, r"evaporation is -0\.1"),
        ({"diffusion": [0.5, -1.0, 0.0]}, "diffusion is -1.0"),
        ({"amounts": np.ones((2, 4, 4))}, "shape"),
        ({"steps": -1}, "steps is -1"),
    ],
)
def test_unusable_splits_are_refused(options, message):
    usual = {
        "amounts": np.ones((3, 4, 4)),
        "network": network("A -> B", 1.0),
        "diffusion": [0.5, 0.1, 0.0],
    }
    with pytest.raises(InputError, match=message):
        reaction_diffusion_steps(**{**usual, **options})

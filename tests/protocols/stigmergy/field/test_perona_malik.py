"""Perona–Malik diffusion: noise falls, edges stay, mass and range are kept."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom import device
from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.anisotropic import anisotropic_steps
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.perona_malik import perona_malik_steps
from swarmloom_protocols.stigmergy.field.perona_malik_kernels import decaying_exponential
from tests.naive import anisotropic as naive

CONDUCTANCES = ["exponential", "rational", "constant"]
SIDES = st.sampled_from(
    [
        "reflecting",
        "periodic",
        "absorbing",
        ("reflecting", "absorbing"),
        ("absorbing", "reflecting"),
    ]
)


def noisy_step(height, noise, seed=0):
    """Left half at 1, right half higher, and noise."""
    rng = np.random.default_rng(seed)
    step = np.where(np.arange(64) < 32, 1.0, 1.0 + height)
    return (step + rng.normal(0.0, noise, (64, 64))).clip(0.0).astype(np.float32)


@pytest.mark.row("S4")
@pytest.mark.parametrize("boundaries", ["reflecting", "periodic", "absorbing"])
def test_constant_conductance_is_isotropic_diffusion(boundaries):
    start = np.random.default_rng(0).random((30, 40), np.float32)
    end = perona_malik_steps(
        start, "constant", 1.0, rate=0.8, dt=0.25, steps=40, boundaries=boundaries
    )
    expected = anisotropic_steps(start, 0.8 * np.eye(2), boundaries, dt=0.25, steps=40)
    np.testing.assert_allclose(end, expected, rtol=5e-6, atol=1e-7)


@pytest.mark.row("S4")
@pytest.mark.parametrize("conductance", ["exponential", "rational"])
def test_an_edge_is_kept_while_the_variance_of_noise_falls(conductance):
    start = noisy_step(height=2.0, noise=0.05)
    end = perona_malik_steps(start, conductance, threshold=0.2, dt=0.2, steps=100)
    blurred = perona_malik_steps(start, "constant", dt=0.2, steps=100)
    for half in (slice(0, 32), slice(32, 64)):
        # Along the edge: what leaks through it is not noise.
        before, after = (field[:, half].var(axis=0).mean() for field in (start, end))
        assert after < before / 200
    kept = end[:, 32].mean() - end[:, 31].mean()
    assert kept > 1.75
    assert blurred[:, 32].mean() - blurred[:, 31].mean() < 0.2


@pytest.mark.row("S4")
def test_a_step_below_the_threshold_is_smoothed_away():
    start = noisy_step(height=0.2, noise=0.0)
    end = perona_malik_steps(start, "rational", threshold=1.0, dt=0.2, steps=3000)
    assert end.max() - end.min() < 0.2 / 3


@pytest.mark.row("S4")
@pytest.mark.parametrize("conductance", CONDUCTANCES)
@pytest.mark.parametrize("shape", [(19, 23), (6, 7, 8)])
def test_range_and_mass_are_kept_even_at_the_largest_step(conductance, shape):
    start = np.random.default_rng(4).random(shape, np.float32) + np.float32(0.5)
    dt = 1.0 / (2 * len(shape) * 1.7)
    for boundaries in ("reflecting", "periodic"):
        end = perona_malik_steps(start, conductance, 0.3, 1.7, dt, 100, boundaries, axes=len(shape))
        assert start.min() * (1 - 1e-6) <= end.min()
        assert end.max() <= start.max() * (1 + 1e-6)
        assert end.sum(dtype=float) == pytest.approx(start.sum(dtype=float), rel=1e-6)
    open_sides = perona_malik_steps(
        start, conductance, 0.3, 1.7, dt, 100, "absorbing", axes=len(shape)
    )
    assert open_sides.min() >= 0.0
    assert open_sides.sum() < start.sum()


@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 1), (1, 5), (4, 1), (5, 6), (2, 3, 4), (1, 3, 4), (2, 2, 3, 4)]),
    st.sampled_from(CONDUCTANCES),
    SIDES,
    SIDES,
    SIDES,
)
@settings(deadline=None, max_examples=60)
def test_steps_equal_the_naive_reference(seed, shape, conductance, side_z, side_y, side_x):
    start = np.random.default_rng(seed).random(shape).astype(np.float32)
    start.flags.writeable = False
    axes, sides = min(3, len(shape)), {"y": side_y, "x": side_x, "z": side_z}
    end = perona_malik_steps(start, conductance, 0.2, 1.1, 0.15, 3, sides, axes=axes)
    # A plane has no sides along z.
    known = sides | ({"z": "reflecting"} if axes == 2 else {})
    expected = naive.perona_malik_steps(
        start, boundary_codes(known), conductance, 0.2, 1.1, 0.15, 3
    )
    np.testing.assert_allclose(end, expected, rtol=5e-6, atol=1e-6)


def test_nothing_flows_between_the_channels_and_layers_of_a_plane():
    start = np.random.default_rng(5).random((2, 3, 6, 7), np.float32)
    end = perona_malik_steps(start, "constant", dt=0.2, steps=5, boundaries="absorbing", axes=2)
    for channel, layer in np.ndindex(2, 3):
        alone = perona_malik_steps(
            start[channel, layer], "constant", dt=0.2, steps=5, boundaries="absorbing"
        )
        np.testing.assert_array_equal(end[channel, layer], alone)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 5, 6), None), ((2, 3, 5, 6), None), ((5, 6), 3), ((5, 6), 1), ((6,), 2)],
)
def test_what_of_an_array_is_space_has_to_be_said(shape, axes):
    with pytest.raises(InputError, match="axes"):
        perona_malik_steps(np.ones(shape), axes=axes)


def test_the_exponential_without_exponentials():
    t = np.linspace(0.0, 100.0, 4001).astype(np.float32)
    values = [decaying_exponential(one) for one in t]
    np.testing.assert_allclose(values, np.exp(-t.astype(float)), atol=5e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_do_not_depend_on_threads(threads, monkeypatch):
    start = np.random.default_rng(3).random((40, 50), np.float32)
    expected = perona_malik_steps(start, steps=4)
    monkeypatch.setattr(device, "BAND_ELEMENTS", 300)
    with use_threads(threads):
        np.testing.assert_array_equal(perona_malik_steps(start, steps=4), expected)


def test_huge_differences_and_empty_grids():
    start = np.float32([[0.0, 1e18], [1e18, 0.0]])
    for conductance in CONDUCTANCES:
        assert np.isfinite(perona_malik_steps(start, conductance, 1e-20, steps=5)).all()
    assert perona_malik_steps(np.zeros((3, 0))).shape == (3, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.26}, r"dt is 0\.26; allowed: above 0, at most 0\.25"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": math.inf}, "rate is inf"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"conductance": "linear"}, "conductance: 'linear' is not one of 'exponential'"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"boundaries": {"w": "periodic"}}, "boundaries"),
        ({"amounts": [[-1.0, 0.0]]}, "amounts lie between -1"),
        ({"amounts": [[math.nan, 0.0]]}, "amounts lie between nan"),
    ],
)
def test_unusable_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        perona_malik_steps(**{"amounts": np.ones((3, 3)), **options})

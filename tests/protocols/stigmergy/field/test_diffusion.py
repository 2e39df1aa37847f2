"""Steps: the naive reference, known solutions of the heat equation, boundaries, stability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field import wavefront
from swarmloom_protocols.stigmergy.field.boundaries import boundary_codes
from swarmloom_protocols.stigmergy.field.diffusion import diffused, largest_step, step_rates
from swarmloom_protocols.stigmergy.field.diffusion_kernels import FLOOR
from swarmloom_protocols.stigmergy.field.field import PheromoneField
from tests.naive import diffusion as naive

KINDS = st.sampled_from(["periodic", "reflecting", "absorbing"])
SIDES = KINDS | st.sampled_from([("absorbing", "reflecting"), ("reflecting", "absorbing")])
SPACING = np.ones(3)


@st.composite
def fields(draw):
    """Amounts (read-only), coefficients and boundaries."""
    shape = draw(hnp.array_shapes(min_dims=4, max_dims=4, min_side=0, max_side=5))
    amounts = draw(hnp.arrays(np.float32, shape, elements=st.floats(0, 1000, width=32)))
    shares = hnp.arrays(np.float32, (shape[0], 3), elements=st.floats(0, 0.125, width=32))
    lost = hnp.arrays(np.float32, (shape[0], 1), elements=st.floats(0, 0.5, width=32))
    rates = np.hstack([draw(lost), draw(shares)])
    if draw(st.booleans()):
        rates[:, 1] = 0.0
    codes = boundary_codes({axis: draw(SIDES) for axis in "zyx"})
    for array in (amounts, rates, codes):
        array.flags.writeable = False
    return amounts, rates, codes


@given(fields(), st.integers(0, 11))
@settings(deadline=None, max_examples=150)
def test_steps_equal_the_naive_reference(field, steps):
    values = diffused(*field, steps, device="cpu")
    expected = naive.diffused(*field, steps)
    assert (values.shape, values.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(values, expected, rtol=2e-6, atol=2e-6 * field[0].max(initial=0))
    assert (values >= 0).all()


@pytest.mark.parametrize(
    "kind", ["periodic", "reflecting", "absorbing", ("absorbing", "reflecting")]
)
def test_several_steps_in_a_sweep_are_single_steps_bit_by_bit_on_any_number_of_threads(
    kind, monkeypatch
):
    # Narrow bands, so that halos meet, wrap round and are longer than what is left.
    monkeypatch.setattr(wavefront, "BAND_ELEMENTS", 1)
    monkeypatch.setattr(wavefront, "ROWS_PER_STEP", 1)
    monkeypatch.setattr(wavefront, "MOST_THREADS", 37)
    rng = np.random.default_rng(1)
    amounts = rng.random((2, 1, 37, 600), np.float32)
    rates = np.array([[0.01, 0, 0.2, 0.25], [0, 0, 0.1, 0.05]], np.float32)
    codes = boundary_codes(kind)
    single = amounts.copy()
    for _ in range(11):
        single = diffused(single, rates, codes, 1, device="cpu")
    for threads in (1, 5):
        with use_threads(threads):
            np.testing.assert_array_equal(diffused(amounts, rates, codes, 11, device="cpu"), single)


@pytest.mark.parametrize("shape", [(2, 3, 4, 600), (1, 4, 5, 1), (1, 5, 9, 130)], ids=str)
def test_every_cell_of_a_periodic_volume_is_computed_alike(shape):
    """Ends of rows, outer rows and layers give the same bits as what lies between."""
    amounts = np.random.default_rng(3).random(shape, np.float32)
    rates = np.array([[0.01, 0.1, 0.07, 0.12]] * shape[0], np.float32)
    given = rates, boundary_codes("periodic"), 2
    values = diffused(amounts, *given, device="cpu")
    np.testing.assert_allclose(values, naive.diffused(amounts, *given), rtol=2e-6)
    for axis in (1, 2, 3):
        moved = diffused(np.roll(amounts, 1, axis), *given, device="cpu")
        np.testing.assert_array_equal(moved, np.roll(values, 1, axis))


def test_threads_change_no_bit_of_a_volume_or_of_a_large_plane():
    rng = np.random.default_rng(2)
    for shape, rate_z in (((1, 8, 300, 300), 0.1), ((1, 1, 1000, 1100), 0.0)):
        amounts = rng.random(shape, np.float32)
        rates = np.array([[0.01, rate_z, 0.1, 0.1]], np.float32)
        with use_threads(1):
            expected = diffused(amounts, rates, boundary_codes("periodic"), 3, device="cpu")
        with use_threads(4):
            found = diffused(amounts, rates, boundary_codes("periodic"), 3, device="cpu")
        np.testing.assert_array_equal(found, expected)


def green(size, spread_time, spacing=1.0):
    """The heat kernel around the middle of a square grid."""
    r = (np.arange(size) - size // 2) * spacing
    one = np.exp(-(r**2) / (4 * spread_time)) / np.sqrt(4 * np.pi * spread_time)
    return spacing**2 * np.outer(one, one)


@pytest.mark.row("S3")
def test_a_point_spreads_as_the_heat_kernel_and_keeps_its_mass():
    field = PheromoneField((257, 257), 1, diffusion=1.0, evaporation=0.0)
    field.deposit([[128, 128]], 1.0)
    field.step(2000, dt=0.1)
    expected = green(257, 200.0)
    error = np.abs(field.amounts[0] - expected).max() / expected.max()
    assert error < 1.2e-3
    assert abs(field.mass() - 1.0) < 1e-6


@pytest.mark.row("S3")
def test_the_error_shrinks_with_the_square_of_the_spacing():
    errors = []
    for cells in (33, 65, 129):
        h = 32.0 / (cells - 1)
        field = PheromoneField((cells, cells), 1, diffusion=1.0, evaporation=0.0, spacing=h)
        field.replace(green(cells, 2.0, h)[None])
        # The step shrinks with h², so that the error of time does too.
        steps = round(4.0 / (0.2 * h**2))
        field.step(steps, dt=4.0 / steps)
        expected = green(cells, 6.0, h)
        errors.append(np.abs(field.amounts[0] - expected).max() / expected.max())
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(slopes - 2.0) < 0.2), (errors, slopes)


@pytest.mark.row("S5")
def test_a_periodic_mode_decays_as_it_should():
    n, rate, time = 128, 0.5, 200.0
    wave = 2 * np.pi * 2 / n
    field = PheromoneField(n, 1, diffusion=rate, evaporation=0.0, boundaries="periodic")
    field.replace(1.0 + np.cos(wave * np.arange(n))[None])
    field.step(1000, dt=time / 1000)
    found = 2 * np.mean(field.amounts[0] * np.cos(wave * np.arange(n)))
    assert found == pytest.approx(np.exp(-rate * wave**2 * time), rel=0.01)
    assert field.mass() == pytest.approx(n, rel=1e-6)


@pytest.mark.row("S5")
def test_a_reflecting_field_keeps_its_mass():
    rng = np.random.default_rng(3)
    field = PheromoneField((40, 50), 2, diffusion=0.2, evaporation=0.0)
    field.replace(rng.random((2, 40, 50), np.float32))
    before = field.mass()
    field.step(2000)
    assert field.mass() == pytest.approx(before, rel=2e-6)
    np.testing.assert_allclose(field.amounts, before / field.amounts.size, rtol=0.02)


@pytest.mark.row("S5")
def test_an_absorbing_field_decays_with_the_time_constant_of_its_length():
    n, rate, time = 63, 0.5, 1000.0
    field = PheromoneField(n, 1, diffusion=rate, evaporation=0.0, boundaries="absorbing")
    profile = np.sin(np.pi * np.arange(1, n + 1) / (n + 1))
    field.replace(profile[None])
    field.step(4000, dt=time / 4000)
    expected = np.exp(-rate * np.pi**2 * time / (n + 1) ** 2)
    np.testing.assert_allclose(field.amounts[0], expected * profile, rtol=3e-3)


@pytest.mark.row("S5")
def test_each_side_has_its_own_boundary():
    field = PheromoneField((3, 9), 1, diffusion=0.1, evaporation=0.0)
    mixed = PheromoneField(
        (3, 9),
        1,
        diffusion=0.1,
        evaporation=0.0,
        boundaries={"y": "periodic", "x": ("reflecting", "absorbing")},
    )
    for one in (field, mixed):
        one.deposit([[0, 8]], 1.0)
        one.step()
    np.testing.assert_allclose(mixed.amounts[0, :, 8], [0.6, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(field.amounts[0, :, 8], [0.8, 0.1, 0.0], rtol=1e-6)


def test_coefficients_are_those_of_each_channel_and_axis():
    rates = step_rates([1.0, 0.5], [0.0, np.log(2)], 0.1, np.array([9.0, 2.0, 1.0]), 2)
    np.testing.assert_allclose(
        rates, [[0, 0, 0.025, 0.1], [0.06696701, 0, 0.0125, 0.05]], rtol=1e-6
    )


@pytest.mark.row("S3")
def test_an_unstable_step_is_refused_with_the_longest_one_allowed():
    limit = largest_step([0.1, 0.4], SPACING, 2)
    assert limit == pytest.approx(1 / 1.6, rel=2e-6)
    with pytest.raises(InputError, match=r"at most 0\.62499"):
        step_rates([0.1, 0.4], [0, 0], 0.7, SPACING, 2)
    with pytest.raises(InputError, match="dt"):
        step_rates([0.1], [0], float("nan"), SPACING, 2)
    assert largest_step([0.0], SPACING, 3) == np.inf


def test_the_longest_step_leaves_nothing_negative():
    rng = np.random.default_rng(4)
    amounts = rng.lognormal(0.0, 6.0, (1, 1, 60, 60)).astype(np.float32)
    for boundary in ("reflecting", "periodic", "absorbing"):
        rates = step_rates([1.0], [0.0], largest_step([1.0], SPACING, 2), SPACING, 2)
        values = amounts
        for _ in range(5):
            values = diffused(values, rates, boundary_codes(boundary), 1, device="cpu")
            assert (values >= 0).all()


def test_no_value_below_the_floor_is_kept_after_long_idle_times():
    field = PheromoneField((32, 32), 1, diffusion=0.2, evaporation=0.05)
    field.deposit([[16, 16]], 1.0)
    for _ in range(20):
        field.step(100)
        values = field.amounts
        assert not ((values > 0) & (values < FLOOR)).any()
    assert field.mass() == 0.0


def test_a_nan_stays_visible():
    amounts = np.ones((1, 1, 3, 3), np.float32)
    amounts[0, 0, 1, 1] = np.nan
    rates = np.array([[0.1, 0, 0.1, 0.1]], np.float32)
    assert np.isnan(diffused(amounts, rates, boundary_codes(), 1, device="cpu")[0, 0, 1]).all()

"""Evaporation: half-lives, the Arrhenius law, steady states."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.field.evaporation import (
    GAS_CONSTANT,
    arrhenius_rate,
    lost_share,
    produced,
    rate_of_half_life,
)
from swarmloom_protocols.stigmergy.field.field import PheromoneField


@pytest.mark.row("S2")
@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_half_is_left_after_a_half_life_whatever_the_steps(steps):
    rate = rate_of_half_life(20.0)
    field = PheromoneField((3, 3), 1, diffusion=0.0, evaporation=rate)
    field.deposit([[1, 1]], 1.0)
    field.step(steps, dt=20.0 / steps)
    assert field.mass() == pytest.approx(0.5, rel=1e-6)


@pytest.mark.row("S2")
@pytest.mark.parametrize("dt", [0.1, 1.0, 30.0])
def test_a_constant_source_leads_to_the_steady_state(dt):
    source, rate = 3.0, 0.25
    field = PheromoneField(1, 1, diffusion=0.0, evaporation=rate)
    for _ in range(math.ceil(80.0 / dt)):
        field.step(dt=dt)
        field.deposit([[0]], produced(source, rate, dt))
    # Where a step changes less than a rounding, the value stays.
    assert field.mass() == pytest.approx(source / rate, rel=1e-5)


def test_what_is_produced_without_evaporation_grows_with_time():
    assert produced([2.0, 2.0], [0.0, 1e-12], 5.0) == pytest.approx([10.0, 10.0])


@pytest.mark.row("S2")
def test_the_rate_follows_arrhenius():
    energy, reference = 50e3, 298.15
    inverse = 1.0 / np.array([280.0, 298.15, 310.0, 350.0])
    rates = [
        float(
            arrhenius_rate(0.01, 1 / i, activation_energy=energy, reference_temperature=reference)
        )
        for i in inverse
    ]
    assert rates[1] == 0.01
    slope = np.polyfit(inverse, np.log(rates), 1)[0]
    assert slope == pytest.approx(-energy / GAS_CONSTANT, rel=1e-9)


@pytest.mark.row("S2")
def test_warm_channels_evaporate_faster_where_they_have_an_activation_energy():
    field = PheromoneField(
        (2, 2),
        ["plain", "volatile"],
        diffusion=0.0,
        evaporation=0.1,
        activation_energy={"volatile": 60e3},
    )
    field.temperature = 308.15
    factor = math.exp(-60e3 / GAS_CONSTANT * (1 / 308.15 - 1 / 298.15))
    np.testing.assert_allclose(field.evaporation, [0.1, 0.1 * factor])
    field.deposit([[0, 0]], channel="plain")
    field.deposit([[0, 0]], channel="volatile")
    field.step(dt=2.0)
    expected = np.exp(-2.0 * field.evaporation)
    np.testing.assert_allclose(field.amounts[:, 0, 0], expected, rtol=1e-6)


def test_small_shares_are_precise():
    assert float(lost_share(1e-12, 1e-3)) == pytest.approx(1e-15, rel=1e-12)


@pytest.mark.parametrize("kelvin", [0.0, -5.0, math.nan, math.inf])
def test_impossible_temperatures_are_refused(kelvin):
    field = PheromoneField(2, 1)
    with pytest.raises(InputError, match="temperature"):
        field.temperature = kelvin
    assert field.temperature == 298.15


def test_a_temperature_at_which_a_rate_is_infinite_is_refused():
    with pytest.raises(InputError, match="temperature"):
        arrhenius_rate(1.0, 1e-3, activation_energy=-1e9)


def test_half_lives():
    assert rate_of_half_life(None) == 0.0
    assert rate_of_half_life(2.0) == pytest.approx(math.log(2) / 2)
    with pytest.raises(InputError, match="half_life"):
        rate_of_half_life(0.0)

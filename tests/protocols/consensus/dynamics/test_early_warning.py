"""Early warning of a fold, and how often it is false."""

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.dynamics.early_warning import early_warning, rolling_indicators
from tests.naive import dynamics as naive

DT = 0.05


def rng(seed=0):
    return np.random.default_rng(seed)


def well_under_tilt(series, last, generator):
    """Positions in the double well V = x⁴/4 − x²/2 − μx while μ rises to `last`, from −1."""
    x, rows = np.full(series, -1.0), []
    for t in range(-500, 4000):
        mu = last * max(t, 0) / 4000
        push = 0.03 * np.sqrt(DT) * generator.standard_normal(series)
        x = x + DT * (mu + x - x**3) + push
        if t >= 0 and t % 20 == 0:
            rows.append(x)
    return np.array(rows).T


def test_windows_are_those_counted_by_hand():
    series = rng(1).standard_normal((2, 60)).cumsum(axis=1)
    variance, slowing = rolling_indicators(series, 20)
    for row in range(2):
        expected = naive.windows(series[row].tolist(), 20)
        np.testing.assert_allclose(variance[row], expected[0], rtol=1e-9)
        np.testing.assert_allclose(slowing[row], expected[1], rtol=1e-9)
    # Far from 0 nothing is lost.
    np.testing.assert_allclose(rolling_indicators(series + 1e6, 20)[0], variance, rtol=1e-6)


@pytest.mark.row("C5")
def test_fluctuations_grow_and_slow_down_before_a_fold():
    # The fold is at 2/(3√3) = 0.385.
    towards = well_under_tilt(30, 0.37, rng(2))
    assert (towards < 0).all()
    found = [early_warning(one, rng=rng(3), draws=99) for one in towards]
    assert np.mean([one.p_value <= 0.05 for one in found]) >= 0.6
    assert np.median([one.variance_trend for one in found]) > 0.4
    assert np.median([one.autocorrelation_trend for one in found]) > 0.4
    ends = np.array([(one.variance[-1], one.variance[0]) for one in found])
    assert np.median(ends[:, 0] / ends[:, 1]) > 1.3


@pytest.mark.row("C5")
def test_a_system_at_rest_seldom_warns():
    still = well_under_tilt(150, 0.0, rng(4))
    p_values = np.array([early_warning(one, rng=rng(5), draws=99).p_value for one in still])
    # Binomial(150, 0.05) is at most 14 in 99 % of all cases.
    assert (p_values <= 0.05).sum() <= 14
    assert 0.35 < p_values.mean() < 0.65


def test_warnings_are_reproducible_and_leave_the_series():
    series = rng(6).standard_normal(100)
    series.flags.writeable = False
    one, two = (early_warning(series, rng=rng(7), draws=19) for _ in range(2))
    assert one.p_value == two.p_value >= 1 / 20


@pytest.mark.parametrize(
    ("series", "options"),
    [
        (np.zeros(100), {}),
        (np.arange(20.0), {}),
        (np.full(100, np.nan), {}),
        (np.zeros((10, 10)), {}),
        (rng().standard_normal(100), {"window": 0.0}),
        (rng().standard_normal(100), {"bandwidth": 2.0}),
        (rng().standard_normal(100), {"draws": 5}),
    ],
)
def test_what_tells_nothing_is_refused(series, options):
    with pytest.raises(InputError, match="allowed"):
        early_warning(series, rng=rng(), **options)

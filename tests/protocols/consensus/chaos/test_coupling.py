"""Transfer entropy: the closed form of a linear process, and common causes."""

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos.coupling import influences, transfer_entropy

OWN_SOURCE, OWN = 0.6, 0.5


def driven(count, coupling=0.4, seed=0):
    """y follows x: x' = .6 x + noise, y' = .5 y + coupling x + noise."""
    noise = np.random.default_rng(seed).normal(size=(count + 100, 2))
    x, y = np.zeros(count + 100), np.zeros(count + 100)
    for t in range(1, count + 100):
        x[t] = OWN_SOURCE * x[t - 1] + noise[t, 0]
        y[t] = OWN * y[t - 1] + coupling * x[t - 1] + noise[t, 1]
    return x[100:], y[100:]


def closed_form(coupling):
    """Half the logarithm of the variance of y's one-step error from its own last value alone."""
    x = 1 / (1 - OWN_SOURCE**2)
    xy = OWN_SOURCE * coupling * x / (1 - OWN_SOURCE * OWN)
    y = (1 + coupling**2 * x + 2 * OWN * coupling * xy) / (1 - OWN**2)
    return 0.5 * math.log(1 + coupling**2 * (x - xy**2 / y))


def test_a_linear_process_has_its_closed_form():
    assert closed_form(0.4) == pytest.approx(0.10207, abs=1e-5)
    x, y = driven(100_000)
    found = transfer_entropy(x, y)
    assert found.entropy == pytest.approx(0.10207, abs=3e-3)
    assert found.p_value < 1e-12
    assert transfer_entropy(y, x).entropy < 1e-4


def test_p_values_of_no_influence_are_even():
    values = []
    for seed in range(200):
        x, y = driven(300, coupling=0.0, seed=seed)
        values.append(transfer_entropy(x, y, lags=2).p_value)
    assert 0.02 <= np.mean(np.array(values) < 0.1) <= 0.18


def test_a_chain_is_told_from_a_direct_influence():
    rng = np.random.default_rng(1)
    series = np.zeros((20_000, 3))
    for t in range(1, len(series)):
        series[t] = 0.4 * series[t - 1] + rng.normal(size=3)
        series[t, 1:] += 0.8 * series[t - 1, :2]
    plain, direct = influences(series, lags=2, conditional=False), influences(series, lags=2)
    assert plain[0, 2] > 0.02
    assert direct[0, 2] < 1e-3
    assert min(direct[0, 1], direct[1, 2]) > 0.1
    assert max(direct[1, 0], direct[2, 1], direct[2, 0]) < 1e-3
    assert (np.diag(direct) == 0).all()


def test_a_constant_and_a_copy():
    x = np.random.default_rng(2).normal(size=500)
    assert transfer_entropy(x, np.ones(500)).entropy == 0.0
    assert transfer_entropy(np.ones(500), x).entropy == pytest.approx(0.0, abs=1e-12)
    shifted = np.concatenate([[0.0], x[:-1]])
    assert transfer_entropy(x, shifted).entropy > 10


@pytest.mark.parametrize("lags", [1, 3])
def test_nothing_influences_what_foretells_itself(lags):
    rng = np.random.default_rng(3)
    targets = {"constant": np.ones(100), "tenths": np.full(100, 0.1), "huge": np.full(100, 1e9 / 3)}
    targets["alternating"] = np.tile([0.1, 0.7], 50)
    for name, target in targets.items():
        sources = [rng.normal(size=100) for _ in range(50)] + [np.ones(100), target]
        for source in sources:
            found = transfer_entropy(source, target, lags=lags)
            assert (found.entropy, found.p_value) == (0.0, 1.0), name


def test_unusable_series_are_refused():
    x = np.arange(10.0)
    for arguments in [(x, x[:5]), (np.ones((10, 2)), x), ([], x), (x, x * math.nan)]:
        with pytest.raises(InputError):
            transfer_entropy(*arguments)
    for lags in (0, 5, 10):
        with pytest.raises(InputError, match="lags"):
            transfer_entropy(x, x, lags=lags)

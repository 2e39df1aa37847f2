"""Scans of Lyapunov exponents: single spectra, cycles, collapses, any number of threads."""

import math

import numpy as np
import pytest

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.lyapunov import lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.lyapunov_scan import lyapunov_scan
from swarmloom_protocols.consensus.chaos.systems import user_system
from tests.naive import lyapunov as naive


def test_equals_the_naive_loop():
    rng = np.random.default_rng(0)
    r, starts = rng.uniform(3.6, 4.0, 20), rng.uniform(0.1, 0.9, (20, 1))
    found = lyapunov_scan(known.logistic(), r=r, starts=starts, steps=15, transient=3)
    expected = naive.scan(known.logistic, r[:, None], starts, 15, 3)
    np.testing.assert_allclose(found.exponents, expected, rtol=1e-9)


@pytest.mark.parametrize("system", [known.henon(), known.lorenz(), known.coupled_logistic_maps(5)])
def test_an_item_equals_the_largest_of_its_spectrum(system):
    found = lyapunov_scan(system, steps=20_000, transient=500)
    expected = lyapunov_spectrum(system, steps=20_000, transient=500).exponents[0]
    assert found.exponents.shape == (1,)
    assert found.exponents[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.row("C6")
def test_the_logistic_maps_windows():
    r = [3.2, 3.5, 3.83, 4.0]
    found = lyapunov_scan(known.logistic(), r=r, steps=20_000, transient=2_000)
    assert found.periods.tolist() == [2, 4, 3, 0]
    assert found.exponents[0] == pytest.approx(math.log(0.16) / 2, abs=1e-9)
    assert (found.exponents[:3] < 0).all()
    assert found.exponents[3] == pytest.approx(math.log(2), abs=0.01)
    assert not found.collapsed.any()


def test_collapse_escape_and_superstable_cycles_are_told_apart():
    tent = lyapunov_scan(known.tent(), slope=[1.99, 2.0], steps=1_000, transient=0)
    assert tent.collapsed.tolist() == [False, True]
    assert tent.exponents[0] == pytest.approx(math.log(1.99))
    assert math.isnan(tent.exponents[1])
    late = lyapunov_scan(known.tent(2.0), steps=62, transient=0)
    assert late.collapsed.all()
    henon = lyapunov_scan(known.henon(), starts=[[10.0, 10.0], [0.1, 0.1]], steps=100)
    assert np.isnan(henon.exponents).tolist() == [True, False]
    assert henon.periods[0] == 0
    assert not henon.collapsed.any()
    assert lyapunov_scan(known.logistic(2.0), starts=[0.5], steps=10).exponents[0] == -math.inf


def test_threads_change_nothing():
    r = np.linspace(3.4, 4.0, 2_000)
    found = []
    for threads in (1, 3):
        with use_threads(threads):
            found.append(lyapunov_scan(known.logistic(), r=r, steps=500, transient=50).exponents)
    np.testing.assert_array_equal(*found)


def test_a_users_map_is_scanned():
    def rule(state, parameters):
        return (parameters[0] * state[0] * (1.0 - state[0]),)

    mine = user_system("mine", rule, kind="map", start=[0.3], parameters={"r": 3.0})
    found = lyapunov_scan(mine, r=[3.2, 3.9], steps=400)
    expected = lyapunov_scan(known.logistic(), r=[3.2, 3.9], steps=400)
    np.testing.assert_allclose(found.exponents, expected.exponents, atol=1e-3)


def test_no_items():
    assert lyapunov_scan(known.logistic(), r=[], steps=3).exponents.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": 1.0}, "no parameter 'a'; allowed: r"),
        ({"r": [1.0, math.nan]}, "r: a value is not finite"),
        ({"r": [1.0, 2.0], "starts": [[0.1]] * 3}, "vectors of one length"),
        ({"r": [[1.0]]}, "vectors of one length"),
        ({"starts": [0.1, 0.2]}, "starts"),
        ({"steps": 0}, "steps"),
    ],
)
def test_unusable_arguments_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        lyapunov_scan(known.logistic(), **change)


def test_flows_and_users_maps_do_not_go_to_a_gpu():
    mine = user_system("mine", lambda x, p: (0.5 * x[0],), kind="map", start=[0.3])
    for system in (known.lorenz(), known.coupled_logistic_maps(4), mine):
        with pytest.raises(InputError, match="known maps of up to 3"):
            lyapunov_scan(system, steps=10, device="cuda")

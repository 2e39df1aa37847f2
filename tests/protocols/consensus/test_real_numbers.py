"""What is no array of real numbers is refused, by the argument's name, and never cut down."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.chaos import known_systems as known
from swarmloom_protocols.consensus.chaos.coupling import transfer_entropy
from swarmloom_protocols.consensus.chaos.lyapunov import kaplan_yorke, lyapunov_spectrum
from swarmloom_protocols.consensus.chaos.lyapunov_scan import lyapunov_scan
from swarmloom_protocols.consensus.chaos.recurrence import RecurrenceSettings, recurrence
from swarmloom_protocols.consensus.dynamics.basins import find_basins, grid_of_starts
from swarmloom_protocols.consensus.dynamics.early_warning import early_warning
from swarmloom_protocols.consensus.dynamics.periods import cycle_length, flow_period
from swarmloom_protocols.consensus.dynamics.potential import gaussian_wells
from swarmloom_protocols.consensus.dynamics.spectra import spectral_slope
from swarmloom_protocols.consensus.dynamics.trajectories import describe_trajectory
from swarmloom_protocols.consensus.dynamics.zero_one_test import zero_one_test
from swarmloom_protocols.consensus.real_numbers import real_array

RNG = np.random.default_rng(0)
TAKERS = {
    "zero_one_test": lambda values: zero_one_test(values, rng=RNG),
    "describe_trajectory": lambda values: describe_trajectory(values, rng=RNG),
    "early_warning": lambda values: early_warning(values, rng=RNG),
    "spectral_slope": spectral_slope,
    "flow_period": flow_period,
    "cycle_length": cycle_length,
    "recurrence": lambda values: recurrence(values, RecurrenceSettings(0.1)),
    "transfer_entropy": lambda values: transfer_entropy(values, values),
    "kaplan_yorke": kaplan_yorke,
    "find_basins": lambda values: find_basins(known.henon(), values),
    "grid_of_starts": lambda values: grid_of_starts(values, 1.0, 3),
    "lyapunov_spectrum": lambda values: lyapunov_spectrum(known.henon(), values, 10),
    "lyapunov_scan": lambda values: lyapunov_scan(known.logistic(), r=values),
    "gaussian_wells": lambda values: gaussian_wells(values, widths=1.0, depths=1.0),
}
UNREAL = {
    "complex": np.exp(0.3j * np.arange(300)),
    "ragged": [[1.0, 2.0], [3.0]] * 150,
    "text": ["1.0", "2.0"] * 150,
    "words": ["often"] * 300,
    "objects": [None] * 300,
}


@pytest.mark.parametrize("unreal", UNREAL)
@pytest.mark.parametrize("taker", TAKERS)
def test_what_is_no_real_array_is_refused(taker, unreal):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="allowed: real numbers"):
            TAKERS[taker](UNREAL[unreal])


def test_real_numbers_of_all_kinds_are_taken():
    for values in ([1, 2], (True, False), np.float32([1.5]), [[1.0], [np.nan]], []):
        np.testing.assert_array_equal(real_array("x", values), np.array(values, np.float64))
    given = np.ones(3)
    assert real_array("x", given) is given


def test_compiled_code_meets_one_layout():
    fixed = np.arange(6.0).reshape(2, 3)
    fixed.flags.writeable = False
    for values in (fixed, fixed.T, fixed[:, ::2], np.float64(2.0)):
        array = real_array("x", values)
        np.testing.assert_array_equal(array, values)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.shape == np.shape(values)


def test_no_generator_is_refused_even_where_none_is_needed():
    with pytest.raises(InputError, match="rng"):
        zero_one_test(np.ones(300), rng=None)
    assert zero_one_test(np.ones(300), rng=RNG) == 0.0


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("dynamics.noise", "scipy.signal"),
        ("dynamics.attractors", "scipy.optimize"),
        ("dynamics.bifurcations", "scipy.optimize"),
        ("dynamics.basins", "scipy.optimize"),
        ("chaos.exploration", "scipy.stats"),
        ("chaos.coupling", "scipy.stats"),
    ],
)
def test_modules_leave_what_is_slow_to_import_until_it_is_used(module, unneeded):
    code = f"import sys, swarmloom_protocols.consensus.{module}; print({unneeded!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

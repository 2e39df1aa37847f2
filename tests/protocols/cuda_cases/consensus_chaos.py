"""Cases of the chaos diagnostics' kernels."""

from swarmloom_protocols.consensus.chaos.known_systems import henon, logistic
from swarmloom_protocols.consensus.chaos.lyapunov_scan import lyapunov_scan
from swarmloom_protocols.consensus.chaos.recurrence import RecurrenceSettings, line_lengths
from tests.naive import lyapunov as naive_lyapunov
from tests.naive import recurrence as naive
from tests.protocols.cuda_cases.case import Case

PACKAGE = "swarmloom_protocols.consensus.chaos"


def states(rng, size):
    """A quarter as many states as asked for: the kernels look at all pairs."""
    return rng.integers(0, 4, (-(-size // 4), 2)) / 4.0, 0.3, size % 3


def counted(which):
    def lengths(points, radius, theiler, *, device):
        settings = RecurrenceSettings(radius, theiler=theiler)
        return line_lengths(points, settings, device=device)[which]

    return lengths


# So few steps that the last digit, which differs between processors, has not grown yet.
STEPS = {"steps": 12, "transient": 2}


def logistic_exponents(values, starts, *, device):
    return lyapunov_scan(logistic(), r=values, starts=starts, device=device, **STEPS).exponents


def henon_exponents(values, starts, *, device):
    return lyapunov_scan(henon(), a=values, starts=starts, device=device, **STEPS).exponents


def naive_exponents(make):
    def exponents(values, starts):
        return naive_lyapunov.scan(make, values[:, None], starts, **STEPS).reshape(len(values))

    return exponents


CASES = {
    f"{PACKAGE}.lyapunov_scan_cuda.logistic_scan": Case(
        logistic_exponents,
        naive_exponents(logistic),
        lambda rng, size: (rng.uniform(3.6, 3.99, size), rng.uniform(0.1, 0.9, (size, 1))),
    ),
    f"{PACKAGE}.lyapunov_scan_cuda.henon_scan": Case(
        henon_exponents,
        naive_exponents(henon),
        lambda rng, size: (rng.uniform(1.0, 1.4, size), rng.uniform(-0.1, 0.1, (size, 2))),
    ),
    f"{PACKAGE}.recurrence_cuda.diagonals": Case(
        counted(0),
        lambda points, radius, theiler: naive.diagonal_lengths(points, radius, theiler=theiler),
        states,
    ),
    f"{PACKAGE}.recurrence_cuda.verticals": Case(
        counted(1),
        lambda points, radius, theiler: naive.vertical_lengths(points, radius, theiler=theiler),
        states,
    ),
}

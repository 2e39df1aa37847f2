"""Cases of the chaos diagnostics' kernels."""

from swarmloom_protocols.consensus.chaos.recurrence import RecurrenceSettings, line_lengths
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


CASES = {
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

"""Walkers: lengths of flights."""

from swarmloom_protocols.stigmergy.walkers.levy import levy_lengths
from tests.naive import levy
from tests.protocols.cuda_cases.case import Case

STIGMERGY = "swarmloom_protocols.stigmergy.walkers"


def lengths(count, exponent, high, seed, device="cpu"):
    return levy_lengths(count, exponent, max_length=high, seed=seed, device=device)


def naive_lengths(count, exponent, high, seed):
    return levy.levy_lengths(count, exponent, max_length=high, seed=seed)


CASES = {
    f"{STIGMERGY}.levy_cuda.fill": Case(
        lengths, naive_lengths, lambda rng, size: (size, 1.6, 200.0, int(rng.integers(99)))
    ),
}

"""Pattern detection: box counts, alignment with a place, charges of a phase."""

import numpy as np

from swarmloom_protocols.stigmergy.patterns.box_counting import box_counts
from swarmloom_protocols.stigmergy.patterns.phase_charges import phase_charges
from swarmloom_protocols.stigmergy.patterns.walker_kernels import inward_alignments
from tests.naive import patterns as naive
from tests.protocols.cuda_cases.case import Case

# Tracks of no walker are refused, so that the smallest case has two.
FEWEST_WALKERS = 2


def mask(rng, size):
    sides = (3, 5, -(-size // 15)) if size % 2 else (size // 10, 10)
    return (rng.random(sides) < 0.1,)


def walkers(rng, size):
    count = max(FEWEST_WALKERS, size // 3)
    tracks = rng.normal(0.0, 1.0, (count, 4, 2)).cumsum(axis=1)
    # One that rests, and one that starts at the hub.
    tracks[0], tracks[1, 0] = tracks[0, 0], 0.5
    return tracks, (0.5, 0.5), 2.0


def frames(rng, size):
    height = -(-size // 12)
    return (rng.uniform(-np.pi, np.pi, (3, height + 1, 5)).astype(np.float32),)


MODULE = "swarmloom_protocols.stigmergy.patterns"
CASES = {
    f"{MODULE}.box_counting_cuda.coarsen": Case(box_counts, naive.box_counts, mask),
    f"{MODULE}.walker_cuda.align": Case(inward_alignments, naive.inward_alignments, walkers),
    f"{MODULE}.phase_charges_cuda.charge": Case(phase_charges, naive.charges, frames),
}

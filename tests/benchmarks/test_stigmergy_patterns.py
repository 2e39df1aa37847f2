"""Trails as graphs, box counts and charges, beside scikit-image and plain NumPy.

Run with ``pytest tests/benchmarks/test_stigmergy_patterns.py --benchmark-enable -s``; the sizes
of the documentation need ``SWARMLOOM_FULL_BENCHMARKS=1``.
"""

import os
from functools import cache

import numpy as np
import pytest

from swarmloom_protocols.stigmergy.patterns.box_counting import box_counts
from swarmloom_protocols.stigmergy.patterns.phase_charges import phase_charges
from swarmloom_protocols.stigmergy.patterns.thinning import skeleton
from swarmloom_protocols.stigmergy.patterns.trail_graph import trail_graph
from swarmloom_protocols.stigmergy.patterns.trail_mask import trail_mask
from tests.benchmarks.measuring import least_cpu_seconds, tell_beside
from tests.protocols.stigmergy.patterns.known_fields import frame

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SIDES = [1024, 2048] if FULL else [256]
TILE = 192


@cache
def forest(side):
    """A frame full of lattices with noise."""
    tiles = -(-side // TILE)
    field = np.tile(frame("lattice", 1, 0.0, side=TILE), (tiles, tiles))[:side, :side]
    noise = np.random.default_rng(0).standard_normal(field.shape)
    return (field + 0.1 * noise).astype(np.float32)


def compare(benchmark, function, peers, argument):
    benchmark.pedantic(function, (argument,), rounds=5, warmup_rounds=1)
    own = least_cpu_seconds(lambda: function(argument))
    seconds = {
        name: least_cpu_seconds(lambda peer=peer: peer(argument)) for name, peer in peers.items()
    }
    tell_beside(benchmark, own, seconds)


def graph_of(field):
    return trail_graph(trail_mask(field))


def scikit_image_skeleton(field):
    """The same steps as far as the skeleton: smoothing, hysteresis, thinning."""
    filters = pytest.importorskip("skimage.filters")
    morphology = pytest.importorskip("skimage.morphology")
    smooth = filters.gaussian(field, 1.5)
    middle = np.median(smooth)
    deviation = 1.4826 * np.median(abs(smooth - middle))
    high = middle + 6 * deviation
    mask = filters.apply_hysteresis_threshold(smooth, middle + 3 * deviation, high)
    return morphology.skeletonize(mask)


def numpy_box_counts(mask):
    counts = [np.count_nonzero(mask)]
    while mask.shape[0] > 1:
        mask = mask.reshape(mask.shape[0] // 2, 2, mask.shape[1] // 2, 2).any(axis=(1, 3))
        counts.append(np.count_nonzero(mask))
    return counts


def numpy_charges(phases):
    def turns(after, before):
        return (after - before + np.float32(np.pi)) // np.float32(2 * np.pi)

    right = turns(phases[:, :, 1:], phases[:, :, :-1])
    down = turns(phases[:, 1:], phases[:, :-1])
    return down[:, :, :-1] - down[:, :, 1:] + right[:, 1:] - right[:, :-1]


@pytest.mark.parametrize("side", SIDES)
def test_thinning(benchmark, side):
    morphology = pytest.importorskip("skimage.morphology")
    peers = {"scikit-image": morphology.skeletonize}
    compare(benchmark, skeleton, peers, trail_mask(forest(side)))


@pytest.mark.parametrize("side", SIDES)
def test_graph_of_a_frame(benchmark, side):
    compare(benchmark, graph_of, {"scikit-image": scikit_image_skeleton}, forest(side))


@pytest.mark.parametrize("side", SIDES)
def test_box_counts(benchmark, side):
    compare(benchmark, box_counts, {"NumPy": numpy_box_counts}, trail_mask(forest(side)))


@pytest.mark.parametrize("side", SIDES)
def test_charges(benchmark, side):
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, side, side)).astype(np.float32)
    compare(benchmark, phase_charges, {"NumPy": numpy_charges}, phases)

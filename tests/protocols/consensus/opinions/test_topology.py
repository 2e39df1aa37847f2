"""Known answers of percolation, fractals and rough surfaces."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.opinions.percolation import (
    percolation_threshold,
    spanning_count,
)
from swarmloom_protocols.consensus.opinions.topology import (
    connectivity,
    density_landscape,
    landscape_topology,
    percolation_level,
    roughness,
)

pytestmark = pytest.mark.row("C16")


def crossed(opened):
    """Whether open cells lead from the first row to the last, by breadth first."""
    waiting = deque((0, x) for x in np.flatnonzero(opened[0]))
    seen = set(waiting)
    while waiting:
        y, x = waiting.popleft()
        if y == len(opened) - 1:
            return True
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= place[0] < opened.shape[0] and 0 <= place[1] < opened.shape[1]
            if inside and opened[place] and place not in seen:
                seen.add(place)
                waiting.append(place)
    return False


@settings(deadline=None, max_examples=50)
@given(height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_the_count_is_where_a_search_first_gets_through(height, width, seed):
    order = np.random.default_rng(seed).permutation(height * width)
    count = spanning_count(order, (height, width))
    for cells, expected in ((count - 1, False), (count, True)):
        opened = np.zeros(height * width, bool)
        opened[order[:cells]] = True
        assert crossed(opened.reshape(height, width)) == expected


@pytest.mark.parametrize(("lattice", "known"), [("site", 0.592746), ("bond", 0.5)])
def test_square_lattices_percolate_where_they_are_known_to(lattice, known):
    small, large = (
        percolation_threshold(side, lattice, runs=runs, rng=np.random.default_rng(1))
        for side, runs in ((16, 400), (256, 60))
    )
    assert abs(large.share - known) < 4.0 * large.standard_error + 0.002
    assert large.standard_error < 0.002
    # The spread shrinks as side^(−3/4): by 8 here.
    assert 5.0 < small.spread / large.spread < 12.0


def test_a_seed_gives_the_same_lattices():
    one, other = (percolation_threshold(20, runs=5, rng=np.random.default_rng(7)) for _ in range(2))
    assert one == other


def test_independent_heights_percolate_as_sites_do():
    heights = np.random.default_rng(3).standard_normal((300, 300))
    found = percolation_level(heights)
    assert found.share == pytest.approx(0.5927, abs=0.015)
    # Standard normal heights: Φ(0.2345) = .5927.
    assert found.level == pytest.approx(0.2345, abs=0.04)
    assert connectivity(heights <= found.level).crosses
    assert not connectivity(heights < found.level).crosses


def test_water_over_a_pass_is_as_high_as_the_pass():
    heights = np.full((9, 5), 10.0)
    heights[:, 2] = [0.0, 1.0, 2.0, 3.0, 7.0, 3.0, 2.0, 1.0, 0.0]
    assert percolation_level(heights).level == 7.0
    assert percolation_level(heights).share == 9 / 45


def sierpinski(levels):
    mask = np.ones((1, 1), bool)
    for _ in range(levels):
        empty = np.zeros_like(mask)
        mask = np.block([[mask, empty], [mask, mask]])
    return mask


def test_the_edge_of_a_sierpinski_triangle_has_its_dimension():
    triangle = sierpinski(9)
    found = landscape_topology(np.where(triangle, 0.0, 1.0), level=0.5)
    assert found.fractal_dimension.dimension == pytest.approx(np.log2(3.0), abs=0.02)


def test_the_edge_of_a_disc_is_a_line():
    y, x = np.indices((512, 512)) - 255.5
    found = landscape_topology(np.hypot(y, x), level=180.0)
    assert found.fractal_dimension.dimension == pytest.approx(1.0, abs=0.08)
    assert found.connectivity.components == 1


@pytest.mark.parametrize(
    ("surface", "exponent"),
    [
        (np.add.outer(np.arange(128.0), np.zeros(128)), 1.0),
        (np.random.default_rng(1).standard_normal((256, 256)), 0.0),
        (
            # A random walk down each column and along each row.
            np.add.outer(*np.random.default_rng(2).standard_normal((2, 2048)).cumsum(axis=1)),
            0.5,
        ),
    ],
)
def test_roughness_exponents_are_the_known_ones(surface, exponent):
    assert roughness(surface).exponent == pytest.approx(exponent, abs=0.07)


def test_roughness_is_in_units_of_height():
    ramp = 3.0 * np.add.outer(np.zeros(20), np.arange(20.0))
    assert roughness(ramp).slope == pytest.approx(3.0 / np.sqrt(2.0))
    assert roughness(ramp).deviation == pytest.approx(3.0 * np.sqrt((20**2 - 1) / 12.0))
    assert roughness(1e200 * ramp).slope == pytest.approx(3e200 / np.sqrt(2.0))
    flat = roughness(np.zeros((16, 16)))
    assert (flat.deviation, flat.slope) == (0.0, 0.0)
    assert np.isnan(flat.exponent)


def test_connectivity_counts_what_shares_edges():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]], bool)
    found = connectivity(mask)
    assert (found.components, found.largest_share, found.crosses) == (3, 0.5, True)
    none = connectivity(np.zeros((2, 2), bool))
    assert (none.components, none.largest_share, none.crosses) == (0, 0.0, False)


def test_two_camps_are_two_hills():
    rng = np.random.default_rng(0)
    camps = np.repeat([[0.0, 0.0], [1.0, 1.0]], 500, axis=0) + 0.05 * rng.standard_normal((1000, 2))
    density = density_landscape(camps, 64)
    assert density.sum() == pytest.approx(1.0)
    assert connectivity(density > density.max() / 4.0).components == 2
    alone = density_landscape([[0.5, 0.5], [0.5, 0.5]], 16, blur=0.0)
    assert alone[0, 0] == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: percolation_level(np.zeros(5)), r"heights: shape \(5,\)"),
        (lambda: percolation_level([[0.0, np.nan], [0.0, 0.0]]), r"heights\[0, 1\] is nan"),
        (lambda: roughness(np.zeros((15, 40))), "sides from 16"),
        (lambda: connectivity(np.zeros((2, 2, 2))), "mask: shape"),
        (lambda: density_landscape([0.0, 1.0]), "1 dimensions; allowed: 2"),
        (lambda: spanning_count([0, 1, 1, 3], (2, 2)), "each cell from 0 to 3 once"),
        (
            lambda: percolation_threshold(8, "edge", rng=np.random.default_rng(0)),
            "lattice: 'edge'; allowed: 'site', 'bond'",
        ),
        (lambda: percolation_threshold(1, rng=np.random.default_rng(0)), "side is 1"),
        (lambda: percolation_threshold(8, rng=3), "rng is 3"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()

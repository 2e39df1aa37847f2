"""Percolation: the share of open places at which a way leads through, by union–find.

Newman and Ziff, Physical Review Letters 85, 2000: places are opened one after the other, and each
is united with its open neighbours, so that one pass sees every share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom.jit import kernel
from swarmloom_protocols.checks import generator, whole
from swarmloom_protocols.consensus.opinions.components import root_of, unite

__all__ = ["Lattice", "PercolationThreshold", "percolation_threshold", "spanning_count"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Lattice = Literal["site", "bond"]


@dataclass(frozen=True)
class PercolationThreshold:
    """Where lattices of one size begin to be crossed.

    Attributes
    ----------
    share : float
        Mean share of open sites or bonds at which the first way leads from one side to the other.
    standard_error : float
        Of the mean, from the spread of the runs.
    spread : float
        Standard deviation of one run; it shrinks as side^(−3/4) in the plane.
    runs : int
        How many lattices were filled.
    """

    share: float
    standard_error: float
    spread: float
    runs: int


@kernel
def _open_site(
    site: int,
    height: int,
    width: int,
    opened: NDArray[np.uint8],
    parents: IntArray,
    sizes: IntArray,
) -> None:
    """Open a site and unite it with its open neighbours and with the sides that it lies on."""
    row, column = site // width, site % width
    opened[site] = 1
    if row == 0:
        unite(parents, sizes, site, height * width)
    if row == height - 1:
        unite(parents, sizes, site, height * width + 1)
    if row > 0 and opened[site - width]:
        unite(parents, sizes, site, site - width)
    if row < height - 1 and opened[site + width]:
        unite(parents, sizes, site, site + width)
    if column > 0 and opened[site - 1]:
        unite(parents, sizes, site, site - 1)
    if column < width - 1 and opened[site + 1]:
        unite(parents, sizes, site, site + 1)


@kernel
def _sites_until_crossed(order: IntArray, height: int, width: int) -> int:
    """Return how many sites have to be opened, in this order, until top and bottom are joined."""
    parents, sizes = np.arange(height * width + 2), np.ones(height * width + 2, np.int64)
    opened = np.zeros(height * width, np.uint8)
    for count in range(order.size):
        _open_site(order[count], height, width, opened, parents, sizes)
        top, bottom = root_of(parents, height * width), root_of(parents, height * width + 1)
        if top == bottom:
            return count + 1
    return order.size + 1


@kernel
def _bonds_until_crossed(order: IntArray, height: int, width: int) -> int:
    """Return what `_sites_until_crossed` returns, for bonds: across first, then down."""
    parents, sizes = np.arange(height * width), np.ones(height * width, np.int64)
    # The sites of the first row are one, and so are those of the last one.
    for column in range(1, width):
        unite(parents, sizes, 0, column)
        unite(parents, sizes, (height - 1) * width, (height - 1) * width + column)
    across = height * (width - 1)
    for count in range(order.size):
        bond = order[count]
        if bond < across:
            site = bond // (width - 1) * width + bond % (width - 1)
            unite(parents, sizes, site, site + 1)
        else:
            unite(parents, sizes, bond - across, bond - across + width)
        if root_of(parents, 0) == root_of(parents, (height - 1) * width):
            return count + 1
    return order.size + 1


def spanning_count(order: ArrayLike, shape: tuple[int, int]) -> int:
    """Count the cells of a grid that have to be opened until a way leads from top to bottom.

    Parameters
    ----------
    order : array-like of int, shape (Y · X,)
        Every cell once, as y · X + x, in the order of opening.
    shape : (int, int)
        Y and X.

    Returns
    -------
    int
        Cells opened when the first way of cells that share edges is complete.

    Raises
    ------
    InputError
        The order does not hold each cell once.
    """
    height, width = whole("shape[0]", shape[0], 1), whole("shape[1]", shape[1], 1)
    cells = np.array(order, np.int64)
    if cells.shape != (height * width,) or not np.array_equal(
        np.sort(cells), np.arange(cells.size)
    ):
        raise InputError(f"order: allowed is each cell from 0 to {height * width - 1} once")
    return int(_sites_until_crossed(cells, height, width))


def percolation_threshold(
    side: int, lattice: Lattice = "site", *, runs: int = 100, rng: np.random.Generator
) -> PercolationThreshold:
    """Measure where a square lattice begins to be crossed.

    Parameters
    ----------
    side : int
        Sites along each side, 2 to 8192.
    lattice : {"site", "bond"}, optional
        What is opened at random.
    runs : int, optional
        Lattices to fill (≥ 2).
    rng : numpy.random.Generator
        Where random numbers come from.

    Returns
    -------
    PercolationThreshold
        As the side grows the share tends to .592746 for sites (Newman and Ziff) and ½ for bonds
        (Kesten, Communications in Mathematical Physics 74, 1980).

    Raises
    ------
    InputError
        An argument is out of its range.
    """
    side, runs = whole("side", side, 2, 8192), whole("runs", runs, 2)
    if lattice not in get_args(Lattice):
        raise InputError(f"lattice: {lattice!r}; allowed: 'site', 'bond'")
    generator("rng", rng)
    places = side * side if lattice == "site" else 2 * side * (side - 1)
    crossed = _sites_until_crossed if lattice == "site" else _bonds_until_crossed
    counts = [crossed(rng.permutation(places), side, side) for _ in range(runs)]
    shares = np.array(counts) / places
    spread = float(shares.std(ddof=1))
    return PercolationThreshold(float(shares.mean()), spread / runs**0.5, spread, runs)

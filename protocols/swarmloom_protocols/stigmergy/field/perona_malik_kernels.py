"""The CPU kernel of a step of Perona–Malik diffusion, which the CUDA kernel shares parts of.

What flows along an edge between two cells depends on their difference s alone, g(s)·s, and what
one cell gives the other takes: mass is conserved to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.anisotropic_kernels import settle
from swarmloom_protocols.stigmergy.field.boundaries import ABSORBING, neighbour
from swarmloom_protocols.stigmergy.field.chemistry_kernels import (
    ONE,
    rows_beside,
    rows_upright,
    value_at,
)

__all__ = ["CONSTANT", "EXPONENTIAL", "RATIONAL", "conducted", "perona_malik_rows"]

Row = NDArray[np.float32]
Numbers = NDArray[np.int64]

CONSTANT, RATIONAL, EXPONENTIAL = 0, 1, 2
# Of the narrower type, so that values keep theirs.
# e^-40 of any difference is lost in a float32.
FARTHEST: Any = np.float32(40.0)
THIRTY_SECOND: Any = np.float32(1.0 / 32.0)
HALF: Any = np.float32(1.0 / 2.0)
SIXTH: Any = np.float32(1.0 / 6.0)
TWENTY_FOURTH: Any = np.float32(1.0 / 24.0)
HUNDRED_TWENTIETH: Any = np.float32(1.0 / 120.0)


@kernel
def decaying_exponential(t: float) -> float:
    """Return e^−t for t ≥ 0 to 5e-6, in multiplications alone so that loops over it vectorise.

    The Taylor polynomial of degree 5 at −t/32, squared five times; its error is greatest where
    little is left.
    """
    y = -min(t, FARTHEST) * THIRTY_SECOND
    tail = SIXTH + y * (TWENTY_FOURTH + y * HUNDRED_TWENTIETH)
    power: float = ONE + y * (ONE + y * (HALF + y * tail))
    for _ in range(5):
        power *= power
    return power


@kernel
def conducted(slope: float, kind: int, sharpness: float) -> float:
    """Return g(s)·s for a difference s; `sharpness` is 1 / threshold²."""
    flow = slope
    if kind == RATIONAL:
        flow = slope / (ONE + slope * slope * sharpness)
    if kind == EXPONENTIAL:
        flow = slope * decaying_exponential(slope * slope * sharpness)
    return flow


@kernel
def pair_flow(low: float, centre: float, high: float, kind: int, sharpness: float) -> float:
    """Return what flows into a cell from both its neighbours on an axis."""
    return conducted(low - centre, kind, sharpness) + conducted(high - centre, kind, sharpness)


@kernel
def planar_flows(
    south: Row,
    centre: Row,
    north: Row,
    kind: int,
    sharpness: float,
    share: float,
    low: int,
    high: int,
    flows: Row,
) -> None:
    """Write what flows into each cell of a row within its plane; `low`, `high`: codes of x."""
    size = centre.size
    for x in range(1, size - 1):
        flow = pair_flow(centre[x - 1], centre[x], centre[x + 1], kind, sharpness)
        flow += pair_flow(south[x], centre[x], north[x], kind, sharpness)
        flows[x] = share * flow
    for x in range(0, size, max(1, size - 1)):
        left = value_at(centre, neighbour(x, -1, size, low, high))
        right = value_at(centre, neighbour(x, 1, size, low, high))
        flow = pair_flow(left, centre[x], right, kind, sharpness)
        flow += pair_flow(south[x], centre[x], north[x], kind, sharpness)
        flows[x] = share * flow


@kernel
def add_upright(
    below: Row, centre: Row, above: Row, kind: int, sharpness: float, share: float, flows: Row
) -> None:
    """Add what flows into each cell of a row from the planes below and above."""
    for x in range(flows.size):
        flows[x] += share * pair_flow(below[x], centre[x], above[x], kind, sharpness)


@kernel
def perona_malik_rows(
    source: NDArray[np.float32],
    kind: int,
    sharpness: float,
    shares: NDArray[np.float32],
    codes: Numbers,
    nothing: Row,
    start: int,
    stop: int,
    target: NDArray[np.float32],
) -> None:
    """Write the next values of rows start to stop, counted through all planes.

    Parameters
    ----------
    source : ndarray of float32, shape (planes, Z, Y, X)
    kind : int
        `CONSTANT`, `RATIONAL` or `EXPONENTIAL`.
    sharpness : float32
        1 / threshold².
    shares : ndarray of float32, shape (planes,)
        rate · dt of each plane.
    codes : ndarray of int64, shape (3, 2)
        As `boundary_codes` gives them.
    nothing : ndarray of float32, shape (X,)
        Zeros.
    start, stop : int
        Rows of planes × Z × Y.
    target : ndarray of float32, shape of `source`
        Only these rows are written.
    """
    _, depth, height, _ = source.shape
    upright = depth > 1 or codes[0, 0] == ABSORBING or codes[0, 1] == ABSORBING
    for row in range(start, stop):
        plane, z, y = row // (depth * height), row // height % depth, row % height
        volume, out, share = source[plane], target[plane, z, y], shares[plane]
        south, north = rows_beside(volume, z, y, codes, nothing)
        sides = codes[2, 0], codes[2, 1]
        planar_flows(south, volume[z, y], north, kind, sharpness, share, sides[0], sides[1], out)
        if upright:
            below, above = rows_upright(volume, z, y, codes, nothing)
            add_upright(below, volume[z, y], above, kind, sharpness, share, out)
        settle(volume[z, y], out)

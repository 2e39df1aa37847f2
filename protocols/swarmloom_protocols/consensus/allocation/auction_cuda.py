"""The auction's opening on a GPU: all waiting rows bid at once (Jacobi), the best bid wins.

One thread a row, then one a column; no atomics, so that every run gives the same. The last rows,
too few to keep a GPU busy, and the falling bid steps are left to the CPU's kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmloom.cuda import kernel, numba_cuda
from swarmloom_protocols.consensus.allocation.auction_kernels import Floor

__all__ = ["award", "begin_on_gpu", "bid"]

cuda = numba_cuda()

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rounds between two looks at who still waits: each look waits for the GPU.
ROUNDS = 16
# The CPU takes over where fewer than one row in so many waits, or after so many rounds a row.
CROWD = 32
PATIENCE = 4


@kernel(
    "void(float64[:, ::1], float64[::1], float64, float64, float64, int64[::1], int64[::1],"
    " float64[::1])"
)
def bid(
    turned: FloatArray,
    price: FloatArray,
    outside: float,
    most: float,
    epsilon: float,
    chosen: IntArray,
    wanted: IntArray,
    offer: FloatArray,
) -> None:
    """Write the column that a waiting row wants and the price it offers; −1 for no bid.

    ``turned`` is the matrix of values with the rows along its last axis, so that neighbouring
    threads read neighbouring values. A row that nothing is worth bidding for goes without.
    """
    row = cuda.grid(1)
    if row >= turned.shape[1]:
        return
    wanted[row] = -1
    if chosen[row] >= 0:
        return
    best, second, column = outside, outside, -1
    for j in range(turned.shape[0]):
        net = turned[j, row] - price[j]
        if net > best:
            second = best
            best, column = net, j
        elif net > second:
            second = net
    if column < 0:
        chosen[row] = turned.shape[0]
        return
    wanted[row] = column
    offer[row] = price[column] + min(best - second, most) + epsilon


@kernel("void(int64[::1], float64[::1], float64[::1], int64[::1], int64[::1])")
def award(
    wanted: IntArray, offer: FloatArray, price: FloatArray, owner: IntArray, chosen: IntArray
) -> None:
    """Give a column to the highest bid, the first row's among equal ones."""
    column = cuda.grid(1)
    if column >= len(price):
        return
    winner = -1
    for row in range(len(wanted)):
        if wanted[row] == column and (winner < 0 or offer[row] > offer[winner]):
            winner = row
    if winner < 0:
        return
    if owner[column] >= 0:
        chosen[owner[column]] = -1
    owner[column] = winner
    chosen[winner] = column
    price[column] = offer[winner]


def begin_on_gpu(floor: Floor, epsilon: float, outside: float, most: float) -> None:
    """Let rows bid in rounds until few wait; the CPU's `begin` goes on from there.

    Parameters
    ----------
    floor : Floor
        Prices, owners and choices are overwritten.
    epsilon, outside, most : float
        As for `auction_kernels.begin`.
    """
    n, m = floor.values.shape
    turned = cuda.to_device(np.ascontiguousarray(floor.values.T))
    price, owner = cuda.to_device(floor.price), cuda.to_device(floor.owner)
    chosen = cuda.to_device(floor.chosen)
    wanted = cuda.device_array(n, np.int64)
    offer = cuda.device_array(n, np.float64)
    for _ in range(0, PATIENCE * n, ROUNDS):
        for _ in range(ROUNDS):
            bid.launch(n, turned, price, outside, most, epsilon, chosen, wanted, offer)
            award.launch(m, wanted, offer, price, owner, chosen)
        if (chosen.copy_to_host() < 0).sum() <= n // CROWD:
            break
    floor.price[:], floor.owner[:] = price.copy_to_host(), owner.copy_to_host()
    floor.chosen[:] = chosen.copy_to_host()

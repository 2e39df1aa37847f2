"""CPU kernels of whole steps, where one thread does all of one: no Python between the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.physarum.agent_kernels import Agents, Ground, advance_blocks
from swarmloom_protocols.stigmergy.physarum.trail_kernels import spread_rows, take_halo

__all__ = ["feed", "run_steps"]

STEP_BITS = np.uint32(0x7FFFFFFF)


@kernel
def feed(
    trail: NDArray[np.float32], cells: NDArray[np.int64], amounts: NDArray[np.float32]
) -> None:
    """Let food give off trail."""
    for i in range(cells.size):
        trail[cells[i]] += amounts[i]


@kernel
def run_steps(
    agents: Agents,
    ground: Ground,
    number: int,
    trail: NDArray[np.float32],
    links: NDArray[np.uint8],
    food_cells: NDArray[np.int64],
    food_amounts: NDArray[np.float32],
    rates: NDArray[np.float32],
    seed: Any,
    first: int,
    steps: int,
    counts: NDArray[np.uint8],
    overflow: NDArray[np.int32],
) -> int:
    """Take some steps of one epoch; arguments as in `advance_blocks` and `spread_rows`.

    Parameters
    ----------
    first : int
        Steps taken before.
    steps : int
        To take.
    counts : ndarray of uint8, shape (1, Y, X)
    overflow : ndarray of int32

    Returns
    -------
    int
        Steps finished: fewer than `steps` where a count has run over; then the agents have moved
        and food has been given off in one step more, and its deposits wait to be settled.
    """
    halo = np.empty((2, trail.shape[1] + 2), np.float32)
    flat, blocks = counts.reshape(-1), agents.places.shape[0]
    for done in range(steps):
        step = np.uint32(first + done) & STEP_BITS
        advance_blocks(agents, ground, number, 0, blocks, seed, step, flat, overflow)
        feed(ground.trail, food_cells, food_amounts)
        if overflow[0] > 0:
            return done
        take_halo(trail, counts, rates[2], ground.frame, 0, trail.shape[0], halo)
        spread_rows(trail, counts, links, rates, ground.frame[3], halo, 0, trail.shape[0])
    return steps

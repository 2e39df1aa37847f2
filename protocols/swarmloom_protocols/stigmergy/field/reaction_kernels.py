"""Kernels that integrate a reaction network in many cells at once, each with its own time steps.

The method is the embedded Runge–Kutta pair of order 3(2) of Bogacki & Shampine ("A 3(2) pair of
Runge–Kutta formulas", Applied Mathematics Letters 2, 1989) with error control. Three properties
matter here: amounts change by the reactions' extents alone, so whatever the stoichiometry
conserves stays to rounding; a step that would leave an amount below 0 is taken again with a
shorter one, which ends because what a reaction takes vanishes with what is there; and cells are
lanes of vector instructions, those that are done waiting with steps of length 0.

A network is a program of rows (operation, channel) and (first, second): see the operations below.
The CUDA kernel runs the same functions with a single lane.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmloom.jit import kernel
from swarmloom_protocols.stigmergy.field.chemistry_kernels import ONE, ZERO, settled

__all__ = [
    "AMPLIFY",
    "BEGIN",
    "CATALYSE",
    "CHANGE",
    "DAMPEN",
    "INHIBIT",
    "LANE_ROWS",
    "TIMES",
    "WORK_ARRAYS",
    "integrate",
    "react_blocks",
]

Lanes = NDArray[np.float32]
Program = NDArray[np.int64]

# The rate becomes `first`; is multiplied by the channel's amount; changes the channel, `first`
# times; is multiplied by a modifier of threshold `first` and strength `second`.
BEGIN, TIMES, CHANGE, CATALYSE, INHIBIT, AMPLIFY, DAMPEN = range(7)

# Rows of what is kept of each lane, and arrays of the channels' size beside the amounts.
RATE, LENGTH, USED, REMAINING, ERROR, LANE_ROWS = range(6)
K1, K2, K3, K4, TRIAL, WORK_ARRAYS = range(6)

# Lanes of a block: its arrays of eight channels stay in the first-level cache.
BLOCK = 128

# Of the narrower type, so that values keep theirs.
HALF: Any = np.float32(0.5)
THREE_QUARTERS: Any = np.float32(0.75)
WEIGHT_1: Any = np.float32(2.0 / 9.0)
WEIGHT_2: Any = np.float32(1.0 / 3.0)
WEIGHT_3: Any = np.float32(4.0 / 9.0)
ERROR_1: Any = np.float32(-5.0 / 72.0)
ERROR_2: Any = np.float32(1.0 / 12.0)
ERROR_3: Any = np.float32(1.0 / 9.0)
ERROR_4: Any = np.float32(-1.0 / 8.0)
SAFETY: Any = np.float32(0.9)
SHRINK: Any = np.float32(0.2)
GROW: Any = np.float32(4.0)
LEAST_ERROR: Any = np.float32(1e-6)
# Errors of steps to below 0, and of steps that overflow.
BELOW_ZERO: Any = np.float32(16.0)
OVERFLOW: Any = np.float32(1e30)
FIRST_SHARE: Any = np.float32(0.02)
SMALL: Any = np.float32(1e-30)


@kernel
def modifier_factor(kind: int, amount: float, threshold: float, strength: float) -> float:
    """Return what a modifier multiplies a rate with; `reactions.Modifier` has the formulas."""
    bound = strength * amount / (threshold + amount)
    surplus = strength * max(amount - threshold, ZERO)
    factor: float = ONE + bound
    if kind == INHIBIT:
        factor = ONE - bound
    if kind == AMPLIFY:
        factor = ONE + surplus
    if kind == DAMPEN:
        factor = ONE / (ONE + surplus)
    return factor


@kernel
def slopes(
    codes: Program,
    numbers: Lanes,
    amounts: Lanes,
    lanes: Lanes,
    start: int,
    stop: int,
    changes: Lanes,
) -> None:
    """Write how fast each channel changes in the lanes start to stop."""
    for c in range(changes.shape[0]):
        for i in range(start, stop):
            changes[c, i] = ZERO
    for j in range(codes.shape[0]):
        operation, channel = codes[j, 0], codes[j, 1]
        first, second = numbers[j, 0], numbers[j, 1]
        if operation == BEGIN:
            for i in range(start, stop):
                lanes[RATE, i] = first
        elif operation == TIMES:
            for i in range(start, stop):
                lanes[RATE, i] *= max(amounts[channel, i], ZERO)
        elif operation == CHANGE:
            for i in range(start, stop):
                changes[channel, i] += first * lanes[RATE, i]
        else:
            for i in range(start, stop):
                present = max(amounts[channel, i], ZERO)
                lanes[RATE, i] *= modifier_factor(operation, present, first, second)


@kernel
def begin(
    amounts: Lanes, first_slopes: Lanes, lanes: Lanes, scale: float, start: int, stop: int
) -> None:
    """Choose first steps in which no amount changes by more than a small share of itself."""
    for i in range(start, stop):
        lanes[LENGTH, i] = lanes[REMAINING, i]
    for c in range(amounts.shape[0]):
        for i in range(start, stop):
            pace = abs(first_slopes[c, i]) + SMALL
            most = FIRST_SHARE * (amounts[c, i] + scale) / pace
            lanes[LENGTH, i] = min(lanes[LENGTH, i], most)


@kernel
def stage(
    amounts: Lanes, slope: Lanes, share: float, lanes: Lanes, start: int, stop: int, trial: Lanes
) -> None:
    """Write amounts + share · step · slope."""
    for c in range(amounts.shape[0]):
        for i in range(start, stop):
            trial[c, i] = amounts[c, i] + share * lanes[USED, i] * slope[c, i]


@kernel
def third_order(amounts: Lanes, work: Lanes, lanes: Lanes, start: int, stop: int) -> None:
    """Write the third-order solution at the end of the step to `TRIAL`."""
    for c in range(amounts.shape[0]):
        for i in range(start, stop):
            mean = WEIGHT_1 * work[K1, c, i] + WEIGHT_2 * work[K2, c, i]
            mean += WEIGHT_3 * work[K3, c, i]
            work[TRIAL, c, i] = amounts[c, i] + lanes[USED, i] * mean


@kernel
def estimate(
    amounts: Lanes,
    work: Lanes,
    lanes: Lanes,
    relative: float,
    absolute: float,
    start: int,
    stop: int,
) -> None:
    """Write the largest error of a lane's channels in units of what is allowed."""
    for i in range(start, stop):
        lanes[ERROR, i] = ZERO
    for c in range(amounts.shape[0]):
        for i in range(start, stop):
            mean = ERROR_1 * work[K1, c, i] + ERROR_2 * work[K2, c, i]
            mean += ERROR_3 * work[K3, c, i] + ERROR_4 * work[K4, c, i]
            value = work[TRIAL, c, i]
            allowed = absolute + relative * max(amounts[c, i], value)
            error = abs(lanes[USED, i] * mean) / allowed
            error = max(error, BELOW_ZERO) if value < ZERO else error
            # NaN is not at most anything.
            error = error if error <= OVERFLOW else OVERFLOW
            lanes[ERROR, i] = max(lanes[ERROR, i], error)


@kernel
def conclude(amounts: Lanes, work: Lanes, lanes: Lanes, start: int, stop: int) -> None:
    """Keep what the lanes within their tolerance have reached; choose everyone's next step."""
    for c in range(amounts.shape[0]):
        for i in range(start, stop):
            kept = lanes[ERROR, i] <= ONE and lanes[USED, i] > ZERO
            amounts[c, i] = settled(work[TRIAL, c, i]) if kept else amounts[c, i]
            work[K1, c, i] = work[K4, c, i] if kept else work[K1, c, i]
    for i in range(start, stop):
        # The fourth root, cautious for a method of third order, needs square roots alone.
        root = np.float32(math.sqrt(math.sqrt(max(lanes[ERROR, i], LEAST_ERROR))))
        factor = min(max(SAFETY / root, SHRINK), GROW)
        lanes[LENGTH, i] = lanes[USED, i] * factor
        gone = lanes[USED, i] if lanes[ERROR, i] <= ONE else ZERO
        lanes[REMAINING, i] -= gone


@kernel
def begin_step(lanes: Lanes, start: int, stop: int) -> bool:
    """Write the length of each lane's step; return whether any lane has time left."""
    left = ZERO
    for i in range(start, stop):
        lanes[USED, i] = min(lanes[LENGTH, i], lanes[REMAINING, i])
        left = max(left, lanes[REMAINING, i])
    return bool(left > ZERO)


@kernel
def integrate(
    codes: Program,
    numbers: Lanes,
    relative: float,
    absolute: float,
    most_steps: int,
    amounts: Lanes,
    work: Lanes,
    lanes: Lanes,
    start: int,
    stop: int,
) -> None:
    """Let the network react in the lanes start to stop until no time remains.

    Parameters
    ----------
    codes : ndarray of int64, shape (n, 2)
        Operation and channel of each instruction.
    numbers : ndarray of float32, shape (n, 2)
        Its numbers.
    relative, absolute : float32
        Allowed error of a step, by amount and altogether.
    most_steps : int
        After these the lane is left as it is, with time remaining.
    amounts : ndarray of float32, shape (channels, lanes)
        Overwritten.
    work : ndarray of float32, shape (`WORK_ARRAYS`, channels, lanes)
        Overwritten.
    lanes : ndarray of float32, shape (`LANE_ROWS`, lanes)
        Row `REMAINING` holds the time to go, and in the end what is left of it.
    start, stop : int
        Which lanes.
    """
    slopes(codes, numbers, amounts, lanes, start, stop, work[K1])
    begin(amounts, work[K1], lanes, absolute / relative, start, stop)
    for _ in range(most_steps):
        if not begin_step(lanes, start, stop):
            break
        stage(amounts, work[K1], HALF, lanes, start, stop, work[TRIAL])
        slopes(codes, numbers, work[TRIAL], lanes, start, stop, work[K2])
        stage(amounts, work[K2], THREE_QUARTERS, lanes, start, stop, work[TRIAL])
        slopes(codes, numbers, work[TRIAL], lanes, start, stop, work[K3])
        third_order(amounts, work, lanes, start, stop)
        slopes(codes, numbers, work[TRIAL], lanes, start, stop, work[K4])
        estimate(amounts, work, lanes, relative, absolute, start, stop)
        conclude(amounts, work, lanes, start, stop)


@kernel
def react_blocks(
    codes: Program,
    numbers: Lanes,
    time: float,
    relative: float,
    absolute: float,
    most_steps: int,
    start: int,
    stop: int,
    amounts: Lanes,
) -> int:
    """Let the network react for a time in the cells start to stop, block by block.

    Parameters
    ----------
    codes, numbers, relative, absolute, most_steps
        As in `integrate`.
    time : float32
        How long.
    start, stop : int
        Which cells.
    amounts : ndarray of float32, shape (channels, cells)
        Overwritten.

    Returns
    -------
    int
        A cell that has time left after `most_steps`, or -1.
    """
    channels = amounts.shape[0]
    block = np.empty((channels, BLOCK), np.float32)
    work = np.empty((WORK_ARRAYS, channels, BLOCK), np.float32)
    lanes = np.empty((LANE_ROWS, BLOCK), np.float32)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        block[:, :size] = amounts[:, first : first + size]
        lanes[REMAINING, :size] = time
        integrate(codes, numbers, relative, absolute, most_steps, block, work, lanes, 0, size)
        amounts[:, first : first + size] = block[:, :size]
        for i in range(size):
            if lanes[REMAINING, i] > ZERO:
                return first + i
    return -1

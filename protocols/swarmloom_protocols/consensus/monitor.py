"""A watch over opinions as they change: each thing that happens is reported once, when it begins.

A diagnostic: it says what the opinions do, and nothing of which of them is right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import positive, whole
from swarmloom_protocols.consensus.chaos.lyapunov_series import lyapunov_from_series
from swarmloom_protocols.consensus.dynamics.periods import cycle_length
from swarmloom_protocols.consensus.dynamics.zero_one_test import zero_one_test
from swarmloom_protocols.consensus.landscape_events import (
    AttractorFormation,
    BifurcationDetected,
    ChaoticRegimeEntered,
    ConsensusReached,
    EmergentAllocation,
    LandscapeEvent,
    OpinionConvergence,
)
from swarmloom_protocols.consensus.opinions.clusters import detect_consensus, opinion_clusters
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["LandscapeMonitor"]

FloatArray = NDArray[np.float64]

# Consensus begins above the first pair and ends below the second: noise does not switch it.
PARTICIPATION, COHESION, SLACK = 0.8, 0.9, 0.1
HALVED, SPREAD_AGAIN = 0.5, 0.8
# A cosine from which an expert stands out along one dimension.
SIMILARITY = 0.7
# Frames that a state has to last, to count as one.
LASTING = 4
# Groups are counted in the mean of so many frames; new ones have to be this much further apart.
SMOOTHED, WIDER = 8, 1.5
SETTLED = 64
CLOSED = 0.02
CHAOS_FRAMES, CHAOS_EVERY, CHAOTIC, PARTING = 256, 32, 0.8, 5


class LandscapeMonitor:
    """Looks at the opinions of experts, frame by frame.

    Parameters
    ----------
    radius : float, optional
        Widest gap within a group of opinions, and the measure of what is far (> 0).
    seed : int, optional
        Of the frequencies and surrogates that the tests for chaos draw.

    Notes
    -----
    Consensus and groups: `opinion_clusters`, with the limits 0.8 and 0.9. Convergence: the spread
    has halved since it was largest. Attractors: 64 frames that repeat. Bifurcation: more groups of
    a quarter of the experts or more than before, for 4 frames. Chaos: over 256 frames the 0–1 test
    gives more than 0.8, and neighbours part at a constant rate, below that of every surrogate of
    the same spectrum, so that noise is not taken for it. Allocation: on every dimension an expert's
    difference from the mean has a cosine of more than 0.7 with it.
    """

    def __init__(self, radius: float = 0.1, *, seed: int = 0) -> None:
        self._radius = positive("radius", radius)
        self._seed = whole("seed", seed, 0)
        self._frames: deque[FloatArray] = deque(maxlen=CHAOS_FRAMES)
        self._seen = 0
        self._widest = 0.0
        self._widest_at = 0
        self._on = dict.fromkeys(("consensus", "converged", "chaos", "allocated"), False)
        self._period = 0
        self._groups = self._new_groups = self._groups_for = 0
        self._other_for = 0

    def watch(self, opinions: ArrayLike) -> tuple[LandscapeEvent, ...]:
        """Look at the opinions of now.

        Parameters
        ----------
        opinions : array-like of float, shape (experts, D)
            Of the same experts and dimensions every time.

        Returns
        -------
        tuple of LandscapeEvent
            What has begun with this frame.

        Raises
        ------
        InputError
            If they are no finite matrix, or of another shape than before; nothing has changed.
        """
        frame = real_array("opinions", opinions).copy()
        if frame.ndim != 2 or not frame.size or not np.isfinite(frame).all():
            raise InputError(f"opinions: shape {frame.shape}; allowed: (experts, D), all finite")
        if self._frames and frame.shape != self._frames[-1].shape:
            raise InputError(
                f"opinions: {frame.shape}; allowed: as before, {self._frames[-1].shape}"
            )
        self._frames.append(frame)
        found = tuple(self._look(frame))
        self._seen += 1
        return found

    def _look(self, frame: FloatArray) -> Iterator[LandscapeEvent]:
        yield from self._consensus(frame)
        yield from self._convergence(frame)
        yield from self._bifurcation()
        yield from self._attractor()
        yield from self._allocation(frame)
        yield from self._chaos()

    def _begins(self, name: str, holds: bool) -> bool:
        began = holds and not self._on[name]
        self._on[name] = holds
        return began

    # -- one thing each -------------------------------------------------------------------------

    def _consensus(self, frame: FloatArray) -> Iterator[LandscapeEvent]:
        slack = SLACK if self._on["consensus"] else 0.0
        result = detect_consensus(
            frame, self._radius, participation=PARTICIPATION - slack, cohesion=COHESION - slack
        )
        if self._begins("consensus", result is not None) and result is not None:
            yield ConsensusReached(
                self._seen, result.participation, result.cohesion, tuple(result.opinion.tolist())
            )

    def _convergence(self, frame: FloatArray) -> Iterator[LandscapeEvent]:
        spread = float(np.sqrt(((frame - frame.mean(axis=0)) ** 2).sum(axis=1).mean()))
        if spread > self._widest or (
            self._on["converged"] and spread >= SPREAD_AGAIN * self._widest
        ):
            self._widest, self._widest_at, self._on["converged"] = spread, self._seen, False
        halved = self._widest > self._radius and spread <= HALVED * self._widest
        if halved and self._begins("converged", True):
            frames = self._seen - self._widest_at
            rate = float(np.log(self._widest / max(spread, 1e-300)) / frames)
            yield OpinionConvergence(self._seen, self._widest, spread, rate)

    def _bifurcation(self) -> Iterator[LandscapeEvent]:
        smooth = np.mean(list(self._frames)[-SMOOTHED:], axis=0)
        apart = self._count(smooth, WIDER * self._radius)
        now = (
            apart if apart > self._groups else min(self._groups, self._count(smooth, self._radius))
        )
        self._groups_for = self._groups_for + 1 if now == self._new_groups != self._groups else 1
        self._new_groups = now
        if now == self._groups or self._groups_for < LASTING:
            return
        before, self._groups = self._groups, now
        if 0 < before < now:
            yield BifurcationDetected(self._seen, before, now)

    def _count(self, frame: FloatArray, radius: float) -> int:
        sizes = opinion_clusters(frame, radius).sizes
        return int((sizes >= max(2.0, len(frame) / 4.0)).sum())

    def _attractor(self) -> Iterator[LandscapeEvent]:
        if len(self._frames) < SETTLED:
            return
        tail = np.array(list(self._frames)[-SETTLED:]).reshape(SETTLED, -1)
        before, self._period = self._period, cycle_length(tail, closed=CLOSED)
        if self._period and self._period != before:
            kind: Literal["FixedPoint", "LimitCycle"]
            kind = "FixedPoint" if self._period == 1 else "LimitCycle"
            yield AttractorFormation(self._seen, kind, self._period)

    def _allocation(self, frame: FloatArray) -> Iterator[LandscapeEvent]:
        away = frame - frame.mean(axis=0)
        length = np.linalg.norm(away, axis=1, keepdims=True)
        least = SIMILARITY - (SLACK if self._on["allocated"] else 0.0)
        stands_out = (away > least * np.maximum(length, 1e-300)) & (length > self._radius)
        everywhere = frame.shape[1] > 1 and bool(stands_out.any(axis=0).all())
        self._other_for = self._other_for + 1 if everywhere != self._on["allocated"] else 0
        # What was so from the start has not emerged.
        emerged = self._other_for == LASTING and self._seen >= LASTING
        if self._other_for == LASTING:
            self._on["allocated"], self._other_for = everywhere, 0
        if emerged and everywhere:
            columns = (np.flatnonzero(column).tolist() for column in stands_out.T)
            yield EmergentAllocation(self._seen, tuple(tuple(column) for column in columns))

    def _chaos(self) -> Iterator[LandscapeEvent]:
        if len(self._frames) < CHAOS_FRAMES or self._seen % CHAOS_EVERY:
            return
        states = np.array(self._frames).reshape(CHAOS_FRAMES, -1)
        liveliest = states[:, int(np.argmax(states.var(axis=0)))]
        exponent, zero_one = self._chaoticity(liveliest)
        if self._begins("chaos", zero_one > CHAOTIC and exponent > 0.0):
            yield ChaoticRegimeEntered(self._seen, exponent, zero_one)

    def _chaoticity(self, series: FloatArray) -> tuple[float, float]:
        """Give the exponent, 0 where noise has such ones, and K of the 0–1 test."""
        rng = np.random.default_rng([self._seed, self._seen])
        zero_one = zero_one_test(series, rng=rng)
        if self._period or zero_one <= CHAOTIC:
            return 0.0, zero_one
        found = lyapunov_from_series(series, PARTING, theiler=2, rng=rng)
        # Neighbours in noise part at once; in chaos steadily, and slower.
        steady = found.plateau is not None and found.exponent < found.surrogates[0]
        return (found.exponent if steady else 0.0), zero_one

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return all that was seen, of numbers, strings and lists only."""
        return {
            "radius": self._radius,
            "seed": self._seed,
            "frames": [frame.tolist() for frame in self._frames],
            "seen": self._seen,
            "widest": [self._widest, self._widest_at],
            "on": dict(self._on),
            "period": self._period,
            "groups": [self._groups, self._new_groups, self._groups_for],
            "other_for": self._other_for,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LandscapeMonitor:
        """Return a monitor that goes on where `state` was taken."""
        monitor = cls(state["radius"], seed=state["seed"])
        monitor._frames.extend(np.array(frame, dtype=np.float64) for frame in state["frames"])
        monitor._seen, monitor._period = int(state["seen"]), int(state["period"])
        monitor._widest, monitor._widest_at = float(state["widest"][0]), int(state["widest"][1])
        monitor._on = {name: bool(value) for name, value in state["on"].items()}
        monitor._groups, monitor._new_groups, monitor._groups_for = map(int, state["groups"])
        monitor._other_for = int(state["other_for"])
        return monitor

"""Who may be asked: experts taken out by hand, and limits that experts have to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom.types import BoolArray, Float64Array, Round

__all__ = ["Constraint", "Told", "admitted", "unmet_topics"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """Limits that an expert has to keep to be asked.

    Attributes
    ----------
    max_latency : float or None
        Seconds that a call may be expected to take (> 0), its wait included.
    min_reliability : float or None
        Reliability in [0, 1] that must be believable.
    strict : bool
        Whether tasks for which nobody keeps them are refused.

    Raises
    ------
    InputError
        A limit is out of its range.
    """

    max_latency: float | None = None
    min_reliability: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.max_latency is not None and not 0.0 < self.max_latency < np.inf:
            raise InputError(f"max_latency is {self.max_latency}; allowed: above 0, finite")
        if self.min_reliability is not None and not 0.0 <= self.min_reliability <= 1.0:
            raise InputError(f"min_reliability is {self.min_reliability}; allowed: 0 to 1")

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return self.max_latency is not None or self.min_reliability is not None

    def kept(self, believable: Float64Array, seconds: Float64Array) -> BoolArray:
        """Say who keeps the limits on which topic.

        Parameters
        ----------
        believable : ndarray of float64, shape (topics, experts)
            Reliability that is believable of each.
        seconds : ndarray of float64, shape (experts,)
            Expected latency.

        Returns
        -------
        ndarray of bool, shape (topics, experts)
        """
        keeps = np.ones(believable.shape, dtype=np.bool_)
        if self.min_reliability is not None:
            keeps &= believable >= self.min_reliability
        if self.max_latency is not None:
            keeps &= seconds <= self.max_latency
        return keeps

    def refusal(self, names: Sequence[str], believable: Float64Array, seconds: Float64Array) -> str:
        """Say which limit none of some experts keeps, and who comes nearest.

        Parameters
        ----------
        names : sequence of str, length E
        believable, seconds : ndarray of float64, shape (E,)
        """
        best, soonest = int(believable.argmax()), int(seconds.argmin())
        wanted, unmet = [], []
        if self.min_reliability is not None:
            wanted.append(f"min_reliability {self.min_reliability:g}")
            if believable[best] < self.min_reliability:
                found = f"{names[best]!r} comes nearest, with {believable[best]:.3g} at most"
                unmet.append(f"{wanted[-1]} ({found})")
        if self.max_latency is not None:
            wanted.append(f"max_latency {self.max_latency:g} s")
            if seconds[soonest] > self.max_latency:
                found = f"{names[soonest]!r} is the soonest, after {seconds[soonest]:.3g} s"
                unmet.append(f"{wanted[-1]} ({found})")
        return " or ".join(unmet) or " together with ".join(wanted)

    def told(self) -> dict[str, Any]:
        """Give the limits, JSON-ready, for events and snapshots."""
        return asdict(self)


def admitted(round: Round, in_service: BoolArray, keeps: BoolArray, strict: bool) -> BoolArray:
    """Narrow down who may take which task.

    A task without an answer loses nobody by the limits where they would leave nobody; unless that
    is what is wanted.

    Parameters
    ----------
    round : Round
        T tasks, E experts.
    in_service : ndarray of bool, shape (E,)
        False for those that were taken out.
    keeps : ndarray of bool, shape (T, E)
        Who keeps the limits.
    strict : bool

    Returns
    -------
    ndarray of bool, shape (T, E)
    """
    present = round.allowed & in_service
    within = present & keeps
    if strict:
        return within
    open_still = [not any(ballot.succeeded for ballot in ballots) for ballots in round.ballots]
    relaxed = np.array(open_still, dtype=np.bool_) & ~within.any(axis=1)
    return np.where(relaxed[:, np.newaxis], present, within)


def unmet_topics(
    round: Round,
    in_service: BoolArray,
    keeps: BoolArray,
    refusal: Callable[[int, BoolArray], str],
) -> dict[str, str]:
    """Say of each topic of the round for which nobody is left why, and what becomes of its tasks.

    Parameters
    ----------
    round : Round
    in_service, keeps
        As for `admitted`.
    refusal : callable
        ``refusal(task, experts)`` says which limit none of these experts keeps for a task, and
        what becomes of it.

    Returns
    -------
    dict of str to str
        Warnings, by topic.
    """
    reasons = {}
    for row, task in enumerate(round.tasks):
        able = np.array(
            [not expert.skills or task.demands <= expert.skills for expert in round.experts]
        )
        if not able.any() or (able & in_service & keeps[row]).any():
            continue
        if (able & in_service).any():
            reason = refusal(row, able & in_service)
        else:
            out = [repr(round.experts[index].name) for index in np.flatnonzero(able)]
            reason = f"all who could do them were taken out ({', '.join(out)}); they are refused"
        reasons[task.topic] = f"no route for tasks on {task.topic!r}: {reason}"
    return reasons


class Told:
    """What was warned of, by topic: each warning is told once, and taken back when it is over."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def news(
        self, topics: Sequence[str], warnings: Mapping[str, str]
    ) -> tuple[list[str], list[str]]:
        """Compare what holds now with what was told.

        The figures in a warning change with every call: one that is standing is not told again.

        Parameters
        ----------
        topics : sequence of str
            Those that were looked at.
        warnings : mapping of str to str
            The warnings that hold, by topic.

        Returns
        -------
        fresh, over : list of str
        """
        fresh = [text for topic, text in warnings.items() if topic not in self._told]
        passed = [topic for topic in topics if topic not in warnings]
        over = [self._told.pop(topic) for topic in dict.fromkeys(passed) if topic in self._told]
        self._told = {**warnings, **self._told}
        return fresh, over

    def forget(self) -> list[str]:
        """Take everything back; returns what was told."""
        told, self._told = list(self._told.values()), {}
        return told

"""What can happen in an opinion landscape, as typed events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

__all__ = [
    "AttractorFormation",
    "BifurcationDetected",
    "ChaoticRegimeEntered",
    "ConsensusReached",
    "EmergentAllocation",
    "LandscapeEvent",
    "OpinionConvergence",
]


@dataclass(frozen=True, slots=True)
class LandscapeEvent:
    """Base of the events; `frame` counts from 0 the opinions that were looked at.

    Attributes
    ----------
    frame : int
        Where it was noticed.
    """

    kind: ClassVar[str] = ""
    frame: int

    @property
    def data(self) -> Mapping[str, Any]:
        """The event as numbers, strings and lists."""
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class ConsensusReached(LandscapeEvent):
    """One group has grown large and close enough to speak for all.

    Attributes
    ----------
    participation : float
        Its share of the experts.
    cohesion : float
        1 where all its members say the same.
    opinion : tuple of float
        Its mean.
    """

    kind: ClassVar[str] = "consensus_reached"
    participation: float
    cohesion: float
    opinion: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OpinionConvergence(LandscapeEvent):
    """The spread of the opinions has halved.

    Attributes
    ----------
    before, after : float
        Root mean square distance from the mean opinion, at its largest and now.
    rate : float
        Fall of its logarithm a frame.
    """

    kind: ClassVar[str] = "opinion_convergence"
    before: float
    after: float
    rate: float


@dataclass(frozen=True, slots=True)
class AttractorFormation(LandscapeEvent):
    """The opinions have settled.

    Attributes
    ----------
    attractor : {"FixedPoint", "LimitCycle"}
    period : int
        Frames after which they repeat, 1 for a fixed point.
    """

    kind: ClassVar[str] = "attractor_formation"
    attractor: Literal["FixedPoint", "LimitCycle"]
    period: int


@dataclass(frozen=True, slots=True)
class BifurcationDetected(LandscapeEvent):
    """A group has fallen apart into lasting ones.

    Attributes
    ----------
    before, after : int
        Lasting groups.
    """

    kind: ClassVar[str] = "bifurcation_detected"
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class ChaoticRegimeEntered(LandscapeEvent):
    """The opinions move without repeating, and neighbouring states part.

    Attributes
    ----------
    exponent : float
        Largest Lyapunov exponent, from the series, a frame.
    zero_one : float
        K of the 0–1 test.
    """

    kind: ClassVar[str] = "chaotic_regime_entered"
    exponent: float
    zero_one: float


@dataclass(frozen=True, slots=True)
class EmergentAllocation(LandscapeEvent):
    """Every dimension has found experts that stand out on it.

    Attributes
    ----------
    experts : tuple of tuple of int
        By dimension, those whose difference from the mean opinion points along it.
    """

    kind: ClassVar[str] = "emergent_allocation"
    experts: tuple[tuple[int, ...], ...]


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value

"""What a detector reports: a kind, how strong, how likely by chance, where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Pattern", "PatternKind"]


class PatternKind(StrEnum):
    """The seven kinds of emergent pattern.

    Attributes
    ----------
    CONVERGENT_TRAILS
        Walkers move in towards one place, more than away from it.
    BRANCHING_EXPLORATION
        Trails that fork and meet.
    CIRCULAR_REINFORCEMENT
        Walkers go round a place, most of them the same way.
    GRADIENT_CHAINS
        Walkers behind one another climb the same slope.
    CLUSTER_FORMATION
        Walkers or amounts lie closer together than by chance.
    WAVE_PROPAGATION
        Crests travel in one direction.
    SPIRAL_DYNAMICS
        A phase winds round a point that stays.
    """

    CONVERGENT_TRAILS = "ConvergentTrails"
    BRANCHING_EXPLORATION = "BranchingExploration"
    CIRCULAR_REINFORCEMENT = "CircularReinforcement"
    GRADIENT_CHAINS = "GradientChains"
    CLUSTER_FORMATION = "ClusterFormation"
    WAVE_PROPAGATION = "WavePropagation"
    SPIRAL_DYNAMICS = "SpiralDynamics"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One finding of a detector.

    Attributes
    ----------
    kind : PatternKind
        Which pattern.
    strength : float
        0 (the structure is not there) to 1, on the detector's own scale; not a probability.
    p_value : float
        Chance of a statistic at least as large under the detector's null model, in (0, 1].
    location : tuple of float
        (y, x) of its centre, in cells.
    extent : float
        Radius about `location` within which it was seen, in cells.
    parameters : mapping of str to float
        What the detector measured, by name.
    """

    kind: PatternKind
    strength: float
    p_value: float
    location: tuple[float, float]
    extent: float
    parameters: Mapping[str, float] = field(default_factory=dict)

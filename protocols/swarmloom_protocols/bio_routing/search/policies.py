"""How colonies learn: which solutions mark which trails, how trails fade, and their bounds.

Dorigo, Stützle, "Ant Colony Optimization", MIT Press 2004, section 3.3; MMAS: Stützle, Hoos,
"MAX-MIN Ant System", FGCS 16, 2000; ranks: Bullnheimer, Hartl, Strauss, 1999; ACS: Dorigo,
Gambardella, 1997. Trails are in units of the first solution's quality: a solution of its cost and
of weight 1 leaves 1, whatever the unit of costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive, whole

__all__ = [
    "Marks",
    "Policy",
    "ant_colony_system",
    "ant_system",
    "hybrid",
    "max_min",
    "rank_based",
]

FloatArray = NDArray[np.float64]

# Probability that a colony that has converged builds its best solution once more (MMAS, p_best).
BEST_AGAIN = 0.05
NOBODY = np.empty(0, np.int64)
NO_WEIGHTS = np.empty(0)
ONE_WEIGHT = np.ones(1)


@dataclass(frozen=True)
class Marks:
    """Who marks in an iteration, and with what weight.

    Attributes
    ----------
    ants : ndarray of int64
        Ants of this iteration.
    weights : ndarray of float64
        Of each of them.
    best, since_restart : float
        Weights of the best solution so far, and of the best since the last restart.
    """

    ants: NDArray[np.int64]
    weights: FloatArray
    best: float = 0.0
    since_restart: float = 0.0


@dataclass(frozen=True)
class Policy:
    """One way of learning; the functions of this module return those that are known.

    Attributes
    ----------
    kind : {"ant system", "rank-based", "ant colony system", "max-min"}
    evaporation : float
        Share of a trail that goes in an iteration, in (0, 1].
    alpha, beta : float
        Exponents of trail and desirability, from 0.
    greediness : float
        Probability of taking the heaviest option outright, in [0, 1].
    wear : float
        Share of the way down that an ant's step takes a trail, in [0, 1].
    elitists : float
        Weight of the best solution so far, from 0, in the ant system.
    ranks : int
        Solutions that mark in the rank-based ant system, the best so far among them.
    best_every : int
        Iterations after which the best since the last restart marks, in the max-min ant system;
        the iteration's best does otherwise.
    patience : int
        Iterations without improvement after which a converged max-min ant system starts again.
    """

    kind: Literal["ant system", "rank-based", "ant colony system", "max-min"]
    evaporation: float
    alpha: float = 1.0
    beta: float = 2.0
    greediness: float = 0.0
    wear: float = 0.0
    elitists: float = 0.0
    ranks: int = 6
    best_every: int = 25
    patience: int = 250

    def __post_init__(self) -> None:
        positive("evaporation", self.evaporation, 1.0)
        between("alpha", self.alpha, 0.0)
        between("beta", self.beta, 0.0)
        between("greediness", self.greediness, 0.0, 1.0)
        between("wear", self.wear, 0.0, 1.0)
        between("elitists", self.elitists, 0.0)
        whole("ranks", self.ranks, 1)
        whole("best_every", self.best_every, 1)
        whole("patience", self.patience, 1)
        if self.kind not in ("ant system", "rank-based", "ant colony system", "max-min"):
            raise InputError(f"kind is {self.kind!r}; policies come from the functions beside it")

    @property
    def bounded(self) -> bool:
        """Whether trails keep within bounds, and colonies start again when they have converged."""
        return self.kind == "max-min"

    def first_trail(self, n: int) -> float:
        """Return the trail that all options begin with, on n nodes."""
        return 1.0 / n if self.kind == "ant colony system" else 1.0 / self.evaporation

    def bounds(self, best: float, n: int, options: float) -> tuple[float, float]:
        """Return the least and the greatest trail.

        Parameters
        ----------
        best : float
            What the best solution so far leaves with weight 1.
        n : int
            Nodes.
        options : float
            Options of a node, on average.

        Returns
        -------
        (float, float)
            Of the max-min ant system: τ_max = best / ρ, and τ_min so that an ant of a converged
            colony builds the best solution again with probability 0.05, choosing among
            (options + 1) / 2 at each node (Stützle, Hoos 2000, eq. 11, as in ACOTSP).
        """
        if not self.bounded:
            return 0.0, np.inf
        high = best / self.evaporation
        each = BEST_AGAIN ** (1.0 / n)
        return min(high, high * (1.0 - each) / (each * (options + 1.0) / 2.0)), high

    def marks(self, costs: FloatArray, iteration: int) -> Marks:
        """Return who marks after an iteration; `iteration` counts from 0."""
        if self.kind == "max-min":
            ant = int(np.argmin(costs))
            if iteration % self.best_every == self.best_every - 1 or costs[ant] == np.inf:
                return Marks(NOBODY, NO_WEIGHTS, since_restart=1.0)
            return Marks(np.array([ant]), ONE_WEIGHT)
        if self.kind == "ant colony system":
            return Marks(NOBODY, NO_WEIGHTS, self.evaporation)
        finite = np.flatnonzero(np.isfinite(costs))
        if self.kind == "ant system":
            return Marks(finite, np.ones(finite.size), self.elitists)
        ranked = finite[np.argsort(costs[finite], kind="stable")][: self.ranks - 1]
        return Marks(ranked, self.ranks - 1.0 - np.arange(float(ranked.size)), float(self.ranks))


def ant_system(
    *, evaporation: float = 0.5, elitists: float = 0.0, alpha: float = 1.0, beta: float = 2.0
) -> Policy:
    """Return the ant system: all ants mark; with `elitists`, the best so far as well."""
    return Policy("ant system", evaporation, alpha, beta, elitists=elitists)


def rank_based(
    *, evaporation: float = 0.1, ranks: int = 6, alpha: float = 1.0, beta: float = 2.0
) -> Policy:
    """Return the rank-based ant system: the best few mark, by their rank, and the best so far."""
    return Policy("rank-based", evaporation, alpha, beta, ranks=ranks)


def ant_colony_system(
    *,
    evaporation: float = 0.1,
    wear: float = 0.1,
    greediness: float = 0.9,
    alpha: float = 1.0,
    beta: float = 2.0,
) -> Policy:
    """Return ACS: greedy ants wear trails off towards the first; the best so far alone marks."""
    return Policy("ant colony system", evaporation, alpha, beta, greediness, wear)


def max_min(
    *,
    evaporation: float = 0.1,
    greediness: float = 0.0,
    best_every: int = 25,
    patience: int = 250,
    alpha: float = 1.0,
    beta: float = 2.0,
) -> Policy:
    """Return MMAS: one ant marks an iteration; trails keep within bounds and restart."""
    return Policy(
        "max-min",
        evaporation,
        alpha,
        beta,
        greediness,
        best_every=best_every,
        patience=patience,
    )


def hybrid(
    *,
    evaporation: float = 0.1,
    wear: float | None = None,
    ants: int = 25,
    greediness: float = 0.0,
    alpha: float = 1.0,
    beta: float = 2.0,
) -> Policy:
    """Return MMAS whose ants wear trails off towards the least, as those of ACS do.

    Parameters
    ----------
    wear : float, optional
        By default `evaporation` / (10 · `ants`), which does no harm; from about
        `evaporation` / (2 · `ants`) on all trails sink to the least, and without local search the
        colony learns nothing.
    evaporation, ants, greediness, alpha, beta
        As `Policy` has them; `ants` of the colony.
    """
    least = evaporation / (10.0 * whole("ants", ants, 1)) if wear is None else wear
    return Policy("max-min", evaporation, alpha, beta, greediness, least)

"""Networks of mass-action reactions between named channels, with modifiers of their rates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.stigmergy.field.reaction_kernels import (
    AMPLIFY,
    BEGIN,
    CATALYSE,
    CHANGE,
    DAMPEN,
    INHIBIT,
    TIMES,
)

__all__ = [
    "Amplifier",
    "Catalyst",
    "Dampener",
    "Inhibitor",
    "Modifier",
    "Reaction",
    "ReactionNetwork",
    "pairwise_network",
    "parse_reactions",
]

TERM = re.compile(r"(?:(\d+)\s*\*?\s*)?([^\W\d]\w*)")
# Beyond this order a float32 holds no rate.
MOST_ORDER = 8


@dataclass(frozen=True)
class Modifier:
    """A channel whose amount m multiplies the rates of reactions without being used up.

    Attributes
    ----------
    channel : str
        Whose amount counts.
    strength : float
        s ≥ 0.
    threshold : float
        K > 0, in amounts.
    affects : tuple of str or None
        Channels: every reaction that makes or takes one of them is modified; None for all
        reactions. A reaction is modified as a whole, so that what it conserves stays conserved.
    """

    operation: ClassVar[int]

    channel: str
    strength: float = 1.0
    threshold: float = 1.0
    affects: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        between("strength", self.strength, 0.0, 1e9)
        positive("threshold", self.threshold, 1e9)
        between("threshold", self.threshold, 1e-9)


class Catalyst(Modifier):
    """Speeds reactions up, saturating: factor 1 + s·m / (K + m), half of it at m = K."""

    operation = CATALYSE


class Inhibitor(Modifier):
    """Slows reactions down, saturating: factor 1 − s·m / (K + m) with s ≤ 1; s = 1 stops them."""

    operation = INHIBIT

    def __post_init__(self) -> None:
        super().__post_init__()
        between("strength of an Inhibitor", self.strength, 0.0, 1.0)


class Amplifier(Modifier):
    """Speeds reactions up beyond a threshold, without limit: factor 1 + s·max(0, m − K)."""

    operation = AMPLIFY


class Dampener(Modifier):
    """Slows reactions down beyond a threshold: factor 1 / (1 + s·max(0, m − K))."""

    operation = DAMPEN


@dataclass(frozen=True)
class Reaction:
    """One direction of a mass-action reaction, at the rate k·Π amount^stoichiometry.

    Attributes
    ----------
    reactants, products : mapping of str to int
        Channels and how many of each are taken and made; both may be empty, for what appears
        and what decays.
    rate : float
        k ≥ 0, per unit of time and of amounts.
    """

    reactants: Mapping[str, int]
    products: Mapping[str, int]
    rate: float

    def __post_init__(self) -> None:
        between("rate", self.rate, 0.0, 1e18)
        for counts in (self.reactants, self.products):
            for name, count in counts.items():
                if count != int(count) or not 1 <= count <= MOST_ORDER:
                    raise InputError(f"{name}: {count} is not a whole number, 1 to {MOST_ORDER}")

    @property
    def changes(self) -> dict[str, int]:
        """What one extent of the reaction adds to each channel; without those it leaves alone."""
        names = [*self.reactants, *(n for n in self.products if n not in self.reactants)]
        net = {n: self.products.get(n, 0) - self.reactants.get(n, 0) for n in names}
        return {name: change for name, change in net.items() if change}


def parse_reactions(text: str, rate: float, reverse_rate: float | None = None) -> list[Reaction]:
    """Read a reaction such as ``"A + 2 B -> C"``, or both directions of ``"A + B <-> C"``.

    Parameters
    ----------
    text : str
        Channels with whole numbers before them, ``+`` between them, ``->`` or ``<->`` between the
        sides; a side may be empty or 0.
    rate : float
        k ≥ 0 from left to right.
    reverse_rate : float, optional
        k ≥ 0 from right to left; for ``<->`` only, and required there.

    Returns
    -------
    list of Reaction
        One, or two for ``<->``.

    Raises
    ------
    InputError
        The text cannot be read, or rates do not fit it.
    """
    both = "<->" in text
    sides = text.split("<->" if both else "->")
    if len(sides) != 2:
        raise InputError(f"reaction {text!r}: not two sides with '->' or '<->' between them")
    left, right = (_side(text, side.strip()) for side in sides)
    if both != (reverse_rate is not None):
        raise InputError(f"reaction {text!r}: reverse_rate is for '<->', and required there")
    forward = Reaction(left, right, rate)
    return [forward] if reverse_rate is None else [forward, Reaction(right, left, reverse_rate)]


def _side(text: str, side: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    if side in ("", "0"):
        return counts
    for part in side.split("+"):
        found = TERM.fullmatch(part.strip())
        if found is None:
            raise InputError(f"reaction {text!r}: {part.strip()!r} is not a number and a channel")
        name = found[2]
        counts[name] = counts.get(name, 0) + int(found[1] or 1)
    return counts


@dataclass(frozen=True)
class ReactionNetwork:
    """Reactions between channels, and what modifies their rates.

    Attributes
    ----------
    channels : tuple of str
        Names in the order of the first axis of the amounts.
    reactions : sequence of Reaction
    modifiers : sequence of Modifier, optional

    Raises
    ------
    InputError
        A channel is named twice, or one is used that is not there.

    Examples
    --------
    >>> network = ReactionNetwork(("A", "B", "C"), parse_reactions("A + B -> C", 0.5))
    >>> network.stoichiometry.tolist()
    [[-1.0], [-1.0], [1.0]]
    """

    channels: tuple[str, ...]
    reactions: Sequence[Reaction]
    modifiers: Sequence[Modifier] = field(default=())

    def __post_init__(self) -> None:
        if len(set(self.channels)) != len(self.channels) or not self.channels:
            raise InputError(f"channels: {self.channels} are not different names")
        used = [n for r in self.reactions for n in (*r.reactants, *r.products)]
        used += [n for m in self.modifiers for n in (m.channel, *(m.affects or ()))]
        for name in used:
            if name not in self.channels:
                allowed = ", ".join(map(repr, self.channels))
                raise InputError(f"channel {name!r} is not one of {allowed}")

    @property
    def stoichiometry(self) -> NDArray[np.float64]:
        """What one extent of each reaction adds to each channel, shape (channels, reactions)."""
        matrix = np.zeros((len(self.channels), len(self.reactions)))
        for column, reaction in enumerate(self.reactions):
            for name, change in reaction.changes.items():
                matrix[self.channels.index(name), column] = change
        return matrix

    def conservation_laws(self) -> NDArray[np.float64]:
        """Give sums of amounts that no reaction changes.

        Returns
        -------
        ndarray of float64, shape (laws, channels)
            An orthonormal basis: ``laws @ amounts`` stays as it is.
        """
        left, sizes, _ = np.linalg.svd(self.stoichiometry)
        rank = int((sizes > 1e-9 * max(1.0, sizes.max(initial=0.0))).sum())
        laws: NDArray[np.float64] = left[:, rank:].T
        return laws

    def program(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give the instructions that the kernels run: codes (n, 2) and numbers (n, 2)."""
        rows: list[tuple[int, int, float, float]] = []
        for reaction in self.reactions:
            rows.append((BEGIN, 0, reaction.rate, 0.0))
            for name, count in reaction.reactants.items():
                rows += [(TIMES, self.channels.index(name), 0.0, 0.0)] * int(count)
            rows += [
                (m.operation, self.channels.index(m.channel), m.threshold, m.strength)
                for m in self.modifiers
                if m.affects is None or set(m.affects) & set(reaction.changes)
            ]
            for name, change in reaction.changes.items():
                rows.append((CHANGE, self.channels.index(name), float(change), 0.0))
        codes = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
        return codes, np.array([row[2:] for row in rows], np.float32).reshape(-1, 2)


def pairwise_network(
    channels: Sequence[str], rates: ArrayLike, modifiers: Sequence[Modifier] = ()
) -> ReactionNetwork:
    """Make a network of pairwise rates: d a_i / dt = a_i · Σ_j K_ij · a_j.

    Each K_ij > 0 is the reaction i + j → 2 i + j and each K_ij < 0 is i + j → j, so that amounts
    stay ≥ 0 (the generalised Lotka–Volterra equations). An antisymmetric matrix conserves the
    sum of all amounts.

    Parameters
    ----------
    channels : sequence of str
        Names, n of them.
    rates : array-like, shape (n, n)
        K, finite, of either sign, per unit of time and amount.
    modifiers : sequence of Modifier, optional
        Of the rates.

    Returns
    -------
    ReactionNetwork

    Raises
    ------
    InputError
        The matrix has another shape or is not finite.
    """
    matrix = np.asarray(rates, np.float64)
    if matrix.shape != (len(channels), len(channels)):
        raise InputError(f"rates: shape {matrix.shape} is not ({len(channels)}, {len(channels)})")
    wrong = np.argwhere(~np.isfinite(matrix))
    if len(wrong):
        i, j = wrong[0].tolist()
        raise InputError(f"rates: {matrix[i, j]} at ({i}, {j}) is not finite")
    reactions = [
        _pair(channels[i], channels[j], float(matrix[i, j]))
        for i, j in np.argwhere(matrix).tolist()
    ]
    return ReactionNetwork(tuple(channels), reactions, modifiers)


def _pair(one: str, other: str, rate: float) -> Reaction:
    reactants = {one: 2} if one == other else {one: 1, other: 1}
    left = reactants[one] + (1 if rate > 0.0 else -1)
    products = {name: n for name, n in ({**reactants, one: left}).items() if n}
    return Reaction(reactants, products, math.fabs(rate))

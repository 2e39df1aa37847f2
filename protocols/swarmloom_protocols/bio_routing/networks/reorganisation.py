"""Networks that take a wanted shape link by link under a degree budget, never to the worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.networks.hop_kernels import depths
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.overlay import Fitness, Overlay, fitness_of
from swarmloom_protocols.bio_routing.networks.topology import Shape, known_shape, pairs_of
from swarmloom_protocols.checks import between, generator, whole

__all__ = ["Change", "Reorganisation", "add_random_links", "reorganise"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Draws after which a move is given up for which there may be no place.
MOST_DRAWS = 32
# Kinds of moves by shape: to take a link away can only harm where paths are to be short.
MOVES = {
    "mesh": ("add", "rewire"),
    "hierarchical": ("add", "remove", "rewire", "rewire"),
    "small_world": ("add", "close", "rewire", "rewire to close"),
    "scale_free": ("add", "remove", "rewire"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """Links that a step takes away and adds, as pairs of nodes."""

    removed: tuple[tuple[int, int], ...]
    added: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reorganisation:
    """What has become of a network.

    Attributes
    ----------
    network : Network
        Links that were there before keep what they are like; failed ones are gone.
    fitness : ndarray of float64, shape (steps + 1,)
        Before the first step and after each; it never goes down.
    changes : tuple of Change
        Those that were kept, in order.
    """

    network: Network
    fitness: FloatArray
    changes: tuple[Change, ...]


def reorganise(
    network: Network,
    shape: Shape,
    *,
    degree_budget: int,
    steps: int,
    rng: np.random.Generator,
    fitness: Fitness | None = None,
    threshold: float = 0.7,
    on_progress: Callable[[int, float], None] | None = None,
) -> Reorganisation:
    """Change links, one step after the other, and keep each change that does no harm.

    A step draws a link to add, to take away, or to move one end of. The change is kept if the
    fitness is no less than before and no two nodes are cut apart that paths joined. By default the
    fitness, within [0, 1], is for

    - "mesh": mean inverse distance of all pairs, against the best that the budget could allow,
      times 1 − the coefficient of variation of the degrees: short paths that nobody carries alone;
    - "hierarchical": mean inverse distance from the root (the node of most neighbours), against
      that of the full tree, times the links of a tree over all links: few, and short chains;
    - "small_world": geometric mean of mean inverse distance as above, and of clustering against
      that of a ring lattice (both are high in a small world: Watts & Strogatz 1998);
    - "scale_free": 1 − the largest difference of the degrees' distribution to that of networks
      grown by preferential attachment, P(k) ~ k⁻³ (Barabási & Albert 1999).

    Parameters
    ----------
    network : Network
        Its working links, as undirected ones.
    shape : {"mesh", "hierarchical", "small_world", "scale_free"}
        What to become; also which moves are drawn.
    degree_budget : int
        Most neighbours of a node.
    steps : int
        Changes to draw.
    rng : numpy.random.Generator
        Whence the random numbers come.
    fitness : callable, optional
        Takes an `Overlay` and returns a number, in place of the above; more is better.
    threshold : float, optional
        A network that is as fit from the start is left as it is; 0.7 by default, and inf to
        reorganise whatever there is.
    on_progress : callable, optional
        Called after each step with its number, from 1, and the fitness.

    Returns
    -------
    Reorganisation

    Raises
    ------
    InputError
        A node has more neighbours than the budget; a fitness is NaN; or an argument is out of its
        range.
    """
    pairs, budget = pairs_of(network), whole("degree_budget", degree_budget, 1)
    whole("n_nodes", network.n_nodes, 2)
    overlay = Overlay(network.n_nodes, pairs, budget, network.names)
    known_shape(shape)
    worth = fitness_of(shape, overlay) if fitness is None else fitness
    generator("rng", rng)
    trace = np.empty(whole("steps", steps, 0) + 1)
    trace[0] = _number(worth(overlay))
    least = threshold if threshold == np.inf else between("threshold", threshold, -np.inf)
    kept: list[Change] = []
    for step in range(1, len(trace)):
        trace[step] = trace[step - 1]
        if trace[0] < least:
            trace[step] = _step(overlay, shape, worth, float(trace[step - 1]), kept, rng)
        if on_progress is not None:
            on_progress(step, float(trace[step]))
    return Reorganisation(_with_pairs(network, pairs, overlay), trace, tuple(kept))


def add_random_links(
    network: Network, n_links: int, *, degree_budget: int, rng: np.random.Generator
) -> Network:
    """Link pairs of nodes drawn at random that are not linked and have places left.

    Parameters
    ----------
    network : Network
        Its working links, as undirected ones.
    n_links : int
        Links to add, ≥ 0.
    degree_budget : int
        Most neighbours of a node.
    rng : numpy.random.Generator
        Whence the random numbers come.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        There is no place for so many; the message says how many were placed.
    """
    pairs, budget = pairs_of(network), whole("degree_budget", degree_budget, 1)
    overlay = Overlay(network.n_nodes, pairs, budget, network.names)
    generator("rng", rng)
    for placed in range(whole("n_links", n_links, 0)):
        pair = _free_pair(overlay, rng, preferring=False)
        if pair is None:
            raise InputError(
                f"n_links is {n_links}; allowed under the degree_budget of {budget}: {placed}"
            )
        overlay.add(*pair)
    return _with_pairs(network, pairs, overlay)


def _step(
    overlay: Overlay,
    shape: Shape,
    worth: Fitness,
    before: float,
    kept: list[Change],
    rng: np.random.Generator,
) -> float:
    """Draw a change and keep it if it does no harm; return the fitness."""
    change = _draw(overlay, shape, rng)
    if change is None:
        return before
    _apply(overlay, change)
    after = before
    whole_still = all(depths(one, *overlay.graph)[other] >= 0 for one, other in change.removed)
    if whole_still:
        after = _number(worth(overlay))
    if after < before or not whole_still:
        _apply(overlay, Change(change.added, change.removed))
        return before
    kept.append(change)
    return after


def _apply(overlay: Overlay, change: Change) -> None:
    for pair in change.removed:
        overlay.remove(*pair)
    for pair in change.added:
        overlay.add(*pair)


def _draw(overlay: Overlay, shape: Shape, rng: np.random.Generator) -> Change | None:
    """Draw a change for a shape; None where what was drawn has no place."""
    move = MOVES[shape][rng.integers(len(MOVES[shape]))]
    if move == "add":
        pair = _free_pair(overlay, rng, preferring=shape == "scale_free")
        return None if pair is None else Change((), (pair,))
    if move == "close":
        pair = _open_triangle(overlay, int(rng.integers(len(overlay.degrees))), rng)
        return None if pair is None else Change((), (pair,))
    if not overlay.pairs:
        return None
    old = overlay.pairs[rng.integers(len(overlay.pairs))]
    if move == "remove":
        return Change((old,), ())
    return _moved(overlay, old, move == "rewire to close", shape == "scale_free", rng)


def _moved(
    overlay: Overlay,
    old: tuple[int, int],
    closing: bool,
    preferring: bool,
    rng: np.random.Generator,
) -> Change | None:
    """Let one end of a link lead elsewhere."""
    stays = old[rng.integers(2)]
    # The place that it leaves is free for the new one.
    overlay.remove(*old)
    if closing:
        new = _open_triangle(overlay, stays, rng)
    else:
        new = _free_pair(overlay, rng, preferring=preferring, one=stays)
    overlay.add(*old)
    same = new is not None and set(new) == set(old)
    return None if new is None or same else Change((old,), (new,))


def _free_pair(
    overlay: Overlay, rng: np.random.Generator, *, preferring: bool, one: int | None = None
) -> tuple[int, int] | None:
    """Draw two nodes with places left that are not linked, or a partner for one."""
    free = np.flatnonzero(overlay.degrees < overlay.budget)
    if len(free) < 2:
        return None
    # In proportion to degrees, of which each node here lends one so that lone ones have a chance.
    weights = np.cumsum(overlay.degrees[free] + 1) if preferring else np.arange(1, len(free) + 1)
    for _ in range(MOST_DRAWS):
        first = int(free[rng.integers(len(free))]) if one is None else one
        other = int(free[np.searchsorted(weights, rng.integers(weights[-1]), side="right")])
        if first != other and not overlay.linked(first, other):
            return first, other
    return None if one is not None else _first_free_pair(overlay, free)


def _first_free_pair(overlay: Overlay, free: IntArray) -> tuple[int, int] | None:
    """Look through all pairs, where chance has found none."""
    for place, one in enumerate(free.tolist()):
        for other in free[place + 1 :].tolist():
            if not overlay.linked(one, other):
                return one, other
    return None


def _open_triangle(overlay: Overlay, node: int, rng: np.random.Generator) -> tuple[int, int] | None:
    """Draw a neighbour's neighbour that a node could be linked to."""
    if not 0 < overlay.degrees[node] < overlay.budget:
        return None
    over = overlay.neighbours(node)[rng.integers(overlay.degrees[node])]
    far = int(overlay.neighbours(over)[rng.integers(overlay.degrees[over])])
    if far == node or overlay.degrees[far] >= overlay.budget or overlay.linked(node, far):
        return None
    return node, far


def _with_pairs(network: Network, before: IntArray, overlay: Overlay) -> Network:
    """Return a network with an overlay's links; new ones are of 1 throughout."""
    old = set(map(tuple, before.tolist()))
    pairs = np.sort(np.stack([network.sources, network.targets], axis=1), axis=1).tolist()
    kept = np.array([overlay.linked(*pair) for pair in pairs], dtype=bool) & network.link_works
    new = np.array([pair for pair in overlay.pairs if pair not in old], dtype=np.int64)
    one, other = new.reshape(-1, 2).T
    capacities, delays, reliabilities = (
        np.concatenate([column[kept], np.ones(2 * len(one))])
        for column in (network.capacities, network.delays, network.reliabilities)
    )
    sources = np.concatenate([network.sources[kept], one, other])
    targets = np.concatenate([network.targets[kept], other, one])
    return Network(sources, targets, capacities, delays, reliabilities, network.names)


def _number(value: float) -> float:
    number = float(value)
    if np.isnan(number):
        raise InputError("fitness is nan; allowed: real numbers, more for better networks")
    return number

"""Checks of what `PacketAnts` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.packet_kinds import KINDS, PheromoneKind
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["GIB", "interaction_matrix", "kind_weights", "kinds_of", "refuse_too_many"]

FloatArray = NDArray[np.float64]

# What one link of one ant's path takes while a round is reckoned, and a trail and an expectation.
BYTES_A_STEP = 4 + 10 * 8
BYTES_A_TRAIL = 2 * 8 + 4
BYTES_A_MODEL = 2 * 5 * 8
GIB = 1 << 30


def kinds_of(kinds: Sequence[PheromoneKind | str]) -> tuple[PheromoneKind, ...]:
    """Return kinds, those given by name too, or raise `InputError`."""
    found = []
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if isinstance(kind, str) and kind in KINDS:
            found.append(KINDS[kind])
        elif isinstance(kind, PheromoneKind):
            found.append(kind)
        else:
            raise InputError(
                f"kind {kind!r} has no rule; allowed: {', '.join(KINDS)}, or a PheromoneKind"
            )
    names = [kind.name for kind in found]
    if not names or len(set(names)) < len(names):
        raise InputError(f"kinds are {names}; allowed: at least one, no two of one name")
    return tuple(found)


def interaction_matrix(given: ArrayLike | None, kinds: int) -> FloatArray:
    """Return the kinds' matrix of interaction, or raise `InputError`."""
    matrix = np.eye(kinds) if given is None else real_array("interaction", given).copy()
    if matrix.shape != (kinds, kinds) or not np.isfinite(matrix).all():
        raise InputError(
            f"interaction is of shape {matrix.shape}, {np.count_nonzero(~np.isfinite(matrix))} "
            f"of it not finite; allowed: ({kinds}, {kinds}), finite"
        )
    return matrix


def refuse_too_many(
    network: Network, kinds: int, ants: int, most_links: int, memory_limit: float
) -> None:
    """Refuse what would take more memory than allowed, before any is taken."""
    n, m = network.n_nodes, network.n_links
    tables = kinds * n * (BYTES_A_TRAIL * m + BYTES_A_MODEL * n)
    # Of an ant: its path, and what is reckoned of its trips, whatever its length turns out to be.
    an_ant = n * max(1, most_links) * BYTES_A_STEP
    if tables + ants * an_ant > memory_limit:
        fit = max(0, int((memory_limit - tables) // max(1, an_ant)))
        raise MemoryLimitError(
            f"{ants} ants from each of {n} nodes over {most_links} links take up to "
            f"{(tables + ants * an_ant) / GIB:.3g} GiB with the trails of {kinds} kinds; allowed: "
            f"memory_limit of {memory_limit / GIB:.3g} GiB, or {fit} ants"
        )


def kind_weights(weights: Mapping[str, float]) -> FloatArray:
    """Return weights of kinds, or raise `InputError`."""
    vector = np.array([between(f"weight of {name!r}", weights[name], 0.0) for name in weights])
    if not vector.sum() > 0.0:
        raise InputError("weights are all 0; allowed: at least one above 0")
    return vector

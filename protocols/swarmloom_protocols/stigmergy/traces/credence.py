"""How far agents are believed, learned from whether their word agrees with that of others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom_protocols.stigmergy.traces.channels import Channel
from swarmloom_protocols.stigmergy.traces.records import Backend
from swarmloom_protocols.stigmergy.trust import learned_trust

__all__ = ["Credence"]

Float64Array = npt.NDArray[np.float64]

# Deposits until weights are learned anew. That costs a pass over all trails, and a fifth of a
# millisecond however few they are: the more has been seen, the longer the old weights will do.
_PATIENCE = 32
_LONGEST_PATIENCE = 256
_PATIENCE_PER_DEPOSIT = 0.125
_PATIENCE_PER_TRAIL = 0.5


class _Learned(NamedTuple):
    weights: Mapping[str, float] | None
    version: int
    due: int


class Credence:
    """Weights of agents on two channels of contrary outcomes.

    An agent's weight is `learned_trust` of its amounts on both channels, decayed and held to its
    cap. They are learned when they are first needed, and anew after an eighth more deposits (32 to
    256 of them, or half as many as there are trails): a constant share of what deposits cost.

    Parameters
    ----------
    backend : Backend
    definition : callable
        Gives the channel of a name.
    """

    def __init__(self, backend: Backend, definition: Callable[[str], Channel]) -> None:
        self._backend, self._definition = backend, definition
        self._learned: dict[str, _Learned] = {}

    def forget(self) -> None:
        """Learn anew when weights are needed next."""
        self._learned = {}

    def weights(self, channel: str, now: float) -> Mapping[str, float] | None:
        """Give the weight of each agent; None while all count alike.

        Parameters
        ----------
        channel : str
            One of two channels that are each other's opposites.
        now : float
            Time at which the amounts are read.

        Returns
        -------
        mapping of str to float, or None
            In (0, 1].
        """
        version = self._backend.version()
        known = self._learned.get(channel)
        if known is None or version >= known.due:
            one = self._definition(channel)
            other = self._definition(one.opposite or channel)
            known = self._learn(one, other, now, version)
            # The same from either side: the measure knows no success and failure.
            self._learned[one.name] = self._learned[other.name] = known
        return known.weights

    def _learn(self, good: Channel, bad: Channel, now: float, version: int) -> _Learned:
        pairs = _pairs(self._backend, (good, bad), now)
        patience = min(_LONGEST_PATIENCE, int(_PATIENCE_PER_DEPOSIT * version))
        due = version + max(_PATIENCE, patience, int(_PATIENCE_PER_TRAIL * len(pairs)))
        agents = {agent: row for row, agent in enumerate(sorted({who for _, who in pairs}))}
        if len(agents) < 2:
            return _Learned(None, version, due)
        keys: dict[Hashable, int] = {}
        cells = np.array([keys.setdefault(key, len(keys)) for key, _ in pairs], dtype=np.int64)
        who = np.array([agents[agent] for _, agent in pairs], dtype=np.int64)
        amounts = _capped(np.array(list(pairs.values())).T, good, bad)
        trust = learned_trust(amounts, cells, who, np.full(len(agents), np.nan))
        weights = {agent: float(trust[row]) for agent, row in agents.items()}
        return _Learned(weights, version, due)


def _pairs(
    backend: Backend, channels: tuple[Channel, Channel], now: float
) -> dict[tuple[Hashable, str], list[float]]:
    """Success and failure of each key and agent, decayed."""
    pairs: dict[tuple[Hashable, str], list[float]] = {}
    for side, channel in enumerate(channels):
        for key, agent, trail in backend.trails(channel.name):
            amount = channel.left(trail[0], trail[1], now)
            if amount:
                pairs.setdefault((key, agent), [0.0, 0.0])[side] = amount
    return pairs


def _capped(amounts: Float64Array, good: Channel, bad: Channel) -> Float64Array:
    """Scale each pair until its sum is within the lower of the two caps."""
    limits = [one.agent_cap for one in (good, bad) if one.agent_cap is not None]
    if not limits:
        return amounts
    share: Float64Array = np.minimum(1.0, min(limits) / amounts.sum(axis=0))
    return amounts * share

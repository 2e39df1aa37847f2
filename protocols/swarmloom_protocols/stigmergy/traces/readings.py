"""What trails say together: decayed, capped and trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from math import exp2

from swarmloom_protocols.stigmergy.traces.channels import Channel
from swarmloom_protocols.stigmergy.traces.records import Cell, Reading

__all__ = ["EVERYBODY", "outcomes", "pooled", "reading"]

# The entry of a trust mapping that stands for all agents that it does not name.
EVERYBODY = "*"

# A named tuple made as a plain one takes half the time.
_new_reading = tuple.__new__


def reading(
    cell: Cell, channel: Channel, weights: Mapping[str, float] | None, now: float
) -> Reading:
    """Read one key on one channel.

    Parameters
    ----------
    cell : list of (str, trail)
        Trails by agent; may be put in order.
    channel : Channel
    weights : mapping of str to float, or None
        How far each agent is believed; None: all fully.
    now : float
        Time of reading.

    Returns
    -------
    Reading
    """
    value, evidence = 0.0, 0
    last: float | None = None
    by_agent: dict[str, float] = {}
    limit, floor = channel.agent_cap, channel.floor
    half_life, ends = channel.half_life, channel.expires_after
    if len(cell) > 2:
        # Sums of floats depend on the order, which depends on the kind of store.
        cell.sort()
    for agent, (amount, time, count, _, _) in cell:
        # What Channel.left says, without a call for each trail.
        if now > time:
            if ends is not None and now - time > ends:
                continue
            if half_life is not None:
                amount *= exp2((time - now) / half_life)
        if amount < floor or not amount:
            continue
        by_agent[agent] = amount
        if limit is not None and amount > limit:
            amount = limit
        value += amount if weights is None else amount * _weight(weights, agent)
        evidence += count
        if last is None or time > last:
            last = time
    if channel.cap is not None and value > channel.cap:
        value = channel.cap
    return _new_reading(Reading, (value, evidence, last, by_agent))


def pooled(readings: Iterable[tuple[float, Reading]]) -> Reading:
    """Add up the readings of several places.

    Parameters
    ----------
    readings : iterable of (float, Reading)
        Weight of each place, and what was read there.

    Returns
    -------
    Reading
        Values and amounts weighted; deposits counted in full.
    """
    value, evidence = 0.0, 0
    last: float | None = None
    by_agent: dict[str, float] = {}
    for weight, one in readings:
        value += weight * one.value
        evidence += one.evidence
        if one.last is not None:
            last = one.last if last is None else max(last, one.last)
        for agent, amount in one.by_agent.items():
            by_agent[agent] = by_agent.get(agent, 0.0) + weight * amount
    return Reading(value, evidence, last, by_agent)


def outcomes(
    good: Cell,
    bad: Cell,
    channels: tuple[Channel, Channel],
    weights: Mapping[str, float] | None,
    now: float,
) -> tuple[float, float]:
    """Read success and failure of one key together, so that caps leave their ratio as it is.

    An agent's two amounts are scaled down until their sum is within its cap, and the cell's until
    theirs is within the cell's; the lower of the two channels' caps holds.

    Parameters
    ----------
    good, bad : list of (str, trail)
        Trails by agent.
    channels : (Channel, Channel)
        Of success and of failure.
    weights, now
        As for `reading`.

    Returns
    -------
    success, failure : float
    """
    pairs = _paired(good, bad, channels, now)
    limit, total = _lower(channels, "agent_cap"), _lower(channels, "cap")
    won = lost = 0.0
    for agent, (success, failure) in sorted(pairs.items()):
        scale = 1.0 if weights is None else _weight(weights, agent)
        if success + failure > limit:
            scale *= limit / (success + failure)
        won, lost = won + scale * success, lost + scale * failure
    scale = total / (won + lost) if won + lost > total else 1.0
    return won * scale, lost * scale


def _paired(
    good: Cell, bad: Cell, channels: tuple[Channel, Channel], now: float
) -> dict[str, list[float]]:
    """Give each agent's decayed success and failure amounts."""
    pairs: dict[str, list[float]] = {}
    for side, (cell, channel) in enumerate(zip((good, bad), channels, strict=True)):
        for agent, trail in cell:
            amount = channel.left(trail[0], trail[1], now)
            if amount:
                pairs.setdefault(agent, [0.0, 0.0])[side] = amount
    return pairs


def _lower(channels: tuple[Channel, Channel], setting: str) -> float:
    limits = [getattr(channel, setting) for channel in channels]
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _weight(weights: Mapping[str, float], agent: str) -> float:
    weight = weights.get(agent)
    return weights.get(EVERYBODY, 1.0) if weight is None else weight

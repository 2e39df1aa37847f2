"""Channels: how fast amounts fade on them, and how much they may count for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypedDict

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive

__all__ = [
    "BAD",
    "GOOD",
    "LARGEST_AMOUNT",
    "Channel",
    "ChannelSettings",
    "given",
    "name",
    "proposed",
]

GOOD, BAD = "ok", "fail"

# Far from the largest float64, so that sums of amounts stay finite.
LARGEST_AMOUNT = 1e100

# Observations that one depositor's word on one cell counts for at most, unless told otherwise.
_AGENT_CAP = 10.0
_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class Channel:
    """What holds for all amounts of one kind.

    Attributes
    ----------
    name : str
    half_life : float or None
        Seconds after which an amount is worth half; None: amounts stay.
    cap, agent_cap : float or None
        What a whole cell, and each depositor on one cell, counts for at most; None: no limit.
    floor : float
        Amounts below it are read as nothing and dropped by a sweep.
    expires_after : float or None
        Seconds after its last deposit at which an amount is gone for good; None: never.
    opposite : str or None
        The channel of the contrary outcome. Depositors are then believed as far as their word on
        the two agrees with what others say.
    """

    name: str
    half_life: float | None = None
    cap: float | None = None
    agent_cap: float | None = None
    floor: float = _FLOOR
    expires_after: float | None = None
    opposite: str | None = None

    def merged(
        self, amount: float, time: float, added: float, when: float
    ) -> tuple[float, float, bool]:
        """Add a deposit to an amount, in O(1); a late one is decayed to the amount's time first.

        Parameters
        ----------
        amount, time : float
            What is there, and the time at which it is worth that.
        added, when : float
            The deposit and its time.

        Returns
        -------
        amount, time : float
        fresh : bool
            Whether what was there had expired.
        """
        if self.expires_after is not None and when - time > self.expires_after:
            return added, when, True
        if self.half_life is None:
            return amount + added, max(time, when), False
        if when >= time:
            return amount * math.exp2((time - when) / self.half_life) + added, when, False
        return amount + added * math.exp2((when - time) / self.half_life), time, False

    def left(self, amount: float, time: float, now: float) -> float:
        """Return x(t) = x₀·2^(−(t−t₀)/h); 0 below the floor and after expiry.

        A reading from before the last deposit gives the amount as of that deposit.
        """
        if now > time:
            if self.expires_after is not None and now - time > self.expires_after:
                return 0.0
            if self.half_life is not None:
                amount *= math.exp2((time - now) / self.half_life)
        return amount if amount >= self.floor else 0.0


class ChannelSettings(TypedDict, total=False):
    """Attributes of `Channel` that may be given; what is missing has the channel's default."""

    half_life: float | None
    cap: float | None
    agent_cap: float | None
    floor: float
    expires_after: float | None
    opposite: str | None


# Success and failure are there from the start, and protected from a forger.
_GIVEN = {
    GOOD: Channel(GOOD, agent_cap=_AGENT_CAP, opposite=BAD),
    BAD: Channel(BAD, agent_cap=_AGENT_CAP, opposite=GOOD),
}


def given(channel: str) -> Channel | None:
    """Return what holds for a channel that nobody has declared; None if it has to be."""
    return _GIVEN.get(channel)


def name(what: str, value: Any) -> str:
    """Return a name, or raise `InputError` for what is no text or empty."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{what} is {value!r}; allowed: a text that is not empty")
    return value


def proposed(channel: str, settings: ChannelSettings) -> Channel:
    """Make a channel of what was said about it, and of its defaults.

    Parameters
    ----------
    channel : str
    settings : ChannelSettings

    Raises
    ------
    InputError
        For an empty name or a number that cannot be.
    """
    default = _GIVEN.get(name("channel", channel), Channel(channel))
    if unknown := settings.keys() - ChannelSettings.__annotations__:
        allowed = ", ".join(ChannelSettings.__annotations__)
        raise InputError(f"channel {channel!r} has no {min(unknown)!r}; allowed: {allowed}")
    values: dict[str, Any] = {key: getattr(default, key) for key in default.__slots__} | settings
    for key in ("half_life", "cap", "agent_cap", "expires_after"):
        if values[key] is not None:
            values[key] = positive(key, values[key])
    values["floor"] = between("floor", values["floor"], 0.0)
    if values["opposite"] is not None and name("opposite", values["opposite"]) == channel:
        raise InputError(f"opposite is {channel!r}; allowed: another channel")
    return Channel(**values)

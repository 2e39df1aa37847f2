"""Everything in a store as one JSON-ready dictionary, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from typing import Any

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.traces.channels import (
    LARGEST_AMOUNT,
    Channel,
    ChannelSettings,
    name,
    proposed,
)
from swarmloom_protocols.stigmergy.traces.keys import decoded, encoded
from swarmloom_protocols.stigmergy.traces.records import Contents, Item, Trail

__all__ = ["contents", "state"]

_KIND = "swarmloom trace store"
_VERSION = 1


def state(held: Contents) -> dict[str, Any]:
    """Write contents as dictionaries, lists, texts and numbers.

    Versions and ids are left out: the order of the rows tells them.

    Raises
    ------
    InputError
        If a key is of a type that cannot be written.
    """
    return {
        "kind": _KIND,
        "version": _VERSION,
        "token": held.token,
        "channels": [
            {setting: getattr(channel, setting) for setting in channel.__slots__}
            for channel in sorted(held.channels, key=lambda channel: channel.name)
        ],
        "trails": [
            [encoded(key), channel, agent, *trail[:3], trail[4]]
            for key, channel, agent, trail in held.trails
        ],
        "log": [[encoded(key), *rest] for key, *rest in held.log],
        "items": [
            [board, encoded(key), agent, token, None if agent is None else expires, result]
            for board, key, agent, token, expires, result in held.items
        ],
    }


def contents(saved: Mapping[str, Any]) -> Contents:
    """Read what `state` wrote, checking all of it.

    Raises
    ------
    InputError
        Naming what is wrong.
    """
    if not isinstance(saved, Mapping) or saved.get("kind") != _KIND:
        raise InputError(f"this is no snapshot of a trace store; allowed: kind {_KIND!r}")
    if saved.get("version") != _VERSION:
        raise InputError(f"a snapshot of version {saved.get('version')!r}; allowed: {_VERSION}")
    try:
        return _contents(saved)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the snapshot is damaged ({error}); nothing was changed") from error


def _contents(saved: Mapping[str, Any]) -> Contents:
    channels = [_channel(settings) for settings in saved["channels"]]
    names = {channel.name for channel in channels}
    trails = [_trail(row, names) for row in saved["trails"]]
    log = [_entry(row, names) for row in saved["log"]]
    items = [_item(row) for row in saved["items"]]
    _no_repetition("channel", [channel.name for channel in channels])
    _no_repetition("trail", [row[:3] for row in trails])
    _no_repetition("item", [item[:2] for item in items])
    token = _count(saved["token"], max((item.token for item in items), default=0))
    return Contents(channels, trails, log, items, token)


def _channel(settings: Mapping[str, Any]) -> Channel:
    rest: Any = {key: value for key, value in settings.items() if key != "name"}
    if rest.keys() != ChannelSettings.__annotations__.keys():
        raise InputError(f"channel {settings.get('name')!r} lacks settings")
    return proposed(settings["name"], rest)


def _trail(row: list[Any], names: set[str]) -> tuple[Hashable, str, str, Trail]:
    text, channel, agent, amount, time, count, note = row
    worth = between("amount", amount, 0.0)
    trail = worth, _finite(time), _count(count, 1), 0, _json(note)
    return decoded(text), _known(channel, names), name("agent", agent), trail


def _entry(row: list[Any], names: set[str]) -> tuple[Hashable, str, str, float, float, str | None]:
    text, channel, agent, amount, time, note = row
    left = between("amount", amount, 0.0, LARGEST_AMOUNT)
    who = name("agent", agent)
    return decoded(text), _known(channel, names), who, left, _finite(time), _json(note)


def _item(row: list[Any]) -> Item:
    board, text, agent, token, expires, result = row
    if not isinstance(board, str):
        raise InputError(f"board is {board!r}; allowed: a text")
    if agent is None:
        if (token, expires, result) != (0, None, None):
            raise InputError(f"{text} waits, and has a token, an end or a result")
        return Item(board, decoded(text), None, 0, -math.inf, None)
    end = _finite(expires)
    return Item(board, decoded(text), name("agent", agent), _count(token, 1), end, _json(result))


def _known(channel: str, names: set[str]) -> str:
    if channel not in names:
        raise InputError(f"no channel {channel!r}")
    return channel


def _finite(value: float) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"time is {value!r}; allowed: finite")
    return float(value)


def _count(value: int, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InputError(f"{value!r}; allowed: a whole number from {low}")
    return value


def _json(text: str | None) -> str | None:
    if text is not None:
        json.loads(text)
    return text


def _no_repetition(what: str, values: list[Any]) -> None:
    if len(set(values)) != len(values):
        raise InputError(f"a {what} occurs twice")

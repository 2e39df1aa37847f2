"""Checks that need the installed plugins: their names, settings and patterns."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from swarmloom.config import Settings
from swarmloom.config_errors import key_name
from swarmloom.config_sources import Key
from swarmloom.errors import ConfigurationError
from swarmloom.host import PluginHost

__all__ = ["check_settings"]


def check_settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Check settings against what is installed.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    dict
        The effective settings of each active protocol, defaults included, JSON-ready.

    Raises
    ------
    ConfigurationError
        Naming file, key, given value and what is allowed: a plugin's settings are wrong, or a
        plugin, protocol or pattern is not installed.
    PluginError
        If a required plugin is missing or quarantined.
    """
    host = PluginHost(settings.plugins)
    try:
        host.discover()
        host.check()
        _check_names(settings, host)
        return {name: config.model_dump(mode="json") for name, config in host.configs.items()}
    finally:
        host.close()


def _check_names(settings: Settings, host: PluginHost) -> None:
    patterns = {*host.patterns, *settings.patterns}
    if patterns:
        _check(settings, ("swarm", "pattern"), settings.swarm.pattern, patterns)
    # A disabled protocol may be weighed: it counts when it is enabled.
    protocols = {*host.protocols, *(record.name for record in host.report())}
    for name in settings.swarm.weights:
        _check(settings, ("swarm", "weights", name), name, protocols)
    for pattern, weights in settings.patterns.items():
        for name in weights:
            _check(settings, ("patterns", pattern, name), name, protocols)


def _check(settings: Settings, key: Key, name: str, known: Iterable[str]) -> None:
    allowed = sorted(known)
    if name in allowed:
        return
    near = get_close_matches(name, allowed, n=1)
    where = settings.origin(key)
    start = f"{where}: {key_name(key)}" if where else key_name(key)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigurationError(f"{start} is {name!r}; allowed: {', '.join(allowed)}{hint}")

"""Asking a plugin what it brings: protocols with their configurations, patterns, tools, panels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy
from pydantic import ValidationError

from swarmloom.config import PluginSettings
from swarmloom.config_errors import plugin_config_error
from swarmloom.config_paths import located
from swarmloom.errors import PluginError
from swarmloom.plugin_guard import hook_functions
from swarmloom.plugin_records import Contributions, Part
from swarmloom.protocol import ManagerTool, Pattern, ProtocolConfig, ProtocolType, ReportPanel

__all__ = ["check_clash", "collect", "merged", "plugin_parts"]

_KINDS = ("protocols", "patterns", "tools", "panels")


def plugin_parts(manager: pluggy.PluginManager, label: str, name: str, instance: object) -> Part:
    """Check the hook implementations of a plugin's object.

    Raises
    ------
    PluginError
        If one of them cannot be a hook implementation.
    """
    return Part(label, name, instance, hook_functions(manager, instance))


def collect(part: Part, settings: PluginSettings) -> Contributions:
    """Ask a plugin what it brings and make instances of its protocols.

    Parameters
    ----------
    part : Part
        The plugin's own object.
    settings : PluginSettings
        Its `config` holds the protocols' own settings.

    Raises
    ------
    PluginError
        If it brings something of the wrong kind, or two things of the same name.
    ConfigurationError
        If a protocol's configuration is wrong.
    """
    brought = Contributions()

    def register_protocol(protocol: type[ProtocolType]) -> None:
        name = _protocol_name(protocol)
        _check_new(brought.protocols, "protocol", name)
        config = brought.configs[name] = _configuration(name, protocol.Config, settings)
        brought.protocols[name] = protocol(config)

    def register_pattern(pattern: Pattern) -> None:
        _check_kind(pattern, Pattern)
        _check_new(brought.patterns, "pattern", pattern.name)
        _check_weights(pattern)
        brought.patterns[pattern.name] = pattern

    def register_tool(tool: ManagerTool) -> None:
        _check_kind(tool, ManagerTool)
        _check_new(brought.tools, "tool", tool.name)
        brought.tools[tool.name] = tool

    def register_panel(panel: ReportPanel) -> None:
        _check_kind(panel, ReportPanel)
        _check_new(brought.panels, "panel", panel.title)
        brought.panels[panel.title] = panel

    registers = {
        "swarmloom_register_protocols": register_protocol,
        "swarmloom_register_patterns": register_pattern,
        "swarmloom_register_tools": register_tool,
        "swarmloom_register_panels": register_panel,
    }
    for one in part.functions:
        if one.hook in registers:
            one(register=registers[one.hook])
    return brought


def check_clash(newcomer: Contributions, other: Contributions, origin: str) -> None:
    """Refuse a newcomer that brings something of a name that is taken.

    Parameters
    ----------
    newcomer, other : Contributions
        What the two plugins bring.
    origin : str
        Where the other one comes from, for the message.

    Raises
    ------
    PluginError
        Naming what is taken, and by whom.
    """
    for kind in _KINDS:
        for name in getattr(newcomer, kind):
            if name in getattr(other, kind):
                raise PluginError(f"the {kind[:-1]} name {name!r} is taken by {origin}")


def merged(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Put what several plugins bring into one mapping."""
    return {name: value for mapping in mappings for name, value in mapping.items()}


def _protocol_name(protocol: type[ProtocolType]) -> str:
    name, config = getattr(protocol, "name", None), getattr(protocol, "Config", None)
    if not isinstance(protocol, type) or not isinstance(name, str) or not name.isidentifier():
        raise PluginError(
            f"a protocol is a class with a `name` that is an identifier, not {protocol!r} "
            f"with name {name!r}"
        )
    if not (isinstance(config, type) and issubclass(config, ProtocolConfig)):
        raise PluginError(f"protocol {name!r} needs a `Config`, a subclass of ProtocolConfig")
    return name


def _configuration(
    name: str, model: type[ProtocolConfig], settings: PluginSettings
) -> ProtocolConfig:
    values = settings.config.get(name, {})
    try:
        return model.model_validate(
            located(values, model, settings.folder, ("plugins", "config", name))
        )
    except ValidationError as error:
        raise plugin_config_error(name, model, error, settings.origin) from None


def _check_kind(value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise PluginError(f"register takes a {kind.__name__}, not {value!r}")


def _check_new(taken: Mapping[str, object], kind: str, name: str) -> None:
    if name in taken:
        raise PluginError(f"it brings two {kind}s of the name {name!r}")


def _check_weights(pattern: Pattern) -> None:
    for protocol, weight in pattern.weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise PluginError(
                f"pattern {pattern.name!r} gives {protocol!r} the weight {weight}; allowed: ≥ 0"
            )

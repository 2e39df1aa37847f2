"""Names of plugins and protocols: whose they are, and whether the settings name what there is."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from swarmloom.config import PluginSettings
from swarmloom.config_errors import key_name
from swarmloom.errors import ConfigurationError, PluginError
from swarmloom.plugin_records import KnownPlugin

__all__ = ["check_names", "owner", "suggestion"]


def owner(plugins: Mapping[str, KnownPlugin], name: str) -> KnownPlugin | None:
    """Find the plugin of a name, or the one that brings the protocol of that name."""
    if name in plugins:
        return plugins[name]
    owners = (one for one in plugins.values() if name in one.contributions.protocols)
    return next(owners, None)


def suggestion(plugins: Mapping[str, KnownPlugin], name: str) -> str:
    """Suggest the nearest name, or all there are."""
    near = get_close_matches(name, plugins, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(plugins)}"


def check_names(settings: PluginSettings, plugins: Mapping[str, KnownPlugin]) -> None:
    """Check the names in the settings against the plugins there are.

    Parameters
    ----------
    settings : PluginSettings
    plugins : mapping of str to KnownPlugin
        All that were found or added.

    Raises
    ------
    ConfigurationError
        If a name is not installed, or settings are for a plugin that has none.
    PluginError
        If a required plugin is missing or not active.
    """
    for name in settings.required:
        _check_required(settings, plugins, name)
    for key in ("enable", "disable", "config"):
        for name in getattr(settings, key) or ():
            if owner(plugins, name) is None:
                raise ConfigurationError(_not_installed(settings, plugins, key, name))
    for name in settings.config:
        plugin = owner(plugins, name)
        if plugin is not None and plugin.active and name not in plugin.contributions.configs:
            where = _located(settings, "plugins", "config", name)
            raise ConfigurationError(f"{where}: plugin {name!r} has no settings")


def _check_required(
    settings: PluginSettings, plugins: Mapping[str, KnownPlugin], name: str
) -> None:
    plugin = owner(plugins, name)
    if plugin is None:
        raise PluginError(_not_installed(settings, plugins, "required", name))
    if not plugin.active:
        why = "; ".join(plugin.errors) or "the configuration disables it"
        raise PluginError(f"plugin {name!r} is required but {plugin.state}: {why}")


def _not_installed(
    settings: PluginSettings, plugins: Mapping[str, KnownPlugin], key: str, name: str
) -> str:
    where = _located(settings, "plugins", key)
    return f"{where} names {name!r}, which is not installed{suggestion(plugins, name)}"


def _located(settings: PluginSettings, *key: str) -> str:
    origin = settings.origin(key)
    return f"{origin}: {key_name(key)}" if origin else key_name(key)

"""The plugin host: finds plugins, lets them in, guards them, and takes them out again.

It is an object without global state; each swarm has its own. All methods may be called from any
thread, also while hooks are being called.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from swarmloom import hookspecs
from swarmloom.config import PluginSettings
from swarmloom.errors import ConfigurationError, PluginError, SwarmloomError
from swarmloom.events import EventKind
from swarmloom.markers import ENTRY_POINT_GROUP, PROJECT
from swarmloom.plugin_contributions import check_clash, collect, merged, plugin_parts
from swarmloom.plugin_discovery import (
    InstalledPlugin,
    installed_plugins,
    plugins_of_other_versions,
)
from swarmloom.plugin_guard import Attributed, Validator, guarded
from swarmloom.plugin_names import check_names, owner, suggestion
from swarmloom.plugin_records import (
    KnownPlugin,
    Part,
    PluginRecord,
    PluginState,
    describe_error,
)
from swarmloom.protocol import ManagerTool, Pattern, ProtocolConfig, ReportPanel

__all__ = ["Attributed", "PluginHost", "PluginRecord", "PluginState"]

HostEvent = Callable[[str, Mapping[str, Any]], None]

_logger = logging.getLogger("swarmloom.plugins")

# A plugin's own object that answers one of these is a protocol under the plugin's name.
_PROTOCOL_HOOKS = ("swarmloom_navigate", "swarmloom_restore")


class PluginHost:
    """Holds the plugins of one swarm.

    Parameters
    ----------
    settings : PluginSettings
        Which plugins to let in, how many failures they are allowed, and their configurations.
    on_event : callable, optional
        ``on_event(kind, data)`` hears of failures, quarantines and switches.

    Attributes
    ----------
    hook : pluggy.HookRelay
        ``host.hook.swarmloom_navigate(round=round)`` asks every active plugin; results come as
        `Attributed`.
    validators : dict of str to callable
        For some hooks a check ``validator(result, arguments)``; if it raises, the plugin has
        failed and its result is left out.
    protocols : mapping of str to object
        Active protocols by name.
    configs : mapping of str to ProtocolConfig
        Their validated settings.
    patterns : mapping of str to Pattern
    tools : mapping of str to ManagerTool
    panels : tuple of ReportPanel
        What the active plugins bring.

    Examples
    --------
    >>> from swarmloom.config import PluginSettings
        >>> host = PluginHost(PluginSettings(enable=[]))
    >>> host.discover()
    >>> host.hook.swarmloom_snapshot()
    []
    """

    def __init__(self, settings: PluginSettings, *, on_event: HostEvent | None = None) -> None:
        self.settings = settings
        self.validators: dict[str, Validator] = {}
        self._on_event = on_event
        self._manager = pluggy.PluginManager(PROJECT)
        for specs in hookspecs.__all__:
            self._manager.add_hookspecs(getattr(hookspecs, specs))
        self.hook = self._manager.hook
        self._lock = threading.RLock()
        self._plugins: dict[str, KnownPlugin] = {}
        self._refresh()

    # -- letting plugins in -----------------------------------------------------------------------

    def discover(self, group: str = ENTRY_POINT_GROUP) -> None:
        """Let in the installed plugins that the settings allow; the others are not imported.

        A plugin that cannot be imported or registered is quarantined, one whose name is taken
        too. Nothing that a plugin does wrong stops the host.

        Parameters
        ----------
        group : str
            Name of the entry-point group.

        Raises
        ------
        ConfigurationError
            If the configuration of a plugin is wrong.
        """
        with self._lock:
            for found in installed_plugins(group):
                plugin = self._noted(found)
                if plugin.state is PluginState.DISABLED and self._allowed(found.name):
                    self._activate_or_quarantine(plugin)
            for found in plugins_of_other_versions(group):
                self._note_other_version(found)

    def check(self) -> None:
        """Check what the settings say about plugins, once all of them have been added.

        Raises
        ------
        ConfigurationError
            If the settings name a plugin that is not installed.
        PluginError
            If a required plugin is missing, disabled or quarantined.
        """
        with self._lock:
            check_names(self.settings, self._plugins)

    def add(
        self, plugin: object, name: str, *, source: str = "added", essential: bool = False
    ) -> None:
        """Let in a module or object with hook implementations.

        The settings' allow list is for installed plugins and does not matter here; a plugin on the
        deny list is noted as disabled.

        Parameters
        ----------
        plugin : object
            A module, or an object whose methods are hook implementations.
        name : str
            Its name, not taken yet.
        source : str
            Where it comes from, for the report.
        essential : bool
            For the kernel's own: its errors are raised, and it cannot be disabled.

        Raises
        ------
        PluginError
            If the name is taken, or the plugin cannot be registered; nothing is left behind.
        ConfigurationError
            If its configuration is wrong.
        """
        with self._lock:
            if name in self._plugins:
                raise PluginError(
                    f"there is a plugin {name!r} already: {self._plugins[name].origin}"
                )
            known = KnownPlugin(name, lambda: plugin, source, essential=essential)
            self._plugins[name] = known
            if name in self.settings.disable and not essential:
                return
            try:
                self._activate_or_raise(known)
            except SwarmloomError:
                del self._plugins[name]
                raise

    def remove(self, name: str) -> None:
        """Take a plugin out and forget it.

        Raises
        ------
        PluginError
            If there is none of this name.
        """
        with self._lock:
            plugin = self._find(name)
            self._withdraw(plugin)
            del self._plugins[plugin.name]

    def enable(self, name: str) -> None:
        """Bring back a plugin that was disabled or quarantined; what it learned is still there.

        Parameters
        ----------
        name : str
            Of the plugin, or of one of its protocols.

        Raises
        ------
        PluginError
            If there is none of this name or it cannot be registered.
        ConfigurationError
            If its configuration is wrong.
        """
        with self._lock:
            plugin = self._find(name)
            if plugin.active:
                return
            if plugin.state is PluginState.OTHER_API:
                raise PluginError(f"plugin {name!r} cannot be enabled: {plugin.errors[0]}")
            before = plugin.failures
            plugin.failures = 0
            try:
                self._activate_or_raise(plugin)
            except SwarmloomError:
                plugin.failures = before
                raise
        self._emit(EventKind.PLUGIN_ENABLED, {"plugin": plugin.name})

    def disable(self, name: str) -> None:
        """Take a plugin out until `enable`; it keeps what it learned.

        Parameters
        ----------
        name : str
            Of the plugin, or of one of its protocols.

        Raises
        ------
        PluginError
            If there is none of this name, or it is the kernel's own.
        """
        with self._lock:
            plugin = self._find(name)
            if plugin.essential:
                raise PluginError(f"{name!r} is part of the kernel and cannot be disabled")
            if not plugin.active:
                return
            self._withdraw(plugin)
            plugin.state = PluginState.DISABLED
        self._emit(EventKind.PLUGIN_DISABLED, {"plugin": plugin.name})

    def close(self) -> None:
        """Take all plugins out."""
        with self._lock:
            for plugin in self._plugins.values():
                self._withdraw(plugin)
            self._plugins.clear()
            self._refresh()

    # -- failures -----------------------------------------------------------------------------

    def fail(self, name: str, hook: str, error: Exception) -> None:
        """Count a failure; a plugin that has failed too often is quarantined.

        Parameters
        ----------
        name : str
            Of the plugin or protocol, as results are attributed.
        hook : str
            Where it failed.
        error : Exception
            What happened.

        Raises
        ------
        Exception
            The error itself, where the kernel's own implementation failed.
        """
        with self._lock:
            plugin = self._owner(name)
            if plugin is None:
                return
            if plugin.essential:
                raise error
            plugin.failures += 1
            plugin.errors.append(f"{hook}: {describe_error(error)}")
            over = plugin.active and plugin.failures >= self.settings.max_failures
            if over:
                self._quarantine(plugin)
        _logger.warning("plugin %s failed in %s", plugin.name, hook, exc_info=error)
        self._report_failure(plugin, hook, error, over)

    def _report_failure(self, plugin: KnownPlugin, hook: str, error: Exception, over: bool) -> None:
        # An event is shown to the observers, so that a failing observer must not cause one.
        if hook != "swarmloom_observe":
            data = {"plugin": plugin.name, "hook": hook, "error": describe_error(error)}
            self._emit(EventKind.PLUGIN_FAILED, data)
        if over:
            _logger.error("plugin %s is quarantined: %s", plugin.name, plugin.errors[-1])
            self._announce_quarantine(plugin)

    def _quarantine(self, plugin: KnownPlugin) -> None:
        plugin.state = PluginState.QUARANTINED
        if not plugin.activating:
            self._withdraw(plugin)

    # -- asking and telling -----------------------------------------------------------------------

    def call(self, name: str, hook: str, **arguments: Any) -> list[Attributed]:
        """Call a hook of one plugin or protocol alone, guarded like any call.

        Parameters
        ----------
        name : str
            Of the plugin or protocol.
        hook : str
            Name of the hook; a plugin without it says nothing.
        **arguments
            All arguments of the hook.

        Returns
        -------
        list of Attributed
            What it said; empty for nothing.
        """
        with self._lock:
            plugin = self._find(name)
            parts = [
                p for p in plugin.parts if name in (p.name, plugin.name) and p.implements(hook)
            ]
            proxies = [part.proxy for part in parts if part.proxy is not None]
        order = getattr(self.hook, hook).spec.argnames
        values = [getattr(proxy, hook)(*(arguments[key] for key in order)) for proxy in proxies]
        return [value for value in values if value is not None]

    def is_built_in(self, name: str) -> bool:
        """Whether swarmloom itself brought a plugin or protocol; False for unknown ones."""
        plugin = self._owner(name)
        return plugin is not None and plugin.built_in

    def report(self) -> list[PluginRecord]:
        """Say how every known plugin stands, in the order they were found."""
        with self._lock:
            return [plugin.record() for plugin in self._plugins.values()]

    def _refresh(self) -> None:
        active = [plugin for plugin in self._plugins.values() if plugin.active]
        brought = [plugin.contributions for plugin in active]
        self.protocols: Mapping[str, object] = merged(one.protocols for one in brought)
        self.configs: Mapping[str, ProtocolConfig] = merged(one.configs for one in brought)
        self.patterns: Mapping[str, Pattern] = merged(one.patterns for one in brought)
        self.tools: Mapping[str, ManagerTool] = merged(one.tools for one in brought)
        self.panels: tuple[ReportPanel, ...] = tuple(
            panel for one in brought for panel in one.panels.values()
        )

    # -- activation -------------------------------------------------------------------------------

    def _allowed(self, name: str) -> bool:
        listed = self.settings.enable is None or name in self.settings.enable
        return listed and name not in self.settings.disable

    def _noted(self, found: InstalledPlugin) -> KnownPlugin:
        taken = found.name in self._plugins
        name = f"{found.name}@{found.distribution}" if taken else found.name
        plugin = self._plugins[name] = KnownPlugin.installed(found, name)
        if taken:
            message = f"the name {found.name!r} is taken by {self._plugins[found.name].origin}"
            self._quarantine_newcomer(plugin, PluginError(message))
        return plugin

    def _note_other_version(self, found: InstalledPlugin) -> None:
        name = f"{found.name}@{found.api}"
        plugin = self._plugins[name] = KnownPlugin.installed(found, name)
        plugin.state = PluginState.OTHER_API
        plugin.errors.append(f"installed for API {found.api}; this swarmloom speaks v1")

    def _activate_or_quarantine(self, plugin: KnownPlugin) -> None:
        try:
            self._activate(plugin)
        except ConfigurationError:
            raise
        except Exception as error:  # A stranger may raise anything at its import.
            self._quarantine_newcomer(plugin, error)

    def _activate_or_raise(self, plugin: KnownPlugin) -> None:
        try:
            self._activate(plugin)
        except SwarmloomError:
            raise
        except Exception as error:  # A stranger may raise anything at its import.
            message = f"plugin {plugin.name!r} cannot be let in: {describe_error(error)}"
            raise PluginError(message) from error

    def _quarantine_newcomer(self, plugin: KnownPlugin, error: Exception) -> None:
        plugin.state = PluginState.QUARANTINED
        plugin.errors.append(describe_error(error))
        _logger.error("plugin %s is quarantined: %s", plugin.name, error, exc_info=error)
        self._announce_quarantine(plugin)

    def _announce_quarantine(self, plugin: KnownPlugin) -> None:
        reason = plugin.errors[-1]
        data = {"plugin": plugin.name, "failures": plugin.failures, "reason": reason}
        self._emit(EventKind.PLUGIN_QUARANTINED, data)

    def _activate(self, plugin: KnownPlugin) -> None:
        if not plugin.parts:
            self._load(plugin)
        self._check_clashes(plugin)
        plugin.state = PluginState.ACTIVE
        plugin.activating = True
        try:
            for part in plugin.parts:
                self._register(plugin, part)
        except BaseException:
            plugin.state = PluginState.QUARANTINED
            raise
        finally:
            plugin.activating = False
            # A historic hook that is replayed may have failed too often.
            if not plugin.active:
                self._withdraw(plugin)
            self._refresh()

    def _load(self, plugin: KnownPlugin) -> None:
        """Import the plugin, check its hooks and collect what it brings."""
        loaded = plugin.imported()
        own = plugin_parts(self._manager, plugin.name, plugin.name, loaded)
        brought = collect(own, self.settings)
        parts = [own]
        for name, instance in brought.protocols.items():
            label = f"{plugin.name}:{name}"
            parts.append(plugin_parts(self._manager, label, name, instance))
        if any(own.implements(hook) for hook in _PROTOCOL_HOOKS):
            brought.protocols.setdefault(plugin.name, loaded)
        plugin.parts, plugin.contributions = parts, brought

    def _register(self, plugin: KnownPlugin, part: Part) -> None:
        def failed(hook: str, error: Exception) -> None:
            self.fail(plugin.name, hook, error)

        part.proxy = guarded(self._manager, part.name, part.functions, self.validators, failed)
        self._manager.register(part.proxy, part.label)

    def _withdraw(self, plugin: KnownPlugin) -> None:
        for part in plugin.parts:
            if part.proxy is not None and self._manager.is_registered(part.proxy):
                self._manager.unregister(part.proxy)
            part.proxy = None
        if plugin.active:
            plugin.state = PluginState.DISABLED
        self._refresh()

    # -- names ------------------------------------------------------------------------------------

    def _check_clashes(self, newcomer: KnownPlugin) -> None:
        for name in newcomer.contributions.protocols:
            if name != newcomer.name and name in self._plugins:
                raise PluginError(
                    f"the protocol name {name!r} is taken by {self._plugins[name].origin}"
                )
        for other in self._plugins.values():
            if other is not newcomer and other.active:
                check_clash(newcomer.contributions, other.contributions, other.origin)

    def _owner(self, name: str) -> KnownPlugin | None:
        return owner(self._plugins, name)

    def _find(self, name: str) -> KnownPlugin:
        plugin = self._owner(name)
        if plugin is None:
            raise PluginError(f"there is no plugin {name!r}{suggestion(self._plugins, name)}")
        return plugin

    def _emit(self, kind: str, data: Mapping[str, Any]) -> None:
        if self._on_event is not None:
            self._on_event(kind, data)

"""What the host knows of each plugin, and what it tells about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from swarmloom.errors import PluginError
from swarmloom.plugin_discovery import OWN_DISTRIBUTION, InstalledPlugin
from swarmloom.plugin_guard import HookFunction
from swarmloom.protocol import ManagerTool, Pattern, ProtocolConfig, ReportPanel

__all__ = [
    "Contributions",
    "KnownPlugin",
    "Part",
    "PluginRecord",
    "PluginState",
    "describe_error",
]


class PluginState(StrEnum):
    """Where a plugin stands."""

    ACTIVE = "active"
    DISABLED = "disabled"
    QUARANTINED = "quarantined"
    OTHER_API = "other_api"


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """What the host tells about one plugin.

    Attributes
    ----------
    name : str
        Its key in the configuration. A newcomer whose name is taken is listed as
        ``name@distribution``.
    state : PluginState
        Active; disabled (by the configuration or on request); quarantined (it failed, see
        `errors`); or made for another version of the plugin interface.
    source : str
        The module that its entry point names, "added" for one added by code, "kernel".
    version, distribution : str
        Of the distribution that brought it; empty for one added by code.
    hooks : tuple of str
        Hooks that it and its protocols implement; empty while it has not been imported.
    protocols : tuple of str
        Protocols that it brings.
    failures : int
        Since it was last enabled.
    errors : tuple of str
        What went wrong, oldest first.
    """

    name: str
    state: PluginState
    source: str
    version: str = ""
    distribution: str = ""
    hooks: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    failures: int = 0
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class Contributions:
    """What one plugin brings."""

    protocols: dict[str, object] = field(default_factory=dict)
    configs: dict[str, ProtocolConfig] = field(default_factory=dict)
    patterns: dict[str, Pattern] = field(default_factory=dict)
    tools: dict[str, ManagerTool] = field(default_factory=dict)
    panels: dict[str, ReportPanel] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Part:
    """One object with hook implementations: the plugin itself, or one of its protocols.

    Attributes
    ----------
    label : str
        Its name with pluggy, unique in the host.
    name : str
        To whom its results are attributed.
    instance : object
        The module or object.
    functions : tuple of HookFunction
        Its checked implementations.
    proxy : object or None
        What is registered with pluggy in its stead while the plugin is active.
    """

    label: str
    name: str
    instance: object
    functions: tuple[HookFunction, ...]
    proxy: object | None = None

    def implements(self, hook: str) -> bool:
        """Whether it has an implementation of a hook."""
        return any(one.hook == hook for one in self.functions)


@dataclass(slots=True, eq=False)
class KnownPlugin:
    """The host's own notes on a plugin.

    Attributes
    ----------
    load : callable
        Imports and returns the plugin; called when it is first activated.
    essential : bool
        The kernel's own: its errors are raised, and it cannot be disabled.
    parts : list of Part
        The plugin itself first, then its protocols; empty while it has not been imported.
    activating : bool
        True while it is being registered, when it must not be unregistered yet.
    """

    name: str
    load: Callable[[], object]
    source: str
    version: str = ""
    distribution: str = ""
    essential: bool = False
    state: PluginState = PluginState.DISABLED
    contributions: Contributions = field(default_factory=Contributions)
    parts: list[Part] = field(default_factory=list)
    activating: bool = False
    failures: int = 0
    errors: list[str] = field(default_factory=list)

    @classmethod
    def installed(cls, found: InstalledPlugin, name: str) -> Self:
        """Note a plugin that was found by its entry point."""
        point = found.entry_point
        return cls(name, point.load, point.value, found.version, found.distribution)

    def imported(self) -> object:
        """Import the plugin; one that wants to leave the process has failed.

        Raises
        ------
        PluginError
            If it exits. Whatever else it raises is raised.
        """
        try:
            return self.load()
        except SystemExit as error:
            raise PluginError(f"{self.source} exits when it is imported ({error})") from error

    @property
    def active(self) -> bool:
        """Whether its hooks are called."""
        return self.state is PluginState.ACTIVE

    @property
    def built_in(self) -> bool:
        """Whether swarmloom itself brought it."""
        return self.distribution == OWN_DISTRIBUTION or self.essential

    @property
    def origin(self) -> str:
        """Where it comes from, for messages."""
        if self.distribution:
            return f"{self.source} of {self.distribution} {self.version}"
        return f"{self.name!r} ({self.source})"

    def record(self) -> PluginRecord:
        """Say how it stands."""
        hooks = {one.hook for part in self.parts for one in part.functions}
        return PluginRecord(
            name=self.name,
            state=self.state,
            source=self.source,
            version=self.version,
            distribution=self.distribution,
            hooks=tuple(sorted(hooks)),
            protocols=tuple(self.contributions.protocols),
            failures=self.failures,
            errors=tuple(self.errors),
        )


def describe_error(error: BaseException) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, PluginError):
        return str(error)
    return f"{type(error).__name__}: {error}"

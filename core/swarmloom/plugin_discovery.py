"""Installed plugins as data: found by their entry points, imported by nobody yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from swarmloom.markers import ENTRY_POINT_GROUP

__all__ = ["OWN_DISTRIBUTION", "InstalledPlugin", "installed_plugins", "plugins_of_other_versions"]

OWN_DISTRIBUTION = "swarmloom"

_VERSIONED_GROUP = re.compile(r"swarmloom\.plugins\.v(\d+)")


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An entry point and the distribution that brought it.

    Attributes
    ----------
    name : str
        The entry point's name: the plugin's key in the configuration.
    entry_point : importlib.metadata.EntryPoint
        Its `load` imports the plugin.
    distribution, version : str
        Of what was installed; empty where the metadata have none.
    """

    name: str
    entry_point: EntryPoint
    distribution: str
    version: str

    @property
    def built_in(self) -> bool:
        """Whether swarmloom's own distribution brought it."""
        return self.distribution == OWN_DISTRIBUTION

    @property
    def api(self) -> str:
        """Version of the plugin interface that it was made for, as in ``"v1"``."""
        return self.entry_point.group.rsplit(".", 1)[-1]


def installed_plugins(group: str = ENTRY_POINT_GROUP) -> list[InstalledPlugin]:
    """List the plugins of an entry-point group.

    Parameters
    ----------
    group : str
        Name of the entry-point group.

    Returns
    -------
    list of InstalledPlugin
        Swarmloom's own first, then by distribution and name, so that the order, and with it who
        wins a clash of names, depends on nothing else.
    """
    return _sorted(entry_points(group=group))


def plugins_of_other_versions(group: str = ENTRY_POINT_GROUP) -> list[InstalledPlugin]:
    """List the plugins that are made for other versions of the interface alone.

    Parameters
    ----------
    group : str
        The group in use; a plugin that is in it too is left out.
    """
    usable = {(one.distribution, one.name) for one in installed_plugins(group)}
    others = [
        point
        for name in sorted(entry_points().groups)
        if _VERSIONED_GROUP.fullmatch(name) and name != group
        for point in entry_points(group=name)
    ]
    return [one for one in _sorted(others) if (one.distribution, one.name) not in usable]


def _sorted(points: Iterable[EntryPoint]) -> list[InstalledPlugin]:
    found = [_installed(point) for point in points]
    return sorted(found, key=lambda one: (not one.built_in, one.distribution, one.name))


def _installed(point: EntryPoint) -> InstalledPlugin:
    if point.dist is None:
        return InstalledPlugin(point.name, point, "", "")
    return InstalledPlugin(point.name, point, _normalised(point.dist.name), point.dist.version)


def _normalised(distribution: str) -> str:
    # https://packaging.python.org/en/latest/specifications/name-normalization/
    return re.sub(r"[-_.]+", "-", distribution).lower()

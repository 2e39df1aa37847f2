"""Pluggy markers: `hookimpl` for plugin authors, `hookspec` for the kernel."""

from __future__ import annotations

import pluggy

__all__ = ["ENTRY_POINT_GROUP", "PROJECT", "hookimpl", "hookspec"]

# Both names are ABI: pluggy stores the marker under `<project>_impl`.
PROJECT = "swarmloom"
ENTRY_POINT_GROUP = "swarmloom.plugins.v1"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

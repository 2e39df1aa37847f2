"""Algorithms of the stigmergy protocol; its main names, imported when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom_protocols.stigmergy.colonies.wayfinding import follow as follow
    from swarmloom_protocols.stigmergy.colonies.wayfinding import (
        navigation_field as navigation_field,
    )
    from swarmloom_protocols.stigmergy.field.field import PheromoneField as PheromoneField
    from swarmloom_protocols.stigmergy.field.reaction_networks import (
        ReactionNetwork as ReactionNetwork,
    )
    from swarmloom_protocols.stigmergy.patterns.detection import detect as detect
    from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm as PhysarumSwarm
    from swarmloom_protocols.stigmergy.traces.store import TraceStore as TraceStore
    from swarmloom_protocols.stigmergy.trails import TrailTable as TrailTable
    from swarmloom_protocols.stigmergy.walkers.walkers import Walkers as Walkers

_HOME = {
    "PheromoneField": "field.field",
    "PhysarumSwarm": "physarum.swarm",
    "ReactionNetwork": "field.reaction_networks",
    "TraceStore": "traces.store",
    "TrailTable": "trails",
    "Walkers": "walkers.walkers",
    "detect": "patterns.detection",
    "follow": "colonies.wayfinding",
    "navigation_field": "colonies.wayfinding",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

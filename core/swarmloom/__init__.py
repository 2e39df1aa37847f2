"""Swarmloom: a coordination layer for crews of experts.

The public names are imported when they are first used, so that ``import swarmloom`` stays fast and
free of NumPy, Numba, qiskit and CrewAI.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom.config import Settings as Settings
    from swarmloom.errors import SwarmloomError as SwarmloomError
    from swarmloom.host import PluginHost as PluginHost
    from swarmloom.ledger import Ledger as Ledger
    from swarmloom.markers import hookimpl as hookimpl
    from swarmloom.protocol import ManagerTool as ManagerTool
    from swarmloom.protocol import Pattern as Pattern
    from swarmloom.protocol import ProtocolConfig as ProtocolConfig
    from swarmloom.protocol import ReportPanel as ReportPanel
    from swarmloom.swarm import Swarm as Swarm
    from swarmloom.types import Assignment as Assignment
    from swarmloom.types import Ballot as Ballot
    from swarmloom.types import Correlation as Correlation
    from swarmloom.types import Event as Event
    from swarmloom.types import Expert as Expert
    from swarmloom.types import Message as Message
    from swarmloom.types import Mixture as Mixture
    from swarmloom.types import Outcome as Outcome
    from swarmloom.types import Proposal as Proposal
    from swarmloom.types import Reply as Reply
    from swarmloom.types import Round as Round
    from swarmloom.types import Route as Route
    from swarmloom.types import Task as Task
    from swarmloom.types import Verdict as Verdict

__version__ = "0.1.0"

_HOME = {
    **dict.fromkeys(
        (
            "Assignment",
            "Ballot",
            "Correlation",
            "Event",
            "Expert",
            "Message",
            "Mixture",
            "Outcome",
            "Proposal",
            "Reply",
            "Round",
            "Route",
            "Task",
            "Verdict",
        ),
        "swarmloom.types",
    ),
    **dict.fromkeys(
        ("ManagerTool", "Pattern", "ProtocolConfig", "ReportPanel"), "swarmloom.protocol"
    ),
    "Ledger": "swarmloom.ledger",
    "PluginHost": "swarmloom.host",
    "Settings": "swarmloom.config",
    "Swarm": "swarmloom.swarm",
    "SwarmloomError": "swarmloom.errors",
    "hookimpl": "swarmloom.markers",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'swarmloom' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""The CrewAI plugin's entry point; it imports CrewAI only when a crew is attached."""

from __future__ import annotations

from collections.abc import Callable

from swarmloom.markers import hookimpl
from swarmloom.protocol import ProtocolType
from swarmloom_agents.assignment import CrewAIProtocol

__all__ = ["swarmloom_register_protocols"]


@hookimpl
def swarmloom_register_protocols(register: Callable[[type[ProtocolType]], None]) -> None:
    """Bring the protocol that speaks for the crew's author."""
    register(CrewAIProtocol)

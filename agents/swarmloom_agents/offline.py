"""What has to be settled before CrewAI is imported, and the guard of runs that must cost nothing.

CrewAI sends telemetry and traces unless told otherwise before its import, and reads a ``.env`` file
while it is imported, which can put a real key into a run that was meant to be offline.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from swarmloom.errors import ConfigurationError

if TYPE_CHECKING:
    from crewai import Crew

__all__ = [
    "crew_llms",
    "crewai",
    "guard_offline",
    "offline_environment",
    "prepare_environment",
    "silence",
]

# Two independent switches; a value that the user has set stays.
_QUIET_DEFAULTS = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}
_DOTENV_SWITCH = "PYTHON_DOTENV_DISABLED"
_CREW_LLM_FIELDS = ("manager_llm", "planning_llm", "chat_llm", "function_calling_llm")
_AGENT_LLM_FIELDS = ("llm", "function_calling_llm")


def prepare_environment() -> None:
    """Switch CrewAI's telemetry and tracing off unless the user has decided otherwise."""
    for name, value in _QUIET_DEFAULTS.items():
        os.environ.setdefault(name, value)


def crewai() -> ModuleType:
    """Import CrewAI, quietly and without telemetry.

    Returns
    -------
    module
        The package ``crewai``; its import takes some seconds the first time.
    """
    prepare_environment()
    return importlib.import_module("crewai")


@contextmanager
def offline_environment() -> Iterator[None]:
    """Keep ``.env`` files from adding keys while CrewAI or a project is imported.

    Variables that the block adds or changes all the same are put back at its end.
    """
    before = dict(os.environ)
    os.environ[_DOTENV_SWITCH] = "1"
    try:
        yield
    finally:
        for name in set(os.environ) - set(before) - set(_QUIET_DEFAULTS):
            del os.environ[name]
        os.environ.update(before)


def silence(crew: Crew | None = None) -> None:
    """Keep CrewAI from printing panels, for one crew and whatever it starts."""
    listener = importlib.import_module("crewai.events.event_listener").event_listener
    listener.formatter.verbose = False
    if crew is not None:
        crew.verbose = False
        for agent in crew.agents:
            agent.verbose = False


def crew_llms(crew: Crew) -> Iterator[tuple[str, Any]]:
    """List every language model that a crew could call.

    Parameters
    ----------
    crew : crewai.Crew

    Yields
    ------
    tuple of str and object
        Where the model sits ("agent 'Writer': llm") and the model: an LLM object or its name.
    """
    agents = [*crew.agents, *(task.agent for task in crew.tasks if task.agent is not None)]
    if crew.manager_agent is not None:
        agents.append(crew.manager_agent)
    seen: set[int] = set()
    for agent in agents:
        if id(agent) not in seen:
            seen.add(id(agent))
            yield from _models_of(agent, _AGENT_LLM_FIELDS, f"agent {agent.role.strip()!r}")
    yield from _models_of(crew, _CREW_LLM_FIELDS, "the crew")


def _models_of(owner: object, fields: tuple[str, ...], label: str) -> Iterator[tuple[str, Any]]:
    for field in fields:
        model = vars(owner).get(field)  # CrewAI warns of some fields when they are read.
        if model is not None:
            yield f"{label}: {field}", model


def guard_offline(crew: Crew) -> None:
    """Refuse a crew that could call a model over the network; call it before ``kickoff``.

    Parameters
    ----------
    crew : crewai.Crew

    Raises
    ------
    ConfigurationError
        Naming the agent and the model that is not an offline one, or the feature (memory,
        knowledge) that would ask an embedding service.
    """
    from swarmloom_agents.llms import OfflineLLM

    for place, model in crew_llms(crew):
        if not isinstance(model, OfflineLLM):
            name = getattr(model, "model", model)
            raise ConfigurationError(
                f"this run is offline, but {place} is {name!r}; allowed: ReplayLLM, ModelLLM, "
                "FunctionLLM"
            )
    if getattr(crew, "_memory", None) is not None:
        raise ConfigurationError("this run is offline, but the crew has memory=True, which embeds")
    if crew.knowledge_sources:
        raise ConfigurationError("this run is offline, but the crew has knowledge sources")

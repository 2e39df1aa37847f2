"""CrewAI: drop-in coordination, experts, executor and the swarm manager.

The public names are imported when they are first used, and CrewAI with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom_agents.consensus import consensus_guardrail as consensus_guardrail
    from swarmloom_agents.coordination import coordinate as coordinate
    from swarmloom_agents.executor import OneShotAgent as OneShotAgent
    from swarmloom_agents.executor import light_crew as light_crew
    from swarmloom_agents.experts import expert_from_agent as expert_from_agent
    from swarmloom_agents.llms import FunctionLLM as FunctionLLM
    from swarmloom_agents.llms import ModelLLM as ModelLLM
    from swarmloom_agents.llms import ReplayLLM as ReplayLLM
    from swarmloom_agents.manager import SwarmManager as SwarmManager
    from swarmloom_agents.memory import TrailMemory as TrailMemory
    from swarmloom_agents.offline import guard_offline as guard_offline

_HOME = {
    "FunctionLLM": "llms",
    "ModelLLM": "llms",
    "OneShotAgent": "executor",
    "ReplayLLM": "llms",
    "SwarmManager": "manager",
    "TrailMemory": "memory",
    "consensus_guardrail": "consensus",
    "coordinate": "coordination",
    "expert_from_agent": "experts",
    "guard_offline": "offline",
    "light_crew": "executor",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

"""Every name that Swarmloom takes from CrewAI, public and private, in one place.

CrewAI is imported here, after its telemetry has been switched off. The contract tests check what is
private here, so that a release of CrewAI that changes it fails in a test and not in a run.
"""

# ruff: noqa: E402
from __future__ import annotations

from swarmloom_agents.offline import prepare_environment

prepare_environment()

from crewai import LLM, Agent, BaseLLM, Crew, Process, Task
from crewai.agent.utils import build_task_prompt_with_schema as schema_prompt
from crewai.agent.utils import format_task_with_context
from crewai.agents.agent_builder.base_agent import (
    _LLM_TYPE_REGISTRY as LLM_TYPE_REGISTRY,
)
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.agents.parser import AgentFinish
from crewai.events import crewai_event_bus
from crewai.events.types.llm_events import LLMCallCompletedEvent, LLMCallType
from crewai.hooks import InterceptionPoint, register_hook, unregister_hook
from crewai.hooks.dispatch import HookAborted
from crewai.llms.base_llm import llm_call_context
from crewai.memory.types import MemoryMatch, MemoryRecord, ScopeInfo, embed_texts
from crewai.memory.unified_memory import Memory
from crewai.memory.utils import join_scope_paths
from crewai.project.crew_loader import load_crew, load_crew_from_definition
from crewai.tasks.task_output import TaskOutput
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.tools.base_tool import BaseTool
from crewai.utilities.agent_utils import format_answer
from crewai.utilities.prompts import Prompts

__all__ = [
    "LLM",
    "LLM_TYPE_REGISTRY",
    "Agent",
    "AgentFinish",
    "BaseAgent",
    "BaseAgentTool",
    "BaseLLM",
    "BaseTool",
    "Crew",
    "HookAborted",
    "InterceptionPoint",
    "LLMCallCompletedEvent",
    "LLMCallType",
    "Memory",
    "MemoryMatch",
    "MemoryRecord",
    "Process",
    "Prompts",
    "ScopeInfo",
    "Task",
    "TaskOutput",
    "crewai_event_bus",
    "embed_texts",
    "format_answer",
    "format_task_with_context",
    "join_scope_paths",
    "llm_call_context",
    "load_crew",
    "load_crew_from_definition",
    "register_hook",
    "schema_prompt",
    "unregister_hook",
]

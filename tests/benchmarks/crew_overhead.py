"""Measures one way of running a crew in a process of its own; prints what it found as JSON.

Run as ``python crew_overhead.py WAY AGENTS TASKS``. The model is the same plain function in all
ways and answers at once, so what is measured is what the way itself costs: CPU seconds of the whole
process, and memory above the imports.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")

MEGABYTE = 1024.0 * 1024.0


def _settings(**crewai: Any) -> Any:
    from swarmloom import Settings

    return Settings(swarm={"pattern": "crew"}, plugins={"config": {"crewai": crewai}})


def _instant(request: Any) -> str:
    return "done"


def _people(kind: type, count: int) -> list[Any]:
    from swarmloom_agents.llms import FunctionLLM

    return [
        kind(role=f"Worker {n}", goal="g", backstory="b", llm=FunctionLLM(function=_instant))
        for n in range(count)
    ]


def _crew(agents: int, tasks: int) -> Any:
    from swarmloom_agents.seams import Agent, Crew, Task

    people = _people(Agent, agents)
    work = [
        Task(
            name=f"task {n}",
            description=f"Do task {n}",
            expected_output="it",
            agent=people[n % agents],
            context=[],
        )
        for n in range(tasks)
    ]
    return Crew(agents=people, tasks=work)


def swarm(agents: int, tasks: int) -> Callable[[], Any]:
    """The swarm's own executor on agents it builds itself."""
    from swarmloom import Swarm, Task
    from swarmloom_agents.executor import OneShotAgent
    from swarmloom_agents.experts import expert_from_agent

    experts = [expert_from_agent(one) for one in _people(OneShotAgent, agents)]
    hive = Swarm(experts, _settings())
    work = [Task(str(n), f"Do task {n}", topic=f"t{n % 10}", quorum=1) for n in range(tasks)]
    return lambda: hive.run(work)


def stock(agents: int, tasks: int) -> Callable[[], Any]:
    """CrewAI alone."""
    return _crew(agents, tasks).kickoff


def coordinated(agents: int, tasks: int) -> Callable[[], Any]:
    """An unmodified crew, coordinated."""
    return _coordinated(agents, tasks)


def coordinated_fast(agents: int, tasks: int) -> Callable[[], Any]:
    """An unmodified crew, coordinated, with the swarm's executor and without CrewAI's log."""
    return _coordinated(agents, tasks, executor="fast", task_log=False)


def _coordinated(agents: int, tasks: int, **settings: Any) -> Callable[[], Any]:
    from swarmloom import Swarm

    crew, hive = _crew(agents, tasks), Swarm((), _settings(**settings))

    def kickoff() -> Any:
        with hive.coordinating(crew):
            return crew.kickoff()

    return kickoff


WAYS = {one.__name__: one for one in (swarm, coordinated_fast, coordinated, stock)}


def _resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / MEGABYTE


def measure(way: str, agents: int, tasks: int) -> dict[str, float]:
    """Import, build, run; returns CPU ms a task and memory in MB above the imports.

    Compiling kernels is no part of a task: a small run comes first. Its memory counts.
    """
    from swarmloom_agents.offline import silence

    first = WAYS[way](2, 4)
    imported = _resident()
    first()
    silence()
    started = time.process_time()
    run = WAYS[way](agents, tasks)
    built = time.process_time()
    wall = time.perf_counter()
    run()
    return {
        "cpu_ms_per_task": (time.process_time() - built) / tasks * 1e3,
        "cpu_ms_per_agent_built": (built - started) / agents * 1e3,
        "wall_ms_per_task": (time.perf_counter() - wall) / tasks * 1e3,
        "memory_mb": _resident() - imported,
        "imported_mb": imported,
    }


if __name__ == "__main__":
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp()
    os.chdir(os.environ["XDG_DATA_HOME"])
    found = measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(found) + "\n")

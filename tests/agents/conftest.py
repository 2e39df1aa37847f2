"""CrewAI in tests: no network, no files outside of the test's folder, no noise."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def crewai_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Send CrewAI's own files to a temporary folder, before it is imported."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("crewai"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Refuse every connection; whoever tries fails its test, also where the error is swallowed."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def refuse(sock: socket.socket, address: Any) -> None:
        if sock.family == socket.AF_UNIX:
            return connect(sock, address)
        tried.append(address)
        raise OSError(f"no network in tests: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield tried
    assert tried == []


@pytest.fixture
def make_swarm() -> Iterator[Callable[..., Any]]:
    """A swarm with the CrewAI plugin alone; settings as keyword sections."""
    from swarmloom import Ledger, Settings, Swarm

    made = []

    def make(ledger: Ledger | None = None, crewai: Any = None, **sections: Any) -> Swarm:
        plugins = {"enable": ["crewai", "patterns"], "config": {"crewai": crewai or {}}}
        swarm = Swarm((), Settings(plugins=plugins, **sections), ledger=ledger)
        made.append(swarm)
        return swarm

    yield make
    for swarm in made:
        swarm.close()


@pytest.fixture
def agent() -> Callable[..., Any]:
    """Make an agent from a role and a function of the request."""
    from swarmloom_agents.llms import FunctionLLM
    from swarmloom_agents.seams import Agent

    def make(role: str, function: Callable[[Any], Any] | None = None, **options: Any) -> Agent:
        llm = options.pop("llm", None) or FunctionLLM(
            function=function or (lambda request: f"{role.strip()} did {request.task_name}")
        )
        return Agent(role=role, goal="g", backstory="b", llm=llm, **options)

    return make


@pytest.fixture
def crew_task() -> Callable[..., Any]:
    """Make a CrewAI task from a name."""
    from swarmloom_agents.seams import Task

    def make(name: str, agent: Any = None, **options: Any) -> Task:
        options.setdefault("description", f"Do {name}")
        return Task(name=name, expected_output="it", agent=agent, **options)

    return make

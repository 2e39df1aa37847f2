"""Loading projects in every form CrewAI writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarmloom.errors import ConfigurationError
from swarmloom_agents.llms import ReplayLLM
from swarmloom_agents.offline import guard_offline
from swarmloom_agents.projects import intercepted_models, load_project, make_offline
from swarmloom_agents.seams import Agent, Crew, Process

AGENTS = """
writer:
  role: >
    Writer
  goal: Write
  backstory: Wrote
  llm: anthropic/claude-not-installed
"""
TASKS = """
write:
  description: Write about {topic}
  expected_output: A text
  agent: writer
"""
CREW_PY = """
from crewai import Agent, Crew, Task
{line}
writer = Agent(role="Writer", goal="g", backstory="b")
crew = Crew(agents=[writer], tasks=[Task(description="d", expected_output="e", agent=writer)])
"""


@pytest.fixture
def offline() -> Any:
    model = ReplayLLM(answers={"*": "recorded"})
    with intercepted_models(model):
        yield model


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("place", ["", "config/"])
def test_yaml_files_alone_are_a_crew(place: str, tmp_path: Path, offline: ReplayLLM) -> None:
    _write(tmp_path, **{f"{place}agents.yaml": AGENTS, f"{place}tasks.yaml": TASKS})
    crew = load_project(tmp_path).crew
    assert crew.agents[0].role == "Writer"
    assert crew.tasks[0].name == "write"
    guard_offline(crew)
    assert crew.kickoff({"topic": "ants"}).raw == "recorded"


def test_a_missing_provider_is_named(tmp_path: Path) -> None:
    _write(tmp_path, **{"agents.yaml": AGENTS, "tasks.yaml": TASKS})
    with pytest.raises(ConfigurationError, match=r"agents\.yaml.*(?i:anthropic)"):
        load_project(tmp_path)


def test_a_task_of_an_unknown_agent_is_named(tmp_path: Path, offline: ReplayLLM) -> None:
    _write(tmp_path, **{"agents.yaml": AGENTS, "tasks.yaml": TASKS.replace(": writer", ": poet")})
    with pytest.raises(ConfigurationError, match=r"write\.agent is 'poet'; allowed: writer"):
        load_project(tmp_path)


def test_jsonc_projects_bring_their_inputs(tmp_path: Path, offline: ReplayLLM) -> None:
    crew = {
        "name": "demo",
        "agents": ["writer"],
        "tasks": [
            {
                "name": "write",
                "description": "Write about {topic}",
                "expected_output": "A text",
                "agent": "writer",
            }
        ],
        "memory": False,
        "inputs": {"topic": "bees"},
    }
    writer = {"role": "Writer", "goal": "g", "backstory": "b", "llm": "gemini/none"}
    _write(
        tmp_path,
        **{
            "crew.jsonc": "// a crew\n" + json.dumps(crew),
            "agents__writer.jsonc": json.dumps(writer),
        },
    )
    loaded = load_project(tmp_path)
    assert dict(loaded.inputs) == {"topic": "bees"}
    assert loaded.crew.kickoff(dict(loaded.inputs)).raw == "recorded"


def test_a_crew_object_in_a_file_is_found(tmp_path: Path, offline: ReplayLLM) -> None:
    _write(tmp_path, **{"crew.py": CREW_PY.format(line="")})
    assert load_project(tmp_path).crew.kickoff().raw == "recorded"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import crewai_tools_of_nobody", "needs the module 'crewai_tools_of_nobody'"),
        ("raise RuntimeError('my own bug')", "cannot build the crew of .*my own bug"),
    ],
)
def test_what_a_project_lacks_is_named(line: str, message: str, tmp_path: Path) -> None:
    _write(tmp_path, **{"crew.py": CREW_PY.format(line=line)})
    with pytest.raises(ConfigurationError, match=message):
        load_project(tmp_path)


def test_folders_without_a_crew_say_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no crew in .*looked for src/PACKAGE/crew\.py"):
        load_project(tmp_path)
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_project(tmp_path / "nowhere")
    _write(tmp_path, **{"pyproject.toml": '[tool.crewai]\ntype = "flow"\n'})
    with pytest.raises(ConfigurationError, match="is a CrewAI flow; allowed: crews"):
        load_project(tmp_path)
    _write(tmp_path / "other", **{"crew.py": "x = 1"})
    with pytest.raises(ConfigurationError, match="no class with @CrewBase and no Crew"):
        load_project(tmp_path / "other")
    _write(tmp_path / "half", **{"agents.yaml": AGENTS})
    with pytest.raises(ConfigurationError, match=r"there is no .*tasks\.yaml"):
        load_project(tmp_path / "half")


def test_making_offline_leaves_no_named_model_and_no_memory(
    agent: Any, crew_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-real")
    paid = Agent(role="Paid", goal="g", backstory="b", llm="gpt-4o-mini")
    crew = Crew(
        agents=[paid],
        tasks=[crew_task("t", paid)],
        process=Process.hierarchical,
        manager_llm="gpt-4o-mini",
    )
    with pytest.raises(ConfigurationError, match="gpt-4o-mini"):
        guard_offline(crew)
    # A real memory takes seconds to import; what counts is that there is one.
    crew._memory = object()
    make_offline(crew, ReplayLLM(answers={"*": "x"}))
    guard_offline(crew)

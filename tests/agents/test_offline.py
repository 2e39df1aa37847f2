"""The environment before CrewAI's import, and runs that must cost nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmloom.errors import ConfigurationError


def _python(code: str, folder: Path, **environment: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CREWAI", "OPENAI"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_plugin_does_not_import_crewai(tmp_path: Path) -> None:
    code = "import sys, swarmloom_agents.plugin; print('crewai' in sys.modules)"
    assert _python(code, tmp_path) == "False"


def test_telemetry_is_off_unless_the_user_wants_it(tmp_path: Path) -> None:
    code = (
        "import os; from swarmloom_agents.offline import prepare_environment; "
        "prepare_environment(); "
        "print(os.environ['CREWAI_DISABLE_TELEMETRY'], os.environ['CREWAI_TRACING_ENABLED'])"
    )
    assert _python(code, tmp_path) == "true false"
    assert _python(code, tmp_path, CREWAI_TRACING_ENABLED="true") == "true true"


def test_a_dotenv_file_adds_no_key_to_an_offline_run(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-real\n")
    script = tmp_path / "main.py"  # load_dotenv looks beside the script that imports CrewAI.
    script.write_text(
        "import os\n"
        "from swarmloom_agents.offline import crewai, offline_environment\n"
        "with offline_environment():\n"
        "    crewai()\n"
        "    from dotenv import load_dotenv\n"
        "    load_dotenv('.env')\n"
        "    print(os.environ.get('OPENAI_API_KEY'))\n"
        "print(os.environ.get('OPENAI_API_KEY'), os.environ.get('PYTHON_DOTENV_DISABLED'))\n"
    )
    code = f"import runpy; runpy.run_path({str(script)!r})"
    assert _python(code, tmp_path).splitlines() == ["None", "None None"]


def test_variables_set_within_the_offline_environment_are_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from swarmloom_agents.offline import offline_environment

    monkeypatch.setenv("SWARMLOOM_TEST_KEPT", "before")
    with offline_environment():
        os.environ["SWARMLOOM_TEST_KEPT"] = "changed"
        os.environ["SWARMLOOM_TEST_ADDED"] = "1"
    assert os.environ["SWARMLOOM_TEST_KEPT"] == "before"
    assert "SWARMLOOM_TEST_ADDED" not in os.environ


def test_the_guard_names_agent_and_model(agent: Any, crew_task: Any, monkeypatch: Any) -> None:
    from swarmloom_agents.offline import guard_offline
    from swarmloom_agents.seams import LLM, Crew

    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-real")
    paid = agent("Paid", llm=LLM(model="gpt-4o-mini"))
    crew = Crew(agents=[agent("Free"), paid], tasks=[crew_task("t", paid)])
    with pytest.raises(ConfigurationError, match=r"agent 'Paid': llm is 'gpt-4o-mini'"):
        guard_offline(crew)


def test_the_guard_sees_models_of_the_crew_itself(
    agent: Any, crew_task: Any, monkeypatch: Any
) -> None:
    from swarmloom_agents.offline import guard_offline
    from swarmloom_agents.seams import LLM, Crew, Process

    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-real")
    crew = Crew(
        agents=[agent("Free")],
        tasks=[crew_task("t")],
        process=Process.hierarchical,
        manager_llm=LLM(model="gpt-4o-mini"),
    )
    with pytest.raises(ConfigurationError, match=r"the crew: manager_llm is 'gpt-4o-mini'"):
        guard_offline(crew)
    crew.manager_llm = None
    guard_offline(crew)


def test_the_public_names_are_there_and_import_crewai_only_when_used(tmp_path: Path) -> None:
    code = (
        "import sys, swarmloom_agents as face; before = 'crewai' in sys.modules; "
        "names = [getattr(face, name).__name__ for name in face.__all__]; "
        "print(before, names == face.__all__, hasattr(face, 'Nothing'))"
    )
    assert _python(code, tmp_path) == "False True False"

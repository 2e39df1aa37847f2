"""`swarmloom run`, from the command line to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmloom.cli import main
from swarmloom.errors import InputError
from swarmloom_agents.built_crew import read_tasks

ANSWERS = {
    "research_task": "- ants follow trails",
    "reporting_task": {"ants Reporting Analyst": "# Ants", "*": None},
}


@pytest.fixture(scope="session")
def scaffold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `crewai create crew` writes, untouched."""
    folder = tmp_path_factory.mktemp("scaffold")
    environment = {
        **os.environ,
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "HOME": str(folder),
    }
    command = [sys.executable, "-c", "from crewai_cli.cli import crewai; crewai()"]
    options = ["create", "crew", "ant_desk", "--classic", "--skip-provider"]
    subprocess.run(
        [*command, *options],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return folder / "ant_desk"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a ledger and recorded answers; few plugins, so that it is quick."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("SWARMLOOM_PLUGINS__ENABLE", '["crewai", "patterns"]')
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS))
    return tmp_path


def _swarmloom(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit:
        main([str(argument) for argument in arguments])
    return int(exit.value.code or 0)


def _run(scaffold: Path, *more: object) -> int:
    inputs = ("--inputs", "topic=ants", "--inputs", "current_year=2030")
    return _swarmloom("run", "--crew", scaffold, "--offline", "answers.json", *inputs, *more)


def test_an_untouched_scaffold_runs_coordinated_and_offline(
    scaffold: Path, place: Path, capsys: Any
) -> None:
    before = {file: file.read_bytes() for file in scaffold.rglob("*.*") if file.is_file()}
    assert _run(scaffold, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["answer"] == "# Ants"
    assert [task["answer"] for task in report["tasks"]] == ["- ants follow trails", "# Ants"]
    assert [len(task["experts"]) for task in report["tasks"]] == [1, 1]
    assert (report["calls"], report["shares"]) == (2, {"crewai": 1.0})
    assert (place / "report.md").read_text() == "# Ants"
    assert {file: file.read_bytes() for file in before} == before


def test_people_see_progress_and_a_table(scaffold: Path, place: Path, capsys: Any) -> None:
    assert _run(scaffold) == 0
    shown = capsys.readouterr()
    assert "2 calls, cost 2.00" in shown.out
    assert "# Ants" in shown.out
    assert "ants follow trails" in shown.err
    assert _run(scaffold, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_a_failed_run_is_resumed_without_repeating_what_was_finished(
    scaffold: Path, place: Path, capsys: Any
) -> None:
    broken = {"research_task": "- researched", "reporting_task": None}
    (place / "answers.json").write_text(json.dumps(broken))
    assert _run(scaffold, "--json") == 6
    assert "failed with every agent asked" in capsys.readouterr().err
    repaired = {"research_task": "- asked again", "reporting_task": "# Ants"}
    (place / "answers.json").write_text(json.dumps(repaired))
    assert _swarmloom("resume", "last") == 0
    shown = capsys.readouterr()
    assert "# Ants" in shown.out
    assert "- researched" in shown.out
    assert "asked again" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to run"),
        (["--crew", "nowhere"], 2, "'nowhere', which does not exist"),
        (["--crew", "."], 2, "no crew in ."),
        (["--crew", ".", "--inputs", "topic"], 2, "--inputs is 'topic'; allowed: KEY=VALUE"),
        (["--crew", ".", "--offline", "none.yaml"], 2, "cannot read recorded answers"),
        (["--crew", ".", "--offline", "empty.yaml"], 2, "empty.yaml is empty; allowed: a mapping"),
        (["--crew", ".", "--offline", "."], 2, "from .: this is a folder"),
        (["swarm.toml"], 2, "tasks"),
    ],
)
def test_wrong_usage_is_explained(
    arguments: list[str], code: int, message: str, place: Path, capsys: Any
) -> None:
    (place / "swarm.toml").write_text("[swarm]\nseed = 1\n")
    (place / "empty.yaml").touch()
    assert _swarmloom("run", *arguments) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("offline", "answer"), [(False, "from .env"), (True, "no key")])
def test_a_projects_dotenv_file_counts_unless_the_run_is_offline(
    offline: bool, answer: str, place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARMLOOM_TEST_KEY", "is put back")
    monkeypatch.delenv("SWARMLOOM_TEST_KEY")
    project = place / "project"
    project.mkdir()
    (project / ".env").write_text("SWARMLOOM_TEST_KEY='from .env'\n")
    (project / "crew.py").write_text(
        "import os\n"
        "from crewai import Agent, Crew, Task\n"
        "from swarmloom_agents import FunctionLLM\n"
        "llm = FunctionLLM(function=lambda r: os.environ.get('SWARMLOOM_TEST_KEY', 'no key'))\n"
        "ann = Agent(role='Ann', goal='g', backstory='b', llm=llm)\n"
        "crew = Crew(agents=[ann], tasks=[Task(description='d', expected_output='e', agent=ann)])\n"
    )
    flags = ("--offline", "answers.json") if offline else ()
    assert _swarmloom("run", "--crew", project, "--json", *flags) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == answer


def _configured(place: Path) -> None:
    (place / "swarm.toml").write_text(
        'tasks = "tasks.jsonl"\n'
        "[swarm]\nquorum = 3\n"
        '[[experts]]\nname = "Ann"\nprice = 0.5\nllm = "anthropic/any"\n'
        '[[experts]]\nname = "Bob"\nllm = "gemini/any"\n'
        '[[experts]]\nname = "Cy"\n'
    )
    (place / "tasks.jsonl").write_text(
        '{"id": "legs", "prompt": "Legs of an ant?", "options": ["six", "eight"], "truth": "six"}\n'
        '{"id": "wings", "prompt": "Wings of a bee?"}\n'
    )
    answers = {"legs": {"Cy": "Eight!", "*": "The answer is six."}, "wings": "4"}
    (place / "answers.json").write_text(json.dumps(answers))


def test_a_crew_of_the_configuration_answers_its_tasks(place: Path, capsys: Any) -> None:
    _configured(place)
    assert _swarmloom("run", "swarm.toml", "--offline", "answers.json", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    tasks = {task["task"]: task for task in report["tasks"]}
    assert (tasks["legs"]["answer"], tasks["legs"]["truth"]) == ("six", "six")
    assert tasks["wings"]["answer"] == "4"
    assert report["cost"] == sum(task["cost"] for task in report["tasks"])


def test_a_configured_model_that_cannot_be_built_is_named(place: Path, capsys: Any) -> None:
    _configured(place)
    assert _swarmloom("run", "swarm.toml") == 2
    assert "experts.Ann.llm is 'anthropic/any', which cannot be built" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "tasks.jsonl:1: no JSON"),
        ("{}", "needs an object with a string 'prompt'"),
        ('{"prompt": "?", "topics": "x"}', "unknown key 'topics'; allowed: id, prompt"),
        ('{"prompt": "?", "quorum": "x"}', "quorum is 'x'"),
    ],
)
def test_wrong_tasks_are_named(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read_tasks(file)
    with pytest.raises(InputError, match="cannot read tasks"):
        read_tasks(tmp_path / "none.jsonl")
    file.write_text("\n")
    with pytest.raises(InputError, match="no tasks; allowed: one JSON object"):
        read_tasks(file)


def test_the_help_names_the_table_of_experts(capsys: Any) -> None:
    assert _swarmloom("run", "--help") == 0
    assert "[[experts]]" in capsys.readouterr().out


def test_a_failure_is_told_with_the_whole_error(place: Path, capsys: Any) -> None:
    _configured(place)
    (place / "answers.json").write_text('{"legs": "six"}')
    assert _swarmloom("run", "swarm.toml", "--offline", "answers.json") == 0
    failures = [line for line in capsys.readouterr().err.splitlines() if " failed at " in line]
    assert len(failures) == 3
    assert all("failed at wings: " in line and line.endswith("answers.json") for line in failures)


@pytest.mark.skipif(sys.platform != "linux", reason="the file system of Linux")
def test_a_home_that_cannot_be_written_is_named(place: Path) -> None:
    _configured(place)
    command = [sys.executable, "-m", "swarmloom.cli", "run", "swarm.toml"]
    ended = subprocess.run(
        [*command, "--offline", "answers.json"],
        env={**os.environ, "HOME": "/proc/nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    assert "set HOME to a folder that can" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_nothing_answered_is_a_failure(place: Path, capsys: Any) -> None:
    _configured(place)
    (place / "answers.json").write_text("{}")
    assert _swarmloom("run", "swarm.toml", "--offline", "answers.json", "--json") == 6
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["tasks"]) == 2
    assert "0 of 2 tasks have an answer: " in shown.err
    assert "no recorded answer" in shown.err


def test_a_budget_that_ends_the_run_has_its_exit_code(place: Path, capsys: Any) -> None:
    _configured(place)
    with (place / "swarm.toml").open("a") as file:
        file.write("[budget]\ncalls = 3\n")
    assert _swarmloom("run", "swarm.toml", "--offline", "answers.json", "--json") == 5
    shown = capsys.readouterr()
    assert json.loads(shown.out)["budget_limit"] == "calls"
    assert "budget.calls is used up" in shown.err


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "{current_year} has no value; {topic} has no value"),
        (["topic=ants"], "{current_year} has no value"),
        (["topic=a", "current_year=1", "tpic=b"], "'tpic' is in no text of the crew"),
    ],
)
def test_inputs_that_do_not_fit_are_named_before_the_first_call(
    inputs: list[str], message: str, scaffold: Path, place: Path, capsys: Any
) -> None:
    pairs = [part for pair in inputs for part in ("--inputs", pair)]
    command = ("run", "--crew", scaffold, "--offline", "answers.json", *pairs)
    assert _swarmloom(*command) == 2
    assert message in capsys.readouterr().err
    assert not list(place.glob("*.lock"))
    assert _swarmloom("runs") == 2  # Nothing has been recorded.


def test_ctrl_c_in_a_crew_names_the_run(place: Path) -> None:
    (place / "crew.py").write_text(
        "import os, signal, time\n"
        "from crewai import Agent, Crew, Task\n"
        "from swarmloom_agents import FunctionLLM\n"
        # A shell that runs the tests in the background has switched the signal off.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def slow(request):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(600)\n"
        "ann = Agent(role='Ann', goal='g', backstory='b', llm=FunctionLLM(function=slow))\n"
        "crew = Crew(agents=[ann], tasks=[Task(description='d', expected_output='e', agent=ann)])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "swarmloom.cli", "run", "--crew", "."],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 130
    assert "interrupted; go on with: swarmloom resume" in ended.stderr
    assert "Traceback" not in ended.stderr

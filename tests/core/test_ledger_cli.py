"""`swarmloom runs`, `explain` and `resume`, as they are typed."""

from __future__ import annotations

import json
import os
import re
import sys
from types import ModuleType

import pytest

from swarmloom.cli import main
from swarmloom.cli.app import COMMANDS
from swarmloom.events import ballot_event, outcome_event, task_event, verdict_event
from swarmloom.ledger import Ledger
from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

JOB = {"argv": ["replay", "--speed", "2"], "cwd": "/"}


def decision(number, task, expert):
    candidates = [
        {"expert": expert, "score": 1.25, "parts": {"trail": 1.5, "panel": -0.25}},
        {"expert": "[eve]", "score": -0.75, "parts": {"trail": -0.75, "panel": 0.0}},
    ]
    data = {"round": number, "solver": "greedy", "expert": expert, "candidates": candidates}
    weights, shares = {"trail": 0.5, "panel": 0.25}, {"trail": 1.0, "panel": 0.0}
    return Event("decision", {**data, "weights": weights, "shares": shares}, task)


def failed(task):
    return ballot_event(Ballot(task, 0, None, 1.0, 2.0, error="timed out after 2 s"), "ada")


def given(task, **options):
    return ballot_event(Ballot(task, 1, "42", 0.5, 0.25, 12, **options), "bob")


@pytest.fixture
def path(tmp_path, monkeypatch):
    file = tmp_path / "ledger.sqlite"
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(file))
    return file


@pytest.fixture
def runs(path):
    """Two runs: one finished, one interrupted with a task under way."""
    task, verdict = Task("q-one", "6 x 7?", "sums"), Verdict("q-one", "42", {"42": 0.75, "41": 0.2})
    final = outcome_event(Outcome(task, verdict, (), "42", 1.5, 2.25), "judged")
    going_on = verdict_event(Verdict("q-one", None, {}, stop=False), [])
    first = [task_event(task), decision(0, "q-one", "ada"), failed("q-one"), going_on]
    second = [decision(1, "q-one", "bob"), given("q-one"), given("q-one", audit=True), final]
    with Ledger(path) as ledger:
        done, cut = ledger.begin({"job": JOB}), ledger.begin({"job": JOB})
        ledger.append(done, [*first, *second])
        ledger.finish(done, "finished")
        ledger.append(cut, [task_event(Task("q-two")), decision(0, "q-two", "ada")])
    return done, cut


def typed(capsys, *arguments):
    """Run a command; give its exit code and what it printed."""
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    printed = capsys.readouterr()
    return leaving.value.code or 0, printed.out, printed.err


def test_runs_are_listed(capsys, runs):
    code, out, _ = typed(capsys, "runs")
    assert code == 0
    _, done, cut = out.splitlines()
    assert done.split()[0] == runs[0]
    assert done.split()[3:] == ["finished", "1", "1", "3", "2"]
    assert cut.split()[0] == runs[1]
    assert cut.split()[3:] == ["interrupted", "1", "0", "0", "0"]


def test_runs_as_json(capsys, runs):
    _, out, _ = typed(capsys, "runs", "--json")
    done, cut = json.loads(out)
    assert (done["id"], cut["id"]) == runs
    assert (done["status"], done["tasks"], done["finished"]) == ("finished", 1, 1)
    assert (done["calls"], done["cost"], done["job"]) == (3, 2.0, JOB)


def test_quiet_says_nothing(capsys, runs):
    assert typed(capsys, "runs", "--quiet") == (0, "", "")
    assert typed(capsys, "explain", "last", "q-two", "-q") == (0, "", "")
    assert typed(capsys, "resume", runs[0], "-q") == (0, "", "")


@pytest.mark.parametrize("command", [["runs"], ["explain", "last", "t"], ["resume", "last"]])
def test_without_a_ledger_there_is_an_error_and_still_no_file(capsys, path, command):
    code, out, error = typed(capsys, *command)
    assert (code, out) == (2, "")
    assert f"there is no ledger {path}" in error
    assert not path.exists()


def test_a_damaged_ledger_is_an_error_of_its_own_code(capsys, path):
    path.write_bytes(b"no database at all" * 100)
    code, _, error = typed(capsys, "runs")
    assert code == 4
    assert str(path) in error


def test_a_task_is_explained(capsys, runs):
    code, out, _ = typed(capsys, "explain", runs[0][:8], "q-one")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"task q-one (topic sums) of run {runs[0]}"
    assert "round 0: asked ada, decided by greedy" in lines
    assert "protocol weight share ada [eve]" in lines
    assert "trail 0.50 100% +3.00 → +1.50 -1.50 → -0.75" in lines
    assert "panel 0.25 0% -1.00 → -0.25 +0.00 → +0.00" in lines
    assert "sum +1.25 -0.75" in lines
    assert "ada failed: timed out after 2 s (cost 1, 2 s, 0 tokens)" in lines
    assert "round 1: asked bob, decided by greedy" in lines
    assert "bob answered '42' (cost 0.5, 0.25 s, 12 tokens)" in lines
    assert "audit: bob answered '42' (cost 0.5, 0.25 s, 12 tokens)" in lines
    assert "verdict '42'" in lines
    assert "posterior '42' 0.750, '41' 0.200" in lines
    assert "graded: '42' is right" in lines
    assert lines[-1] == "cost 1.5, 2.25 s; stopped: judged"


def test_an_explanation_as_json(capsys, runs):
    _, out, _ = typed(capsys, "explain", runs[0], "q-one", "--json")
    explanation = json.loads(out)
    first, second = explanation["decisions"]
    assert first["protocols"]["trail"] == {
        "weight": 0.5,
        "share": 1.0,
        "said": {"ada": 3.0, "[eve]": -1.5},
        "weighed": {"ada": 1.5, "[eve]": -0.75},
    }
    assert first["ballot"]["error"] == "timed out after 2 s"
    assert first["verdict"]["answer"] is None
    assert (second["ballot"]["answer"], second["verdict"]) == ("42", None)
    assert [ballot["expert"] for ballot in explanation["audits"]] == ["bob"]
    assert explanation["outcome"]["posterior"] == {"42": 0.75, "41": 0.2}
    assert (explanation["asked"]["prompt"], explanation["cost"]) == ("6 x 7?", 2.0)


def test_a_task_under_way_is_explained_as_far_as_it_got(capsys, runs):
    code, out, _ = typed(capsys, "explain", "last", "q-two")
    assert code == 0
    assert "no answer on record yet" in out
    assert "not finished; cost so far 0" in out


def test_unknown_names_are_errors_that_name_the_nearest(capsys, runs):
    code, _, error = typed(capsys, "explain", runs[0], "q-won")
    assert code == 2
    assert "has no task 'q-won'; did you mean 'q-one'?" in error
    wrong = "z" + runs[1][1:]
    code, _, error = typed(capsys, "explain", wrong, "q-two")
    assert code == 2
    assert f"holds no run '{wrong}'; did you mean '{runs[1]}'?" in error


# -- resume ---------------------------------------------------------------------------------


@pytest.fixture
def replay_command(monkeypatch, tmp_path):
    """A long-running command that notes how it was called."""
    calls = []

    def replay(speed: int = 1, resume: str = "", quiet: bool = False) -> None:
        calls.append((speed, resume, quiet, os.getcwd(), os.environ["SWARMLOOM_LEDGER__PATH"]))

    module = ModuleType("replaying")
    module.replay = replay
    monkeypatch.setitem(sys.modules, "replaying", module)
    monkeypatch.setitem(COMMANDS, "replay", ("replaying:replay", "For this test."))
    monkeypatch.chdir(tmp_path)
    return calls


def test_resume_starts_the_command_again_where_it_was_started(
    capsys, runs, path, replay_command, monkeypatch
):
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", "elsewhere.sqlite")
    code, _, error = typed(capsys, "resume", "last", "--ledger", path.name, "--quiet")
    assert (code, error) == (0, "")
    assert replay_command == [(2, runs[1], True, "/", str(path))]


def test_a_finished_run_is_left_alone(capsys, runs, replay_command):
    code, out, _ = typed(capsys, "resume", runs[0])
    assert (code, out) == (0, f"run {runs[0]} is finished: 1 of 1 tasks have their outcome\n")
    code, out, _ = typed(capsys, "resume", runs[0], "--json")
    assert (code, json.loads(out)["status"]) == (0, "finished")
    assert replay_command == []


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({}, "was not started by a command; .* open_run"),
        ({"argv": ["replay"], "cwd": "/no/such/folder"}, "/no/such/folder, which is no longer"),
    ],
)
def test_a_run_that_cannot_be_started_again_says_why(capsys, path, replay_command, job, message):
    with Ledger(path) as ledger:
        ledger.begin({"job": job})
    code, _, error = typed(capsys, "resume", "last")
    assert code == 2
    assert re.search(message, error)
    assert replay_command == []

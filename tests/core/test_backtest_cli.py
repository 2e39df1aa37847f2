"""`swarmloom backtest` and `swarmloom report` as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from swarmloom.cli import main
from swarmloom.ledger import Ledger


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write a small table and its prices; the ledger and the working folder are temporary."""
    rng = np.random.default_rng(2)
    gold = rng.choice(list("ABCD"), 30)
    columns = {
        "item": [f"q{i}" for i in range(30)],
        "gold": gold,
        "topic": rng.choice(["law", "art"], 30),
        "n_options": ["4"] * 30,
        **{
            name: np.where(rng.random(30) < right, gold, rng.choice(list("ABCD"), 30))
            for name, right in (("ada", 0.9), ("bob", 0.7), ("cyd", 0.5))
        },
    }
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    (tmp_path / "answers.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "costs.toml").write_text("[costs]\nada = 3\nbob = 1\ncyd = 0.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(tmp_path / "ledger.sqlite"))
    # What is tested is the command; the kernel alone starts at once.
    monkeypatch.setenv("SWARMLOOM_PLUGINS__ENABLE", "[]")
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_the_table_names_swarm_baselines_and_experts(files, capsys):
    assert run("backtest", "answers.csv", "--costs", "costs.toml", "--graded", "0.2") == 0
    shown = capsys.readouterr()
    for text in ("swarm", "majority of all", "random expert", "cascade, cheapest first", "ada"):
        assert text in shown.out
    assert "20 % of the items" in shown.out
    assert "report.html" in shown.out
    assert (files / "swarmloom-report" / "report.html").exists()
    assert "30/30" in shown.err


def test_json_is_one_document_and_nothing_else(files, capsys):
    assert run("backtest", "answers.csv", "--costs", "costs.toml", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["items"] == 30
    assert data["experts"] == 3
    rows = {(row["kind"], row["name"]): row for row in data["rows"]}
    assert rows["expert", "ada"]["cost"] == 3
    swarm = rows["swarm", "swarm"]
    assert 0 <= swarm["low"] <= swarm["accuracy"] <= swarm["high"] <= 1
    assert data["runs"][0]["accuracy"] == swarm["accuracy"]


def test_quiet_prints_nothing(files, capsys):
    assert run("backtest", "answers.csv", "--quiet") == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == ""


def test_several_seeds_and_a_limit(files, capsys):
    assert run("backtest", "answers.csv", "--seeds", 3, "--limit", 10, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [entry["seed"] for entry in data["runs"]] == [0, 1, 2]
    assert data["items"] == 10
    assert data["rows"][0]["accuracy"] == pytest.approx(
        np.mean([entry["accuracy"] for entry in data["runs"]])
    )
    assert data["rows"][0]["seeds"] == 3


def test_columns_have_options(files, capsys):
    text = (files / "answers.csv").read_text().replace("item,gold,topic", "id,truth,field", 1)
    (files / "answers.csv").write_text(text)
    options = ("--item", "id", "--gold", "truth", "--topic", "field", "--json")
    assert run("backtest", "answers.csv", *options) == 0
    assert json.loads(capsys.readouterr().out)["experts"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["answers.csv", "--gold", "golden"], "no column 'golden'; did you mean 'gold'?"),
        (["answers.csv", "--graded", "1.5"], "graded is 1.5"),
        (["answers.csv", "--costs", "other.toml"], "other.toml"),
        (["answers.csv", "--config", "none.toml"], "none.toml"),
        (["answers.csv", "--seeds", "2", "--resume", "x"], "--seeds 1"),
    ],
)
def test_mistakes_are_named_on_standard_error(files, capsys, arguments, message):
    assert run("backtest", *arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err.replace("\n", " ")
    assert not (files / "swarmloom-report").exists()


def test_a_wrong_expert_in_the_prices_is_named(files, capsys):
    (files / "costs.toml").write_text("[costs]\nadda = 3\nbob = 1\ncyd = 0.5\n")
    assert run("backtest", "answers.csv", "--costs", "costs.toml") == 2
    assert "no expert 'adda' in the answers; did you mean 'ada'?" in capsys.readouterr().err


def test_the_budget_is_a_hard_limit(files, capsys):
    assert run("backtest", "answers.csv", "--costs", "costs.toml", "--budget", 5, "--json") == 5
    data = json.loads(capsys.readouterr().out)
    assert 4 < data["runs"][0]["cost"] * 30 <= 5 + 1e-9


def test_the_job_on_record_does_the_same_pass_again(files, capsys):
    run("backtest", "answers.csv", "--costs", "costs.toml", "--seeds", 2, "--graded", 0.2, "--json")
    first = json.loads(capsys.readouterr().out)["runs"][1]
    with Ledger(files / "ledger.sqlite") as ledger:
        job = ledger.record(first["run"]).job
    assert job["cwd"] == str(files)
    run(*job["argv"], "--json")
    again = json.loads(capsys.readouterr().out)["runs"]
    assert len(again) == 1
    assert {**again[0], "run": "", "seconds": 0} == {**first, "run": "", "seconds": 0}


def test_an_interrupted_pass_is_resumed_by_name(files, capsys, monkeypatch):
    run("backtest", "answers.csv", "--json")
    whole = json.loads(capsys.readouterr().out)["runs"][0]
    crash = (
        "import swarmloom.backtest.run as r, swarmloom.cli, os\n"
        "answer = r._recorded\n"
        "calls = [0]\n"
        "def recorded(column, labels):\n"
        "    inner = answer(column, labels)\n"
        "    def die(task):\n"
        "        calls[0] += 1\n"
        "        if calls[0] == 40: os._exit(9)\n"
        "        return inner(task)\n"
        "    return die\n"
        "r._recorded = recorded\n"
        "swarmloom.cli.main(['backtest', 'answers.csv', '--quiet'])\n"
    )
    done = subprocess.run([sys.executable, "-c", crash], cwd=files, check=False)
    assert done.returncode == 9
    with Ledger(files / "ledger.sqlite") as ledger:
        record = ledger.runs()[-1]
    assert 0 < record.finished < 30
    run("resume", record.id)
    capsys.readouterr()
    with Ledger(files / "ledger.sqlite") as ledger:
        resumed = ledger.record(record.id)
    assert resumed.status == "finished"
    assert resumed.finished == 30
    assert resumed.calls == round(whole["calls"] * 30)


def test_the_report_of_a_past_run(files, capsys):
    run("backtest", "answers.csv", "--graded", 0.5, "--json")
    run_id = json.loads(capsys.readouterr().out)["runs"][0]["run"]
    assert run("report", run_id, "--output", "page.html", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "run": run_id,
        "report": str(files / "page.html"),
        "warnings": [],
    }
    page = (files / "page.html").read_text(encoding="utf-8")
    assert f"Run {run_id}" in page
    assert "30, of which 15 graded" in page


def test_the_report_of_no_run_is_an_error(files, capsys):
    run("backtest", "answers.csv", "--quiet")
    assert run("report", "nonesuch") == 2
    assert "nonesuch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: cannot be read as a table: there is no such file"),
        (["."], "this is a folder, not a file"),
        (["answers.csv", "--topic", "zzz"], "no column 'zzz'. Its columns: item"),
        (["answers.csv", "--costs", "none.toml"], "as prices: there is no such file"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(files, capsys, arguments, message):
    assert run("backtest", *arguments) == 2
    shown = capsys.readouterr().err.replace("\n", " ")
    assert message in shown
    assert "Errno" not in shown


def test_the_solvers_and_short_streams_are_told(files, capsys):
    assert run("backtest", "answers.csv", "--graded", "0") == 0
    shown = capsys.readouterr().out
    # The kernel alone decides; each of the calls was one decision.
    assert "Decisions by solver: greedy " in shown
    assert "A short stream" in shown
    assert "It was told no right answer." in shown
    assert "would add" not in shown
    page = (files / "swarmloom-report" / "report.html").read_text()
    assert "decisions by solver" in page
    assert run("backtest", "answers.csv", "--seeds", 2, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    totals = [entry["solvers"]["greedy"] for entry in data["runs"]]
    assert data["solvers"] == {"greedy": sum(totals)}
    assert totals[0] == round(data["runs"][0]["calls"] * 30)
    assert any(note.startswith("A short stream") for note in data["notes"])


def test_a_budget_that_ends_the_pass_has_its_exit_code_after_the_table(files, capsys):
    assert run("backtest", "answers.csv", "--budget", 5, "--json") == 5
    shown = capsys.readouterr()
    assert "budget.cost is used up" in shown.err
    data = json.loads(shown.out)
    assert data["runs"][0]["budget_limit"] == "cost"
    assert data["runs"][0]["cost"] * 30 <= 5
    assert (files / "swarmloom-report" / "report.html").exists()


def test_the_reports_place_is_tried_before_the_pass(files, capsys):
    (files / "file").touch()
    assert run("backtest", "answers.csv", "--report", "file") == 2
    assert "file/report.html: the report cannot be written" in capsys.readouterr().err
    assert not (files / "ledger.sqlite").exists()


def test_the_table_is_shown_though_the_report_fails(files, capsys, monkeypatch):
    def refuse(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    assert run("backtest", "answers.csv", "--json") == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["items"] == 30
    assert "report.html: the report cannot be written: no space left on device" in shown.err
    assert list((files / "swarmloom-report").iterdir()) == []


@pytest.mark.parametrize("ledger", ["ledger.sqlite", "other.sqlite"])
def test_ctrl_c_names_the_run_to_go_on_with(files, capsys, monkeypatch, ledger):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    (files / "swarm.toml").write_text(f'[ledger]\npath = "{ledger}"\n')
    if ledger != "ledger.sqlite":
        monkeypatch.delenv("SWARMLOOM_LEDGER__PATH")
    with monkeypatch.context() as patch:
        patch.setattr("swarmloom.run.Run.solve_now", interrupt)
        assert run("backtest", "answers.csv", "--config", "swarm.toml") == 130
    said = capsys.readouterr().err.splitlines()[-1]
    start, _, command = said.partition(": swarmloom ")
    assert start == "interrupted; go on with"
    assert ("--ledger" in command) == (ledger != "ledger.sqlite")
    assert run(*command.split()) == 0
    assert "who answers" in capsys.readouterr().out


def test_ctrl_c_without_a_record_promises_nothing(files, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setenv("SWARMLOOM_LEDGER__ENABLED", "false")
    monkeypatch.setattr("swarmloom.run.Run.solve_now", interrupt)
    assert run("backtest", "answers.csv") == 130
    assert "the run is lost" in capsys.readouterr().err


def test_a_process_that_is_interrupted_ends_at_once(files):
    program = (
        "import sys, threading, time\n"
        "from swarmloom.cli import main\n"
        "def solve_now(*_):\n"
        "    threading.Thread(target=time.sleep, args=[600]).start()\n"
        "    raise KeyboardInterrupt\n"
        "import swarmloom.run\n"
        "swarmloom.run.Run.solve_now = solve_now\n"
        "sys.argv[1:] = ['backtest', 'answers.csv']\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 130
    assert "go on with: swarmloom resume" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_plugin_that_was_taken_out_is_told_with_the_figures(files, capsys, monkeypatch):
    monkeypatch.setenv("SWARMLOOM_PLUGINS__ENABLE", '["stigmergy"]')
    monkeypatch.setenv("SWARMLOOM_PLUGINS__MAX_FAILURES", "1")

    def broken(*_, **__):
        raise RuntimeError("no trails today")

    monkeypatch.setattr("swarmloom_plugins.stigmergy_trails.CrewTrails.rates", broken)
    assert run("backtest", "answers.csv", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["runs"][0]["plugins"]["stigmergy"] == "quarantined"
    assert any("stigmergy was taken out" in n and "no trails today" in n for n in data["notes"])


def test_patterns_complete():
    from swarmloom.cli.backtest import pattern_names

    assert pattern_names("consensus")
    assert pattern_names("no such") == []

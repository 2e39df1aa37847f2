"""The examples run as a stranger runs them, in small."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run_example(folder, tmp_path, *arguments):
    """Run an example in an empty folder, without any key and with a ledger of its own."""
    environment = {
        key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")
    } | {"SWARMLOOM_LEDGER__PATH": str(tmp_path / "ledger.sqlite"), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, str(EXAMPLES / folder / "run.py"), *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The models of the digits example."""
    pytest.importorskip("sklearn")
    sys.path.insert(0, str(EXAMPLES / "digits_panel"))
    try:
        import models
    finally:
        sys.path.pop(0)
    return models


def test_the_digits_panel_runs_and_ends_with_table_shares_and_report(tmp_path):
    pytest.importorskip("sklearn")
    done = run_example("digits_panel", tmp_path, "--images", "40", "--graded", "0.2")
    assert done.returncode == 0, done.stderr
    for name in ("swarm", "majority of all", "random expert", "CrewAI fixed", "strokes", "squint"):
        assert re.search(rf"^ ?{name}", done.stdout, re.MULTILINE), name
    assert re.search(r"The swarm is [\d.]+ points (above|below) its best single model", done.stdout)
    assert "A single model at half that price or less" in done.stdout
    assert "Shares in the decisions: " in done.stdout
    assert "20 % of the items" in done.stdout
    page = (tmp_path / "swarmloom-report" / "report.html").read_text(encoding="utf-8")
    assert "40, of which 8 graded" in page


def test_no_digit_model_sees_the_whole_picture_at_full_resolution(digits):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (50, 8, 8)).astype(float)
    for specialist in digits.SPECIALISTS:
        seen = specialist.view(images)
        # 64 independent pixels cannot be recovered from fewer numbers.
        assert seen.shape[0] == 50
        assert seen.shape[1] < 64, specialist.name


@pytest.fixture(scope="module")
def job(digits):
    return digits.make_job(0)


def test_digit_models_are_twelve_and_different(job):
    answers = np.array([model.predict(job.images) for model in job.models])
    assert len(answers) == 12
    assert len({model.specialist.name for model in job.models}) == 12
    agreement = (answers[:, None] == answers[None]).mean(axis=2)
    assert agreement[~np.eye(12, dtype=bool)].max() < 0.95
    accuracy = (answers == job.truth).mean(axis=1)
    assert accuracy.max() < 0.9
    assert len(job.truth) == 1397
    assert len(set(job.topics)) == 6


def test_a_digit_job_is_the_same_for_the_same_seed_alone(digits, job):
    again = digits.make_job(0)
    np.testing.assert_array_equal(job.images, again.images)
    np.testing.assert_array_equal(job.topics, again.topics)
    for one, two in zip(job.models, again.models, strict=True):
        np.testing.assert_array_equal(one.predict(job.images), two.predict(job.images))


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """The support desk's own main function, in an empty folder and without any key."""
    for name in [key for key in os.environ if key.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(tmp_path / "ledger.sqlite"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES / "support_desk")
    for name in ("run", "crew"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("run").main
    for name in ("run", "crew"):
        sys.modules.pop(name, None)


def test_the_support_desk_reroutes_the_failing_colleague(desk, tmp_path, capsys):
    # A key in a .env file beside the run must not turn it into a paid one.
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-secret\n")
    desk([])
    shown = capsys.readouterr().out.splitlines()
    asked = [line.split() for line in shown if line.startswith("  settle_invoice")]
    assert asked[0][1:3] == ["Billing", "specialist"]
    assert [" ".join(line[3:4]) for line in asked] == ["failed,", *["answered"] * (len(asked) - 1)]
    assert len(asked) > 1
    assert len([line for line in shown if "failed" in line]) == 1
    assert any("Dear Ms Okafor" in line for line in shown)
    assert (tmp_path / "swarmloom-report" / "report.html").exists()
    assert "OPENAI_API_KEY" not in os.environ


def test_a_real_model_without_its_key_is_told_so(desk, capsys):
    with pytest.raises(Exception, match="OPENAI_API_KEY"):
        desk(["--model", "openai/gpt-4o-mini"])


def test_the_support_desks_answers_belong_to_its_tasks_and_agents():
    folder = EXAMPLES / "support_desk"
    agents = yaml.safe_load((folder / "config" / "agents.yaml").read_text("utf-8"))
    tasks = yaml.safe_load((folder / "config" / "tasks.yaml").read_text("utf-8"))
    answers = yaml.safe_load((folder / "answers.yaml").read_text("utf-8"))
    assert set(answers) == set(tasks)
    roles = {agent["role"] for agent in agents.values()} | {"*"}
    assert all(set(row) <= roles for row in answers.values())
    assert {task["agent"] for task in tasks.values()} <= set(agents)


def verdict_table(text):
    """Read right answers and calls a task of each way of deciding."""
    rows = re.findall(r"^([^\d\n]+?)\s+(\d+)/24\s+([\d.]+)$", text, re.MULTILINE)
    return {name.strip(): (int(right), float(calls)) for name, right, calls in rows}


def test_the_crews_verdicts_are_better_than_its_majority_as_its_page_says(tmp_path):
    done = run_example("crew_verdict", tmp_path)
    assert done.returncode == 0, done.stderr
    seen = verdict_table(done.stdout)
    assert len(seen) == 4
    majority = seen["majority of all nine"][0]
    assert seen["guardrail, trust learned on the way"][0] > majority + 6
    assert seen["consensus for every task"][0] > majority + 6
    page = (EXAMPLES / "crew_verdict" / "README.md").read_text(encoding="utf-8")
    for name, (right, calls) in verdict_table(page).items():
        assert seen[name][0] == pytest.approx(right, abs=1), name
        assert seen[name][1] == pytest.approx(calls, abs=0.3), name

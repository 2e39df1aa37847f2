from __future__ import annotations

import math
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError, LedgerError
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger, default_path
from swarmloom.types import Event

finite = st.floats(allow_nan=False, allow_infinity=False)
any_text = st.text(st.characters(exclude_categories=[]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(any_text, json_values, max_size=4)
events = st.builds(
    Event,
    # Ballots and outcomes carry rules of their own, which other tests check.
    st.sampled_from([EventKind.DECISION.value, EventKind.TASK_OPENED.value, "anything"]),
    json_objects,
    st.text(max_size=5),
    finite,
)


def exactly(value):
    """Tell 1 from 1.0 and from True, and 0.0 from -0.0, which == does not."""
    if isinstance(value, dict):
        return {key: exactly(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return type(value).__name__, repr(value)


@pytest.fixture
def ledger():
    with Ledger(None) as opened:
        yield opened


def outcome(task, **data):
    return Event(EventKind.OUTCOME, data, task)


@settings(deadline=None)
@given(st.lists(st.lists(events, max_size=3), max_size=4))
def test_events_come_back_exactly_and_in_order(batches):
    with Ledger(None) as ledger:
        run = ledger.begin({})
        for batch in batches:
            ledger.append(run, batch)
        read = list(ledger.events(run))[1:]
    written = [event for batch in batches for event in batch]
    assert [(e.kind, e.task, e.time) for e in read] == [(e.kind, e.task, e.time) for e in written]
    assert [exactly(e.data) for e in read] == [exactly(dict(e.data)) for e in written]


@settings(deadline=None, max_examples=30)
@given(json_objects)
def test_the_start_of_a_run_comes_back_from_the_file(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Ledger(path) as ledger:
        run = ledger.begin({**data, "job": {"argv": ["a"]}})
    with Ledger(path) as ledger:
        (event,) = ledger.events(run)
        assert exactly(dict(event.data)) == exactly({**data, "job": {"argv": ["a"]}})
        assert ledger.record(run).job == {"argv": ["a"]}


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.inf, [{"deep": math.nan}], {1: "a"}, [{None: 1}], {"a": {2.5: 1}}, b"x", {1}],
)
def test_what_would_not_come_back_is_refused_and_nothing_recorded(ledger, value):
    run = ledger.begin({})
    with pytest.raises(LedgerError, match="'anything' of task 't'"):
        ledger.append(run, [Event("fine"), Event("anything", {"key": value}, "t")])
    assert [event.kind for event in ledger.events(run)] == ["run_started"]


@pytest.mark.parametrize("event", [Event("k", {}, "\ud800"), Event("k", {}, "t", math.nan)])
def test_odd_tasks_and_times_are_refused(ledger, event):
    with pytest.raises(LedgerError, match="event 'k'"):
        ledger.append(ledger.begin({}), [event])


def test_a_start_that_cannot_be_recorded_makes_no_run(ledger):
    with pytest.raises(LedgerError, match="run_started"):
        ledger.begin({"seed": math.nan})
    assert ledger.runs() == []


def test_events_are_read_by_kind_and_by_task_across_pages(ledger):
    run, other = ledger.begin({}), ledger.begin({})
    for number in range(2500):
        ledger.append(run, [Event("ballot", {"cost": 0.5}, f"t{number % 7}")])
        if number % 100 == 0:
            ledger.append(other, [Event("ballot", {"cost": 1.0}, "t3")])
    assert len(list(ledger.events(run))) == 2501
    assert len(list(ledger.events(run, task="t3"))) == 357
    assert len(list(ledger.events(run, kinds=["run_started"], task=""))) == 1
    assert len(list(ledger.events(run, kinds=["ballot", "outcome"]))) == 2500
    assert list(ledger.events(run, kinds=[])) == []


def test_a_task_has_one_outcome(ledger):
    run, other = ledger.begin({}), ledger.begin({})
    ledger.append(run, [outcome("a", answer="1")])
    with pytest.raises(LedgerError, match=f"run {run} already has an outcome .*'a'"):
        ledger.append(run, [Event("decision", {}, "b"), outcome("a", answer="2")])
    with pytest.raises(LedgerError, match="already has an outcome"):
        ledger.append(run, [outcome("c"), outcome("c")])
    ledger.append(other, [outcome("a", answer="3")])
    assert [event.data for event in ledger.events(run, task="a")] == [{"answer": "1"}]
    assert ledger.record(run).finished == 1
    assert not list(ledger.events(run, task="b"))


def test_runs_are_counted_as_they_go(ledger):
    job = {"argv": ["run", "x"], "cwd": "/"}
    run = ledger.begin({"job": job})
    ledger.append(run, [Event("task_opened", {}, task) for task in "abc"])
    ledger.append(run, [Event("ballot", {"cost": 0.25}, "a"), Event("ballot", {"cost": 2}, "b")])
    ledger.append(run, [outcome("a")])
    record = ledger.record(run)
    assert (record.tasks, record.finished, record.calls, record.cost) == (3, 1, 2, 2.25)
    assert (record.status, record.job) == ("running", job)
    ledger.finish(run, "finished")
    assert ledger.runs() == [ledger.record(run)]
    assert ledger.record(run).status == "finished"


def test_runs_are_found_by_id_prefix_and_last(ledger):
    with pytest.raises(InputError, match="holds no runs"):
        ledger.find("last")
    ids = [ledger.begin({}) for _ in range(17)]
    assert ledger.find("last") == ids[-1]
    assert ledger.find(ids[3]) == ledger.find(ids[3][:-1]) == ids[3]
    # Of 17 runs two begin with the same of 16 digits.
    shared = next(d for d in "0123456789abcdef" if sum(run.startswith(d) for run in ids) > 1)
    with pytest.raises(InputError, match="may be any of"):
        ledger.find(shared)
    misspelt = "x" + ids[5][1:]
    with pytest.raises(InputError, match=f"no run '{misspelt}'; did you mean '{ids[5]}'"):
        ledger.find(misspelt)
    with pytest.raises(InputError, match="no run ''"):
        ledger.find("")


def test_an_unknown_run_is_refused_by_every_method(ledger):
    run = ledger.begin({})
    for call in (
        lambda: ledger.append("nope", []),
        lambda: ledger.events("nope"),
        lambda: ledger.finish("nope", "finished"),
        lambda: ledger.resume("nope"),
        lambda: ledger.record("nope"),
        lambda: ledger.view("nope"),
    ):
        with pytest.raises(InputError, match=f"no run 'nope'; did you mean '{run}'"):
            call()


def test_the_default_file_is_in_the_users_data_folder():
    assert default_path().name == "ledger.sqlite"
    assert "swarmloom" in default_path().parts[-2:]


# -- many threads, many processes -----------------------------------------------------------


def test_threads_share_a_ledger(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        run = ledger.begin({})

        def work(name):
            for number in range(50):
                ledger.append(run, [Event("ballot", {"cost": 1.0, "n": number}, name)])
                assert sum(1 for _ in ledger.events(run, task=name)) == number + 1

        threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.record(run).calls == 300
        for index in range(6):
            numbers = [event.data["n"] for event in ledger.events(run, task=f"t{index}")]
            assert numbers == list(range(50))


WORKER = """
import sys
from swarmloom.ledger import Ledger
from swarmloom.types import Event
with Ledger(sys.argv[1]) as ledger:
    run = ledger.begin({})
    for number in range(100):
        ledger.append(run, [Event("ballot", {"cost": 1.0, "n": number}, "t")])
    ledger.finish(run, "finished")
"""


def test_processes_share_a_file_from_its_first_moment(tmp_path):
    path = tmp_path / "l.sqlite"
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(path)]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    with Ledger(path) as ledger:
        for record in ledger.runs():
            assert (record.status, record.calls) == ("finished", 100)
            numbers = [event.data["n"] for event in ledger.events(record.id, kinds=["ballot"])]
            assert numbers == list(range(100))
        assert len(ledger.runs()) == 4


def test_only_one_works_on_a_run(tmp_path):
    path = tmp_path / "l.sqlite"
    first, second = Ledger(path), Ledger(path)
    run = first.begin({})
    assert second.record(run).status == "running"
    for call in (lambda: second.append(run, [Event("k")]), lambda: second.resume(run)):
        with pytest.raises(LedgerError, match=f"another process is working on run {run}"):
            call()
    with pytest.raises(LedgerError, match=f"this process is working on run {run} already"):
        first.resume(run)
    first.close()
    assert second.record(run).status == "interrupted"
    second.resume(run)
    second.append(run, [Event("k")])
    assert [event.kind for event in second.events(run)] == ["run_started", "run_resumed", "k"]
    assert second.record(run).status == "running"
    second.finish(run, "finished")
    with pytest.raises(InputError, match="is finished; there is nothing to resume"):
        second.resume(run)
    second.close()
    assert [file.name for file in tmp_path.iterdir()] == ["l.sqlite"]


def test_a_killed_process_leaves_its_run_interrupted(tmp_path):
    path = tmp_path / "l.sqlite"
    code = f"""
import os, signal
from swarmloom.ledger import Ledger
from swarmloom.types import Event
ledger = Ledger({str(path)!r})
run = ledger.begin({{}})
ledger.append(run, [Event("k", {{"n": 1}}, "t")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with Ledger(path) as ledger:
        (record,) = ledger.runs()
        assert record.status == "interrupted"
        assert [event.kind for event in ledger.events(record.id)] == ["run_started", "k"]
        ledger.resume(record.id)


def test_a_run_in_memory_is_interrupted_and_resumed_too(ledger):
    run = ledger.begin({})
    ledger.finish(run, "interrupted")
    assert ledger.record(run).status == "interrupted"
    ledger.resume(run)
    assert ledger.record(run).status == "running"


# -- the view -------------------------------------------------------------------------------


def test_the_view_gathers_a_run(ledger):
    run = ledger.begin({"seed": 3, "pattern": "panel", "settings": {"a": 1}, "experts": [{}]})
    task = {"prompt": "p", "topic": "x", "options": 4, "demands": ["b", "a"]}
    decision = {"round": 0, "shares": {"trail": 0.75, "panel": 0.25}}
    ledger.append(
        run,
        [
            Event("task_opened", {**task, "deadline": None, "quorum": 2}, "t"),
            Event("decision", decision, "t"),
            Event("decision", {"round": 1, "shares": {}}, "t"),
            Event("decision", {"round": 2, "shares": {"trail": 0.25}}, "t"),
            Event("ballot", {"cost": 2.0}, "t"),
            Event("plugin_failed", {"plugin": "x"}),
            Event("mixture_changed", {"pattern": "y"}),
            outcome("t", answer="1"),
        ],
    )
    view = ledger.view(run)
    assert (view.id, view.calls, view.cost, view.seed, view.pattern) == (run, 1, 2.0, 3, "panel")
    assert view.settings == {"a": 1}
    assert view.experts == ({},)
    assert view.tasks["t"].demands == {"a", "b"}
    assert view.tasks["t"].quorum == 2
    assert view.shares == {"panel": 0.125, "trail": 0.5}
    assert [event.data["round"] for event in view.decisions] == [0, 1, 2]
    assert [len(view.ballots), len(view.outcomes), len(view.mixtures)] == [1, 1, 1]
    assert [event.kind for event in view.plugins] == ["plugin_failed"]


def test_breaks_between_the_parts_of_a_run_do_not_count_as_time_spent():
    from swarmloom.ledger.records import RunRecord, view_of

    times = {"run_started": 10.0, "ballot": 12.5, "run_resumed": 100.0, "run_finished": 101.0}
    events = [Event(kind, {}, "", time) for kind, time in times.items()]
    record = RunRecord("r", 10.0, "finished", 0, 0, 0, 0.0)
    assert view_of(record, events).seconds == 3.5


def test_what_is_in_a_run_does_not_change_how_an_append_is_done(ledger):
    """Every statement of `append` finds its rows by key, so its cost does not grow with the run."""
    statements = []
    run = ledger.begin({})
    ledger.append(run, [])
    ledger._connection.set_trace_callback(statements.append)
    ledger.append(run, [Event("ballot", {"cost": 1.0}, "t")])
    ledger._connection.set_trace_callback(None)
    plans = [
        step[3]
        for statement in statements
        if statement.split()[0] not in ("BEGIN", "COMMIT")
        for step in ledger._connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(statements) == 4
    assert all(plan.startswith("SEARCH") for plan in plans)
    assert any("runs USING INTEGER PRIMARY KEY" in plan for plan in plans)

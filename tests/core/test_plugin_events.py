"""What plugins emit: recorded, shown, reported; and answers that say the same in other words."""

from __future__ import annotations

import pytest

from swarmloom import Ballot, Event, Ledger, Outcome, Task, Verdict, hookimpl
from swarmloom.errors import InputError
from swarmloom.events import EventKind, outcome_event, outcome_from, verdict_event, verdict_from
from swarmloom.ledger.records import warning_texts
from swarmloom.report import render, report_data
from tests.core.swarms import inline, make_swarm


class Thermometer:
    """Emits an event of its own, and a warning, with each finished task."""

    @hookimpl
    def swarmloom_initialize(self, swarm):
        self.swarm = swarm

    @hookimpl
    def swarmloom_evolve(self, outcomes):
        for outcome in outcomes:
            self.swarm.emit("temperature", {"degrees": 21.5}, outcome.task.id)
            self.swarm.emit(EventKind.WARNING, {"plugin": "thermometer", "message": "it is <hot>"})


def test_a_plugin_can_emit_events_of_its_own_kind():
    heard = []
    swarm = make_swarm([inline("a", lambda task: "x")], plugins=[("thermometer", Thermometer())])
    result = swarm.run([Task("t0")], on_event=heard.append)
    view = swarm.ledger.view(result.run_id)
    assert [(e.kind, e.task, e.data) for e in view.notices] == [
        ("temperature", "t0", {"degrees": 21.5})
    ]
    assert [e.data["message"] for e in view.warnings] == ["it is <hot>"]
    assert [e.kind for e in heard].count("temperature") == 1
    assert "thermometer: it is &lt;hot&gt;" in render(report_data(view))


def test_a_resumed_run_does_not_repeat_what_plugins_have_emitted(tmp_path):
    file = tmp_path / "ledger.sqlite"
    with Ledger(file) as ledger:
        swarm = make_swarm(
            [inline("a", lambda task: "x")],
            plugins=[("thermometer", Thermometer())],
            ledger=ledger,
        )
        run = swarm.open_run()
        run.solve_now([Task("t0")])
        run.close("interrupted")
        again = make_swarm(
            [inline("a", lambda task: "x")],
            plugins=[("thermometer", Thermometer())],
            ledger=ledger,
        )
        again.run([Task("t0"), Task("t1")], resume=run.id)
        kinds = [(e.kind, e.task) for e in ledger.events(run.id) if e.kind == "temperature"]
    assert kinds == [("temperature", "t0"), ("temperature", "t1")]


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (
            "outcome",
            {"x": 1},
            "'outcome' cannot be emitted; allowed: a name of your own, att",
        ),
        (EventKind.BALLOT, {}, "cannot be emitted"),
        ("run_finished", {"status": "finished"}, "cannot be emitted"),
        ("mixture_changed", {}, "cannot be emitted"),
        ("", {}, "cannot be emitted"),
        (None, {}, "cannot be emitted"),
        ("warning", {"text": "careful"}, "plugin of a warning is None; allowed: a string"),
        ("warning", {"plugin": "mine", "message": ""}, "message of a warning is ''"),
        ("warning_over", {"plugin": "mine"}, "message of a warning_over is None"),
    ],
)
def test_the_kernels_own_events_cannot_be_emitted(kind, data, message, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        swarm = make_swarm([inline("a", lambda task: "x")], ledger=ledger)
        with swarm.open_run() as run:
            run.solve_now([Task("t0")])
            before = len(list(ledger.events(run.id)))
            with pytest.raises(InputError, match=message):
                swarm.emit(kind, data)
            assert len(list(ledger.events(run.id))) == before


def test_a_warning_that_holds_no_more_is_not_reported():
    def warn(kind, text, plugin="mine"):
        swarm.emit(kind, {"plugin": plugin, "message": text})

    swarm = make_swarm([inline("a", lambda task: "x")])
    with swarm.open_run() as run:
        run.solve_now([Task("t0")])
        for text in ("low", "hot", "wet"):
            warn(EventKind.WARNING, text)
        warn(EventKind.WARNING_OVER, "hot")
        warn(EventKind.WARNING_OVER, "low")
        warn(EventKind.WARNING_OVER, "wet", plugin="another")
        warn(EventKind.WARNING, "low")
    view = swarm.ledger.view(run.id)
    assert [event.data["message"] for event in view.warnings] == ["wet", "low"]
    assert view.notices == ()
    assert warning_texts(swarm.ledger.events(run.id)) == ["mine: wet", "mine: low"]


@pytest.fixture
def verdict():
    return Verdict("t", "1000", {"1000": 0.8, "7": 0.1}, wordings={"1,000": "1000"})


def test_an_answer_in_other_words_has_the_credit_of_its_meaning(verdict):
    ballots = tuple(Ballot("t", e, said) for e, said in enumerate(("1000", "1,000", "7", "")))
    open_outcome = Outcome(Task("t"), verdict, ballots)
    assert [open_outcome.credit(ballot) for ballot in ballots] == [0.8, 0.8, 0.1, 0.0]
    graded = Outcome(Task("t"), verdict, ballots, truth="1,000")
    assert [graded.credit(ballot) for ballot in ballots] == [1.0, 1.0, 0.0, 0.0]


def test_wordings_come_back_from_the_record(verdict):
    outcome = Outcome(Task("t"), verdict, ())
    assert outcome_from(outcome_event(outcome, "judged"), Task("t"), []).verdict == verdict
    assert verdict_from(verdict_event(verdict, []), {}) == verdict
    plain = Verdict("t", "x", {"x": 1.0})
    assert "wordings" not in verdict_event(plain, []).data
    assert isinstance(verdict_event(plain, []), Event)

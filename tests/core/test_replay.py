from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom.events import EventKind, ballot_event, outcome_event, task_event, verdict_event
from swarmloom.ledger import Ledger, replay
from swarmloom.types import Ballot, Event, Outcome, Task, Verdict

INDEX_OF = {"ada": 0, "bob": 1, "eve": 2}
NAMES = list(INDEX_OF)


def opened(task):
    return task_event(Task(task, f"what is {task}?", "sums", 4, frozenset({"add"}), 9.5, 3))


def decided(task, expert, number, **shares):
    return Event(EventKind.DECISION, {"round": number, "expert": expert, "shares": shares}, task)


def answered(task, expert, answer="1", **options):
    return ballot_event(Ballot(task, INDEX_OF[expert], answer, **options), expert)


def judged(task, answer="1", ask=()):
    return verdict_event(Verdict(task, answer, {answer: 0.5}, stop=False, ask=ask), NAMES)


def concluded(task, answer="1"):
    verdict = Verdict(task, answer, {answer: 0.75})
    return outcome_event(Outcome(Task(task), verdict, (), answer, 2.0, 0.5), "judged")


def test_nothing_on_record_is_a_fresh_start():
    state = replay([Event(EventKind.RUN_STARTED)], INDEX_OF)
    assert (state.outcomes, state.ballots, state.next_round, state.calls) == ([], [], 0, 0)


def test_a_finished_task_comes_back_whole():
    audit = answered("a", "bob", "2", cost=0.5, audit=True)
    events = [opened("a"), decided("a", "ada", 0), answered("a", "ada", cost=1.5), audit]
    state = replay([*events, concluded("a")], INDEX_OF)
    (outcome,) = state.outcomes
    assert outcome.task == Task("a", "what is a?", "sums", 4, frozenset({"add"}), 9.5, 3)
    assert outcome.verdict == Verdict("a", "1", {"1": 0.75})
    assert [ballot.expert for ballot in outcome.ballots] == [0, 1]
    assert [ballot.audit for ballot in outcome.ballots] == [False, True]
    assert (outcome.truth, outcome.cost, outcome.latency) == ("1", 2.0, 0.5)
    assert state.finished == {"a"}
    assert (state.open_ballots, state.pending) == ({}, {})
    assert (state.calls, state.cost, state.next_round) == (2, 2.0, 1)


def test_an_unfinished_task_keeps_its_answers_and_the_call_that_is_out():
    state = replay(
        [
            opened("a"),
            opened("b"),
            decided("a", "ada", 0, trail=1.0),
            decided("b", "bob", 0, trail=0.5, panel=0.5),
            answered("a", "ada", None, error="timed out"),
            answered("b", "bob"),
            decided("a", "eve", 1),
        ],
        INDEX_OF,
    )
    assert state.outcomes == []
    assert state.pending == {"a": 2}
    assert [ballot.error for ballot in state.open_ballots["a"]] == ["timed out"]
    assert [ballot.answer for ballot in state.open_ballots["b"]] == ["1"]
    assert state.next_round == 2
    assert (state.share_totals, state.decisions) == ({"trail": 1.5, "panel": 0.5}, 2)
    assert set(state.opened) == {"a", "b"}


def test_a_task_is_unjudged_from_its_decision_to_its_verdict():
    events = [
        opened("a"),
        decided("a", "ada", 0),
        answered("a", "ada"),
        judged("a", "1", ask=(2, 1)),
        decided("a", "eve", 1),
        answered("a", "eve"),
        concluded("a"),
    ]
    states = [replay(events[:length], INDEX_OF) for length in range(len(events) + 1)]
    unjudged = [bool(state.unjudged) for state in states]
    assert unjudged == [False, False, True, True, False, True, True, False]
    earlier = Verdict("a", "1", {"1": 0.5}, stop=False, ask=(2, 1))
    assert [state.verdicts.get("a") for state in states[3:]] == [None, *[earlier] * 3, None]


def test_experts_that_are_gone_are_no_longer_worth_asking():
    state = replay([opened("a"), judged("a", ask=(2, 0))], {"ada": 4})
    assert state.verdicts["a"].ask == (4,)


def test_a_judges_own_number_types_are_recorded_as_plain_ones():
    verdict = Verdict("a", "1", {"1": np.float32(0.5)}, stop=np.bool_(False))
    outcome = Outcome(Task("a"), verdict, ())
    with Ledger(None) as ledger:
        run = ledger.begin({})
        ledger.append(run, [verdict_event(verdict, NAMES), outcome_event(outcome, "judged")])
        _, going_on, final = ledger.events(run)
    assert going_on.data == {"answer": "1", "posterior": {"1": 0.5}, "stop": False, "ask": []}
    assert final.data["posterior"] == {"1": 0.5}


def test_outcomes_learned_from_together_stay_together():
    events = [opened(task) for task in "abc"]
    events += [concluded("a"), concluded("b"), decided("c", "ada", 1), concluded("c")]
    state = replay(events, INDEX_OF)
    ids = [[outcome.task.id for outcome in batch] for batch in state.batches]
    assert ids == [["a", "b"], ["c"]]


def test_experts_are_found_by_name_wherever_they_moved():
    events = [opened("a"), decided("a", "eve", 0), answered("a", "ada")]
    state = replay(events, {"eve": 7, "ada": 5})
    assert state.pending == {}
    assert state.ballots[0].expert == 5


@pytest.mark.parametrize("event", [decided("a", "zoe", 0), decided("a", "bob", 0)])
def test_an_expert_that_is_gone_is_named(event):
    with pytest.raises(
        InputError, match=r"expert '(zoe|bob)', which this swarm lacks; it has: ada"
    ):
        replay([opened("a"), event], {"ada": 0})


steps = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(NAMES), st.booleans()), max_size=30
)


@settings(deadline=None)
@given(steps, st.data())
def test_every_prefix_of_a_run_accounts_for_every_answer_once(steps, data):
    """Wherever a run is cut, each recorded answer is in an outcome or open, never both."""
    events, done = [opened(task) for task in "abcd"], set()
    for number, (task, expert, last) in enumerate(steps):
        if task not in done:
            events += [decided(task, expert, number), answered(task, expert, cost=1.0)]
        if last and task not in done:
            done.add(task)
            events.append(concluded(task))
    with Ledger(None) as ledger:
        run = ledger.begin({})
        ledger.append(run, events[: data.draw(st.integers(4, len(events)))])
        state = replay(ledger.events(run), INDEX_OF)
        record = ledger.record(run)
    closed = [ballot for outcome in state.outcomes for ballot in outcome.ballots]
    still_open = [ballot for ballots in state.open_ballots.values() for ballot in ballots]
    assert len(closed) + len(still_open) == len(state.ballots) == record.calls
    assert not state.finished & (set(state.open_ballots) | set(state.pending))
    assert len(state.finished) == record.finished
    assert state.cost == record.cost

"""What is on record when somebody hears of it: a second reader of the file must find it there."""

from __future__ import annotations

import pytest

from swarmloom import hookimpl
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from tests.core.swarms import answering, inline, make_swarm, tasks


@pytest.fixture
def files(tmp_path):
    """Two connections to one file: the swarm's and a reader's."""
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as written, Ledger(path) as read:
        yield written, read


def recorded(ledger):
    """All events of the one run; not their times, the start of a run is shown a little later."""
    (record,) = ledger.runs()
    return [(event.kind, event.task, event.data) for event in ledger.events(record.id)]


def run(ledger, plugins=(), on_event=None):
    experts = [inline(name, answering("x")) for name in ("a", "b")]
    with make_swarm(experts, plugins=plugins, ledger=ledger, swarm={"window": 4}) as swarm:
        return swarm.run(tasks(10), on_event=on_event)


def test_an_event_is_on_record_before_it_is_shown(files):
    written, read = files
    shown, missing = set(), []

    def on_event(event):
        shown.add(event.kind)
        if (event.kind, event.task, event.data) not in recorded(read):
            missing.append(event)

    run(written, on_event=on_event)
    assert missing == []
    told = {EventKind.RUN_STARTED, EventKind.DECISION, EventKind.BALLOT, EventKind.OUTCOME}
    assert told <= shown


def test_an_observer_finds_the_event_on_record_too(files):
    written, read = files
    found = []

    class Watcher:
        @hookimpl
        def swarmloom_observe(self, event):
            found.append((event.kind, event.task, event.data) in recorded(read))

    run(written, plugins=[("watcher", Watcher())])
    assert len(found) > 30
    assert all(found)


def test_an_outcome_is_on_record_before_anybody_learns_from_it(files):
    written, read = files
    learned, missing = [], []

    class Learner:
        @hookimpl
        def swarmloom_evolve(self, outcomes):
            (record,) = read.runs()
            recorded = {e.task for e in read.events(record.id, kinds=[EventKind.OUTCOME])}
            learned.extend(outcome.task.id for outcome in outcomes)
            missing.extend(o.task.id for o in outcomes if o.task.id not in recorded)

    run(written, plugins=[("learner", Learner())])
    assert missing == []
    assert sorted(learned) == sorted(task.id for task in tasks(10))

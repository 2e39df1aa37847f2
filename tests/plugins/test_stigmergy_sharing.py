"""What one process, or a stranger to the protocol, leaves in a shared store does no other harm."""

from __future__ import annotations

import sqlite3
import time

import pytest

from swarmloom.errors import InputError, StoreError
from swarmloom_plugins.stigmergy_traces import CrewTraces
from swarmloom_plugins.stigmergy_trails import Lesson
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.plugins.test_stigmergy_store import (
    failures,
    grades,
    path,
    protocol_of,
    sensed,
    swarm_with,
    work,
)

__all__ = ["path"]

UNWRITABLE = "x\ud800"


def rows_of(path, channel):
    with TraceStore.open(path) as store:
        return [row for row in store.changes()[1] if row.channel == channel]


# -- names that cannot be written ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"by": UNWRITABLE}, "by .* cannot be written"),
        ({"topic": UNWRITABLE}, "topic .* cannot be written"),
        ({"note": UNWRITABLE}, "note .* cannot be written"),
        ({"by": ""}, "by has 0 characters; allowed: 1 to 200"),
        ({"by": "x" * 201}, "by has 201 characters; allowed: 1 to 200"),
        ({"by": 7}, "by is 7; allowed"),
        ({"topic": "x" * 501}, "topic has 501 characters; allowed: at most 500"),
    ],
)
def test_a_word_that_cannot_be_kept_is_refused_before_anything_is_changed(path, wrong, message):
    with swarm_with(path) as swarm:
        arguments = {"topic": "sums", "by": "eve", "note": "n", **wrong}
        before = protocol_of(swarm).swarmloom_snapshot()["trails"]["topics"]
        with pytest.raises(InputError, match=message):
            protocol_of(swarm).leave(expert="poet", worked=True, **arguments)
        assert protocol_of(swarm).swarmloom_snapshot()["trails"]["topics"] == before
        assert not any(one["by"] for one in protocol_of(swarm).sense("sums"))
        swarm.run(work(4), feedback=grades)
        assert not failures(swarm)
    assert sum(row.amount for row in rows_of(path, "finished")) == 4.0


def test_only_what_the_file_did_not_take_is_tried_again(path, monkeypatch):
    traces = CrewTraces(path, 60.0)
    with pytest.raises(InputError):
        traces.tell(Lesson("sums", "poet", "ok", 1.0), UNWRITABLE, "")
    with monkeypatch.context() as broken:
        broken.setattr(TraceStore, "deposit_many", busy)
        with pytest.raises(StoreError, match="busy"):
            traces.teach("r", [], 2)
    traces.teach("r", [Lesson("sums", "poet", "ok", 1.0)], 3)
    traces.close()
    assert sum(row.amount for row in rows_of(path, "finished")) == 5.0
    assert len(rows_of(path, "ok")) == 1


def busy(*_):
    raise StoreError("busy")


# -- rows of others --------------------------------------------------------------------------------

FOREIGN = [
    ("invoices", "ok", "ada", None),
    ("ab", "ok", "run:x", None),
    (("a", "b"), "ok", "ada", None),
    (("a", "b"), "ok", "run:", None),
    (("a", "b"), "ok", "member:ada", None),
    (("a", "b"), "ok", "member:p:", None),
    (("a", "b"), "ok", "process:p", None),
    (("a", 7), "fail", "run:x", None),
    (("a", "b", "c"), "fail", "run:x", None),
    (("a", "b"), "fail", "run:x", "breaks on tables"),
    (("a", "b"), "note", "member:p:eve", "a plain text"),
    (("a", "b"), "note", "member:p:eve", {"text": 7, "worked": True}),
    (("a", "b"), "note", "member:p:eve", {"text": "x"}),
    (("a", "b"), "note", "eve", {"text": "x", "worked": True}),
    ("a", "note", "member:p:eve", {"text": "x", "worked": True}),
    (("load", "poet"), "load", "process:p", "many"),
    (("load", "poet"), "load", "process:p", -3),
    (("load", "poet"), "load", "process:p", 10**400),
    (("other", "poet"), "load", "process:p", 3),
    ("poet", "load", "ada", 3),
    ("all", "finished", "run:x", None),
    ("finished", "finished", "ada", None),
]


@pytest.mark.parametrize("row", FOREIGN, ids=lambda row: f"{row[0]}-{row[1]}-{row[2]}")
def test_a_row_of_others_is_passed_over_and_costs_no_lesson(path, row):
    key, channel, agent, meta = row
    teller, listener = CrewTraces(path, 60.0), CrewTraces(path, 60.0)
    teller.teach("a", [Lesson("verse", "poet", "ok", 5.0)], 5)
    with TraceStore.open(path) as store:
        store.deposit(key, channel, 1.0, agent=agent, meta=meta)
    teller.teach("a", [Lesson("forms", "clerk", "ok", 7.0)], 7)
    news = listener.follow()
    assert [(told.lesson.topic, told.lesson.amount, told.who) for told in news.told] == [
        ("verse", 5.0, "a"), ("forms", 7.0, "a"),
    ]  # fmt: skip
    assert news.finished == 12.0
    assert listener.load(["poet"]).tolist() == [0.0]
    assert listener.notes("a") == []
    teller.close()
    listener.close()


def test_an_amount_beyond_what_trails_hold_is_passed_over(path):
    with swarm_with(path) as swarm:
        with TraceStore.open(path) as store:
            store.deposit(("sums", "adder"), "ok", 1e99, agent="run:x")
            store.deposit(("sums", "adder"), "ok", 2.0, agent="run:y")
        assert sensed(swarm)["adder"]["right"] > 0.0
        assert not failures(swarm)


def test_lessons_are_told_until_they_are_learned(path):
    teller, listener = CrewTraces(path, 60.0), CrewTraces(path, 60.0)
    teller.teach("a", [Lesson("verse", "poet", "ok", 5.0)], 5)
    first, again = listener.follow(), listener.follow()
    assert first == again
    listener.took(again)
    assert listener.follow().told == []
    teller.close()
    listener.close()


def test_what_others_taught_is_not_lost_when_the_embedder_fails_for_a_while(path, monkeypatch):
    with swarm_with(path) as first, swarm_with(path) as second:
        first.run(work(4), feedback=grades)
        places = protocol_of(second)._trails._pooling.topics
        with monkeypatch.context() as broken:
            broken.setattr(places, "_embed", lambda names: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                protocol_of(second)._catch_up()
        heard = sensed(second)
        assert heard["adder"]["answered"] + heard["poet"]["answered"] == 2.0


# -- claims and opening ----------------------------------------------------------------------------


def test_a_swarm_that_starts_or_ends_leaves_others_ended_claims_alone(path):
    with TraceStore.open(path) as store:
        claim = store.claim(("task", "report"), agent="ann", ttl=1.0, now=time.time() - 60.0)
        with swarm_with(path) as swarm:
            swarm.run(work(2), feedback=grades)
        assert claim.renew(60.0)
        assert claim.finish("late, and nobody minded")


def test_claims_that_nobody_took_over_for_a_day_are_dropped_at_the_end(path):
    with TraceStore.open(path) as store:
        old = store.claim(("task", "old"), agent="ann", ttl=1.0, now=time.time() - 90_000.0)
        with swarm_with(path) as swarm:
            swarm.run(work(2), feedback=grades)
        assert not old.renew(60.0)


def test_a_swarm_starts_and_reads_while_another_process_writes(path, monkeypatch):
    with swarm_with(path) as swarm:
        swarm.run(work(4), feedback=grades)
    opened = TraceStore.open
    monkeypatch.setattr(TraceStore, "open", lambda path: opened(path, timeout=0.05))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    late = swarm_with(path)
    assert sum(row["answered"] for row in catch_up(late)) == 2.0
    writer.execute("ROLLBACK")
    writer.close()
    late.close()


def catch_up(swarm):
    assert protocol_of(swarm)._catch_up() is None
    return protocol_of(swarm).sense("sums")

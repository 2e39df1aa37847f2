"""Swarms that share what they learn through a trace store in a file."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from swarmloom.errors import ConfigurationError, StoreError
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Task
from swarmloom_plugins.stigmergy import Stigmergy, StigmergyConfig
from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.core.rounds import make_experts, make_round
from tests.core.swarms import inline, make_swarm
from tests.core.test_resume import PowerCut, cut_after

RIGHT, WRONG = "right", "wrong"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "traces.sqlite")


def crew():
    """One that is good at sums, one at verse."""
    good = {"adder": "sums", "poet": "verse"}

    def answer_of(name):
        return lambda task: RIGHT if task.topic == good[name] else WRONG

    return [inline(name, answer_of(name)) for name in good]


def swarm_with(path, experts=None, ledger=None, **config):
    settings = {"enable": ["stigmergy"], "config": {"stigmergy": {"store": path, **config}}}
    weights = {"weights": {"stigmergy": 1}, "window": 1}
    return make_swarm(
        crew() if experts is None else experts,
        plugin_settings=settings, swarm=weights, ledger=ledger,
    )  # fmt: skip


def work(count, prefix="t"):
    return [Task(f"{prefix}{i}", topic=("sums", "verse")[i % 2], quorum=1) for i in range(count)]


def grades(task, answer):
    return RIGHT


def protocol_of(swarm):
    return swarm.host.protocols["stigmergy"]


def sensed(swarm, topic="sums"):
    swarm.run([Task("look", topic="elsewhere", quorum=1)])
    return {one["expert"]: one for one in protocol_of(swarm).sense(topic)}


def failures(swarm):
    return next(r.errors for r in swarm.host.report() if r.name == "stigmergy")


# -- learning together -----------------------------------------------------------------------------


def test_a_swarm_starts_with_what_another_one_has_learned(path):
    with swarm_with(path) as first:
        first.run(work(40), feedback=grades)
        own = sensed(first)["adder"]
    with swarm_with(path) as second:
        answers = second.run(work(20, "u"), feedback=grades).answers
    assert list(answers.values()) == [RIGHT] * 20
    with swarm_with(path) as third:
        heard = sensed(third)["adder"]
    assert own["right"] == 20.0 - own["wrong"] > 15.0
    assert heard["right"] >= own["right"]
    assert heard["rate"] > 0.9


def test_swarms_that_work_at_the_same_time_hear_of_each_other_at_each_round(path):
    with swarm_with(path) as first, swarm_with(path) as second:
        first.run(work(10), feedback=grades)
        before = sensed(second)["adder"]
        first.run(work(10, "u"), feedback=grades)
        after = sensed(second)["adder"]
        assert after["right"] - before["right"] == sensed(first)["adder"]["right"] - before["right"]
        names = [name for name in after["by"] if name.startswith("(swarm ")]
    # Two runs of the first swarm, each by its own name.
    assert len(names) == 2


def test_own_lessons_do_not_come_back(path):
    with swarm_with(path) as alone, make_swarm(
        crew(), plugin_settings={"enable": ["stigmergy"]}, swarm={"window": 1}
    ) as unshared:  # fmt: skip
        for swarm in (alone, unshared):
            swarm.set_weights({"stigmergy": 1})
            swarm.run(work(30), feedback=grades)
            swarm.run(work(5, "u"), feedback=grades)
        for topic in ("sums", "verse"):
            assert sensed(alone, topic) == sensed(unshared, topic)


def test_members_traces_and_notes_reach_other_processes_as_members_word(path):
    with swarm_with(path) as first, swarm_with(path) as second:
        protocol_of(first).leave("sums", "poet", False, "eve", 3.0, "cannot count")
        told = sensed(second)["poet"]
        assert told["by"] == {"eve": [0.0, 3.0]}
        assert told["wrong"] <= 2.0  # The common limit of members holds here too.
        assert [note.text for note in protocol_of(second).notes("sums")] == ["cannot count"]
        assert sensed(first)["poet"]["by"] == {"eve": [0.0, 3.0]}


def test_time_is_everybodys_finished_tasks(path):
    with swarm_with(path, half_life=10.0) as first, swarm_with(path, half_life=10.0) as second:
        first.run([Task("a", topic="sums", quorum=1)], feedback=grades)
        (name,) = [n for n, one in sensed(first).items() if one["answered"]]
        before = sensed(second)[name]["answered"]
        second.run([Task(f"b{i}", topic="verse", quorum=1) for i in range(9)])
        assert sensed(second)[name]["answered"] == pytest.approx(before / 2, rel=0.1)
        # The first one's look, the second's two looks and nine tasks.
        assert sensed(first)[name]["answered"] == pytest.approx(2 ** (-13 / 10), rel=0.1)


def test_a_resumed_run_counts_its_lessons_once(path, tmp_path):
    ledger = tmp_path / "l.sqlite"
    cut = swarm_with(path, ledger=Ledger(ledger))
    with pytest.raises(PowerCut):
        cut.run(work(30), feedback=grades, on_event=cut_after(12, EventKind.OUTCOME))
    run = cut.ledger.latest
    cut.ledger.close()
    with swarm_with(path, ledger=Ledger(ledger)) as resumed:
        resumed.run(work(30), feedback=grades, resume=run)
        own = {topic: protocol_of(resumed).sense(topic) for topic in ("sums", "verse")}
    assert sum(one["answered"] + one["failed"] for rows in own.values() for one in rows) == 30.0
    with TraceStore.open(path) as store:
        counted = [row.amount for row in store.changes(0)[1] if row.channel == "finished"]
    # The outcome at which the power went was on record, and had not been shared yet.
    assert sum(counted) in (29.0, 30.0)


def test_a_wrong_grader_among_honest_swarms_cannot_decide(path):
    """Seven swarms grade rightly; one says the opposite of everything."""
    for number in range(8):
        liar = number == 3
        with swarm_with(path) as swarm:
            swarm.run(
                work(12, f"s{number}-"),
                feedback=lambda task, answer, lie=liar: WRONG if lie else RIGHT,
            )
    with swarm_with(path) as judge:
        seen = sensed(judge)
        # Its trust is lost by what it says of the adder, and with it what it says of the poet.
        assert seen["adder"]["wrong"] < 0.5 < 35.0 < seen["adder"]["right"]
        assert seen["poet"]["right"] < 0.1
        assert set(judge.run(work(12), feedback=grades).answers.values()) == {RIGHT}


def test_runs_long_ended_count_as_one_depositor(path):
    with TraceStore.open(path, clock=lambda: 1000.0) as store:
        for run in range(5):
            store.deposit(("sums", "adder"), "ok", 4.0, agent=f"run:{run}")
    with swarm_with(path) as swarm:
        assert sensed(swarm)["adder"]["by"] == {"(swarm earlier)": [20.0, 0.0]}


def test_processes_of_different_folders_share_the_file_beside_the_configuration(
    tmp_path, monkeypatch
):
    text = """
[plugins]
enable = ["stigmergy", "crewai"]
[plugins.config.stigmergy]
store = "traces.sqlite"
[plugins.config.crewai]
memory = "memory.sqlite"
[ledger]
path = "ledger.sqlite"
"""
    file = tmp_path / "swarm.toml"
    file.write_text(text)
    known = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        with Swarm.from_config(file, experts=crew()) as swarm:
            swarm.run(work(8, name), feedback=grades)
            known.append(sum(one["answered"] for one in protocol_of(swarm).sense("sums")))
            memory = swarm.host.configs["crewai"].memory
        assert memory == tmp_path / "memory.sqlite"
        assert not list(folder.iterdir())
    assert known[1] == known[0] + 4


# -- load ------------------------------------------------------------------------------------------


def loaded(path, others, capacity=2, config=None, wait=0.0):
    """Affinities when another process has so many calls out to the first of two experts."""
    experts = make_experts(2, capacity=capacity)
    protocols = []
    for _ in range(2):
        swarm = make_swarm(
            experts, plugin_settings={"config": {"stigmergy": {"store": path, **(config or {})}},
                                      "enable": ["stigmergy"]},
        )  # fmt: skip
        protocols.append(protocol_of(swarm))
    here, there = protocols
    for number in range(others):
        decision = Event(EventKind.DECISION, {"expert": "expert0"}, f"x{number}")
        there.swarmloom_observe(event=decision)
    proposal = here.swarmloom_navigate(round=make_round(1, experts))
    return here, there, proposal


def test_others_calls_beyond_the_capacity_turn_work_elsewhere(path):
    _, _, proposal = loaded(path, 4)
    assert proposal.confidence == 1.0
    assert proposal.affinity[0, 0] < proposal.affinity[0, 1] - 1.0


def test_free_places_and_experts_without_a_capacity_are_left_alone(path, tmp_path):
    for name, others, capacity in (("a", 1, 2), ("b", 9, 1_000_000)):
        _, _, proposal = loaded(str(tmp_path / name), others, capacity)
        assert np.ptp(proposal.affinity) == 0.0
        assert proposal.confidence == 0.0


def test_load_is_withdrawn_when_the_call_ends_and_seen_by_tools(path):
    here, there, _ = loaded(path, 3)
    in_flight = {one["expert"]: one["in_flight"] for one in here.sense("")}
    assert in_flight == {"expert0": pytest.approx(3.0, abs=0.1), "expert1": 0.0}
    for number in range(3):
        there.swarmloom_observe(event=Event(EventKind.BALLOT, {}, f"x{number}"))
    proposal = here.swarmloom_navigate(round=make_round(1, make_experts(2, capacity=2)))
    assert np.ptp(proposal.affinity) == 0.0
    assert [one["in_flight"] for one in here.sense("")] == [0.0, 0.0]


def test_load_of_a_process_that_fell_silent_fades(path, monkeypatch):
    here, _, proposal = loaded(path, 8, config={"load_half_life": 5.0})
    now = __import__("time").time()
    monkeypatch.setattr("swarmloom_plugins.stigmergy_traces.time.time", lambda: now + 50.0)
    later = here.swarmloom_navigate(round=make_round(1, make_experts(2, capacity=2)))
    assert proposal.affinity[0, 0] < proposal.affinity[0, 1] - 1.0
    assert np.ptp(later.affinity) == 0.0


def test_a_run_leaves_no_load_behind(path):
    with swarm_with(path, [inline(n, lambda task: RIGHT, capacity=1) for n in "ab"]) as swarm:
        swarm.run(work(6), feedback=grades)
    with TraceStore.open(path) as store:
        loads = [row.meta for row in store.changes(0)[1] if row.channel == "load"]
    assert loads
    assert set(loads) == {0}


# -- claims ----------------------------------------------------------------------------------------


def test_claims_hold_between_processes(path):
    with swarm_with(path) as first, swarm_with(path) as second:
        claim = protocol_of(first).claim("report", "ann")
        assert protocol_of(second).claim("report", "bob") is None
        claim.finish("done")
        assert protocol_of(second).result("report") == "done"


# -- failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no database" * 200, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_store_stops_the_start(path, tmp_path, content):
    (tmp_path / "traces.sqlite").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"plugins.config.stigmergy.store is '.*traces"):
        swarm_with(path)
    assert (tmp_path / "traces.sqlite").read_bytes() == content


def test_a_foreign_file_an_impossible_folder_and_a_locked_store_stop_the_start(
    path, tmp_path, monkeypatch
):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    impossible = other / "store.sqlite"
    for wrong, message in ((other, "another program"), (impossible, "folder cannot be made")):
        with pytest.raises(ConfigurationError, match=message):
            swarm_with(str(wrong))
    swarm_with(path).close()
    opened = TraceStore.open
    monkeypatch.setattr(TraceStore, "open", lambda path: opened(path, timeout=0.1))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigurationError, match="locked"):
        swarm_with(path)
    holder.close()


def test_a_store_that_fails_in_the_middle_is_reported_and_the_run_goes_on(path, monkeypatch):
    def broken(*_, **__):
        raise StoreError("disk on fire")

    with swarm_with(path) as swarm:
        swarm.run(work(4), feedback=grades)
        monkeypatch.setattr(TraceStore, "changes", broken)
        monkeypatch.setattr(TraceStore, "deposit_many", broken)
        answers = swarm.run(work(10, "u"), feedback=grades).answers
        assert len(answers) == 10
        assert "disk on fire" in failures(swarm)[0]
        monkeypatch.undo()


def test_what_could_not_be_written_is_written_later(path, monkeypatch):
    written = TraceStore.deposit_many
    left = 1

    def busy_once(store, deposits):
        nonlocal left
        left -= 1
        if left == 0:
            raise StoreError("busy")
        return written(store, deposits)

    monkeypatch.setattr(TraceStore, "deposit_many", busy_once)
    with swarm_with(path) as swarm:
        swarm.run(work(6), feedback=grades)
        assert len(failures(swarm)) == 1
    with TraceStore.open(path) as store:
        rows = store.changes(0)[1]
    assert sum(row.amount for row in rows if row.channel == "finished") == 6.0


def test_the_store_is_closed_with_the_swarm(path):
    swarm = swarm_with(path)
    swarm.close()
    with pytest.raises(StoreError, match="closed"):
        protocol_of(swarm).claim("t", "ann")


# -- snapshots -------------------------------------------------------------------------------------


def test_a_snapshot_and_its_store_together_count_nothing_twice(path):
    with swarm_with(path) as first, swarm_with(path) as other:
        other.run(work(8), feedback=grades)
        first.run(work(8, "u"), feedback=grades)
        before, state = sensed(first), first.snapshot()
        other.run(work(2, "v"), feedback=grades)
    with swarm_with(path) as restored:
        restored.restore(state)
        after = sensed(restored)
    moved = sum(after[n]["answered"] - before[n]["answered"] for n in before)
    assert moved == 1.0  # One of the two new tasks was about sums.


def test_a_protocol_without_a_swarm_needs_no_store():
    protocol = Stigmergy(StigmergyConfig())
    protocol.swarmloom_close()
    assert protocol.notes("a") == []

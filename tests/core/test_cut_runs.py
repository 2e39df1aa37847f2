"""A run cut at every single write, and gone on with: it ends as if it had never been cut."""

from __future__ import annotations

from importlib.metadata import EntryPoints

import pytest

from swarmloom.errors import InputError, LedgerError
from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from swarmloom.markers import hookimpl
from swarmloom.swarm import Swarm
from swarmloom.types import Verdict
from tests.core import crash_run

TASKS = 9


class CutError(BaseException):
    """The process ends here."""


class CutLedger(Ledger):
    """A ledger whose process ends just after one of its writes."""

    def __init__(self, path, write):
        super().__init__(path)
        self.left = write

    def append(self, run, events):
        self.left -= 1
        if self.left < 0:
            raise CutError
        super().append(run, events)
        if self.left == 0:
            raise CutError

    def finish(self, run, status):
        if self.left <= 0:
            raise CutError
        super().finish(run, status)


class LearningJudge:
    """A judge that asks for fewer answers, and trusts experts otherwise, the more it has learned.

    It draws lots too, so that its verdicts depend on everything a resumed run has to restore.
    """

    def __init__(self):
        self.learned = 0.0

    @hookimpl
    def swarmloom_judge(self, round):
        return [
            self.verdict(task, ballots, lot)
            for task, ballots, lot in zip(
                round.tasks, round.ballots, round.rng.random(len(round.tasks)), strict=True
            )
        ]

    def verdict(self, task, ballots, lot):
        given = [ballot for ballot in ballots if ballot.succeeded]
        if not given:
            return Verdict(task.id, None, {}, stop=False)
        answer = given[int(self.learned * 7) % len(given)].answer
        stop = len(given) >= 5 or lot < self.learned % 1.0
        ask = () if stop else (int(self.learned * 5) % 12, (len(given) * 5) % 12)
        return Verdict(task.id, answer, {answer: 0.5 + lot / 2}, stop=stop, ask=ask)

    @hookimpl
    def swarmloom_audit(self, outcomes):
        return [
            [int(self.learned * 3) % 12] if sum(b.audit for b in outcome.ballots) < 2 else []
            for outcome in outcomes
        ]

    @hookimpl
    def swarmloom_evolve(self, outcomes):
        self.learned = self.learned / 2 + 0.31 * len(outcomes)
        self.learned += sum(len(o.ballots) * o.verdict.confidence for o in outcomes) / 7


@pytest.fixture(autouse=True, scope="module")
def nothing_installed():
    """Spare two hundred swarms the search for installed plugins, which none of them uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swarmloom.plugin_discovery.entry_points", lambda **_: EntryPoints())
        yield


def run_it(ledger, resume=None, calls=None):
    experts = crash_run.make_experts(calls, inline=True)
    settings = crash_run.make_settings(3, [])
    with Swarm(experts, settings, plugins=[("judge", LearningJudge())], ledger=ledger) as swarm:
        run = swarm.open_run(feedback=crash_run.feedback, resume=resume)
        run.solve_now(crash_run.make_tasks(TASKS))
        return run.close()


def on_record(path):
    """What a run came to: its outcomes in order, and the answers to each task in order."""
    with Ledger(path) as ledger:
        events = list(ledger.events(ledger.find("last")))
    ballots: dict[str, list[object]] = {}
    for event in events:
        if event.kind == EventKind.BALLOT:
            ballots.setdefault(event.task, []).append(dict(event.data))
    return [(e.task, dict(e.data)) for e in events if e.kind == EventKind.OUTCOME], ballots


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    result = run_it(Ledger(path))
    return on_record(path), result


def cut(path, write):
    """Cut a run just after a write; tell whether it was still going."""
    ledger = CutLedger(path, write)
    try:
        run_it(ledger)
    except CutError:
        return True
    finally:
        Ledger.close(ledger)
    return False


@pytest.mark.row("O14")
def test_a_run_cut_at_any_write_ends_as_if_it_had_not_been(tmp_path, whole):
    (outcomes, ballots), result = whole
    write = 1
    while cut(path := tmp_path / f"{write}.sqlite", write):
        with Ledger(path) as ledger:
            (record,) = ledger.runs()
            assert record.status == "interrupted"
        resumed = run_it(Ledger(path), resume=record.id)
        assert on_record(path) == (outcomes, ballots), f"cut at write {write}"
        assert resumed.answers == result.answers
        assert (resumed.calls, resumed.cost) == (result.calls, pytest.approx(result.cost))
        assert resumed.shares == pytest.approx(result.shares)
        write += 1
    assert write > 40


def test_an_answer_on_record_is_not_asked_again(tmp_path):
    path, calls = tmp_path / "ledger.sqlite", tmp_path / "calls"
    for write in (3, 9, 2, 8, 5):
        ledger = CutLedger(path, write)
        resume = ledger.find("last") if ledger.runs() else None
        with pytest.raises(CutError):
            run_it(ledger, resume, calls)
        Ledger.close(ledger)
    with Ledger(path) as ledger:
        run = ledger.find("last")
        recorded = {
            (e.task, e.data["expert"]): e.time for e in ledger.events(run, kinds=[EventKind.BALLOT])
        }
        assert len(recorded) == ledger.record(run).calls
    made = crash_run.noted(calls)
    assert len(made) == len(recorded)
    assert all(call.time <= recorded[call.task, call.expert] for call in made)


def test_a_finished_run_is_not_opened_again(tmp_path):
    path = tmp_path / "ledger.sqlite"
    run_it(Ledger(path))
    with Ledger(path) as ledger:
        run = ledger.find("last")
    with pytest.raises(InputError, match=f"run {run} is finished"):
        run_it(Ledger(path), resume=run)


def test_a_run_that_somebody_works_on_is_not_opened(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        run = ledger.begin({})
        with pytest.raises(LedgerError, match=f"working on run {run}"):
            run_it(Ledger(path), resume=run)

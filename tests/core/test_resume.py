from __future__ import annotations

import numpy as np
import pytest

from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from tests.core.swarms import inline, make_swarm, tasks
from tests.core.test_run import Preferring, ballots_of, noisy


class PowerCut(BaseException):
    """Not an Exception, so that nothing in the run can catch it."""


def experts():
    return [inline(f"e{i}", noisy(0.5, i), price=1.0 + 0.1 * i) for i in range(4)]


def swarm_with(path, **sections):
    return make_swarm(experts(), ledger=Ledger(path), **sections)


def cut_after(events, kind=None):
    """Make an observer that cuts the power at the n-th event."""
    left = events

    def observe(event):
        nonlocal left
        left -= kind is None or event.kind == kind
        if left < 0:
            raise PowerCut

    return observe


def cut_run(path, count, observe, **sections):
    """Leave a run behind as a killed process would; its id is returned."""
    swarm = swarm_with(path, **sections)
    with pytest.raises(PowerCut):
        swarm.run(tasks(count), on_event=observe)
    run_id = swarm.ledger.runs()[0].id
    swarm.ledger.close()
    return run_id


@pytest.mark.parametrize("events", [1, 5, 12, 25, 40, 61, 80, 100])
@pytest.mark.parametrize("window", [1, 4])
def test_a_cut_run_goes_on_as_if_it_had_not_been_cut(tmp_path, events, window):
    section = {"seed": 5, "window": window}
    whole = make_swarm(experts(), swarm=section).run(tasks(25))
    run_id = cut_run(tmp_path / "l.sqlite", 25, cut_after(events), swarm=section)
    swarm = swarm_with(tmp_path / "l.sqlite", swarm=section)
    result = swarm.run(tasks(25), resume=run_id)
    assert sorted(ballots_of(result)) == sorted(ballots_of(whole))
    assert result.answers == whole.answers
    kinds = [event.kind for event in swarm.ledger.events(run_id)]
    assert kinds.count(EventKind.OUTCOME) == 25
    assert kinds.count(EventKind.BALLOT) == whole.calls == result.calls
    assert result.shares == pytest.approx(whole.shares)


def test_protocols_relearn_what_the_ledger_holds(tmp_path):
    run_id = cut_run(tmp_path / "l.sqlite", 30, cut_after(10, EventKind.OUTCOME))
    plugin = Preferring(0)
    swarm = make_swarm(experts(), ledger=Ledger(tmp_path / "l.sqlite"), plugins=[("p", plugin)])
    result = swarm.run(tasks(30), resume=run_id)
    assert [o.task.id for o in plugin.outcomes] == [o.task.id for o in result.outcomes]
    assert len(plugin.outcomes) == 30


def test_truth_and_audits_survive(tmp_path):
    ledger = Ledger(tmp_path / "l.sqlite")
    swarm = make_swarm(experts(), ledger=ledger)
    run = swarm.open_run(feedback=lambda task, answer: "right" if task.id == "t1" else None)
    run.solve_now(tasks(3))
    first = run.finished["t1"]
    swarm.ledger.close()
    again = make_swarm(experts(), ledger=Ledger(tmp_path / "l.sqlite"))
    second = again.open_run(resume=run.id).finished["t1"]
    assert second.truth == first.truth == "right"
    assert second.verdict.posterior == pytest.approx(dict(first.verdict.posterior))
    assert np.isclose(second.cost, first.cost)

"""What the protocols plan is what they take."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from swarmloom import Expert, Swarm
from swarmloom.config import Settings
from swarmloom.errors import MemoryLimitError
from swarmloom.memory_plan import MemoryPlan

EXPERTS = 10_000


def swarm_with_all():
    return Swarm(settings=Settings(plugins={"disable": ["crewai"]}))


@pytest.mark.row("D6")
def test_the_plan_is_what_is_allocated_within_a_hundredth():
    experts = [Expert(f"expert {number}") for number in range(EXPERTS)]
    swarm_with_all().adopt(experts[:2])
    swarm = swarm_with_all()
    gc.collect()
    tracemalloc.start()
    swarm.adopt(experts)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken == pytest.approx(swarm.memory_plan.bytes, rel=0.01)


def test_a_swarm_that_would_not_fit_allocates_nothing(monkeypatch):
    monkeypatch.setattr("swarmloom.memory_plan.machine_bytes", lambda: 1000)
    swarm = swarm_with_all()
    with pytest.raises(MemoryLimitError, match="limit"):
        swarm.adopt([Expert(f"expert {number}") for number in range(100)])
    assert swarm.experts == ()
    assert isinstance(swarm.memory_plan, MemoryPlan)

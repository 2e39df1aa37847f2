from __future__ import annotations

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.choice.limits import Limits
from swarmloom_protocols.bio_routing.choice.policies import Chooser
from swarmloom_protocols.bio_routing.no_route import NoRouteError

NAMES = ["swift", "sure", "cheap"]
# Success of each of a hundred calls, seconds and cost of each.
KNOWN = {"swift": (0.5, 1.0, 2.0), "sure": (0.95, 8.0, 5.0), "cheap": (0.7, 4.0, 0.1)}


def seasoned(**keywords):
    chooser = Chooser(NAMES, 2, 1, discount=1.0, health_step=0.0, **keywords)
    for name, (ok, seconds, cost) in KNOWN.items():
        for _ in range(100):
            ticket = chooser.pick(0, allowed=np.array([n == name for n in NAMES]), limits=Limits())
            chooser.done(ticket, ok, seconds, cost)
    return chooser


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("limits", "who"),
    [
        (Limits(), "sure"),
        (Limits(max_seconds=5.0), "cheap"),
        (Limits(max_seconds=2.0), "swift"),
        (Limits(min_reliability=0.9), "sure"),
        (Limits(max_cost=1.0), "cheap"),
        (Limits(max_cost=3.0, max_seconds=2.0, min_reliability=0.4), "swift"),
    ],
)
def test_the_best_of_those_within_the_limits(limits, who):
    assert seasoned(limits=limits).pick(0).expert == who
    assert seasoned().pick(0, limits=limits).expert == who


@pytest.mark.row("B10")
def test_a_tasks_own_limits_hold_for_it_alone():
    chooser = seasoned(limits=Limits(max_seconds=5.0))
    assert chooser.pick(0, limits=Limits(min_reliability=0.9)).expert == "sure"
    assert chooser.pick(0).expert == "cheap"


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_seconds=0.5), r"max_seconds 0.5 \('swift' is the soonest, after 1 s\)"),
        (
            Limits(min_reliability=0.995),
            r"min_reliability 0.995 \('sure' is the most reliable, at most",
        ),
        (Limits(max_cost=0.0), r"max_cost 0 \('cheap' is the cheapest, at 0.1\)"),
        (Limits(max_seconds=0.5, max_cost=0.0), "max_seconds 0.5 .* or max_cost 0"),
        (
            Limits(max_seconds=2.0, min_reliability=0.9, max_cost=9.0),
            "min_reliability 0.9 together with max_seconds 2 together with max_cost 9",
        ),
    ],
)
def test_where_nobody_keeps_the_limits_the_limit_is_named(limits, message):
    chooser = seasoned()
    before, load = chooser.reliability(), chooser.load
    with pytest.raises(NoRouteError, match=message):
        chooser.pick(0, limits=limits)
    np.testing.assert_array_equal(chooser.reliability(), before)
    np.testing.assert_array_equal(chooser.load, load)
    assert chooser.pick(0).expert == "sure"


def test_nobody_allowed():
    chooser = seasoned()
    for name in NAMES:
        chooser.withdraw(name)
    with pytest.raises(NoRouteError, match="no expert is allowed"):
        chooser.pick(0)


@pytest.mark.row("B10")
def test_waiting_counts_among_the_seconds():
    chooser = seasoned(limits=Limits(max_seconds=5.0))
    chooser.snapshot([0, 0, 4])
    assert chooser.pick(0).expert == "swift"


@pytest.mark.row("B10")
def test_unknown_experts_are_tried_whatever_the_limits():
    limits = Limits(max_seconds=0.1, min_reliability=0.99, max_cost=0.0)
    assert Chooser(NAMES, 1, 1, limits=limits).pick(0).expert in NAMES


@pytest.mark.row("B10")
@pytest.mark.parametrize("limits", [Limits(min_reliability=0.9), Limits(max_seconds=3.0)])
def test_what_has_evaporated_is_tried_again(limits):
    chooser = Chooser(["a"], 1, 1, discount=0.99, limits=limits)
    for _ in range(30):
        ticket = chooser.pick(0, limits=Limits())
        chooser.done(ticket, limits.min_reliability is None, 9.0)
    with pytest.raises(NoRouteError):
        chooser.pick(0)
    chooser.evaporate(2000)
    assert chooser.pick(0).expert == "a"


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"max_seconds": 0.0}, "max_seconds"),
        ({"max_seconds": math.nan}, "max_seconds"),
        ({"min_reliability": 1.5}, "min_reliability"),
        ({"min_reliability": math.nan}, "min_reliability"),
        ({"max_cost": -1.0}, "max_cost"),
    ],
)
def test_impossible_limits_are_refused(keywords, message):
    with pytest.raises(InputError, match=message):
        Limits(**keywords)

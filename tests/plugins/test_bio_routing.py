"""The bio-routing plugin on hand-made rounds, and in a crew."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from swarmloom.cycle import validators
from swarmloom.errors import InputError
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.types import Ballot, Expert, Message, Route, Task
from swarmloom_plugins.bio_routing import (
    BioRouting,
    BioRoutingConfig,
    Link,
    swarmloom_register_protocols,
    swarmloom_register_tools,
)
from tests.core.rounds import make_experts, make_round
from tests.core.swarms import inline, make_swarm
from tests.plugins.crews import RIGHT, graded, outcome_of, share_right

CHECK = validators()["swarmloom_navigate"]


def swarm_of(experts, protocol=None):
    crew = make_experts(experts) if isinstance(experts, int) else tuple(experts)
    return SimpleNamespace(
        experts=crew,
        settings=SimpleNamespace(device="cpu"),
        host=SimpleNamespace(protocols={"bio_routing": protocol}),
    )


def make_protocol(experts=2, **config):
    protocol = BioRouting(BioRoutingConfig(**config))
    protocol.swarmloom_initialize(swarm=swarm_of(experts, protocol))
    return protocol


def navigate(protocol, round_):
    proposal = protocol.swarmloom_navigate(round=round_)
    CHECK(proposal, {"round": round_})
    return proposal.affinity


def round_of(*topics, experts=2, **options):
    tasks = [Task(f"r{i}", topic=topic) for i, topic in enumerate(topics)]
    return make_round(tasks, experts, **options)


def test_nothing_known_is_no_opinion():
    np.testing.assert_array_equal(navigate(make_protocol(), round_of("a", "b")), np.zeros((2, 2)))


def test_right_answers_attract_on_their_topic():
    protocol = make_protocol()
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 20 + [graded("a", 1, False)] * 20)
    seen = np.diff(navigate(protocol, round_of("a")))[0, 0]
    assert seen < -3.0


def test_failed_call_repels_also_when_nothing_is_graded():
    protocol = make_protocol()
    failed = Ballot("t", 0, None, error="timeout", latency=60.0)
    outcome = outcome_of(Task("t", topic="a"), failed, Ballot("t", 1, "x", latency=1.0))
    protocol.swarmloom_evolve(outcomes=[outcome] * 10)
    affinity = navigate(protocol, round_of("a"))
    assert affinity[0, 0] < affinity[0, 1] - 1.0
    health = {row["expert"]: row["health"] for row in protocol.describe("a")}
    assert health["expert0"] < 0.5
    assert health["expert1"] == 1.0


def test_lone_ungraded_answer_shows_nothing_of_its_being_right():
    protocol = make_protocol()
    alone = outcome_of(Task("t", topic="a"), Ballot("t", 0, "x"), posterior={"x": 1.0})
    protocol.swarmloom_evolve(outcomes=[alone] * 50)
    np.testing.assert_allclose(navigate(protocol, round_of("a")), 0.0, atol=1e-6)


def test_verdicts_on_several_answers_weigh_less_than_grades():
    ballots = Ballot("t", 0, "x"), Ballot("t", 1, "y")
    gaps = []
    for truth in (None, "x"):
        protocol = make_protocol()
        task = Task("t", topic="a")
        outcome = outcome_of(task, *ballots, truth=truth, posterior={"x": 1.0, "y": 0.0})
        protocol.swarmloom_evolve(outcomes=[outcome] * 5)
        gaps.append(np.diff(navigate(protocol, round_of("a")))[0, 0])
    assert gaps[1] < gaps[0] < 0.0


def test_load_beyond_the_slots_repels():
    crew = make_experts(2, capacity=8)
    protocol = make_protocol(crew, slots=2)
    free = navigate(protocol, round_of("a", experts=crew, in_flight=[1, 0]))
    loaded = navigate(protocol, round_of("a", experts=crew, in_flight=[4, 0]))
    assert free[0, 0] == free[0, 1]
    assert loaded[0, 0] < loaded[0, 1]


def test_other_dispatchers_make_own_calls_weigh_more():
    crew = make_experts(2, capacity=8)
    seen = {}
    for dispatchers in (1, 2, 6):
        protocol = make_protocol(crew, slots=1, dispatchers=dispatchers)
        seen[dispatchers] = navigate(protocol, round_of("a", experts=crew, in_flight=[2, 0]))
    np.testing.assert_array_equal(seen[1], seen[2])
    assert seen[6][0, 0] < seen[1][0, 0]
    protocol = make_protocol(crew, slots=1, dispatchers=6)
    six = navigate(protocol, round_of("a", experts=crew, in_flight=[6, 0]))
    one = navigate(make_protocol(crew, slots=1), round_of("a", experts=crew, in_flight=[18, 0]))
    np.testing.assert_allclose(six, one)


def test_dear_experts_are_less_attractive_where_cost_counts():
    crew = (Expert("dear", price=3.0), Expert("cheap", price=1.0))
    plain = navigate(make_protocol(crew), round_of("a", experts=crew))
    assert plain[0, 0] == plain[0, 1]
    weighed = navigate(make_protocol(crew, cost_weight=0.2), round_of("a", experts=crew))
    # At 1.5 and 0.5 times the mean price: 0.1 below and above a rate of 1/2.
    np.testing.assert_allclose(weighed, [[np.log(0.4 / 0.6), np.log(0.6 / 0.4)]], rtol=1e-5)
    free = (Expert("a", price=0.0), Expert("b", price=0.0))
    assert not navigate(make_protocol(free, cost_weight=0.2), round_of("a", experts=free)).any()


def test_slots_are_at_most_the_capacity():
    crew = (Expert("narrow", capacity=1), Expert("wide", capacity=9))
    protocol = make_protocol(crew, slots=4)
    affinity = navigate(protocol, round_of("a", experts=crew, in_flight=[1, 1]))
    assert affinity[0, 0] < affinity[0, 1]


def test_a_batch_is_spread_over_slots_and_only_over_allowed_experts():
    crew = make_experts(3, capacity=10)
    protocol = make_protocol(crew, slots=2)
    allowed = np.ones((6, 3), bool)
    allowed[:, 2] = False
    affinity = navigate(protocol, round_of(*"aaaaaa", experts=crew, allowed=allowed))
    chosen = np.where(allowed, affinity, -np.inf).argmax(axis=1)
    assert np.bincount(chosen, minlength=3).tolist() == [3, 3, 0]


def test_replayed_outcomes_give_the_same_state():
    outcomes = [graded("ab"[i % 2], i % 3, i % 4 > 0, latency=1.0 + i) for i in range(40)]
    at_once, one_by_one = make_protocol(3), make_protocol(3)
    at_once.swarmloom_evolve(outcomes=outcomes)
    for outcome in outcomes:
        one_by_one.swarmloom_evolve(outcomes=[outcome])
    assert at_once.describe("a") == one_by_one.describe("a")
    np.testing.assert_array_equal(
        navigate(at_once, round_of("a", "b", experts=3)),
        navigate(one_by_one, round_of("a", "b", experts=3)),
    )


def test_estimates_stay_with_experts_when_the_crew_changes():
    protocol = make_protocol(2)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 9 + [graded("a", 1, False)] * 9)
    good, bad = navigate(protocol, round_of("a"))[0]
    names = make_experts(3)
    crew = (names[2], names[1], names[0])
    protocol.swarmloom_initialize(swarm=swarm_of(crew))
    affinity = navigate(protocol, round_of("a", experts=crew))[0]
    assert affinity[1:].tolist() == [bad, good]
    assert affinity[0] == 0.0


def test_snapshot_round_trip_into_another_crew():
    protocol = make_protocol(2)
    outcomes = [graded("a", i % 2, i % 3 > 0, latency=2.0) for i in range(20)]
    protocol.swarmloom_evolve(outcomes=outcomes)
    crew = make_experts(2)[::-1]
    other = make_protocol(crew)
    other.swarmloom_restore(state=protocol.swarmloom_snapshot())
    np.testing.assert_array_equal(
        navigate(other, round_of("a", experts=crew))[0], navigate(protocol, round_of("a"))[0, ::-1]
    )


def test_no_experts_and_no_tasks():
    assert navigate(make_protocol(0), round_of("a", experts=0)).shape == (1, 0)
    assert navigate(make_protocol(2), round_of()).shape == (0, 2)


def test_memory_plan_is_what_is_reserved():
    swarm, plan = swarm_of(50), MemoryPlan()
    protocol = BioRouting(BioRoutingConfig(expected_topics=20))
    protocol.swarmloom_plan_memory(plan=plan, experts=50)
    protocol.swarmloom_initialize(swarm=swarm)
    protocol.swarmloom_initialize(swarm=swarm)
    arrays = plan.table()[:2]
    assert {array.region for array in arrays} == {Region.TRAILS}
    assert sum(array.bytes for array in arrays) == pytest.approx(protocol.nbytes, rel=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"load_weight": -1},
        {"cost_weight": -1},
        {"dispatchers": 0},
        {"max_latency": 0},
        {"min_reliability": 1.5},
        {"strict": "perhaps"},
        {"slots": 0},
        {"discount": 0},
        {"links": [{"source": "a", "target": "b", "reliability": 2}]},
        {"lambda": 0.4},
    ],
)
def test_wrong_configuration_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        BioRoutingConfig(**wrong)


def test_every_key_is_described():
    for model in (BioRoutingConfig, Link):
        assert all(field.description for field in model.model_fields.values())


# -- messages --------------------------------------------------------------------------------------


def test_everybody_reaches_every_expert_at_what_was_measured():
    protocol = make_protocol(discount=1.0, health_step=0.0)
    outcomes = [graded("a", 0, True, latency=3.0)] * 3
    protocol.swarmloom_evolve(outcomes=outcomes)
    route = protocol.swarmloom_route(message=Message("manager", "expert0"))
    assert route == Route(("manager", "expert0"), 3.0, 0.8)
    assert protocol.swarmloom_route(message=Message("manager", "nobody")) is None
    strict = Message("manager", "expert0", min_reliability=0.81)
    assert protocol.swarmloom_route(message=strict) is None


LINKS = [
    {"source": "lead", "target": "relay", "latency": 1.0, "reliability": 0.9},
    {"source": "relay", "target": "expert0", "latency": 1.0, "reliability": 0.9},
    {"source": "lead", "target": "expert0", "latency": 5.0, "reliability": 0.95},
]


@pytest.mark.row("B10")
@pytest.mark.parametrize(
    ("limits", "path"),
    [
        ({}, ("lead", "relay", "expert0")),
        ({"min_reliability": 0.85}, ("lead", "expert0")),
        ({"min_reliability": 0.85, "max_latency": 4.0}, None),
    ],
)
def test_configured_links_limit_the_ways(limits, path):
    protocol = make_protocol(links=LINKS)
    route = protocol.swarmloom_route(message=Message("lead", "expert0", **limits))
    assert (route.path if route else None) == path


def test_unmeasured_link_takes_what_is_known_of_its_target():
    links = [{"source": "lead", "target": "relay"}, {"source": "relay", "target": "expert1"}]
    protocol = make_protocol(links=links, discount=1.0)
    protocol.swarmloom_evolve(outcomes=[graded("a", 1, True, latency=2.0)] * 4)
    route = protocol.swarmloom_route(message=Message("lead", "expert1"))
    assert route is not None
    assert route.latency == 2.0
    assert route.reliability == pytest.approx(5 / 6)


# -- tools -----------------------------------------------------------------------------------------


@pytest.fixture
def tools():
    found = {}
    swarmloom_register_tools(lambda tool: found.setdefault(tool.name, tool))
    return found


def test_registration(tools):
    registered = []
    swarmloom_register_protocols(registered.append)
    assert registered == [BioRouting]
    assert sorted(tools) == [
        "fail_expert",
        "find_route",
        "restore_expert",
        "set_constraint",
        "show_trails",
    ]


def test_tools_show_trails_and_find_routes(tools):
    protocol = make_protocol(links=LINKS)
    protocol.swarmloom_evolve(outcomes=[graded("a", 1, True, latency=2.0)] * 4)
    swarm = swarm_of(2, protocol)
    rows = json.loads(tools["show_trails"](swarm, topic="a"))
    assert [row["expert"] for row in rows] == ["expert1", "expert0"]
    assert rows[0]["latency"] == 2.0
    ends = {"source": "lead", "destination": "expert0"}
    assert json.loads(tools["find_route"](swarm, **ends))["route"] == ["lead", "relay", "expert0"]
    refused = json.loads(tools["find_route"](swarm, min_reliability="0.99", **ends))
    assert refused["route"] is None
    assert "reliability ≥ 0.99" in refused["reason"]
    with pytest.raises(InputError, match="max_latency"):
        tools["find_route"](swarm, max_latency="soon", **ends)


def test_the_receiver_whom_nobody_knows_is_named(tools):
    told = json.loads(
        tools["find_route"](swarm_of(2, make_protocol()), source="lead", destination="nobody")
    )
    assert told["route"] is None
    assert "'nobody' is no member" in told["reason"]


# -- in a crew -------------------------------------------------------------------------------------


def test_crew_that_is_routed_beats_random_choice():
    gains = [share_right(seed, ["bio_routing"]) - share_right(seed, []) for seed in range(3)]
    assert min(gains) > 0.08
    assert np.mean(gains) > 0.15


def test_expert_that_begins_to_fail_is_left_without_any_grade():
    asked = []

    def flaky(task):
        asked.append("flaky")
        return RIGHT if int(task.id[1:]) < 100 else None

    def steady(task):
        asked.append("steady")
        return RIGHT

    experts = [inline("flaky", flaky, price=0.1), inline("steady", steady)]
    swarm = make_swarm(
        experts,
        plugin_settings={"enable": ["bio_routing"]},
        swarm={"window": 4, "quorum": 1},
    )
    with swarm:
        answers = swarm.run([Task(f"t{i}", quorum=1) for i in range(300)]).answers
    assert set(answers.values()) == {RIGHT}
    assert asked[:50].count("flaky") == 50  # The cheaper one, as long as both do well.
    assert asked[-100:].count("flaky") < 10

"""Experts taken out and brought back by hand, and limits that experts have to keep."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from swarmloom import Ledger, Swarm
from swarmloom.config import Settings
from swarmloom.cycle import validators
from swarmloom.errors import ConfigurationError, InputError
from swarmloom.events import EventKind
from swarmloom.types import Ballot, Expert, Message, Task
from swarmloom_plugins.bio_routing import BioRouting, BioRoutingConfig
from swarmloom_plugins.bio_routing_admission import Constraint
from tests.core.rounds import make_experts, make_round
from tests.core.swarms import answering, inline, make_swarm
from tests.plugins.crews import RIGHT, graded, outcome_of

CHECK = validators()["swarmloom_admit"]


def made(experts=3, **config):
    """A protocol, and the events that it emits."""
    crew = make_experts(experts) if isinstance(experts, int) else tuple(experts)
    protocol, events = BioRouting(BioRoutingConfig(**config)), []
    protocol.swarmloom_initialize(
        swarm=SimpleNamespace(
            experts=crew,
            settings=SimpleNamespace(device="cpu"),
            emit=lambda kind, data: events.append((kind, data)),
        )
    )
    return protocol, events


def admit(protocol, round_):
    found = protocol.swarmloom_admit(round=round_)
    if found is None:
        return round_.allowed.tolist()
    CHECK(found, {"round": round_})
    return found.tolist()


def round_of(*topics, experts=3, **options):
    tasks = [Task(f"r{i}", topic=topic) for i, topic in enumerate(topics)]
    return make_round(tasks, experts, **options)


# -- taken out by hand -----------------------------------------------------------------------------


def test_who_is_taken_out_gets_no_task_until_brought_back():
    protocol, events = made()
    assert protocol.swarmloom_admit(round=round_of("a")) is None
    protocol.take_out("expert1", reason="rate limit", by="ada")
    assert admit(protocol, round_of("a", "b")) == [[True, False, True]] * 2
    assert protocol.away == ["expert1"]
    assert not {r["expert"]: r["in_service"] for r in protocol.describe("a")}["expert1"]
    protocol.bring_back("expert1")
    assert protocol.swarmloom_admit(round=round_of("a")) is None
    assert [kind for kind, _ in events] == ["expert_failed", "expert_restored"]
    assert events[0][1]["reason"] == "rate limit"
    assert events[0][1]["by"] == "ada"


def test_brought_back_its_failures_are_forgotten_and_its_skill_is_not():
    protocol, _ = made()
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True), graded("b", 0, False)] * 20)
    before = of_expert0(protocol, "a")
    errors = [Ballot("x", 0, None, error="no connection")] * 15
    protocol.swarmloom_evolve(outcomes=[outcome_of(Task("x", topic="a"), *errors)])
    ill = of_expert0(protocol, "a")
    assert ill["health"] < 0.5
    assert ill["reliability"] < before["reliability"] - 0.1
    protocol.take_out("expert0")
    protocol.bring_back("expert0")
    well = of_expert0(protocol, "a")
    assert well["health"] == 1.0
    assert well["reliability"] == pytest.approx(before["reliability"], abs=0.02)
    assert of_expert0(protocol, "b")["reliability"] < 0.1


def of_expert0(protocol, topic):
    return next(row for row in protocol.describe(topic) if row["expert"] == "expert0")


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        (["expert9"], "'expert9' is unknown; allowed: expert0, expert1.*did you mean"),
        (["expert0", "expert0"], "taken out before"),
        (["expert0", "expert1"], "last expert in service"),
    ],
)
def test_nobody_unknown_twice_or_last_can_be_taken_out(calls, message):
    protocol, _ = made(2)
    *fine, wrong = calls
    for name in fine:
        protocol.take_out(name)
    with pytest.raises(InputError, match=message):
        protocol.take_out(wrong)
    assert protocol.away == fine
    with pytest.raises(InputError, match="was not taken out; taken out: "):
        protocol.bring_back("expert1")


def test_no_message_passes_who_is_taken_out():
    links = [("lead", "relay", 1.0), ("relay", "expert0", 1.0), ("lead", "expert0", 5.0)]
    settings = [dict(zip(("source", "target", "latency"), link, strict=True)) for link in links]
    protocol, _ = made(links=settings)
    message = Message("lead", "expert0")
    assert protocol.swarmloom_route(message=message).path == ("lead", "relay", "expert0")
    protocol.take_out("relay")
    assert protocol.swarmloom_route(message=message).path == ("lead", "expert0")
    protocol.take_out("expert0")
    assert protocol.swarmloom_route(message=message) is None
    protocol.bring_back("relay")
    protocol.bring_back("expert0")
    assert protocol.swarmloom_route(message=message).path == ("lead", "relay", "expert0")


def test_tasks_that_only_those_taken_out_can_do_are_refused_with_a_warning():
    crew = (Expert("law", skills=frozenset({"law"})), Expert("tax", skills=frozenset({"tax"})))
    protocol, events = made(crew)
    protocol.take_out("law")
    tasks = [Task("x", topic="contract", demands=frozenset({"law"}))]
    round_ = make_round(tasks, crew, allowed=[[True, False]])
    for _ in range(3):
        assert admit(protocol, round_) == [[False, False]]
    warnings = [data for kind, data in events if kind == EventKind.WARNING]
    assert len(warnings) == 1
    assert "'contract': all who could do them were taken out ('law')" in warnings[0]["message"]
    protocol.bring_back("law")
    admit(protocol, round_)
    assert events[-1] == (EventKind.WARNING_OVER, warnings[0])


# -- limits ----------------------------------------------------------------------------------------


def learned(**config):
    """Three experts on topic a: good and slow, bad and fast, unknown."""
    protocol, events = made(**config)
    bad = [graded("a", 1, right, latency=1.0) for right in (False, False, True)]
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True, latency=9.0), *bad] * 40)
    return protocol, events


@pytest.mark.row("B10")
def test_experts_that_do_not_keep_the_limits_are_left_out_and_unknown_ones_tried():
    assert admit(learned(min_reliability=0.8)[0], round_of("a")) == [[True, False, True]]
    protocol, _ = learned(max_latency=5.0)
    assert admit(protocol, round_of("a")) == [[False, True, True]]
    protocol, events = learned(max_latency=5.0, min_reliability=0.8)
    assert admit(protocol, round_of("a", "b")) == [[False, False, True], [False, True, True]]
    assert events == []


def test_the_wait_counts_against_the_limit_on_latency():
    protocol, _ = learned(max_latency=10.0, slots=2)
    assert admit(protocol, round_of("a", in_flight=[1, 0, 0]))[0][0]
    assert not admit(protocol, round_of("a", in_flight=[2, 0, 0]))[0][0]


def unmeetable(**config):
    protocol, events = learned(min_reliability=0.999, **config)
    calls = [graded("a", expert, right) for right in (False, True) for expert in (0, 2)]
    protocol.swarmloom_evolve(outcomes=calls * 40)
    return protocol, events


def test_a_limit_that_nobody_keeps_is_named_and_the_best_take_the_tasks():
    protocol, events = unmeetable()
    for _ in range(2):
        assert admit(protocol, round_of("a")) == [[True, True, True]]
    (kind, data), *more = events
    assert (kind, more) == (EventKind.WARNING, [])
    assert data["plugin"] == "bio_routing"
    assert (
        "no route for tasks on 'a': no expert in service keeps min_reliability 0.999"
        in (data["message"])
    )
    assert "'expert0' comes nearest" in data["message"]
    assert "given to the best that is left" in data["message"]
    protocol.set_constraint(Constraint())
    assert events[1] == (EventKind.WARNING_OVER, data)
    assert events[2][0] == EventKind.CONSTRAINT_SET
    assert protocol.swarmloom_admit(round=round_of("a")) is None


def test_strict_refuses_what_nobody_may_take():
    protocol, events = unmeetable(strict=True)
    assert admit(protocol, round_of("a")) == [[False, False, False]]
    assert "they are refused" in events[0][1]["message"]
    assert admit(protocol, round_of("b")) == [[True, True, True]]


def test_a_task_whose_good_experts_failed_goes_to_the_others_and_an_answered_one_does_not():
    protocol, events = learned(min_reliability=0.8)
    left = [[False, True, False]]
    failed = [[Ballot("r0", 0, None, error="no"), Ballot("r0", 2, None, error="no")]]
    assert admit(protocol, round_of("a", allowed=left, ballots=failed)) == left
    answered = [[Ballot("r0", 0, "x")]]
    assert admit(protocol, round_of("a", allowed=left, ballots=answered)) == [[False] * 3]
    assert events == []


def test_limits_together_and_each_are_named():
    constraint = Constraint(max_latency=2.0, min_reliability=0.8)
    rates, seconds = np.array([0.9, 0.3]), np.array([9.0, 1.0])
    both = constraint.refusal("ab", rates, seconds)
    assert both == "min_reliability 0.8 together with max_latency 2 s"
    each = constraint.refusal("ab", rates - 0.2, seconds + 4)
    assert "'a' comes nearest, with 0.7" in each
    assert "'b' is the soonest, after 5 s" in each
    for wrong in ({"max_latency": 0.0}, {"max_latency": np.nan}, {"min_reliability": 1.1}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is .*; allowed: "):
            Constraint(**wrong)


# -- state -----------------------------------------------------------------------------------------


def test_switches_survive_snapshot_and_restore():
    protocol, _ = learned()
    protocol.take_out("expert2")
    protocol.set_constraint(Constraint(5.0, 0.9, True))
    state = protocol.swarmloom_snapshot()
    other, _ = made()
    other.swarmloom_restore(state=state)
    assert other.away == ["expert2"]
    assert admit(other, round_of("a")) == admit(protocol, round_of("a")) == [[False, False, False]]
    configured, _ = made(min_reliability=0.7)
    configured.swarmloom_restore(state=made()[0].swarmloom_snapshot())
    assert configured.swarmloom_snapshot()["constraint"] == []
    assert configured.swarmloom_admit(round=round_of("a")) is not None


@pytest.mark.parametrize(
    "damage",
    [{"away": None}, {"constraint": [{"max_latency": -1}]}, {"constraint": [3]}, {"estimates": {}}],
)
def test_of_a_damaged_state_nothing_is_taken(damage):
    protocol, _ = learned()
    protocol.take_out("expert2")
    before = protocol.swarmloom_snapshot()
    with pytest.raises(InputError):
        protocol.swarmloom_restore(state={**made()[0].swarmloom_snapshot(), **damage})
    after = protocol.swarmloom_snapshot()
    assert after["away"] == before["away"]
    np.testing.assert_array_equal(after["estimates"]["right"], before["estimates"]["right"])


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [("max_latency", 0, "a number > 0, or unset"), ("min_reliability", 2, "a number ≥ 0 and ≤ 1"),
     ("dispatchers", 0, "a whole number ≥ 1"), ("strict", "maybe", "true or false")],
)  # fmt: skip
def test_bad_configuration_names_key_value_and_what_is_allowed(tmp_path, key, value, allowed):
    path = tmp_path / "swarm.toml"
    path.write_text(f"[plugins.config.bio_routing]\n{key} = {json.dumps(value)}\n", "utf-8")
    with pytest.raises(ConfigurationError) as found:
        Swarm.from_config(path)
    for part in ("swarm.toml", f"plugins.config.bio_routing.{key}", str(value), allowed):
        assert part in str(found.value)


# -- in a crew -------------------------------------------------------------------------------------


def crew_of(experts, *, ledger=None, **config):
    return make_swarm(
        experts,
        plugin_settings={"enable": ["bio_routing"], "config": {"bio_routing": config}},
        swarm={"window": 4, "quorum": 1},
        ledger=ledger,
    )


def work(count):
    return [Task(f"t{number}", topic="a", quorum=1) for number in range(count)]


def tool(swarm, name, **arguments):
    return json.loads(swarm.tools()[name](swarm, **arguments))


def test_tools_take_out_bring_back_and_are_on_record():
    asked = []

    def said(name):
        return lambda task: asked.append(name) or RIGHT

    experts = [inline("a", said("a"), price=1), inline("b", said("b"), price=2)]
    with crew_of(experts) as swarm:
        with swarm.open_run() as run:
            run.solve_now(work(4))
            told = tool(swarm, "fail_expert", expert="a", reason="maintenance", by="ada")
            assert told == {"taken_out": ["a"]}
            run.solve_now(work(8)[4:])
            assert tool(swarm, "restore_expert", expert="a") == {"restored": "a", "taken_out": []}
            run.solve_now(work(12)[8:])
        with pytest.raises(InputError, match="unknown"):
            tool(swarm, "fail_expert", expert="c")
        notices = swarm.ledger.view(run.id).notices
    assert asked == ["a"] * 4 + ["b"] * 4 + ["a"] * 4
    assert [event.kind for event in notices] == ["expert_failed", "expert_restored"]
    assert notices[0].data["reason"] == "maintenance"


def test_set_constraint_tells_which_topics_nobody_serves():
    with crew_of([inline("a", answering("wrong")), inline("b", answering(None))]) as swarm:
        run = swarm.run(work(60), feedback=lambda task, answer: RIGHT)
        assert set(run.answers.values()) == {"wrong"}
        told = tool(swarm, "set_constraint", min_reliability="0.9", strict="yes", by="ada")
        assert told["constraint"] == {
            "max_latency": None, "min_reliability": 0.9, "strict": True}  # fmt: skip
        assert "min_reliability 0.9 (" in told["unmet"]["a"]
        refused = swarm.run(work(3))
        assert set(refused.answers.values()) == {None}
        assert refused.calls == 0
        for run in (refused, swarm.run(work(3))):
            (warning,) = swarm.ledger.view(run.run_id).warnings
            assert warning.data["message"].startswith("no route for tasks on 'a'")
        assert tool(swarm, "set_constraint")["unmet"] == {}
        assert set(swarm.run(work(3)).answers.values()) == {"wrong"}
        for wrong in ({"strict": "perhaps"}, {"max_latency": "soon"}, {"min_reliability": 3}):
            with pytest.raises(InputError, match=f"{next(iter(wrong))} is .*allowed"):
                tool(swarm, "set_constraint", **wrong)


def test_a_resumed_run_still_knows_who_was_taken_out_and_the_limits(tmp_path):
    path = tmp_path / "ledger.sqlite"
    experts = [inline("a", answering("a"), price=1), inline("b", answering("b"), price=2)]
    with crew_of(experts, ledger=Ledger(path)) as swarm, swarm.open_run() as run:
        run.solve_now(work(4))
        tool(swarm, "fail_expert", expert="a")
        tool(swarm, "set_constraint", max_latency=30)
        run.close("interrupted")
    with crew_of(experts, ledger=Ledger(path)) as swarm:
        answers = swarm.run(work(8), resume=run.id).answers
        protocol = swarm.host.protocols["bio_routing"]
        assert protocol.away == ["a"]
        assert protocol.swarmloom_snapshot()["constraint"][0]["max_latency"] == 30
    assert list(answers.values()) == ["a"] * 4 + ["b"] * 4


def test_without_the_plugin_the_tools_say_so():
    with crew_of([inline("a", answering("a"))]) as swarm:
        tools = swarm.tools()
        swarm.disable("bio_routing")
        with pytest.raises(InputError, match="not active"):
            tools["fail_expert"](swarm, expert="a")


def test_the_settings_of_a_swarm_take_limits():
    config = {"bio_routing": {"max_latency": 3.0, "strict": True}}
    settings = Settings(plugins={"enable": ["bio_routing"], "config": config})
    with Swarm([inline("a", answering("x"))], settings) as swarm:
        assert swarm.run(work(2)).answers == {"t0": "x", "t1": "x"}

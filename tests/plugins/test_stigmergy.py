"""The stigmergy plugin on hand-made rounds, and in a crew."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from swarmloom.cycle import validators
from swarmloom.errors import InputError
from swarmloom.memory_plan import MemoryPlan, Region
from swarmloom.types import Ballot, Task
from swarmloom_plugins.stigmergy import Stigmergy, StigmergyConfig
from swarmloom_protocols.stigmergy.trails import BYTES_PER_TRAIL
from tests.core.rounds import make_experts, make_round
from tests.plugins.crews import graded, outcome_of, share_right

CHECK = validators()["swarmloom_navigate"]


def swarm_of(experts, protocol=None):
    crew = make_experts(experts) if isinstance(experts, int) else tuple(experts)
    return SimpleNamespace(
        experts=crew,
        settings=SimpleNamespace(device="cpu"),
        host=SimpleNamespace(protocols={"stigmergy": protocol}),
    )


def make_protocol(experts=2, **config):
    protocol = Stigmergy(StigmergyConfig(**config))
    protocol.swarmloom_initialize(swarm=swarm_of(experts, protocol))
    return protocol


def round_of(*topics, experts=2, seed=0):
    tasks = [Task(f"r{i}", topic=topic) for i, topic in enumerate(topics)]
    return make_round(tasks, experts, seed=seed)


def navigate(protocol, round_):
    proposal = protocol.swarmloom_navigate(round=round_)
    CHECK(proposal, {"round": round_})
    return proposal


def test_nothing_known_is_no_opinion():
    proposal = navigate(make_protocol(), round_of("a", "b"))
    assert proposal.confidence == 0.0
    assert np.ptp(proposal.affinity) == 0.0
    np.testing.assert_allclose(proposal.affinity, 0.0, atol=0.01)


def test_what_worked_on_a_topic_is_preferred_there_and_pooled_elsewhere():
    protocol = make_protocol()
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 20 + [graded("a", 1, False)] * 20)
    proposal = navigate(protocol, round_of("a", "unseen", "a"))
    seen, unseen, again = proposal.affinity[:, 0] - proposal.affinity[:, 1]
    assert seen > unseen > 1.0
    assert again == seen
    assert 0.5 < proposal.confidence < 1.0


def test_failed_call_is_a_failure_also_when_nothing_is_graded():
    protocol = make_protocol()
    task = Task("t", topic="a")
    failed = Ballot("t", 0, None, error="timeout")
    protocol.swarmloom_evolve(outcomes=[outcome_of(task, failed, Ballot("t", 1, "x"))] * 10)
    proposal = navigate(protocol, round_of("a"))
    assert proposal.affinity[0, 0] < proposal.affinity[0, 1] - 1.0
    assert proposal.confidence > 0.4
    assert protocol.sense("a")[-1]["failed"] == 10.0


def test_lone_ungraded_answer_shows_nothing_of_its_being_right():
    protocol = make_protocol()
    task = Task("t", topic="a")
    alone = outcome_of(task, Ballot("t", 0, "x"), posterior={"x": 1.0})
    protocol.swarmloom_evolve(outcomes=[alone] * 50)
    affinity = navigate(protocol, round_of("a")).affinity
    assert affinity[0, 0] == pytest.approx(affinity[0, 1], abs=0.01)


def test_verdicts_on_several_answers_weigh_less_than_grades():
    ballots = Ballot("t", 0, "x"), Ballot("t", 1, "y")
    task, posterior = Task("t", topic="a"), {"x": 0.9, "y": 0.1}
    gaps = []
    for truth in (None, "x"):
        protocol = make_protocol()
        outcome = outcome_of(task, *ballots, truth=truth, posterior=posterior)
        protocol.swarmloom_evolve(outcomes=[outcome] * 8)
        gaps.append(float(np.diff(navigate(protocol, round_of("a")).affinity)[0, 0]))
        weight = 1.0 if truth else 0.25
        assert protocol.sense("a")[0]["right"] == pytest.approx(
            8 * weight * (0.9 if weight < 1 else 1)
        )
    assert gaps[1] < gaps[0] < 0.0


def test_posterior_that_sums_to_a_hair_above_one_is_taken():
    protocol = make_protocol()
    outcome = outcome_of(
        Task("t", topic="a"), Ballot("t", 0, "x"), Ballot("t", 1, "x"), posterior={"x": 1 + 5e-7}
    )
    protocol.swarmloom_evolve(outcomes=[outcome])
    assert protocol.sense("a")[0]["wrong"] == 0.0


def test_time_is_finished_tasks():
    protocol = make_protocol(half_life=10.0)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)])
    protocol.swarmloom_evolve(outcomes=[outcome_of(Task("n", topic="b"))] * 10)
    assert protocol.sense("a")[0]["right"] == pytest.approx(0.5)


def test_drawing_depends_on_the_rounds_generator_alone():
    protocol = make_protocol(explore=True)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True), graded("a", 1, False)])
    first, again, other = (
        navigate(protocol, round_of("a", "a", seed=seed)).affinity for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()


def test_replayed_outcomes_give_the_same_state():
    outcomes = [
        graded(t, e, (i + e) % 3 > 0) for i in range(30) for t, e in (("a", i % 2), ("b", 0))
    ]
    at_once, one_by_one = make_protocol(half_life=20.0), make_protocol(half_life=20.0)
    at_once.swarmloom_evolve(outcomes=outcomes)
    for outcome in outcomes:
        one_by_one.swarmloom_evolve(outcomes=[outcome])
    rounds = round_of("a", "b", "c")
    np.testing.assert_array_equal(
        navigate(at_once, rounds).affinity, navigate(one_by_one, round_of("a", "b", "c")).affinity
    )


def test_trails_stay_with_experts_when_the_crew_changes():
    protocol = make_protocol(2)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 9 + [graded("a", 1, False)] * 9)
    good, bad = navigate(protocol, round_of("a")).affinity[0]
    names = make_experts(3)
    crew = (names[2], names[1], names[0])
    protocol.swarmloom_initialize(swarm=swarm_of(crew))
    affinity = navigate(protocol, round_of("a", experts=crew)).affinity[0]
    assert affinity[2] == good
    assert affinity[1] == bad
    assert bad < affinity[0] < good


def test_snapshot_round_trip_into_another_crew():
    protocol = make_protocol(2)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 5)
    protocol.leave("a", "expert1", False, "manager", 3.0)
    crew = make_experts(2)[::-1]
    other = make_protocol(crew)
    other.swarmloom_restore(state=protocol.swarmloom_snapshot())
    np.testing.assert_array_equal(
        navigate(other, round_of("a", experts=crew)).affinity[0],
        navigate(protocol, round_of("a")).affinity[0][::-1],
    )
    assert other.sense("a") == protocol.sense("a")


def test_snapshots_of_other_versions_and_damaged_ones_are_refused_and_nothing_changes():
    protocol = make_protocol(2)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 5)
    protocol.leave("a", "expert1", True, "eve", 1.0, "quick")
    protocol.claim("t", "eve")
    before, whole = protocol.sense("a"), protocol.swarmloom_snapshot()
    cut = {key: value for key, value in whole["trails"].items() if key != "experts"}
    claims = {**whole["traces"], "claims": [["t", "eve"]]}
    for wrong, message in (
        ({**whole, "version": 1}, "version 1; allowed: 2"),
        ({}, "version None"),
        ({**whole, "trails": cut}, "experts"),
        ({**whole, "trails": {**whole["trails"], "answering": {}}}, "version"),
        ({**whole, "traces": claims}, "damaged"),
        ({**whole, "traces": {**whole["traces"], "store": {"kind": "?"}}}, "damaged"),
    ):
        with pytest.raises(InputError, match=message):
            protocol.swarmloom_restore(state=wrong)
        assert protocol.sense("a") == before
        assert [note.text for note in protocol.notes("a")] == ["quick"]
        assert protocol.claim("t", "bob") is None


@pytest.mark.row("S14")
def test_snapshot_holds_notes_and_claims():
    protocol, other = make_protocol(2), make_protocol(2)
    protocol.leave("a", "expert1", False, "eve", 3.0, "slow on long ones")
    claim = protocol.claim("t", "eve")
    state = protocol.swarmloom_snapshot()
    other.swarmloom_restore(state=json.loads(json.dumps(state, default=np.ndarray.tolist)))
    assert other.notes("a") == protocol.notes("a")
    assert other.claim("t", "bob") is None
    assert other.claimed("t", claim.token, "eve").finish("done")
    assert other.result("t") == "done"
    again = other.swarmloom_snapshot()["trails"]["being_right"]
    for key, value in state["trails"]["being_right"].items():
        np.testing.assert_array_equal(again[key], value)


def test_members_word_is_capped_and_named():
    protocol = make_protocol(member_cap=10.0, member_trust=0.5)
    protocol.leave("a", "expert0", True, "eve", 500.0)
    best = protocol.sense("a")[0]
    assert best["right"] == 5.0
    assert best["by"] == {"eve": [500.0, 0.0]}


def test_member_that_contradicts_the_grades_loses_its_weight():
    protocol = make_protocol()
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, False)] * 30 + [graded("a", 1, True)] * 30)
    before = protocol.sense("a")
    protocol.leave("a", "expert0", True, "forger", 1000.0)
    protocol.leave("a", "expert1", False, "forger", 1000.0)
    after = protocol.sense("a")
    assert [one["expert"] for one in after] == ["expert1", "expert0"]
    assert after[0]["rate"] > before[0]["rate"] - 0.1


def graded_crew(**config):
    """Forty graded truths: expert0 is right, expert1 wrong."""
    protocol = make_protocol(**config)
    protocol.swarmloom_evolve(outcomes=[graded("a", 0, True)] * 40 + [graded("a", 1, False)] * 40)
    return protocol


def forge(protocol, topic, names=50):
    for number in range(names):
        protocol.leave(topic, "expert0", False, f"invented{number}", 1000.0)
        protocol.leave(topic, "expert1", True, f"invented{number}", 1000.0)


def test_fifty_invented_names_cannot_turn_what_was_graded():
    protocol = graded_crew()
    forge(protocol, "a")
    good, bad = protocol.sense("a")
    assert good["expert"] == "expert0"
    assert good["rate"] > 0.9
    assert bad["rate"] < 0.1


def test_names_that_agreed_with_the_grades_first_have_the_limit_too():
    protocol = graded_crew()
    for number in range(50):
        protocol.leave("a", "expert1", False, f"invented{number}", 1000.0)
    for number in range(50):
        protocol.leave("a", "expert0", False, f"invented{number}", 10.0)
    assert protocol.sense("a")[0]["rate"] > 0.8


def test_invented_names_and_topics_hardly_move_what_was_never_graded():
    protocol = graded_crew()
    for number in range(30):
        forge(protocol, f"invented{number}", names=10)
    forge(protocol, "b")
    after = {one["expert"]: one["rate"] for one in protocol.sense("b")}
    assert after["expert0"] > 0.5
    assert after["expert0"] > after["expert1"] + 0.2


def test_without_any_grade_members_tilt_and_do_not_decide():
    protocol = make_protocol()
    forge(protocol, "a")
    rates = {one["expert"]: one["rate"] for one in protocol.sense("a")}
    assert 0.2 < rates["expert0"] < 0.5 < rates["expert1"] < 0.8


def test_members_may_write_from_many_threads():
    protocol = make_protocol(member_trust=1.0, member_cap=1e6)

    def write(name):
        for _ in range(200):
            protocol.leave("a", "expert0", True, name)

    threads = [threading.Thread(target=write, args=(f"m{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert protocol.sense("a")[0]["right"] == 1200.0


def test_no_experts_and_no_tasks():
    assert navigate(make_protocol(0), round_of("a", experts=0)).affinity.shape == (1, 0)
    assert navigate(make_protocol(2), round_of()).affinity.shape == (0, 2)


def test_memory_plan_is_what_is_reserved():
    swarm, plan = swarm_of(50), MemoryPlan()
    protocol = Stigmergy(StigmergyConfig(expected_topics=20))
    protocol.swarmloom_plan_memory(plan=plan, experts=50)
    protocol.swarmloom_initialize(swarm=swarm)
    protocol.swarmloom_initialize(swarm=swarm)
    array = plan.table()[0]
    assert array.region is Region.PHEROMONE
    assert array.bytes == protocol.nbytes == 50 * 20 * 3 * BYTES_PER_TRAIL


@pytest.mark.parametrize(
    "wrong",
    [{"half_life": 0}, {"half_life": float("nan")}, {"ungraded_weight": 2}, {"decay": 0.1}],
)
def test_wrong_configuration_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        StigmergyConfig(**wrong)


def test_every_key_is_described():
    assert all(field.description for field in StigmergyConfig.model_fields.values())


# -- in a crew -------------------------------------------------------------------------------------


def test_crew_that_follows_traces_beats_random_choice():
    gains = [share_right(seed, ["stigmergy"]) - share_right(seed, []) for seed in range(3)]
    assert min(gains) > 0.05
    assert np.mean(gains) > 0.12

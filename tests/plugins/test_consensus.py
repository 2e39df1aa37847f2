from __future__ import annotations

import json

import numpy as np
import pytest

from swarmloom import Ballot, Expert, Outcome, Reply, Swarm, Task, Verdict
from swarmloom.config import Settings
from swarmloom_plugins.consensus import Consensus, ConsensusConfig
from swarmloom_plugins.consensus_ballots import Coder
from swarmloom_protocols.consensus.panel import EMPTY
from tests.core.rounds import make_round
from tests.plugins.crews import half_learned

OPTIONS = "ABCD"
SKILL = (0.45, 0.5, 0.55, 0.6, 0.85)
PRICES = (1.0, 1.0, 1.0, 1.0, 4.0)


def answer_of(task_id, index):
    """Give one synthetic expert's answer: the truth is A, all who err tend to err alike."""
    number = int(task_id[1:])
    easy = np.random.default_rng([1, number]).random()
    rng = np.random.default_rng([2, number, index])
    if rng.random() < np.clip(SKILL[index] + 0.5 * (easy - 0.5), 0.02, 0.98):
        return "A"
    return "B" if rng.random() < 0.6 else str(rng.choice(["C", "D"]))


def crew():
    def function(index):
        return lambda task: answer_of(task.id, index)

    return [
        Expert(f"e{index}", function(index), price=PRICES[index], inline=True)
        for index in range(len(SKILL))
    ]


def swarm_of(experts=None, seed=0, **config):
    settings = Settings(
        swarm={"seed": seed, "window": 1},
        plugins={"enable": ["consensus", "patterns"], "config": {"consensus": config}},
    )
    return Swarm(crew() if experts is None else experts, settings)


def questions(count):
    return [Task(f"t{number}", topic="x", options=4) for number in range(count)]


def grading(share, seed=0):
    def feedback(task, answer):
        lot = np.random.default_rng([seed, int(task.id[1:])])
        return "A" if lot.random() < share else None

    return feedback


def shown(swarm):
    return json.loads(swarm.tools()["show_trust"](swarm))["experts"]


def accuracy(result):
    return np.mean([answer == "A" for answer in result.answers.values()])


def test_the_mean_cost_meets_its_target():
    result = swarm_of(target_cost=2.5).run(questions(1200), feedback=grading(0.1))
    assert result.cost / 1200 == pytest.approx(2.5, rel=0.15)


def crew_with_a_liar(cost=20.0):
    """Four experts whose price is true, and the best one, that declares 1 and bills 20."""
    liar = Expert(
        "e4", lambda task: Reply(answer_of(task.id, 4), cost=cost), price=1.0, inline=True
    )
    return [*crew()[:4], liar]


def test_the_price_of_an_expert_is_what_it_really_costs():
    swarm = swarm_of(crew_with_a_liar(), target_cost=1.5)
    result = swarm.run(questions(1200), feedback=grading(0.1))
    assert result.cost / 1200 == pytest.approx(1.5, rel=0.25)
    prices = {name: row["price"] for name, row in shown(swarm).items()}
    assert prices == {"e0": 1.0, "e1": 1.0, "e2": 1.0, "e3": 1.0, "e4": 20.0}


def test_what_failures_cost_is_no_price():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    for number, cost in enumerate((3.0, 5.0)):
        task = Task(f"t{number}", options=4)
        ballots = (
            Ballot(task.id, 0, None, cost=50.0, error="gone"),
            Ballot(task.id, 1, "A", cost=cost),
            Ballot(task.id, 2, "A", cost=cost, audit=True),
        )
        plugin.swarmloom_evolve([Outcome(task, Verdict(task.id, "A"), ballots, truth="A")])
    experts = plugin.report()["experts"]
    assert [experts[name]["price"] for name in ("e0", "e1", "e2", "e3")] == [1.0, 4.0, 4.0, 1.0]


def test_the_same_experts_keep_their_panel_while_their_prices_stay():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    task = Task("t0", options=4)
    ballots = (Ballot("t0", 0, "A", cost=1.0),)
    plugin.swarmloom_evolve([Outcome(task, Verdict("t0", "A"), ballots)])
    plugin.swarmloom_initialize(swarm_of())
    assert plugin.report()["experts"]["e0"]["calls"] == 1
    dearer = [Expert(e.name, e.answer, price=e.price + 1, inline=True) for e in crew()]
    plugin.swarmloom_initialize(swarm_of(dearer))
    experts = plugin.report()["experts"]
    assert (experts["e0"]["calls"], experts["e0"]["price"]) == (0, 2.0)


def test_it_can_be_read_while_it_learns():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    assert half_learned(plugin, truth="A", cost=1.0, audit=True) == []


def test_it_beats_random_choice_and_plain_majority_of_the_cheap():
    settings = Settings(swarm={"window": 1, "quorum": 3}, plugins={"enable": []})
    majority = accuracy(Swarm(crew()[:4], settings).run(questions(800)))
    panel = accuracy(swarm_of(target_cost=2.5).run(questions(800), feedback=grading(0.1)))
    assert panel > majority + 0.03


def test_it_finds_out_who_is_good():
    swarm = swarm_of(target_cost=3.0)
    swarm.run(questions(600), feedback=grading(0.2))
    trust = shown(swarm)
    assert max(trust, key=lambda name: trust[name]["accuracy"]) == "e4"
    assert trust["e4"]["graded"] > 20


def test_audits_are_bought_for_graded_tasks_alone():
    result = swarm_of(target_cost=3.0).run(questions(200), feedback=grading(0.1))
    for outcome in result.outcomes:
        if any(ballot.audit for ballot in outcome.ballots):
            assert outcome.truth is not None
    assert any(ballot.audit for outcome in result.outcomes for ballot in outcome.ballots)


def test_no_more_answers_than_allowed():
    result = swarm_of(target_cost=50.0, max_answers=2).run(questions(60))
    assert max(len(outcome.ballots) for outcome in result.outcomes) == 2


def test_a_dead_expert_is_avoided():
    experts = [*crew()[:4], Expert("dead", lambda task: None, price=1.0, inline=True)]
    result = swarm_of(experts, target_cost=2.0).run(questions(300), feedback=grading(0.1))
    late = [b for o in result.outcomes[150:] for b in o.ballots if b.expert == 4 and not b.audit]
    assert len(late) < 30


def test_work_that_one_expert_does_is_left_to_others():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    work = make_round([Task("w", quorum=1)], 5)
    assert not plugin.swarmloom_navigate(work).affinity.any()
    done = make_round([Task("w", quorum=1)], 5, ballots=[[Ballot("w", 0, "report")]])
    assert plugin.swarmloom_judge(done)[0].stop


def test_a_verdict_needs_an_answer():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    verdict = plugin.swarmloom_judge(
        make_round(questions(1), 5, ballots=[[Ballot("t0", 0, None, error="gone")]])
    )[0]
    assert verdict.answer is None
    assert not verdict.stop


def test_posterior_is_a_distribution_over_the_answers_given():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    ballots = [[Ballot("t0", 0, "A"), Ballot("t0", 1, "A"), Ballot("t0", 2, "B")]]
    verdict = plugin.swarmloom_judge(make_round(questions(1), 5, ballots=ballots))[0]
    assert set(verdict.posterior) == {"A", "B"}
    assert 0 < sum(verdict.posterior.values()) <= 1 + 1e-9
    assert verdict.answer == "A"


def test_without_experts_it_has_no_opinion():
    plugin = Consensus(ConsensusConfig())
    assert plugin.swarmloom_navigate(make_round(1, 2)) is None
    assert plugin.swarmloom_judge(make_round(1, 2)) is None
    assert plugin.swarmloom_audit([]) is None
    assert plugin.swarmloom_snapshot() is None


def test_answers_are_numbered_in_order_of_appearance():
    said = Coder().said(
        [Ballot("t", 3, "x"), Ballot("t", 1, None, error="e"), Ballot("t", 0, "y"),
         Ballot("t", 2, "x")]
    )  # fmt: skip
    assert said.experts.tolist() == [3, 1, 0, 2]
    assert said.answers.tolist() == [0, EMPTY, 1, 0]
    assert said.distinct == ("x", "y")
    assert said.wordings == {}


def test_a_snapshot_goes_on_where_it_was_taken():
    first = swarm_of(crew_with_a_liar(cost=3.0), target_cost=2.5)
    first.run(questions(150), feedback=grading(0.1))
    second = swarm_of(crew_with_a_liar(cost=3.0), target_cost=2.5)
    second.restore(first.snapshot())
    more = [Task(f"t{number}", topic="x", options=4) for number in range(150, 200)]
    assert first.run(more).answers == second.run(more).answers


def test_a_snapshot_of_other_experts_is_left_out():
    first, other = swarm_of(), swarm_of(crew()[:3])
    other.restore(first.snapshot())
    assert other.run(questions(3)).calls >= 3


def test_topics_and_truths_that_nobody_gave_are_fine():
    plugin = Consensus(ConsensusConfig())
    plugin.swarmloom_initialize(swarm_of())
    for number, topic in enumerate(("law", "tax", "law")):
        task = Task(f"t{number}", topic=topic, options=4)
        ballots = (Ballot(task.id, 0, "B", cost=1.0), Ballot(task.id, 1, "C", cost=1.0))
        plugin.swarmloom_evolve([Outcome(task, Verdict(task.id, "B"), ballots, truth="A")])
    assert plugin.report()["experts"]["e0"]["graded"] == 3


def test_an_untried_cheap_expert_does_not_take_a_whole_window():
    experts = [
        Expert("good", lambda task: "right", price=3.0, inline=True),
        Expert("new", lambda task: "wrong", price=1.0, inline=True),
    ]
    plugins = {"enable": ["consensus", "patterns"], "config": {"consensus": {"target_cost": 3.0}}}
    swarm = Swarm(experts, Settings(swarm={"window": 64}, plugins=plugins))
    tasks = [Task(f"t{number}", topic="x") for number in range(150)]
    answers = swarm.run(tasks, feedback=lambda task, answer: "right").answers
    assert sum(answer == "wrong" for answer in answers.values()) < 16

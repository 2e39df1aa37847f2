"""The method "trust", settings of both methods, and bad input."""

from __future__ import annotations

import copy
import functools
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from swarmloom import Ballot, Expert, Ledger, Outcome, Swarm, Task, Verdict
from swarmloom.config import Settings
from swarmloom.errors import ConfigurationError, InputError
from swarmloom.events import EventKind
from swarmloom_plugins.consensus import Consensus, ConsensusConfig
from swarmloom_plugins.consensus_ballots import Coder
from swarmloom_plugins.consensus_log import Votes
from swarmloom_plugins.consensus_notices import Notice, Warnings
from tests.core.rounds import make_round
from tests.plugins.crews import half_learned

METHODS = ("panel", "trust")
SKILLS = (0.85, 0.8, 0.75, 0.7, 0.65)


def answer_of(task, index, skill):
    lot = np.random.default_rng([7, int(task.id[1:]), index])
    return "A" if lot.random() < skill else str(lot.choice(["B", "C", "D"]))


def crew(skills=SKILLS, liars=0, model=""):
    """Honest experts, and liars that all give the same wrong answer."""

    def function(index, skill):
        return lambda task: answer_of(task, index, skill)

    honest = [
        Expert(f"e{index}", function(index, skill), inline=True)
        for index, skill in enumerate(skills)
    ]
    lying = [
        Expert(f"liar{index}", lambda task: "Z", inline=True, model=model) for index in range(liars)
    ]
    return [*honest, *lying]


def swarm_of(experts=None, seed=0, ledger=None, **config):
    settings = Settings(
        swarm={"seed": seed, "window": 1},
        plugins={"enable": ["consensus", "patterns"], "config": {"consensus": config}},
    )
    return Swarm(crew() if experts is None else experts, settings, ledger=ledger)


def plugin_of(experts=None, **config):
    plugin = Consensus(ConsensusConfig(**config))
    plugin.swarmloom_initialize(swarm_of(experts))
    return plugin


def questions(count, start=0):
    return [Task(f"t{n}", topic="x", options=4) for n in range(start, start + count)]


def share_right(result, last):
    return np.mean([o.verdict.answer == "A" for o in result.outcomes[-last:]])


def judged(plugin, answers, task=None, experts=None):
    """The verdict on answers of the first experts; None is a failure."""
    task = task or Task("t0", options=4)
    ballots = [
        Ballot(task.id, expert, answer, cost=1.0, error=None if answer else "gone")
        for expert, answer in enumerate(answers)
    ]
    experts = experts or len(SKILLS)
    return plugin.swarmloom_judge(make_round([task], experts, ballots=[ballots]))[0]


# -- trust -----------------------------------------------------------------------------------------


def test_trust_finds_liars_without_a_single_grade():
    swarm = swarm_of(crew(liars=2), method="trust")
    result = swarm.run(questions(200))
    trust = json.loads(swarm.tools()["show_trust"](swarm))["experts"]
    assert max(trust["liar0"]["trust"], trust["liar1"]["trust"]) < min(
        trust[f"e{index}"]["trust"] for index in range(4)
    )
    late = result.outcomes[-100:]
    assert share_right(result, 100) > 0.85
    assert np.mean([len(o.ballots) for o in late]) < 5


def test_trust_asks_the_trusted_first_and_stops_when_the_lead_is_safe():
    swarm = swarm_of(crew(liars=2), method="trust")
    result = swarm.run(questions(300))
    first = [o.ballots[0].expert for o in result.outcomes[-150:] if len(o.ballots) < 7]
    assert np.mean([expert < 3 for expert in first]) > 0.9


def test_experts_of_one_model_are_one_voice():
    config = {"method": "trust", "max_answers": 9}
    clones = crew((0.9, 0.9, 0.9), liars=4, model="weak")
    together = swarm_of(clones, **config).run(questions(80))
    apart = swarm_of(clones, group_by_model=False, **config).run(questions(80))
    assert share_right(together, 80) > 0.85
    assert share_right(apart, 80) < 0.3


def test_all_are_asked_now_and_then():
    swarm = swarm_of(method="trust")
    result = swarm.run(questions(200))
    asked = [len(outcome.ballots) for outcome in result.outcomes]
    assert asked[:30] == [5] * 30
    assert 8 <= sum(count == 5 for count in asked[30:]) < 100


def test_surveys_ask_each_voice_before_any_twice():
    skills = (0.8, 0.8, 0.8)
    result = swarm_of(crew(skills, liars=3, model="weak"), method="trust").run(
        [Task(f"t{n}", options=4, quorum=4) for n in range(30)]
    )
    for outcome in result.outcomes:
        liars = [b.expert for b in outcome.ballots if b.expert >= 3]
        assert (len(outcome.ballots), len(liars)) == (4, 1)
    few = swarm_of(crew(skills, liars=3, model="weak"), method="trust", max_answers=3)
    result = few.run(questions(40))
    # Four voices and three answers: a third more tasks, so that each voice is heard as often.
    assert [len(outcome.ballots) for outcome in result.outcomes] == [3] * 40
    asked = [min(ballot.expert, 3) for outcome in result.outcomes for ballot in outcome.ballots]
    assert np.bincount(asked).min() >= 25


def test_surveys_are_by_lot_whatever_the_prices_are():
    dear = [Expert(e.name, e.answer, price=1.0 + n, inline=True) for n, e in enumerate(crew())]
    result = swarm_of(dear, method="trust", max_answers=2).run(questions(75))
    assert {len(outcome.ballots) for outcome in result.outcomes} == {2}
    asked = np.bincount([b.expert for o in result.outcomes for b in o.ballots], minlength=5)
    assert asked.min() >= 20


def finish(plugin, name, answers, last=7):
    task = Task(name, options=4)
    ballots = tuple(
        Ballot(name, expert, answer, cost=1.0, error=None if answer else "gone")
        for expert, answer in enumerate(answers, last - len(answers))
    )
    plugin.swarmloom_evolve([Outcome(task, Verdict(name, "A", {"A": 0.9}), ballots)])


@pytest.mark.parametrize(
    ("cut", "teaches"), [(["A", "B"], False), ([None, None, None, None, "A", "B"], True)]
)
def test_a_survey_that_was_cut_short_teaches_nothing(cut, teaches):
    one, other = (plugin_of(crew(liars=2), method="trust", max_answers=9) for _ in range(2))
    for number in range(15):
        whole = ["AB"[(number + expert) // 4 % 2] for expert in range(7)]
        finish(one, f"t{number}", whole)
        finish(other, f"t{number}", whole)
        finish(other, f"s{number}", cut, last=6)
    trust = [[row["trust"] for row in p.report()["experts"].values()] for p in (one, other)]
    # Where failures ended it, those asked were drawn by lot all the same.
    assert (trust[0] != trust[1]) == teaches


def test_who_lacks_the_skill_is_not_waited_for():
    able = [replace(expert, skills=frozenset({"law"})) for expert in crew((0.9, 0.9, 0.9, 0.2))]
    cook = Expert("cook", lambda task: "Z", skills=frozenset({"food"}), inline=True)
    swarm = swarm_of([*able, cook], method="trust")
    swarm.run([Task(f"t{n}", options=4, demands=frozenset({"law"})) for n in range(60)])
    trust = json.loads(swarm.tools()["show_trust"](swarm))["experts"]
    assert trust["e3"]["trust"] < 0.5 * trust["e0"]["trust"]
    assert trust["cook"]["calls"] == 0


def test_an_expert_that_is_dead_does_not_keep_the_others_from_being_known():
    dead = [Expert(f"dead{n}", lambda task: None, inline=True) for n in range(4)]
    swarm = swarm_of([*crew((0.9, 0.9, 0.9, 0.2)), *dead], method="trust")
    swarm.run(questions(100))
    trust = json.loads(swarm.tools()["show_trust"](swarm))["experts"]
    assert trust["e3"]["trust"] < 0.5 * trust["e0"]["trust"]


def test_agreement_is_learned_where_all_were_asked_alone():
    plugin = plugin_of(method="trust")
    for number in range(200):
        task = Task(f"t{number}", options=4)
        honest = tuple(Ballot(task.id, e, "A", cost=1.0) for e in range(5))
        # Beyond the survey two agree on everything, because the others were not asked.
        ballots = honest if number < 30 else honest[3:]
        plugin.swarmloom_evolve([Outcome(task, Verdict(task.id, "A", {"A": 0.9}), ballots)])
    trust = [row["trust"] for row in plugin.report()["experts"].values()]
    assert max(trust) == pytest.approx(min(trust), abs=1e-3)


# -- certainty -------------------------------------------------------------------------------------


def test_a_low_certainty_neither_stops_learning_nor_believes_the_first_voice():
    skills = (0.9, 0.85, 0.8, 0.8, 0.75, 0.7, 0.5, 0.3, 0.3)
    config = {"method": "trust", "max_answers": 9, "certainty": 0.6}
    result = swarm_of(crew(skills), **config).run(questions(200))
    assert share_right(result, 150) > 0.93
    assert [len(outcome.ballots) for outcome in result.outcomes[:30]] == [9] * 30
    assert min(len(outcome.ballots) for outcome in result.outcomes) == 2
    assert np.mean([len(outcome.ballots) for outcome in result.outcomes[30:]]) < 6


@pytest.mark.parametrize("method", METHODS)
def test_certainty_buys_answers_until_it_is_reached(method):
    few = swarm_of(method=method, certainty=0.5).run(questions(120))
    many = swarm_of(method=method, certainty=0.97).run(questions(120))
    if method == "trust":
        surveys = [len(outcome.ballots) for outcome in few.outcomes[:30]]
        assert surveys == [5] * 30
    late = few.outcomes[30:]
    assert all(o.verdict.confidence >= 0.5 or len(o.ballots) == 5 for o in late)
    assert len(few.outcomes) == len(many.outcomes) == 120
    assert many.calls > few.calls + 60
    for outcome in many.outcomes:
        assert outcome.verdict.confidence >= 0.97 or len(outcome.ballots) == 5


def test_certainty_can_be_set_while_the_crew_runs():
    swarm = swarm_of(method="trust", certainty=0.3)
    tools = swarm.tools()
    with swarm.open_run() as run:
        run.solve_now(questions(30, 80))
        cheap = run.solve_now(questions(40))
        assert json.loads(tools["set_certainty"](swarm, certainty="0.99")) == {"certainty": 0.99}
        dear = run.solve_now(questions(40, 40))
    assert sum(len(o.ballots) for o in dear) > sum(len(o.ballots) for o in cheap)
    assert json.loads(tools["set_certainty"](swarm, certainty="none")) == {"certainty": None}
    with pytest.raises(InputError, match="allowed: 0 to 1"):
        tools["set_certainty"](swarm, certainty="1.5")


# -- equivalence -----------------------------------------------------------------------------------


def test_answers_in_other_words_count_together():
    plugin = plugin_of(method="trust", equivalence="normalised")
    verdict = judged(plugin, ["Paris", "paris ", "Lyon", "Paris"])
    assert verdict.answer == "Paris"
    assert set(verdict.posterior) == {"Paris", "Lyon"}
    assert verdict.wordings == {"paris ": "Paris"}
    exact = judged(plugin_of(method="trust"), ["Paris", "paris ", "Lyon", "Paris"])
    assert set(exact.posterior) == {"Paris", "paris ", "Lyon"}


def test_the_most_frequent_wording_of_the_class_is_the_verdict():
    verdict = judged(plugin_of(equivalence="numbers"), ["1,000", "1000", "1000.0", "1000", "7"])
    assert verdict.answer == "1000"
    assert verdict.wordings == {"1,000": "1000", "1000.0": "1000"}


def first_letters(answers):
    return [ord(answer[0]) for answer in answers]


def wrong_shape(answers):
    return [0]


def test_a_function_may_say_which_answers_are_the_same():
    name = f"{__name__}:first_letters"
    verdict = judged(plugin_of(equivalence=name), ["Ann", "Art", "Bob"])
    assert set(verdict.posterior) == {"Ann", "Bob"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:nothing", "cannot be imported"),
        (f"{__name__}:METHODS", "is tuple; allowed: a function"),
        (f"{__name__}:wrong_shape", r"shape \(1,\) for 3 answers; allowed: 3 whole"),
        ("json:loads", "which fails with"),
    ],
)
def test_a_function_that_is_none_is_refused(name, message):
    with pytest.raises(ConfigurationError, match=message):
        plugin_of(equivalence=name)


def test_a_graded_answer_in_other_words_is_right():
    coder = Coder(first_letters)
    said = coder.said([Ballot("t", 0, "Ann"), Ballot("t", 1, "Bob")])
    assert coder.code("Anna", said) == 0
    assert coder.code("Eve", said) == 2


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_tie_is_no_certainty(method):
    verdict = judged(plugin_of(method=method), ["A", "B"])
    first, second = verdict.posterior.values()
    assert first == pytest.approx(second, abs=1e-6)
    assert first < 0.6


@pytest.mark.parametrize("method", METHODS)
def test_one_answer_is_not_certain(method):
    verdict = judged(plugin_of(method=method, certainty=0.99), ["A"])
    assert 0.0 < verdict.confidence < 0.95
    assert not verdict.stop


@pytest.mark.parametrize("method", METHODS)
def test_without_answers_there_is_no_verdict(method):
    plugin = plugin_of(method=method)
    assert judged(plugin, []).answer is None
    failed = judged(plugin, [None, None, None])
    assert (failed.answer, failed.posterior, failed.stop) == (None, {}, False)
    assert judged(plugin, [None, "A", None]).answer == "A"


@pytest.mark.parametrize("method", METHODS)
def test_when_all_fail_the_outcome_says_so(method):
    dead = [Expert(f"e{n}", lambda task: None, inline=True) for n in range(3)]
    swarm = swarm_of(dead, method=method)
    result = swarm.run(questions(3))
    assert [o.verdict.answer for o in result.outcomes] == [None] * 3
    assert all(record.failures == 0 for record in result.plugins)


@pytest.mark.parametrize("method", METHODS)
def test_answers_beyond_the_options_are_answers(method):
    answers = ["A", "B", "C", "D", "E"]
    verdict = judged(plugin_of(method=method), answers, Task("t0", options=2))
    assert set(verdict.posterior) == set(answers)
    assert sum(verdict.posterior.values()) <= 1 + 1e-9


def test_wrong_grades_raise_a_warning():
    experts = crew((0.97, 0.97, 0.97, 0.97))
    swarm = swarm_of(experts, method="trust")
    result = swarm.run(questions(30), feedback=lambda task, answer: "D")
    texts = [e.data["message"] for e in swarm.ledger.view(result.run_id).warnings]
    assert any("wrong keys" in text for text in texts)


# -- warnings --------------------------------------------------------------------------------------


def test_each_warning_is_told_once_a_run_and_logged_once(caplog):
    clones = crew((0.9, 0.9), liars=3, model="weak")
    swarm = swarm_of(clones, method="trust")
    views = []
    for start in (0, 40):
        result = swarm.run(questions(40, start))
        views.append([e.data["message"] for e in swarm.ledger.view(result.run_id).warnings])
    for texts in views:
        assert sum("one model answers for" in text for text in texts) == 1
        assert not any("too few items" in text for text in texts)
    assert sum("one model answers for" in record.message for record in caplog.records) == 1


def told(swarm, result):
    """What the run's report warns of at the end, and all that it was warned of."""
    events = swarm.ledger.events(result.run_id, kinds=[EventKind.WARNING])
    ends = swarm.ledger.view(result.run_id).warnings
    return [e.data["message"] for e in ends], [e.data["message"] for e in events]


def test_a_sound_crew_is_warned_of_nothing():
    swarm = swarm_of(crew((0.85,) * 7), method="trust")
    assert told(swarm, swarm.run(questions(60))) == ([], [])


@pytest.mark.parametrize("method", METHODS)
def test_experts_are_warned_of_by_name(method):
    experts = crew((0.6, 0.6, 0.6, 0.6, 0.6))
    experts.append(Expert("twin", experts[4].answer, inline=True))
    swarm = swarm_of(experts, method=method, certainty=1.0)
    ends, _ = told(swarm, swarm.run(questions(60)))
    assert sum("'e4'" in text and "'twin'" in text for text in ends) == 1


def test_events_of_warnings_say_of_which_kind_they_are():
    experts = crew((0.6, 0.6, 0.6, 0.6, 0.6))
    experts.append(Expert("twin", experts[4].answer, inline=True))
    swarm = swarm_of(experts, method="trust", certainty=1.0)
    result = swarm.run(questions(60))
    [copies] = [e.data for e in swarm.ledger.view(result.run_id).warnings if "copies" in str(e)]
    assert copies["kind"] == "copies"
    assert "('e4', 'twin')" in copies["message"]


def turning_bad(index, when):
    def answer(task):
        return answer_of(task, index, 0.9) if int(task.id[1:]) < when else f"Z{task.id}"

    return Expert(f"gpt-{index}", answer, inline=True)


def test_each_expert_that_turns_bad_is_named_though_the_names_differ_by_a_number():
    ends = {0: 200, 1: 350}
    swarm = swarm_of([turning_bad(n, ends.get(n, 9999)) for n in range(5)], target_cost=3.0)
    feedback = lambda task, answer: "A" if int(task.id[1:]) % 3 == 0 else None  # noqa: E731
    _, texts = told(swarm, swarm.run(questions(550), feedback=feedback))
    bad = [text for text in texts if "has turned bad" in text]
    assert ["'gpt-0'" in text for text in bad] == [True, False]
    assert ["'gpt-1'" in text for text in bad] == [False, True]


def test_wrong_grades_are_told_by_the_default_method_again_when_they_have_doubled():
    swarm = swarm_of(crew((0.97,) * 4), target_cost=2.0)
    ends, texts = told(swarm, swarm.run(questions(60), feedback=lambda task, answer: "D"))
    counts = [int(text.split()[0]) for text in texts if "wrong keys suspected" in text]
    assert counts[0] == 3
    assert len(counts) > 1
    assert all(later >= 2 * first for first, later in itertools.pairwise(counts))
    # The report shows the last count alone.
    assert [int(t.split()[0]) for t in ends if "wrong keys suspected" in t] == counts[-1:]
    right = swarm_of(crew((0.97,) * 4), target_cost=2.0)
    ends, _ = told(right, right.run(questions(60), feedback=lambda task, answer: "A"))
    assert not any("wrong keys" in text for text in ends)


def test_what_holds_no_more_is_taken_back_and_told_anew_where_it_comes_back():
    notices = Warnings()
    low, one, two = Notice("low", "low 1"), Notice("bad", "x", "a 1"), Notice("bad", "y", "a 2")
    assert notices.news([low, one]) == ([low, one], [])
    assert notices.news([Notice("low", "low 2"), one, two]) == ([two], [])
    assert notices.news([one]) == ([], [low, two])
    assert notices.news([one, low]) == ([low], [])
    three, seven = Notice("n", "3", count=3), Notice("n", "7", count=7)
    assert notices.news([one, low, three])[0] == [three]
    assert notices.news([one, low, Notice("n", "5", count=5)]) == ([], [])
    assert notices.news([one, low, seven]) == ([seven], [three])


def test_warnings_are_not_told_again_by_a_resumed_run(tmp_path):
    def part(ledger, ids, resume, status):
        swarm = swarm_of(crew((0.9, 0.9), liars=3, model="weak"), ledger=ledger, method="trust")
        run = swarm.open_run(resume=resume)
        run.solve_now(ids)
        run.close(status)
        return run.id

    with Ledger(tmp_path / "runs.sqlite") as ledger:
        run = part(ledger, questions(30), None, "interrupted")
        part(ledger, questions(60), run, "finished")
        texts = [e.data["message"] for e in ledger.events(run, kinds=[EventKind.WARNING])]
    assert sum("one model answers for" in text for text in texts) == 1


# -- state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_restored_crew_goes_on_as_the_first_one_does(method):
    options = {"method": method, "target_cost": 2.5}
    first = swarm_of(crew(liars=1), **options)
    first.run(questions(80))
    second = swarm_of(crew(liars=1), **options)
    second.restore(first.snapshot())
    more = questions(60, 80)
    assert first.run(more).answers == second.run(more).answers


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_equals_an_uninterrupted_one(method, tmp_path):
    options = {"method": method, "certainty": 0.9}
    whole = swarm_of(crew(liars=1), **options).run(questions(90))
    with Ledger(tmp_path / "runs.sqlite") as ledger:
        run = swarm_of(crew(liars=1), ledger=ledger, **options).open_run()
        run.solve_now(questions(50))
        run.close("interrupted")
        resumed = swarm_of(crew(liars=1), ledger=ledger, **options).run(
            questions(90), resume=run.id
        )
    assert resumed.answers == whole.answers
    assert resumed.calls == whole.calls
    for one, two in zip(resumed.outcomes, whole.outcomes, strict=True):
        assert one.verdict.posterior == two.verdict.posterior


def test_a_snapshot_of_the_other_method_is_refused():
    state = plugin_of(method="trust").swarmloom_snapshot()
    with pytest.raises(InputError, match="by method 'trust'; allowed: 'panel'"):
        plugin_of().swarmloom_restore(state)


def emptied(state, path):
    """The state without what stands at a path of keys, or with what is wrong there."""
    *above, last = path
    inner = state
    for key in above:
        inner = inner[key]
    del inner[last]
    return state


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda state: [1],
        lambda state: {"method": state["method"]},
        lambda state: emptied(state, ("votes",)),
        lambda state: emptied(state, ("learned",)),
        lambda state: {**state, "learned": {}},
        lambda state: {**state, "votes": [1, 2]},
        lambda state: {**state, "votes": [[[99], [0], -1, 0.5]]},
        lambda state: {**state, "votes": [[[0, 1], [-5, 0], -1, 0.5]]},
        lambda state: {**state, "certainty": [7]},
        lambda state: {**state, "certainty": 7},
        lambda state: {**state, "certainty": [True]},
        lambda state: {**state, "landscape": {"last": []}},
    ],
)
def test_of_a_damaged_snapshot_nothing_is_taken(method, wrong):
    swarm = swarm_of(method=method, landscape=True)
    swarm.run(questions(40), feedback=lambda task, answer: "A")
    state = swarm.snapshot()["consensus"]
    plugin = plugin_of(method=method, landscape=True)
    before = json.dumps([plugin.report(), plugin.certainty])
    with pytest.raises(InputError, match=r"a snapshot of|a damaged snapshot"):
        plugin.swarmloom_restore(wrong(copy.deepcopy(state)))
    assert json.dumps([plugin.report(), plugin.certainty]) == before
    plugin.swarmloom_restore(state)
    assert json.dumps([plugin.report(), plugin.certainty]) != before


@pytest.mark.parametrize(
    "row",
    [
        [[5], [0], -1, 0.5],
        [[-1], [0], -1, 0.5],
        [[0.5], [0], -1, 0.5],
        [[1, 1], [0, 0], -1, 0.5],
        [[0, 1], [-5, 0], -1, 0.5],
        [[0, 1], [2, 0], -1, 0.5],
        [[0, 1], [0, 0.5], -1, 0.5],
        [[0, 1], [0, 0], 3, 0.5],
        [[0, 1], [0, 0], -2, 0.5],
        [[0, 1], [0, 0], -1, float("nan")],
        [[0, 1], [0], -1, 0.5],
    ],
)
def test_votes_that_nobody_can_have_given_are_refused(row):
    votes, whole = Votes(), [[0, 1], [0, -1], 1, 0.5]
    votes.restore([whole], 5)
    with pytest.raises(InputError, match="votes"):
        votes.restore([row], 5)
    assert votes.state() == [whole]


def models_of(models=("m", "m", "", "", ""), dearer=1.0):
    return [
        replace(expert, model=model, price=dearer * (1.0 + row))
        for row, (expert, model) in enumerate(zip(crew(), models, strict=True))
    ]


@functools.cache
def learned_of_forty(method):
    swarm = swarm_of(models_of(), method=method)
    swarm.run(questions(40))
    return swarm.snapshot()["consensus"]


def state_of_forty(method):
    """What a crew of two experts on one model and three others learned of forty tasks."""
    return copy.deepcopy(learned_of_forty(method))


@pytest.mark.parametrize("numbers", [{"x": -1}, {"x": 10**9}, {"x": 1.0}, {}, {"x": 1, "y": 1}])
def test_topics_of_a_panel_are_numbered_one_by_one(numbers):
    state = state_of_forty("panel")
    assert state["learned"]["topics"] == {"x": 1}
    state["learned"]["topics"] = numbers
    plugin = plugin_of(models_of())
    with pytest.raises(InputError, match="damaged snapshot"):
        plugin.swarmloom_restore(state)
    assert plugin.swarmloom_snapshot()["learned"]["topics"] == {}


@pytest.mark.parametrize(
    ("method", "experts", "config", "other"),
    [
        *((method, models_of(), {"group_by_model": False}, "models") for method in METHODS),
        *((method, models_of([""] * 5), {}, "models") for method in METHODS),
        *((method, models_of(["m", "", "", "", "m"]), {}, "models") for method in METHODS),
        ("panel", models_of(dearer=10.0), {}, "prices"),
    ],
)
def test_of_a_crew_with_other_models_or_prices_a_snapshot_is_left_out(
    method, experts, config, other, caplog
):
    state = state_of_forty(method)
    plugin = plugin_of(experts, method=method, **config)
    before = json.dumps(plugin.report())
    plugin.swarmloom_restore(state)
    assert f"the experts with other {other} is left out" in caplog.text
    assert json.dumps(plugin.report()) == before
    assert plugin.audit_crew() is None


@pytest.mark.parametrize(("method", "dearer"), [("panel", 1.0), ("trust", 1.0), ("trust", 10.0)])
def test_of_a_crew_with_the_same_models_it_is_taken(method, dearer, caplog):
    state = state_of_forty(method)
    plugin = plugin_of(models_of(dearer=dearer), method=method)
    plugin.swarmloom_restore(state)
    assert "left out" not in caplog.text
    assert plugin.audit_crew() is not None


@pytest.mark.parametrize("bought", ["B", "C"])
def test_a_truth_that_no_answer_before_the_verdict_gave_is_learned_with_its_audits(bought):
    """The panel hears of the truth before the audits: its number comes before theirs."""
    plugin = plugin_of()
    task = Task("t0", topic="x", options=4)
    ballots = [Ballot("t0", 0, "A", cost=1.0), Ballot("t0", 1, bought, cost=1.0, audit=True)]
    verdict = Verdict("t0", "A", {"A": 1.0}, stop=True)
    plugin.swarmloom_evolve([Outcome(task, verdict, tuple(ballots), truth="C")])
    state = plugin.swarmloom_snapshot()["learned"]["panel"]
    assert state["journal.truth"].tolist() == [1]
    assert state["journal.answer"].tolist() == [0, 1 if bought == "C" else 2]


def test_a_refused_snapshot_is_logged_and_counted(caplog):
    swarm = swarm_of(method="trust")
    swarm.restore({"consensus": {"method": "panel"}})
    assert "by method 'panel'; allowed: 'trust'" in caplog.text
    [record] = [one for one in swarm.host.report() if one.name == "consensus"]
    assert record.failures == 1


def test_the_configured_certainty_stays_unless_another_was_set():
    configured = plugin_of(method="trust", certainty=0.9)
    configured.swarmloom_restore(plugin_of(method="trust").swarmloom_snapshot())
    assert configured.certainty == 0.9
    for wanted in (0.7, None):
        changed = plugin_of(method="trust", certainty=0.8)
        changed.certainty = wanted
        configured.swarmloom_restore(changed.swarmloom_snapshot())
        assert configured.certainty == wanted


def test_a_certainty_that_is_true_is_refused():
    with pytest.raises(ValidationError, match="not true or false"):
        ConsensusConfig(certainty=True)
    assert ConsensusConfig(certainty="0.9").certainty == 0.9


def test_trust_can_be_read_while_it_learns():
    plugin = plugin_of(method="trust")
    assert half_learned(plugin, cost=1.0) == []


# -- recorded answers ------------------------------------------------------------------------------


def recorded_file(tmp_path, rows, header="item,gold,e0,e1,e2,e3,e4"):
    file = tmp_path / "answers.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def recorded_rows(count):
    def said(row, index):
        return "A" if (row * 7 + index) % 10 < 10 * SKILLS[index] - 4 * (index == 0) else "B"

    return [f"q{row},A," + ",".join(said(row, i) for i in range(5)) for row in range(count)]


@pytest.mark.parametrize("method", METHODS)
def test_recorded_answers_teach_before_the_start(method, tmp_path):
    file = recorded_file(tmp_path, recorded_rows(60))
    plugin = plugin_of(method=method, recorded=file)
    rows = plugin.report()["experts"]
    key = "accuracy" if method == "panel" else "trust"
    assert min(rows, key=lambda name: rows[name][key]) == "e0"
    blank = plugin_of(method=method).report()["experts"]
    assert len({round(row[key], 6) for row in blank.values()}) == 1


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("item,e0", ["q,A"], "no column 'gold'"),
        ("item,gold,e0", ["q1,A,A", "q2,A"], "line 3.*2 cells"),
        ("item,gold,options,e0", ["q1,A,4,A", "q2,A,one,A"], "line 3.*'options'.*'one'"),
        ("item,gold,e0", ["q1,,A"], "line 2, column 'gold': no right"),
        ("item,gold,e0", ["q1,A,A", "q1,A,A"], "line 3.*'q1' occurs more than once"),
    ],
)
def test_a_wrong_file_of_recorded_answers_is_refused(header, rows, message, tmp_path):
    file = recorded_file(tmp_path, rows, header)
    with pytest.raises(ConfigurationError, match=message) as caught:
        plugin_of(recorded=file)
    assert str(file) in str(caught.value)
    assert "plugins.config.consensus.recorded" in str(caught.value)


def test_experts_without_a_column_are_named_in_a_warning(tmp_path):
    file = recorded_file(tmp_path, ["q1,A,A,B"], "item,gold,e0,E1")
    swarm = swarm_of(method="trust", recorded=str(file))
    result = swarm.run(questions(2))
    texts = [e.data["message"] for e in swarm.ledger.view(result.run_id).warnings]
    assert any(
        "no column for 4 of 5 experts, the first is 'e1'; did you mean 'E1'?" in text
        for text in texts
    )

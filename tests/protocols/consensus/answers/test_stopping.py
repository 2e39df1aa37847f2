import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.answers.calibration import Calibration
from swarmloom_protocols.consensus.answers.evidence import (
    betting_evidence,
    mixture_evidence,
    preference,
)
from swarmloom_protocols.consensus.answers.foresight import best_gain
from swarmloom_protocols.consensus.answers.self_consistency import SelfConsistency
from swarmloom_protocols.consensus.answers.stopping import Stopper
from swarmloom_protocols.consensus.answers.stopping_replay import replayed
from tests.naive import agreement as naive

rows = st.integers(1, 7).flatmap(lambda n: arrays(np.int64, n, elements=st.integers(-1, 3)))
trusts = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 1.0])


def asked(stopper, row):
    """Ask until the stopper stops; return who was asked."""
    order = []
    while (agent := stopper.next()) >= 0:
        order.append(agent)
        stopper.update(agent, int(row[agent]))
    return order


@settings(max_examples=150)
@given(rows, st.data())
def test_locked_stopping_gives_exactly_the_full_vote(row, data):
    weights = np.array([data.draw(trusts) for _ in row])
    groups = None
    if data.draw(st.booleans()):
        groups = [data.draw(st.sampled_from("abc")) for _ in row]
    stopper = Stopper(weights, rule="locked", groups=groups)
    asked(stopper, row)
    voices = row if groups is None else naive.group_vote(row, groups)
    names = list(dict.fromkeys(groups or range(len(row))))
    heaviest = [
        max(w for w, g in zip(weights, groups or range(len(row)), strict=True) if g == name)
        for name in names
    ]
    assert stopper.answer == naive.verdict(voices, heaviest)


@settings(max_examples=100)
@given(rows, st.data(), st.sampled_from([0.0, 0.5, 1.0]))
def test_replaying_is_asking_one_by_one(row, data, share):
    weights = np.array([data.draw(trusts) for _ in row])
    stopper = Stopper(weights, share=share)
    asked(stopper, row)
    answers, calls = replayed(row[None], weights, share=share)
    assert (answers[0], calls[0]) == (stopper.answer, stopper.calls)


def test_replaying_with_a_full_lead_is_the_full_vote_on_every_item():
    rng = np.random.default_rng(0)
    votes, weights = rng.integers(-1, 4, (3000, 9)), rng.random(9)
    answers, calls = replayed(votes, weights, share=1.0)
    assert answers.tolist() == [naive.verdict(row, weights) for row in votes]
    assert calls.mean() < 8


def test_the_most_trusted_is_asked_first_and_the_best_value_where_there_are_prices():
    row = np.array([0, 1, 2])
    assert asked(Stopper([0.2, 0.5, 0.3], share=1.0), row) == [1, 2, 0]
    assert asked(Stopper([0.2, 0.5, 0.3], prices=[1, 10, 2], share=1.0), row)[0] == 0


def test_a_lead_stops_and_a_tie_asks_on():
    stopper = Stopper([1.0, 1.0, 1.0], share=0.5)
    assert not stopper.update(0, 4)
    assert stopper.update(1, 4)
    assert (stopper.answer, stopper.calls, stopper.next()) == (4, 2, -1)
    tied = Stopper([1.0, 1.0, 1.0], share=0.5)
    assert not tied.update(0, 4)
    assert not tied.update(1, 5)


def test_no_more_than_the_most_calls():
    stopper = Stopper(np.ones(5), most=2)
    assert asked(stopper, np.arange(5)) == [0, 1]
    assert stopper.answer == 0


def test_agents_of_a_model_that_has_spoken_are_not_asked():
    stopper = Stopper([0.4, 0.4, 0.2], groups=["a", "a", "b"], share=1.0)
    assert asked(stopper, np.array([0, 1, 1])) == [0]
    silent = Stopper([0.4, 0.4, 0.2], groups=["a", "a", "b"], share=1.0)
    assert asked(silent, np.array([-1, 1, 1])) == [0, 1]


def test_all_experts_failing_is_no_answer():
    stopper = Stopper([0.5, 0.5])
    assert asked(stopper, np.array([-1, -1])) == [0, 1]
    assert (stopper.answer, stopper.posterior) == (-1, {})


def test_agents_without_trust_are_asked_and_the_first_answer_stands():
    stopper = Stopper([0.0, 0.0])
    assert asked(stopper, np.array([7, 8])) == [0, 1]
    assert stopper.answer == 7
    assert stopper.posterior == pytest.approx({7: 1 / 3, 8: 1 / 3})


def test_the_posterior_is_that_of_the_answers_so_far():
    stopper = Stopper([1.0, 1.0, 1.0], share=1.0, calibration=Calibration(0.0, 1.0))
    stopper.update(0, 30)
    assert stopper.posterior == pytest.approx({30: 1.5 / 2})
    stopper.update(1, 20)
    assert stopper.posterior == pytest.approx({30: 0.5, 20: 0.5})


def test_the_evidence_of_bets_by_hand():
    weights = np.array([1.0, 0.5, 0.5])
    assert betting_evidence(np.array([0, 0, 1]), weights) == pytest.approx(1.8 * 1.4 * 0.6)
    assert betting_evidence(np.array([0, 0, -1]), weights) == pytest.approx(1.8 * 1.4)
    assert betting_evidence(np.array([-1, -1, -1]), weights) == 1.0


@pytest.mark.parametrize(
    ("evidence", "level"),
    [
        # The leader is found from the answers: either of two may reach it.
        (lambda codes: betting_evidence(codes, np.ones(codes.size)), 0.2),
        (lambda codes: mixture_evidence(int((codes == 0).sum()), int((codes == 1).sum())), 0.1),
    ],
    ids=["bets", "mixture"],
)
def test_evidence_seldom_reaches_ten_where_neither_answer_is_preferred(evidence, level):
    """Ville: the chance to ever reach it is at most 0.1 for each answer."""
    rng = np.random.default_rng(1)
    draws = rng.integers(0, 2, (1000, 30))
    reached = sum(any(evidence(row[:n]) >= 10 for n in range(1, 31)) for row in draws)
    assert 0 < reached <= 1000 * level + 3 * np.sqrt(1000 * level)


def test_evidence_stops_when_it_is_reached():
    stopper = Stopper(np.ones(9), rule="evalue", evidence=5.0)
    assert asked(stopper, np.zeros(9, int)) == [0, 1, 2]


@given(st.integers(0, 30), st.integers(0, 30))
def test_preference_is_the_beta_tail(first, second):
    assert preference(first, second) == pytest.approx(float(naive.preference(first, second)))


@pytest.mark.parametrize("counts", [(2500, 2500), (5000, 0), (0, 5000), (3000, 2900)])
def test_evidence_of_thousands_of_samples_is_a_number(counts):
    assert 0.0 <= preference(*counts) <= 1.0
    assert preference(*counts) + preference(*reversed(counts)) == pytest.approx(1.0)
    assert 0.0 <= mixture_evidence(*counts) < np.inf
    assert mixture_evidence(2500, 2500) < 0.1
    assert betting_evidence(np.zeros(5000, int), np.ones(5000)) < np.inf


@pytest.mark.parametrize("rule", ["evalue", "beta"])
def test_sampling_goes_on_for_thousands_of_ties(rule):
    sampling = SelfConsistency(rule, most=3000, sure=0.999999, evidence=1e9)
    stops = [sampling.update(call % 2) for call in range(3000)]
    assert stops == [False] * 2999 + [True]


@settings(max_examples=60)
@given(st.lists(trusts, max_size=4), st.lists(trusts, min_size=1, max_size=3), st.data())
def test_foresight_is_the_recursion(sums, weights, data):
    prices = [data.draw(st.sampled_from([0.0, 0.01, 0.3])) for _ in weights]
    line = data.draw(st.sampled_from([(0.0, 1.0), (-0.7, 0.6), (0.5, 1.4)]))
    arguments = np.array(sums, float), 1.0, np.array(weights), np.array(prices), *line
    assert best_gain(*arguments) == pytest.approx(naive.best_gain(*arguments), abs=1e-12)


def test_the_most_worth_is_asked_first_of_many():
    rng = np.random.default_rng(3)
    weights, prices = rng.random(12), rng.random(12) * 0.01
    weights[[3, 7]], prices[[3, 7]] = weights[5], prices[5]
    stopper = Stopper(weights, prices=prices, rule="worth", ahead=2)
    for answer in (0, 1, 2, 0):
        agent = stopper.next()
        left = [other for other in range(12) if not stopper._asked[other]]
        assert stopper.worth(agent) == max(stopper.worth(other) for other in left)
        stopper.update(agent, answer)


def test_worth_is_what_the_next_answers_may_change():
    even = Calibration(0.0, 1.0)
    stopper = Stopper([1.0, 1.0, 1.0], share=1.0, calibration=even, ahead=1)
    stopper.update(0, 5)
    # By hand: {5: .75} now; a second voice for it has .75: 2.5/3; another .25: tied at .5.
    assert stopper.worth(1) == pytest.approx(0.75 * 2.5 / 3 + 0.25 * 0.5 - 0.75)


def test_an_answer_that_changes_nothing_alone_is_worth_something_before_another():
    def decided(ahead):
        stopper = Stopper([1.0, 0.9, 0.6, 0.6], share=1.0, ahead=ahead)
        stopper.update(0, 5)
        stopper.update(1, 6)
        return stopper.worth(2)

    assert decided(2) > decided(1)


def test_worth_is_less_its_price_and_stops_what_does_not_pay():
    free = Stopper([1.0, 1.0, 1.0], rule="worth", ahead=1)
    dear = Stopper([1.0, 1.0, 1.0], rule="worth", prices=[2.0, 2.0, 2.0], ahead=1)
    assert dear.worth(0) == pytest.approx(free.worth(0) - 2.0)
    assert asked(dear, np.zeros(3, int)) == []
    cheap = Stopper([1.0, 1.0, 1.0], rule="worth", prices=[2.0, 2.0, 2.0], value=100.0)
    assert asked(cheap, np.zeros(3, int))[0] == 0
    spoken = Stopper([1.0, 1.0, 0.5], groups="aab", prices=[1, 1, 1])
    spoken.update(0, 3)
    assert spoken.worth(1) == -1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "empty"),
        (([np.nan],), r"weights\[0\] is nan"),
        (([1.0], {"rule": "soon"}), "'soon'"),
        (([1.0], {"share": 1.5}), "share is 1.5"),
        (([1.0], {"prices": [0.0]}), "above 0"),
        (([1.0, 1.0], {"prices": [1.0]}), "2 finite numbers"),
        (([1.0], {"most": 0}), "most is 0"),
        (([1.0], {"ahead": 5}), "ahead is 5"),
        (([1.0], {"groups": ["a", "b"]}), "2 names"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    weights, *options = arguments
    with pytest.raises(InputError, match=message):
        Stopper(weights, **(options[0] if options else {}))


def test_bad_updates_are_named():
    stopper = Stopper([0.5, 0.5])
    with pytest.raises(InputError, match="agent is 2"):
        stopper.update(2, 0)
    with pytest.raises(InputError, match="answer is -2"):
        stopper.update(0, -2)
    stopper.update(0, 1)
    with pytest.raises(InputError, match="0 has answered"):
        stopper.update(0, 1)
    with pytest.raises(InputError, match="0 has answered"):
        stopper.worth(0)


def sampled(answers, **options):
    rule = SelfConsistency(**options)
    for answer in answers:
        if rule.update(answer):
            break
    return rule


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ({}, 4),
        ({"lead": 2}, 2),
        # P(p > ½ | Beta(5, 1)) = 31/32 is the first above 0.95.
        ({"rule": "beta"}, 4),
        # 2ⁿ⁺¹ (1 − 2⁻ⁿ⁻¹) / (n + 1) is 31/5 at n = 4, 15/4 at 3.
        ({"rule": "evalue"}, 4),
        ({"rule": "locked", "most": 9}, 5),
        ({"lead": 100, "most": 7}, 7),
    ],
)
def test_samples_that_all_agree(options, calls):
    rule = sampled([3] * 50, **options)
    assert (rule.calls, rule.answer) == (calls, 3)


@settings(max_examples=100)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=20))
def test_locked_sampling_gives_the_answer_of_all_samples(answers):
    early = sampled(answers, rule="locked", most=len(answers))
    full = sampled(answers, lead=100, most=len(answers))
    assert early.answer == full.answer


def test_samples_without_an_answer_cost_a_call():
    rule = sampled([-1, -1, -1], most=3)
    assert (rule.calls, rule.answer, rule.posterior) == (3, -1, {})


def test_the_chance_of_the_next_sample_leaves_room_for_a_new_answer():
    rule = sampled([0, 0, 1], most=9)
    assert rule.posterior == pytest.approx({0: 3 / 6, 1: 2 / 6})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "never"}, "'never'"),
        ({"lead": 0}, "lead is 0"),
        ({"sure": 0.4}, "sure is 0.4"),
        ({"evidence": 0.0}, "evidence is 0"),
        ({"most": 0}, "most is 0"),
    ],
)
def test_bad_sampling_rules_are_named(options, message):
    with pytest.raises(InputError, match=message):
        SelfConsistency(**options)

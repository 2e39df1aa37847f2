import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.answers.agree import agree
from swarmloom_protocols.consensus.answers.ballots import group_rows
from swarmloom_protocols.consensus.answers.calibration import Calibration, ShareCounts, posteriors
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.independence import effective_voters
from swarmloom_protocols.consensus.answers.probes import Probes
from tests.naive import agreement as naive

tables = st.tuples(st.integers(0, 14), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 3))
)


def crew(rng, accuracies, n_items, n_wrong=4):
    """Independent agents: right (0) with their accuracy, else one of the wrong answers."""
    wrong = rng.integers(1, n_wrong + 1, (n_items, len(accuracies)))
    return np.where(rng.random(wrong.shape) < accuracies, 0, wrong)


@settings(max_examples=80)
@given(tables, st.sampled_from(["auto", "agreement", "consensus", "degree", "majority"]))
def test_a_verdict_on_anything(votes, trust):
    votes.flags.writeable = False
    decision = agree(votes, trust=trust)
    assert decision.weights.sum() == pytest.approx(1.0)
    assert 1.0 <= decision.effective_voters <= votes.shape[1]
    for row, answer, posterior, confidence in zip(
        votes, decision.answers, decision.posterior, decision.confidence, strict=True
    ):
        assert answer == naive.verdict(row, decision.weights)
        given_answers = naive.distinct(row)
        assert len(posterior) == len(given_answers)
        assert posterior.sum() <= 1.0 + 1e-12
        if answer >= 0:
            assert confidence == posterior[given_answers.index(answer)]
            assert confidence >= posterior.max() - 1e-12
        else:
            assert confidence == 0.0


@given(tables, st.data())
def test_groups_vote_once(votes, data):
    n_agents = votes.shape[1]
    groups = data.draw(st.lists(st.sampled_from("ab"), min_size=n_agents, max_size=n_agents))
    weights = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n_agents, max_size=n_agents))
    )
    decision = agree(votes, groups=groups, trust=weights)
    names = list(dict.fromkeys(groups))
    heaviest = [max(w for w, g in zip(weights, groups, strict=True) if g == n) for n in names]
    if not any(heaviest):
        heaviest = [1.0] * len(names)
    expected = [naive.verdict(naive.group_vote(row, groups), heaviest) for row in votes]
    np.testing.assert_array_equal(decision.answers, expected)


def test_copies_of_one_model_do_not_change_the_verdicts_when_named():
    rng = np.random.default_rng(0)
    votes = crew(rng, [0.8, 0.7, 0.7, 0.6, 0.3], 500)
    copied = np.column_stack((votes, votes[:, 4], votes[:, 4], votes[:, 4]))
    one = agree(votes)
    many = agree(copied, groups=["a", "b", "c", "d", "e", "e", "e", "e"])
    np.testing.assert_array_equal(one.answers, many.answers)
    np.testing.assert_allclose(many.weights[:5], one.weights)
    assert any("50% of the agents" in text for text in many.warnings)


def test_trust_beats_majority_where_most_agents_are_weak():
    rng = np.random.default_rng(1)
    votes = crew(rng, [0.95, 0.9, 0.9, 0.3, 0.3, 0.3, 0.3], 1000, n_wrong=2)
    trusting, plain = agree(votes), agree(votes, trust="majority")
    assert (trusting.answers == 0).mean() > (plain.answers == 0).mean() + 0.05


def test_ten_probes_hold_a_colluding_majority_and_no_probes_are_warned_of():
    rng = np.random.default_rng(2)
    votes = crew(rng, [0.6] * 4 + [0.0] * 5, 200)
    votes[:, 4:] = 7
    known = agree(votes[10:], probes=(votes[:10], np.zeros(10, int)))
    assert known.rule == "probes"
    assert (known.answers == 0).mean() > 0.75
    blind = agree(votes[10:])
    assert (blind.answers == 0).mean() < 0.2
    assert any("median agreement" in text for text in blind.warnings)


def test_few_probes_are_not_enough():
    votes = np.array([[0, 0, 1]] * 30)
    four = Probes.of_counts([4, 4, 0], [4, 4, 4])
    five = Probes.of_counts([5, 5, 0], [5, 5, 5])
    assert agree(votes, probes=four).rule == "agreement"
    assert agree(votes, probes=five).rule == "probes"
    with pytest.raises(InputError, match="no agent has 5"):
        agree(votes, probes=four, trust="probes")


def test_few_items_or_voices_fall_back_to_majority_and_say_so():
    votes = np.array([[0, 0, 1]] * 9)
    few = agree(votes)
    assert few.rule == "majority"
    assert any("too few items" in text for text in few.warnings)
    two = agree(np.zeros((50, 2), int))
    assert two.rule == "majority"
    assert any("2 voice(s)" in text for text in two.warnings)


def test_answers_outvoted_in_their_group_count_for_nothing():
    """Groups a: 5 5 6, b: 7 8 8; codes 5, 6, 7, 8 in this order, voices 5 and 8."""
    votes = [[5, 5, 6, 7, 8, 8, 9]]
    (ended,) = agree(votes, groups=list("aaabbbb")).posterior
    assert ended.size == 4
    assert ended[1] == ended[2] < ended[0] == ended[3]


def test_a_tie_goes_to_the_first_and_is_no_certainty():
    tie = agree([[5, 3, 3, 5]], trust="majority")
    assert tie.answers.tolist() == [5]
    np.testing.assert_allclose(tie.posterior[0], [tie.confidence[0]] * 2)
    assert tie.confidence[0] <= 0.5


def test_nobody_answers():
    decision = agree(np.full((3, 4), -1))
    assert decision.answers.tolist() == [-1, -1, -1]
    assert decision.confidence.tolist() == [0.0, 0.0, 0.0]
    assert all(posterior.size == 0 for posterior in decision.posterior)
    assert any("3 item(s) without any answer" in text for text in decision.warnings)


def test_no_items_and_one_agent():
    assert agree(np.empty((0, 3), int)).answers.size == 0
    alone = agree([[4]])
    assert alone.answers.tolist() == [4]
    assert 0.5 < alone.confidence[0] < 0.9
    assert alone.effective_voters == 1.0


def test_answers_of_agents_without_trust_are_one_chance_among_others():
    decision = agree([[0, 1, -1]], trust=[0.0, 0.0, 1.0])
    np.testing.assert_allclose(decision.posterior[0], [1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trust": [1.0, np.nan]}, r"weights\[1\] is nan"),
        ({"trust": [1.0, -1.0]}, r"weights\[1\] is -1"),
        ({"trust": [1.0]}, "one an agent"),
        ({"trust": "loud"}, "'loud'"),
        ({"groups": ["a"]}, "1 names; allowed: 2"),
        ({"power": 0.0}, "power is 0"),
        ({"probes": ([[0, 1]], [-1])}, "key: holds -1"),
        ({"probes": ([[0, 1]], [0, 1])}, "a code a probe"),
        ({"probes": ([[0, 1, 2]], [0])}, "3 agents; allowed: 2"),
        ({"device": "tpu"}, "'tpu'"),
        ({"trust": ["1", "x"]}, "weights of type"),
        ({"trust": [[1.0], [1.0, 2.0]]}, "rows of equal length"),
        ({"probes": 5}, "probes: int; allowed: Probes"),
        ({"probes": ([[0, 1], [1]], [0, 0])}, "probes: .*rows of equal length"),
        ({"probes": ([[0, 1]], [[0], [1, 2]])}, "key: .*rows of equal length"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        agree([[0, 1], [1, 1]], **changes)


def test_ragged_votes_are_refused():
    with pytest.raises(InputError, match=r"votes: .*rows of equal length"):
        agree([[0, 1], [1]])


@pytest.mark.parametrize(
    "counts", [(["a"], [1.0]), ([1.0], ["b"]), ([1j], [1.0]), ([[1], [2, 3]], [1])]
)
def test_counts_that_are_no_numbers_are_refused(counts):
    with pytest.raises(InputError, match="allowed: real numbers"):
        Probes.of_counts(*counts)


def test_probes_may_come_in_a_list():
    votes = [[0, 1]] * 6
    as_list, as_tuple = agree(votes, probes=[votes, [0] * 6]), agree(votes, probes=(votes, [0] * 6))
    np.testing.assert_array_equal(as_list.weights, as_tuple.weights)


def test_weights_whose_sum_overflows_keep_their_ratios():
    decision = agree([[0, 1, 1]], trust=[1e308, 1e308, 5e307])
    np.testing.assert_allclose(decision.weights, [0.4, 0.4, 0.2])
    assert decision.answers[0] == 1
    np.testing.assert_allclose(
        decision.posterior[0], agree([[0, 1, 1]], trust=[2.0, 2.0, 1.0]).posterior[0]
    )


def test_unknown_models_are_not_one_model():
    votes = [[0, 0, 1, 1, 2]] * 12
    unknown = agree(votes, groups=[None, None, None, "m", "m"])
    named = agree(votes, groups=["a", "b", "c", "m", "m"])
    np.testing.assert_array_equal(unknown.weights, named.weights)
    assert len(set(group_rows([None, None, "m"], 3).tolist())) == 3


def test_probes_count_no_answer_as_wrong_and_keys_nobody_gave():
    probes = Probes.of_answers([[2, -1, 2], [1, 1, 0]], [2, 9])
    np.testing.assert_array_equal(probes.right, [1, 0, 1])
    np.testing.assert_array_equal(probes.asked, [2, 2, 2])
    np.testing.assert_array_equal(probes.key, [0, -1])


def test_wrong_keys_are_suspected_where_agents_agree_on_another_answer():
    votes = np.array([[0, 0, 0, 0, 1], [1, 1, 1, 1, 1], [0, 1, 2, 3, 4], [2, 2, 2, 2, 3]])
    probes = Probes.of_answers(votes, [0, 4, 9, 3])
    assert probes.suspects == (1, 3)
    many = agree(np.tile(votes, (3, 1)), probes=probes)
    assert any("rows 1, 3" in text for text in many.warnings)


def test_agents_who_all_fail_are_a_guess():
    votes = np.array([[0, 1, 2]] * 20)
    decision = agree(votes, probes=(votes[:6], np.full(6, 9)), trust="probes")
    assert any("trust is a guess" in text for text in decision.warnings)
    np.testing.assert_allclose(decision.weights, 1 / 3)


def wrong_keys(rng, n_items=400):
    """A crew of nine, all honest, and ten probes whose keys are answers that few give."""
    votes = crew(rng, [0.8, 0.75, 0.7, 0.6, 0.5, 0.45, 0.4, 0.4, 0.4], n_items)
    return votes, (votes[:10], np.full(10, 1))


def test_keys_that_hardly_anybody_gives_do_not_make_trust():
    votes, probes = wrong_keys(np.random.default_rng(0))
    decision, blind = agree(votes, probes=probes), agree(votes)
    np.testing.assert_array_equal(decision.weights, blind.weights)
    np.testing.assert_array_equal(decision.confidence, blind.confidence)
    assert decision.rule == "agreement"
    assert any("their keys may be wrong; trust does not" in text for text in decision.warnings)
    told = agree(votes, probes=probes, trust="probes")
    assert told.rule == "probes"
    assert (told.answers == 0).mean() < (decision.answers == 0).mean() - 0.05


def two_options(rng, accuracy=0.7, agents=9):
    return crew(rng, [accuracy] * agents, 300, n_wrong=1)


def test_wrong_keys_of_two_options_are_doubted_below_a_half():
    """Whoever errs gives the wrong key then: a third of a crew of 70 % does."""
    votes = two_options(np.random.default_rng(1))
    wrong, right = ((votes[:20], np.full(20, key)) for key in (1, 0))
    assert Probes.of_answers(*wrong).unlikely
    assert not Probes.of_answers(*right).unlikely
    found = agree(votes, probes=wrong)
    assert found.rule == "agreement"
    assert (found.answers == 0).mean() > 0.8
    assert any("less than half of the known answers" in text for text in found.warnings)
    counted = Probes.of_answers(*wrong)
    counted = Probes.of_counts(counted.right, counted.asked)
    assert not counted.unlikely
    assert agree(votes, probes=counted).rule == "agreement"
    online = CrewTrust(9)
    for row in votes:
        online.record(range(9), row)
    for row in votes[:20]:
        online.grade(range(9), row, 1)
    assert online.rule == "agreement"
    assert CrewTrust.from_state(online.state()).rule == "agreement"
    assert any("less than half" in text for text in online.warnings())


def test_few_answers_do_not_tell_two_options_from_more():
    assert Probes.of_answers([[0, 1], [1, 2]], [0, 1]).options == 0
    assert Probes.of_answers([[1], [0]], [0, 0]).options == 0
    assert Probes.of_answers([[1, 1, 1]], [0]).options == 2
    assert Probes.of_answers([[1, 2]], [0]).options == 3


def test_the_better_half_of_the_crew_speaks_for_the_keys():
    assert not Probes.of_counts([5, 5, 0, 0], [10] * 4).unlikely
    assert not Probes.of_counts([4, 4, 4, 0, 0], [10] * 5).unlikely
    assert Probes.of_counts([3, 3, 3, 3], [10] * 4).unlikely


def test_copies_take_over_no_crew_because_of_few_known_answers():
    """Agreement is no refuge where four of nine answer alike and the honest know little."""
    rng = np.random.default_rng(1)
    votes = crew(rng, [0.6, 0.6, 0.55, 0.5, 0.5] + [0.0] * 4, 300, n_wrong=6)
    votes[:, 5:] = rng.integers(1, 7, 300)[:, None]
    probes = Probes.of_counts([3, 3, 3, 2, 1, 0, 0, 0, 0], [10] * 9)
    assert probes.unlikely
    found = agree(votes, probes=probes)
    assert found.rule == "probes"
    assert found.weights[5:].sum() < 0.1
    assert any("their keys may be wrong" in text for text in found.warnings)


def test_doubted_keys_do_not_count():
    rng = np.random.default_rng(2)
    votes = crew(rng, [0.95] * 4 + [0.3], 60)
    key = np.r_[np.full(6, 0), np.full(4, 9)]
    probes = Probes.of_answers(votes[:10], key)
    assert set(probes.suspects) <= {6, 7, 8, 9}
    assert len(probes.suspects) >= 3
    kept = np.setdiff1d(np.arange(10), probes.suspects)
    clean = agree(votes, probes=(votes[kept], key[kept]))
    decision = agree(votes, probes=probes)
    np.testing.assert_array_equal(decision.weights, clean.weights)
    assert any("they do not count" in text for text in decision.warnings)


def test_known_answers_against_agreement_are_told():
    votes = crew(np.random.default_rng(3), [0.9, 0.85, 0.8, 0.5, 0.3], 200)
    upside_down = Probes.of_counts([3, 4, 5, 7, 9], [10] * 5)
    found = agree(votes, probes=upside_down)
    assert any("whom agreement distrusts" in text for text in found.warnings)
    fine = agree(votes, probes=Probes.of_counts([9, 9, 8, 5, 3], [10] * 5))
    assert not any("agreement distrusts" in text for text in fine.warnings)


def test_the_online_form_leaves_doubted_keys_out():
    trust, votes = CrewTrust(4), crew(np.random.default_rng(4), [0.9, 0.8, 0.7, 0.6], 40)
    for row in votes:
        trust.record(np.arange(4), row)
    before = trust.weights
    for _ in range(6):
        trust.grade([0, 1, 2, 3], [1, 1, 1, 1], 0)
    np.testing.assert_array_equal(trust.weights, before)
    assert trust.rule == "agreement"
    assert any("6 graded item(s)" in text and "do not count" in text for text in trust.warnings())


def test_agents_of_one_model_are_one_witness_against_a_key():
    """Five roles on one model that errs half of the time, and a strong one; all keys are right."""
    rng = np.random.default_rng(0)
    votes = crew(rng, [0.5] * 5 + [0.95], 300)
    votes[:, 1:5] = votes[:, :1]
    groups, probes = ["weak"] * 5 + ["strong"], (votes[:20], np.zeros(20, int))
    found = agree(votes, groups=groups, probes=probes)
    single = agree(votes[:, [0, 5]], probes=(votes[:20, [0, 5]], probes[1]))
    np.testing.assert_array_equal(found.weights[[0, 5]], single.weights)
    assert not any("wrong keys" in text for text in found.warnings)
    alike = [[0, 0, 0, 0, 1]] * 5
    apart = agree(alike, groups=list("abcde"), probes=(alike, [1] * 5))
    assert any("wrong keys" in text for text in apart.warnings)


def test_the_online_form_hears_one_witness_of_a_model():
    alone, crew_of_three = CrewTrust(1), CrewTrust(3, groups=["m"] * 3)
    for answer in [0, 1, 2] * 20:
        alone.grade([0], [answer], 0)
        crew_of_three.grade([0, 1, 2], [answer] * 3, 0)
    assert crew_of_three.calibration == alone.calibration
    assert not any("do not count" in text for text in crew_of_three.warnings())
    assert not any("less than half" in text for text in crew_of_three.warnings())
    votes = np.tile([[0], [1], [2]] * 20, 3)
    known = Probes.of_answers(votes, np.zeros(60, int))
    assert known.options == 2
    assert known.grouped(np.zeros(3, int)).options == 0


def test_probes_of_groups_are_those_of_their_voice():
    votes = np.array([[0, 0, 1, 2]] * 6)
    grouped = Probes.of_answers(votes, np.zeros(6, int)).grouped(np.array([0, 0, 0, 1]))
    np.testing.assert_array_equal(grouped.right, [6, 0])
    counted = Probes.of_counts([6, 3, 0, 1], [6, 6, 6, 2]).grouped(np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(counted.right, [3, 1])
    np.testing.assert_allclose(counted.asked, [6, 2])


@pytest.mark.parametrize("bad", [([1, 2], [3]), ([4], [3]), ([-1], [3]), ([1], [np.inf])])
def test_malformed_counts_of_probes_are_refused(bad):
    with pytest.raises(InputError, match="probes"):
        Probes.of_counts(*bad)


def test_confidence_of_independent_agents_errs_low():
    rng = np.random.default_rng(3)
    votes = crew(rng, [0.9, 0.8, 0.7, 0.7, 0.6], 4000)
    decision = agree(votes)
    right = decision.answers == 0
    assert -0.25 < decision.confidence.mean() - right.mean() <= 0.0
    sure = decision.confidence > np.median(decision.confidence)
    assert right[sure].mean() > right[~sure].mean()


def test_known_answers_correct_the_confidence():
    rng = np.random.default_rng(4)
    votes = crew(rng, [0.9, 0.8, 0.7, 0.7, 0.6], 4000)
    graded = agree(votes[2000:], probes=(votes[:2000], np.zeros(2000, int)))
    blind = agree(votes[2000:])
    right = (graded.answers == 0).mean()
    assert abs(graded.confidence.mean() - right) < 0.02
    assert abs(graded.confidence.mean() - right) < abs(blind.confidence.mean() - right)


def test_calibration_recovers_a_known_map():
    rng = np.random.default_rng(5)
    counts = ShareCounts()
    x = np.linspace(-3, 3, 61) + 0.05
    bins = np.floor((x + 6) / 0.2).astype(int)
    p = 1 / (1 + np.exp(-(0.5 + 0.7 * x)))
    hits = rng.binomial(5000, p)
    np.add.at(counts.graded, (bins, 1), hits)
    np.add.at(counts.graded, (bins, 0), 5000 - hits)
    counts.graded_items = 1.0
    found = counts.fit(5)
    assert (found.intercept, found.slope) == pytest.approx((0.5, 0.7), abs=0.03)


def test_more_trust_never_makes_an_answer_less_probable():
    codes = np.array([[0, 1, 1], [0, 0, 1]])
    weights = np.array([0.2, 0.3, 0.5])
    one, two = posteriors(codes, weights, Calibration(0.3, 0.8))
    assert one[1] > one[0]
    assert two[0] > one[0]


def test_confidence_without_evidence_is_the_priors_and_is_told():
    for counts in (ShareCounts(), ShareCounts(items=20.0)):
        assert counts.fit(5) == counts.fit(2) == Calibration(0.0, 1.0)
    assert CrewTrust(5).calibration == Calibration(0.0, 1.0)
    text = "the confidence is the prior's"
    alone = agree([[4]])
    assert alone.confidence[0] == pytest.approx(0.75)
    votes = crew(np.random.default_rng(0), [0.8, 0.8, 0.7], 40)
    for few in (alone, agree(votes[:19]), agree(votes[:, :2])):
        assert any(text in warning for warning in few.warnings)
    graded = agree(votes[20:, :2], probes=(votes[:20, :2], np.zeros(20, int)))
    for enough in (agree(votes[:20]), graded):
        assert not any(text in warning for warning in enough.warnings)


def test_misses_at_unanimity_are_partly_the_agents_left_out():
    """Of two voices nothing is laid to the one left out, of five 0.3 of the misses."""
    counts = ShareCounts()
    counts.add(crew(np.random.default_rng(9), [0.8] * 5, 3000, n_wrong=20), np.full(5, 0.2))
    five, two = (counts.fit(n)(np.array([2.0]))[0] for n in (5, 2))
    assert 0.15 * (1.0 - two) < five - two < 0.45 * (1.0 - two)


def test_independent_voters_count_in_full_and_copies_as_one():
    rng = np.random.default_rng(6)
    votes = crew(rng, [0.7] * 5, 5000)
    right = np.zeros(5000, np.int64)
    errors = (votes != 0).astype(float)
    assert effective_voters(votes, right) == pytest.approx(naive.effective_voters(errors))
    assert effective_voters(votes, right) > 4.5
    assert effective_voters(np.repeat(votes[:, :1], 4, axis=1), right) == pytest.approx(1.0)
    assert effective_voters(votes, right, np.zeros(5)) == 0.0


def recorded(votes, groups=None):
    trust = CrewTrust(votes.shape[1], groups=groups)
    for row in votes:
        trust.record(np.arange(votes.shape[1]), row)
    return trust


@pytest.mark.parametrize("groups", [None, ["a", "b", "b", "c"]])
def test_the_online_form_has_the_weights_of_the_batch(groups):
    votes = crew(np.random.default_rng(7), [0.9, 0.7, 0.6, 0.5], 200)
    trust, batch = recorded(votes, groups), agree(votes, groups=groups)
    np.testing.assert_allclose(trust.weights, batch.weights)
    assert trust.rule == batch.rule == "agreement"
    assert trust.warnings() == batch.warnings


def test_the_online_form_counts_shares_with_the_trust_of_the_moment():
    """The shares of a crew with one good agent are its, not a majority's."""
    votes = crew(np.random.default_rng(10), [0.95, 0.9, 0.9, 0.2, 0.2, 0.2], 300)
    trust, even = recorded(votes), ShareCounts()
    for row in votes:
        even.add(row[None], np.full(6, 1 / 6))
    batch = ShareCounts()
    batch.add(votes, trust.weights)
    apart = [
        np.abs(one - batch.unlabelled).sum() for one in (trust._shares.unlabelled, even.unlabelled)
    ]
    assert apart[0] < 0.5 * apart[1]


def test_weights_that_are_all_0_are_told():
    decision = agree(np.zeros((30, 3), int), trust=[0.0, 0.0, 0.0])
    np.testing.assert_allclose(decision.weights, 1 / 3)
    assert any("all given weights are 0" in text for text in decision.warnings)


def test_the_online_form_takes_parts_of_the_crew_and_known_answers():
    trust = CrewTrust(3)
    np.testing.assert_allclose(trust.weights, 1 / 3)
    for _ in range(6):
        trust.record([2, 0], [5, 5])
        trust.probe(0, True)
        trust.probe(1, False)
        trust.grade([2, 1], [3, 4], 3)
    assert trust.rule == "probes"
    assert trust.weights[0] == trust.weights[2] > 100 * trust.weights[1]


def test_the_state_goes_through_json_and_back():
    import json

    trust = recorded(crew(np.random.default_rng(8), [0.9, 0.7, 0.6], 50), ["x", "y", "y"])
    trust.grade([0, 1, 2], [0, 1, 1], 0)
    again = CrewTrust.from_state(json.loads(json.dumps(trust.state())))
    np.testing.assert_array_equal(again.weights, trust.weights)
    assert again.state() == trust.state()
    assert again.calibration == trust.calibration
    assert again.warnings() == trust.warnings()


def test_wrong_keys_of_graded_tasks_are_suspected():
    trust = CrewTrust(4)
    trust.grade([0, 1, 2, 3], [1, 1, 1, 1], 0)
    trust.grade([0, 1, 2, 3], [1, 1, 1, 1], 1)
    assert any("1 graded item(s)" in text for text in trust.warnings())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda trust: trust.record([0, 0], [1, 1]), "each once"),
        (lambda trust: trust.record([3], [1]), "rows below 3"),
        (lambda trust: trust.record([0, 1], [1]), "1 of 2 experts"),
        (lambda trust: trust.record([0], [-2]), "holds -2"),
        (lambda trust: trust.record([0, 1, 2], [1.2, 1.9, 2.7]), "answers: float64"),
        (lambda trust: trust.record([0.9, 1.9], [1, 2]), "experts: float64"),
        (lambda trust: trust.record([0, 1], [1, np.nan]), "answers: float64"),
        (lambda trust: trust.grade([0.0], [1], 1), "experts: float64"),
        (lambda trust: trust.record([True, False], [1, 1]), "experts: bool"),
        (lambda trust: CrewTrust.from_state(trust.state() | {"right": [np.nan] * 3}), "NaN"),
        (lambda trust: CrewTrust.from_state(trust.state() | {"asked": [-1.0] * 3}), "NaN or"),
        (lambda trust: CrewTrust.from_state(trust.state() | {"right": [1.0] * 3}), "right"),
        (lambda trust: CrewTrust.from_state(trust.state() | {"share_items": [np.inf, 0]}), "NaN"),
        (lambda trust: trust.probe(3, True), "expert is 3"),
        (lambda trust: trust.grade([0], [1], -2), "truth is -2"),
        (lambda trust: CrewTrust.from_state({"groups": [0, 1]}), "state"),
        (lambda trust: CrewTrust.from_state(trust.state() | {"right": [1]}), "shape"),
    ],
)
def test_the_online_form_refuses_what_it_cannot_mean(call, message):
    with pytest.raises(InputError, match=message):
        call(CrewTrust(3))

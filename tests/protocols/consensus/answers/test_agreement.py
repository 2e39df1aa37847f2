import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmloom.device import use_threads
from swarmloom.errors import InputError
from swarmloom_protocols.consensus.answers import agreement as counting
from swarmloom_protocols.consensus.answers.agreement import (
    AgreementCounts,
    agreement,
    chance_rates,
    pair_sums,
)
from swarmloom_protocols.consensus.answers.ballots import (
    ballots,
    coded,
    group_ballots,
    group_rows,
)
from swarmloom_protocols.consensus.answers.shared_errors import (
    SharedErrors,
    cluster_members,
    near_clones,
    sampled_errors,
    shared_errors,
)
from swarmloom_protocols.consensus.answers.trust_rules import (
    agreement_trust,
    consensus_trust,
    degree_trust,
    extended,
    shrunk_accuracy,
)
from tests.naive import agreement as naive

tables = st.tuples(st.integers(0, 12), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 3))
)


def rates_of(votes):
    codes = ballots(votes)
    return agreement(pair_sums(codes, chance_rates(codes)))


def crew(rng, accuracies, n_items, n_wrong=4):
    """Independent agents: right (0) with their accuracy, else one of the wrong answers."""
    wrong = rng.integers(1, n_wrong + 1, (n_items, len(accuracies)))
    return np.where(rng.random(wrong.shape) < accuracies, 0, wrong)


@given(tables)
def test_sums_of_pairs_equal_the_naive_ones(votes):
    codes = ballots(votes)
    chance = chance_rates(codes)
    np.testing.assert_allclose(pair_sums(codes, chance), naive.pair_sums(votes, chance))


@given(tables)
def test_agreement_equals_the_naive_one(votes):
    rates = rates_of(votes)
    for i in range(votes.shape[1]):
        for j in range(votes.shape[1]):
            expected = np.nan if i == j else naive.agreement(votes, i, j)
            np.testing.assert_allclose(rates[i, j], expected)


@given(tables, st.randoms(use_true_random=False))
def test_names_of_answers_do_not_matter(votes, random):
    renamed = votes.copy()
    for row in renamed:
        names = random.sample(range(1000), 4)
        row[row >= 0] = np.array(names)[row[row >= 0]]
    np.testing.assert_array_equal(ballots(renamed), ballots(votes))


def test_many_bands_on_any_number_of_threads_give_the_same_sums():
    rng = np.random.default_rng(0)
    votes = rng.integers(-1, 4, (counting.CHUNK_ITEMS + counting.BAND_ITEMS + 7, 5))
    chance = rng.random(len(votes))
    with use_threads(1):
        one = pair_sums(votes, chance)
    with use_threads(4):
        four = pair_sums(votes, chance)
    np.testing.assert_array_equal(one, four)
    both = (votes[:, 0] >= 0) & (votes[:, 3] >= 0)
    alike = (both & (votes[:, 0] == votes[:, 3])).sum()
    np.testing.assert_allclose(one[:, 0, 3], [both.sum(), alike, chance[both].sum()])


def test_a_stream_counts_as_a_batch_does():
    rng = np.random.default_rng(1)
    votes = rng.integers(-1, 4, (50, 4))
    votes.flags.writeable = False
    stream = AgreementCounts.empty(4)
    for row in votes:
        stream.add(row[None])
    np.testing.assert_allclose(stream.rates, rates_of(votes))
    assert stream.items == ((votes >= 0).sum(axis=1) > 1).sum()


def test_counts_refuse_other_agents():
    with pytest.raises(InputError, match="3 agents; allowed: 2"):
        AgreementCounts.empty(2).add(np.zeros((1, 3), int))


def test_agents_that_always_agree_have_1_and_random_ones_about_0():
    rng = np.random.default_rng(2)
    votes = rng.integers(0, 10, (4000, 6))
    votes[:, 1] = votes[:, 0]
    rates = rates_of(votes)
    assert rates[0, 1] == 1.0
    assert abs(rates[2, 3]) < 0.05


@settings(max_examples=40)
@given(tables.filter(lambda votes: (votes >= 0).all() and len(votes)), st.sampled_from([1.0, 5.0]))
def test_trust_by_agreement_equals_the_naive_one(votes, power):
    found = agreement_trust(rates_of(votes), power)
    np.testing.assert_allclose(found, naive.trust(votes, power), atol=1e-6)


@settings(max_examples=40)
@given(tables.filter(lambda votes: len(votes)), st.sampled_from([1.0, 5.0]))
def test_trust_by_consensus_equals_the_naive_one_after_a_sweep(votes, power):
    codes = ballots(votes)
    found = consensus_trust(codes, power)
    again = naive.leave_one_out_trust(votes, power, sweeps=1)
    assert found.sum() == pytest.approx(1.0)
    one_sweep = naive.leave_one_out_trust(codes, power, sweeps=1)
    np.testing.assert_allclose(again, one_sweep)


def test_every_rule_ranks_independent_agents_by_their_accuracy():
    rng = np.random.default_rng(3)
    votes = crew(rng, [0.9, 0.75, 0.6, 0.45, 0.3], 3000)
    rates = rates_of(votes)
    for weights in (agreement_trust(rates), degree_trust(rates), consensus_trust(ballots(votes))):
        assert (np.diff(weights) <= 0.0).all()
        assert weights[0] > 2 * weights[2] > 0.0
        assert weights.sum() == pytest.approx(1.0)


def test_the_median_start_holds_a_colluding_third_that_sums_do_not():
    rng = np.random.default_rng(4)
    votes = crew(rng, [0.8] * 6 + [0.0] * 3, 400)
    votes[:, 6:] = 9
    rates = rates_of(votes)
    assert agreement_trust(rates)[6:].sum() < 1e-3
    assert degree_trust(rates)[6:].sum() > 0.5


def test_an_agent_that_met_nobody_has_the_median_weight():
    votes = np.array([[0, 0, 0, -1]] * 30)
    weights = agreement_trust(rates_of(votes))
    np.testing.assert_allclose(weights, 0.25)
    assert agreement_trust(np.full((3, 3), np.nan)) == pytest.approx(1 / 3)


def test_accuracy_is_shrunk():
    found = shrunk_accuracy(np.array([10.0, 0.0, 5.0]), np.array([10.0, 0.0, 10.0]))
    np.testing.assert_allclose(found, [11 / 12, 1 / 2, 6 / 12])


def test_nobody_untested_is_trusted_more_than_the_most_trusted_tested():
    """The tested ones know little; the untested agree with them always."""
    rates = np.full((3, 3), 1.0)
    np.fill_diagonal(rates, np.nan)
    weights = extended(np.array([0.02, 0.01, 0.0]), np.array([True, True, False]), rates)
    np.testing.assert_allclose(weights, np.array([0.02, 0.01, 0.02]) / 0.05)


def test_the_median_start_holds_a_clique_that_a_mean_start_does_not():
    """Three of nine always agree with each other, and by chance with the six others."""
    rates = np.full((9, 9), 0.5)
    rates[6:, :6] = rates[:6, 6:] = 0.2
    rates[6:, 6:] = 1.0
    np.fill_diagonal(rates, np.nan)
    mean = np.nanmean(rates, axis=1)
    assert mean[6:].min() > mean[:6].max()
    assert agreement_trust(rates)[6:].sum() < 0.5


def test_trust_reaches_untested_agents_through_tested_ones():
    rng = np.random.default_rng(5)
    votes = crew(rng, [0.9, 0.9, 0.9, 0.2], 2000)
    tested = np.array([True, True, False, False])
    weights = extended(np.array([0.6, 0.6, 0.0, 0.0]), tested, rates_of(votes))
    assert weights[2] > 5 * weights[3]
    assert weights[2] <= weights[0]


@settings(max_examples=60)
@given(tables, st.booleans(), st.integers(0, 10**6))
def test_shared_errors_equal_the_naive_ones(votes, known, seed):
    codes = ballots(votes)
    right = np.random.default_rng(seed).integers(-1, 4, len(votes)) if known else None
    found = shared_errors(codes, right)
    sums = (found.both, found.alike, found.expected, found.variance)
    np.testing.assert_allclose(sums, naive.shared_errors(codes, right), atol=1e-12)


def copies(rng, n_items):
    votes = crew(rng, [0.7, 0.7, 0.6, 0.6, 0.5, 0.4], n_items)
    clone = np.where(rng.random(n_items) < 0.85, votes[:, 5], rng.integers(0, 5, n_items))
    return np.column_stack((votes, clone))


def test_copies_are_found_and_independent_agents_are_not():
    rng = np.random.default_rng(6)
    votes = copies(rng, 400)
    np.testing.assert_array_equal(near_clones(ballots(votes)), [0, 1, 2, 3, 4, 5, 5])
    assert cluster_members(near_clones(ballots(votes))) == ((5, 6),)
    assert cluster_members(near_clones(ballots(votes[:, :6]))) == ()


@pytest.mark.parametrize(
    ("accuracies", "options"),
    [
        ([0.9, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4], 3),
        ([0.9, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4], 5),
        ([0.9, 0.9, 0.9] + [0.5] * 6, 4),
        ([0.9, 0.85, 0.5, 0.5, 0.5], 2),
    ],
)
def test_strong_agents_among_weak_ones_are_no_copies(accuracies, options):
    """Where there is little to choose from, guesses agree, and the weak are no measure of right."""
    found = [
        near_clones(
            ballots(crew(np.random.default_rng(seed), accuracies, 400, n_wrong=options - 1))
        )
        for seed in range(20)
    ]
    taken = sum(len(cluster_members(labels)) > 0 for labels in found)
    assert taken <= 1


@pytest.mark.parametrize("options", [3, 4])
def test_copies_are_found_where_there_is_little_to_choose_from(options):
    rng = np.random.default_rng(9)
    votes = crew(rng, [0.7, 0.7, 0.6, 0.6, 0.5, 0.4], 400, n_wrong=options - 1)
    clone = np.where(rng.random(400) < 0.9, votes[:, 5], rng.integers(0, options, 400))
    labels = near_clones(ballots(np.column_stack((votes, clone))))
    np.testing.assert_array_equal(labels, [0, 1, 2, 3, 4, 5, 5])


def test_shared_errors_do_not_depend_on_the_order_of_the_items():
    codes = ballots(copies(np.random.default_rng(10), 60))
    stream = SharedErrors.empty(codes.shape[1])
    for row in codes[np.argsort(codes.max(axis=1), kind="stable")]:
        stream.add(row[None])
    whole = shared_errors(codes)
    assert stream.options == whole.options
    np.testing.assert_allclose(stream.excess, whole.excess)
    np.testing.assert_allclose(stream.deviations, whole.deviations)


def test_crews_of_fewer_than_five_have_no_copies():
    votes = np.array([[0, 1, 1, 1]] * 50)
    np.testing.assert_array_equal(near_clones(ballots(votes)), np.arange(4))


def test_shared_errors_of_many_items_are_sampled():
    votes = np.tile(np.arange(40) % 3, (5000, 1))
    found = sampled_errors(ballots(votes))
    assert isinstance(found, SharedErrors)
    assert 0 < found.sums[0].max() < 5000


@given(tables, st.data())
def test_groups_vote_as_most_of_their_agents(votes, data):
    n_agents = votes.shape[1]
    groups = data.draw(st.lists(st.sampled_from("abc"), min_size=n_agents, max_size=n_agents))
    codes = ballots(votes)
    found = group_ballots(codes, group_rows(groups, n_agents))
    expected = [naive.group_vote(row, groups) for row in codes]
    np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


def test_answers_of_any_kind_become_ballots():
    votes = coded([["yes", "no", None], [3.5, (1, 2), 3.5]])
    np.testing.assert_array_equal(votes, [[0, 1, -1], [0, 1, 0]])
    with pytest.raises(InputError, match=r"items of \[1, 2\] agents"):
        coded([["a"], ["a", "b"]])


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([0, 1], r"shape \(2,\)"),
        (np.zeros((3, 0), int), "agents ≥ 1"),
        ([[0.0, 1.0]], "float64 values"),
        ([[0, -2]], "holds -2"),
        ([[np.nan, 1]], "float64 values"),
    ],
)
def test_malformed_votes_are_refused(votes, message):
    with pytest.raises(InputError, match=message):
        ballots(votes)


def test_huge_codes_are_answers_like_any_other():
    np.testing.assert_array_equal(ballots([[2**62, 5, 2**62]]), [[0, 1, 0]])

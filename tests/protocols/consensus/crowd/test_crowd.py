"""The door: known answers on recorded and simulated crowds, symmetries, edges, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError, MemoryLimitError
from swarmloom_protocols.consensus.crowd import votes as votes_module
from swarmloom_protocols.consensus.crowd.crowd import crowd
from tests.protocols.consensus.crowd.crowds import coins, crowds, recorded, simulated

METHODS = ["majority", "one_coin", "glad", "dawid_skene", "hierarchical", "ebcc", "average"]
CERTAIN = [method for method in METHODS if method not in ("ebcc", "average")]
SETS = ["CF", "MS", "ZenCrowd_in", "bluebird", "rte", "sentiment", "web"]


def share_right(columns, truth, method, **known):
    return 100 * crowd(*columns, method=method, **known).share_right(truth)


@pytest.mark.parametrize(
    ("name", "method", "percent"),
    [
        ("bluebird", "majority", 75.93),
        ("bluebird", "dawid_skene", 89.81),
        ("rte", "majority", 89.69),
        ("rte", "dawid_skene", 92.75),
        ("CF", "dawid_skene", 83.00),
        ("MS", "dawid_skene", 76.86),
        ("sentiment", "dawid_skene", 96.00),
    ],
)
def test_published_sets_have_their_known_shares(shared_data, name, method, percent):
    columns, truth = recorded(shared_data, name)
    assert share_right(columns, truth, method) == pytest.approx(percent, abs=0.005)


@pytest.mark.parametrize("name", SETS)
def test_auto_is_not_below_majority_on_recorded_sets(shared_data, name):
    columns, truth = recorded(shared_data, name)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        found = share_right(columns, truth, "auto", rng=rng)
        assert found >= share_right(columns, truth, "majority") - 0.5


def test_auto_is_as_good_as_dawid_skene_on_the_mean(shared_data):
    sets = [recorded(shared_data, name) for name in SETS]
    means = [
        np.mean([share_right(*one, method) for one in sets]) for method in ("auto", "majority")
    ]
    # 85.15 is the mean of crowd-kit 1.4.2's DawidSkene on these seven.
    assert means[0] >= 85.15
    assert means[0] >= means[1] + 4


def pressing_one_key(rng, n_labels, share, workers=50):
    """Five votes an item; some workers give label 0 whatever the item."""
    truth = rng.integers(0, n_labels, 300)
    items = np.repeat(np.arange(300), 5)
    who = np.concatenate([rng.choice(workers, 5, replace=False) for _ in range(300)])
    right = rng.random(1500) < rng.uniform(0.55, 0.95, workers)[who]
    labels = np.where(right, truth[items], (truth[items] + rng.integers(1, 4, 1500)) % n_labels)
    return (items, who, np.where(who < share * workers, 0, labels)), truth


@pytest.mark.parametrize(("share", "seed"), [(0.3, 0), (0.3, 2), (0.5, 0), (0.5, 1), (0.5, 2)])
def test_workers_who_press_one_key_are_told_and_do_not_decide(share, seed):
    columns, truth = pressing_one_key(np.random.default_rng(seed), 4, share)
    found = crowd(*columns)
    floor = crowd(*columns, method="majority").share_right(truth)
    assert crowd(*columns, method="one_coin").share_right(truth) < floor - 0.1
    assert found.share_right(truth) > floor + 0.02
    assert any("methods left out: they find next to no item" in text for text in found.warnings)
    told = next(text for text in found.warnings if "whatever the item" in text)
    assert int(told.split()[0]) >= 0.8 * share * 50
    assert all(int(name) < share * 50 for name in told.split(": ")[1].split(", "))


def test_nobody_is_lazy_in_a_crowd_that_is_not():
    columns, _ = pressing_one_key(np.random.default_rng(5), 4, 0.0)
    assert not any("left out" in text or "one label" in text for text in crowd(*columns).warnings)
    # Rare truths make everybody give the same label.
    assert crowd([0, 0, 1, 1] * 20, [0, 1, 0, 1] * 20, [0] * 80).warnings == (
        "76 repeated votes of workers on the same item count fully",
    )


def test_confusion_matrices_are_found_again():
    biased = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.6, 0.4], [0.05, 0.95]]] * 4)
    columns, truth = simulated(np.random.default_rng(0), biased, 3000)
    for method in ("dawid_skene", "hierarchical"):
        found = crowd(*columns, method=method)
        np.testing.assert_allclose(found.confusion, biased, atol=0.06)
        assert found.share_right(truth) > crowd(*columns, method="majority").share_right(truth)


def test_accuracies_are_found_again():
    accuracies = np.array([0.95, 0.8, 0.6, 0.5, 0.4, 0.7])
    columns, _ = simulated(np.random.default_rng(1), coins(accuracies, 4), 2000, 0.7)
    for method in ("one_coin", "dawid_skene", "hierarchical"):
        np.testing.assert_allclose(crowd(*columns, method=method).accuracy, accuracies, atol=0.04)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("majority", "average")])
def test_an_adversary_counts_the_other_way(method):
    """Three fair workers and one who nearly always lies: the lies are evidence."""
    columns, truth = simulated(np.random.default_rng(3), coins([0.75, 0.75, 0.75, 0.05], 2), 800)
    found = crowd(*columns, method=method)
    assert found.share_right(truth) > 0.94
    assert found.accuracy[3] < 0.15
    assert any("worse than chance: 3" in warning for warning in found.warnings)
    assert crowd(*columns, method="majority").share_right(truth) < 0.8


def copied(rng, copies, others):
    """Workers who copy one who is right in 65 of 100, and others who are right in 80."""
    (_, _, own), truth = simulated(rng, coins([0.65] + [0.8] * others, 2), 1500)
    table = own.reshape(1500, others + 1)
    table = np.column_stack([np.repeat(table[:, :1], copies, axis=1), table[:, 1:]])
    items, workers = np.indices(table.shape)
    return (items.ravel(), workers.ravel(), table.ravel()), truth


def test_ebcc_sees_a_copy_where_others_count_it_twice():
    columns, truth = copied(np.random.default_rng(0), 2, 5)
    independent = crowd(*columns, method="dawid_skene").share_right(truth)
    assert crowd(*columns, method="ebcc").share_right(truth) > independent + 0.02


@pytest.mark.parametrize("method", [m for m in METHODS if m != "majority"])
def test_many_copies_take_over_all_but_majority(method):
    """A limit to know of: four workers as good as one look like the best of eight."""
    columns, truth = copied(np.random.default_rng(0), 4, 4)
    found = crowd(*columns, method=method)
    assert found.share_right(truth) == pytest.approx(0.65, abs=0.03)
    assert crowd(*columns, method="majority").share_right(truth) > 0.7


def test_hard_items_are_told_from_weak_workers():
    """GLAD lowers the probability of items that able workers disagree on."""
    rng = np.random.default_rng(4)
    hard = np.arange(400) < 200
    truth = rng.integers(0, 2, 400)
    right = rng.random((400, 9)) < np.where(hard, 0.55, 0.97)[:, None]
    labels = np.where(right, truth[:, None], 1 - truth[:, None])
    items, workers = np.indices(labels.shape)
    sure = crowd(items.ravel(), workers.ravel(), labels.ravel(), method="glad").posterior.max(1)
    assert sure[~hard].mean() > sure[hard].mean() + 0.1


@given(crowds(), st.randoms(use_true_random=False), st.sampled_from(CERTAIN))
@settings(max_examples=60)
def test_names_do_not_matter(given_crowd, random, method):
    triples, n_items, n_workers, n_labels = given_crowd
    columns = np.array(triples, np.int64).reshape(-1, 3)
    sizes = {"gold": np.full(n_items, -1), "history": np.zeros((n_workers, 2))}
    before = crowd(*columns.T, n_labels=n_labels, method=method, **sizes)
    others = [np.array(random.sample(range(size), size)) for size in given_crowd[1:]]
    random.shuffle(triples)
    columns = np.array(triples, np.int64).reshape(-1, 3)
    renamed = [other[column] for other, column in zip(others, columns.T, strict=True)]
    after = crowd(*renamed, n_labels=n_labels, method=method, **sizes)
    found = after.posterior[np.ix_(others[0], others[2])]
    np.testing.assert_allclose(found, before.posterior, atol=1e-6)
    np.testing.assert_allclose(after.accuracy[others[1]], before.accuracy, atol=1e-6)


@given(crowds(), st.sampled_from(METHODS))
def test_results_are_probabilities_of_the_right_shape(given_crowd, method):
    triples, n_items, n_workers, n_labels = given_crowd
    columns = np.array(triples, np.int64).reshape(-1, 3).T
    for column in columns:
        column.flags.writeable = False
    sizes = {"gold": np.full(n_items, -1), "history": np.zeros((n_workers, 2))}
    found = crowd(*columns, n_labels=n_labels, method=method, **sizes)
    assert found.posterior.shape == (n_items, n_labels)
    np.testing.assert_allclose(found.posterior.sum(1), 1, atol=1e-9)
    assert found.accuracy.shape == (n_workers,)
    if found.confusion is not None:
        assert found.confusion.shape == (n_workers, n_labels, n_labels)
        np.testing.assert_allclose(found.confusion.sum(2), 1, atol=1e-9)
    again = crowd(*columns, n_labels=n_labels, method=method, **sizes)
    np.testing.assert_array_equal(found.posterior, again.posterior)


@pytest.mark.parametrize("method", METHODS)
class TestEdges:
    def test_nothing(self, method):
        found = crowd([], [], [], n_labels=3, method=method)
        assert found.posterior.shape == (0, 3)
        assert found.accuracy.shape == found.answers.shape == (0,)
        assert found.converged

    def test_one_vote(self, method):
        found = crowd([0], [0], [1], method=method)
        assert found.answers.tolist() == [1]
        assert found.posterior[0, 1] > 0.5

    def test_one_label(self, method):
        found = crowd([0, 0, 1], [0, 1, 0], [0, 0, 0], method=method)
        np.testing.assert_allclose(found.posterior, 1)

    def test_all_agree(self, method):
        items, workers = np.indices((12, 4))
        labels = items.ravel() % 3
        found = crowd(items.ravel(), workers.ravel(), labels, method=method)
        np.testing.assert_array_equal(found.answers, np.arange(12) % 3)
        np.testing.assert_allclose(found.accuracy, 1, atol=0.05)

    def test_a_label_that_nobody_gives(self, method):
        items, workers = np.indices((12, 4))
        labels = 2 * (items.ravel() % 2)
        found = crowd(items.ravel(), workers.ravel(), labels, n_labels=4, method=method)
        np.testing.assert_array_equal(found.answers, 2 * (np.arange(12) % 2))
        assert found.posterior[:, [1, 3]].max() < 0.05

    def test_a_worker_who_always_says_the_same(self, method):
        columns, truth = simulated(np.random.default_rng(0), coins([0.85] * 5, 2), 300)
        items, workers, labels = columns
        labels = np.where(workers == 4, 0, labels)
        found = crowd(items, workers, labels, method=method)
        assert found.share_right(truth) > 0.9
        assert found.accuracy[4] == pytest.approx(0.5, abs=0.1)

    def test_an_item_and_a_worker_without_votes(self, method):
        found = crowd([0, 2], [0, 2], [1, 1], method=method)
        assert np.isnan(found.accuracy[1])
        assert "1 items have no votes" in found.warnings
        assert found.posterior.shape == (3, 2)

    def test_gold_is_certain(self, method):
        found = crowd([0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 1, 1], gold=[0, -1, 1], method=method)
        np.testing.assert_allclose(found.posterior[[0, 2]], np.eye(2), atol=1e-12)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "majority"])
def test_history_outvotes_a_majority(method):
    """Two known liars against one who is known to be right."""
    items, workers, labels = np.repeat(np.arange(20), 3), np.tile([0, 1, 2], 20), []
    labels = np.where(workers == 2, items % 2, 1 - items % 2)
    trusted = [[5, 95], [5, 95], [95, 5]]
    found = crowd(items, workers, labels, history=trusted, method=method)
    np.testing.assert_array_equal(found.answers, np.arange(20) % 2)
    full = [[[95, 5], [5, 95]] if w == 2 else [[5, 95], [95, 5]] for w in range(3)]
    again = crowd(items, workers, labels, history=full, method=method)
    np.testing.assert_array_equal(again.answers, np.arange(20) % 2)


def test_a_history_of_truth_and_label_is_not_one_of_label_and_truth():
    history = np.array([[[6.0, 4.0], [1.0, 9.0]]])
    votes = votes_module.crowd_votes([0], [0], [1], history=history)
    np.testing.assert_array_equal(votes.past_confusion()[0, 1], [4.0, 9.0])


def test_gold_teaches_whom_to_trust():
    """Colluders are the majority; the truth of ten items gives them away on the others."""
    rng = np.random.default_rng(7)
    (items, workers, labels), truth = simulated(rng, coins([0.9, 0.9, 0.1, 0.1, 0.1], 2), 200)
    labels = np.where(workers >= 2, 1 - truth[items], labels)
    gold = np.where(np.arange(200) < 10, truth, -1)
    hidden = np.where(np.arange(200) < 10, -1, truth)
    assert crowd(items, workers, labels, method="dawid_skene").share_right(hidden) < 0.1
    for method in ("log_odds", "one_coin", "dawid_skene", "hierarchical", "auto"):
        assert crowd(items, workers, labels, gold=gold, method=method).share_right(hidden) > 0.9


def test_repeated_votes_count_and_are_told():
    found = crowd([0, 0, 0], [0, 0, 1], [1, 1, 0], method="majority")
    np.testing.assert_allclose(found.posterior, [[1 / 3, 2 / 3]])
    assert "1 repeated votes of workers on the same item count fully" in found.warnings


def test_ties_count_in_expectation():
    found = crowd([0, 0, 1], [0, 1, 0], [0, 1, 1], n_labels=3, method="majority")
    assert found.answers.tolist() == [0, 1]
    assert found.share_right([1, 1]) == 0.75
    assert found.share_right([2, -1]) == 0.0
    assert np.isnan(found.share_right([-1, -1]))
    for wrong in ([0], [0, 3]):
        with pytest.raises(InputError, match="truth"):
            found.share_right(wrong)


def test_seeds_decide_where_ebcc_starts():
    columns, _ = simulated(np.random.default_rng(0), coins([0.7] * 5, 2), 60)
    seeds = [np.random.default_rng(seed) for seed in (1, 1, 2)]
    first, same, other = (crowd(*columns, method="ebcc", rng=rng).posterior for rng in seeds)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0


@pytest.mark.parametrize(
    ("columns", "options", "named"),
    [
        (([0], [0], [0, 1]), {}, "differ in length"),
        (([0.5], [0], [0]), {}, "items"),
        (([0], [-1], [0]), {}, "workers has -1"),
        (([0], [0], [[0]]), {}, "labels"),
        (([0], [0], [2]), {"n_labels": 2}, "labels has 2; allowed: 0 to 1"),
        (([0], [0], [0]), {"n_labels": 0}, "n_labels"),
        (([0], [0], [0]), {"n_labels": True}, "n_labels"),
        (([], [], []), {}, "n_labels"),
        (([0], [0], [1]), {"gold": [-2]}, "gold"),
        (([0], [0], [1]), {"gold": [2], "n_labels": 2}, "gold has 2"),
        (([0], [0], [1]), {"gold": [0.0]}, "gold"),
        (([0], [0], [1]), {"history": [[1.0, np.nan]]}, "history has NaN"),
        (([0], [0], [1]), {"history": [[1.0, -1.0]]}, "history"),
        (([0], [0], [1]), {"history": [[1.0, 1e300]]}, "history"),
        (([0], [0], [1]), {"history": [1.0, 2.0]}, "history: shape"),
        (([0], [0], [1]), {"history": np.ones((1, 3, 3))}, "history: shape"),
        (([0], [1], [1]), {"history": [[1.0, 2.0]]}, "history has 1 workers"),
        (([0], [0], [1]), {"method": "best"}, "method"),
        (([0], [0], [1]), {"method": "log_odds"}, "log_odds"),
        (([0], [0], [1]), {"rng": 3}, "rng"),
    ],
)
def test_wrong_input_is_refused(columns, options, named):
    with pytest.raises(InputError, match=named):
        crowd(*columns, **options)


def test_rows_with_gaps_are_refused_before_memory_is_taken():
    for columns in (([2**40], [0], [1]), ([0], [2**40], [1]), ([0], [0], [2**40])):
        with pytest.raises(MemoryLimitError, match="allowed"):
            crowd(*columns)


def test_large_tables_are_left_out_of_the_average(monkeypatch):
    columns, truth = simulated(np.random.default_rng(0), coins([0.8] * 8, 4), 100)
    monkeypatch.setattr(votes_module, "MOST_TABLE_ELEMENTS", 500)
    found = crowd(*columns)
    assert any("1 of 4 methods left out" in warning for warning in found.warnings)
    assert found.share_right(truth) > 0.9
    with pytest.raises(MemoryLimitError):
        crowd(*columns, method="ebcc")

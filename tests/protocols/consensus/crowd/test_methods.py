"""Each method against loops that read like its equations, and what each of them climbs."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.crowd.dawid_skene import dawid_skene, hierarchical_dawid_skene
from swarmloom_protocols.consensus.crowd.ebcc import ebcc
from swarmloom_protocols.consensus.crowd.fits import known_accuracy
from swarmloom_protocols.consensus.crowd.glad import glad
from swarmloom_protocols.consensus.crowd.one_coin import log_odds, majority, one_coin
from tests.naive import crowd as naive
from tests.protocols.consensus.crowd.crowds import crowds, votes_of

ROUNDS = {"most_iterations": 5, "tolerance": 0.0}


def seeded_ebcc(votes, **options):
    return ebcc(votes, rng=np.random.default_rng(5), **options)


CLIMBERS = [dawid_skene, hierarchical_dawid_skene, one_coin, glad, seeded_ebcc]


@given(crowds())
def test_majority_is_the_naive_one(given_crowd):
    triples, n_items, _, n_labels = given_crowd
    expected = naive.shares(triples, n_items, n_labels)
    np.testing.assert_allclose(majority(votes_of(*given_crowd)).posterior, expected, rtol=1e-14)


@given(crowds(), st.sampled_from([0.01, 1.0]))
def test_dawid_skene_is_the_naive_one(given_crowd, smoothing):
    found = dawid_skene(votes_of(*given_crowd), smoothing=smoothing, **ROUNDS)
    expected = naive.dawid_skene(*given_crowd, lambda *_: smoothing, smoothing, 5)
    np.testing.assert_allclose(found.posterior, expected, rtol=1e-7, atol=1e-12)


@given(crowds())
def test_hierarchical_is_the_naive_one(given_crowd):
    triples, n_items, _, n_labels = given_crowd
    found = hierarchical_dawid_skene(votes_of(*given_crowd), shrinkage=3.0, **ROUNDS)
    pseudo = naive.pooled_prior(triples, n_items, n_labels, 3.0)
    expected = naive.dawid_skene(*given_crowd, pseudo, 0.01, 5)
    np.testing.assert_allclose(found.posterior, expected, rtol=1e-7, atol=1e-12)


@given(crowds())
def test_one_coin_is_the_naive_one(given_crowd):
    found = one_coin(votes_of(*given_crowd), right=2.0, wrong=1.0, **ROUNDS)
    expected = naive.one_coin(*given_crowd, 2.0, 1.0, 5)
    np.testing.assert_allclose(found.posterior, expected, rtol=1e-7, atol=1e-12)


@given(crowds())
def test_log_odds_is_the_naive_one(given_crowd):
    triples, n_items, n_workers, n_labels = given_crowd
    history = np.array([[8, 2], [1, 9], [0, 0], [40, 0]])[:n_workers]
    votes = votes_of(*given_crowd, history=history)
    accuracy = known_accuracy(votes)
    shared = (history[:, 0].sum() + 1) / (history.sum() + 2)
    expected_accuracy = (history[:, 0] + 4 * shared) / (history.sum(1) + 4)
    np.testing.assert_allclose(accuracy, expected_accuracy, rtol=1e-14)
    expected = naive.by_accuracy(triples, accuracy, n_items, n_labels)
    np.testing.assert_allclose(log_odds(votes).posterior, expected, rtol=1e-9, atol=1e-15)


@given(crowds(), st.integers(1, 4))
@settings(max_examples=40)
def test_ebcc_is_the_naive_one(given_crowd, subtypes):
    triples, n_items, n_workers, n_labels = given_crowd
    found = seeded_ebcc(votes_of(*given_crowd), subtypes=subtypes, **ROUNDS)
    start = np.array(naive.shares(triples, n_items, n_labels))
    random = np.random.default_rng(5).dirichlet(np.ones(subtypes), start.shape)
    alpha = np.maximum(start.sum(0), 1e-2)
    pseudo = np.tile(1 + 3 * np.eye(n_labels), (n_workers, 1, 1))
    first = random * start[:, :, None]
    expected = naive.ebcc(triples, first, alpha, pseudo, 0.1, 5)
    np.testing.assert_allclose(found.posterior, expected, rtol=1e-7, atol=1e-12)


@given(crowds())
@settings(max_examples=40)
def test_glad_ends_on_top_of_its_objective(given_crowd):
    triples, n_labels = given_crowd[0], given_crowd[3]
    found = glad(votes_of(*given_crowd), most_iterations=3000, tolerance=1e-13)
    # Votes that cancel out leave the posterior where it is, and end it before abilities settle.
    assume(found.iterations > 2)
    ability, easiness = parameters_of_glad(given_crowd, found)
    best = naive.glad_objective(triples, ability, easiness, n_labels)
    assert found.log_likelihood == pytest.approx(best, rel=1e-9)
    for values in (ability, easiness):
        for i in range(len(values)):
            for step in (-1e-3, 1e-3):
                beside = values.copy()
                beside[i] = max(0.0, beside[i] + step)
                pair = (beside, easiness) if values is ability else (ability, beside)
                assert naive.glad_objective(triples, *pair, n_labels) <= best + 1e-6


def parameters_of_glad(given_crowd, found):
    """Solve for what the posterior's own maximum is: both quadratics, until nothing moves."""
    triples, n_items, n_workers, _ = given_crowd
    ability, easiness = np.ones(n_workers), np.ones(n_items)
    for _ in range(4000):
        for own, other, prior, at in ((ability, easiness, 1.0, 1), (easiness, ability, 4.0, 0)):
            slope, curve = np.full(own.size, prior), np.full(own.size, prior)
            for triple in triples:
                x = ability[triple[1]] * easiness[triple[0]]
                bend = 0.25 if abs(x) < 1e-6 else np.tanh(x / 2) / (2 * x)
                beside = other[triple[1 - at]]
                slope[triple[at]] += (found.posterior[triple[0], triple[2]] - 0.5) * beside
                curve[triple[at]] += bend * beside**2
            following = slope / curve if at else np.maximum(0, slope / curve)
            moved = np.abs(following - own).max()
            own[:] = following
        if moved < 1e-12:
            break
    return ability, easiness


@pytest.mark.parametrize("method", CLIMBERS, ids=lambda method: method.__name__)
@given(crowds(), st.booleans())
@settings(max_examples=40)
def test_what_is_climbed_never_falls(method, given_crowd, informed):
    _, n_items, n_workers, n_labels = given_crowd
    known = {}
    if informed:
        known["gold"] = np.r_[np.arange(n_items - 1) % n_labels, -1]
        known["history"] = np.outer(np.arange(n_workers), [2.0, 1.0])
    votes = votes_of(*given_crowd, **known)
    reached = [
        method(votes, most_iterations=rounds, tolerance=0.0).log_likelihood
        for rounds in range(1, 9)
    ]
    assert np.all(np.diff(reached) >= -1e-9 * (1 + np.abs(reached[1:])))


@pytest.mark.parametrize("method", CLIMBERS, ids=lambda method: method.__name__)
def test_more_rounds_climb_on_real_disagreement(method):
    """What is climbed does rise: the property above is not one of a constant."""
    rng = np.random.default_rng(2)
    triples = [(i, w, int(rng.random() < 0.3)) for i in range(30) for w in range(5)]
    votes = votes_of(triples, 30, 5, 2)
    first, last = (method(votes, most_iterations=m, tolerance=0.0) for m in (1, 20))
    assert last.log_likelihood > first.log_likelihood + 0.1
    assert last.iterations == 20
    assert not last.converged


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        (dawid_skene, {"smoothing": 0.0}),
        (hierarchical_dawid_skene, {"shrinkage": float("nan")}),
        (one_coin, {"right": -1.0}),
        (one_coin, {"most_iterations": 0}),
        (seeded_ebcc, {"subtypes": 0}),
        (seeded_ebcc, {"concentration": 0.0}),
        (seeded_ebcc, {"most_iterations": 0}),
    ],
)
def test_wrong_settings_are_refused(method, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        method(votes_of([(0, 0, 1)], 1, 1, 2), **wrong)

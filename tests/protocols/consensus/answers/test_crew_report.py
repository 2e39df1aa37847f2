import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.answers.crew_report import crew_report
from swarmloom_protocols.consensus.answers.jury import condorcet, diversity_prediction
from swarmloom_protocols.consensus.answers.reliability import (
    auroc2,
    reliability,
    right_at_coverage,
)

finite = st.floats(-100, 100, allow_nan=False)


@pytest.mark.row("C10")
def test_condorcet_s_jury():
    assert condorcet(11, 0.6) == pytest.approx(0.753498, abs=5e-7)
    assert condorcet(1, 0.6) == pytest.approx(0.6)
    assert condorcet(2, 0.6) == pytest.approx(0.6)
    assert condorcet(2001, 0.6) == pytest.approx(1.0)
    assert (condorcet(7, 0.0), condorcet(7, 1.0), condorcet(4, 0.5)) == pytest.approx((0, 1, 0.5))


@pytest.mark.row("C10")
@given(st.lists(st.tuples(finite, st.floats(0.1, 9)), min_size=1, max_size=20), finite)
def test_page_s_identity_is_exact(crowd, truth):
    predictions, weights = zip(*crowd, strict=True)
    found = diversity_prediction(predictions, truth, weights)
    expected = found.individual_error - found.diversity
    scale = max(1.0, found.individual_error)
    assert found.crowd_error == pytest.approx(expected, abs=1e-12 * scale)


def test_page_by_hand():
    found = diversity_prediction([1.0, 2.0, 6.0], 2.0)
    assert (found.crowd_error, found.individual_error) == pytest.approx((1.0, 17 / 3))
    assert found.diversity == pytest.approx(14 / 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: condorcet(0, 0.5),
        lambda: condorcet(3, 1.5),
        lambda: diversity_prediction([], 0.0),
        lambda: diversity_prediction([np.nan], 0.0),
        lambda: diversity_prediction([1.0], np.nan),
        lambda: diversity_prediction([1.0, 2.0], 0.0, [0.0, 0.0]),
        lambda: diversity_prediction([1.0, 2.0], 0.0, [1.0]),
    ],
)
def test_identities_refuse_what_they_do_not_hold_for(call):
    with pytest.raises(InputError):
        call()


def test_reliability_by_hand():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.15, 0.15])
    right = np.array([True, True, True, False, False, True])
    found = reliability(confidence, right)
    assert found.items == (2, 4)
    assert found.accuracy == pytest.approx((0.5, 0.75))
    assert found.error == pytest.approx((2 * 0.35 + 4 * 0.2) / 6)
    assert found.over_confidence == pytest.approx(confidence.mean() - 4 / 6)
    assert reliability(np.empty(0), np.empty(0, bool)).error == 0.0
    assert reliability(np.ones(3), np.ones(3, bool)).error == 0.0


def test_discrimination_by_hand():
    right = np.array([True, True, False, False])
    assert auroc2(np.array([0.9, 0.8, 0.7, 0.6]), right) == 1.0
    assert auroc2(np.array([0.5, 0.5, 0.5, 0.5]), right) == 0.5
    assert auroc2(np.array([0.6, 0.9, 0.7, 0.8]), right) == 0.5
    assert math.isnan(auroc2(np.ones(2), np.ones(2, bool)))


def test_accuracy_at_coverage_shares_ties_at_the_edge():
    confidence = np.array([0.9, 0.5, 0.5, 0.5])
    right = np.array([True, True, False, False])
    assert right_at_coverage(confidence, right, 0.25) == 1.0
    assert right_at_coverage(confidence, right, 0.5) == pytest.approx((1 + 1 / 3) / 2)
    assert right_at_coverage(confidence, right, 1.0) == 0.5
    assert math.isnan(right_at_coverage(confidence, right, 0.0))


def siblings(rng, n_items=1500):
    """Six agents of 0.6, of whom the last two give the same wrong answers most of the time."""
    wrong = rng.integers(1, 5, (n_items, 6))
    wrong[:, 5] = np.where(rng.random(n_items) < 0.9, wrong[:, 4], wrong[:, 5])
    right = rng.random((n_items, 6)) < 0.6
    right[:, 5] = np.where(rng.random(n_items) < 0.9, right[:, 4], right[:, 5])
    return np.where(right, 0, wrong)


@pytest.mark.parametrize("truth", [None, np.zeros(1500, int)])
def test_siblings_lead_the_redundant_pairs(truth):
    report = crew_report(siblings(np.random.default_rng(0)), truth=truth)
    assert (report.redundant[0].first, report.redundant[0].second) == (4, 5)
    assert report.redundant[0].score > 0.5
    assert all(pair.score < 0.2 for pair in report.redundant[1:])
    assert report.clusters == ((4, 5),)


def test_a_report_with_the_truth():
    votes = siblings(np.random.default_rng(1))
    report = crew_report(votes, truth=np.zeros(1500, int))
    assert 4.0 < report.effective_voters < 5.2
    accuracy = (votes == 0).mean(axis=0)
    assert report.gain.best == pytest.approx(accuracy.max())
    assert report.gain.mean == pytest.approx(accuracy.mean())
    assert report.gain.over_mean == pytest.approx(report.gain.verdict - accuracy.mean())
    assert report.gain.verdict > report.gain.best
    assert report.gain.independent_jury == pytest.approx(condorcet(6, accuracy.mean()))
    assert report.auroc2 > 0.8
    assert report.right_at_half > report.gain.verdict
    assert sum(report.calibration.items) == 1500
    assert all(0.2 < rate < 0.6 for rate in report.agreement)


def test_an_agent_that_was_not_asked_has_not_erred():
    votes = np.zeros((40, 4), int)
    votes[:20, 1], votes[:, 2], votes[:10, 3] = -1, -1, 1
    gain = crew_report(votes, truth=np.zeros(40, int)).gain
    assert gain.best == 1.0
    assert gain.mean == pytest.approx((1.0 + 1.0 + 0.75) / 3)
    nobody = crew_report(np.full((3, 2), -1), truth=np.zeros(3, int)).gain
    assert (nobody.best, nobody.mean, nobody.verdict) == (0.0, 0.0, 0.0)


def test_a_report_without_the_truth_says_nothing_of_accuracy():
    report = crew_report(siblings(np.random.default_rng(2)))
    assert report.calibration is report.gain is None
    assert math.isnan(report.auroc2)
    again = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert again["auroc2"] is None
    assert again["n_agents"] == 6
    assert again["redundant"][0]["first"] == 4
    assert again["clusters"] == [[4, 5]]


def test_a_confidence_of_one_s_own_is_judged():
    votes = siblings(np.random.default_rng(3))
    report = crew_report(votes, truth=np.zeros(1500, int), confidence=np.full(1500, 0.5))
    assert report.auroc2 == 0.5
    assert report.calibration.confidence == (0.5,)


def test_a_report_on_nothing():
    report = crew_report(np.empty((0, 2), int), truth=np.empty(0, int))
    assert report.n_items == 0
    assert report.redundant == ()
    assert report.gain is None
    assert all(math.isnan(rate) for rate in report.agreement)


@pytest.mark.parametrize(
    "changes",
    [
        {"truth": [0]},
        {"truth": [0.5, 0.5]},
        {"confidence": [0.5]},
        {"confidence": [0.5, np.nan]},
        {"confidence": [0.5, 1.5]},
        {"groups": ["a"]},
    ],
)
def test_bad_arguments_are_refused(changes):
    with pytest.raises(InputError):
        crew_report([[0, 1], [0, 0]], **changes)

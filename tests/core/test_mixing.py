from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from swarmloom.errors import InputError
from swarmloom.mixing import check_proposal, mix, shares
from swarmloom.types import Proposal

AFFINITIES = st.lists(
    st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3), min_size=2, max_size=2
)


@given(AFFINITIES, AFFINITIES, st.floats(0, 5), st.floats(0, 1))
def test_mixture_is_the_weighted_sum(first, second, weight, confidence):
    proposals = [
        ("a", Proposal(np.float32(first), confidence)),
        ("b", Proposal(np.float32(second), 1.0)),
        ("unweighted", Proposal(np.full((2, 3), 9.0, np.float32))),
    ]
    allowed = np.array([[True, True, False], [True, False, True]])
    mixture = mix(proposals, {"a": weight, "b": 0.5}, allowed)
    expected = weight * confidence * np.array(first) + 0.5 * np.array(second)
    np.testing.assert_allclose(mixture.affinity[allowed], expected[allowed], rtol=1e-4, atol=1e-3)
    assert np.isneginf(mixture.affinity[~allowed]).all()
    assert "unweighted" not in mixture.parts


def test_no_proposals_leave_every_allowed_choice_open():
    mixture = mix([], {}, np.array([[True, False]]))
    assert mixture.affinity.tolist() == [[0.0, -np.inf]]


def test_couplings_add_up_by_weight():
    coupling = sparse.csr_array(np.eye(2))
    proposals = [(name, Proposal(np.zeros((1, 2), np.float32), 1.0, coupling)) for name in "ab"]
    mixture = mix(proposals, {"a": 2.0, "b": 0.5}, np.ones((1, 2), bool))
    np.testing.assert_allclose(mixture.coupling.toarray(), 2.5 * np.eye(2))


def test_read_only_affinity_is_not_touched():
    affinity = np.ones((1, 2), np.float32)
    affinity.setflags(write=False)
    mix([("a", Proposal(affinity))], {"a": 3.0}, np.ones((1, 2), bool))
    assert affinity.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        ("high", "must return a Proposal"),
        (Proposal(np.zeros((2, 2), np.float32)), "shape"),
        (Proposal(np.array([[np.nan, 0]], np.float32)), "NaN"),
        (Proposal(np.array([[np.inf, 0]], np.float32)), "infinite"),
        (Proposal(np.zeros((1, 2), np.float32), confidence=1.5), "confidence is 1.5"),
        (Proposal(np.zeros((1, 2), np.float32), coupling=sparse.csr_array((3, 3))), "coupling"),
    ],
)
def test_bad_proposals_are_refused(proposal, message):
    with pytest.raises(InputError, match=message):
        check_proposal(proposal, (1, 2))


def test_share_goes_to_those_who_pulled_towards_the_choice():
    proposals = [
        ("for", Proposal(np.array([[3.0, 1.0, -9.0]], np.float32))),
        ("against", Proposal(np.array([[-1.0, 0.0, 0.0]], np.float32))),
        ("half", Proposal(np.array([[1.5, 0.5, 0.0]], np.float32))),
    ]
    mixture = mix(proposals, dict.fromkeys(("for", "against", "half"), 1.0), np.ones((1, 3), bool))
    assert shares(mixture, 0, 0) == pytest.approx({"for": 2 / 3, "against": 0.0, "half": 1 / 3})


def test_nobody_has_a_share_in_a_choice_without_alternative():
    mixture = mix([("a", Proposal(np.array([[5.0, 1.0]], np.float32)))], {"a": 1.0},
                  np.array([[True, False]]))  # fmt: skip
    assert shares(mixture, 0, 0) == {}

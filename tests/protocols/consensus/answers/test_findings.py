"""Reasons to doubt verdicts: their kinds and figures, as `CrewTrust` finds them."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.trust_warnings import LABEL_FREE_KINDS
from swarmloom_protocols.consensus.findings import Finding, texts_of


def recorded(votes, groups=None):
    trust = CrewTrust(votes.shape[1], groups=groups)
    for row in votes:
        trust.record(np.arange(votes.shape[1]), row)
    return trust


def by_kind(trust):
    found = {one.kind: one for one in trust.findings()}
    assert len(found) == len(trust.findings())
    return found


def test_a_finding_names_rows_or_names():
    one = Finding("copies", "alike ({experts})", ((0, 2), (1, 3)))
    assert one.text == "alike (0, 2; 1, 3)"
    # A name may hold what stands for the names.
    assert one.told(["a", "b", "{experts}", "9"]) == "alike ('a', '{experts}'; 'b', '9')"
    assert Finding("few", "too few").told([]) == "too few"
    assert texts_of([one]) == (one.text,)


def test_a_new_crew_is_found_to_be_unknown():
    found = by_kind(CrewTrust(4))
    assert set(found) == {"few items", "prior confidence"}
    assert found["few items"].figures == {"items": 0.0}
    assert set(by_kind(CrewTrust(2))) == {"few voices", "prior confidence"}


def test_copies_are_found_by_their_rows():
    rng = np.random.default_rng(0)
    votes = np.where(rng.random((200, 5)) < 0.7, 0, rng.integers(1, 5, (200, 5)))
    votes[:, 3] = votes[:, 1]
    found = by_kind(recorded(votes))
    assert found["copies"].experts == ((1, 3),)
    assert "(1, 3)" in found["copies"].text


def test_figures_are_those_that_were_counted():
    rng = np.random.default_rng(1)
    votes = np.where(rng.random((300, 6)) < 0.5, 0, rng.integers(1, 9, (300, 6)))
    found = by_kind(recorded(votes, ["a", "a", "a", "b", "c", "d"]))
    assert found["large group"].figures == {"share": 0.5}
    assert 0.1 < found["low agreement"].figures["median"] < 0.45
    assert f"{found['low agreement'].figures['median']:.2f}" in found["low agreement"].text


def test_the_heaviest_voice_is_found_with_its_share():
    trust = CrewTrust(3)
    for _ in range(30):
        trust.probe(0, True)
        trust.probe(1, False)
        trust.probe(2, False)
    one = by_kind(trust)["one voice"]
    assert one.figures["share"] == pytest.approx(trust.weights[0]) == pytest.approx(1.0, abs=0.01)
    assert one.kind in LABEL_FREE_KINDS


@pytest.mark.parametrize(("key", "count"), [(0, 3), (1, 0)])
def test_doubted_grades_are_counted(key, count):
    trust = CrewTrust(4)
    for _ in range(3):
        trust.grade([0, 1, 2, 3], [1, 1, 1, 1], key)
    found = by_kind(trust).get("doubted grades")
    assert (0 if found is None else found.figures["items"]) == count


def test_wrong_keys_on_the_whole_are_found_by_kind():
    rng = np.random.default_rng(2)
    votes = np.where(rng.random((60, 5)) < 0.9, 0, rng.integers(1, 5, (60, 5)))
    trust = recorded(votes)
    for row in range(5):
        for right in [True] + [False] * 9:
            trust.probe(row, right)
    assert trust.rule == "agreement"
    assert "trust does not come from them" in by_kind(trust)["unlikely keys"].text

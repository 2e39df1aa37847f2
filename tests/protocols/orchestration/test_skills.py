"""The skill record against its formula, and what it is for: newcomers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.orchestration.skills import SkillRecord

CODE, ART, NONE = frozenset({"code"}), frozenset({"art"}), frozenset()


def logit(p):
    return math.log(p / (1 - p))


def test_affinity_is_the_shrunk_log_odds_beside_the_mean():
    record = SkillRecord(prior=4.0)
    record.adopt([CODE, ART])
    for credit in (1.0, 1.0, 0.5):
        record.learn(CODE, 0, credit)
    record.learn(CODE, 1, 0.0)
    mean = (2.5 + 1) / (4 + 2)
    expected = [logit((2.5 + 4 * mean) / 7) - logit(mean), logit(4 * mean / 5) - logit(mean)]
    assert record.affinity([CODE])[0] == pytest.approx(expected)


def test_several_demands_are_averaged_and_unknown_ones_say_nothing():
    record = SkillRecord(prior=1.0)
    record.adopt([CODE, ART])
    record.learn(CODE, 0, 1.0)
    alone = record.affinity([CODE])[0]
    assert record.affinity([CODE | ART])[0] == pytest.approx(alone / 2)
    assert not record.affinity([ART, NONE]).any()


def test_a_newcomer_inherits_the_record_of_its_skills():
    record = SkillRecord(prior=4.0)
    record.adopt([CODE, NONE])
    for _ in range(20):
        record.learn(CODE, 0, 1.0)
        record.learn(CODE, 1, 0.0)
    record.adopt([NONE, NONE, CODE])
    affinity = record.affinity([CODE])[0]
    assert affinity[2] > 1.0 > -1.0 > affinity[0] == affinity[1]


def test_record_survives_a_snapshot_into_another_crew():
    record = SkillRecord(prior=4.0)
    record.adopt([CODE, ART])
    record.learn(CODE, 0, 1.0)
    other = SkillRecord(prior=4.0)
    other.adopt([NONE, ART, CODE])
    other.restore(record.snapshot())
    assert other.affinity([CODE])[0, [2, 1]] == pytest.approx(record.affinity([CODE])[0])
    other.learn(ART, 0, 1.0)
    assert np.isfinite(other.affinity([ART])).all()


def test_nothing_known_and_nobody_there():
    record = SkillRecord(prior=4.0)
    assert record.affinity([CODE]).shape == (1, 0)
    record.adopt([CODE])
    assert record.affinity([]).shape == (0, 1)
    assert record.affinity([CODE]).tolist() == [[0.0]]


@pytest.mark.parametrize("prior", [0.0, -1.0, math.nan])
def test_a_prior_must_be_positive(prior):
    with pytest.raises(InputError, match="prior"):
        SkillRecord(prior)

"""One question's vote: wordings, posterior, certainty, and whom to ask next."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.answers.calibration import Calibration
from swarmloom_protocols.consensus.answers.question_vote import QuestionVote, worded
from swarmloom_protocols.consensus.answers.stopping import Stopper
from swarmloom_protocols.consensus.equivalences import AnswerClasses
from swarmloom_protocols.consensus.free_text import normalised


def vote_of(experts, codes, n_experts=4, **options):
    options.setdefault("groups", range(n_experts))
    weights = options.pop("weights", np.ones(n_experts))
    options["groups"] = list(options["groups"])
    return QuestionVote(weights, experts=experts, codes=codes, **options)


# -- wordings -------------------------------------------------------------------------------------


def test_the_most_frequent_wording_stands_for_an_answer_and_the_first_of_equals():
    told = worded(["Lyon", "paris", "Paris.", None, "Paris."], AnswerClasses(normalised()))
    assert told.codes.tolist() == [0, 1, 1, -1, 1]
    assert told.distinct == ("Lyon", "Paris.")
    assert told.wordings == {"paris": "Paris."}
    assert worded(["a", "A"], AnswerClasses(normalised())).distinct == ("a",)


@pytest.mark.parametrize(("kept", "stands"), [(0, "paris"), (1, "Paris."), (3, "Paris.")])
def test_a_ballots_own_wording_may_be_kept(kept, stands):
    texts = ["paris", "Paris.", "Paris.", None]
    told = worded(texts, AnswerClasses(normalised()), kept=kept)
    assert told.distinct == (stands,)
    assert set(told.wordings) == {"paris", "Paris."} - {stands}


def test_what_the_equivalence_takes_for_no_answer_has_no_wording():
    classes = AnswerClasses(lambda answers: [-1 if a == "?" else 0 for a in answers])
    told = worded(["?", "yes", "?"], classes, kept=0)
    assert (told.codes.tolist(), told.distinct, dict(told.wordings)) == ([-1, 0, -1], ("yes",), {})
    nobody = worded([None, "?"], classes)
    assert (nobody.codes.tolist(), nobody.distinct) == ([-1, -1], ())


@given(st.lists(st.none() | st.sampled_from(["a", "A", "a.", "b", "B", "c"]), max_size=8))
def test_equal_codes_are_equal_answers(texts):
    told = worded(texts, AnswerClasses(normalised()))
    for text, code in zip(texts, told.codes.tolist(), strict=True):
        if text is None:
            assert code == -1
        else:
            assert told.distinct[code].casefold()[0] == text.casefold()[0]
            assert told.wordings.get(text, text) == told.distinct[code]
    assert len(told.distinct) == len({t.casefold()[0] for t in texts if t is not None})


# -- the vote -------------------------------------------------------------------------------------


def test_the_posterior_of_equal_experts_is_known():
    """Half a voice is added on either side: 2.5 : 0.5 and 2.5 : 1.5."""
    vote = vote_of([0, 2, 3], [0, 0, 1])
    np.testing.assert_allclose(vote.posterior, [2.5 / 4, 1.5 / 4])
    assert (vote.best, vote.given, vote.voices) == (0, 3, 3)
    np.testing.assert_allclose(vote_of([1, 0], [0, 0]).posterior, [2.5 / 3])
    lower = vote_of([1, 0], [0, 0], calibration=Calibration(-0.7, 1.0))
    np.testing.assert_allclose(lower.posterior, [1 / (1 + np.exp(0.7) / 5)])


def test_nobody_has_answered():
    for vote in (vote_of([], []), vote_of([1], [-1])):
        assert (vote.best, vote.given, vote.voices, vote.posterior.size) == (-1, 0, 0, 0)
        assert not vote.is_ahead
        assert not vote.reaches(0.0)
        assert vote.silent.all()


def test_experts_of_one_model_are_one_voice():
    vote = vote_of([0, 1], [0, 0], groups=[7, 7, 5, 3])
    assert (vote.given, vote.voices) == (2, 1)
    assert not vote.reaches(0.1)
    assert vote.silent.tolist() == [False, False, True, True]
    # An answer that is outvoted within its model, and comes last, is nobody's voice.
    outvoted = vote_of([0, 1, 2], [0, 0, 1], groups=[7, 7, 7, 3])
    np.testing.assert_allclose(outvoted.posterior, [1.5 / 2, 0.0])


@pytest.mark.parametrize(("codes", "ahead"), [([0, 1], False), ([0, 0], True), ([0, -1], True)])
def test_a_tie_is_not_ahead(codes, ahead):
    assert vote_of([0, 1], codes).is_ahead is ahead


def test_a_certainty_takes_two_voices_and_the_probability():
    alone = vote_of([0], [0], weights=[1.0, 0.01, 0.01, 0.01])
    assert alone.posterior[0] > 0.7
    assert not alone.reaches(0.7)
    two = vote_of([0, 1], [0, 0])
    assert two.reaches(0.83)
    assert not two.reaches(0.84)


def test_a_lead_is_settled_when_it_is_hard_to_catch_up_with():
    assert not vote_of([0], [0]).is_settled
    assert vote_of([0, 1], [0, 0]).is_settled
    assert not vote_of([0, 1], [0, 1]).is_settled
    assert vote_of([0, 1], [0, 1], most=2).is_settled
    # Who has no voice can catch up with nobody.
    assert vote_of([0], [0], voters=[0, 1]).is_settled


def test_the_most_trusted_new_voice_follows():
    weights = [0.2, 0.4, 0.3, 0.3]
    assert vote_of([], [], weights=weights).following(range(4)) == 1
    assert vote_of([1], [0], weights=weights).following(range(4)) == 2
    assert vote_of([1], [0], weights=weights).following([3, 2, 0]) == 3
    # Whose model has spoken follows nobody; a failure has not spoken, and is not asked again.
    grouped = vote_of([1], [0], weights=weights, groups=[0, 1, 1, 1])
    assert grouped.following(range(4)) == 0
    failed = vote_of([1], [-1], weights=weights, groups=[0, 1, 1, 1])
    assert failed.following(range(4)) == 2
    assert vote_of([0, 1, 2, 3], [0, 0, 0, 0]).following(range(4)) == -1


def test_an_answers_worth_is_the_stoppers():
    weights, groups = np.array([0.4, 0.1, 0.2, 0.3]), np.arange(4)
    vote = vote_of([0, 3], [0, 1], weights=weights, voters=[0, 2, 3])
    stopper = Stopper(weights[[0, 2, 3]], groups=groups[[0, 2, 3]])
    stopper.update(0, 0)
    stopper.update(2, 1)
    assert vote.worth(2) == stopper.worth(1) > 0.0
    with pytest.raises(InputError, match="1 has no voice"):
        vote.worth(1)


@given(st.data())
def test_the_posterior_is_that_of_those_who_have_a_voice(data):
    """Whoever has none might as well not be in the crew."""
    codes = data.draw(st.lists(st.integers(-1, 2), min_size=1, max_size=5))
    codes = worded([None if c < 0 else str(c) for c in codes], AnswerClasses()).codes
    weights = np.array(data.draw(st.lists(st.floats(0.1, 1), min_size=7, max_size=7)))
    experts = data.draw(st.permutations(range(7)))[: len(codes)]
    among = vote_of(experts, codes, 7, weights=weights, voters=sorted(experts))
    alone = QuestionVote(
        weights[experts], groups=range(len(codes)), experts=range(len(codes)), codes=codes
    )
    np.testing.assert_allclose(among.posterior, alone.posterior)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"experts": [0], "codes": [0, 1]}, "one each"),
        ({"experts": [3], "codes": [0], "voters": [0, 1]}, "have no voice"),
        ({"experts": [4], "codes": [0]}, "have no voice"),
        ({"experts": [0], "codes": [0], "weights": [1.0]}, "weights"),
    ],
)
def test_malformed_ballots_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        vote_of(**arguments)


def test_an_expert_has_one_ballot():
    with pytest.raises(InputError, match="answered already"):
        _ = vote_of([1, 1], [0, 0]).posterior

"""Equivalences by name, and classes that are checked and remembered."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.equivalences import _KEPT, AnswerClasses, named_equivalence


@pytest.fixture
def module(monkeypatch):
    """A module of a user's equivalences."""
    made = types.ModuleType("users_equivalences")
    made.by_initial = lambda answers: [ord(text[0]) for text in answers]
    made.too_few = lambda answers: [0]
    made.by_letter = lambda answers: [text[0] for text in answers]
    made.number = 3
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made.__name__


@pytest.mark.parametrize(
    ("name", "classes"),
    [("exact", (0, 1, 2, 3)), ("normalised", (0, 0, 1, 2)), ("numbers", (0, 0, 1, 1))],
)
def test_equivalences_have_names(name, classes):
    answers = ["Paris", "paris.", "7", "7.0"]
    assert AnswerClasses(named_equivalence(name)).of(answers) == classes


def test_a_function_of_ones_own_is_named_by_its_place(module):
    same = named_equivalence(f"{module}:by_initial")
    assert AnswerClasses(same).of(["b2", "a1", "b3"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fuzzy", "equivalence is 'fuzzy'; allowed: exact, normalised, numbers"),
        ("no_such_module:same", "cannot be imported"),
        ("users_equivalences:no_such", "cannot be imported"),
        ("users_equivalences:number", "which is int; allowed: a function"),
        ("users_equivalences:too_few", r"shape \(1,\) for 3 answers"),
        ("users_equivalences:by_letter", "allowed: 3 whole numbers"),
    ],
)
def test_wrong_names_are_refused(module, name, message):
    with pytest.raises(InputError, match=message):
        named_equivalence(name)


@pytest.mark.parametrize("given", [[0], [[0, 1]], [0.0, 1.0], ["a", "b"], [True, False], None])
def test_one_whole_number_an_answer_or_an_error(given):
    with pytest.raises(InputError, match="for 2 answers; allowed: 2 whole numbers"):
        AnswerClasses(lambda answers: given).of(["x", "y"])


def test_classes_are_numbered_in_order_and_no_answer_stays_none():
    classes = AnswerClasses(lambda answers: np.array([9, -1, 4, 9]))
    assert classes.of("abcd") == (0, -1, 1, 0)
    assert AnswerClasses(lambda answers: []).of([]) == ()
    assert AnswerClasses().of(["x", "y", "x"]) == (0, 1, 0)


def test_a_function_is_asked_once_for_the_same_answers():
    calls = []

    def same(answers):
        calls.append(answers)
        return [0] * len(answers)

    classes = AnswerClasses(same)
    assert [classes.of(["x", "y"]), classes.of(["x", "y"]), classes.of(["y"])] == [(0, 0)] * 2 + [
        (0,)
    ]
    assert calls == [["x", "y"], ["y"]]


def test_what_was_asked_longest_ago_is_forgotten_when_there_is_too_much():
    calls = []

    def same(answers):
        calls.append(answers[0])
        return [0] * len(answers)

    classes = AnswerClasses(same)
    for number in range(_KEPT + 1):
        classes.of([str(number)])
    assert len(calls) == _KEPT + 1
    for number in (1, _KEPT, 0):
        classes.of([str(number)])
    assert calls[_KEPT + 1 :] == ["0"]

"""Equivalences of free-text answers: what is the same, what is not, and how often one asks."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom.errors import InputError
from swarmloom_protocols.consensus import free_text
from swarmloom_protocols.consensus.free_text import by_embedding, by_judge, normalised, numbers
from swarmloom_protocols.consensus.text_forms import normal_form, stated_number

NASTY = [
    "A", "the ", "an", " a ", "and", "12", "1,000", ".", ",", "(", ")", "[", "]", "-", "−", "'",
    '"', "$", "$$", "\\(", "\\)", "\\boxed{", "\\text{", "\\frac{", "}", "{", "²", "½", "ß", "İ",
    "ﬁ", "\u200b", "\xa0", "!", "?", "%", "km", "e", "/", "*", "**", "^", "_", "~", "\\,", "µ", "ſ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(NASTY) | st.characters(), max_size=12).map("".join)
SWITCHES = st.fixed_dictionaries(
    {name: st.booleans() for name in ("case", "articles", "punctuation", "latex", "units")}
)


def letters(texts):
    """A toy embedding: how often each of ten letters occurs."""
    return [[text.count(letter) + 1e-3 for letter in "abcdefghij"] for text in texts]


EQUIVALENCES = {
    "normalised": normalised(),
    "numbers": numbers(0.1),
    "last number": numbers(0.1, last=True),
    "by_embedding": by_embedding(letters, 0.8),
    "by_judge": by_judge(lambda one, other: len(one) % 3 == len(other) % 3),
}


@given(TEXTS, SWITCHES)
def test_a_normal_form_is_its_own(text, switches):
    form = normal_form(text, **switches)
    assert normal_form(form, **switches) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", " paris. "),
        ("The Eiffel Tower", "eiffel tower"),
        ("A dog", "dog"),
        ("São Paulo", "SÃO PAULO"),
        ("ﬁsh", "fish"),
        ("１２", "12"),
        ("well-known", "Well known"),
        ("don’t", "don't"),
        ("Paris, France", "paris france"),
        ("1,234,567", "1234567"),
        ("−5", "-5"),
        ("$\\frac{1}{2}$", "½"),
        ("\\boxed{\\text{Paris}}", "Paris"),
        ("\\(\\dfrac{x+1}{2}\\)", "(x+1)/2"),
        ("(B)", "b"),
        ("B)", "B."),
        ("**42**", "42"),
        ("“Yes!”", "yes"),
        ("3 × 4", "3 * 4"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_spelling_does_not_count(one, other):
    assert normalised()([one, other]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10²", "102"),
        ("1½", "11/2"),
        ("H₂O", "H2O"),
        ("(1, 2)", "[1, 2]"),
        ("5!", "5"),
        ("-5", "5"),
        ("1.5", "15"),
        ("1,5", "15"),
        ("50%", "50"),
        ("5'10\"", "510"),
        ("5 km", "5"),
        ("$5", "5"),
        ("A", "B"),
        ("vitamin a", "vitamin"),
        ("A or B", "or B"),
        ("is alive", "is not alive"),
        ("3.0", "3"),
        ("résumé", "resume"),
    ],
)
def test_meaning_counts(one, other):
    assert normalised()([one, other]).tolist() == [0, 1]


def test_each_switch_does_what_it_says():
    for switch, one, other in (
        ("case", "Paris", "paris"),
        ("articles", "the dog", "dog"),
        ("punctuation", "yes.", "yes"),
        ("latex", "$x$", "x"),
    ):
        assert normalised()([one, other]).tolist() == [0, 0]
        assert normalised(**{switch: False})([one, other]).tolist() == [0, 1]
    assert normalised(units=True)(["5 km", "5", "$5", "5 %", "5 km/h", "x 5"]).tolist() == [
        0, 0, 0, 0, 0, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", ".", '""', "$$$$", "?"])
@pytest.mark.parametrize("name", EQUIVALENCES)
def test_nothing_is_no_answer(name, blank):
    assert EQUIVALENCES[name]([blank, "abc", blank]).tolist() == [-1, 0, -1]


@pytest.mark.parametrize("name", EQUIVALENCES)
@given(answers=st.lists(TEXTS, max_size=12))
def test_codes_are_a_partition_in_order_of_appearance(name, answers):
    codes = EQUIVALENCES[name](answers)
    assert codes.dtype == np.int64
    assert codes.shape == (len(answers),)
    seen = list(dict.fromkeys(code for code in codes.tolist() if code >= 0))
    assert seen == list(range(len(seen)))
    assert codes.min(initial=0) >= -1
    for (one, first), (other, second) in itertools.combinations(
        zip(answers, codes, strict=True), 2
    ):
        if normal_form(one) == normal_form(other):
            assert first == second
    np.testing.assert_array_equal(EQUIVALENCES[name](answers), codes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        (" 42. ", 42),
        ("-1,234.5", -1234.5),
        ("3/4", 0.75),
        ("-3/4", -0.75),
        ("1 1/2", 1.5),
        ("-1½", -1.5),
        ("\\boxed{\\frac{3}{4}}", 0.75),
        ("50%", 0.5),
        ("50 \\%", 0.5),
        ("2e-3", 0.002),
        ("$1,000", 1000),
        (".5", 0.5),
        ("3/0", None),
        ("1e999", None),
        ("1" * 400 + " 1/2", None),
        ("1 1/" + "3" * 5000, 1.0),
        ("1/" + "0" * 5000, None),
        ("1" * 400 + "/" + "1" * 400, None),
        ("five", None),
        ("42 apples", None),
        ("", None),
    ],
)
def test_stated_numbers(text, value):
    assert stated_number(text) == value


@pytest.mark.parametrize("text", ["1" * 50_000 + "x", ",123" * 12_000 + "x", "1" * 50_000 + " 1x"])
@pytest.mark.parametrize("last", [False, True])
def test_long_rows_of_digits_are_read_once(text, last):
    """Giving digits back took minutes here."""
    assert stated_number(text, last=last) in (None, 1.0)


@given(st.text(alphabet="0123456789./ %e-,$x", max_size=40).map(lambda text: text * 12))
def test_a_number_is_finite_or_none(text):
    for last in (False, True):
        value = stated_number(text, last=last)
        assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    "text", ["10²", "so 10^2", "x^-2", "so 10^{2} m", "it is 5!", "1,5", "√8", "that is -(5)"]
)
def test_a_number_that_is_a_part_of_something_else_is_none(text):
    assert stated_number(text, last=True) is None


def test_signs_after_the_currency_and_numbers_after_exponents_are_read():
    assert stated_number("$-5") == stated_number("-$5") == -5.0
    assert stated_number("so 5^2 = 25", last=True) == 25.0


def test_the_last_number_of_a_text():
    assert stated_number("First 3, then 4: the answer is 1,234.") is None
    assert stated_number("First 3, then 4: the answer is 1,234.", last=True) == 1234
    assert stated_number("so x2 = -7/2", last=True) == -3.5
    assert stated_number("none at all", last=True) is None


@given(st.integers(-(10**6), 10**6), st.integers(1, 999))
def test_fractions_are_what_they_are(above, below):
    assert stated_number(f"{above}/{below}") == float(Fraction(above, below))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_read_back(value):
    assert stated_number(repr(value)) == value


def test_numbers_are_the_same_within_the_tolerance():
    assert numbers()(["3", "3.0", "3.000", "three", "Three", "3.1"]).tolist() == [0, 0, 0, 1, 1, 2]
    assert numbers(0.02)(["100", "101.9", "98.1", "103", "0", "-0"]).tolist() == [0, 0, 0, 1, 2, 2]
    assert numbers(0.5)(["1", "2"]).tolist() == [0, 0]
    assert numbers(last=True)(["It is 7.", "x = 7", "7"]).tolist() == [0, 0, 0]


@given(st.lists(st.floats(-1e6, 1e6), max_size=20), st.floats(0, 0.5))
def test_every_number_is_near_the_first_of_its_class(values, tolerance):
    codes = numbers(tolerance)([repr(value) for value in values])
    for value, code in zip(values, codes, strict=True):
        first = values[codes.tolist().index(code)]
        assert abs(value - first) <= tolerance * max(abs(value), abs(first))


def test_embeddings_join_what_is_near_the_first_answer():
    """Points on an arc: each is near its neighbour, and the ends are not near each other."""
    angles = {"a": 0.0, "b": 0.4, "c": 0.8, "d": 1.2}
    asked = []

    def embed(texts):
        asked.append(list(texts))
        return [[math.cos(angles[text]), math.sin(angles[text])] for text in texts]

    classes = by_embedding(embed, math.cos(0.5))
    assert classes(["a", "B", "c", "d", "b"]).tolist() == [0, 0, 1, 1, 0]
    assert asked == [["a", "b", "c", "d"]]
    assert classes(["", " "]).tolist() == [-1, -1]
    assert len(asked) == 1


def test_embeddings_of_any_length_count_by_direction():
    lengths = iter([1e-200, 1e200, 1.0, 0.0])
    classes = by_embedding(lambda texts: [[next(lengths), 0.0] for _ in texts], 1.0)
    assert classes(["p", "q", "r", "s"]).tolist() == [0, 0, 0, 1]


def test_a_judge_is_asked_little():
    questions = []

    def same(one, other):
        questions.append((one, other))
        return one.casefold()[0] == other.casefold()[0]

    judge = by_judge(same)
    answers = ["x1", "apple", "Apple!", "avocado", "pear", "plum", "apple"]
    assert judge(answers).tolist() == [0, 1, 1, 1, 2, 2, 1]
    # Forms by number of answers: apple (3), x1, avocado, pear, plum.
    assert questions == [
        ("apple", "x1"),
        ("apple", "avocado"),
        ("apple", "pear"),
        ("x1", "pear"),
        ("apple", "plum"),
        ("x1", "plum"),
        ("pear", "plum"),
    ]
    assert judge(answers).tolist() == [0, 1, 1, 1, 2, 2, 1]
    assert len(questions) == 7


@given(st.lists(st.integers(0, 6), max_size=20), st.randoms(use_true_random=False))
def test_a_judge_who_knows_is_followed_in_few_questions(truths, random):
    """No more questions than distinct answers times classes, and no pair twice."""
    spellings = [f"w{truth}x{random.randrange(3)}" for truth in truths]
    asked = []

    def same(one, other):
        asked.append(frozenset((one, other)))
        return one[1] == other[1]

    codes = by_judge(same)(spellings)
    np.testing.assert_array_equal(codes, [list(dict.fromkeys(truths)).index(t) for t in truths])
    assert len(asked) == len(set(asked)) <= len(set(spellings)) * len(set(truths))


def test_a_judge_who_contradicts_itself_still_makes_classes():
    """Equal to its neighbour only: no equivalence relation."""
    judge = by_judge(lambda one, other: abs(ord(one) - ord(other)) == 1)
    assert judge(["b", "b", "a", "c", "d"]).tolist() == [0, 0, 0, 0, 1]


def test_a_judge_forgets_the_oldest_verdicts(monkeypatch):
    monkeypatch.setattr(free_text, "MOST_VERDICTS", 1)
    asked = []
    judge = by_judge(lambda one, other: bool(asked.append((one, other))))
    judge(["x", "y"])
    judge(["x", "y"])
    assert len(asked) == 1
    judge(["p", "q"])
    judge(["x", "y"])
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: normalised()("one text"), "answers"),
        (lambda: normalised()(["a", None]), "answers has None"),
        (lambda: numbers(-0.1), "tolerance"),
        (lambda: numbers(1.0), "tolerance"),
        (lambda: by_embedding(letters, 1.5), "threshold"),
        (lambda: by_embedding(letters, math.nan), "threshold"),
        (lambda: by_embedding(lambda _: [[1.0]])(["a", "b"]), "embed"),
        (lambda: by_embedding(lambda _: [[math.nan]])(["a"]), "embed"),
        (lambda: by_judge(lambda *_: "no")(["a", "b"]), "judge"),
    ],
)
def test_wrong_input_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()

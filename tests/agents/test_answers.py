"""What counts as an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmloom import Task
from swarmloom_agents.answers import option_of, parse_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("B", "B"),
        ("(b).", "B"),
        ("The answer is C, because ants follow trails.", "C"),
        ("Final Answer: **D**", "D"),
        ("First I thought the answer is A. No: the answer is B.", "B"),
        ("E", None),
        ("I cannot help with that.", None),
        ("", None),
        ("   \n", None),
        ("3", "3"),
        ("9", None),
    ],
)
def test_one_of_four_options(text: str, answer: str | None) -> None:
    assert parse_answer(Task("t", options=4), text) == answer


def test_labels_of_the_payload_are_the_options() -> None:
    task = Task("t", options=2, payload={"options": ["Yes", "No"]})
    assert parse_answer(task, "yes.") == "Yes"
    assert parse_answer(task, "The answer is: NO") == "No"
    assert parse_answer(task, "maybe") is None


def test_free_text_is_taken_as_it_is() -> None:
    assert parse_answer(Task("t"), " Ants follow trails. ") == "Ants follow trails."


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_any_text_gives_an_option_that_reads_as_itself_or_none(text: str, options: int) -> None:
    answer = option_of(text, options)
    assert answer is None or option_of(answer, options) == answer

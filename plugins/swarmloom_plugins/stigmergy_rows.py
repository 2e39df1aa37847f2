"""How the crew's words stand in a trace store, and which rows of one are the crew's.

Others may keep traces of their own in the same file, on channels of the same names. What has not
exactly the form in which the protocol writes is theirs, and none of the crew's business.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from swarmloom.errors import InputError
from swarmloom_plugins.stigmergy_trails import KINDS, Lesson
from swarmloom_protocols.stigmergy.traces.records import Change, Deposit
from swarmloom_protocols.stigmergy.trails import LARGEST_AMOUNT

__all__ = [
    "FINISHED",
    "LOAD",
    "LONGEST_BY",
    "LONGEST_NOTE",
    "LONGEST_RESULT",
    "LONGEST_TOPIC",
    "MEMBER",
    "NOTE",
    "RUN",
    "Author",
    "author_of",
    "by_member",
    "by_process",
    "by_run",
    "finished_row",
    "lesson_row",
    "load_row",
    "note_row",
    "text",
]

FINISHED, NOTE, LOAD = "finished", "note", "load"
RUN, MEMBER, PROCESS = "run", "member", "process"

LONGEST_TOPIC, LONGEST_BY, LONGEST_NOTE, LONGEST_RESULT = 500, 200, 500, 2000
"""Characters that a member may write of each."""


class Author(NamedTuple):
    """Who wrote a row: a run, a process, or a member of a process's crew.

    Attributes
    ----------
    kind : str
        ``"run"``, ``"process"`` or ``"member"``.
    place : str
        Id of the run or process.
    name : str
        The member's; "" for the others.
    """

    kind: str
    place: str
    name: str


def text(what: str, given: Any, longest: int, least: int = 0) -> str:
    """Return a text that can be written and is within its bounds, or raise `InputError`."""
    if not isinstance(given, str) or not least <= len(given) <= longest:
        shown = f"has {len(given)} characters" if isinstance(given, str) else f"is {given!r}"
        allowed = f"{least} to {longest}" if least else f"at most {longest}"
        raise InputError(f"{what} {shown}; allowed: {allowed} characters of text")
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} {given[:80]!r} cannot be written: {error.reason}") from error
    return given


# -- writing ---------------------------------------------------------------------------------------


def by_run(run: str) -> str:
    """Write the author of what a run's finished tasks taught."""
    return f"{RUN}:{run}"


def by_process(process: str) -> str:
    """Write the author of a process's load."""
    return f"{PROCESS}:{process}"


def by_member(process: str, name: str) -> str:
    """Write the author of a member's word."""
    return f"{MEMBER}:{process}:{name}"


def lesson_row(lesson: Lesson, author: str) -> Deposit:
    """Write what was seen of an expert on a topic."""
    return Deposit((lesson.topic, lesson.expert), lesson.kind, author, lesson.amount)


def finished_row(count: int, author: str) -> Deposit:
    """Write that so many tasks were finished."""
    return Deposit(FINISHED, FINISHED, author, float(count))


def note_row(lesson: Lesson, author: str, note: str) -> Deposit:
    """Write a member's free word beside its lesson."""
    meta = {"text": note, "worked": lesson.kind == "ok"}
    return Deposit((lesson.topic, lesson.expert), NOTE, author, 1.0, None, meta)


def load_row(expert: str, count: int, author: str) -> Deposit:
    """Write how many calls a process has out to an expert."""
    return Deposit((LOAD, expert), LOAD, author, 1.0, None, count)


# -- reading ---------------------------------------------------------------------------------------


def author_of(row: Change) -> Author | None:
    """Give who of a crew wrote a row; None for a row that is not the protocol's own.

    Parameters
    ----------
    row : Change

    Returns
    -------
    Author or None
    """
    form = _FORMS.get(row.channel)
    if form is None or not (form.key(row.key) and form.meta(row.meta)):
        return None
    author = _author(row.agent)
    fitting = author is not None and author.kind in form.kinds
    return author if fitting and row.amount <= LARGEST_AMOUNT else None


def _author(agent: str) -> Author | None:
    kind, _, rest = agent.partition(":")
    if kind != MEMBER:
        return Author(kind, rest, "") if rest else None
    process, _, name = rest.partition(":")
    return Author(kind, process, name) if process and name else None


class _Form(NamedTuple):
    kinds: tuple[str, ...]
    key: Callable[[Hashable], bool]
    meta: Callable[[Any], bool]


def _topic_and_expert(key: Hashable) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)


def _load_of_expert(key: Hashable) -> bool:
    return _topic_and_expert(key) and isinstance(key, tuple) and key[0] == LOAD


def _is_finished(key: Hashable) -> bool:
    return key == FINISHED


def _nothing(meta: Any) -> bool:
    return meta is None


def _note(meta: Any) -> bool:
    return (
        isinstance(meta, dict)
        and meta.keys() == {"text", "worked"}
        and isinstance(meta["text"], str)
        and isinstance(meta["worked"], bool)
    )


def _calls(meta: Any) -> bool:
    return isinstance(meta, int) and not isinstance(meta, bool) and 0 <= meta <= _MOST_CALLS


# Whole numbers in JSON may be larger than any float.
_MOST_CALLS = 1_000_000_000
_FORMS = {
    **dict.fromkeys(KINDS, _Form((RUN, MEMBER), _topic_and_expert, _nothing)),
    FINISHED: _Form((RUN,), _is_finished, _nothing),
    NOTE: _Form((MEMBER,), _topic_and_expert, _note),
    LOAD: _Form((PROCESS,), _load_of_expert, _calls),
}

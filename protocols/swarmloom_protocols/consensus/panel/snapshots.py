"""Checks of a panel's snapshot: taken back whole, or refused with the entry that is damaged.

Compiled code indexes by these arrays without looking: what is not of the right kind, shape and
range would be written out of bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.consensus._types import BoolArray, FloatArray, IntArray

__all__ = ["check_snapshot"]

_WHOLE, _REAL, _FLAG = np.dtype(np.int64), np.dtype(np.float64), np.dtype(np.bool_)
_HIGHEST = float(np.finfo(np.float64).max)
_LARGEST = int(np.iinfo(np.int64).max)
_ABOVE_ZERO = float(np.finfo(np.float64).tiny)
_BELOW_ONE = float(np.nextafter(1.0, 0.0))
_EXTREME = 700.0
"""Logits beyond which their exponential overflows."""

_FARTHEST = 20.0
"""What the correction of confidence can move by: twenty steps of 1."""

_NEAR = 1e-6
"""Relative error of sums that were added up in another order."""


class _Entry(NamedTuple):
    """What an entry has to be.

    Attributes
    ----------
    dtype : numpy.dtype
    shape : tuple of str or int
        Names of dimensions, or lengths.
    low, high : float or str
        Range, bounds included; a name stands for its last place.
    """

    dtype: np.dtype[Any]
    shape: tuple[str | int, ...]
    low: float = 0
    high: float | str = _LARGEST


def _amount(*shape: str | int) -> _Entry:
    return _Entry(_REAL, shape, 0.0, _HIGHEST)


def _finite(*shape: str | int) -> _Entry:
    return _Entry(_REAL, shape, -_HIGHEST, _HIGHEST)


def _chance(*shape: str | int) -> _Entry:
    """Strictly between 0 and 1: its logit is taken."""
    return _Entry(_REAL, shape, _ABOVE_ZERO, _BELOW_ONE)


_ENTRIES: dict[str, _Entry] = {
    "prices.declared": _amount("experts"),
    "prices.quoted": _amount("experts"),
    "prices.billed": _amount(2, "experts"),
    "whole": _Entry(_WHOLE, (7,)),
    "real": _finite(7),
    "groups": _Entry(_WHOLE, ("experts",), -_LARGEST),
    "labels": _Entry(_WHOLE, ("experts",)),
    "calls": _Entry(_WHOLE, ("experts",)),
    "topic_calls": _Entry(_WHOLE, ("topics", "experts")),
    "pool": _Entry(_FLAG, ("experts",)),
    "speakers": _Entry(_FLAG, ("experts",)),
    "explored": _Entry(_REAL, ("topics", "experts", "classes", 4), 0.0, 1.0),
    "rates.outcome": _chance("experts", "classes", 4),
    "rates.topical": _chance("topics", "experts", "classes", 4),
    "rates.difficulty": _Entry(_REAL, ("topics", "classes"), _ABOVE_ZERO, 1.0),
    "rates.ability": _Entry(_REAL, ("experts",), -_EXTREME, _EXTREME),
    "journal.topic": _Entry(_WHOLE, ("tasks",), 0, "topics"),
    "journal.n_options": _Entry(_WHOLE, ("tasks",), 1),
    "journal.truth": _Entry(_WHOLE, ("tasks",), -1),
    "journal.verdict": _Entry(_WHOLE, ("tasks",), -1),
    "journal.confidence": _Entry(_REAL, ("tasks",), 0.0, 1.0),
    "journal.start": _Entry(_WHOLE, ("tasks",)),
    "journal.asked": _Entry(_WHOLE, ("tasks",), 0, "experts+1"),
    "journal.surveyed": _Entry(_WHOLE, ("tasks",), 0, 1),
    "journal.item": _Entry(_WHOLE, ("calls",), 0, "tasks"),
    "journal.expert": _Entry(_WHOLE, ("calls",), 0, "experts"),
    "journal.answer": _Entry(_WHOLE, ("calls",), -1, "experts+1"),
    "journal.cost": _amount("calls"),
    "watch.sum": _amount("experts"),
    "watch.begun": _Entry(_WHOLE, ("experts",), 0, "tasks"),
    "watch.since": _Entry(_WHOLE, ("experts",), 0, "tasks"),
    "watch.found": _Entry(_WHOLE, ("found", 2)),
    "former.experts": _Entry(_WHOLE, ("former",), 0, "experts"),
    "former.outcome": _chance("former", "classes", 4),
    "former.topical": _chance("topics", "former", "classes", 4),
}

_LENGTHS = {
    "experts": "prices.declared",
    "tasks": "journal.topic",
    "calls": "journal.item",
    "found": "watch.found",
    "former": "former.experts",
}
"""Entries whose number of rows is that of a dimension."""

_DISTRIBUTIONS = (
    "explored",
    "rates.outcome",
    "rates.topical",
    "rates.difficulty",
    "former.outcome",
    "former.topical",
)


def check_snapshot(state: Mapping[str, NDArray[Any]], classes: int) -> None:
    """Refuse what `Panel.state` cannot have returned.

    Parameters
    ----------
    state : mapping of str to array
    classes : int
        Difficulty classes of the settings it is to be taken back under.

    Raises
    ------
    InputError
        An entry is missing, unknown, of another kind, shape or range, or contradicts another.
    """
    if not isinstance(state, Mapping) or set(state) != set(_ENTRIES):
        given = set(state) if isinstance(state, Mapping) else set()
        odd = sorted(map(str, given ^ set(_ENTRIES)))
        raise InputError(f"a panel's snapshot: missing or unknown: {', '.join(odd)}")
    sizes = _sizes(state, classes)
    for name, entry in _ENTRIES.items():
        _check_entry(name, state[name], entry, sizes)
    for name in _DISTRIBUTIONS:
        _agree(name, "sums of probabilities", state[name].sum(axis=-1), 1.0)
    _check_numbers(state, sizes["tasks"])
    _check_experts(state)
    with np.errstate(over="ignore"):
        _check_journal(_Calls.of(state), state)


def _sizes(state: Mapping[str, NDArray[Any]], classes: int) -> dict[str, int]:
    sizes = {"classes": classes}
    for size, name in _LENGTHS.items():
        _require(np.ndim(state[name]) > 0, name, "is no list")
        sizes[size] = len(state[name])
    _check_entry("whole", state["whole"], _ENTRIES["whole"], sizes)
    sizes["topics"] = int(state["whole"][0])
    sizes["experts+1"] = sizes["experts"] + 1
    return sizes


def _check_entry(name: str, array: object, entry: _Entry, sizes: Mapping[str, int]) -> None:
    shape = tuple(size if isinstance(size, int) else sizes[size] for size in entry.shape)
    kind = (array.dtype, array.shape) if isinstance(array, np.ndarray) else (type(array), ())
    if not isinstance(array, np.ndarray) or kind != (entry.dtype, shape):
        wanted = f"{entry.dtype}, {shape}"
        raise InputError(f"a panel's snapshot: {name} is {kind[0]}, {kind[1]}; allowed: {wanted}")
    high = max(sizes[entry.high] - 1, 0) if isinstance(entry.high, str) else entry.high
    # Every comparison with NaN is false.
    _require(
        ((array >= entry.low) & (array <= high)).all(),
        name,
        f"is out of range; allowed: {entry.low:g} to {high:g}",
    )


def _require(holds: object, name: str, complaint: str) -> None:
    if not holds:
        raise InputError(f"a panel's snapshot: {name} {complaint}")


def _agree(name: str, what: str, found: FloatArray, expected: FloatArray | float) -> None:
    agrees = np.allclose(found, expected, rtol=_NEAR, atol=1e-9)
    _require(agrees, name, f"contradicts the {what}")


def _check_experts(state: Mapping[str, NDArray[Any]]) -> None:
    """See that somebody is in the pool, every group heard and every former expert a changed one."""
    _require(state["pool"].any(), "pool", "is empty")
    heard = np.unique(state["groups"][state["speakers"]])
    _require(np.array_equal(heard, np.unique(state["groups"])), "speakers", "leave out a group")
    former, changed = state["former.experts"], state["watch.found"][:, 1]
    _require(
        np.array_equal(np.sort(former), np.unique(changed)), "former.experts", "are not the changed"
    )
    items, tasks = state["watch.found"][:, 0], len(state["journal.topic"])
    _require((items < tasks).all(), "watch.found", f"names tasks beyond {tasks}")


class _Calls(NamedTuple):
    """The calls of a journal, as its tasks have them.

    Attributes
    ----------
    of_task : int64[tasks]
        Calls of each task, audits included.
    later : bool[calls]
        Bought after the task was finished.
    billed : bool[calls]
        All but those of recorded tasks that were studied.
    """

    of_task: IntArray
    later: BoolArray
    billed: BoolArray

    @classmethod
    def of(cls, state: Mapping[str, NDArray[Any]]) -> _Calls:
        """Find them; refuse runs of calls that are not those of their tasks."""
        start, asked = state["journal.start"], state["journal.asked"]
        item, tasks = state["journal.item"], len(start)
        _require((start <= len(item) - asked).all(), "journal.start", "leads out of the calls")
        first = np.cumsum(asked) - asked
        places = np.repeat(start - first, asked) + np.arange(asked.sum())
        owners = np.repeat(np.arange(tasks), asked)
        _require(np.array_equal(item[places], owners), "journal.item", "contradicts journal.start")
        later = np.ones(len(item), np.bool_)
        later[places] = False
        studied = state["whole"][6]
        return cls(np.bincount(item, minlength=tasks), later, later | (item >= studied))


def _check_journal(calls: _Calls, state: Mapping[str, NDArray[Any]]) -> None:
    item, expert = state["journal.item"], state["journal.expert"]
    answer, n_experts = state["journal.answer"], len(state["groups"])
    pairs = np.unique(item * n_experts + expert)
    _require(len(pairs) == len(item), "journal.expert", "names an expert twice on a task")
    _require((answer <= calls.of_task[item]).all(), "journal.answer", "skips numbers")
    for name, most in (
        ("journal.truth", calls.of_task),
        ("journal.verdict", state["journal.asked"] - 1),
    ):
        _require((state[name] <= most).all(), name, "is the number of no answer")
    _check_counts(calls, state)


def _check_counts(calls: _Calls, state: Mapping[str, NDArray[Any]]) -> None:
    """Compare what was counted on the way with what the journal adds up to."""
    item, expert = state["journal.item"], state["journal.expert"]
    topical = np.zeros_like(state["topic_calls"])
    np.add.at(topical, (state["journal.topic"][item], expert), 1)
    _require(np.array_equal(topical, state["topic_calls"]), "topic_calls", "are not the journal's")
    for name in ("calls", "labels"):
        _require((state[name] <= topical.sum(axis=0)).all(), name, "are more than the journal's")
    cost, experts = state["journal.cost"], len(state["groups"])
    dearest = np.append(cost, state["prices.declared"]).max() * (1.0 + _NEAR)
    _require((state["prices.quoted"] <= dearest).all(), "prices.quoted", "are dearer than any call")
    paid = calls.billed & (state["journal.answer"] >= 0)
    billed = [
        np.bincount(expert[paid], cost[paid], experts),
        np.bincount(expert[paid], minlength=experts),
    ]
    _agree("prices.billed", "journal", state["prices.billed"], np.array(billed))
    _, _, spent, audited, *_ = state["real"].tolist()
    _agree("real", "costs", np.array([spent, audited]), _summed(cost, calls.later))


def _summed(cost: FloatArray, later: BoolArray) -> FloatArray:
    return np.array([cost.sum(), cost[later].sum()])


def _check_numbers(state: Mapping[str, NDArray[Any]], tasks: int) -> None:
    n_topics, seed, _, next_refit, counted, changed_at, studied = state["whole"].tolist()
    price, quoted, spent, _, bias, slope, surveyed = state["real"].tolist()
    sound = n_topics >= 1 and seed < 2**62 and tasks < next_refit
    sound = sound and counted + studied == tasks and changed_at <= tasks
    _require(sound, "whole", "contradicts the journal")
    sound = min(price, quoted, slope) > 0.0 and 0.0 <= surveyed <= spent * (1.0 + _NEAR)
    sound = sound and abs(bias) <= _FARTHEST and abs(slope - 1.0) <= _FARTHEST
    _require(sound, "real", "is out of range")
    # A call gains its expert 2 at most when it is recorded, and 4 when it is graded.
    most = 6.0 * len(state["journal.item"])
    _require((state["watch.sum"] <= most).all(), "watch.sum", "is more than answers can say")

"""What a panel's verdicts may suffer from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.findings import EXPERTS, Finding
from swarmloom_protocols.consensus.panel.history import Journal

__all__ = ["mean_agreement", "panel_findings"]

_FEW_TASKS = 20
"""Answers that two experts must have in common before anything is said of them."""

_UNGRADED_TASKS = 100
"""Tasks after which it is said that none is graded: of one in twenty the first is there by then."""

_LOW_AGREEMENT = 0.6
_LIKE_CLONES = 0.95
_CROWDED = 1.0 / 3.0


def mean_agreement(journal: Journal, n_experts: int) -> tuple[FloatArray, IntArray]:
    """Share of common tasks on which two experts gave the same answer, and how many there were.

    Returns
    -------
    float64[experts, experts]
        0 where two experts have no task in common.
    int64[experts, experts]
    """
    same, common = np.zeros((2, n_experts, n_experts))
    history = journal.history(_LATEST, np.zeros(n_experts, np.int64))
    for start, end in zip(history.first[:-1], history.first[1:], strict=True):
        given = history.answer[start:end] >= 0
        experts, answers = history.expert[start:end][given], history.answer[start:end][given]
        pairs = np.ix_(experts, experts)
        common[pairs] += 1.0
        same[pairs] += answers[:, None] == answers
    return same / np.maximum(common, 1.0), common.astype(np.int64)


_LATEST = 1000
"""Latest tasks that agreement is counted on."""


def panel_findings(journal: Journal, n_experts: int, groups: IntArray) -> tuple[Finding, ...]:
    """Name what cannot hold.

    Parameters
    ----------
    journal : Journal
    n_experts : int
    groups : int64[experts]
        Experts of one group share a model.
    """
    agreement, common = mean_agreement(journal, n_experts)
    known = (common >= _FEW_TASKS) & ~np.eye(n_experts, dtype=np.bool_)
    alike = known & (agreement > _LIKE_CLONES) & (groups[:, None] != groups)
    return (
        *_of_grades(journal, agreement[known]),
        *_of_models(groups),
        *(_like_copies(pair, agreement, common) for pair in np.argwhere(np.triu(alike)).tolist()),
    )


def _of_grades(journal: Journal, agreement: FloatArray) -> Iterator[Finding]:
    if len(journal) < _UNGRADED_TASKS or (journal["truth"] >= 0).any():
        return
    text = "no task has been graded: confidence rests on agreement alone and may be far too high"
    yield Finding("nothing graded", text, figures={"tasks": len(journal)})
    typical = float(np.median(agreement)) if agreement.size else 1.0
    if typical < _LOW_AGREEMENT:
        text = (
            f"experts agree on {typical:.0%} of tasks only and none is graded: "
            "weak experts that err alike may outvote a strong one; grade some tasks"
        )
        yield Finding("low agreement", text, figures={"agreement": typical})


def _of_models(groups: IntArray) -> Iterator[Finding]:
    largest, experts = int(np.unique(groups, return_counts=True)[1].max()), len(groups)
    if largest > 1 and _CROWDED * experts < largest < experts:
        text = f"{largest} of {experts} experts share one model"
        yield Finding("large group", text, figures={"share": largest / experts})


def _like_copies(pair: list[int], agreement: FloatArray, common: IntArray) -> Finding:
    one, other = pair
    share, tasks = float(agreement[one, other]), int(common[one, other])
    text = f"experts {EXPERTS} gave the same answer to {share:.0%} of {tasks} tasks"
    figures = {"agreement": share, "tasks": tasks}
    return Finding("copies", f"{text}: one of them may do", ((one, other),), figures)

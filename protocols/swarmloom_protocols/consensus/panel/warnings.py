"""What a panel's verdicts may suffer from, in words."""

from __future__ import annotations

import numpy as np

from swarmloom_protocols.consensus._types import FloatArray, IntArray
from swarmloom_protocols.consensus.panel.history import Journal

__all__ = ["mean_agreement", "panel_warnings"]

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


def panel_warnings(journal: Journal, n_experts: int, groups: IntArray) -> tuple[str, ...]:
    """Name what cannot hold.

    Parameters
    ----------
    journal : Journal
    n_experts : int
    groups : int64[experts]
        Experts of one group share a model.
    """
    found = []
    agreement, common = mean_agreement(journal, n_experts)
    known = (common >= _FEW_TASKS) & ~np.eye(n_experts, dtype=np.bool_)
    grades = int((journal["truth"] >= 0).sum())
    if len(journal) >= _UNGRADED_TASKS and grades == 0:
        found.append(
            "no task has been graded: confidence rests on agreement alone and may be far too high"
        )
        typical = float(np.median(agreement[known])) if known.any() else 1.0
        if typical < _LOW_AGREEMENT:
            found.append(
                f"experts agree on {typical:.0%} of tasks only and none is graded: "
                "weak experts that err alike may outvote a strong one; grade some tasks"
            )
    members = np.unique(groups, return_counts=True)[1]
    if members.max() > 1 and _CROWDED * n_experts < members.max() < n_experts:
        found.append(f"{members.max()} of {n_experts} experts share one model")
    alike = known & (agreement > _LIKE_CLONES) & (groups[:, None] != groups)
    found += [
        f"experts {one} and {other} gave the same answer to {agreement[one, other]:.0%} of "
        f"{common[one, other]} tasks: one of them may do"
        for one, other in np.argwhere(np.triu(alike)).tolist()
    ]
    return tuple(found)

"""What a crew is worth, by the experts' names and JSON-ready."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from swarmloom.types import Float64Array, IntArray
from swarmloom_protocols.consensus.answers.crew_report import CrewReport, crew_report

__all__ = ["audit"]


def audit(
    votes: IntArray,
    truth: IntArray,
    confidence: Float64Array,
    names: Sequence[str],
    groups: IntArray,
) -> dict[str, Any]:
    """Report on the last finished tasks.

    Parameters
    ----------
    votes : ndarray of int64, shape (tasks, experts)
        −1 where an expert was not asked or failed.
    truth : ndarray of int64, shape (tasks,)
        −1 where it is not known.
    confidence : ndarray of float64, shape (tasks,)
        Posterior of the verdicts.
    names : sequence of str
        The experts.
    groups : ndarray of int64, shape (experts,)
        Experts of one model have the same number.

    Returns
    -------
    dict
        ``tasks``, ``effective_voters``, ``experts`` (agreement and trust by name), ``redundant``
        and ``clones`` by names, ``warnings``; where tasks were graded, ``calibration`` too.
    """
    report = crew_report(votes, groups=groups)
    graded = truth >= 0
    return {
        "tasks": report.n_items,
        "effective_voters": _finite(report.effective_voters),
        "experts": {
            name: {"agreement": _finite(agreement), "trust": _finite(weight)}
            for name, agreement, weight in zip(names, report.agreement, report.weights, strict=True)
        },
        "redundant": [
            {
                "experts": [names[pair.first], names[pair.second]],
                "score": _finite(pair.score),
                "shared_errors": pair.shared,
            }
            for pair in report.redundant
        ],
        "clones": [[names[row] for row in cluster] for cluster in report.clusters],
        "warnings": list(report.warnings),
        "calibration": _calibration(
            crew_report(
                votes[graded], truth=truth[graded], confidence=confidence[graded], groups=groups
            )
        )
        if graded.any()
        else None,
    }


def _calibration(report: CrewReport) -> dict[str, Any]:
    found = report.as_dict()
    return {
        "graded": report.n_items,
        "auroc2": _finite(report.auroc2),
        "right_at_half": _finite(report.right_at_half),
        "reliability": _plain(found["calibration"]),
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Leave out what JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _finite(value) if isinstance(value, float) else value

"""What a report shows, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.scores import Summary

__all__ = ["Asked", "ReportData", "Shares"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked about what.

    Attributes
    ----------
    topics : tuple of str, K of them
    experts : tuple of str, E of them
    calls : ndarray of int64, shape (K, E)
    """

    topics: tuple[str, ...]
    experts: tuple[str, ...]
    calls: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Each protocol's share in each decision.

    Attributes
    ----------
    protocols : tuple of str, P of them
    values : ndarray of float64, shape (decisions, P)
        In the order of the decisions; a row sums to 1.
    """

    protocols: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything the page is made from.

    Attributes
    ----------
    title : str
    run_id : str
    right : ndarray of float64, shape (n,)
        1 or 0 for each finished task in order, NaN where the truth is not known.
    confidence : ndarray of float64, shape (n,)
        Posterior of the answer, NaN where there is none.
    cost, calls : ndarray of float64, shape (n,)
    graded : ndarray of bool, shape (n,)
        Tasks whose truth the swarm was told.
    asked : Asked
    shares : Shares
    rows : sequence of Summary
        The comparison; empty for a run without one.
    notes : sequence of str
        What the reader of the comparison has to know.
    facts : sequence of (str, str)
        Label and value of what describes the run.
    settings : mapping
        The effective settings.
    plugins : sequence of mapping
        Name, state, version and errors of each plugin.
    panels : sequence of (str, str)
        Title and HTML of the sections that plugins brought.
    warnings : sequence of str
        What plugins warned of while the run was on.
    """

    title: str
    run_id: str
    right: FloatArray
    confidence: FloatArray
    cost: FloatArray
    calls: FloatArray
    graded: npt.NDArray[np.bool_]
    asked: Asked
    shares: Shares
    rows: Sequence[Summary] = ()
    notes: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    plugins: Sequence[Mapping[str, Any]] = ()
    panels: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()

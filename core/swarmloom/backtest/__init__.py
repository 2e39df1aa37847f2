"""Backtests: recorded answers streamed through the same kernel as a live run, with baselines."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom.backtest.answers import AnswerTable as AnswerTable
    from swarmloom.backtest.answers import read_answers as read_answers
    from swarmloom.backtest.baselines import baseline_scores as baseline_scores
    from swarmloom.backtest.costs import read_costs as read_costs
    from swarmloom.backtest.intervals import bootstrap_interval as bootstrap_interval
    from swarmloom.backtest.run import Backtest as Backtest
    from swarmloom.backtest.run import backtest as backtest
    from swarmloom.backtest.scores import Score as Score
    from swarmloom.backtest.stream import Stream as Stream
    from swarmloom.backtest.stream import draw_stream as draw_stream

_HOME = {
    "AnswerTable": "answers",
    "Backtest": "run",
    "Score": "scores",
    "Stream": "stream",
    "backtest": "run",
    "baseline_scores": "baselines",
    "bootstrap_interval": "intervals",
    "draw_stream": "stream",
    "read_answers": "answers",
    "read_costs": "costs",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

"""What a snapshot of walkers holds, and their strategy as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.sealed_snapshots import SnapshotFormat
from swarmloom_protocols.stigmergy.walkers.sensors import Sensors
from swarmloom_protocols.stigmergy.walkers.strategies import STRATEGIES, Strategy

__all__ = ["FORMAT", "strategy_from", "strategy_text"]

FORMAT = SnapshotFormat(
    "swarmloom.walkers",
    {
        "box": np.int64,
        "seed": np.int64,
        "steps_taken": np.int64,
        "positions": np.float32,
        "headings": np.float32,
        "stopped": np.uint8,
        "state": np.float32,
        "strategy": str,
    },
)


def strategy_text(strategy: Strategy) -> str:
    """Return a strategy's name and parameters as JSON, its numbers in full.

    Raises
    ------
    InputError
        It is none of the seven, so that nobody could make it again from its name.
    """
    name = type(strategy).__name__
    if STRATEGIES.get(name) is not type(strategy):
        raise InputError(f"strategy: {name} has no snapshot; allowed: {', '.join(STRATEGIES)}")
    parameters: dict[str, Any] = asdict(strategy)  # type: ignore[call-overload]
    return json.dumps([name, parameters], default=_plain)


def strategy_from(text: str) -> Strategy:
    """Return the strategy that `strategy_text` wrote down, or raise `InputError`."""
    try:
        name, parameters = json.loads(text)
        if parameters.get("sensors") is not None:
            parameters["sensors"] = Sensors(**parameters["sensors"])
        return STRATEGIES[name](**parameters)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            f"snapshot: strategy {text!r} is none of {', '.join(STRATEGIES)}"
        ) from None


def _plain(value: Any) -> Any:
    """Return numbers and arrays of NumPy as Python's."""
    return value.tolist()

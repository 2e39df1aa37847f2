"""Prices of a call, from a TOML or CSV file."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.answers import nearest
from swarmloom.errors import InputError
from swarmloom.reading import why_unreadable

__all__ = ["match_costs", "read_costs"]


def read_costs(path: Path | str) -> dict[str, float]:
    """Read prices: a TOML file with a table ``[costs]``, or a CSV file of ``expert,cost`` lines.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to float
        Price of a call of each expert, finite and at least 0.

    Raises
    ------
    InputError
        When the file cannot be read, is empty, names an expert twice, or a price is no finite
        number ≥ 0.
    """
    path = Path(path)
    try:
        pairs = _toml_pairs(path) if path.suffix == ".toml" else _csv_pairs(path)
    except (OSError, UnicodeDecodeError, csv.Error, tomllib.TOMLDecodeError) as error:
        reason = why_unreadable(error)
        raise InputError(f"{path}: cannot be read as prices: {reason}") from error
    if not pairs:
        raise InputError(f"{path}: names no price; expected are [costs] entries or expert,cost")
    costs: dict[str, float] = {}
    for name, value in pairs:
        if name in costs:
            raise InputError(f"{path}: {name!r} occurs more than once")
        costs[name] = _price(name, value, path)
    return costs


def match_costs(
    costs: Mapping[str, float], experts: Sequence[str], source: Path | str
) -> npt.NDArray[np.float64]:
    """Put prices in the order of the experts.

    Parameters
    ----------
    costs : mapping of str to float
    experts : sequence of str, E of them
    source : path-like
        The file they came from, for messages.

    Returns
    -------
    ndarray of float64, shape (E,)

    Raises
    ------
    InputError
        When a price belongs to no expert, or an expert has no price.
    """
    known = set(experts)
    for name in costs:
        if name not in known:
            raise InputError(f"{source}: no expert {name!r} in the answers{nearest(name, experts)}")
    missing = [name for name in experts if name not in costs]
    if missing:
        listed = ", ".join(repr(name) for name in missing[:5])
        raise InputError(
            f"{source}: no price for {listed}{f' and {len(missing) - 5} more' * (len(missing) > 5)}"
        )
    return np.array([costs[name] for name in experts], dtype=np.float64)


def _toml_pairs(path: Path) -> list[tuple[str, object]]:
    with path.open("rb") as file:
        document = tomllib.load(file)
    table = document.get("costs")
    if not isinstance(table, dict):
        raise InputError(f"{path}: no table [costs]; its keys: {', '.join(document) or 'none'}")
    return list(table.items())


def _csv_pairs(path: Path) -> list[tuple[str, object]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    for row in rows:
        if len(row) != 2:
            raise InputError(f"{path}: {row} has {len(row)} cells; expected are expert,cost")
    if rows and rows[0] == ["expert", "cost"]:
        rows = rows[1:]
    return [(name, value) for name, value in rows]


def _price(name: str, value: object, path: Path) -> float:
    try:
        price = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        price = math.nan
    if not (math.isfinite(price) and price >= 0):
        raise InputError(f"{path}: price of {name!r} is {value!r}; allowed are finite numbers ≥ 0")
    return price

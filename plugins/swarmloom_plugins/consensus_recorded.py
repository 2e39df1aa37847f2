"""Recorded answers to learn from before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from swarmloom.backtest.answers import AnswerTable, nearest, read_answers
from swarmloom.errors import ConfigurationError, InputError
from swarmloom_plugins.consensus_notices import Notice

__all__ = ["ABSENT", "of_crew", "read_recorded", "unrecorded"]

ABSENT = -2
"""Code of an answer that was never asked for, as the panel has it."""

_PLACE = "plugins.config.consensus.recorded"


def read_recorded(path: Path) -> AnswerTable:
    """Read the table.

    Parameters
    ----------
    path : Path
        As for `swarmloom backtest`.

    Raises
    ------
    ConfigurationError
        Naming the file, the row and the column.
    """
    try:
        return read_answers(path)
    except InputError as error:
        raise ConfigurationError(f"{_PLACE}: {error}") from error


def of_crew(table: AnswerTable, names: Sequence[str]) -> AnswerTable | None:
    """Give the table with one column for each expert of the crew, in their order.

    Parameters
    ----------
    table : AnswerTable
    names : sequence of str

    Returns
    -------
    AnswerTable or None
        Experts without a column were not asked, `ABSENT`. None where none has one.
    """
    column = {name: index for index, name in enumerate(table.experts)}
    if not any(name in column for name in names):
        return None
    codes = np.full((len(table), len(names)), ABSENT, dtype=np.int64)
    for index, name in enumerate(names):
        if name in column:
            codes[:, index] = table.codes[:, column[name]]
    return replace(table, codes=codes, experts=tuple(names))


def unrecorded(table: AnswerTable, names: Sequence[str], path: Path | None) -> list[Notice]:
    """Say which experts have no column, as a warning or none.

    Parameters
    ----------
    table : AnswerTable
    names : sequence of str
    path : Path or None
        Where the table was read.
    """
    missing = [name for name in names if name not in table.experts]
    if not missing:
        return []
    spare = [column for column in table.experts if column not in names]
    hint = nearest(missing[0], spare)
    text = (
        f"{path} has no column for {len(missing)} of {len(names)} experts, the first is "
        f"{missing[0]!r}{hint}: nothing was learned of them beforehand"
    )
    return [Notice("unrecorded", text)]

"""Tables of recorded answers: one row an item, one column an expert."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError
from swarmloom.reading import why_unreadable

__all__ = ["TOPIC_COLUMNS", "AnswerTable", "Columns", "make_table", "nearest", "read_answers"]

IntArray = npt.NDArray[np.int64]

TOPIC_COLUMNS = ("topic", "category", "subject")
OPTIONS_COLUMNS = ("n_options", "options")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what.

    Attributes
    ----------
    item, gold : str
        Names of the columns with the item's identifier and its right answer.
    topic, options : str or None
        Names of the columns with topic and number of options; None takes the first usual name
        that is there (`TOPIC_COLUMNS`, "n_options", "options"), "" takes none.
    """

    item: str = "item"
    gold: str = "gold"
    topic: str | None = None
    options: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """Recorded answers, coded as integers.

    Attributes
    ----------
    items : tuple of str, n of them
        Unique identifiers.
    labels : tuple of str
        Every answer that occurs; codes index into it.
    gold : ndarray of int64, shape (n,)
        Code of the right answer of each item.
    codes : ndarray of int64, shape (n, E)
        Code of each expert's answer, −1 where it gave none.
    topics : tuple of str, n of them
        "" throughout when the table has none.
    options : tuple of int or None, n of them
        Number of possible answers.
    experts : tuple of str, E of them
        Unique names.
    """

    items: tuple[str, ...]
    labels: tuple[str, ...]
    gold: IntArray
    codes: IntArray
    topics: tuple[str, ...]
    options: tuple[int | None, ...]
    experts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each expert is right on each item, shape (n, E)."""
        return np.asarray(self.codes == self.gold[:, None])

    def take(self, rows: IntArray) -> AnswerTable:
        """Give the same table with the named rows, in that order.

        Parameters
        ----------
        rows : ndarray of int64
            Row numbers; each at most once, since items are unique.
        """
        return replace(
            self,
            items=tuple(self.items[row] for row in rows),
            gold=self.gold[rows],
            codes=self.codes[rows],
            topics=tuple(self.topics[row] for row in rows),
            options=tuple(self.options[row] for row in rows),
        )


def make_table(
    items: Sequence[str],
    gold: Sequence[str],
    answers: Mapping[str, Sequence[str | None]],
    *,
    topics: Sequence[str] | None = None,
    options: Sequence[int | None] | None = None,
) -> AnswerTable:
    """Code answers that are already in memory.

    Parameters
    ----------
    items : sequence of str, n of them
    gold : sequence of str, n of them
    answers : mapping of str to sequence of str or None
        Each expert's answers in the order of the items; None or "" where it gave none.
    topics, options : sequence, optional
        Topic and number of options of each item.

    Returns
    -------
    AnswerTable
    """
    number: dict[str, int] = {}
    gold_codes = _encode(gold, number)
    columns = [_encode(column, number) for column in answers.values()]
    empty = np.empty((len(items), 0), dtype=np.int64)
    return AnswerTable(
        items=tuple(items),
        labels=tuple(number),
        gold=gold_codes,
        codes=np.column_stack(columns) if columns else empty,
        topics=tuple(topics) if topics is not None else ("",) * len(items),
        options=tuple(options) if options is not None else (None,) * len(items),
        experts=tuple(answers),
    )


def read_answers(path: Path | str, columns: Columns | None = None) -> AnswerTable:
    """Read a table of recorded answers from a CSV file (TSV when it ends in .tsv).

    Every column that is not item, gold, topic or option count is an expert. Surrounding blanks of
    a cell are dropped; an empty cell means that the expert gave no answer.

    Parameters
    ----------
    path : path-like
        UTF-8, with a header line.
    columns : Columns, optional
        Names of the columns that are no experts.

    Returns
    -------
    AnswerTable

    Raises
    ------
    InputError
        When the file cannot be read, is empty, lacks a column, has ragged rows, repeated columns
        or items, rows without a gold answer, an option count below 2 or no expert at all.
    """
    path = Path(path)
    header, rows, lines = _read_rows(path)
    columns = _resolve(columns or Columns(), header, path)
    cells = {
        name: _Column(path, name, [row[i] for row in rows], lines) for i, name in enumerate(header)
    }
    _check_items(cells[columns.item])
    _check_gold(cells[columns.gold])
    known = {columns.item, columns.gold, columns.topic, columns.options}
    experts = {name: cells[name].cells for name in header if name not in known}
    if not experts:
        raise InputError(f"{path}: no expert: every column is one of {sorted(filter(None, known))}")
    return make_table(
        cells[columns.item].cells,
        cells[columns.gold].cells,
        experts,
        topics=cells[columns.topic].cells if columns.topic else None,
        options=_option_counts(cells[columns.options]) if columns.options else None,
    )


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Suggest the allowed name that looks most like a wrong one.

    Parameters
    ----------
    name : str
    allowed : iterable of str

    Returns
    -------
    str
        "; did you mean 'x'?", or "" when nothing is near.
    """
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _encode(answers: Sequence[str | None], number: dict[str, int]) -> IntArray:
    codes = (number.setdefault(answer, len(number)) if answer else -1 for answer in answers)
    return np.fromiter(codes, dtype=np.int64, count=len(answers))


class _Column(NamedTuple):
    """One column of a file, and the line that each of its cells stands in."""

    path: Path
    name: str
    cells: list[str]
    lines: list[int]

    def error(self, row: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {self.lines[row]}, column {self.name!r}: {what}")


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Give the header, the rows without empty ones, and the line in which each row ends."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            numbered = [([cell.strip() for cell in row], reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = why_unreadable(error)
        raise InputError(f"{path}: cannot be read as a table: {reason}") from error
    numbered = [(row, line) for row, line in numbered if any(row)]
    if len(numbered) < 2:
        raise InputError(f"{path}: {'only a header line' if numbered else 'the file is empty'}")
    (header, _), *rest = numbered
    _check_shape(header, rest, path)
    return header, [row for row, _ in rest], [line for _, line in rest]


def _check_shape(header: list[str], rows: list[tuple[list[str], int]], path: Path) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: column {repeated[0]!r} occurs more than once")
    for row, line in rows:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {line} ({row[0]!r}) has {len(row)} cells, the header {len(header)}"
            )


def _resolve(columns: Columns, header: list[str], path: Path) -> Columns:
    for name in (columns.item, columns.gold, columns.topic, columns.options):
        if name and name not in header:
            raise InputError(
                f"{path}: no column {name!r}{nearest(name, header) or '.'} Its columns: "
                f"{', '.join(header[:8])}{', …' if len(header) > 8 else ''}"
            )
    return replace(
        columns,
        topic=_first(TOPIC_COLUMNS, header) if columns.topic is None else columns.topic,
        options=_first(OPTIONS_COLUMNS, header) if columns.options is None else columns.options,
    )


def _first(names: Sequence[str], header: list[str]) -> str:
    return next((name for name in names if name in header), "")


def _check_items(column: _Column) -> None:
    seen: set[str] = set()
    for row, item in enumerate(column.cells):
        if not item or item in seen:
            what = f"item {item!r} occurs more than once" if item else "an item is empty"
            raise column.error(row, f"{what}; items must be unique")
        seen.add(item)


def _check_gold(column: _Column) -> None:
    if "" in column.cells:
        raise column.error(column.cells.index(""), "no right answer; every item needs one")


def _option_counts(column: _Column) -> list[int | None]:
    counts = [int(cell) if cell.isdecimal() else None for cell in column.cells]
    for row, (cell, count) in enumerate(zip(column.cells, counts, strict=True)):
        if cell and (count is None or count < 2):
            raise column.error(
                row,
                f"{cell!r} is no number of options; allowed are whole numbers from 2, or an empty "
                "cell",
            )
    return counts

"""Reading the text files of REPETITA, networks and demands.

S. Gay, P. Schaus and S. Vissicchio, "REPETITA: Repeatable experiments for performance evaluation of
traffic-engineering algorithms", arXiv 1710.08665: a line with a count, a line with the columns'
names, a line each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError

__all__ = ["GraphFile", "read_demands", "read_graph"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Line = tuple[int, list[str]]

NODE_COLUMNS = ("label", "x", "y")
EDGE_COLUMNS = ("label", "src", "dest", "weight", "bw", "delay")
DEMAND_COLUMNS = ("label", "src", "dest", "bw")


@dataclass(frozen=True, slots=True)
class GraphFile:
    """What a ``.graph`` file says.

    Attributes
    ----------
    names : tuple of str
        Of the n nodes.
    positions : ndarray of float64, shape (n, 2)
        Longitude and latitude in degrees; unknown ones are 0.
    sources, targets : ndarray of int64, shape (m,)
        Ends of the links.
    weights : ndarray of float64, shape (m,)
        Link weights of the routing protocol.
    capacities : ndarray of float64, shape (m,)
        In kbit/s.
    delays : ndarray of float64, shape (m,)
        In microseconds.
    """

    names: tuple[str, ...]
    positions: FloatArray
    sources: IntArray
    targets: IntArray
    weights: FloatArray
    capacities: FloatArray
    delays: FloatArray


def read_graph(path: str | PathLike[str]) -> GraphFile:
    """Read a ``.graph`` file.

    Parameters
    ----------
    path : str or path
        The file, in UTF-8.

    Returns
    -------
    GraphFile

    Raises
    ------
    InputError
        The file is not of this form; the message names file, line and value.
    OSError
        The file cannot be read.
    """
    lines = _lines(path)
    nodes = _table(path, lines, "NODES", NODE_COLUMNS)
    edges = _table(path, lines, "EDGES", EDGE_COLUMNS)
    numbers = _numbers(path, edges, len(EDGE_COLUMNS) - 1)
    return GraphFile(
        names=tuple(words[0] for _, words in nodes),
        positions=_numbers(path, nodes, 2),
        sources=_rows(path, edges, numbers[:, 0], len(nodes)),
        targets=_rows(path, edges, numbers[:, 1], len(nodes)),
        weights=numbers[:, 2].copy(),
        capacities=numbers[:, 3].copy(),
        delays=numbers[:, 4].copy(),
    )


def read_demands(path: str | PathLike[str], n_nodes: int) -> FloatArray:
    """Read a ``.demands`` file.

    Parameters
    ----------
    path : str or path
        The file, in UTF-8.
    n_nodes : int
        Nodes of its network.

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_nodes)
        Demand from row to column, in kbit/s; several lines of one pair add up.

    Raises
    ------
    InputError
        The file is not of this form; the message names file, line and value.
    OSError
        The file cannot be read.
    """
    table = _table(path, _lines(path), "DEMANDS", DEMAND_COLUMNS)
    numbers = _numbers(path, table, 3)
    demands = np.zeros((n_nodes, n_nodes))
    sources = _rows(path, table, numbers[:, 0], n_nodes)
    targets = _rows(path, table, numbers[:, 1], n_nodes)
    np.add.at(demands, (sources, targets), numbers[:, 2])
    return demands


def _lines(path: str | PathLike[str]) -> Iterator[Line]:
    """Yield the lines that are not empty, cut into words, with their numbers from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.split()


def _table(
    path: str | PathLike[str], lines: Iterator[Line], title: str, columns: tuple[str, ...]
) -> list[Line]:
    """Return the lines of one table, its two headings left out."""
    number, words = next(lines, (0, []))
    if len(words) != 2 or words[0] != title or not words[1].isdecimal():
        raise InputError(
            f"{path}, line {number}: {' '.join(words)!r}; allowed: {title} and a count"
        )
    next(lines, None)
    table = list(itertools.islice(lines, int(words[1])))
    if len(table) < int(words[1]):
        raise InputError(f"{path}: {len(table)} lines of {title} where {words[1]} are announced")
    for number, words in table:
        if len(words) != len(columns):
            raise InputError(
                f"{path}, line {number}: {len(words)} words; allowed: {' '.join(columns)}"
            )
    return table


def _numbers(path: str | PathLike[str], table: list[Line], n_columns: int) -> FloatArray:
    """Return the last columns of a table as numbers."""
    values = [_number(path, number, word) for number, words in table for word in words[-n_columns:]]
    return np.array(values, dtype=np.float64).reshape(len(table), n_columns)


def _number(path: str | PathLike[str], line: int, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}, line {line}: {word!r} is not a finite number")
    return value


def _rows(
    path: str | PathLike[str], table: list[Line], values: FloatArray, n_nodes: int
) -> IntArray:
    """Return a column of node numbers."""
    for wrong in np.flatnonzero((values != np.floor(values)) | (values < 0) | (values >= n_nodes)):
        raise InputError(
            f"{path}, line {table[wrong][0]}: node {values[wrong]:g}; allowed: 0 to {n_nodes - 1}"
        )
    return values.astype(np.int64)

"""The graph of trails: skeleton cells become junctions, ends and branches.

Thinning tears the meeting point of wide trails into several junctions and leaves spurs as long as
a trail is wide. Both are as large as the trail is wide there: junctions are discs of that radius,
discs that meet along the skeleton are one, and branches that hardly leave their disc are dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from swarmloom.jit import kernel
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.patterns.thinning import skeleton

__all__ = ["TrailGraph", "trail_graph"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Float64Array = NDArray[np.float64]
# The label of a junction, or of an end the word and the row of its cell.
Node = int | tuple[str, int]
# Its nodes, and its number among the branches between them.
Edge = tuple[Node, Node, int]

# Half of the eight neighbours: each pair of cells is met once.
FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
BRANCHES_OF_A_JUNCTION = 3
# Cells by which the skeleton's own width adds to the trail's.
JUNCTION_MARGIN = 1.5
WIDEST = 64.0


@dataclass(frozen=True)
class TrailGraph:
    """What is left of trails when their width is forgotten.

    Attributes
    ----------
    junctions : ndarray of float64, shape (J, 2)
        (y, x) where at least three branches meet.
    degrees : ndarray of int64, shape (J,)
        Branches that meet there.
    endpoints : ndarray of float64, shape (E, 2)
        (y, x) where a trail ends.
    components : int
        Trails that are not connected with each other.
    cycles : int
        Independent closed loops: branches − (junctions + endpoints) + components.
    length : float
        Of all branches outside the discs, in cells; a diagonal step counts √2.
    """

    junctions: Float64Array
    degrees: IntArray
    endpoints: Float64Array
    components: int
    cycles: int
    length: float


def trail_graph(
    mask: ArrayLike, *, junction_reach: float = 1.0, shortest_branch: float = 6.0
) -> TrailGraph:
    """Reduce trails to their junctions, ends, components and loops.

    Parameters
    ----------
    mask : array-like of bool, shape (Y, X)
        Which cells belong to trails; `trail_mask` makes one from a frame.
    junction_reach : float, optional
        Radius of a junction in units of the trail's half-width there (0 to 4).
    shortest_branch : float, optional
        Branches that leave a junction's disc by fewer cells are no branches (≥ 0).

    Returns
    -------
    TrailGraph

    Raises
    ------
    InputError
        The mask is not two-dimensional, or a parameter is out of range.
    """
    trails = np.asarray(mask, bool)
    between("junction_reach", junction_reach, 0.0, 4.0)
    between("shortest_branch", shortest_branch, 0.0)
    cells = np.argwhere(skeleton(trails))
    if not len(cells):
        return _summary(nx.MultiGraph())
    graph = _multigraph(_cut(cells, trails, junction_reach))
    _prune(graph, shortest_branch)
    return _summary(graph)


@kernel
def _clearances(mask: BoolArray, cells: IntArray, most: float, radii: Float64Array) -> None:
    """Write the distance from each cell to the nearest one outside the mask, at most `most`."""
    height, width = mask.shape
    for k in range(cells.shape[0]):
        y, x = cells[k, 0], cells[k, 1]
        nearest, ring = most * most, 1
        while ring * ring < nearest:
            for i in range(max(0, y - ring), min(height, y + ring + 1)):
                step = 1 if abs(i - y) == ring else 2 * ring
                for j in range(x - ring, x + ring + 1, step):
                    if 0 <= j < width and not mask[i, j]:
                        nearest = min(nearest, float((i - y) ** 2 + (j - x) ** 2))
            ring += 1
        radii[k] = np.sqrt(nearest)


def _adjacent(cells: IntArray, shape: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Return the pairs of neighbouring cells, each once, by their rows."""
    rows = np.full((shape[0] + 2, shape[1] + 2), -1)
    y, x = cells.T + 1
    rows[y, x] = np.arange(len(cells))
    beside = [rows[y + dy, x + dx] for dy, dx in FORWARD]
    first = [np.flatnonzero(found >= 0) for found in beside]
    second = [found[found >= 0] for found in beside]
    return np.concatenate(first), np.concatenate(second)


@dataclass(frozen=True)
class _Skeleton:
    """Cells of a skeleton, cut at the rims of the junctions' discs.

    Every cell outside the discs has at most two neighbours: outside are paths and rings.
    """

    cells: IntArray
    first: IntArray
    second: IntArray
    neighbours: IntArray
    inside: BoolArray
    labels: IntArray

    @property
    def crowded(self) -> BoolArray:
        return self.neighbours >= BRANCHES_OF_A_JUNCTION


def _cut(cells: IntArray, mask: BoolArray, reach: float) -> _Skeleton:
    first, second = _adjacent(cells, mask.shape)
    neighbours = np.bincount(np.concatenate((first, second)), minlength=len(cells))
    crowded = neighbours >= BRANCHES_OF_A_JUNCTION
    inside = _in_discs(cells, cells[crowded], mask, reach)
    labels = _labels(inside, first, second)
    # Bits of another trail that a disc covers without its junction are branches.
    inside &= np.isin(labels, labels[crowded])
    return _Skeleton(cells, first, second, neighbours, inside, _labels(inside, first, second))


def _in_discs(cells: IntArray, middles: IntArray, mask: BoolArray, reach: float) -> BoolArray:
    radii = np.empty(len(middles))
    _clearances(mask, middles, WIDEST, radii)
    inside = np.zeros(len(cells), bool)
    for ball in cKDTree(cells).query_ball_point(middles, reach * radii + JUNCTION_MARGIN):
        inside[ball] = True
    return inside


def _labels(inside: BoolArray, first: IntArray, second: IntArray) -> IntArray:
    """Label the connected cells on either side of the rims."""
    same = inside[first] == inside[second]
    links = coo_matrix((same[same], (first[same], second[same])), (len(inside), len(inside)))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _multigraph(parts: _Skeleton) -> nx.MultiGraph:
    """Return junctions and ends as nodes with positions, branches as edges with lengths."""
    graph = nx.MultiGraph()
    for label, rows in _groups(parts.labels, parts.crowded):
        graph.add_node(label, position=parts.cells[rows].mean(axis=0))
    lengths, ends = _branch_lengths(parts), _branch_ends(parts)
    for label, rows in _groups(parts.labels, ~parts.inside):
        nodes = ends.get(label, [])
        for node in nodes:
            graph.add_node(node, **_end_position(node, parts))
        if nodes:
            graph.add_edge(*nodes, length=lengths[label])
        else:
            _add_closed(graph, label, parts.cells[rows], lengths[label])
    return graph


def _groups(labels: IntArray, chosen: BoolArray) -> Iterator[tuple[int, IntArray]]:
    """Return the rows of each label among the chosen."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    values, starts = np.unique(labels[rows], return_index=True)
    yield from zip(values.tolist(), np.split(rows, starts[1:]), strict=False)


def _branch_lengths(parts: _Skeleton) -> Float64Array:
    """Return the length of each label's links; a link over a rim is its branch's."""
    cells, inside = parts.cells, parts.inside
    steps = np.sqrt(np.sum((cells[parts.first] - cells[parts.second]) ** 2.0, axis=1))
    owner = np.where(inside[parts.first], parts.labels[parts.second], parts.labels[parts.first])
    return np.asarray(np.bincount(owner, steps, minlength=len(cells)), np.float64)


def _branch_ends(parts: _Skeleton) -> dict[int, list[Node]]:
    """Return the two nodes of each open branch: a junction's label, or the cell of an end."""
    ends: defaultdict[int, list[Node]] = defaultdict(list)
    labels, inside = parts.labels.tolist(), parts.inside.tolist()
    over = parts.inside[parts.first] != parts.inside[parts.second]
    for pair in zip(parts.first[over].tolist(), parts.second[over].tolist(), strict=True):
        outer, inner = sorted(pair, key=inside.__getitem__)
        ends[labels[outer]].append(labels[inner])
    for cell in np.flatnonzero(~parts.inside & (parts.neighbours == 1)).tolist():
        ends[labels[cell]].append(("end", cell))
    return ends


def _end_position(node: Node, parts: _Skeleton) -> dict[str, Float64Array]:
    return {"position": parts.cells[node[1]].astype(float)} if isinstance(node, tuple) else {}


def _add_closed(graph: nx.MultiGraph, label: int, cells: IntArray, length: float) -> None:
    """Add a ring without a junction, or a blob that has shrunk to one cell."""
    graph.add_node(label, position=cells.mean(axis=0))
    if length:
        graph.add_edge(label, label, length=length)


def _prune(graph: nx.MultiGraph, shortest: float) -> None:
    """Drop short branches that end at a junction, the shortest first, and join what is left."""
    for node in [node for node, degree in graph.degree if degree == 2]:
        _join(graph, node)
    order = count()
    waiting = [(length, next(order), edge) for length, edge in _short(graph, None, shortest)]
    heapify(waiting)
    while waiting:
        length, _, edge = heappop(waiting)
        for node in _drop(graph, edge) if _is_spur(graph, edge, length) else ():
            for other_length, other in _short(graph, node, shortest):
                heappush(waiting, (other_length, next(order), other))


def _short(
    graph: nx.MultiGraph, node: Node | None, shortest: float
) -> Iterator[tuple[float, Edge]]:
    """Return the short branches at a node, or all of them."""
    for start, stop, key, length in graph.edges(node, keys=True, data="length"):
        if length < shortest:
            yield length, (start, stop, key)


def _is_spur(graph: nx.MultiGraph, edge: Edge, length: float) -> bool:
    """Return whether a branch is still there, at a junction, and leads nowhere else."""
    data = graph.get_edge_data(*edge)
    if data is None or data["length"] != length:
        return False
    degrees = sorted((graph.degree[edge[0]], graph.degree[edge[1]]))
    is_loop = edge[0] == edge[1]
    return degrees[1] >= BRANCHES_OF_A_JUNCTION and (is_loop or degrees[0] == 1)


def _drop(graph: nx.MultiGraph, edge: Edge) -> list[Node]:
    """Remove a branch; return nodes at which others may have become spurs."""
    graph.remove_edge(*edge)
    changed: list[Node] = []
    for end in {edge[0], edge[1]}:
        if graph.degree[end] == 0:
            graph.remove_node(end)
        elif graph.degree[end] == 2:
            changed.append(_join(graph, end))
        elif graph.degree[end] == 1:
            changed.append(end)
    # Joining at one end can take the other away.
    return [node for node in changed if node in graph]


def _join(graph: nx.MultiGraph, node: Node) -> Node:
    """Make one branch of the two that meet at a node; return one of its ends.

    A ring keeps its only node.
    """
    edges: list[tuple[Node, Node, float]] = list(graph.edges(node, data="length"))
    if len(edges) < 2:
        return node
    (_, start, length), (_, stop, other_length) = edges
    graph.remove_node(node)
    graph.add_edge(start, stop, length=length + other_length)
    return start


def _summary(graph: nx.MultiGraph) -> TrailGraph:
    junctions = [node for node, degree in graph.degree if degree >= BRANCHES_OF_A_JUNCTION]
    endpoints = [node for node, degree in graph.degree if degree == 1]
    components = nx.number_connected_components(graph) if graph else 0
    return TrailGraph(
        junctions=_positions(graph, junctions),
        degrees=np.array([graph.degree[node] for node in junctions], np.int64),
        endpoints=_positions(graph, endpoints),
        components=components,
        cycles=graph.number_of_edges() - graph.number_of_nodes() + components,
        length=float(sum(length for _, _, length in graph.edges(data="length"))),
    )


def _positions(graph: nx.MultiGraph, nodes: list[Node]) -> Float64Array:
    return np.array([graph.nodes[node]["position"] for node in nodes]).reshape(-1, 2)

"""Pictures of trails: options as lines, the stronger the broader and darker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmloom.errors import InputError
from swarmloom_protocols.bio_routing.search.problem import SearchProblem
from swarmloom_protocols.checks import between
from swarmloom_protocols.consensus.real_numbers import real_array

__all__ = ["draw_trails"]

FloatArray = NDArray[np.float64]
SUFFIXES = (".svg", ".png", ".pdf")
TRAIL, SOLUTION = "#1f4e79", "#d1495b"
BROADEST = 4.0


def draw_trails(
    path: str | Path,
    problem: SearchProblem,
    trails: ArrayLike,
    points: ArrayLike,
    *,
    solution: ArrayLike | None = None,
    least: float = 0.02,
    title: str = "",
) -> None:
    """Draw the trails of a walk between places in the plane.

    Parameters
    ----------
    path : str or Path
        Ends in .svg, .png or .pdf; an existing file is replaced. The same call writes the same SVG.
    problem : SearchProblem
        Whose options the trails are of.
    trails : array-like of float, shape (e,)
        As `Colony.trails`: finite, from 0.
    points : array-like of float, shape (n, 2)
        Where the nodes are.
    solution : array-like of int, shape (n,), optional
        Target taken at each node, −1 for none, as `SearchResult.following`: drawn above the trails.
    least : float, optional
        Share of the strongest trail below which a trail is left out, in [0, 1].
    title : str, optional
        Written above.

    Raises
    ------
    InputError
        The kind of picture is unknown, there is no such folder, or the arrays do not fit.
    """
    if not Path(path).parent.is_dir():
        raise InputError(f"path: {path}: there is no folder {Path(path).parent}")
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(f"path: {path} ends in none of {', '.join(SUFFIXES)}")
    places, strengths = _checked(problem, trails, points)
    share = strengths / max(float(strengths.max(initial=0.0)), np.finfo(float).tiny)
    shown = np.flatnonzero(share >= max(between("least", least, 0.0, 1.0), np.finfo(float).tiny))
    shown = shown[np.argsort(share[shown], kind="stable")]
    ends = np.stack([problem.sources[shown], problem.graph.targets[shown]], axis=1)
    _draw(path, places, places[ends], share[shown], _steps(problem, solution, places), title)


def _checked(
    problem: SearchProblem, trails: ArrayLike, points: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    places, strengths = real_array("points", points), real_array("trails", trails)
    n = problem.n_nodes
    if places.shape != (n, 2) or not np.isfinite(places).all():
        raise InputError(f"points has shape {places.shape}; allowed: ({n}, 2), finite")
    if problem.graph.capacities.size != n:
        raise InputError(f"{problem.graph.capacities.size} targets of {n} nodes; allowed: walks")
    right = strengths.shape == problem.sources.shape
    if not right or not (np.isfinite(strengths) & (strengths >= 0.0)).all():
        raise InputError(f"trails: allowed: {problem.sources.size}, finite, from 0")
    return places, strengths


def _steps(
    problem: SearchProblem, solution: ArrayLike | None, places: FloatArray
) -> FloatArray | None:
    if solution is None:
        return None
    following = np.asarray(solution)
    n = problem.n_nodes
    if following.shape != (n,) or following.dtype.kind not in "iu":
        raise InputError(f"solution has shape {following.shape}; allowed: a target a node, ({n},)")
    if not -1 <= following.min() <= following.max() < n:
        raise InputError(f"solution: allowed: nodes 0 to {n - 1}, and -1 for none")
    nodes = np.flatnonzero(following >= 0)
    steps: FloatArray = places[np.stack([nodes, following[nodes]], axis=1)]
    return steps


def _draw(
    path: str | Path,
    places: FloatArray,
    lines: FloatArray,
    share: FloatArray,
    steps: FloatArray | None,
    title: str,
) -> None:
    import matplotlib as mpl
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "swarmloom"}):
        figure = Figure(figsize=(6.0, 6.0), layout="constrained")
        axes = figure.add_subplot()
        axes.add_collection(
            LineCollection(list(lines), linewidths=BROADEST * share, colors=TRAIL, alpha=0.6)
        )
        if steps is not None:
            axes.add_collection(LineCollection(list(steps), linewidths=0.9, colors=SOLUTION))
        axes.plot(places[:, 0], places[:, 1], ".", color="black", markersize=3.0)
        axes.set(aspect="equal", title=title)
        axes.set_axis_off()
        svg = Path(path).suffix.lower() == ".svg"
        figure.savefig(path, dpi=120, metadata={"Date": None} if svg else None)

"""The six models: how opinions move from one step to the next.

Each is a description without state; an `OpinionLandscape` puts it to work. Without a graph
everybody hears everybody. Confidence and radius are the landscape's: in every model an expert
counts for others in proportion to their confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from swarmloom.device import Device
from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, positive
from swarmloom_protocols.consensus.opinions.arguments import (
    FloatArray,
    Graph,
    Matrix,
    listening_graph,
    opinions_of,
    per_expert,
    rows_scaled,
    trust_of,
    weighted_columns,
)
from swarmloom_protocols.consensus.opinions.graph_kernels import cumulate_rows
from swarmloom_protocols.consensus.opinions.motions import (
    Copying,
    Crowd,
    GraphBound,
    Linear,
    MeanBound,
    Meetings,
    Mixing,
    Motion,
    Phases,
)

__all__ = [
    "DeGroot",
    "Deffuant",
    "FriedkinJohnsen",
    "HegselmannKrause",
    "Kuramoto",
    "Model",
    "Voter",
]


class Model:
    """A model of how opinions move.

    Attributes
    ----------
    random : bool
        Whether it draws random numbers, one pair after the other; such models have no momentum.
    """

    random: ClassVar[bool] = False

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd and return what moves its opinions.

        Parameters
        ----------
        crowd : Crowd
            The experts.
        device : {"auto", "cpu", "cuda"}
            Where to compute.

        Raises
        ------
        InputError
            The model does not fit the crowd.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class DeGroot(Model):
    """Everybody takes the mean of those they trust: x ← W x.

    Parameters
    ----------
    weights : sparse matrix, array-like or networkx graph, optional
        Trust matrix W, rows sum to 1; `arguments.trust_matrix` makes one of any graph.

    Notes
    -----
    DeGroot, Journal of the American Statistical Association 69, 1974. Opinions converge to π·x₀
    (`linear.social_influence`), at the rate of W's second eigenvalue; without a graph at once.
    """

    weights: Graph | None = None

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        if self.weights is None:
            return Mixing(crowd.confidence, np.ones(len(crowd.values)), np.zeros((1, 1)))
        return Linear(_trusted(self.weights, crowd), None, device)


@dataclass(frozen=True, eq=False)
class FriedkinJohnsen(Model):
    """As DeGroot's, but everybody holds on to where they began: x ← Λ W x + (I − Λ) x₀.

    Parameters
    ----------
    susceptibility : float or array-like of float, shape (n,)
        Λ's diagonal: how much each gives way to others, 0 to 1.
    weights : sparse matrix, array-like or networkx graph, optional
        Trust matrix W.
    anchors : array-like of float, shape (n,) or (n, D), optional
        x₀; the landscape's first opinions by default.

    Notes
    -----
    Friedkin and Johnsen, Journal of Mathematical Sociology 15, 1990. Where it settles:
    `linear.friedkin_johnsen_limit`.
    """

    susceptibility: ArrayLike
    weights: Graph | None = None
    anchors: ArrayLike | None = None

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        n = len(crowd.values)
        share = per_expert("susceptibility", self.susceptibility, n, low=0.0, high=1.0)
        offset = (1.0 - share)[:, np.newaxis] * self._anchors(crowd)
        if self.weights is None:
            return Mixing(crowd.confidence, share, offset)
        matrix = _trusted(self.weights, crowd)
        matrix.data *= np.repeat(share, np.diff(matrix.indptr))
        return Linear(matrix, offset, device)

    def _anchors(self, crowd: Crowd) -> FloatArray:
        if self.anchors is None:
            return crowd.first
        anchors = opinions_of("anchors", self.anchors)
        if anchors.shape != crowd.values.shape:
            raise InputError(f"anchors: shape {anchors.shape}; allowed: {crowd.values.shape}")
        return anchors


@dataclass(frozen=True, eq=False)
class HegselmannKrause(Model):
    """Everybody takes the mean of the opinions within their radius, all at the same time.

    Parameters
    ----------
    graph : sparse matrix, array-like or networkx graph, optional
        Who hears whom, with weights; without one everybody hears everybody.
    with_own : bool, optional
        Whether the own opinion is in the mean, as in the authors' model; it can be left out on
        graphs only.

    Notes
    -----
    Hegselmann and Krause, Journal of Artificial Societies and Social Simulation 5 (3), 2002. On a
    line without a graph and with one radius the order of opinions is kept, and everything stands
    still after a finite number of steps.
    """

    graph: Graph | None = None
    with_own: bool = True

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        if self.graph is not None:
            graph = listening_graph("graph", self.graph, len(crowd.values))
            graph.data *= crowd.confidence[graph.indices]
            return GraphBound(crowd.radii, graph, crowd.confidence * float(self.with_own))
        if not self.with_own:
            raise InputError("with_own is False; allowed without a graph: True")
        return MeanBound(crowd, device)


@dataclass(frozen=True, eq=False)
class Deffuant(Model):
    """Two at a time meet, and move towards each other if they are within reach.

    A step is n meetings, one after the other, of a random expert with a random neighbour.

    Parameters
    ----------
    graph : sparse matrix, array-like or networkx graph, optional
        Who meets whom; its weights do not matter.
    rate : float, optional
        Share μ of the way that each goes, above 0 to ½. With unequal confidence the surer one goes
        less of it, so that the mean weighted by confidence stays (for one radius).

    Notes
    -----
    Deffuant, Neau, Amblard, Weisbuch, Advances in Complex Systems 3, 2000. About 1/(2ε) groups
    remain of opinions spread evenly over [0, 1].
    """

    graph: Graph | None = None
    rate: float = 0.5
    random: ClassVar[bool] = True

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        return Meetings(crowd, _heard(self.graph, crowd), positive("rate", self.rate, 0.5))


@dataclass(frozen=True, eq=False)
class Voter(Model):
    """One at a time takes over the opinion of somebody they hear, as a whole.

    A step is n such copies, one after the other.

    Parameters
    ----------
    graph : sparse matrix, array-like or networkx graph, optional
        Who hears whom; neighbours are drawn in proportion to weight × confidence. Without one
        everybody is drawn, the copying one included.

    Notes
    -----
    Clifford and Sudbury, Biometrika 60, 1973; Holley and Liggett, Annals of Probability 3, 1975.
    On a regular graph an opinion ends up as everybody's with the probability of its first share.
    """

    graph: Graph | None = None
    random: ClassVar[bool] = True

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        graph = _heard(self.graph, crowd)
        if graph is None:
            return Copying(crowd, None, np.cumsum(crowd.confidence))
        cumulated = np.empty_like(graph.data)
        cumulate_rows(graph.indptr, graph.data * crowd.confidence[graph.indices], cumulated)
        return Copying(crowd, graph, cumulated)


@dataclass(frozen=True, eq=False)
class Kuramoto(Model):
    """Opinions are phases of oscillators, which pull at each other: see `phases.kuramoto_steps`.

    Parameters
    ----------
    frequencies : array-like of float, shape (n,)
        ω: how fast each would turn alone.
    coupling : float
        K, from 0.
    graph : sparse matrix, array-like or networkx graph, optional
        Who feels whom; weights are taken as shares of each row.
    dt : float, optional
        Length of a step.
    """

    frequencies: ArrayLike
    coupling: float
    graph: Graph | None = None
    dt: float = 0.05

    def begin(self, crowd: Crowd, device: Device) -> Motion:
        """Check the model against a crowd."""
        n, dimensions = crowd.values.shape
        if dimensions != 1:
            raise InputError(f"values: {dimensions} dimensions; allowed: 1, phases in radians")
        most = np.finfo(np.float64).max
        own = per_expert("frequencies", self.frequencies, n, low=-most, high=most)
        coupling, dt = between("coupling", self.coupling, 0.0), positive("dt", self.dt)
        graph = _heard(self.graph, crowd)
        matrix = None if graph is None else weighted_columns(rows_scaled(graph), crowd.confidence)
        return Phases(own, coupling, crowd.confidence, matrix, dt, device)


def _trusted(weights: Graph, crowd: Crowd) -> Matrix:
    return weighted_columns(trust_of("weights", weights, len(crowd.values)), crowd.confidence)


def _heard(graph: Graph | None, crowd: Crowd) -> Matrix | None:
    n = len(crowd.values)
    if graph is None and n < 2:
        raise InputError("values: one expert; allowed: two or more, who can meet")
    return None if graph is None else listening_graph("graph", graph, n)

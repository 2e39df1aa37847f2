"""The kernel's vocabulary: what passes between a crew, the round cycle and the protocols.

Everything is immutable, so that no plugin can change what another one sees.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from swarmloom.errors import InputError

if TYPE_CHECKING:
    from scipy import sparse

__all__ = [
    "AnswerFunction",
    "Assignment",
    "Ballot",
    "Correlation",
    "Event",
    "Expert",
    "Message",
    "Mixture",
    "Outcome",
    "Proposal",
    "Reply",
    "Round",
    "Route",
    "Task",
    "Verdict",
]

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an expert's function may return instead of a plain string.

    Attributes
    ----------
    answer : str or None
        The answer; None or "" when the expert has none.
    cost : float or None
        What the call really cost; None bills the expert's declared price.
    tokens : int
        Tokens used, 0 where the expert counts none.
    latency : float or None
        Seconds the call took; None measures it (0 for an `inline` expert).
    raw : object
        What the caller wants back unchanged (a CrewAI TaskOutput, say); never recorded.
    """

    answer: str | None
    cost: float | None = None
    tokens: int = 0
    latency: float | None = None
    raw: Any = None


AnswerFunction = Callable[["Task"], "str | Reply | Awaitable[str | Reply | None] | None"]


@dataclass(frozen=True, slots=True)
class Expert:
    """Something that can do a task: a CrewAI agent, a local model, a function.

    Attributes
    ----------
    name : str
        Unique within a swarm.
    answer : callable, optional
        ``answer(task)`` returns a string, a `Reply`, or an awaitable of either. None for experts
        that only a plugin's executor can run.
    price : float
        Declared price of one call, in the unit of the budget (≥ 0).
    capacity : int
        How many calls it takes at the same time (≥ 1).
    skills : frozenset of str
        What it can do; a task's `demands` must be a subset. Empty means anything.
    model : str
        Experts with the same model name share their errors; empty when unknown.
    inline : bool
        True for functions so short that a thread would cost more than the call.
    timeout : float or None
        Seconds after which a call counts as failed; None takes the swarm's.
    """

    name: str
    answer: AnswerFunction | None = field(default=None, compare=False, repr=False)
    price: float = 1.0
    capacity: int = 1_000_000
    skills: frozenset[str] = frozenset()
    model: str = ""
    inline: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of work. It never carries its own truth: protocols see tasks.

    Attributes
    ----------
    id : str
        Unique within a run.
    prompt : str
        What is asked.
    topic : str
        Tasks with the same topic share what is learned about the experts.
    options : int or None
        Number of possible answers, None for free text.
    demands : frozenset of str
        Skills an expert must have.
    deadline : float or None
        Seconds after the start of the run at which the task is given up.
    quorum : int or None
        Upper limit of answers bought for this task; None leaves it to the judge. 1 is the normal
        case of a crew whose tasks are work to be done, not questions to be voted on.
    payload : object
        Whatever the expert's function needs; not recorded.
    """

    id: str
    prompt: str = ""
    topic: str = ""
    options: int | None = None
    demands: frozenset[str] = frozenset()
    deadline: float | None = None
    quorum: int | None = None
    payload: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One expert's answer to one task, or its failure.

    Attributes
    ----------
    task : str
        The task's id.
    expert : int
        Index into the swarm's experts.
    answer : str or None
        The normalised answer; None when the expert failed or had none.
    cost, latency, tokens
        What the call cost (budget unit), how long it took (seconds), tokens used.
    error : str or None
        Why it failed; None on success.
    audit : bool
        True when bought after the verdict, to learn from.
    raw : object
        The reply's `raw`; never recorded.
    """

    task: str
    expert: int
    answer: str | None
    cost: float = 0.0
    latency: float = 0.0
    tokens: int = 0
    error: str | None = None
    audit: bool = False
    raw: Any = field(default=None, compare=False, repr=False)

    @property
    def succeeded(self) -> bool:
        """Whether there is an answer to count."""
        return self.error is None and self.answer is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The swarm's answer to one task so far.

    Attributes
    ----------
    task : str
        The task's id.
    answer : str or None
        The best answer so far; None without any successful ballot.
    posterior : mapping of str to float
        Probability of each answer that was given; what is missing to 1 is the probability that
        none of them is right.
    stop : bool
        True when no further answer is worth its price.
    ask : tuple of int
        Experts to choose from next; empty leaves the choice among all to the mixture.
    wordings : mapping of str to str
        Answers that mean the same as one in the posterior → that one; empty where equal answers
        are equal strings.
    """

    task: str
    answer: str | None
    posterior: Mapping[str, float] = field(default_factory=dict)
    stop: bool = True
    ask: tuple[int, ...] = ()
    wordings: Mapping[str, str] = field(default_factory=dict)

    @property
    def confidence(self) -> float:
        """Posterior of the answer; 0 where there is none."""
        return self.posterior.get(self.answer, 0.0) if self.answer is not None else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task.

    Attributes
    ----------
    task : Task
        The task.
    verdict : Verdict
        The final verdict.
    ballots : tuple of Ballot
        All answers bought, audits included.
    truth : str or None
        The right answer where feedback gave one.
    cost, latency : float
        Sums of the ballots' costs (audits included) and latencies (without audits).
    """

    task: Task
    verdict: Verdict
    ballots: tuple[Ballot, ...]
    truth: str | None = None
    cost: float = 0.0
    latency: float = 0.0

    def credit(self, ballot: Ballot) -> float:
        """Probability that a ballot was right: 1 or 0 where the truth is known, else its posterior.

        Parameters
        ----------
        ballot : Ballot
            One of this outcome's ballots.

        Returns
        -------
        float
            In [0, 1]; 0 for a failed ballot.
        """
        if not ballot.succeeded or ballot.answer is None:
            return 0.0
        wordings = self.verdict.wordings
        meant = wordings.get(ballot.answer, ballot.answer)
        if self.truth is not None:
            return float(meant == wordings.get(self.truth, self.truth))
        return float(self.verdict.posterior.get(meant, 0.0))


@dataclass(frozen=True, slots=True)
class Correlation:
    """What the entangle phase found: draws that the experts share in this round.

    Attributes
    ----------
    protocol : str
        Who drew it.
    draws : ndarray, shape (experts,)
        One shared number an expert (bits of a GHZ state, the one-hot of a W state, a seed).
    kind : str
        What the draws are: "ghz", "w", "shared_seed" or a third party's own.
    """

    protocol: str
    draws: Float64Array
    kind: str


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of the coordination cycle over a batch of open tasks.

    Attributes
    ----------
    number : int
        Counts from 0 within a run.
    tasks : tuple of Task
        The open tasks, T of them.
    experts : tuple of Expert
        All experts of the swarm, E of them.
    allowed : ndarray of bool, shape (T, E)
        Who may still take which task: able, not asked before, affordable, admitted by all plugins.
    ballots : tuple of tuple of Ballot
        For each task the answers so far, in order of arrival.
    in_flight : ndarray of int64, shape (E,)
        Calls sent and not yet answered, counted from the moment of sending.
    prices : ndarray of float64, shape (E,)
        Price of a call: declared, or measured where the calls reported their costs.
    elapsed, seconds_left : float
        Seconds since the run began, and until its limit (infinite without one).
    rng : numpy.random.Generator
        This round's own generator; it depends on the run's seed and `number` alone.
    correlations : tuple of Correlation
        What the entangle phase found; empty before it.
    """

    number: int
    tasks: tuple[Task, ...]
    experts: tuple[Expert, ...]
    allowed: BoolArray
    ballots: tuple[tuple[Ballot, ...], ...]
    in_flight: IntArray
    prices: Float64Array
    elapsed: float
    rng: np.random.Generator = field(repr=False)
    correlations: tuple[Correlation, ...] = ()
    seconds_left: float = math.inf


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a protocol says in a round.

    Attributes
    ----------
    affinity : ndarray of float32, shape (T, E)
        Log-odds that this expert is the right one for this task; 0 = no opinion.
    confidence : float
        In [0, 1]; 0 leaves the proposal out of the mixture.
    coupling : scipy.sparse matrix, shape (T·E, T·E), optional
        Rewards (> 0) and penalties (< 0) for pairs of choices, row index ``task · E + expert``;
        they make the decision a quadratic problem.
    """

    affinity: Float32Array
    confidence: float = 1.0
    coupling: sparse.csr_array | None = None


@dataclass(frozen=True, slots=True)
class Mixture:
    """All proposals of a round, weighed.

    Attributes
    ----------
    affinity : ndarray of float32, shape (T, E)
        Σ weight · confidence · affinity over the protocols; −inf where not allowed.
    coupling : scipy.sparse matrix or None
        Σ weight · confidence · coupling.
    parts : mapping of str to ndarray, shape (T, E)
        Each protocol's own term of the sum, for explanations and shares.
    weights : mapping of str to float
        Weight · confidence of each protocol in this round.
    """

    affinity: Float32Array
    coupling: sparse.csr_array | None
    parts: Mapping[str, Float32Array]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who does what in this round.

    Attributes
    ----------
    expert : ndarray of int64, shape (T,)
        Index of the expert for each task, −1 for a task that waits.
    solver : str
        Which method decided.
    """

    expert: IntArray
    solver: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Something one member of the swarm sends another.

    Attributes
    ----------
    source, destination : str
        Names of the members.
    size : int
        In whatever unit the routing plugin takes.
    max_latency : float or None
        Seconds that the way may take, ≥ 0; None for any.
    min_reliability : float or None
        Least probability of arriving, 0 to 1; None for any.

    Raises
    ------
    InputError
        If a limit is out of its range.
    """

    source: str
    destination: str
    size: int = 0
    max_latency: float | None = None
    min_reliability: float | None = None

    def __post_init__(self) -> None:
        latency, reliability = self.max_latency, self.min_reliability
        if latency is not None and not latency >= 0.0:
            raise InputError(f"max_latency is {latency}; allowed: seconds ≥ 0, or None")
        if reliability is not None and not 0.0 <= reliability <= 1.0:
            raise InputError(f"min_reliability is {reliability}; allowed: 0 to 1, or None")


@dataclass(frozen=True, slots=True)
class Route:
    """The way a message takes: the members it passes, in order, ends included."""

    path: tuple[str, ...]
    latency: float = 0.0
    reliability: float = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the swarm's event stream.

    Attributes
    ----------
    kind : str
        One of `swarmloom.events.EventKind`.
    data : mapping
        What happened, JSON-ready.
    task : str
        The task it is about; empty when about none.
    time : float
        Seconds since the epoch.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    time: float = field(default_factory=time.time)

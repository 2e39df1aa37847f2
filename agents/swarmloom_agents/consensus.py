"""A guardrail that asks other agents the same task, and lets a weighted vote decide."""

# No `from __future__ import annotations` here: CrewAI reads the guardrail's return annotation as
# an object, and refuses one that is a string.
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_agents.ballots import CrewBallot, CrewVerdict, Vote
from swarmloom_agents.current_step import current_step, follow_steps
from swarmloom_agents.experts import expert_names, model_name
from swarmloom_agents.seams import BaseAgent, Task, TaskOutput
from swarmloom_agents.second_opinions import SecondOpinion, Wanted
from swarmloom_agents.work import current_task
from swarmloom_protocols.checks import between, whole
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.stopping import Stopper
from swarmloom_protocols.consensus.free_text import Equivalence, normalised

__all__ = ["ConsensusGuardrail", "consensus_guardrail"]

_OPEN_TASKS = 64
# The posterior of a single answer says what is thought of its agent, not of the answer.
_FEWEST = 2
_SURVEY_EVERY = 10

OnVerdict = Callable[[CrewVerdict], None]


def consensus_guardrail(
    agents: Sequence[BaseAgent],
    *,
    certainty: float | None = 0.6,
    max_answers: int | None = None,
    warm_up: int = 0,
    undecided: Literal["refuse", "accept"] = "refuse",
    equivalence: Equivalence | None = None,
    tools: bool = False,
    trust: CrewTrust | None = None,
    on_verdict: OnVerdict | None = None,
) -> "ConsensusGuardrail":
    """Make a guardrail: ``Task(..., guardrail=consensus_guardrail(agents))``.

    The task's output is one ballot. The agents are asked the same task, the most trusted first,
    until the weighted vote is certain; the answer of the vote replaces the output. One guardrail
    may guard many tasks, and learns from all of them whom to trust.

    Parameters
    ----------
    agents : sequence of crewai.Agent
        Whom to ask; the task's own agent may be one of them. Copies of them work, outside of their
        crew: without its callbacks, memory and delegation.
    certainty : float, optional
        Posterior of the best answer from which it is taken, 0 to 1, once two agents have answered;
        None takes it as soon as its lead is hard to catch up with. While nothing is known of the
        agents, two that agree come to 0.83, two against one to 0.63, three against one to 0.70.
    max_answers : int, optional
        Answers to one task at most, the task's own among them; by default all agents may answer.
    warm_up : int
        Tasks, the first ones, on which all agents are asked, to learn whom to trust, and each
        tenth one after them. Trust is learned from tasks on which all were asked alone: with 0
        from those that the crew cannot agree on.
    undecided : {"refuse", "accept"}
        Where the wanted certainty is not reached: refuse the output with a message that says how
        the crew is split, so that CrewAI has the task done again; or accept the best answer.
    equivalence : callable, optional
        Gives each answer the number of its class: one of
        `swarmloom_protocols.consensus.free_text`, or a function of your own; by default answers
        that differ in spelling alone are the same.
    tools : bool
        Whether the copies may use their agents' tools. What a tool does, it then does for each.
    trust : CrewTrust, optional
        What is known of the agents: one row for each, in order, and one for whoever else does a
        task. Not to be given to two guardrails: let one guard all tasks.
    on_verdict : callable, optional
        ``on_verdict(verdict)`` hears each `CrewVerdict`.

    Returns
    -------
    ConsensusGuardrail

    Raises
    ------
    InputError
        If there are no agents, the certainty or `max_answers` is out of range, or the trust is in
        another number of agents.
    """
    return ConsensusGuardrail(
        agents,
        certainty=certainty,
        max_answers=max_answers,
        warm_up=warm_up,
        undecided=undecided,
        equivalence=equivalence,
        tools=tools,
        trust=trust,
        on_verdict=on_verdict,
    )


@dataclass(slots=True)
class _Open:
    """What was said on a task so far; a task that is done again asks nobody else again."""

    first: int
    all_asked: bool
    said: dict[int, str | None] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    learned: bool = False


class ConsensusGuardrail:
    """Decides on the output of tasks by a weighted vote; `consensus_guardrail` makes one.

    It may be called from many threads at the same time.

    Attributes
    ----------
    trust : CrewTrust
        What has been learned of the agents; its `state` can be kept.
    """

    def __init__(
        self,
        agents: Sequence[BaseAgent],
        *,
        certainty: float | None,
        max_answers: int | None,
        warm_up: int,
        undecided: Literal["refuse", "accept"],
        equivalence: Equivalence | None,
        tools: bool,
        trust: CrewTrust | None,
        on_verdict: OnVerdict | None,
    ) -> None:
        if not agents:
            raise InputError("agents is empty; allowed: one agent or more to ask")
        if undecided not in ("refuse", "accept"):
            raise InputError(f"undecided is {undecided!r}; allowed: 'refuse', 'accept'")
        self.__name__ = consensus_guardrail.__name__
        self._names = expert_names(agents)
        self._roles = [_role(agent.role) for agent in agents]
        self._others = [SecondOpinion(agent, tools=tools) for agent in agents]
        self._groups = _groups(agents)
        self._certainty = None if certainty is None else between("certainty", certainty, 0.0, 1.0)
        self._most = (
            len(agents) + 1 if max_answers is None else whole("max_answers", max_answers, 1)
        )
        self._warm_up = whole("warm_up", warm_up, 0)
        self._undecided = undecided
        self._same = equivalence or normalised()
        self._on_verdict = on_verdict
        self.trust = _checked(trust, self._groups)
        self._lock = threading.Lock()
        self._open: OrderedDict[object, _Open] = OrderedDict()
        self._begun_tasks = 0
        follow_steps()

    def __call__(self, output: TaskOutput) -> tuple[bool, Any]:
        """Decide on a task's output.

        Parameters
        ----------
        output : crewai.TaskOutput

        Returns
        -------
        tuple of bool and str
            True and the answer of the vote, or False and how the crew is split.

        Raises
        ------
        InputError
            If it is no output of a task.
        """
        if not isinstance(output, TaskOutput):
            raise InputError(
                f"the guardrail was given a {type(output).__name__}; allowed: the output of a "
                "Task, with Task(guardrail=...)"
            )
        step = current_step()
        wanted = Wanted.of(output, step)
        key = _key_of(step)
        so_far = self._begun(key, self._author(output.agent), output.raw)
        verdict = self._vote(wanted, so_far, self._author(output.agent))
        self._learn(so_far)
        if self._on_verdict is not None:
            self._on_verdict(verdict)
        if verdict.answer is None or not (verdict.certain or self._undecided == "accept"):
            return False, verdict.split()
        with self._lock:
            self._open.pop(key, None)
        return True, verdict.answer

    @property
    def __wrapped__(self) -> Callable[[TaskOutput], tuple[bool, Any]]:
        """The method behind the call: CrewAI puts a guardrail's source into its events."""
        return self.__call__

    def probe(self, questions: Mapping[str, str]) -> None:
        """Ask all agents questions whose answers are known: ten say more than any agreement.

        Parameters
        ----------
        questions : mapping of str to str
            Question → its right answer.

        Raises
        ------
        InputError
            If there are none.
        """
        if not questions:
            raise InputError("questions is empty; allowed: a question with its answer, or more")
        for question, right in questions.items():
            wanted = Wanted(question)
            said = [other.ask(wanted)[0] for other in self._others]
            codes = self._codes([*said, right])
            rows = np.arange(len(said))
            with self._lock:
                self.trust.grade(rows, codes[:-1], int(codes[-1]))

    def warnings(self) -> tuple[str, ...]:
        """Say what the verdicts may suffer from, a sentence each."""
        with self._lock:
            return self.trust.warnings()

    # -- one task -------------------------------------------------------------------------------

    def _author(self, role: str) -> int:
        """Give the row of the agent that did the task; the last one for whoever is not listed."""
        known = _role(role)
        return self._roles.index(known) if known in self._roles else len(self._names)

    def _begun(self, key: object, author: int, raw: str) -> _Open:
        with self._lock:
            so_far = self._open.get(key) if key is not None else None
            if so_far is None:
                number, self._begun_tasks = self._begun_tasks, self._begun_tasks + 1
                again = self._warm_up > 0 and number % _SURVEY_EVERY == 0
                so_far = _Open(number, number < self._warm_up or again)
                if key is not None:
                    self._open[key] = so_far
                    if len(self._open) > _OPEN_TASKS:
                        self._open.popitem(last=False)
            so_far.said[author] = raw if raw.strip() else None
            return so_far

    def _vote(self, wanted: Wanted, so_far: _Open, author: int) -> CrewVerdict:
        """Ask one after the other until the vote is certain, or nobody is left."""
        others = [row for row in range(len(self._names)) if row != author]
        # Who is trusted alike is asked in turns.
        turn = so_far.first % max(1, len(others))
        voters = [author, *others[turn:], *others[:turn]]
        while True:
            vote = self._counted(voters, so_far, author)
            enough = vote.enough and len(so_far.said) >= _FEWEST and not so_far.all_asked
            if enough or len(so_far.said) >= self._most or vote.next < 0:
                return self._verdict(vote, so_far)
            answer, error = self._others[vote.next].ask(wanted)
            so_far.said[vote.next] = answer
            if error:
                so_far.errors[vote.next] = error

    def _counted(self, voters: Sequence[int], so_far: _Open, author: int) -> Vote:
        """Count what was said so far, weighed with the trust of now."""
        with self._lock:
            weights, calibration = self.trust.weights, self.trust.calibration
        share = 0.5 if self._certainty is None else 1.0
        stopper = Stopper(
            weights[list(voters)],
            share=share,
            groups=self._groups[list(voters)],
            calibration=calibration,
        )
        codes = dict(zip(so_far.said, self._codes(list(so_far.said.values())), strict=True))
        for row, code in codes.items():
            stopper.update(voters.index(row), int(code))
        following = stopper.next()
        if following < 0 and so_far.all_asked:
            following = next((n for n, row in enumerate(voters) if row not in codes), -1)
        return Vote.of(
            said=so_far.said,
            codes=codes,
            posterior=stopper.posterior,
            weights={row: float(weights[row]) for row in codes},
            author=author,
            certainty=self._certainty,
            following=voters[following] if following >= 0 else -1,
        )

    def _codes(self, said: Sequence[str | None]) -> NDArray[np.int64]:
        """Give the answers numbers, −1 for none."""
        codes = np.full(len(said), -1, dtype=np.int64)
        given = [place for place, text in enumerate(said) if text is not None]
        if given:
            codes[given] = self._same([text for text in said if text is not None])
        return codes

    def _verdict(self, vote: Vote, so_far: _Open) -> CrewVerdict:
        names = [*self._names, "the task's agent"]
        ballots = tuple(
            CrewBallot(names[row], text, vote.weights[row], so_far.errors.get(row))
            for row, text in so_far.said.items()
        )
        return CrewVerdict(
            vote.answer, vote.posterior, ballots, vote.answer is not None and vote.certain
        )

    def _learn(self, so_far: _Open) -> None:
        # A task that is done again would count what the others said twice; and where asking ended
        # as soon as two agreed, agreement says nothing of those who were asked first.
        heard = np.isin(self._groups[:-1], self._groups[list(so_far.said)])
        if so_far.learned or not heard.all():
            return
        so_far.learned = True
        codes = self._codes(list(so_far.said.values()))
        with self._lock:
            self.trust.record(list(so_far.said), codes)


def _role(role: str) -> str:
    return " ".join(role.split()).casefold()


def _groups(agents: Sequence[BaseAgent]) -> NDArray[np.int64]:
    """Give agents of the same model the same number; the last is whoever else does a task."""
    numbers: dict[object, int] = {}
    keys = [model_name(agent) or (place,) for place, agent in enumerate(agents)]
    rows = [numbers.setdefault(key, len(numbers)) for key in keys]
    return np.array([*rows, len(numbers)], dtype=np.int64)


def _checked(trust: CrewTrust | None, groups: NDArray[np.int64]) -> CrewTrust:
    if trust is None:
        return CrewTrust(len(groups), groups=groups)
    if len(trust.weights) != len(groups):
        raise InputError(
            f"trust is in {len(trust.weights)} agents; allowed: {len(groups)}, one for each agent "
            "and one for whoever else does a task"
        )
    return trust


def _key_of(step: Task | None) -> object:
    """Name the task at hand: the swarm's, which several agents may try, else CrewAI's own."""
    task = current_task()
    if task is not None:
        return task.id
    return None if step is None else (id(step), str(step.id))

"""A guardrail that asks other agents the same task, and lets a weighted vote decide."""

# No `from __future__ import annotations` here: CrewAI reads the guardrail's return annotation as
# an object, and refuses one that is a string.
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from swarmloom.errors import InputError
from swarmloom_agents.ballots import CrewBallot, CrewVerdict
from swarmloom_agents.current_step import Step, current_execution, current_step, follow_steps
from swarmloom_agents.experts import expert_names, model_name
from swarmloom_agents.seams import BaseAgent, TaskOutput
from swarmloom_agents.second_opinions import SecondOpinion, Wanted
from swarmloom_protocols.checks import between, positive, whole
from swarmloom_protocols.consensus.answers.ballots import group_ballots
from swarmloom_protocols.consensus.answers.crew_trust import CrewTrust
from swarmloom_protocols.consensus.answers.question_vote import (
    FEWEST_VOICES,
    QuestionVote,
    Worded,
    worded,
)
from swarmloom_protocols.consensus.equivalences import AnswerClasses, named_equivalence
from swarmloom_protocols.consensus.findings import Finding, texts_of
from swarmloom_protocols.consensus.free_text import Equivalence

__all__ = ["ConsensusGuardrail", "consensus_guardrail"]

_logger = logging.getLogger("swarmloom.consensus")

_SURVEY_EVERY = 10
# Learned tasks from which to look for warnings; the next look is after twice as many.
_FIRST_LOOK = 16
# Fewer questions than these say nothing of their keys.
_FEWEST_KEYS = 3

OnVerdict = Callable[[CrewVerdict], None]


def consensus_guardrail(
    agents: Sequence[BaseAgent],
    *,
    certainty: float | None = 0.6,
    max_answers: int | None = None,
    warm_up: int = 0,
    undecided: Literal["refuse", "accept"] = "refuse",
    equivalence: Equivalence | str = "normalised",
    timeout: float | None = 120.0,
    tools: bool = False,
    trust: CrewTrust | None = None,
    on_verdict: OnVerdict | None = None,
) -> "ConsensusGuardrail":
    """Make a guardrail: ``Task(..., guardrail=consensus_guardrail(agents))``.

    The task's output is one ballot. The agents are asked the same task, the most trusted first,
    until the answer is certain or everybody was asked; the answer of the vote replaces the output.
    One guardrail may guard many tasks, and learns from all of them whom to trust.

    Parameters
    ----------
    agents : sequence of crewai.Agent
        Whom to ask; the task's own agent may be one of them. Copies of them work, outside of their
        crew: without its callbacks, memory and delegation.
    certainty : float, optional
        Posterior of the best answer, 0 to 1, from which it is certain, once two different models
        have answered and one answer is ahead: nothing is certain where all but one fail or all
        agents are one model. While nothing is known of the agents, two that agree come to 0.83,
        two against one to 0.63, three against one to 0.70. None: certain is an answer whose lead is
        hard to catch up with.
    max_answers : int, optional
        Answers to one task at most, the task's own among them; by default all agents may answer.
        Of 1, nothing is certain.
    warm_up : int
        Tasks, the first ones, on which an agent of each model is asked, to learn whom to trust, and
        each tenth one after them. Trust is learned from tasks on which all models were asked alone:
        with 0 from those that the crew cannot agree on.
    undecided : {"refuse", "accept"}
        Where nothing is certain in the end: refuse the output with a message that says how the
        crew is split, so that CrewAI has the task done again; or accept the best answer.
    equivalence : callable or str, optional
        Which answers are the same: "normalised", those that differ in spelling alone; "exact";
        "numbers"; "package.module:function"; or a function that gives each answer of a list the
        number of its class, −1 for no answer, such as those of
        `swarmloom_protocols.consensus.free_text`.
    timeout : float, optional
        Seconds after which an agent's answer counts as failed, for agents without a
        `max_execution_time` of their own; None waits for ever.
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
        If there are no agents, a number is out of range, there is no such equivalence, or the trust
        is in another number of agents. Later: if the equivalence gives not one whole number for
        each answer.
    """
    return ConsensusGuardrail(
        agents,
        certainty=certainty,
        max_answers=max_answers,
        warm_up=warm_up,
        undecided=undecided,
        equivalence=equivalence,
        timeout=timeout,
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


@dataclass(frozen=True, slots=True)
class _Author:
    """Who did the task: the row, and the number of the model behind each row."""

    row: int
    groups: NDArray[np.int64]


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
        equivalence: Equivalence | str,
        timeout: float | None,
        tools: bool,
        trust: CrewTrust | None,
        on_verdict: OnVerdict | None,
    ) -> None:
        if not agents:
            raise InputError("agents is empty; allowed: one agent or more to ask")
        if undecided not in ("refuse", "accept"):
            raise InputError(f"undecided is {undecided!r}; allowed: 'refuse', 'accept'")
        if isinstance(certainty, bool):
            raise InputError(f"certainty is {certainty}; allowed: a number from 0 to 1, or None")
        limit = None if timeout is None else positive("timeout", timeout)
        self.__name__ = consensus_guardrail.__name__
        self._agents = tuple(agents)
        self._names = [*expert_names(agents), "the task's agent"]
        self._others = [SecondOpinion(agent, tools=tools, timeout=limit) for agent in agents]
        self._groups = _groups(agents)
        self._certainty = None if certainty is None else between("certainty", certainty, 0.0, 1.0)
        self._most = (
            len(agents) + 1 if max_answers is None else whole("max_answers", max_answers, 1)
        )
        self._warm_up = whole("warm_up", warm_up, 0)
        self._undecided = undecided
        named = named_equivalence(equivalence) if isinstance(equivalence, str) else equivalence
        self._classes = AnswerClasses(named)
        self._on_verdict = on_verdict
        self.trust = _checked(trust, self._groups)
        self._lock = threading.Lock()
        # By execution and what was asked: what has ended is forgotten with its execution.
        self._open: WeakKeyDictionary[object, dict[Wanted, _Open]] = WeakKeyDictionary()
        self._begun_tasks, self._learned_tasks = 0, 0
        self._doubts: list[Finding] = []
        self._told: set[tuple[str, tuple[tuple[int, ...], ...]]] = set()
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
            If it is no output of a task, or the equivalence gives not one whole number for each
            answer.
        """
        if not isinstance(output, TaskOutput):
            raise InputError(
                f"the guardrail was given a {type(output).__name__}; allowed: the output of a "
                "Task, with Task(guardrail=...)"
            )
        step = _step_of(output)
        wanted = Wanted.of(output, None if step is None else step.task)
        author = self._author(output, step)
        execution = None if step is None else current_execution()
        so_far = self._begun(execution, wanted, author.row, output.raw)
        verdict = self._vote(wanted, so_far, author)
        self._learn(so_far)
        if self._on_verdict is not None:
            self._on_verdict(verdict)
        if verdict.answer is None or not (verdict.certain or self._undecided == "accept"):
            return False, verdict.split()
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
            If there are none, or a question or an answer is no text or blank.
        """
        if not isinstance(questions, Mapping) or not questions:
            raise InputError("questions is empty; allowed: a question with its answer, or more")
        for question, right in questions.items():
            _check_probe(question, right)
        against = [self._asked(question, right) for question, right in questions.items()]
        if len(against) >= _FEWEST_KEYS and all(against):
            text = (
                f"most agents agree on another answer than the key of all {len(against)} known "
                "answers: the keys are wrong, or most agents err together"
            )
            self._doubts.append(Finding("outvoted keys", text, figures={"items": len(against)}))
        self._tell()

    def warnings(self) -> tuple[str, ...]:
        """Say what the verdicts may suffer from, a sentence each.

        Each is logged once, after `probe` and at times while the guardrail learns.
        """
        return texts_of(self._findings())

    # -- known answers --------------------------------------------------------------------------

    def _asked(self, question: str, right: str) -> bool:
        """Grade all agents; say whether most models agree on another answer."""
        wanted = Wanted(question)
        codes = self._told_apart([*(one.ask(wanted)[0] for one in self._others), right]).codes
        if codes[-1] < 0:
            raise InputError(
                f"the answer to {question!r} is {right!r}, which the equivalence takes for no "
                "answer; allowed: an answer"
            )
        with self._lock:
            self.trust.grade(np.arange(len(codes) - 1), codes[:-1], int(codes[-1]))
        voices = group_ballots(codes[None, :-1], self._groups[:-1])[0]
        counts = np.bincount(voices[voices >= 0], minlength=codes[-1] + 1)
        answered = int(counts.sum())
        counts[codes[-1]] = 0
        return answered >= FEWEST_VOICES and 2 * int(counts.max()) > answered

    def _tell(self) -> None:
        """Log each warning once for those it is about, however its numbers change."""
        for one in self._findings():
            if (one.kind, one.experts) not in self._told:
                self._told.add((one.kind, one.experts))
                _logger.warning("consensus guardrail: %s", one.text)

    def _findings(self) -> tuple[Finding, ...]:
        with self._lock:
            return (*self.trust.findings(), *self._doubts)

    # -- one task -------------------------------------------------------------------------------

    def _author(self, output: TaskOutput, step: Step | None) -> _Author:
        """Find out who did the task; the last row is for whoever is not listed."""
        doer = None if step is None else step.doer
        row = _row_of(self._agents, output.agent, doer)
        groups = self._groups.copy()
        if row == len(self._agents) and doer is not None and model_name(doer):
            models = [model_name(agent) for agent in self._agents]
            if model_name(doer) in models:
                groups[row] = groups[models.index(model_name(doer))]
        return _Author(row, groups)

    def _begun(self, execution: object, wanted: Wanted, author: int, raw: str) -> _Open:
        with self._lock:
            known = {} if execution is None else self._open.setdefault(execution, {})
            so_far = known.get(wanted)
            if so_far is None:
                number, self._begun_tasks = self._begun_tasks, self._begun_tasks + 1
                again = self._warm_up > 0 and number % _SURVEY_EVERY == 0
                so_far = known[wanted] = _Open(number, number < self._warm_up or again)
            so_far.said[author] = raw if raw.strip() else None
            so_far.errors.pop(author, None)
            return so_far

    def _vote(self, wanted: Wanted, so_far: _Open, author: _Author) -> CrewVerdict:
        """Ask one after the other until the vote is certain, or nobody is left."""
        while True:
            with self._lock:
                weights, calibration = self.trust.weights, self.trust.calibration
            rows = list(so_far.said)
            told = self._told_apart(so_far.said.values(), kept=rows.index(author.row))
            vote = QuestionVote(
                weights,
                groups=author.groups,
                experts=rows,
                codes=told.codes,
                voters=sorted({*range(len(self._agents)), *rows}),
                calibration=calibration,
            )
            certain = self._is_certain(vote)
            following = self._following(vote, so_far, author)
            if following < 0 or (certain and not so_far.all_asked):
                return self._verdict(vote, told, so_far, weights, certain)
            answer, error = self._others[following].ask(wanted)
            so_far.said[following] = answer
            if error:
                so_far.errors[following] = error

    def _is_certain(self, vote: QuestionVote) -> bool:
        if self._certainty is None and not vote.is_settled:
            return False
        return vote.is_ahead and vote.reaches(self._certainty or 0.0)

    def _following(self, vote: QuestionVote, so_far: _Open, author: _Author) -> int:
        """Give the row of whom to ask next, −1 for nobody."""
        if vote.given >= self._most:
            return -1
        others = [row for row in range(len(self._agents)) if row != author.row]
        # Who is trusted alike is asked in turns.
        turn = so_far.first % max(1, len(others))
        return vote.following([*others[turn:], *others[:turn]])

    def _told_apart(self, said: Iterable[str | None], kept: int = -1) -> Worded:
        return worded(list(said), self._classes, kept=kept)

    def _verdict(
        self,
        vote: QuestionVote,
        told: Worded,
        so_far: _Open,
        weights: NDArray[np.float64],
        certain: bool,
    ) -> CrewVerdict:
        ballots = tuple(
            CrewBallot(self._names[row], text, float(weights[row]), so_far.errors.get(row))
            for row, text in so_far.said.items()
        )
        answer = None if vote.best < 0 else told.distinct[vote.best]
        chances = dict(zip(told.distinct, vote.posterior.tolist(), strict=True))
        return CrewVerdict(answer, chances, ballots, certain)

    def _learn(self, so_far: _Open) -> None:
        # A task that is done again would count what the others said twice; and where asking ended
        # as soon as two agreed, agreement says nothing of those who were asked first.
        heard = np.isin(self._groups[:-1], self._groups[list(so_far.said)])
        if so_far.learned or not heard.all():
            return
        so_far.learned = True
        codes = self._told_apart(so_far.said.values()).codes
        with self._lock:
            self.trust.record(list(so_far.said), codes)
            self._learned_tasks += 1
            count = self._learned_tasks
        if count >= _FIRST_LOOK and count.bit_count() == 1:
            self._tell()


def _step_of(output: TaskOutput) -> Step | None:
    """Give the step that a task's output comes from, None where it is not known."""
    step = current_step()
    return step if step is not None and step.task.description == output.description else None


def _row_of(agents: Sequence[BaseAgent], role: str, doer: BaseAgent | None) -> int:
    """Give an agent's row: that of the object, else of its copy, else of its role."""
    alike = [row for row, agent in enumerate(agents) if _role(agent.role) == _role(role)]
    if doer is not None:
        same = [row for row, agent in enumerate(agents) if agent is doer]
        copied = [row for row in alike if _traits(agents[row]) == _traits(doer)]
        alike = same or copied or alike
    return alike[0] if alike else len(agents)


def _traits(agent: BaseAgent) -> tuple[str, ...]:
    return agent.role, agent.goal, agent.backstory, model_name(agent)


def _role(role: str) -> str:
    return " ".join(role.split()).casefold()


def _check_probe(question: object, right: object) -> None:
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"questions holds {question!r}; allowed: questions, not blank")
    if not isinstance(right, str) or not right.strip():
        raise InputError(f"the answer to {question!r} is {right!r}; allowed: a text, not blank")


def _groups(agents: Sequence[BaseAgent]) -> NDArray[np.int64]:
    """Give agents of the same model the same number; the last is whoever else does a task."""
    numbers: dict[object, int] = {}
    keys = [model_name(agent) or (place,) for place, agent in enumerate(agents)]
    rows = [numbers.setdefault(key, len(numbers)) for key in keys]
    return np.array([*rows, len(numbers)], dtype=np.int64)


def _checked(trust: CrewTrust | None, groups: NDArray[np.int64]) -> CrewTrust:
    if trust is None:
        return CrewTrust(len(groups), groups=groups)
    if not isinstance(trust, CrewTrust):
        raise InputError(f"trust is {trust!r}; allowed: a CrewTrust")
    if len(trust.weights) != len(groups):
        raise InputError(
            f"trust is in {len(trust.weights)} agents; allowed: {len(groups)}, one for each agent "
            "and one for whoever else does a task"
        )
    return trust

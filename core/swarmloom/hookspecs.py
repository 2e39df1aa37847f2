"""The hooks of the round cycle and beside it, grouped by topic in the order they are called.

A hook is called once a round or rarer, with whole arrays: a call costs about two microseconds plus
one an implementation, nothing beside a model call and a lot beside a loop over agents.

An implementation takes the arguments it needs and may leave out the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from swarmloom.markers import hookspec

if TYPE_CHECKING:
    from swarmloom.config import Settings
    from swarmloom.memory_plan import MemoryPlan
    from swarmloom.protocol import ManagerTool, Pattern, ProtocolType, ReportPanel
    from swarmloom.swarm import Swarm
    from swarmloom.types import (
        Assignment,
        Ballot,
        BoolArray,
        Correlation,
        Event,
        Message,
        Mixture,
        Outcome,
        Proposal,
        Round,
        Route,
        Verdict,
    )

__all__ = ["ContributionSpecs", "CycleSpecs", "MessageSpecs", "ObserverSpecs", "StateSpecs"]


class ContributionSpecs:
    """What a plugin brings; asked once, when the plugin is activated."""

    @hookspec
    def swarmloom_register_protocols(self, register: Callable[[type[ProtocolType]], None]) -> None:
        """Bring protocols: the host makes an instance of each with its validated configuration.

        :param register: call it with each protocol class.

        Who may implement it: the module or object that an entry point names.
        """

    @hookspec
    def swarmloom_register_patterns(self, register: Callable[[Pattern], None]) -> None:
        """Bring named mixtures of protocols.

        :param register: call it with each `Pattern`.

        Who may implement it: any plugin.
        """

    @hookspec
    def swarmloom_register_tools(self, register: Callable[[ManagerTool], None]) -> None:
        """Bring tools for the manager agent.

        :param register: call it with each `ManagerTool`.

        Who may implement it: any plugin.
        """

    @hookspec
    def swarmloom_register_panels(self, register: Callable[[ReportPanel], None]) -> None:
        """Bring sections for the HTML report.

        :param register: call it with each `ReportPanel`.

        Who may implement it: any plugin.
        """


class CycleSpecs:
    """The round cycle: initialize, entangle, navigate, decide, execute, judge, evolve."""

    @hookspec
    def swarmloom_plan_memory(self, plan: MemoryPlan, experts: int) -> None:
        """Say which arrays are to be kept for a number of experts, before any is allocated.

        :param plan: call ``plan.add(region, name, shape, dtype)`` for each array.
        :param experts: how many experts there will be.

        Who may implement it: every protocol.
        """

    @hookspec
    def swarmloom_initialize(self, swarm: Swarm) -> None:
        """Get ready for a swarm's experts: allocate what is kept for each of them.

        :param swarm: its `experts` and `settings` are set. Called again when the experts change;
            what was learned about those that stay should be kept.

        Who may implement it: every protocol.
        """

    @hookspec
    def swarmloom_admit(self, round: Round) -> BoolArray | None:
        """Say who may take which open task; asked before each decision and each judgement.

        :param round: the batch; ``round.allowed`` says whom the kernel would let.

        Returns bool (tasks × experts), False for whoever must not be asked, or None for no
        objection. An expert has to be admitted by all. A task that nobody is admitted to ends
        unanswered. Where an implementation fails or is disabled its objections are gone with it.

        Who may implement it: whoever takes experts out, or sets limits that they must keep.
        """

    @hookspec
    def swarmloom_entangle(self, round: Round) -> Correlation | None:
        """Draw what the experts share in this round.

        :param round: the batch of open tasks; use ``round.rng`` alone for randomness.

        Returns the shared draws, or None for none.

        Who may implement it: every protocol.
        """

    @hookspec
    def swarmloom_navigate(self, round: Round) -> Proposal | None:
        """Say which experts are right for which open tasks.

        :param round: the batch, with the answers so far and the correlations.

        Returns affinities in log-odds (tasks × experts), or None for no opinion.

        Who may implement it: every protocol.
        """

    @hookspec(firstresult=True)
    def swarmloom_decide(self, round: Round, mixture: Mixture) -> Assignment | None:
        """Decide who takes which task.

        :param round: the batch.
        :param mixture: all proposals, weighed; −inf marks choices that are not allowed.

        Returns an assignment that respects ``round.allowed`` and the experts' capacities.

        Stops at first non-None result; the kernel's greedy decision comes last.

        Who may implement it: a solver.
        """

    @hookspec(firstresult=True)
    def swarmloom_execute(
        self, round: Round, assignment: Assignment
    ) -> AsyncIterator[Ballot] | None:
        """Run the assigned calls.

        :param round: the batch.
        :param assignment: task ``i`` goes to expert ``assignment.expert[i]``, none where −1.

        Returns an asynchronous iterator of ballots as they arrive, one for each assigned task; a
        failed call is a ballot with an error, never an exception.

        Stops at first non-None result; the kernel's local execution comes last.

        Who may implement it: an executor.
        """

    @hookspec(firstresult=True)
    def swarmloom_judge(self, round: Round) -> Sequence[Verdict] | None:
        """Give the verdict on each task of the round, from all its answers so far.

        :param round: the batch with all ballots, those of this round included.

        Returns one verdict for each task, in order: the answer, its posterior, whether to stop.

        Stops at first non-None result; the kernel's majority comes last.

        Who may implement it: a judge.
        """

    @hookspec(firstresult=True)
    def swarmloom_audit(self, outcomes: Sequence[Outcome]) -> Sequence[Sequence[int]] | None:
        """Name experts whose answers to finished, graded tasks are worth buying to learn from.

        :param outcomes: finished tasks whose truth is known.

        Returns for each outcome the indices of the experts to ask; asked again with the answers
        added until nobody is named. Audits are billed like any call.

        Stops at first non-None result; without one nothing is audited.

        Who may implement it: a judge.
        """

    @hookspec
    def swarmloom_evolve(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from finished tasks.

        :param outcomes: in the order they finished, each exactly once. A resumed run replays the
            outcomes of its ledger through this hook, so learning must depend on them alone.

        Who may implement it: every protocol.
        """


class MessageSpecs:
    """Beside the cycle: messages between members of the swarm."""

    @hookspec(firstresult=True)
    def swarmloom_route(self, message: Message) -> Route | None:
        """Find the way of a message through the swarm.

        :param message: who sends how much to whom, under which limits.

        Returns the route, or None when this plugin knows none.

        Stops at first non-None result.

        Who may implement it: a router.
        """


class StateSpecs:
    """Beside the cycle: what a protocol has learned, as data."""

    @hookspec
    def swarmloom_snapshot(self) -> Mapping[str, Any] | None:
        """Give everything this protocol has learned.

        Returns a mapping of names to arrays, numbers, strings, lists and mappings of these, or
        None for nothing.

        Who may implement it: every protocol.
        """

    @hookspec
    def swarmloom_restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `swarmloom_snapshot` gave; called for the one protocol it belongs to.

        :param state: what this protocol's snapshot gave.

        Who may implement it: every protocol.
        """

    @hookspec
    def swarmloom_close(self) -> None:
        """Let go of what is held open, files and connections: the swarm is being closed.

        Runs have ended by then. What was learned need not be given up.

        Who may implement it: any plugin.
        """


class ObserverSpecs:
    """Beside the cycle: for those who watch or attach."""

    @hookspec(historic=True)
    def swarmloom_configured(self, settings: Settings) -> None:
        """Hear the settings once; a plugin that is enabled later hears them then.

        :param settings: the effective settings, frozen.

        Who may implement it: any plugin.
        """

    @hookspec
    def swarmloom_observe(self, event: Event) -> None:
        """Hear an event of the swarm: decisions, ballots, verdicts, quarantines.

        :param event: what happened.

        Who may implement it: any plugin; it cannot influence the run.
        """

    @hookspec(firstresult=True)
    def swarmloom_coordinate(
        self, swarm: Swarm, crew: object
    ) -> AbstractContextManager[object] | None:
        """Attach the swarm to a crew of another framework.

        :param swarm: the swarm that is to decide.
        :param crew: the foreign crew.

        Returns a context manager within which the crew is coordinated, or None when the crew is
        of a kind that this plugin does not know.

        Stops at first non-None result.

        Who may implement it: an adapter, such as the one for CrewAI.
        """

"""The swarm: experts, plugins and a mixture that decide together who takes which task."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from swarmloom.config import Settings, load_settings
from swarmloom.cycle import validators
from swarmloom.defaults import KernelDefaults
from swarmloom.errors import ConfigurationError, ExpertError, InputError, PluginError
from swarmloom.events import PLUGIN_EMITTED, EventKind
from swarmloom.execution import Executor
from swarmloom.host import PluginHost
from swarmloom.ledger import Ledger, default_path
from swarmloom.loop_thread import LoopThread
from swarmloom.memory_plan import MemoryPlan
from swarmloom.protocol import ManagerTool, Pattern
from swarmloom.run import Feedback, Run, RunResult
from swarmloom.types import Event, Expert, Message, Outcome, Route, Task

__all__ = ["Swarm", "plan_memory"]


class Swarm:
    """A set of experts, the plugins that coordinate them, and the mixture in force.

    Parameters
    ----------
    experts : iterable of Expert
        Names must be unique. May be empty until `adopt`.
    settings : Settings, optional
        Defaults to the defaults; nothing is read from the environment.
    plugins : sequence of (str, object)
        Plugins to add beside the installed ones: a name and a module or object with hooks.
    ledger : Ledger, optional
        Where runs are recorded; by default the file that the settings name, else a private one in
        memory.

    Examples
    --------
    >>> from swarmloom import Expert, Swarm, Task
    >>> swarm = Swarm([Expert("ada", lambda task: "42"), Expert("bob", lambda task: "42")])
    >>> swarm.run([Task("q1", "6 × 7?")]).answers
    {'q1': '42'}
    """

    def __init__(
        self,
        experts: Iterable[Expert] = (),
        settings: Settings | None = None,
        *,
        plugins: Sequence[tuple[str, object]] = (),
        ledger: Ledger | None = None,
    ) -> None:
        self.settings = settings or Settings()
        kept = self.settings.ledger
        self.ledger = ledger or Ledger(kept.path if kept.enabled else None)
        self.experts: tuple[Expert, ...] = ()
        self.executor = Executor(self.settings.swarm.concurrency, self.settings.swarm.timeout)
        self.loop = LoopThread()
        self._runs: list[Run] = []
        self._lock = threading.RLock()
        self.host = PluginHost(self.settings.plugins, on_event=self._announce)
        self.host.validators.update(validators())
        defaults = KernelDefaults(self.executor, self.settings.swarm.quorum)
        self.host.add(defaults, "kernel", source="kernel", essential=True)
        self.host.discover()
        for name, plugin in plugins:
            self.host.add(plugin, name)
        self.host.check()
        self.host.hook.swarmloom_configured.call_historic(kwargs={"settings": self.settings})
        self._pattern = self._checked_pattern(self.settings.swarm.pattern)
        self._overrides = self._checked_weights(self.settings.swarm.weights)
        self.adopt(experts)

    @classmethod
    def from_config(
        cls, path: str | Path | None = None, experts: Iterable[Expert] = (), **overrides: Any
    ) -> Self:
        """Build a swarm from a TOML file, the environment and overrides.

        Parameters
        ----------
        path : str or Path, optional
            The file; without one the environment and the overrides count alone.
        experts : iterable of Expert
        **overrides
            Sections of the configuration as mappings; they win over environment and file.

        Raises
        ------
        ConfigurationError
            Naming file, key, value and what is allowed.
        """
        settings = load_settings(None if path is None else Path(path), **overrides)
        path = settings.ledger.path or default_path()
        ledger = Ledger(path) if settings.ledger.enabled else Ledger(None)
        return cls(experts, settings, ledger=ledger)

    # -- experts --------------------------------------------------------------------------------

    def adopt(self, experts: Iterable[Expert]) -> None:
        """Make these the swarm's experts and let every protocol prepare for them.

        Raises
        ------
        InputError
            If two share a name, a price is negative or not finite, or a capacity is below one.
        MemoryLimitError
            If the protocols' arrays would not fit; nothing has been allocated.
        """
        adopted = tuple(experts)
        _check_experts(adopted)
        self.memory_plan = plan_memory(self.host, len(adopted))
        self.memory_plan.check()
        self.experts = adopted
        self.host.hook.swarmloom_initialize(swarm=self)

    # -- mixture ----------------------------------------------------------------------------------

    @property
    def patterns(self) -> dict[str, Pattern]:
        """Patterns by name: those of the plugins and those of the configuration."""
        own = {name: Pattern(name, weights) for name, weights in self.settings.patterns.items()}
        return {**self.host.patterns, **own}

    @property
    def pattern(self) -> str:
        """Name of the pattern in force."""
        return self._pattern

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each active protocol in the mixture."""
        named = {**self._weights_of_pattern(), **self._overrides}
        return {name: named.get(name, self._unnamed_weight(name)) for name in self.host.protocols}

    def set_pattern(self, name: str) -> None:
        """Switch the pattern; weights set before are dropped. Works while a run is on."""
        with self._lock:
            self._pattern, self._overrides = self._checked_pattern(name), {}
        self._announce(EventKind.MIXTURE_CHANGED, {"pattern": name, "weights": self.weights})

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Set weights of some protocols over the pattern's. Works while a run is on."""
        with self._lock:
            self._overrides = {**self._overrides, **self._checked_weights(weights)}
        data = {"pattern": self._pattern, "weights": self.weights}
        self._announce(EventKind.MIXTURE_CHANGED, data)

    def _weights_of_pattern(self) -> Mapping[str, float]:
        pattern = self.patterns.get(self._pattern)
        # Without any pattern installed every protocol counts the same.
        return dict.fromkeys(self.host.protocols, 1.0) if pattern is None else pattern.weights

    def _unnamed_weight(self, name: str) -> float:
        """Weight of a protocol that no pattern names: its own `default_weight` where it has one."""
        own: float | None = getattr(self.host.protocols[name], "default_weight", None)
        if own is not None:
            return own
        return 0.0 if self.host.is_built_in(name) else self.settings.swarm.default_weight

    def _checked_pattern(self, name: str) -> str:
        patterns = self.patterns
        if patterns and name not in patterns:
            raise ConfigurationError(
                f"swarm.pattern is {name!r}; allowed: {', '.join(sorted(patterns))}"
                + _suggestion(name, patterns)
            )
        return name

    def _checked_weights(self, weights: Mapping[str, float]) -> dict[str, float]:
        known = {record.name for record in self.host.report()} | set(self.host.protocols)
        for name, weight in weights.items():
            if name not in known:
                raise ConfigurationError(
                    f"swarm.weights names {name!r}, which is no installed protocol"
                    + _suggestion(name, known)
                )
            if not (math.isfinite(weight) and weight >= 0):
                raise ConfigurationError(f"swarm.weights.{name} is {weight}; allowed: ≥ 0")
        return dict(weights)

    # -- plugins ----------------------------------------------------------------------------------

    def enable(self, name: str) -> None:
        """Bring a disabled or quarantined plugin back, also while a run is on."""
        self.host.enable(name)
        self.host.call(name, "swarmloom_initialize", swarm=self)

    def disable(self, name: str) -> None:
        """Take a plugin out, also while a run is on; what it learned is kept for `enable`."""
        self.host.disable(name)

    def tools(self) -> dict[str, ManagerTool]:
        """Tools for a manager, by name: the kernel's own and those of the plugins."""
        return dict(self.host.tools)

    def coordinating(self, crew: object) -> AbstractContextManager[object]:
        """Coordinate a foreign crew within a ``with`` block.

        Parameters
        ----------
        crew : object
            For instance a ``crewai.Crew``; its code stays as it is.

        Raises
        ------
        PluginError
            If no active plugin knows such a crew.
        """
        answer = self.host.hook.swarmloom_coordinate(swarm=self, crew=crew)
        if answer is None:
            kind = f"{type(crew).__module__}.{type(crew).__qualname__}"
            raise PluginError(
                f"no active plugin can coordinate a {kind}; `swarmloom plugins` lists them"
            )
        context: AbstractContextManager[object] = answer.value
        return context

    def route(self, message: Message) -> Route | None:
        """Ask the routers for the way of a message; None when none knows one."""
        answer = self.host.hook.swarmloom_route(message=message)
        return None if answer is None else answer.value

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Mapping[str, Any]]:
        """Give what every protocol has learned, by protocol."""
        return {answer.plugin: answer.value for answer in self.host.hook.swarmloom_snapshot()}

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Take back what `snapshot` gave; states of protocols that are not active are left out.

        A state that its protocol refuses raises nothing here: like every failure of a plugin it is
        logged, emitted as ``plugin_failed`` and counted (`PluginHost.report`), and the others are
        restored.
        """
        for name, value in state.items():
            if name in self.host.protocols:
                self.host.call(name, "swarmloom_restore", state=value)

    # -- runs -------------------------------------------------------------------------------------

    def open_run(
        self,
        *,
        feedback: Feedback | None = None,
        on_event: Callable[[Event], None] | None = None,
        job: Mapping[str, Any] | None = None,
        resume: str | None = None,
    ) -> Run:
        """Open a run that takes tasks until it is closed.

        Parameters
        ----------
        feedback : callable, optional
            ``feedback(task, answer)`` gives the truth of a finished task that is to be graded,
            None for others. Asked once a task.
        on_event : callable, optional
            Hears every event of the run.
        job : mapping, optional
            What `swarmloom resume` needs to start again: ``argv`` and ``cwd``.
        resume : str, optional
            Id of a run of this ledger to go on with.
        """
        run = Run(self, feedback=feedback, on_event=on_event, job=job, resume=resume)
        self._runs.append(run)
        return run

    async def arun(self, tasks: Iterable[Task], **options: Any) -> RunResult:
        """Solve tasks in a run of their own; options as for `open_run`."""
        with self.open_run(**options) as run:
            await run.solve(tasks)
        return run.close()

    def run(self, tasks: Iterable[Task], **options: Any) -> RunResult:
        """Do what `arun` does, for callers without an event loop or within one."""
        with self.open_run(**options) as run:
            run.solve_now(tasks)
        return run.close()

    def ask(
        self, question: str | Task, options: int | None = None, seconds: float | None = None
    ) -> Outcome:
        """Ask the experts one question, in the run that is open or in one of its own.

        With several runs open it is asked in the one that was opened last, and billed to it.

        Parameters
        ----------
        question : str or Task
        options : int, optional
            Number of possible answers; None for free text. For a question that is a string.
        seconds : float, optional
            How long to wait for the verdict. An expert that asks while it works holds a place
            itself, and might wait for ever for one that never becomes free.

        Raises
        ------
        ExpertError
            If there is no verdict within that time; calls that were answered are billed.
        """
        task = question if isinstance(question, Task) else _asked(question, options)
        try:
            return self.loop.run(lambda: self._answered(task), seconds)
        except TimeoutError:
            raise ExpertError(f"no verdict on {task.prompt!r} within {seconds:g} s") from None

    async def _answered(self, task: Task) -> Outcome:
        if self._runs:
            return (await self._runs[-1].solve([task]))[0]
        return (await self.arun([task])).outcomes[0]

    def state(self) -> dict[str, Any]:
        """Give a JSON-ready picture of the swarm: experts, mixture, shares, calls, cost, load."""
        run = self._runs[-1] if self._runs else None
        calls, cost = run.spent if run else (0, 0.0)
        load = run.in_flight.tolist() if run else [0] * len(self.experts)
        return {
            "pattern": self.pattern,
            "weights": self.weights,
            "shares": run.shares if run else {},
            "finished": len(run.finished) if run else 0,
            "calls": calls,
            "cost": cost,
            "experts": [
                {"name": expert.name, "price": expert.price, "in_flight": busy}
                for expert, busy in zip(self.experts, load, strict=True)
            ],
            "plugins": {record.name: str(record.state) for record in self.host.report()},
        }

    def detach(self, run: Run) -> None:
        """Forget a run that was closed."""
        self._runs.remove(run)

    def close(self) -> None:
        """End open runs, let plugins and threads go and close the ledger."""
        for run in list(self._runs):
            run.close("interrupted")
        self.host.hook.swarmloom_close()
        self.loop.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def replay_change(self, event: Event) -> None:
        """Do again what was switched in an earlier part of a run that is being resumed."""
        plugin = event.data.get("plugin", "")
        if event.kind == EventKind.MIXTURE_CHANGED:
            if event.data["pattern"] in self.patterns:
                self._pattern = event.data["pattern"]
            known = self.host.protocols
            self._overrides = {n: w for n, w in event.data["weights"].items() if n in known}
        elif event.kind == EventKind.PLUGIN_ENABLED:
            self.enable(plugin)
        elif event.kind == EventKind.PLUGIN_DISABLED:
            self.disable(plugin)
        else:
            # A plugin's own switch: whoever emitted it hears it again.
            self.host.hook.swarmloom_observe(event=event)

    def emit(self, kind: str, data: Mapping[str, Any], task: str = "") -> None:
        """Record an event in every open run and show it to all who watch; for plugins too.

        What a plugin emits while a resumed run repeats its outcomes reaches nobody: it is on
        record already.

        Parameters
        ----------
        kind : str
            A name of the plugin's own, a kind of `swarmloom.events.PLUGIN_EMITTED`, among them
            ``warning``, and ``warning_over`` for one that holds no more.
        data : mapping
            What happened: strings, finite numbers, lists and mappings of these. Of a warning, and
            of its end: ``plugin`` and ``message``, both not empty.
        task : str
            The task it is about; empty when about none.

        Raises
        ------
        InputError
            If the kind is one of the kernel's own, from which runs are reported and resumed, or is
            empty; or if a warning lacks a field.
        """
        _check_emitted(kind, data)
        self._announce(kind, data, task)

    def _announce(self, kind: str, data: Mapping[str, Any], task: str = "") -> None:
        for run in list(self._runs):
            run.emit(kind, data, task)


def _asked(question: str, options: int | None) -> Task:
    return Task(f"ask-{uuid.uuid4().hex[:12]}", question, topic="ask", options=options)


def _check_emitted(kind: object, data: Mapping[str, Any]) -> None:
    kernels = frozenset(EventKind) - PLUGIN_EMITTED
    if not isinstance(kind, str) or not kind or kind in kernels:
        raise InputError(
            f"an event of the kind {kind!r} cannot be emitted; allowed: a name of your own, "
            + ", ".join(sorted(PLUGIN_EMITTED))
        )
    if kind in (EventKind.WARNING, EventKind.WARNING_OVER):
        for field in ("plugin", "message"):
            if not isinstance(data.get(field), str) or not data[field]:
                raise InputError(
                    f"{field} of a {kind} is {data.get(field)!r}; allowed: a string, not empty"
                )


def plan_memory(host: PluginHost, experts: int) -> MemoryPlan:
    """Ask the protocols which arrays they will keep for a number of experts."""
    plan = MemoryPlan()
    host.hook.swarmloom_plan_memory(plan=plan, experts=experts)
    return plan


def _check_experts(experts: Sequence[Expert]) -> None:
    names: set[str] = set()
    for expert in experts:
        if not expert.name or expert.name in names:
            raise InputError(f"expert names must be unique and not empty: {expert.name!r} is not")
        if not (math.isfinite(expert.price) and expert.price >= 0):
            raise InputError(f"price of expert {expert.name!r} is {expert.price}; allowed: ≥ 0")
        if expert.capacity < 1:
            raise InputError(f"capacity of expert {expert.name!r} is {expert.capacity}; at least 1")
        names.add(expert.name)


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

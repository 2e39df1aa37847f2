"""`swarmloom run`: a crew at work, coordinated."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarmloom.cli.output import JsonFlag, QuietFlag, console, emit
from swarmloom.errors import (
    BudgetExceededError,
    ConfigurationError,
    ExpertError,
    InputError,
    SwarmloomError,
)
from swarmloom.events import EventKind
from swarmloom.ledger.interruption import interruptible
from swarmloom.ledger.records import budget_limit, warning_texts
from swarmloom_agents.progress import LiveProgress, run_table

if TYPE_CHECKING:
    from swarmloom.run import RunResult
    from swarmloom.swarm import Swarm
    from swarmloom.types import Task
    from swarmloom_agents.llms import OfflineLLM

__all__ = ["run"]


def run(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="Configuration in TOML; without --crew its [\\[experts]] are the crew."
        ),
    ] = None,
    crew: Annotated[
        Path | None,
        typer.Option(
            help="CrewAI project: a folder with crew.py, YAML files or crew.jsonc, or such a file."
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Fills {KEY} in the crew's texts; repeatable."),
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option(
            metavar="ANSWERS", help="Answer from this YAML or JSON file; no model is called."
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")
    ] = None,
    shared: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Share the configuration's tasks with all processes that name this file: each "
            "task is done once.",
        ),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Run a crew with the swarm deciding who takes which task.

    Ctrl-C stops a run; `swarmloom resume` goes on with it.
    """
    if config is None and crew is None:
        raise ConfigurationError("nothing to run: give a configuration file, or --crew FOLDER")
    if crew is None and inputs:
        raise ConfigurationError("--inputs fills a crew's texts: it goes with --crew FOLDER")
    if crew is not None and shared:
        raise ConfigurationError("--shared divides a configuration's tasks: it goes without --crew")
    job = _job(config, crew, inputs, offline, shared)
    with ExitStack() as stack:
        if offline is not None:
            _offline_world(stack)
        if not (json or quiet):
            console(stderr=True).print("Loading CrewAI …", highlight=False)
        _load_crewai()
        model = _offline_model(stack, offline)
        if crew is None:
            report = _run_configured(config, model, job, resume, quiet or json, shared)
        else:
            values = _inputs(inputs or [])
            report = _run_crew(crew, config, values, model, job, resume, quiet or json)
    emit(report, json, lambda: run_table(report), quiet)
    _check_success(report)


def _check_success(report: Mapping[str, Any]) -> None:
    """Tell by an error, and so by the exit code, that tasks were left without an answer."""
    answers = [task["answer"] for task in (*report["tasks"], *report.get("others", {}).values())]
    answered = sum(answer is not None for answer in answers)
    said = f"{answered} of {len(answers)} tasks have an answer"
    if report["budget_limit"]:
        raise BudgetExceededError(f"budget.{report['budget_limit']} is used up: {said}")
    if not answered:
        raise ExpertError(f"{said}: {_first_failure(report)}")


def _first_failure(report: Mapping[str, Any]) -> str:
    failures = (failure for task in report["tasks"] for failure in task["failures"])
    first = next(failures, None)
    return "nobody was asked" if first is None else f"{first['expert']}: {first['error']}"


def _job(
    config: Path | None,
    crew: Path | None,
    inputs: list[str] | None,
    offline: Path | None,
    shared: Path | None,
) -> dict[str, Any]:
    """Give the command that `swarmloom resume` has to repeat."""
    argv = ["run", *([str(config)] if config else [])]
    for flag, value in (("--crew", crew), ("--offline", offline), ("--shared", shared)):
        argv += [flag, str(value)] if value else []
    for pair in inputs or []:
        argv += ["--inputs", pair]
    return {"argv": argv, "cwd": os.getcwd()}


def _inputs(pairs: list[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--inputs is {pair!r}; allowed: KEY=VALUE")
        values[key.strip()] = value
    return values


def _offline_world(stack: ExitStack) -> None:
    """Open a world without keys, before CrewAI is imported: its import reads .env files."""
    from swarmloom_agents.offline import offline_environment

    stack.enter_context(offline_environment())


def _load_crewai() -> None:
    try:
        importlib.import_module("swarmloom_agents.seams")
    except OSError as error:
        raise ConfigurationError(
            f"CrewAI cannot be loaded: it keeps its data in the home folder, and {error.filename} "
            f"cannot be written ({error.strerror}); set HOME to a folder that can"
        ) from error


def _offline_model(stack: ExitStack, answers: Path | None) -> OfflineLLM | None:
    """Let recorded answers take the place of every named model."""
    if answers is None:
        return None
    from swarmloom_agents.llms import ReplayLLM
    from swarmloom_agents.projects import intercepted_models

    model = ReplayLLM.from_file(answers)
    stack.enter_context(intercepted_models(model))
    return model


# -- a project's crew --------------------------------------------------------------------------


def _run_crew(
    project: Path,
    config: Path | None,
    inputs: Mapping[str, str],
    model: OfflineLLM | None,
    job: Mapping[str, Any],
    resume: str | None,
    hidden: bool,
) -> dict[str, Any]:
    from swarmloom.swarm import Swarm
    from swarmloom_agents.coordination import coordinate
    from swarmloom_agents.offline import guard_offline, silence
    from swarmloom_agents.projects import (
        check_inputs,
        load_environment,
        load_project,
        make_offline,
    )

    if model is None:
        load_environment(project)
    loaded = load_project(project)
    if model is not None:
        make_offline(loaded.crew, model)
        guard_offline(loaded.crew)
    check_inputs(loaded, inputs)
    silence(loaded.crew)
    with Swarm.from_config(config) as swarm, _progress(hidden, len(loaded.crew.tasks)) as listen:
        session = coordinate(swarm, loaded.crew, job=job, resume=resume, on_event=listen)
        with interruptible(swarm.ledger), session, _errors_named():
            output = loaded.crew.kickoff(inputs={**loaded.inputs, **inputs} or None)
        assert session.result is not None
        return {**_report(swarm, session.result), "answer": str(getattr(output, "raw", output))}


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except SwarmloomError:
        raise
    except Exception as error:  # A crew's own code may raise anything.
        raise ExpertError(f"the crew stopped: {type(error).__name__}: {error}") from error


# -- a crew from the configuration -------------------------------------------------------------


def _run_configured(
    config: Path | None,
    model: OfflineLLM | None,
    job: Mapping[str, Any],
    resume: str | None,
    hidden: bool,
    shared: Path | None,
) -> dict[str, Any]:
    from swarmloom.swarm import Swarm
    from swarmloom_agents.built_crew import build_experts, read_tasks
    from swarmloom_agents.offline import silence

    silence()
    with Swarm.from_config(config) as swarm:
        if swarm.settings.tasks is None:
            raise ConfigurationError(f"{config} has no `tasks`: the file with one task a line")
        swarm.adopt(build_experts(swarm.settings, model))
        tasks, truths = read_tasks(swarm.settings.tasks)
        graded = (lambda task, answer: truths.get(task.id)) if truths else None
        with _progress(hidden, len(tasks)) as listen:
            options = {"job": job, "resume": resume, "on_event": listen}
            with interruptible(swarm.ledger):
                if shared is not None:
                    return _run_shared(swarm, tasks, shared, {**options, "truths": truths})
                return _report(swarm, swarm.run(tasks, feedback=graded, **options))


def _run_shared(
    swarm: Swarm, tasks: Sequence[Task], file: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    from swarmloom_agents.shared_work import run_shared

    result, done = run_shared(swarm, tasks, file, **options)
    own = set(result.answers)
    others = {key: value for key, value in done.items() if key not in own}
    return {**_report(swarm, result), "others": others}


# -- what is shown -----------------------------------------------------------------------------


@contextmanager
def _progress(hidden: bool, total: int) -> Iterator[Any]:
    if hidden:
        yield None
        return
    with LiveProgress(total, console(stderr=True)) as progress:
        yield progress


def _report(swarm: Swarm, result: RunResult) -> dict[str, Any]:
    """Give a finished run as JSON-ready data."""
    names = [expert.name for expert in swarm.experts]
    outcomes = swarm.ledger.events(result.run_id, kinds=[EventKind.OUTCOME])
    return {
        "run": result.run_id,
        "tasks": [
            {
                "task": outcome.task.id,
                "prompt": outcome.task.prompt,
                "answer": outcome.verdict.answer,
                "experts": [names[b.expert] for b in outcome.ballots if b.succeeded],
                "failures": [
                    {"expert": names[b.expert], "error": b.error}
                    for b in outcome.ballots
                    if b.error
                ],
                "truth": outcome.truth,
                "cost": outcome.cost,
                "tokens": sum(ballot.tokens for ballot in outcome.ballots),
            }
            for outcome in result.outcomes
        ],
        "calls": result.calls,
        "cost": result.cost,
        "seconds": result.seconds,
        "shares": dict(result.shares),
        "budget_limit": budget_limit(outcomes) or None,
        "plugins": {record.name: str(record.state) for record in result.plugins},
        "warnings": warning_texts(
            swarm.ledger.events(result.run_id, kinds=[EventKind.WARNING, EventKind.WARNING_OVER])
        ),
    }

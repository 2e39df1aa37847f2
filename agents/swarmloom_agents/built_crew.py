"""Crews that the swarm builds from its configuration, and the tasks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swarmloom.config import ExpertSettings, Settings
from swarmloom.errors import ConfigurationError, InputError
from swarmloom.reading import why_unreadable
from swarmloom.types import Expert, Task
from swarmloom_agents.executor import OneShotAgent
from swarmloom_agents.experts import expert_from_agent
from swarmloom_agents.llms import OfflineLLM

__all__ = ["build_experts", "read_tasks"]

_GOAL = "Give the right answer"
_BACKSTORY = "You are an expert in your field."
_TASK_KEYS = {
    "id": str,
    "prompt": str,
    "topic": str,
    "options": (int, list),
    "demands": list,
    "deadline": (int, float),
    "quorum": int,
    "expected_output": str,
    "context": str,
    "truth": str,
}


def build_experts(settings: Settings, model: OfflineLLM | None = None) -> list[Expert]:
    """Build the experts of a configuration: ``[[experts]]``.

    Parameters
    ----------
    settings : Settings
    model : OfflineLLM, optional
        Takes the place of the configured models.

    Returns
    -------
    list of Expert

    Raises
    ------
    ConfigurationError
        If there are none, or a model cannot be built (an unknown name, a provider whose extra or
        key is missing).
    """
    if not settings.experts:
        raise ConfigurationError("the configuration has no [[experts]] and no --crew was given")
    token_price = settings.plugins.config.get("crewai", {}).get("token_price")
    return [_expert(expert, model, token_price) for expert in settings.experts]


def _expert(
    settings: ExpertSettings, model: OfflineLLM | None, token_price: float | None
) -> Expert:
    try:
        agent = OneShotAgent(
            role=settings.role or settings.name,
            goal=settings.goal or _GOAL,
            backstory=settings.backstory or _BACKSTORY,
            llm=model or settings.llm,
        )
    except Exception as error:  # Providers raise what they like for a missing extra or key.
        raise ConfigurationError(
            f"experts.{settings.name}.llm is {settings.llm!r}, which cannot be built: {error}"
        ) from error
    return expert_from_agent(
        agent,
        name=settings.name,
        price=settings.price,
        token_price=token_price,
        skills=settings.skills,
        capacity=settings.capacity,
        timeout=settings.timeout,
    )


def read_tasks(file: Path) -> tuple[list[Task], dict[str, str]]:
    """Read tasks from a file of JSON objects, one a line.

    Parameters
    ----------
    file : Path
        Keys: ``prompt`` (needed), ``id``, ``topic``, ``options`` (a number or the list of them),
        ``demands``, ``deadline``, ``quorum``, ``expected_output``, ``context``, ``truth``.

    Returns
    -------
    tuple of list of Task and dict
        The tasks, and the truth of those that are graded, by id.

    Raises
    ------
    InputError
        Naming file, line, key and value.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read tasks from {file}: {why_unreadable(error)}") from None
    tasks, truths = [], {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = _row(line, f"{file}:{number}")
            task = _task(row, f"task-{number}")
            tasks.append(task)
            if "truth" in row:
                truths[task.id] = row["truth"]
    if not tasks:
        raise InputError(f"{file}: no tasks; allowed: one JSON object with a 'prompt' a line")
    return tasks, truths


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: no JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise InputError(f"{where}: needs an object with a string 'prompt'")
    for key, value in row.items():
        if key not in _TASK_KEYS:
            raise InputError(f"{where}: unknown key {key!r}; allowed: {', '.join(_TASK_KEYS)}")
        if not isinstance(value, _TASK_KEYS[key]):  # type: ignore[arg-type]
            raise InputError(f"{where}: {key} is {value!r}, of the wrong type")
    return row


def _task(row: Mapping[str, Any], default_id: str) -> Task:
    options = row.get("options")
    payload = {key: row[key] for key in ("expected_output", "context") if key in row}
    if isinstance(options, list):
        payload["options"] = options
    return Task(
        id=row.get("id", default_id),
        prompt=row["prompt"],
        topic=row.get("topic", ""),
        options=len(options) if isinstance(options, list) else options,
        demands=frozenset(row.get("demands", ())),
        deadline=row.get("deadline"),
        quorum=row.get("quorum"),
        payload=payload or None,
    )

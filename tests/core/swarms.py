"""Small swarms for tests: function experts, and no plugin but those a test brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarmloom.config import Settings
from swarmloom.swarm import Swarm
from swarmloom.types import Expert, Task

ALONE: dict[str, Any] = {"enable": []}


def answering(answer: str | None) -> Callable[[Task], str | None]:
    return lambda task: answer


def inline(name: str, function: Callable[[Task], Any], **options: Any) -> Expert:
    return Expert(name, function, inline=True, **options)


def make_swarm(
    experts: Sequence[Expert],
    *,
    plugins: Sequence[tuple[str, object]] = (),
    installed: bool = False,
    ledger: Any = None,
    **sections: Any,
) -> Swarm:
    """Build a swarm; `installed` lets the installed plugins in."""
    host = sections.pop("plugin_settings", {})
    if not installed:
        host = {**host, "enable": list(host.get("enable", []))}
    settings = Settings(plugins=host, **sections)
    return Swarm(experts, settings, plugins=plugins, ledger=ledger)


def tasks(count: int, **options: Any) -> list[Task]:
    return [Task(f"t{index}", f"question {index}", **options) for index in range(count)]

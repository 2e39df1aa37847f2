"""A crew's memory whose entries fade and gain strength with use, without model calls of its own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from swarmloom.errors import InputError, StoreError
from swarmloom_agents.memory_storage import TrailStorage
from swarmloom_agents.seams import (
    Memory,
    MemoryMatch,
    MemoryRecord,
    Task,
    embed_texts,
    join_scope_paths,
)
from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors

__all__ = ["TrailMemory"]

# What CrewAI's executors hand over after a task.
_REPORT = re.compile(
    r"Task: (?P<task>.*?)\nAgent: .*?\nExpected result: .*?\nResult: (?P<result>.*)", re.DOTALL
)
_FINAL_ANSWER = "Final Answer:"
_HEADING = "\nNotes on earlier tasks like this one (task → what was answered; they may be wrong):"
_ENTRIES_IN_PROMPT = 5
_LOG = logging.getLogger(__name__)


class TrailMemory(Memory):
    """CrewAI's `Memory` over `TrailStorage`: ``Crew(memory=TrailMemory("team.sqlite"))``.

    CrewAI's own memory asks a model what to remember of each task, how to file it and how to
    search: two to three calls a task. This one remembers the task and its result as they are, files
    them under the scope it is given, and searches by similarity and strength.

    Parameters
    ----------
    path : str or Path or None
        The SQLite file, which several crews and processes may share; None keeps it in memory.
    half_life : float or None
        Seconds after which an entry that nobody recalls is worth half; 30 days by default, None for
        entries that do not fade.
    embedder : callable, optional
        ``embedder(texts) -> vectors``. The built-in one compares words and their parts: texts
        are near when they share wording. For nearness in meaning give one of a model.
    characters : int
        Longest text that is remembered of a task and of its result, each.
    **settings
        Fields of `crewai.Memory` such as ``root_scope`` or ``read_only``, and those of
        `TrailStorage`: ``most``, ``floor``, ``clock``, ``timeout``.

    Raises
    ------
    StoreError
        If the file cannot be used.
    InputError
        If a parameter is out of its range.
    """

    characters: int = 1000

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        half_life: float | None = 30 * 86400.0,
        embedder: Callable[[Sequence[str]], Any] | None = None,
        characters: int = 1000,
        **settings: Any,
    ) -> None:
        if characters < 1:
            raise InputError(f"characters: {characters} is not at least 1")
        own = {key: settings.pop(key) for key in _STORAGE_SETTINGS & settings.keys()}
        super().__init__(
            storage=TrailStorage(path, half_life=half_life, **own),
            embedder=_listing(embedder or lexical_vectors),
            # The score of the storage is the whole score: it has the age and the use in it.
            semantic_weight=1.0,
            recency_weight=0.0,
            importance_weight=0.0,
            **{"characters": characters, **settings},
        )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return itself: the copies that CrewAI makes of a crew remember together."""
        return self

    def extract_memories(self, content: str) -> list[str]:
        """Cut what CrewAI reports of a task down to the task and its result."""
        report = _REPORT.fullmatch(content)
        if report is None:
            return [self._cut(content)] if content.strip() else []
        # Executors that think aloud hand over their thoughts too.
        answer = report["result"].rpartition(_FINAL_ANSWER)[2]
        return [f"{self._cut(report['task'])} → {self._cut(answer)}"]

    def _cut(self, text: str) -> str:
        text = " ".join(text.split())
        return text if len(text) <= self.characters else text[: self.characters - 1] + "…"

    def recall(
        self,
        query: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        limit: int = 10,
        depth: Literal["shallow", "deep"] = "shallow",
        source: str | None = None,
        include_private: bool = False,
    ) -> list[MemoryMatch]:
        """Retrieve what is near and strong, and strengthen it.

        `depth` is there because CrewAI gives it; there is one depth, and no model call.
        """
        return super().recall(query, scope, categories, limit, "shallow", source, include_private)

    def in_prompt(self, task: Task, task_prompt: str) -> str:
        """Add to a task's prompt what came of tasks like it.

        A file that cannot be read now is logged and costs the prompt this part alone.
        """
        try:
            matches = self.recall(task.description, limit=_ENTRIES_IN_PROMPT)
        except StoreError as error:
            _LOG.warning("a prompt goes without memories: %s", error)
            return task_prompt
        lines = [f"- {self._cut(match.record.content)}" for match in matches]
        return "\n".join([task_prompt, *([_HEADING, *lines] if lines else [])])

    def _encode_batch(
        self,
        contents: list[str],
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,
        root_scope: str | None = None,
    ) -> list[MemoryRecord]:
        vectors = embed_texts(self._embedder, contents)
        where = join_scope_paths(root_scope, scope or "/") if root_scope else scope or "/"
        records = [
            MemoryRecord(
                content=content,
                scope=where,
                categories=categories or [],
                metadata=metadata or {},
                importance=self.default_importance if importance is None else importance,
                source=source,
                private=private,
                embedding=vector,
            )
            for content, vector in zip(contents, vectors, strict=True)
            if vector
        ]
        self._storage.save(records)
        return records


def _listing(embedder: Callable[[Sequence[str]], Any]) -> Callable[[list[str]], list[list[float]]]:
    """Give vectors as CrewAI reads them: it takes no arrays."""
    return lambda texts: np.asarray(embedder(texts), np.float32).tolist()


_STORAGE_SETTINGS = frozenset({"most", "floor", "clock", "timeout"})

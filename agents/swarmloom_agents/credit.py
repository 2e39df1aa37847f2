"""How often the protocols' decisions were right, so that a manager can weigh them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from swarmloom.events import EventKind
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool
from swarmloom.swarm import Swarm
from swarmloom.types import Event

__all__ = ["CreditBook", "ProtocolCredit"]


@dataclass(frozen=True, slots=True)
class ProtocolCredit:
    """What became of the decisions a protocol had a share in.

    Attributes
    ----------
    share : float
        Sum of its shares in the decisions about finished tasks.
    rate : float
        Share-weighted part of them whose expert gave the final answer, in [0, 1].
    """

    share: float
    rate: float


class CreditBook:
    """Listens to a swarm and books, by protocol, which decisions led to the final answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shares: dict[str, dict[str, dict[str, float]]] = {}
        self._answers: dict[str, dict[str, str | None]] = {}
        self._booked: dict[str, list[float]] = {}

    @hookimpl
    def swarmloom_observe(self, event: Event) -> None:
        """Keep what decisions and ballots say until the task's outcome is known."""
        data = event.data
        with self._lock:
            if event.kind == EventKind.DECISION:
                self._shares.setdefault(event.task, {})[data["expert"]] = dict(data["shares"])
            elif event.kind == EventKind.BALLOT and not data["audit"]:
                answer = None if data["error"] else data["answer"]
                self._answers.setdefault(event.task, {})[data["expert"]] = answer
            elif event.kind == EventKind.OUTCOME:
                self._book(event.task, data["truth"] or data["answer"])

    def _book(self, task: str, right: str | None) -> None:
        answers = self._answers.pop(task, {})
        for expert, shares in self._shares.pop(task, {}).items():
            credit = float(right is not None and answers.get(expert) == right)
            for protocol, share in shares.items():
                booked = self._booked.setdefault(protocol, [0.0, 0.0])
                booked[0] += share
                booked[1] += share * credit

    @property
    def credits(self) -> dict[str, ProtocolCredit]:
        """Credit by protocol, of those that had a share in any decision."""
        with self._lock:
            return {
                name: ProtocolCredit(share, credited / share)
                for name, (share, credited) in sorted(self._booked.items())
                if share > 0
            }

    @hookimpl
    def swarmloom_register_tools(self, register: Callable[[ManagerTool], None]) -> None:
        """Bring the tool that reads the book."""
        register(
            ManagerTool(
                "read_credit",
                "Read how often each protocol's decisions led to the final answer.",
                self._read,
            )
        )

    def _read(self, swarm: Swarm) -> str:
        rows = {name: {"share": c.share, "rate": c.rate} for name, c in self.credits.items()}
        return json.dumps({"credit": rows, "weights": swarm.weights})

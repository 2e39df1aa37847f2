"""What the calls of one ballot cost: tokens and money, attributed call by call.

CrewAI's own totals multiply when agents share a model, so they are not used. Each answered call is
an event that carries its usage; the event bus runs handlers in a copy of the emitter's context, so
a context variable says which ballot a call belongs to, also from other threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Meter", "current_meter", "metered", "settle"]

_METER: ContextVar[Meter | None] = ContextVar("swarmloom_meter", default=None)
_LISTENING = threading.Lock()
_SECONDS_TO_SETTLE = 5.0


@dataclass(slots=True)
class Meter:
    """Usage of the model calls made for one ballot.

    Attributes
    ----------
    calls : int
        Calls that reported a usage.
    prompt_tokens, completion_tokens : int
        Their tokens.
    cost : float
        Their cost in the unit of the budget.
    priced : bool
        Whether any call had a price; without one the expert's declared price counts.
    token_price : float or None
        Cost of one token, for models that report tokens and no cost.
    """

    token_price: float | None = None
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    priced: bool = False
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def tokens(self) -> int:
        """All tokens, prompt and completion."""
        return self.prompt_tokens + self.completion_tokens

    def book(self, call_id: str, usage: Mapping[str, Any]) -> None:
        """Add one call; the same call is booked once however often it is reported.

        Parameters
        ----------
        call_id : str
            As CrewAI numbers calls.
        usage : mapping
            ``prompt_tokens``, ``completion_tokens`` and, from offline models, ``cost``.
        """
        with self._lock:
            if call_id in self._seen:
                return
            self._seen.add(call_id)
            self.calls += 1
            prompt, completion = _tokens_of(usage)
            self.prompt_tokens += prompt
            self.completion_tokens += completion
            self._price(usage.get("cost"), prompt + completion)

    def _price(self, cost: float | None, tokens: int) -> None:
        if cost is None and self.token_price is not None:
            cost = tokens * self.token_price
        if cost is not None:
            self.cost += float(cost)
            self.priced = True


def _tokens_of(usage: Mapping[str, Any]) -> tuple[int, int]:
    # Providers name the two numbers in one of two ways.
    prompt = usage.get("prompt_tokens", usage.get("input_tokens", 0)) or 0
    completion = usage.get("completion_tokens", usage.get("output_tokens", 0)) or 0
    return int(prompt), int(completion)


def current_meter() -> Meter | None:
    """Give the meter of the ballot in whose context this runs."""
    return _METER.get()


@contextmanager
def metered(token_price: float | None = None) -> Iterator[Meter]:
    """Count the model calls made within the block, in this thread and those it starts.

    Parameters
    ----------
    token_price : float, optional
        Cost of one token for models that report no cost.
    """
    _listen()
    meter = Meter(token_price)
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def settle() -> None:
    """Wait until the reports of all calls made so far have been counted."""
    from swarmloom_agents.seams import crewai_event_bus

    crewai_event_bus.flush(_SECONDS_TO_SETTLE)


def _book_event(source: object, event: Any) -> None:
    meter = _METER.get()
    if meter is not None and event.usage:
        meter.book(event.call_id, event.usage)


_heard: set[int] = set()


def _listen() -> None:
    from swarmloom_agents.seams import LLMCallCompletedEvent, crewai_event_bus

    with _LISTENING:
        if id(crewai_event_bus) not in _heard:
            crewai_event_bus.on(LLMCallCompletedEvent)(_book_event)
            _heard.add(id(crewai_event_bus))

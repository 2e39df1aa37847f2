"""What a manager and the agents can do with traces."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from swarmloom.errors import InputError
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm
    from swarmloom_plugins.stigmergy import Stigmergy

__all__ = ["swarmloom_register_tools"]

Number = float | str

_NEAR_SHOWN = 5


def _protocol(swarm: Swarm) -> Stigmergy:
    return cast("Stigmergy", swarm.host.protocols["stigmergy"])


def _number(name: str, value: Number) -> float:
    try:
        number = float(value)
    except ValueError:
        raise InputError(f"{name} is {value!r}; allowed: a number") from None
    if not math.isfinite(number):
        raise InputError(f"{name} is {value!r}; allowed: a finite number")
    return number


def _whole(name: str, value: Number) -> int:
    number = _number(name, value)
    if number < 1 or number != int(number):
        raise InputError(f"{name} is {value!r}; allowed: a whole number from 1")
    return int(number)


# -- traces ----------------------------------------------------------------------------------------


def _leave_trace(
    swarm: Swarm,
    topic: str,
    expert: str,
    worked: str,
    by: str,
    amount: Number = 1.0,
    note: str = "",
) -> str:
    if worked not in ("yes", "no"):
        raise InputError(f"worked is {worked!r}; allowed: 'yes', 'no'")
    amount = _number("amount", amount)
    _protocol(swarm).leave(topic, expert, worked == "yes", by, amount, str(note))
    return _what_worked(swarm, topic)


def _sense_traces(swarm: Swarm, topic: str) -> str:
    return json.dumps(_protocol(swarm).sense(topic))


def _what_worked(swarm: Swarm, topic: str, count: Number = 3) -> str:
    protocol, shown = _protocol(swarm), _whole("count", count)
    found = {
        "topic": topic,
        "best": _best(protocol, topic, shown),
        "near": [
            {"topic": near, "likeness": likeness, "best": _best(protocol, near, 1)}
            for near, likeness in list(protocol.near(topic).items())[:_NEAR_SHOWN]
        ],
        "notes": [
            {"by": n.by, "expert": n.expert, "worked": n.worked, "note": n.text}
            for n in protocol.notes(topic)[:shown]
        ],
    }
    return json.dumps(found)


def _best(protocol: Stigmergy, topic: str, count: int) -> list[dict[str, object]]:
    keys = ("expert", "rate", "right", "wrong")
    return [{key: one[key] for key in keys} for one in protocol.sense(topic)[:count]]


def _advise(swarm: Swarm, topic: str, tokens: Number = 200) -> str:
    return _protocol(swarm).advise(topic, _whole("tokens", tokens)) or "Nothing is known yet."


# -- claims ----------------------------------------------------------------------------------------


def _claim_task(swarm: Swarm, task: str, by: str, ttl: Number = 600.0) -> str:
    protocol = _protocol(swarm)
    claim = protocol.claim(task, by, _number("ttl", ttl))
    if claim is not None:
        return json.dumps({"claimed": True, "token": claim.token})
    result = protocol.result(task)
    state = "held by somebody" if result is None else "done"
    return json.dumps({"claimed": False, "state": state, "result": result})


def _renew_claim(swarm: Swarm, task: str, token: Number, by: str, ttl: Number = 600.0) -> str:
    claim = _protocol(swarm).claimed(task, _whole("token", token), by)
    return _kept(claim.renew(_number("ttl", ttl)))


def _release_claim(swarm: Swarm, task: str, token: Number, by: str) -> str:
    return _kept(_protocol(swarm).claimed(task, _whole("token", token), by).release())


def _finish_claim(swarm: Swarm, task: str, token: Number, by: str, result: str = "") -> str:
    claim = _protocol(swarm).claimed(task, _whole("token", token), by)
    return _kept(claim.finish(str(result)))


def _kept(kept: bool) -> str:
    """Say whether the claim was still held."""
    if kept:
        return json.dumps({"done": True})
    return json.dumps({"done": False, "reason": "the claim was lost: somebody has taken over"})


# -- registration ----------------------------------------------------------------------------------

_TOPIC = {"topic": "Topic of the tasks it is about."}
_BY = {"by": "Name of the one who does so."}
_TASK = {"task": "Name of the task, the same for all who might do it."}
_TOKEN = {"token": "Token that claim_task gave."}
_TTL = {"ttl": "Seconds after which somebody else may take it over, 600 by default."}

_TOOLS = (
    ManagerTool(
        "leave_trace",
        "Leave a trace for the crew: whether an expert's work on a topic was good, and why.",
        _leave_trace,
        {
            **_TOPIC,
            "expert": "Name of the expert.",
            "worked": "yes or no.",
            "by": "Name of the one who says so.",
            "amount": "How many observations this stands for, 1 by default.",
            "note": "What else there is to say, up to 500 characters; empty for nothing.",
        },
    ),
    ManagerTool(
        "sense_traces",
        "Read all traces on a topic: each expert's expected success, its calls in flight, and who "
        "left what.",
        _sense_traces,
        _TOPIC,
    ),
    ManagerTool(
        "what_worked",
        "Name the experts whose work on a topic, and on near ones, has been best so far, with the "
        "crew's notes.",
        _what_worked,
        {**_TOPIC, "count": "How many experts and notes to give, 3 by default."},
    ),
    ManagerTool(
        "advise",
        "Write what worked on a topic and on near ones as lines for a prompt.",
        _advise,
        {**_TOPIC, "tokens": "Tokens that the lines may take at most, 200 by default."},
    ),
    ManagerTool(
        "claim_task",
        "Claim a task before doing it, so that nobody else does it too; gives a token.",
        _claim_task,
        {**_TASK, **_BY, **_TTL},
    ),
    ManagerTool(
        "renew_claim",
        "Keep a claimed task for longer.",
        _renew_claim,
        {**_TASK, **_TOKEN, **_BY, **_TTL},
    ),
    ManagerTool(
        "release_claim",
        "Give a claimed task up, so that others can do it at once.",
        _release_claim,
        {**_TASK, **_TOKEN, **_BY},
    ),
    ManagerTool(
        "finish_claim",
        "Say that a claimed task is done: nobody can claim it any more.",
        _finish_claim,
        {**_TASK, **_TOKEN, **_BY, "result": "What came of it; empty for nothing."},
    ),
)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring what a manager can do with traces."""
    for tool in _TOOLS:
        register(tool)

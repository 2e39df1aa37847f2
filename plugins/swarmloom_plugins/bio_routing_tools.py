"""What a manager can do with routes and experts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from swarmloom.errors import InputError
from swarmloom.markers import hookimpl
from swarmloom.protocol import ManagerTool
from swarmloom.types import Message
from swarmloom_plugins.bio_routing_admission import Constraint
from swarmloom_plugins.tool_arguments import Number, number
from swarmloom_protocols.bio_routing.no_route import NoRouteError

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm
    from swarmloom_plugins.bio_routing import BioRouting

__all__ = ["swarmloom_register_tools"]

_UNSET = ("", "none")
_YES, _NO = ("yes", "true", "1", "1.0"), ("no", "false", "0", "0.0", "")


def _protocol(swarm: Swarm) -> BioRouting:
    found = swarm.host.protocols.get("bio_routing")
    if found is None:
        raise InputError("the bio_routing plugin is not active; enable_plugin brings it back")
    return cast("BioRouting", found)


def _limit(name: str, value: Number) -> float | None:
    unset = isinstance(value, str) and value.strip().casefold() in _UNSET
    return None if unset else number(name, value)


def _yes(name: str, value: object) -> bool:
    said = str(value).strip().casefold()
    if said not in _YES + _NO:
        raise InputError(f"{name} is {value!r}; allowed: yes or no")
    return said in _YES


def _show_trails(swarm: Swarm, topic: str) -> str:
    return json.dumps(_protocol(swarm).describe(topic))


def _find_route(
    swarm: Swarm,
    source: str,
    destination: str,
    max_latency: Number = "",
    min_reliability: Number = "",
) -> str:
    message = Message(
        source,
        destination,
        max_latency=_limit("max_latency", max_latency),
        min_reliability=_limit("min_reliability", min_reliability),
    )
    try:
        path = _protocol(swarm).find(message)
    except NoRouteError as error:
        return json.dumps({"route": None, "reason": str(error)})
    return json.dumps(
        {"route": list(path.nodes), "latency": path.latency, "reliability": path.reliability}
    )


def _fail_expert(swarm: Swarm, expert: str, reason: str = "", by: str = "") -> str:
    protocol = _protocol(swarm)
    protocol.take_out(expert, reason=reason, by=by)
    return json.dumps({"taken_out": protocol.away})


def _restore_expert(swarm: Swarm, expert: str, by: str = "") -> str:
    protocol = _protocol(swarm)
    protocol.bring_back(expert, by=by)
    return json.dumps({"restored": expert, "taken_out": protocol.away})


def _set_constraint(
    swarm: Swarm,
    max_latency: Number = "none",
    min_reliability: Number = "none",
    strict: str = "no",
    by: str = "",
) -> str:
    protocol = _protocol(swarm)
    wanted = Constraint(
        _limit("max_latency", max_latency),
        _limit("min_reliability", min_reliability),
        _yes("strict", strict),
    )
    protocol.set_constraint(wanted, by=by)
    return json.dumps({"constraint": wanted.told(), "unmet": protocol.unmet()})


_TOOLS = (
    ManagerTool(
        "show_trails",
        "Show how reliable, healthy and fast each expert has been on a topic, and who was taken "
        "out.",
        _show_trails,
        {"topic": "Topic of the tasks it is about."},
    ),
    ManagerTool(
        "find_route",
        "Find the fastest way from one member to another that is reliable enough.",
        _find_route,
        {
            "source": "Name of the member that sends.",
            "destination": "Name of the member that is to receive.",
            "max_latency": "Seconds the way may take at most; empty for no limit.",
            "min_reliability": "Least probability of arriving, 0 to 1; empty for no limit.",
        },
    ),
    ManagerTool(
        "fail_expert",
        "Take an expert out: it gets no task and passes on no message until restore_expert brings "
        "it back. Calls that are under way end as they end.",
        _fail_expert,
        {
            "expert": "Name of the expert, or of another member that messages pass.",
            "reason": "Why, for the record; may be empty.",
            "by": "Who does it.",
        },
    ),
    ManagerTool(
        "restore_expert",
        "Bring back an expert that fail_expert took out. Its failures are forgotten; what it is "
        "right at is kept.",
        _restore_expert,
        {"expert": "Name of the expert.", "by": "Who does it."},
    ),
    ManagerTool(
        "set_constraint",
        "Set what experts have to keep to be asked: a limit on the expected seconds of a call and "
        "one on reliability. Gives the topics for which no expert keeps them, with the reason.",
        _set_constraint,
        {
            "max_latency": "Seconds, wait included; none for no limit.",
            "min_reliability": "From 0 to 1; none for no limit.",
            "strict": "yes: tasks for which no expert keeps the limits are refused; no: the best "
            "expert takes them, with a warning.",
            "by": "Who does it.",
        },
    ),
)


@hookimpl
def swarmloom_register_tools(register: Callable[[ManagerTool], None]) -> None:
    """Bring what a manager can do with routes and experts."""
    for tool in _TOOLS:
        register(tool)

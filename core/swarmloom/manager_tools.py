"""What a manager can do to any swarm: read it, switch its pattern, weigh and switch its plugins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from swarmloom.protocol import ManagerTool

if TYPE_CHECKING:
    from swarmloom.swarm import Swarm

__all__ = ["KERNEL_TOOLS"]


def _list_patterns(swarm: Swarm) -> str:
    rows = [
        {"name": p.name, "weights": dict(p.weights), "use": p.description}
        for p in swarm.patterns.values()
    ]
    return json.dumps({"in_force": swarm.pattern, "patterns": rows})


def _switch_pattern(swarm: Swarm, pattern: str) -> str:
    swarm.set_pattern(pattern)
    return json.dumps({"in_force": swarm.pattern, "weights": swarm.weights})


def _set_weight(swarm: Swarm, protocol: str, weight: float | str) -> str:
    swarm.set_weights({protocol: float(weight)})
    return json.dumps({"weights": swarm.weights})


def _list_plugins(swarm: Swarm) -> str:
    rows = [
        {"name": record.name, "state": str(record.state), "failures": record.failures}
        for record in swarm.host.report()
    ]
    return json.dumps(rows)


def _enable_plugin(swarm: Swarm, plugin: str) -> str:
    swarm.enable(plugin)
    return _list_plugins(swarm)


def _disable_plugin(swarm: Swarm, plugin: str) -> str:
    swarm.disable(plugin)
    return _list_plugins(swarm)


def _read_state(swarm: Swarm) -> str:
    return json.dumps(swarm.state())


def _ask_consensus(swarm: Swarm, question: str, options: int | str = 0) -> str:
    outcome = swarm.ask(question, int(options) or None)
    verdict = outcome.verdict
    return json.dumps(
        {
            "answer": verdict.answer,
            "posterior": dict(verdict.posterior),
            "calls": len(outcome.ballots),
            "cost": outcome.cost,
        }
    )


KERNEL_TOOLS = (
    ManagerTool("list_patterns", "List the patterns and their weights.", _list_patterns),
    ManagerTool(
        "switch_pattern",
        "Switch to another pattern while the crew runs.",
        _switch_pattern,
        {"pattern": "name of the pattern"},
    ),
    ManagerTool(
        "set_weight",
        "Set the weight of one protocol in the mixture.",
        _set_weight,
        {"protocol": "name of the protocol", "weight": "a number, 0 or more"},
    ),
    ManagerTool("list_plugins", "List the plugins and their states.", _list_plugins),
    ManagerTool(
        "enable_plugin",
        "Bring a disabled or quarantined plugin back.",
        _enable_plugin,
        {"plugin": "name of the plugin"},
    ),
    ManagerTool(
        "disable_plugin",
        "Take a plugin out while the crew runs.",
        _disable_plugin,
        {"plugin": "name of the plugin"},
    ),
    ManagerTool(
        "read_state",
        "Read the swarm: experts, mixture, shares of the protocols, calls, cost, load.",
        _read_state,
    ),
    ManagerTool(
        "ask_consensus",
        "Ask the experts a question until their answers are certain enough for their price.",
        _ask_consensus,
        {"question": "the question", "options": "number of possible answers, 0 for free text"},
    ),
)
"""The kernel's own manager tools."""

"""The built-in manager's mind: rules instead of a language model, behind the same interface."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from swarmloom_agents.llms import LLMRequest, OfflineLLM

__all__ = ["PolicyLLM"]

_READINGS = ("list_plugins", "read_credit")
_WEIGHT_RANGE = (0.05, 4.0)
_SMALLEST_CHANGE = 0.02
_HOPE = 0.5


class PolicyLLM(OfflineLLM):
    """Drives the manager's tools by two rules, through native tool calls.

    A plugin that failed `failure_limit` times and is still active is disabled. Weights follow the
    protocols' credit by multiplicative updates (Freund and Schapire 1997, Hedge):
    ``w ← w · exp(learning_rate · (credit - mean credit))``, within 0.05…4.

    Parameters
    ----------
    failure_limit : int
        Failures after which a plugin is disabled.
    learning_rate : float
        Strength of one update.
    evidence : float
        Share that a protocol must have had in finished decisions before its weight changes.
    """

    llm_type: str = "swarmloom_policy"
    native_tools: bool = True
    failure_limit: int = Field(default=2, ge=1)
    learning_rate: float = Field(default=1.0, gt=0)
    evidence: float = Field(default=3.0, gt=0)

    def reply(self, request: LLMRequest) -> Any:
        """Read first, act on what was read, then say what was done."""
        readings = _readings(request)
        offered = {_tool_name(tool) for tool in request.tools}
        if not readings:
            wanted: list[tuple[str, dict[str, Any]]] = [
                (name, {}) for name in _READINGS if name in offered
            ]
            return _calls(wanted) or "There is nothing to read."
        if _has_acted(request):
            return "Done: " + "; ".join(_actions_taken(request))
        actions = [a for a in self._actions(readings) if a[0] in offered]
        return _calls(actions) or "Nothing needs to be changed."

    def _actions(self, readings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        plugins = readings.get("list_plugins", [])
        failing = [
            plugin["name"]
            for plugin in plugins
            if plugin["state"] == "active" and plugin["failures"] >= self.failure_limit
        ]
        disabling = [("disable_plugin", {"plugin": name}) for name in failing]
        return disabling + self._weighing(readings.get("read_credit", {}), failing)

    def _weighing(
        self, reading: Mapping[str, Any], failing: list[str]
    ) -> list[tuple[str, dict[str, Any]]]:
        weights = {
            name: weight
            for name, weight in reading.get("weights", {}).items()
            if weight > 0 and name not in failing
        }
        rates = self._rates(reading.get("credit", {}), weights)
        if not rates:
            return []
        mean = sum(weights[name] * rate for name, rate in rates.items()) / sum(weights.values())
        updated = {
            name: _clipped(weights[name] * math.exp(self.learning_rate * (rate - mean)))
            for name, rate in rates.items()
        }
        return [
            ("set_weight", {"protocol": name, "weight": round(weight, 4)})
            for name, weight in updated.items()
            if abs(weight - weights[name]) > _SMALLEST_CHANGE * weights[name]
        ]

    def _rates(
        self, credit: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
    ) -> dict[str, float]:
        """Rate each protocol; one that has not been heard yet is hoped to be no worse than most.

        Without that hope a protocol that is always outvoted would never get its chance.
        """
        heard = {
            name: row
            for name, row in credit.items()
            if row["share"] >= self.evidence and name in weights
        }
        if not heard:
            return {}
        total = sum(row["share"] for row in heard.values())
        overall = sum(row["share"] * row["rate"] for row in heard.values()) / total
        hoped = max(overall, _HOPE)
        return {name: heard[name]["rate"] if name in heard else hoped for name in weights}


def _clipped(weight: float) -> float:
    low, high = _WEIGHT_RANGE
    return min(max(weight, low), high)


def _tool_name(tool: Mapping[str, Any]) -> str:
    return str(tool.get("function", tool).get("name", ""))


def _calls(wanted: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{number}_{name}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(wanted)
    ]


def _tool_results(request: LLMRequest) -> list[tuple[str, str]]:
    """Give the name and the result of each tool that has been called in this conversation."""
    names = {
        call["id"]: call["function"]["name"]
        for message in request.messages
        for call in message.get("tool_calls") or []
    }
    return [
        (str(message.get("name") or names.get(message.get("tool_call_id"), "")), str(text))
        for message in request.messages
        if message.get("role") == "tool" and (text := message.get("content")) is not None
    ]


def _readings(request: LLMRequest) -> dict[str, Any]:
    results = {name: text for name, text in _tool_results(request) if name in _READINGS}
    return {name: parsed for name, text in results.items() if (parsed := _json(text)) is not None}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _has_acted(request: LLMRequest) -> bool:
    return any(name not in _READINGS for name, _ in _tool_results(request))


def _actions_taken(request: LLMRequest) -> list[str]:
    return [
        f"{call['function']['name']} {call['function']['arguments']}"
        for message in request.messages
        for call in message.get("tool_calls") or []
        if call["function"]["name"] not in _READINGS
    ]

"""Settings of the consensus protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from swarmloom.errors import ConfigurationError
from swarmloom.protocol import ProtocolConfig
from swarmloom_protocols.consensus.panel import PanelSettings

__all__ = ["ConsensusConfig", "Sameness", "sameness_of"]

_PLACE = "plugins.config.consensus"
_TRIAL = ("42", "forty-two", "42.")

Sameness = Callable[[Sequence[str]], Any]
"""Gives each answer the number of its class, shape (answers,)."""


def _not_bool(value: object) -> object:
    """Refuse true and false, which would be read as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number from 0 to 1 is needed, not true or false")
    return value


class ConsensusConfig(ProtocolConfig):
    """Settings of the consensus protocol."""

    method: Literal["panel", "trust"] = Field(
        "panel",
        description="panel: whom to ask next at which price, learned from grades and agreement. "
        "trust: whom to believe from agreement alone, asked in the order of trust until the lead "
        "is safe, for crews of equal prices without grades.",
    )
    certainty: Annotated[float | None, BeforeValidator(_not_bool)] = Field(
        None,
        ge=0,
        le=1,
        description="Posterior of the best answer at which a task is done, as far as `max_answers` "
        "and the budget allow, and of no effect in surveys (trust); unset: when another answer is not worth its price (panel), or can "
        "hardly change the verdict (trust).",
    )
    target_cost: float | None = Field(
        None,
        gt=0,
        description="Mean cost of a task that the panel steers to, audits included, in the unit of "
        "the experts' prices; unset: the price of the two cheapest experts together.",
    )
    max_answers: int = Field(
        8, ge=1, description="Answers bought for one task at most, in surveys too (trust)."
    )
    equivalence: str = Field(
        "exact",
        pattern=r"^(exact|normalised|numbers|[\w.]+:[\w.]+)$",
        description="Which answers count as the same: exact (the same text), normalised (but for "
        "case, blanks and punctuation), numbers (the same value), or a function, as "
        "package.module:function, from a list of answers to the number of each one's class. The "
        "verdict is the most frequent wording of its class.",
    )
    group_by_model: bool = Field(
        True,
        description="Whether experts of the same `model` count as one voice: they share errors.",
    )
    recorded: Path | None = Field(
        None,
        description="Table of recorded answers to learn from before the start, a file as for "
        "`swarmloom backtest`: CSV with the columns item, gold, maybe topic and options, and one "
        "for each expert. A relative path in a configuration file starts at that file.",
    )
    audit_share: float = Field(
        PanelSettings.audit_share,
        ge=0,
        le=1,
        description="Share of the spending that may go into audits: further answers to graded "
        "tasks, bought to learn about the experts that were not asked (panel).",
    )
    sharpness: float = Field(
        0.01,
        gt=0,
        description="Expected gain (probability of a right answer, net of the price) that counts "
        "as one unit of log-odds in the mixture (panel).",
    )
    reach: float = Field(
        12.0,
        gt=0,
        description="Log-odds by which an expert that should not be asked is behind the best one.",
    )
    landscape: bool = Field(
        False,
        description="Whether to watch the experts' trust as an opinion landscape and to emit what "
        "happens there as events: diagnostics, which change no decision.",
    )


def sameness_of(config: ConsensusConfig) -> Sameness | None:
    """Give the function that says which answers are the same, None for the same text.

    Raises
    ------
    ConfigurationError
        If a named function cannot be imported, fails, or gives no number for each answer.
    """
    if config.equivalence == "exact":
        return None
    if config.equivalence in ("normalised", "numbers"):
        from swarmloom_protocols.consensus.free_text import normalised, numbers

        return normalised() if config.equivalence == "normalised" else numbers()
    found = _imported(config.equivalence)
    _try(found, config.equivalence)
    return found


def _imported(name: str) -> Sameness:
    module, _, path = name.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{_PLACE}.equivalence is {name!r}, which cannot be imported: {error}; "
            "allowed: exact, normalised, numbers, package.module:function"
        ) from error
    if not callable(found):
        raise ConfigurationError(
            f"{_PLACE}.equivalence is {name!r}, which is {type(found).__name__}; "
            "allowed: a function"
        )
    function: Sameness = found
    return function


def _try(same: Sameness, name: str) -> None:
    try:
        classes = [int(number) for number in same(list(_TRIAL))]
    except Exception as error:
        raise ConfigurationError(
            f"{_PLACE}.equivalence is {name!r}, which fails with {list(_TRIAL)}: "
            f"{type(error).__name__}: {error}; allowed: a function from a list of answers to the "
            "number of each one's class"
        ) from error
    if len(classes) != len(_TRIAL):
        raise ConfigurationError(
            f"{_PLACE}.equivalence is {name!r}, which gives {len(classes)} numbers for "
            f"{len(_TRIAL)} answers; allowed: one each"
        )

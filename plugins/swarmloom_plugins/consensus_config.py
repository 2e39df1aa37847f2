"""Settings of the consensus protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from swarmloom.errors import ConfigurationError, InputError
from swarmloom.protocol import ProtocolConfig
from swarmloom_protocols.consensus.panel import PanelSettings

if TYPE_CHECKING:
    from swarmloom_protocols.consensus.equivalences import Sameness

__all__ = ["ConsensusConfig", "sameness_of"]

_PLACE = "plugins.config.consensus"


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
        "and the budget allow, and of no effect in surveys (trust); unset: when another answer is "
        "not worth its price (panel), or can hardly change the verdict (trust).",
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
    from swarmloom_protocols.consensus.equivalences import named_equivalence

    try:
        return named_equivalence(config.equivalence)
    except InputError as error:
        raise ConfigurationError(f"{_PLACE}.{error}") from error

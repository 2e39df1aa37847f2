"""Settings of the stigmergy protocol."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from pydantic import Field

from swarmloom.errors import ConfigurationError
from swarmloom.protocol import ProtocolConfig
from swarmloom_protocols.stigmergy.topic_map import Embedder, TopicMap
from swarmloom_protocols.stigmergy.traces.lexical import lexical_vectors

__all__ = ["StigmergyConfig", "embedder_of"]

_PLACE = "plugins.config.stigmergy"
_TRIAL = ("tax law", "fluid dynamics")


class StigmergyConfig(ProtocolConfig):
    """Settings of the stigmergy protocol."""

    half_life: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Finished tasks after which a trace is worth half; unset: traces stay. Set it "
        "only when experts change faster than they are learned: in a steady crew decay costs.",
    )
    explore: bool = Field(
        False,
        description="Draw success rates from what is known instead of taking their mean, so that "
        "experts that are little known get tried: for long runs of crews that change.",
    )
    ungraded_weight: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Observations that an ungraded answer counts for which the verdict on several "
        "answers confirms or refutes; a graded one counts for one.",
    )
    topic_prior: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that an expert's rate over all topics counts for on each topic.",
    )
    expert_prior: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the crew's rate counts for in each expert's rate.",
    )
    near_topics: int = Field(
        16,
        ge=0,
        description="Near topics that are kept of each topic, at most, to learn from what is known "
        "of them; 0: topics share nothing but the experts' rates over all topics.",
    )
    embedder: str | None = Field(
        None,
        pattern=r"^[\w.]+:[\w.]+$",
        description="What says which topics are near: a function, as package.module:function, "
        "from a list of topics to an array with a row for each; unset: by their spelling alone.",
    )
    member_cap: float = Field(
        10.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the traces of one member about one expert on one topic "
        "count for at most.",
    )
    member_trust: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Weight of the traces that members leave, without a limit for all together; "
        "unset: learned from how well each member agrees with graded answers.",
    )
    members_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Observations that the traces of all members together, whatever their names, "
        "count for at most, as a share of what the swarm has seen itself.",
    )
    members_floor: float = Field(
        2.0,
        ge=0,
        allow_inf_nan=False,
        description="Observations that the traces of all members together may count for where the "
        "swarm has seen little or nothing itself.",
    )
    store: Path | None = Field(
        None,
        description="SQLite file in which several processes share what finished tasks taught, "
        "their load, notes and claims; unset: all of it stays in this process's memory. A "
        "relative path in a configuration file starts at that file.",
    )
    load_weight: float = Field(
        0.4,
        ge=0,
        allow_inf_nan=False,
        description="What other processes' calls to an expert beyond its capacity cost, in units "
        "of success rate for each call that waits per place; counts with a `store` alone.",
    )
    load_half_life: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which another process's last word on its load is worth half: "
        "one that crashed does not hold its places for ever.",
    )
    expected_topics: int = Field(
        64, ge=1, description="Topics for which memory is set aside; more topics take more."
    )


def embedder_of(config: StigmergyConfig) -> Embedder:
    """Give the function that places topics, tried once where it is to be used.

    Raises
    ------
    ConfigurationError
        If it cannot be imported, is no function, fails, or gives no vector for each topic.
    """
    if config.embedder is None:
        return lexical_vectors
    found = _imported(config.embedder)
    if config.near_topics:
        _try(found, config.embedder)
    return found


def _try(embed: Embedder, name: str) -> None:
    try:
        TopicMap(embed).extend(_TRIAL)
    except Exception as error:
        raise ConfigurationError(
            f"{_PLACE}.embedder is {name!r}, which fails with {list(_TRIAL)}: "
            f"{type(error).__name__}: {error}; allowed: a function from a list of topics to an "
            "array with a row for each"
        ) from error


def _imported(embedder: str) -> Embedder:
    module, _, path = embedder.partition(":")
    try:
        found = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"{_PLACE}.embedder is {embedder!r}, which cannot be imported: {error}; "
            "allowed: package.module:function"
        ) from error
    if not callable(found):
        raise ConfigurationError(
            f"{_PLACE}.embedder is {embedder!r}, which is {type(found).__name__}; "
            "allowed: a function"
        )
    function: Embedder = found
    return function

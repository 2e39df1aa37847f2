"""Settings of the bio-routing protocol."""

from __future__ import annotations

from pydantic import Field

from swarmloom.protocol import ProtocolConfig

__all__ = ["BioRoutingConfig", "Link"]


class Link(ProtocolConfig):
    """A one-way link between two members."""

    source: str = Field(description="Name of the member that sends.")
    target: str = Field(description="Name of the member that receives.")
    latency: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Seconds a message takes; unset: what was measured of the target.",
    )
    reliability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Probability that a message arrives; unset: what was measured of the target.",
    )


class BioRoutingConfig(ProtocolConfig):
    """Settings of the bio-routing protocol."""

    load_weight: float = Field(
        0.4,
        ge=0,
        allow_inf_nan=False,
        description="What an expected wait of one mean latency costs, in units of success rate.",
    )
    cost_weight: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="What a call at twice the crew's mean price costs, in units of success rate; "
        "prices are the declared ones, or measured where calls report their costs.",
    )
    slots: int | None = Field(
        None,
        ge=1,
        description="Calls an expert works on at the same time before the next ones wait; unset, "
        "and at most: its capacity.",
    )
    dispatchers: int = Field(
        1,
        ge=1,
        description="Swarms that send to the same experts, none seeing the others' calls: each "
        "own call then stands for half as many calls as there are dispatchers, at least for one.",
    )
    discount: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Factor by which each finished call discounts earlier ones; unset: "
        "1 - 1 / max(500, 5 × experts).",
    )
    prior: float = Field(
        2.0,
        gt=0,
        allow_inf_nan=False,
        description="Observations that the prior rates count for: 1 of answering, 1/2 of being "
        "right.",
    )
    health_step: float = Field(
        0.1, ge=0, le=1, description="How fast health follows outcomes; 0 switches it off."
    )
    health_memory: float = Field(
        0.999,
        gt=0,
        le=1,
        description="Factor by which each finished call of the crew brings health back to 1.",
    )
    latency_step: float = Field(
        0.1, gt=0, le=1, description="Step of the moving average of an expert's latency."
    )
    ungraded_weight: float = Field(
        0.25,
        ge=0,
        le=1,
        description="Observations that an ungraded answer counts for which the verdict on several "
        "answers confirms or refutes; a graded one counts for one.",
    )
    max_latency: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a call may be expected to take, its wait included: slower "
        "experts are left out; unset: no limit.",
    )
    min_reliability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Reliability that must be believable of an expert on the task's topic (two "
        "standard deviations above the estimate): others are left out; unset: no limit.",
    )
    strict: bool = Field(
        False,
        description="What becomes of tasks for which no expert keeps these limits: refused (true), "
        "or given to the best one with a warning.",
    )
    links: tuple[Link, ...] = Field(
        (), description="Who can reach whom; empty: every member reaches every expert."
    )
    expected_topics: int = Field(
        64, ge=1, description="Topics for which memory is set aside; more topics take more."
    )

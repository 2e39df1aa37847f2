"""The built-in patterns: named mixtures of protocols."""

from __future__ import annotations

from collections.abc import Callable

from swarmloom.markers import hookimpl
from swarmloom.protocol import Pattern

__all__ = ["PATTERNS", "swarmloom_register_patterns"]

PATTERNS = (
    Pattern(
        "panel",
        dict.fromkeys(
            ("consensus", "stigmergy", "bio_routing", "orchestration", "entanglement"), 1.0
        ),
        "Questions with one right answer and priced experts: all protocols, weighed alike; when to "
        "stop is the panel rule's.",
    ),
    Pattern(
        "crew",
        {
            "stigmergy": 1.0,
            "bio_routing": 1.0,
            "orchestration": 0.5,
            "entanglement": 0.25,
        },
        "Work that one expert does: trails and load lead.",
    ),
    Pattern(
        "consensus_allocator",
        {"consensus": 1.0, "orchestration": 1.0},
        "Trust decides who is right, the solver shares out scarce capacity.",
    ),
    Pattern(
        "stigmergic_solver",
        {"stigmergy": 1.0},
        "Trails alone: what worked on a topic is done again.",
    ),
    Pattern(
        "bio_communication_mesh",
        {"bio_routing": 1.0, "stigmergy": 0.25},
        "Experts that fail, slow down and queue up: load and health lead.",
    ),
)


@hookimpl
def swarmloom_register_patterns(register: Callable[[Pattern], None]) -> None:
    """Bring the built-in patterns."""
    for pattern in PATTERNS:
        register(pattern)

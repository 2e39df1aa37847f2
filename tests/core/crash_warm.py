"""Imported by the one process from which the killed ones are forked: it compiles all they need."""

from __future__ import annotations

from swarmloom.swarm import Swarm
from tests.core import crash_run

with Swarm(
    crash_run.make_experts(None, inline=True), crash_run.make_settings(0, crash_run.PLUGINS)
) as swarm:
    swarm.run(crash_run.make_tasks(6), feedback=crash_run.feedback)

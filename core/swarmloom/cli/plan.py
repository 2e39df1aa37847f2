"""`swarmloom plan`: the memory that a swarm will take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from swarmloom.cli.output import JsonFlag, emit

if TYPE_CHECKING:
    from swarmloom.memory_plan import MemoryPlan

__all__ = ["plan"]


def plan(
    experts: Annotated[int, typer.Option(min=1, help="Number of experts.")],
    config: Annotated[Path | None, typer.Option(help="Settings, TOML.")] = None,
    json: JsonFlag = False,
) -> None:
    """Show the memory that the protocols' arrays will take for a number of experts.

    Exit code 7 where it is more than this machine, or its container, has.
    """
    from swarmloom.config import load_settings
    from swarmloom.swarm import Swarm, plan_memory

    with Swarm(settings=load_settings(config)) as swarm:
        planned = plan_memory(swarm.host, experts)
    emit(_as_data(planned), json, lambda: _table(planned))
    planned.check()


def _as_data(plan: MemoryPlan) -> dict[str, Any]:
    arrays = [
        {
            "region": str(one.region),
            "name": one.name,
            "shape": list(one.shape),
            "dtype": str(one.dtype),
            "bytes": one.bytes,
        }
        for one in plan.table()
    ]
    regions = {str(region): size for region, size in plan.region_bytes().items()}
    return {"bytes": plan.bytes, "limit": plan.limit, "regions": regions, "arrays": arrays}


def _table(plan: MemoryPlan) -> Table:
    from swarmloom.memory_plan import format_bytes

    table = Table("region", "array", "shape", "type", box=None, show_footer=True)
    limit = format_bytes(plan.limit)
    table.columns[0].footer = "sum"
    table.add_column("size", justify="right", footer=f"{format_bytes(plan.bytes)} of {limit}")
    for one in plan.table():
        shape = " × ".join(map(str, one.shape))
        size = format_bytes(one.bytes)
        table.add_row(str(one.region), one.name, shape, str(one.dtype), size)
    return table

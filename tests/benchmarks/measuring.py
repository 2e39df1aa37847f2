"""What benchmarks share: the least CPU time of some calls, and figures that are kept and said."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")


def timed(
    function: Callable[[], Result],
    tries: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> tuple[Result, float]:
    """Return what the last of some calls returned, and the least CPU seconds of one.

    `clock` is that of all threads; ``time.thread_time`` counts the calling one alone. Where the
    first call compiles, or meets cold caches, the least is another's from two tries on.
    """
    seconds = []
    for _ in range(tries):
        start = clock()
        result = function()
        seconds.append(clock() - start)
    # A clock that has not moved must not make a ratio infinite.
    return result, max(min(seconds), 1e-9)


def least_cpu_seconds(
    function: Callable[[], Any], tries: int = 4, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the least CPU seconds of some calls, as `timed` measures them."""
    return timed(function, tries, clock)[1]


def tell(benchmark: Any, title: str = "", **facts: Any) -> None:
    """Keep figures with the benchmark's, and print them."""
    benchmark.extra_info.update(facts)
    shown = ", ".join(
        f"{name} {value:,.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in facts.items()
    )
    sys.stdout.write(f"\n  {title}: {shown}\n" if title else f"\n  {shown}\n")


def tell_beside(benchmark: Any, own: float, peers: Mapping[str, float], title: str = "") -> None:
    """Keep and print CPU seconds of our own in milliseconds, and how many times each peer's is."""
    benchmark.extra_info["cpu_ms"] = round(1e3 * own, 3)
    lines = [f"{title or benchmark.name}: {1e3 * own:.3f} ms of CPU time"]
    for name, seconds in peers.items():
        benchmark.extra_info[name] = round(seconds / own, 2)
        lines.append(f"  {name}: {1e3 * seconds:.3f} ms, {seconds / own:.2f} times ours")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")

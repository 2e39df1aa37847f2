"""What the guard adds to a hook call; prints microseconds an implementation, asserts nothing.

Run: ``python tests/benchmarks/hook_cost.py``. The least of fifteen repeats of 20,000 calls.
"""

from __future__ import annotations

import sys
import timeit
from types import SimpleNamespace

import pluggy

from swarmloom import hookimpl, hookspecs
from swarmloom.config import PluginSettings
from swarmloom.host import PluginHost
from swarmloom.markers import PROJECT

CALLS = 20_000


def plugin(answer: object) -> object:
    """Make a plugin whose hook gives the answer."""

    @hookimpl
    def swarmloom_snapshot() -> object:
        return answer

    return SimpleNamespace(swarmloom_snapshot=swarmloom_snapshot)


def microseconds(hook: pluggy.HookRelay, implementations: int) -> float:
    """Time a call, divided by the implementations."""
    best = min(timeit.repeat(hook.swarmloom_snapshot, number=CALLS, repeat=15))
    return best / CALLS / implementations * 1e6


def relays(count: int, answer: object) -> tuple[pluggy.HookRelay, pluggy.HookRelay]:
    """Make a bare and a guarded relay with the same plugins."""
    bare, host = pluggy.PluginManager(PROJECT), PluginHost(PluginSettings(enable=[]))
    bare.add_hookspecs(hookspecs.StateSpecs)
    for index in range(count):
        bare.register(plugin(answer))
        host.add(plugin(answer), f"plugin{index}")
    return bare.hook, host.hook


def main() -> None:
    """Print a row for each number of plugins and kind of result."""
    for count in (1, 5, 20):
        for answer in (None, {"a": 1}):
            bare, guarded = (microseconds(hook, count) for hook in relays(count, answer))
            result = "None" if answer is None else "a result"
            sys.stdout.write(
                f"{count:2} plugins, {result:8}: bare {bare:.3f}, guarded {guarded:.3f}, "
                f"guard {guarded - bare:+.3f} µs an implementation\n"
            )


if __name__ == "__main__":
    main()

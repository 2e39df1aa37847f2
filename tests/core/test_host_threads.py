"""The plugin host under many threads, with plugins slow enough for the threads to meet."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from swarmloom import hookimpl
from swarmloom.config import PluginSettings
from swarmloom.host import PluginHost
from swarmloom.plugin_records import KnownPlugin

THREADS = 8
PAUSE = 0.01


class Quiet:
    @hookimpl
    def swarmloom_snapshot(self):
        return None


def together(function):
    """Call a function from all threads at once; what it returns, by thread."""
    barrier = threading.Barrier(THREADS)

    def call(number):
        barrier.wait(30)
        return function(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def test_a_plugin_that_all_threads_enable_is_let_in_once():
    registered, told = [], []

    class Slow:
        @hookimpl
        def swarmloom_register_protocols(self, register):
            time.sleep(PAUSE)
            registered.append(threading.get_ident())

        @hookimpl
        def swarmloom_snapshot(self):
            return {}

    settings = PluginSettings(enable=[], disable=["slow"])
    host = PluginHost(settings, on_event=lambda kind, data: told.append((kind, data["plugin"])))
    host.add(Slow(), "slow")
    together(lambda number: host.enable("slow"))
    assert len(registered) == 1
    assert told == [("plugin_enabled", "slow")]
    assert len(host.hook.swarmloom_snapshot()) == 1


def test_a_report_is_of_one_moment_while_plugins_come_and_go(monkeypatch):
    quick = KnownPlugin.record

    def slow(plugin):
        time.sleep(PAUSE)
        return quick(plugin)

    monkeypatch.setattr(KnownPlugin, "record", slow)
    host = PluginHost(PluginSettings(enable=[]))
    for name in ("first", "second", "third"):
        host.add(Quiet(), name)

    def work(number):
        if number % 2:
            time.sleep(PAUSE)
            host.add(Quiet(), f"newcomer{number}")
            return set()
        return {record.name for record in host.report()}

    reports = [names for names in together(work) if names]
    assert len(reports) == THREADS // 2
    assert all({"first", "second", "third"} <= names for names in reports)
    assert len(host.report()) == 3 + THREADS // 2

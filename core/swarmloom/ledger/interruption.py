"""Ctrl-C: the run that was under way, and how to go on with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from swarmloom.errors import InterruptedRunError
from swarmloom.ledger.store import Ledger, default_path

__all__ = ["interruptible"]


@contextmanager
def interruptible(ledger: Ledger) -> Iterator[None]:
    """Name the run that Ctrl-C ends within the block.

    Parameters
    ----------
    ledger : Ledger
        Of this command alone: its latest run is the one that was under way.

    Raises
    ------
    InterruptedRunError
        In place of KeyboardInterrupt, with the command that goes on with the run.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(_what_now(ledger)) from None


def _what_now(ledger: Ledger) -> str:
    if not ledger.latest or ledger.record(ledger.latest).status == "finished":
        return "interrupted"
    if ledger.path is None:
        return "interrupted; the run is lost, since ledger.enabled is false"
    known = os.environ.get("SWARMLOOM_LEDGER__PATH") or default_path()
    place = "" if str(ledger.path) == str(known) else f" --ledger {shlex.quote(str(ledger.path))}"
    return f"interrupted; go on with: swarmloom resume {ledger.latest}{place}"

"""The ledger: the durable record of runs, in one SQLite file.

Every event is on record before it is acknowledged, so a process may be killed at any moment: what
was recorded is there, and the run goes on from it.
"""

from swarmloom.ledger.records import RunRecord, RunView
from swarmloom.ledger.replay import ReplayState, replay
from swarmloom.ledger.store import Ledger, default_path

__all__ = ["Ledger", "ReplayState", "RunRecord", "RunView", "default_path", "replay"]

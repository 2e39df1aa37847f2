"""One process that works on a board until all of it is done, and writes down what it did."""

from __future__ import annotations

import sys
import time

from swarmloom_protocols.stigmergy.traces.store import TraceStore


def main(path, record, agent, ttl, seconds):
    with TraceStore.open(path, timeout=60.0) as store, open(record, "a") as lines:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for claim in store.board("tasks").work(agent, float(ttl), poll=0.02):
            store.deposit("tries", "load", agent=agent)
            time.sleep(float(seconds))
            finished = claim.finish([agent, claim.token])
            print(claim.key, claim.token, finished, file=lines, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

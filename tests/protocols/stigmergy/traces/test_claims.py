"""Claims and boards: one holder at a time, each task recorded once, whoever dies."""

from __future__ import annotations

import math
import threading
import time

import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.traces.store import TraceStore

# -- claims ----------------------------------------------------------------------------------------


def test_one_agent_at_a_time(store, clock):
    first = store.claim("k", agent="a", ttl=10.0)
    assert (first.key, first.agent, first.expires) == ("k", "a", clock.now + 10.0)
    assert store.claim("k", agent="b", ttl=10.0) is None
    assert store.claim("k", agent="a", ttl=10.0) is None
    assert store.claim("l", agent="b", ttl=10.0) is not None


def test_an_ended_claim_can_be_taken_over(store, clock):
    first = store.claim("k", agent="a", ttl=10.0)
    clock.advance(9.999)
    assert store.claim("k", agent="b", ttl=10.0) is None
    clock.advance(0.001)
    second = store.claim("k", agent="b", ttl=10.0)
    assert second.token > first.token
    assert not first.finish("late")
    assert not first.renew(10.0)
    assert not first.release()
    assert store.result("k") is None
    assert second.finish("in time")
    assert store.result("k") == "in time"


def test_until_somebody_takes_over_an_ended_claim_still_counts(store, clock):
    claim = store.claim("k", agent="a", ttl=1.0)
    clock.advance(5.0)
    assert claim.renew(2.0)
    assert claim.expires == clock.now + 2.0
    assert store.claim("k", agent="b", ttl=1.0) is None
    clock.advance(5.0)
    assert claim.finish("late, but nobody else did it")
    assert store.claim("k", agent="b", ttl=1.0) is None


def test_a_released_key_can_be_claimed_at_once(store):
    first = store.claim("k", agent="a", ttl=10.0)
    assert first.release()
    second = store.claim("k", agent="b", ttl=10.0)
    assert second.token > first.token
    assert not first.release()
    assert store.claim("k", agent="c", ttl=10.0) is None


def test_what_is_finished_stays_finished(store, clock):
    claim = store.claim("k", agent="a", ttl=1.0)
    assert claim.finish({"pages": [1, 2]})
    assert claim.finish("again")
    assert not claim.renew(1.0)
    assert not claim.release()
    clock.advance(100.0)
    assert store.claim("k", agent="b", ttl=1.0) is None
    assert store.sweep() == 0
    assert store.result("k") == {"pages": [1, 2]}


def test_tokens_grow_even_after_a_sweep(store, clock):
    tokens = []
    for _ in range(5):
        tokens.append(store.claim("k", agent="a", ttl=1.0).token)
        clock.advance(2.0)
        assert store.sweep() == 1
    assert tokens == sorted(set(tokens))


def test_a_swept_claim_is_lost(store, clock):
    claim = store.claim("k", agent="a", ttl=1.0)
    clock.advance(2.0)
    store.sweep()
    assert not claim.finish("late")


def test_a_sweep_keeps_ended_claims_for_as_long_as_it_is_told(store, clock):
    claim = store.claim("k", agent="a", ttl=1.0)
    clock.advance(11.0)
    assert store.sweep(claims_kept=10.5) == 0
    assert store.sweep(clock() - 0.5, claims_kept=10.0) == 0
    assert claim.renew(1.0)
    clock.advance(11.0)
    assert store.sweep(claims_kept=10.0) == 1
    assert not claim.finish("late")
    with pytest.raises(InputError, match="claims_kept is -1"):
        store.sweep(claims_kept=-1)


def test_a_claim_can_be_taken_up_again_by_its_token(store, clock):
    first = store.claim("k", agent="a", ttl=5.0)
    again = store.claimed("k", agent="a", token=first.token, expires=first.expires)
    assert again.renew(9.0)
    clock.advance(6.0)
    assert store.claim("k", agent="b", ttl=5.0) is None
    assert not store.claimed("k", agent="a", token=first.token + 1, expires=0.0).finish("forged")
    assert again.finish("done")
    assert store.result("k") == "done"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ttl": 0.0}, r"ttl is 0\.0; allowed: finite, above 0"),
        ({"ttl": -1.0}, "ttl"),
        ({"ttl": math.nan}, "ttl"),
        ({"ttl": math.inf}, "ttl is inf; allowed: finite, above 0$"),
        ({"ttl": "1"}, "ttl is '1'; allowed: finite, above 0$"),
        ({"ttl": None}, "ttl is None"),
        ({"ttl": 10**400}, "ttl is a whole number of"),
        ({"ttl": 1e308, "now": 1.79e308}, "ttl is 1e\\+308, which ends beyond"),
        ({"now": "soon"}, "now is 'soon'; allowed: finite$"),
        ({"now": 10**400}, "now is a whole number of"),
        ({"agent": ""}, "agent is ''"),
        ({"agent": None}, "agent is None"),
        ({"now": math.nan}, "now is nan"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(store, wrong, message):
    before = store.snapshot()
    with pytest.raises(InputError, match=message):
        store.claim("k", **({"agent": "a", "ttl": 1.0} | wrong))
    with pytest.raises(InputError, match=message):
        store.board("b").next(**({"agent": "a", "ttl": 1.0} | wrong))
    assert store.snapshot() == before
    with pytest.raises(InputError, match="key"):
        store.claim(["list"], agent="a", ttl=1.0)
    for wrong in ("one text", ["x", ["list"]]):
        with pytest.raises(InputError, match="allowed"):
            store.board("b").add(wrong)
    with pytest.raises(InputError, match="now is nan"):
        store.claim("k", agent="a", ttl=1.0).renew(1.0, now=math.nan)
    assert store.board("b").waiting == 0


def test_a_result_that_cannot_be_written_is_refused(store):
    claim = store.claim("k", agent="a", ttl=1.0)
    with pytest.raises(InputError, match="result cannot be written"):
        claim.finish(object())
    assert store.result("k") is None
    with pytest.raises(InputError, match="ttl"):
        claim.renew(0.0)


# -- boards ----------------------------------------------------------------------------------------


def test_a_board_hands_out_its_tasks_in_order(store):
    board = store.board("b")
    assert board.add(["x", "y", "z"]) == 3
    assert board.add(["y", "w"]) == 1
    assert [board.next("a", 1.0).key for _ in range(4)] == ["x", "y", "z", "w"]
    assert board.next("a", 1.0) is None


def test_a_board_counts(store, clock):
    board = store.board("b")
    board.add(range(4))
    first, second = board.next("a", 5.0), board.next("b", 10.0)
    assert (board.waiting, board.held, board.done) == (2, 2, 0)
    assert second.finish("two")
    assert (board.waiting, board.held, board.done) == (2, 1, 1)
    clock.advance(5.0)
    assert (board.waiting, board.held, board.done) == (3, 0, 1)
    assert board.next("c", 5.0).key == first.key
    assert board.results() == {1: "two"}


def test_boards_are_apart_and_seen_by_all(store):
    store.board("b").add(["x"])
    store.board("c").add(["x", "y"])
    assert store.board("b").next("a", 1.0).key == "x"
    assert store.board("c").next("a", 1.0).key == "x"
    assert store.claim("x", agent="a", ttl=1.0) is not None
    assert store.board("c").waiting == 1
    assert store.board("empty").next("a", 1.0) is None
    assert (store.board("empty").waiting, store.board("empty").results()) == (0, {})
    with pytest.raises(InputError, match="board is ''"):
        store.board("")


def test_a_task_taken_over_comes_before_those_behind_it(store, clock):
    board = store.board("b")
    board.add(["x", "y", "z"])
    lost = board.next("a", 1.0)
    assert board.next("a", 100.0).key == "y"
    clock.advance(1.0)
    again = board.next("b", 1.0)
    assert (again.key, again.agent) == ("x", "b")
    assert not lost.finish("late")
    assert board.next("b", 1.0).key == "z"


def test_work_goes_on_until_everything_is_done(store, clock):
    board = store.board("b")
    board.add(range(5))
    board.next("somebody who dies", 7.0)
    started = clock.now
    seen = []
    for claim in board.work("a", 3.0, renewals=0, sleep=clock.advance):
        seen.append(claim.key)
        assert claim.finish(claim.key * 10)
    assert seen == [1, 2, 3, 4, 0]
    assert clock.now == pytest.approx(started + 7.0, abs=0.01)
    assert board.results() == {key: key * 10 for key in range(5)}
    assert list(board.work("b", 3.0)) == []


def test_what_is_not_finished_is_given_back(store):
    board = store.board("b")
    board.add(["x"])
    for tries, claim in enumerate(board.work("a", 100.0)):
        if tries == 2:
            claim.finish()
    assert tries == 2
    board.add(["y"])
    for _ in board.work("a", 100.0):
        break
    assert (board.waiting, board.held) == (1, 0)


def test_a_claim_is_renewed_while_its_task_is_worked_on(new_store):
    store = new_store(clock=time.time)
    board = store.board("b")
    board.add(["x"])
    for claim in board.work("a", 0.3):
        taken_over = []
        until = time.time() + 1.0
        while time.time() < until:
            taken_over.append(board.next("b", 0.3))
            time.sleep(0.02)
        assert not any(taken_over)
        assert claim.finish("done")
    assert board.results() == {"x": "done"}


def test_a_worker_that_hangs_loses_its_task(new_store):
    store = new_store(clock=time.time)
    board = store.board("b")
    board.add(["x"])
    hanging = next(board.work("a", 0.15, renewals=1))
    for claim in board.work("b", 10.0):
        assert claim.finish("by b")
    assert not hanging.finish("by a")
    assert board.results() == {"x": "by b"}


# -- threads ---------------------------------------------------------------------------------------


def together(count, work):
    """Run work(number) in several threads that start at once; give what they return."""
    barrier, returned, failed = threading.Barrier(count), {}, []

    def one(number):
        barrier.wait()
        try:
            returned[number] = work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    return [returned[number] for number in range(count)]


@pytest.mark.parametrize("round_", range(5))
def test_of_eight_threads_one_gets_the_claim(store, round_):
    claims = together(8, lambda number: store.claim("k", agent=f"a{number}", ttl=10.0))
    assert sum(claim is not None for claim in claims) == 1


def test_no_deposit_is_lost_between_threads():
    store = TraceStore()
    store.channel("scent", half_life=1e9)

    def deposit(number):
        for i in range(20_000):
            store.deposit(i % 3, "ok", agent=f"a{number % 2}")
            store.sense(i % 3, "ok")

    together(8, deposit)
    readings = [store.sense(key, "ok") for key in range(3)]
    assert sum(sum(reading.by_agent.values()) for reading in readings) == 160_000.0
    assert sum(reading.evidence for reading in readings) == 160_000
    assert store.changes(0)[0] == 160_000


def test_no_deposit_is_lost_between_threads_of_a_file(tmp_path):
    with TraceStore.open(tmp_path / "store.sqlite", timeout=60.0) as store:

        def deposit(number):
            for i in range(100):
                store.deposit(i % 3, "ok", agent="a")
            store.deposit_many([(i % 3, "ok", "a") for i in range(300)])

        together(8, deposit)
        assert sum(store.sense(key, "ok").evidence for key in range(3)) == 3200


def test_threads_do_each_task_once(store):
    board, done = store.board("b"), []
    board.add(range(200))

    def work(number):
        for claim in board.work(f"a{number}", 60.0, renewals=0, poll=0.005):
            done.append(claim.key)
            assert claim.finish(number)

    together(4, work)
    assert sorted(done) == list(range(200))
    assert list(board.results()) == list(range(200))


def test_threads_may_make_the_first_call_together(new_store):
    for _ in range(5):
        store = new_store()
        together(8, lambda number, store=store: store.deposit("k", "ok", agent=f"a{number}"))
        assert store.sense("k", "ok", trust={}).value == 8.0
        together(8, lambda number, store=store: store.advise("k"))


def test_readers_see_whole_deposits():
    # Amount and time of one deposit belong together: with a half-life of 1 a reading that mixed
    # two of them would be off by factors.
    store = TraceStore(clock=lambda: 0.0)
    store.channel("scent", half_life=1.0)
    stop = threading.Event()

    def write(_):
        time_, amount = 0.0, 1.0
        store.deposit("k", "scent", amount, agent="a", now=time_)
        for _ in range(20_000):
            time_ += 1.0
            # Half of what was there and as much again.
            store.deposit("k", "scent", 0.5, agent="a", now=time_)
        stop.set()

    def read(_):
        values = set()
        while not stop.is_set():
            cell = store.sense("k", "scent")
            if cell.last is not None:
                values.add(store.sense("k", "scent", now=-1.0).value)
        return values

    _, *seen = together(3, lambda number: write(0) if number == 0 else read(0))
    assert set().union(*seen) == {1.0}

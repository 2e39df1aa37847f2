"""The running agreement: safe and live with as many faulty replicas as allowed."""

import itertools
import multiprocessing

import numpy as np
import pytest

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.byzantine.messages import (
    Message,
    Phase,
    message_bytes,
    message_from,
)
from swarmloom_protocols.consensus.byzantine.replica import Replica
from swarmloom_protocols.consensus.byzantine.signatures import Keys, Signer, new_keys
from swarmloom_protocols.consensus.byzantine.simulation import simulate_agreement


def group(n, value="v", accepts=lambda value: True):
    signers, keys = new_keys(n)
    return signers, [
        Replica("i", who, signers[who], keys, f"{value}{who}", accepts) for who in range(n)
    ]


def settle(replicas, messages):
    """Hand every message to all, in order, until there is none left."""
    queue = list(messages)
    while queue:
        signed = queue.pop(0)
        for replica in replicas:
            queue += replica.receive(signed)


@pytest.mark.row("C13")
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 10])
def test_without_faults_the_first_primary_is_followed(n):
    _, replicas = group(n)
    settle(replicas, itertools.chain.from_iterable(replica.start() for replica in replicas))
    assert [replica.decided for replica in replicas] == ["v0"] * n
    assert all(replica.view == 0 for replica in replicas)


@pytest.mark.row("C13")
@pytest.mark.parametrize("n", [4, 7, 10])
@pytest.mark.parametrize("kind", ["silent", "equivocating", "forging"])
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_correct_replicas_agree_and_finish_with_f_faulty_ones(n, kind, loss):
    for seed in range(2):
        rng = np.random.default_rng([seed, n])
        faulty = dict.fromkeys(rng.choice(n, (n - 1) // 3, replace=False).tolist(), kind)
        result = simulate_agreement([f"v{i}" for i in range(n)], faulty=faulty, loss=loss, rng=rng)
        decided = {value for i, value in enumerate(result.decided) if i not in faulty}
        assert len(decided) == 1, (seed, result.decided)
        assert None not in decided


@pytest.mark.row("C13")
def test_too_many_equivocators_split_the_group():
    """Half of four lie: the even and the odd decide differently on some schedule."""
    splits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        faulty = dict.fromkeys((0, 3), "equivocating")
        result = simulate_agreement(["v"] * 4, faulty=faulty, most_views=1, rng=rng)
        splits += len({result.decided[1], result.decided[2]} - {None}) == 2
    assert splits > 0


def test_a_silent_primary_is_replaced():
    result = simulate_agreement(
        ["a", "b", "c", "d"], faulty={0: "silent"}, rng=np.random.default_rng(1)
    )
    assert result.decided == (None, "b", "b", "b")
    assert result.views == 1


def test_lies_leave_a_proof():
    result = simulate_agreement(
        list("abcd"), faulty={1: "equivocating"}, rng=np.random.default_rng(0)
    )
    assert {proof.sender for proof in result.equivocations} == {1}
    assert all(proof.first != proof.second for proof in result.equivocations)


def test_a_prepared_value_outlives_its_view():
    """Three of four commit, their votes are lost, the view changes: the value must stay."""
    _, replicas = group(4)
    proposal = replicas[0].start()
    prepares = [*proposal]
    for replica in replicas[1:]:
        prepares += replica.receive(proposal[0])
    for replica in replicas[1:]:
        for signed in prepares:
            replica.receive(signed)  # Commits are lost.
    assert all(replica.decided is None for replica in replicas[1:])
    settle(replicas[1:], itertools.chain.from_iterable(r.timeout() for r in replicas[1:]))
    assert [replica.decided for replica in replicas[1:]] == ["v0"] * 3


def test_who_missed_the_end_is_told():
    _, replicas = group(4)
    settle(replicas[:3], replicas[0].start())
    late = replicas[3]
    assert late.decided is None
    change = late.timeout()
    settle([late], itertools.chain.from_iterable(replicas[0].receive(m) for m in change))
    assert late.decided == "v0"


def test_values_that_may_not_be_decided_are_not():
    signers, replicas = group(4, accepts=lambda value: value.startswith("v"))
    settle(replicas[1:], [signers[0].sign(Message("i", Phase.PROPOSE, 0, 0, "garbage"))])
    assert [replica.refused for replica in replicas[1:]] == [1, 1, 1]
    settle(replicas[1:], itertools.chain.from_iterable(r.timeout() for r in replicas[1:]))
    assert {replica.decided for replica in replicas[1:]} == {"v1"}
    with pytest.raises(InputError, match="refuses"):
        Replica("i", 0, signers[0], replicas[0]._keys, "garbage", lambda value: False)


@pytest.mark.row("C13")
def test_bad_signatures_are_refused():
    signers, replicas = group(4)
    proposal = Message("i", Phase.PROPOSE, 0, 0, "v")
    forged = signers[1].sign(proposal)
    assert replicas[2].receive(forged) == []
    changed = bytearray(signers[0].sign(proposal))
    changed[-3] ^= 1
    assert replicas[2].receive(bytes(changed)) == []
    assert replicas[2].refused == 2
    assert replicas[2].receive(signers[0].sign(proposal))


@pytest.mark.parametrize(
    "message",
    [
        Message("other", Phase.PROPOSE, 0, 0, "v"),
        Message("i", Phase.PROPOSE, 0, 1, "v"),
        Message("i", Phase.PROPOSE, 4, 0, "v"),
        Message("i", Phase.CHANGE, 1, 0, "v", 0),
        Message("i", Phase.COMMIT, 1000, 0, "v"),
    ],
    ids=["another decision", "not the primary", "no claims", "no proof", "far ahead"],
)
def test_signed_nonsense_counts_for_nothing(message):
    signers, replicas = group(4)
    assert replicas[2].receive(signers[message.sender].sign(message)) == []
    assert replicas[2].refused == 1


def test_one_vote_each():
    signers, replicas = group(4)
    replicas[2].receive(signers[0].sign(Message("i", Phase.PROPOSE, 0, 0, "v")))
    for _ in range(5):
        replicas[2].receive(signers[1].sign(Message("i", Phase.COMMIT, 0, 1, "v")))
    assert replicas[2].decided is None


@pytest.mark.parametrize("data", [b"", b"x" * 200, b"\xff" * 64, b"0" * 64 + b'{"view": 0}'])
def test_noise_is_refused(data):
    _, replicas = group(4)
    assert replicas[0].receive(data) == []
    assert replicas[0].refused == 1


def test_messages_are_read_back_and_have_one_form():
    message = Message("i", Phase.CHANGE, 3, 2, "ä", 1, (b"\x00", b"x"))
    data = message_bytes(message)
    assert message_from(data) == message
    with pytest.raises(InputError, match="canonical"):
        message_from(data.replace(b",", b", ", 1))


def test_bad_keys():
    signers, keys = new_keys(2)
    with pytest.raises(InputError, match="32"):
        Signer(b"short")
    with pytest.raises(InputError, match="same"):
        Keys([signers[0].public, signers[0].public])
    with pytest.raises(InputError, match="public keys"):
        Keys([b"short"])
    with pytest.raises(InputError, match="not the key"):
        Replica("i", 1, signers[0], keys, "v")
    with pytest.raises(InputError, match="replicas are 0 to 1"):
        Replica("i", 2, signers[0], keys, "v")


@pytest.mark.parametrize("faulty", [{4: "silent"}, dict.fromkeys(range(4), "silent")])
def test_bad_groups(faulty):
    with pytest.raises(InputError, match="faulty"):
        simulate_agreement(list("abcd"), faulty=faulty, rng=np.random.default_rng(0))


def serve(number, seed, public, inbox, outboxes, results):
    """One replica in a process of its own."""
    replica = Replica("processes", number, Signer(seed), Keys(public), f"value {number}")
    outgoing = replica.start()
    while True:
        for signed in outgoing:
            for box in outboxes:
                box.put(signed)
        if replica.decided is not None and not outgoing:
            results.put((number, replica.decided))
            return
        outgoing = replica.receive(inbox.get(timeout=30))
        if replica.decided is not None:
            for signed in outgoing:
                for box in outboxes:
                    box.put(signed)
            results.put((number, replica.decided))
            return


@pytest.mark.row("C13")
def test_processes_agree():
    seeds = [bytes([number]) * 32 for number in range(4)]
    public = [Signer(seed).public for seed in seeds]
    context = multiprocessing.get_context("spawn")
    boxes, results = [context.Queue() for _ in seeds], context.Queue()
    processes = [
        context.Process(
            target=serve, args=(number, seed, public, boxes[number], boxes, results), daemon=True
        )
        for number, seed in enumerate(seeds)
    ]
    for process in processes:
        process.start()
    decided = dict(results.get(timeout=60) for _ in processes)
    assert decided == dict.fromkeys(range(4), "value 0")
    for process in processes:
        process.terminate()

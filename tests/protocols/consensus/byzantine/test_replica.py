"""The running agreement: safe and live with as many faulty replicas as allowed."""

import itertools
import multiprocessing

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
@pytest.mark.parametrize("loss", [0.0, 0.35])
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


def nonsense(signers):
    """What the liar, replica 3, may send, and correct replicas' words out of place."""

    def said(who, phase, view, value, claimed=-1, proof=(), instance="i"):
        message = Message(instance, phase, view, who, value, claimed, tuple(proof))
        return signers[who].sign(message)

    def votes(phase, view, value, senders=(0, 1, 3), instance="i"):
        return [said(who, phase, view, value, instance=instance) for who in senders]

    def changes(view, instance="i"):
        return [said(who, Phase.CHANGE, view, "", instance=instance) for who in (0, 1, 3)]

    prepared = said(0, Phase.CHANGE, 3, "good", 1, votes(Phase.PREPARE, 1, "good"))
    others = [said(1, Phase.CHANGE, 3, ""), said(3, Phase.CHANGE, 3, "")]
    unproved = said(3, Phase.CHANGE, 3, "lie", 2)
    foreign = said(3, Phase.CHANGE, 3, "lie", 2, votes(Phase.PREPARE, 2, "lie", instance="old"))
    return {
        "another decision": said(0, Phase.PROPOSE, 0, "v", instance="other"),
        "not the primary": said(1, Phase.PROPOSE, 0, "v"),
        "no claims": said(0, Phase.PROPOSE, 4, "v"),
        "claims of another decision": said(3, Phase.PROPOSE, 3, "lie", proof=changes(3, "old")),
        "claims for another view": said(3, Phase.PROPOSE, 3, "lie", proof=changes(2)),
        "what was prepared is passed over": said(
            3, Phase.PROPOSE, 3, "lie", proof=[prepared, *others]
        ),
        "unproved claim": said(3, Phase.PROPOSE, 3, "lie", proof=[prepared, others[0], unproved]),
        "claim with foreign votes": said(
            3, Phase.PROPOSE, 3, "lie", proof=[prepared, others[0], foreign]
        ),
        "change without proof": said(0, Phase.CHANGE, 1, "v", 0),
        "change with too many words": said(
            3, Phase.CHANGE, 1, "v", 0, votes(Phase.PREPARE, 0, "v") * 2
        ),
        "decision by too few": said(
            3, Phase.DECIDE, 0, "v", proof=votes(Phase.COMMIT, 0, "v", (1, 3))
        ),
        "decision by one, often": said(
            3, Phase.DECIDE, 0, "v", proof=votes(Phase.COMMIT, 0, "v", (3, 3, 3))
        ),
        "decision by prepares": said(3, Phase.DECIDE, 0, "v", proof=votes(Phase.PREPARE, 0, "v")),
        "decision by foreign votes": said(
            3, Phase.DECIDE, 0, "v", proof=votes(Phase.COMMIT, 0, "v", instance="old")
        ),
        "vote far ahead": said(3, Phase.COMMIT, 1000, "v"),
        "justified proposal far ahead": said(3, Phase.PROPOSE, 1003, "v", proof=changes(1003)),
        "vote with a proof": said(3, Phase.COMMIT, 0, "v", proof=votes(Phase.PREPARE, 0, "v")),
        "vote with a claim": said(3, Phase.PREPARE, 0, "v", 0),
        "long value": said(3, Phase.COMMIT, 0, "v" * 2000),
    }


@pytest.mark.parametrize("what", sorted(nonsense(new_keys(4).signers)))
def test_signed_nonsense_counts_for_nothing(what):
    signers, replicas = group(4)
    assert replicas[2].receive(nonsense(signers)[what]) == []
    assert replicas[2].refused == 1
    assert replicas[2].decided is None
    assert replicas[2].state() == {"view": 0, "messages": []}


def test_a_signature_of_the_same_bytes_for_another_purpose_is_none():
    """Whoever signs anything else with its key has signed nothing here."""
    seed = bytes(range(32))
    elsewhere = Ed25519PrivateKey.from_private_bytes(seed)
    signers = [Signer(seed), *new_keys(3).signers]
    keys = Keys([signer.public for signer in signers])
    data = message_bytes(Message("i", Phase.PROPOSE, 0, 0, "v"))
    replica = Replica("i", 1, signers[1], keys, "w")
    assert replica.receive(elsewhere.sign(data) + data) == []
    assert replica.refused == 1


@pytest.mark.parametrize(("movers", "view"), [((3,), 0), ((1, 3), 5)])
def test_a_view_is_followed_when_more_have_gone_there_than_can_lie(movers, view):
    signers, replicas = group(4)
    for who in movers:
        replicas[2].receive(signers[who].sign(Message("i", Phase.CHANGE, 5, who)))
    assert replicas[2].view == view


def test_the_latest_change_of_each_is_kept_and_no_other():
    """A liar that leaves for view after view may not fill the memory."""
    signers, replicas = group(4)
    for view in (*range(1, 50), 7):
        replicas[2].receive(signers[3].sign(Message("i", Phase.CHANGE, view, 3)))
    assert len(replicas[2].state()["messages"]) == 1
    assert replicas[2].equivocations == []


def test_who_is_many_views_behind_still_learns_the_decision():
    _, replicas = group(4)
    settle(replicas[:3], replicas[0].start())
    for _ in range(200):
        change = replicas[3].timeout()
    settle([replicas[3]], replicas[0].receive(change[0]))
    assert replicas[3].decided == "v0"


def test_a_function_that_fails_on_a_lie_refuses_it():
    signers, keys = new_keys(4)
    replica = Replica("i", 1, signers[1], keys, "7", lambda value: int(value) > 2)
    assert replica.receive(signers[0].sign(Message("i", Phase.PROPOSE, 0, 0, "lie"))) == []
    assert replica.refused == 1


@pytest.mark.parametrize("crash", range(8))
def test_who_comes_back_with_its_state_goes_on_without_contradicting_itself(crash):
    """Replica 1 crashes after its n-th message and comes back; nobody takes it for a liar."""
    signers, replicas = group(4)
    queue, heard = replicas[0].start(), 0
    while queue:
        signed = queue.pop(0)
        for replica in list(replicas):
            queue += replica.receive(signed)
        heard += 1
        if heard == crash:
            again = Replica("i", 1, signers[1], replicas[0]._keys, "v1")
            again.restore(replicas[1].state())
            assert again.state() == replicas[1].state()
            assert again.repeat() == replicas[1].repeat()
            replicas[1] = again
    assert [replica.decided for replica in replicas] == ["v0"] * 4
    assert not any(replica.equivocations for replica in replicas)


def test_a_prepared_value_is_still_claimed_after_a_crash():
    signers, replicas = group(4)
    proposal = replicas[0].start()
    votes = [*proposal, *(m for replica in replicas[1:] for m in replica.receive(proposal[0]))]
    for signed in votes:
        replicas[1].receive(signed)
    again = Replica("i", 1, signers[1], replicas[0]._keys, "v1")
    again.restore(replicas[1].state())
    change = replicas[0]._keys.opened(again.timeout()[0])
    assert (change.value, change.prepared_view, len(change.proof)) == ("v0", 0, 3)
    with pytest.raises(InputError, match="begun"):
        again.restore(replicas[1].state())


@pytest.fixture(scope="module")
def late():
    """Replica 1 of four, in view 70: all but the commits were exchanged there."""
    signers, replicas = group(4)
    for _ in range(70):
        queue = [signed for replica in replicas for signed in replica.timeout()]
    keys = replicas[1]._keys
    while queue:
        signed = queue.pop(0)
        if keys.opened(signed).phase != Phase.COMMIT:
            queue += [answer for replica in replicas for answer in replica.receive(signed)]
    return signers, keys, replicas[1]


def test_who_comes_back_in_a_late_view_goes_on_there(late):
    signers, keys, replica = late
    again = Replica("i", 1, signers[1], keys, "v1")
    again.restore(replica.state())
    assert again.view == 70
    assert again.state() == replica.state()
    assert again.repeat() == replica.repeat()
    for who in (0, 2):
        again.receive(signers[who].sign(Message("i", Phase.COMMIT, 70, who, "v2")))
    assert again.decided == "v2"


def damaged(state, signers):
    """States that are none of replica 1, by what is wrong with them."""
    messages = state["messages"]
    forged = messages[-1][:-3] + bytes([messages[-1][-3] ^ 1]) + messages[-1][-2:]
    foreign = signers[3].sign(Message("other", Phase.COMMIT, 70, 3, "v2"))
    votes = [signers[3].sign(Message("i", Phase.COMMIT, 70, 3, value)) for value in "ab"]
    return {
        "nothing": None,
        "a list": [70, messages],
        "empty": {},
        "no view": {"messages": messages},
        "no messages": {"view": 70},
        "view of text": {**state, "view": "70"},
        "view true": {**state, "view": True},
        "view below 0": {**state, "view": -1},
        "view before the last that was signed in": {**state, "view": 69},
        "view after it": {**state, "view": 71},
        "messages in one text": {**state, "messages": "messages"},
        "a message of text": {**state, "messages": [*messages, "noise"]},
        "a message that is none": {**state, "messages": [*messages, None]},
        "noise": {**state, "messages": [*messages, b"noise"]},
        "forged": {**state, "messages": [*messages[:-1], forged]},
        "another decision": {**state, "messages": [*messages, foreign]},
        "one message twice": {**state, "messages": [*messages, messages[0]]},
        "two votes of one": {**state, "messages": [*messages, *votes]},
        "too late a vote": {
            **state,
            "messages": [*messages, signers[3].sign(Message("i", Phase.COMMIT, 135, 3, "v2"))],
        },
    }


@pytest.mark.parametrize(
    "what", sorted(damaged({"view": 0, "messages": [b"1234"]}, new_keys(4).signers))
)
def test_of_a_damaged_state_nothing_is_taken_in(late, what):
    signers, keys, replica = late
    again = Replica("i", 1, signers[1], keys, "v1")
    with pytest.raises(InputError):
        again.restore(damaged(replica.state(), signers)[what])
    blank = Replica("i", 1, signers[1], keys, "v1")
    assert left_in(again) == left_in(blank)
    again.restore(replica.state())
    assert left_in(again) == left_in(replica)


def left_in(replica):
    """All that a replica holds, but for what it was made of."""
    made_of = {"_signer", "_keys", "_accepts"}
    return {name: value for name, value in vars(replica).items() if name not in made_of}


def test_who_has_told_of_a_decision_in_a_view_ahead_is_restored():
    signers, replicas = group(4)
    for who in (0, 2, 3):
        replicas[1].receive(signers[who].sign(Message("i", Phase.COMMIT, 5, who, "v")))
    replicas[1].receive(replicas[1].repeat()[0])  # Its own word comes back to it.
    assert (replicas[1].view, replicas[1].decided) == (0, "v")
    again = Replica("i", 1, signers[1], replicas[0]._keys, "v1")
    again.restore(replicas[1].state())
    assert again.state() == replicas[1].state()
    assert again.decided == "v"


@pytest.mark.parametrize("seed", range(6))
def test_any_state_of_a_run_is_restored_as_it_was(seed):
    """Messages and timeouts in random order, liars among them."""
    rng = np.random.default_rng(seed)
    signers, replicas = group(4)
    pool = [signers[3].sign(Message("i", Phase.PREPARE, view, 3, "lie")) for view in range(3)]
    pool += [signers[3].sign(Message("i", Phase.CHANGE, view, 3)) for view in range(1, 9)]
    pool += [message for replica in replicas for message in replica.start()]
    for _ in range(150):
        replica = replicas[rng.integers(3)]
        pool += (
            replica.timeout()
            if rng.random() < 0.1
            else replica.receive(pool[rng.integers(len(pool))])
        )
        number = replica._number
        again = Replica("i", number, signers[number], replica._keys, f"v{number}")
        again.restore(replica.state())
        assert again.state() == replica.state()
        assert again.repeat() == replica.repeat()
        assert again.decided == replica.decided


@pytest.mark.parametrize("phase", [Phase.PROPOSE, Phase.PREPARE, Phase.COMMIT])
def test_what_is_64_views_ahead_counts_and_what_is_farther_does_not(phase):
    signers, replicas = group(4)
    for view, refused in ((64, 0), (68, 1)):
        changes = [signers[who].sign(Message("i", Phase.CHANGE, view, who)) for who in (0, 1, 3)]
        proof = tuple(changes) if phase == Phase.PROPOSE else ()
        ahead = Message("i", phase, view, 0, "v", proof=proof)
        replicas[2].receive(signers[0].sign(ahead))
        assert replicas[2].refused == refused
    assert len(replicas[2].state()["messages"]) == 1


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
    with pytest.raises(InputError, match="value takes"):
        Replica("i", 0, signers[0], keys, "v" * 1100)
    with pytest.raises(InputError, match="instance takes"):
        Replica("i" * 1100, 0, signers[0], keys, "v")


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

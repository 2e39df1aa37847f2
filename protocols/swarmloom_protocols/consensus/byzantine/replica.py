"""A replica of a signed agreement: bytes in, bytes out; who carries them is the caller's choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from swarmloom.errors import InputError
from swarmloom_protocols.checks import whole
from swarmloom_protocols.consensus.byzantine.messages import Message, Phase, short
from swarmloom_protocols.consensus.byzantine.rules import (
    Prepared,
    change_is_sound,
    faults_tolerated,
    is_quorum,
    primary,
    proposal_is_justified,
)
from swarmloom_protocols.consensus.byzantine.signatures import Keys, Signer

__all__ = ["Equivocation", "Replica"]

# A liar may not fill the memory with votes for views that nobody will reach.
_MOST_VIEWS_AHEAD = 64
_VOTES = (Phase.PREPARE, Phase.COMMIT)


class Equivocation(NamedTuple):
    """Two signed messages of one sender that exclude each other: a proof that it lies.

    Attributes
    ----------
    sender : int
    first, second : bytes
    """

    sender: int
    first: bytes
    second: bytes


class Replica:
    """One voter on one value.

    Methods that return messages return signed bytes for **all** other replicas; hand each of them
    to `receive` there, in any order, as often as you like. Messages may be late or lost: call
    `repeat` now and then, and `timeout` when nothing was decided for a while, each time after a
    longer wait. Whatever is lost, no two correct replicas decide differently while at most
    f = ⌊(n − 1)/3⌋ are faulty; they decide at all once messages between correct ones arrive
    within the wait.

    A replica that comes back after a crash must know what it has signed, or it would contradict
    itself: write `state` down before its messages are sent, and give it to `restore`.

    Parameters
    ----------
    instance : str
        Name of the decision, the same at all replicas and used once. Up to 1,024 bytes of JSON.
    number : int
        Which replica this is.
    signer : Signer
    keys : Keys
        Public keys of all n replicas.
    value : str
        What this one proposes when it is its turn, up to 1,024 bytes of JSON. For more, agree on
        its digest.
    accepts : callable, optional
        ``accepts(value) -> bool``: values that may be decided; all by default. It must say the
        same at all correct replicas. Where it raises, the value is refused.

    Attributes
    ----------
    view : int
        How often the primary was changed.
    decided : str or None
        The value that a quorum has committed.
    equivocations : list of Equivocation
        Proofs of lies, one for each sender, phase and view.
    refused : int
        Messages that counted for nothing: unsigned, malformed, without proof, of another decision.
    """

    def __init__(
        self,
        instance: str,
        number: int,
        signer: Signer,
        keys: Keys,
        value: str,
        accepts: Callable[[str], bool] = lambda value: True,
    ) -> None:
        if not 0 <= number < len(keys):
            raise InputError(f"number is {number}; replicas are 0 to {len(keys) - 1}")
        short("instance", instance)
        if not accepts(short("value", value)):
            raise InputError(f"value = {value!r}: `accepts` refuses it")
        if signer.public != keys.public[number]:
            raise InputError(f"signer: not the key of replica {number}")
        self._instance, self._number, self._value = instance, number, value
        self._signer, self._keys, self._n = signer, keys, len(keys)
        self._accepts = accepts
        self.refused = 0
        self._forget()

    def _forget(self) -> None:
        """Be as one that has done nothing yet."""
        self._seen: dict[tuple[int, Phase, int], bytes] = {}
        self._known: dict[bytes, None] = {}
        self._prepares: defaultdict[Prepared, dict[int, bytes]] = defaultdict(dict)
        self._commits: defaultdict[Prepared, dict[int, bytes]] = defaultdict(dict)
        # The latest change of each sender: what it says, and as it was signed.
        self._changes: dict[int, tuple[Message, bytes]] = {}
        self._proposals: dict[int, str] = {}
        self._accepted: dict[int, str] = {}
        self._committed: set[int] = set()
        self._prepared = Prepared()
        self._proof: tuple[bytes, ...] = ()
        self._certificate: bytes | None = None
        self.view = 0
        self.decided: str | None = None
        self.equivocations: list[Equivocation] = []

    def start(self) -> list[bytes]:
        """Begin; the first primary proposes its value."""
        return self._act()

    def receive(self, signed: bytes) -> list[bytes]:
        """Take a message in and return what it calls for."""
        if signed in self._known:
            return []
        try:
            message = self._keys.opened(signed)
            self._take(message, signed)
        except InputError:
            self.refused += 1
            return []
        if self._certificate is not None and message.phase == Phase.CHANGE:
            return [self._certificate]  # For who missed the end.
        return self._act()

    def timeout(self) -> list[bytes]:
        """Give the primary up: go to the next view, and tell all what was prepared."""
        if self.decided is not None:
            return []
        self.view += 1
        vote = self._prepared
        change = self._message(Phase.CHANGE, vote.value, vote.view, self._proof)
        return [self._say(change), *self._act()]

    def repeat(self) -> list[bytes]:
        """Return what was said in this view once more, for a network that loses messages."""
        if self._certificate is not None:
            return [self._certificate]
        said = [(self._keys.opened(signed), signed) for signed in self._known]
        return [
            signed
            for message, signed in said
            if (message.sender, message.view) == (self._number, self.view)
        ]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs: the view, and all messages that counted, in order."""
        return {"view": self.view, "messages": list(self._known)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; only in a replica that has done nothing yet.

        Raises
        ------
        InputError
            The replica has begun, or this is no state of it: a part is missing, the messages are
            not of this decision, or the view is not the one that it was in when it signed the
            last of its own. Nothing is taken in then.
        """
        if self._known or self.view:
            raise InputError("restore: this replica has begun already")
        view, messages = _parts(state)
        try:
            self._replay(view, messages)
        except BaseException:
            self._forget()
            raise

    def _replay(self, view: int, messages: Sequence[bytes]) -> None:
        # First the view, for which views are too far ahead depends on it.
        self.view = view
        opened = [self._keys.opened(signed) for signed in messages]
        for message, signed in zip(opened, messages, strict=True):
            self._take(message, signed)
        if list(self._known) != list(messages):
            raise InputError("state: messages that repeat or exclude each other")
        # A decision is signed in its own view, which this replica need not have reached.
        own = [m for m in opened if m.sender == self._number and m.phase != Phase.DECIDE]
        last = max((message.view for message in own), default=0)
        if view != last:
            raise InputError(f"state: view is {view}; this replica's own messages end in {last}")
        self._decide()

    # Taking in.

    def _take(self, message: Message, signed: bytes) -> None:
        if message.instance != self._instance:
            raise InputError(f"a message of {message.instance!r}")
        far = message.view > self.view + _MOST_VIEWS_AHEAD
        if far and message.phase in (*_VOTES, Phase.PROPOSE):
            raise InputError(f"view {message.view} is too far ahead")
        self._check(message)
        first = self._seen.setdefault((message.sender, message.phase, message.view), signed)
        if first == signed:
            self._known[signed] = None
            self._enter(message, signed)
        elif all(first != known.first for known in self.equivocations):
            self.equivocations.append(Equivocation(message.sender, first, signed))

    def _check(self, message: Message) -> None:
        """Refuse what no correct replica would have sent."""
        if len(message.proof) > self._n or (message.phase in _VOTES and message.proof):
            raise InputError(f"a proof of {len(message.proof)} messages")
        if message.phase != Phase.CHANGE and message.prepared_view != -1:
            raise InputError("a claim outside of a change of view")
        if message.phase == Phase.DECIDE:
            vote = Prepared(message.view, message.value)
            if not is_quorum(self._supporters(message.proof, Phase.COMMIT, vote), self._n):
                raise InputError("a decision without its proof")
        elif message.phase == Phase.CHANGE:
            claim = _claim(message)
            supporters = self._supporters(message.proof, Phase.PREPARE, claim)
            if not change_is_sound(claim, message.view, supporters, self._n):
                raise InputError("a change of view without its proof")
        elif message.phase == Phase.PROPOSE:
            self._check_proposal(message)

    def _check_proposal(self, message: Message) -> None:
        claims = self._claims_in(message.proof, message.view)
        justified = proposal_is_justified(message.view, message.value, claims, self._n)
        if message.sender != primary(message.view, self._n) or not justified:
            raise InputError("a proposal without its proof")
        try:
            accepted = self._accepts(message.value)
        except Exception as error:
            # A liar may propose what the caller's function was not made for.
            raise InputError(f"`accepts` fails on a proposal: {error}") from error
        if not accepted:
            raise InputError("a proposal of what may not be decided")

    def _enter(self, message: Message, signed: bytes) -> None:
        """Count a message; what this replica has said itself says what it has done."""
        vote = Prepared(message.view, message.value)
        if message.phase == Phase.PREPARE:
            self._prepares[vote][message.sender] = signed
        elif message.phase == Phase.COMMIT:
            self._commits[vote][message.sender] = signed
        elif message.phase == Phase.PROPOSE:
            self._proposals[message.view] = message.value
        elif message.phase == Phase.DECIDE:
            self._settle(message.value, signed)
        else:
            self._enter_change(message, signed)
        if message.sender == self._number:
            self._enter_own(message.phase, vote)

    def _enter_own(self, phase: Phase, vote: Prepared) -> None:
        if phase == Phase.PREPARE:
            self._accepted[vote.view] = vote.value
        elif phase == Phase.COMMIT:
            self._committed.add(vote.view)
            self._prepared, self._proof = vote, tuple(self._prepares[vote].values())[: self._n]

    def _enter_change(self, message: Message, signed: bytes) -> None:
        """Keep the latest change of each sender, which alone can still lead to something."""
        before = self._changes.get(message.sender)
        older = None if before is None or before[0].view < message.view else (message, signed)
        outdated = before if older is None else older
        if outdated is not None:
            self._known.pop(outdated[1], None)
            self._seen.pop((message.sender, Phase.CHANGE, outdated[0].view), None)
        if older is None:
            self._changes[message.sender] = message, signed

    def _supporters(self, proof: Iterable[bytes], phase: Phase, claim: Prepared) -> set[int]:
        """Return whose votes for the claim a proof shows."""
        votes = [self._keys.opened(signed) for signed in proof]
        return {
            vote.sender
            for vote in votes
            if (vote.instance, vote.phase) == (self._instance, phase)
            and Prepared(vote.view, vote.value) == claim
        }

    def _claims_in(self, proof: Iterable[bytes], view: int) -> dict[int, Prepared]:
        """Return the sound claims of replicas that went to a view, as a proof shows them."""
        claims = {}
        for signed in proof:
            change = self._keys.opened(signed)
            if (change.instance, change.phase, change.view) == (self._instance, Phase.CHANGE, view):
                self._check(change)
                claims[change.sender] = _claim(change)
        return claims

    # Acting: whatever the rules allow now.

    def _act(self) -> list[bytes]:
        sent = [*self._follow(), *self._propose(), *self._prepare(), *self._commit()]
        self._decide()
        return sent

    def _follow(self) -> list[bytes]:
        """Go to the latest view that more replicas have reached than can be faulty."""
        views = sorted((change.view for change, _ in self._changes.values()), reverse=True)
        reached = views[faults_tolerated(self._n) :][:1]
        if self.decided is not None or not reached or reached[0] <= self.view:
            return []
        self.view = reached[0] - 1
        return self.timeout()

    def _propose(self) -> list[bytes]:
        mine = primary(self.view, self._n) == self._number
        if not mine or (self._number, Phase.PROPOSE, self.view) in self._seen:
            return []
        here = [pair for pair in self._changes.values() if pair[0].view == self.view]
        claims = {change.sender: _claim(change) for change, _ in here}
        latest = max(claims.values(), default=Prepared())
        value = self._value if latest == Prepared() else latest.value
        if not proposal_is_justified(self.view, value, claims, self._n):
            return []
        proof = tuple(signed for _, signed in here)
        return [self._say(self._message(Phase.PROPOSE, value, proof=proof))]

    def _prepare(self) -> list[bytes]:
        if self.view in self._accepted or self.view not in self._proposals:
            return []
        return [self._say(self._message(Phase.PREPARE, self._proposals[self.view]))]

    def _commit(self) -> list[bytes]:
        value = self._accepted.get(self.view)
        if value is None or self.view in self._committed:
            return []
        if not is_quorum(self._prepares[Prepared(self.view, value)], self._n):
            return []
        return [self._say(self._message(Phase.COMMIT, value))]

    def _decide(self) -> None:
        for vote, votes in self._commits.items():
            if self.decided is None and is_quorum(votes, self._n):
                # A liar's other vote may have come first elsewhere: the proof shows this one.
                proof = tuple(votes.values())
                decision = Message(
                    self._instance, Phase.DECIDE, vote.view, self._number, vote.value, proof=proof
                )
                self._settle(vote.value, self._signer.sign(decision))

    def _settle(self, value: str, certificate: bytes) -> None:
        if self.decided is None:
            self.decided, self._certificate = value, certificate

    def _message(
        self,
        phase: Phase,
        value: str,
        prepared_view: int = -1,
        proof: tuple[bytes, ...] = (),
    ) -> Message:
        return Message(self._instance, phase, self.view, self._number, value, prepared_view, proof)

    def _say(self, message: Message) -> bytes:
        """Sign a message and count it here too."""
        signed = self._signer.sign(message)
        self._take(message, signed)
        return signed


def _claim(change: Message) -> Prepared:
    """Return what the sender of a change says it had prepared."""
    return Prepared(change.prepared_view, change.value)


def _parts(state: object) -> tuple[int, list[bytes]]:
    """Return the view and the messages of a state, whose words are not looked into yet."""
    if not isinstance(state, Mapping) or not {"view", "messages"} <= set(state):
        raise InputError("state: no mapping with 'view' and 'messages', as `state` returns it")
    messages = state["messages"]
    if not isinstance(messages, list | tuple) or not all(isinstance(m, bytes) for m in messages):
        raise InputError("state: 'messages' must be a list of bytes")
    return whole("view", state["view"], 0), list(messages)

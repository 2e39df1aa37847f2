"""A replica of a signed agreement: bytes in, bytes out; who carries them is the caller's choice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.byzantine.messages import Message, Phase
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

    Parameters
    ----------
    instance : str
        Name of the decision, the same at all replicas and used once.
    number : int
        Which replica this is.
    signer : Signer
    keys : Keys
        Public keys of all n replicas.
    value : str
        What this one proposes when it is its turn.
    accepts : callable, optional
        ``accepts(value) -> bool``: values that may be decided; all by default. It must say the
        same at all correct replicas.

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
        if not accepts(value):
            raise InputError(f"value = {value!r}: `accepts` refuses it")
        if signer.public != keys.public[number]:
            raise InputError(f"signer: not the key of replica {number}")
        self._instance, self._number, self._value = instance, number, value
        self._signer, self._keys, self._n = signer, keys, len(keys)
        self._accepts = accepts
        self._seen: dict[tuple[int, Phase, int], bytes] = {}
        self._known: set[bytes] = set()
        self._prepares: defaultdict[Prepared, dict[int, bytes]] = defaultdict(dict)
        self._commits: defaultdict[Prepared, dict[int, bytes]] = defaultdict(dict)
        self._changes: defaultdict[int, dict[int, bytes]] = defaultdict(dict)
        self._claims: defaultdict[int, dict[int, Prepared]] = defaultdict(dict)
        self._proposals: dict[int, str] = {}
        self._accepted: dict[int, str] = {}
        self._committed: set[int] = set()
        self._prepared = Prepared()
        self._proof: tuple[bytes, ...] = ()
        self._certificate: bytes | None = None
        self._said: list[bytes] = []
        self.view = 0
        self.decided: str | None = None
        self.equivocations: list[Equivocation] = []
        self.refused = 0

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
        self._said = []
        vote = self._prepared
        change = self._message(Phase.CHANGE, vote.value, vote.view, self._proof)
        return [self._say(change), *self._act()]

    def repeat(self) -> list[bytes]:
        """Return what was said in this view once more, for a network that loses messages."""
        return list(self._said) if self._certificate is None else [self._certificate]

    # Taking in.

    def _take(self, message: Message, signed: bytes) -> None:
        if message.instance != self._instance:
            raise InputError(f"a message of {message.instance!r}")
        if message.view > self.view + _MOST_VIEWS_AHEAD:
            raise InputError(f"view {message.view} is too far ahead")
        self._check(message)
        first = self._seen.setdefault((message.sender, message.phase, message.view), signed)
        if first == signed:
            self._known.add(signed)
            self._enter(message, signed)
        elif all(first != known.first for known in self.equivocations):
            self.equivocations.append(Equivocation(message.sender, first, signed))

    def _check(self, message: Message) -> None:
        """Refuse what no correct replica would have sent."""
        if message.phase == Phase.DECIDE:
            vote = Prepared(message.view, message.value)
            if not is_quorum(self._supporters(message.proof, Phase.COMMIT, vote), self._n):
                raise InputError("a decision without its proof")
        if message.phase == Phase.CHANGE:
            claim = Prepared(message.prepared_view, message.value)
            supporters = self._supporters(message.proof, Phase.PREPARE, claim)
            if not change_is_sound(claim, message.view, supporters, self._n):
                raise InputError("a change of view without its proof")
        if message.phase == Phase.PROPOSE:
            claims = self._claims_in(message.proof, message.view)
            justified = proposal_is_justified(message.view, message.value, claims, self._n)
            if message.sender != primary(message.view, self._n) or not justified:
                raise InputError("a proposal without its proof")
            if not self._accepts(message.value):
                raise InputError("a proposal of what may not be decided")

    def _enter(self, message: Message, signed: bytes) -> None:
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
            self._changes[message.view][message.sender] = signed
            claim = Prepared(message.prepared_view, message.value)
            self._claims[message.view][message.sender] = claim

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
                claims[change.sender] = Prepared(change.prepared_view, change.value)
        return claims

    # Acting: whatever the rules allow now.

    def _act(self) -> list[bytes]:
        sent = [*self._follow(), *self._propose(), *self._prepare(), *self._commit()]
        self._decide()
        return sent

    def _follow(self) -> list[bytes]:
        """Go to a view to which more replicas have gone than can be faulty."""
        for view, changes in self._changes.items():
            enough = len(changes) > faults_tolerated(self._n)
            if view > self.view and enough and self.decided is None:
                self.view = view - 1
                return self.timeout()
        return []

    def _propose(self) -> list[bytes]:
        mine = primary(self.view, self._n) == self._number
        if not mine or (self._number, Phase.PROPOSE, self.view) in self._seen:
            return []
        claims = self._claims[self.view]
        latest = max(claims.values(), default=Prepared())
        value = self._value if latest == Prepared() else latest.value
        if not proposal_is_justified(self.view, value, claims, self._n):
            return []
        proof = tuple(self._changes[self.view].values())
        return [self._say(self._message(Phase.PROPOSE, value, proof=proof))]

    def _prepare(self) -> list[bytes]:
        if self.view in self._accepted or self.view not in self._proposals:
            return []
        value = self._accepted[self.view] = self._proposals[self.view]
        return [self._say(self._message(Phase.PREPARE, value))]

    def _commit(self) -> list[bytes]:
        value = self._accepted.get(self.view)
        if value is None or self.view in self._committed:
            return []
        votes = self._prepares[Prepared(self.view, value)]
        if not is_quorum(votes, self._n):
            return []
        self._committed.add(self.view)
        self._prepared, self._proof = Prepared(self.view, value), tuple(votes.values())
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
        self._said.append(signed)
        return signed

"""A group of replicas in one process, some of them faulty, on a network that loses and reorders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between, generator, whole
from swarmloom_protocols.consensus.byzantine.messages import Message, Phase
from swarmloom_protocols.consensus.byzantine.replica import Equivocation, Replica
from swarmloom_protocols.consensus.byzantine.rules import primary
from swarmloom_protocols.consensus.byzantine.signatures import Signer, new_keys

__all__ = ["Agreement", "Fault", "simulate_agreement"]

Fault = Literal["silent", "equivocating", "forging"]


class Agreement(NamedTuple):
    """What a simulated group came to.

    Attributes
    ----------
    decided : tuple of (str or None)
        What each replica decided; None for undecided and for faulty ones.
    views : int
        Changes of the primary, the most at one correct replica.
    messages : int
        Messages carried, one for each receiver.
    equivocations : tuple of Equivocation
        Proofs of lies that the correct replicas hold, each once.
    """

    decided: tuple[str | None, ...]
    views: int
    messages: int
    equivocations: tuple[Equivocation, ...]


def simulate_agreement(
    values: Sequence[str],
    *,
    faulty: Mapping[int, Fault] | None = None,
    loss: float = 0.0,
    patience: int = 10,
    most_views: int = 30,
    rng: np.random.Generator,
) -> Agreement:
    """Run one signed agreement to its end.

    Parameters
    ----------
    values : sequence of str
        What each of the n replicas would propose.
    faulty : mapping of int to {"silent", "equivocating", "forging"}, optional
        What is wrong with which replica: it says nothing; it votes for two values at once, each
        to one half of the others, and proposes both when it leads; it signs with another key.
    loss : float
        Probability that a message is lost, 0 to below 1.
    patience : int
        Deliveries between two replicas, on average, before the view is changed; it doubles with
        every change. Whenever no message is under way, all repeat what they said.
    most_views : int
        Changes after which the simulation gives up.
    rng : numpy.random.Generator
        Order and losses of messages. Keys are drawn from the operating system.

    Returns
    -------
    Agreement
    """
    between("loss", loss, 0.0, 0.999)
    group = _Group(values, dict(faulty or {}), loss, generator("rng", rng))
    group.run(whole("patience", patience, 1), whole("most_views", most_views, 1))
    return group.result()


class _Group:
    def __init__(
        self, values: Sequence[str], faulty: dict[int, Fault], loss: float, rng: np.random.Generator
    ) -> None:
        self.n, self.loss, self.rng = len(values), loss, rng
        signers, keys = new_keys(max(self.n, 1))
        self.correct = {
            who: Replica("simulation", who, signers[who], keys, value)
            for who, value in enumerate(values)
            if who not in faulty
        }
        unknown = set(faulty) - set(range(self.n))
        if unknown or not self.correct:
            raise InputError(f"faulty: {sorted(faulty)}; of {self.n} replicas one must be correct")
        # A forger's signature does not fit its number.
        forged = new_keys(self.n).signers
        self.liars = [
            _Liar(who, forged[who] if kind == "forging" else signers[who])
            for who, kind in faulty.items()
            if kind != "silent"
        ]
        self.wire: list[tuple[int, bytes]] = []
        self.carried = 0

    def run(self, patience: int, most_views: int) -> None:
        for who, replica in self.correct.items():
            self.send(who, replica.start())
        for view in range(most_views):
            for liar in self.liars:
                self.wire.extend(liar.attack(view, self.n))
            self.wait(patience * self.n**2 * 2 ** min(view, 20))
            if self.finished():
                return
            for who, replica in self.correct.items():
                self.send(who, replica.timeout())

    def wait(self, deliveries: int) -> None:
        """Deliver so many messages; whenever none is left all say once more what they said."""
        for _ in range(deliveries):
            if not self.wire:
                for who, replica in self.correct.items():
                    self.send(who, replica.repeat())
            if not self.wire or self.finished():
                return
            self.deliver()

    def finished(self) -> bool:
        return all(replica.decided is not None for replica in self.correct.values())

    def send(self, sender: int, messages: Sequence[bytes]) -> None:
        self.wire += [(who, signed) for signed in messages for who in self.correct if who != sender]

    def deliver(self) -> None:
        """Carry one message, whichever, to where it goes."""
        at = int(self.rng.integers(len(self.wire)))
        self.wire[at], self.wire[-1] = self.wire[-1], self.wire[at]
        to, signed = self.wire.pop()
        self.carried += 1
        if to in self.correct and self.rng.random() >= self.loss:
            self.send(to, self.correct[to].receive(signed))

    def result(self) -> Agreement:
        proofs = {
            (proof.sender, proof.first, proof.second): proof
            for replica in self.correct.values()
            for proof in replica.equivocations
        }
        decided = [
            self.correct[who].decided if who in self.correct else None for who in range(self.n)
        ]
        views = max(replica.view for replica in self.correct.values())
        return Agreement(tuple(decided), views, self.carried, tuple(proofs.values()))


class _Liar:
    """Says one thing to one half of the group and another to the other half."""

    def __init__(self, number: int, signer: Signer) -> None:
        self.number, self.signer = number, signer

    def attack(self, view: int, n: int) -> list[tuple[int, bytes]]:
        phases = [Phase.PREPARE, Phase.COMMIT]
        if primary(view, n) == self.number:
            phases.insert(0, Phase.PROPOSE)
        return [
            (to, self.signer.sign(Message("simulation", phase, view, self.number, value)))
            for phase in phases
            for to in range(n)
            for value in self.told(to)
        ]

    def told(self, to: int) -> tuple[str, ...]:
        """Tell even replicas one lie, odd ones the other, some both."""
        lies = ("lie 0", "lie 1")
        return lies if to % 3 == 2 else (lies[to % 2],)

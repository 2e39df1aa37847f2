"""Ed25519 signatures of messages (RFC 8032), by the library `cryptography`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from swarmloom.errors import InputError
from swarmloom_protocols.consensus.byzantine.messages import Message, message_bytes, message_from

__all__ = ["KeyRing", "Keys", "Signer", "new_keys"]

_SIGNATURE_BYTES = 64
# What is signed here can be taken for nothing that the same key signs elsewhere.
_DOMAIN = b"swarmloom agreement v1\x00"


class Signer:
    """One replica's private key.

    Parameters
    ----------
    seed : bytes
        The 32 bytes of the private key. Keep it secret; `new_keys` draws one.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise InputError(f"seed has {len(seed)} bytes; a private key of Ed25519 has 32")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: Message) -> bytes:
        """Return the message as bytes, its signature in front."""
        data = message_bytes(message)
        return self._key.sign(_DOMAIN + data) + data


class Keys:
    """The replicas' public keys, in the order of their numbers.

    Parameters
    ----------
    public : sequence of bytes
        32 bytes each, all different.

    Attributes
    ----------
    public : tuple of bytes
    """

    def __init__(self, public: Sequence[bytes]) -> None:
        self.public = tuple(public)
        if len(set(public)) != len(public):
            raise InputError("public keys: two replicas have the same one")
        try:
            self._keys = [Ed25519PublicKey.from_public_bytes(key) for key in public]
        except ValueError as error:
            raise InputError(f"public keys: {error}") from None

    def __len__(self) -> int:
        return len(self._keys)

    def opened(self, signed: bytes) -> Message:
        """Return a signed message, or raise `InputError`.

        Raises
        ------
        InputError
            Not a message, from nobody of the replicas, or not signed by its sender.
        """
        signature, data = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        message = message_from(data)
        if message.sender >= len(self._keys):
            raise InputError(f"sender {message.sender}; replicas are 0 to {len(self._keys) - 1}")
        try:
            self._keys[message.sender].verify(signature, _DOMAIN + data)
        except InvalidSignature:
            raise InputError(f"a bad signature of replica {message.sender}") from None
        return message


class KeyRing(NamedTuple):
    """Private and public keys of a group that is set up in one place."""

    signers: list[Signer]
    keys: Keys


def new_keys(n: int) -> KeyRing:
    """Draw keys for n replicas from the operating system.

    Parameters
    ----------
    n : int
        Replicas, at least 1.

    Returns
    -------
    KeyRing
        ``signers``, one to be given to each replica, and the ``keys`` that all of them know.
    """
    if n < 1:
        raise InputError(f"n is {n}; allowed: whole numbers from 1")
    signers = [Signer(Ed25519PrivateKey.generate().private_bytes_raw()) for _ in range(n)]
    return KeyRing(signers, Keys([signer.public for signer in signers]))

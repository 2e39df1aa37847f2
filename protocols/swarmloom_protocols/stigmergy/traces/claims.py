"""A claim: one agent's right to work on something for a while."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from swarmloom_protocols.stigmergy.traces.arguments import end_after, finite
from swarmloom_protocols.stigmergy.traces.keys import json_text
from swarmloom_protocols.stigmergy.traces.records import ClaimBook

__all__ = ["Claim"]


class Claim:
    """One agent's right to work on something, for a while.

    After its end anybody may take the work over. Until somebody does, the claim can still be
    renewed or finished. From then on it is lost: nothing it does is recorded.

    Attributes
    ----------
    key : hashable
        What was claimed.
    agent : str
    token : int
        Fencing token: higher than that of every claim given before by the same store. Whatever
        the work writes to can refuse a token lower than one it has seen.
    expires : float
        When others may take over, in seconds of the store's clock.
    """

    __slots__ = ("_board", "_book", "_clock", "agent", "expires", "key", "token")

    def __init__(
        self,
        book: ClaimBook,
        clock: Callable[[], float],
        board: str,
        key: Hashable,
        agent: str,
        token: int,
        expires: float,
    ) -> None:
        self._book, self._clock, self._board = book, clock, board
        self.key, self.agent, self.token, self.expires = key, agent, token, expires

    def __repr__(self) -> str:
        return f"Claim({self.key!r}, agent={self.agent!r}, token={self.token})"

    def renew(self, ttl: float, *, now: float | None = None) -> bool:
        """Move the claim's end to `ttl` seconds from now.

        Parameters
        ----------
        ttl : float
            Seconds, above 0.
        now : float, optional
            The clock's time by default.

        Returns
        -------
        bool
            False if the claim was lost, or its work is done.

        Raises
        ------
        InputError
            If `ttl` is not finite and positive.
        """
        when = self._clock() if now is None else finite("now", now)
        expires = end_after(when, ttl)
        if not self._book.renew(self._board, self.key, self.token, expires):
            return False
        self.expires = expires
        return True

    def release(self) -> bool:
        """Give the claim up, so that others can take the work at once.

        Returns
        -------
        bool
            False if the claim was lost, or its work is done.
        """
        return self._book.release(self._board, self.key, self.token)

    def finish(self, result: Any = "") -> bool:
        """Record that the work is done: nobody can claim it any more.

        Parameters
        ----------
        result : Any
            Anything that JSON can hold.

        Returns
        -------
        bool
            False if the claim was lost: another agent has taken the work over, and nothing was
            recorded. Finishing again with the same claim is True and changes nothing.

        Raises
        ------
        InputError
            If JSON has no place for the result.
        """
        text = json_text("result", result)
        return self._book.finish(self._board, self.key, self.token, text)

"""The trace store: sparse, decaying marks that agents leave for one another, and claims on work.

An amount x₀ left at time t₀ is worth x(t) = x₀·2^(−(t−t₀)/h) when it is read at t. Nothing is
swept in between, so that a deposit costs O(1) however much is stored. Amounts are kept apart for
each agent, so that none can speak for all: what an agent says about one key counts for no more
than its cap, and one whose word disagrees with that of others beyond chance loses weight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from swarmloom.errors import InputError
from swarmloom_protocols.checks import between
from swarmloom_protocols.stigmergy.traces.advice import advice, estimated_tokens
from swarmloom_protocols.stigmergy.traces.arguments import end_after, finite, trust_weights, unfit
from swarmloom_protocols.stigmergy.traces.board import WorkBoard
from swarmloom_protocols.stigmergy.traces.channels import BAD, GOOD, Channel, name
from swarmloom_protocols.stigmergy.traces.choice import Policy, chosen
from swarmloom_protocols.stigmergy.traces.claims import Claim
from swarmloom_protocols.stigmergy.traces.keeper import TraceKeeper
from swarmloom_protocols.stigmergy.traces.readings import reading
from swarmloom_protocols.stigmergy.traces.records import Reading

__all__ = ["TraceStore", "Trust"]

Trust: TypeAlias = Mapping[str, float] | Literal["learned"]


class TraceStore(TraceKeeper):
    """Marks that agents leave at keys for one another, and claims on work.

    Two channels are there from the start: ``"ok"`` for what worked and ``"fail"`` for what did
    not. On these an agent's word on one key counts for 10 observations at most, and for less where
    it disagrees with what the others say. Others are declared with `channel`.

    Safe from any thread. `TraceStore()` lives in memory, `TraceStore.open` in a file that several
    processes share.

    Parameters
    ----------
    backend : Backend, optional
        Where trails are kept; in memory by default.
    clock : callable, optional
        Returns seconds; `steady_clock` by default.
    neighbourhood : Neighbourhood, optional
        Which keys are near one another: `HopNeighbourhood` or `CosineNeighbourhood`; by default
        those whose texts share words or parts of words.
    log_size : int
        Deposits that the log in memory keeps (≥ 1).

    Examples
    --------
    >>> store = TraceStore(clock=lambda: 0.0)
    >>> store.deposit("invoices", "ok", agent="ada")
    1.0
    >>> store.deposit("invoices", "ok", 3, agent="bob")
    3.0
    >>> store.sense("invoices", "ok").value
    4.0
    """

    # -- reading --------------------------------------------------------------------------------

    def sense(
        self,
        key: Hashable,
        channel: str,
        *,
        radius: float = 0,
        now: float | None = None,
        trust: Trust | None = None,
    ) -> Reading:
        """Read what is left at a key, or at it and around it.

        Parameters
        ----------
        key : hashable
        channel : str
        radius : float
            0: the key alone. Else hops in a graph or a cosine distance, as the neighbourhood has
            it; what is farther away counts less.
        now : float, optional
            Time of reading; the clock's by default.
        trust : mapping of str to float, or "learned"
            Weight (≥ 0) of each agent; agents that are not named weigh ``trust["*"]``, or 1.
            ``"learned"``: from how well an agent's word agrees with that of others, on this
            channel and its opposite, or on ``"ok"`` and ``"fail"`` if it has none. By default
            learned where the channel has an opposite, 1 elsewhere.

        Returns
        -------
        Reading

        Raises
        ------
        InputError
            For an unknown channel, a weight that is negative or not finite, a time that is not
            finite, or a radius that the neighbourhood does not have.
        """
        found = self._channels.get(channel) or self._definition(channel)
        when = self._clock() if now is None else finite("now", now)
        plain = trust is None and found.opposite is None
        weights = None if plain else self._weights(found, trust, when)
        try:
            if not radius:
                return reading(self._backend.cell(key, found.name), found, weights, when)
            return self._nearby.reading(key, found, radius, weights, when)
        except TypeError as error:
            raise unfit(key, 0.0, now, error) from error

    def gradient(
        self,
        key: Hashable,
        channel: str,
        *,
        radius: float | None = None,
        now: float | None = None,
        trust: Trust | None = None,
    ) -> list[tuple[Hashable, float]]:
        """Compare a key's neighbours with it.

        Parameters
        ----------
        key : hashable
        channel : str
        radius : float, optional
            The neighbourhood's own by default: 1 hop, or a cosine distance of 0.7.
        now, trust
            As for `sense`.

        Returns
        -------
        list of (hashable, float)
            Each neighbour and how much more is left there than here, the most first.

        Raises
        ------
        InputError
            As for `sense`.
        """
        found = self._channels.get(channel) or self._definition(channel)
        when = self._clock() if now is None else finite("now", now)
        weights = self._weights(found, trust, when)
        reach = self._nearby.default_radius if radius is None else radius
        return self._nearby.gradient(key, found, reach, weights, when)

    # -- choosing and telling -------------------------------------------------------------------

    def choose(
        self,
        keys: Iterable[Hashable],
        *,
        good: str = GOOD,
        bad: str = BAD,
        policy: Policy = "thompson",
        rng: np.random.Generator | None = None,
        radius: float = 0,
        prior: tuple[float, float] = (1.0, 1.0),
        now: float | None = None,
        trust: Trust | None = None,
    ) -> Hashable:
        """Choose the key to try, by what succeeded and what failed there.

        Parameters
        ----------
        keys : iterable of hashable
            Options; at least one. For ``(place, what)`` options and a radius, what was left at
            near places with the same rest counts too, the less the farther.
        good, bad : str
            Channels of success and failure. An agent's two amounts are held to its cap together,
            so that their ratio stays.
        policy : {"thompson", "mean", "ucb"}
            Draw rates from what is known; take the highest mean; take the highest upper bound.
        rng : numpy.random.Generator, optional
            Makes choices reproducible; fresh by default.
        radius : float
            As for `sense`.
        prior : (float, float)
            Successes and failures (> 0) that every option starts with.
        now, trust
            As for `sense`.

        Returns
        -------
        hashable
            One of `keys`.

        Raises
        ------
        InputError
            If there are no keys, for an unknown policy, a prior that is not positive, or as for
            `sense`.
        """
        options = list(keys)
        if not options:
            raise InputError("keys is empty; allowed: at least one to choose from")
        pairs = np.array(self._outcomes(options, good, bad, radius, now, trust))
        generator = np.random.default_rng() if rng is None else rng
        return options[chosen(pairs[:, 0], pairs[:, 1], policy, prior, generator)]

    def advise(
        self,
        query: Hashable,
        *,
        k: int = 5,
        tokens: int = 200,
        radius: float | None = None,
        good: str = GOOD,
        bad: str = BAD,
        now: float | None = None,
        count_tokens: Callable[[str], int] = estimated_tokens,
    ) -> str:
        """Say in a few lines for a prompt what worked and what failed near a task.

        Parameters
        ----------
        query : hashable
            A task's text, or a node of the graph.
        k : int
            Records at most.
        tokens : int
            Tokens at most, as `count_tokens` counts them.
        radius : float, optional
            The neighbourhood's own by default.
        good, bad : str
            Channels of success and failure.
        now : float, optional
            The clock's time by default.
        count_tokens : callable
            Tokens of a text; by default an estimate that is rather too high.

        Returns
        -------
        str
            A line each, the nearest and best founded first, under a line that calls them data;
            empty where nothing is known. Keys and notes are cut, quoted, and kept on their line.

        Raises
        ------
        InputError
            As for `sense`, or if `k` or `tokens` is negative.
        """
        lines, limit = int(between("k", k, 0)), int(between("tokens", tokens, 0))
        reach = self._nearby.default_radius if radius is None else radius
        channels = self._definition(good), self._definition(bad)
        when = self._clock() if now is None else finite("now", now)
        weights = self._weights(channels[0], None, when)
        known = self._nearby.experiences(query, channels, reach, weights, when)
        return advice(known, lines, limit, count_tokens)

    # -- claims ---------------------------------------------------------------------------------

    def claim(
        self, key: Hashable, *, agent: str, ttl: float, now: float | None = None
    ) -> Claim | None:
        """Claim a key, unless somebody holds it or its work is done.

        Parameters
        ----------
        key : hashable
        agent : str
        ttl : float
            Seconds (> 0) after which others may take the key over.
        now : float, optional
            The clock's time by default.

        Returns
        -------
        Claim or None
            None if the key is held, by whomever, or finished.

        Raises
        ------
        InputError
            For an empty agent, a `ttl` or time that cannot be, or a key that cannot be kept.
        """
        if not agent or agent.__class__ is not str:
            name("agent", agent)
        when = self._clock() if now is None else finite("now", now)
        end = end_after(when, ttl)
        book = self._backend.claims
        try:
            token = book.take("", key, agent, when, end)
        except TypeError as error:
            raise unfit(key, 0.0, now, error) from error
        if token is None:
            return None
        return Claim(book, self._clock, "", key, agent, token, end)

    def claimed(self, key: Hashable, *, agent: str, token: int, expires: float) -> Claim:
        """Return a claim that was given before, as one that goes on after a restart needs it.

        Whether it still holds shows when it is renewed, released or finished.

        Parameters
        ----------
        key : hashable
        agent : str
        token : int
        expires : float
            As the claim had them.
        """
        book = self._backend.claims
        return Claim(book, self._clock, "", key, name("agent", agent), token, expires)

    def result(self, key: Hashable) -> Any:
        """Return what was recorded when the claim on a key was finished; None before that."""
        text = self._backend.claims.result("", key)
        return None if text is None else json.loads(text)

    def board(self, board: str) -> WorkBoard:
        """Return the board of this name, which all who share the store see.

        Parameters
        ----------
        board : str
            Not empty.
        """
        return WorkBoard(self._backend.claims, self._clock, name("board", board))

    # -- inside ---------------------------------------------------------------------------------

    def _outcomes(
        self,
        keys: Sequence[Hashable],
        good: str,
        bad: str,
        radius: float,
        now: float | None,
        trust: Trust | None,
    ) -> list[tuple[float, float]]:
        channels = self._definition(good), self._definition(bad)
        when = self._clock() if now is None else finite("now", now)
        weights = self._weights(channels[0], trust, when)
        try:
            return self._nearby.outcomes(keys, channels, radius, weights, when)
        except TypeError as error:
            raise unfit(tuple(keys), 0.0, now, error) from error

    def _weights(
        self, channel: Channel, trust: Trust | None, now: float
    ) -> Mapping[str, float] | None:
        """Give the weight of each agent; None where all count alike."""
        if trust is None and channel.opposite is None:
            return None
        if trust is not None and trust != "learned":
            return trust_weights(trust)
        return self._credence.weights(channel.name if channel.opposite else GOOD, now)

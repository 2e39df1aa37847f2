"""Who deposits trails, and what each depositor's word is worth."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from swarmloom_protocols.stigmergy.trust import guest_trust, learned_trust, pool_shares

__all__ = ["Appointments", "Standing"]

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Standing = Literal["peer", "reference", "guest"]


class Appointments:
    """Trust, cap and standing of each depositor; a peer without a cap by default.

    Parameters
    ----------
    guest_share, guest_floor : float
        All guests together count for at most ``max(guest_floor, guest_share · others)``
        observations of a cell, and of an expert over all topics.
    """

    def __init__(self, guest_share: float, guest_floor: float) -> None:
        self._guest_share, self._guest_floor = guest_share, guest_floor
        self._trust: dict[int, float] = {}
        self._caps: dict[int, float] = {}
        self._standing: dict[int, Standing] = {}

    def appoint(
        self, depositor: int, trust: float | None, cap: float | None, standing: Standing
    ) -> None:
        """Say how far a depositor is believed; None for a trust that is learned, no cap."""
        for told, value in ((self._trust, trust), (self._caps, cap)):
            told.pop(depositor, None)
            if value is not None:
                told[depositor] = value
        self._standing[depositor] = standing

    def trust(self, amounts: Float64Array, keys: IntArray) -> Float64Array:
        """Weigh each depositor, up to the highest row that deposited or was given a trust.

        Parameters
        ----------
        amounts : ndarray of float64, shape (2, N)
            Decayed success and failure amounts of each trail.
        keys : ndarray of int64, shape (4, N)
            Topic, expert, depositor and cell of each trail.

        Returns
        -------
        ndarray of float64, shape (D,)
        """
        depositors, cells = keys[2], keys[3]
        size = max([int(depositors.max(initial=0)), *self._trust]) + 1
        fixed = _table(self._trust, size, np.nan)
        capped = self._capped(amounts, depositors)
        guests = self._are("guest", size)
        among = ~guests[depositors]
        trust = learned_trust(capped[:, among], cells[among], depositors[among], fixed)
        if not guests.any():
            return trust
        borne_out = guest_trust(capped, cells, depositors, self._are("reference", size))
        return np.where(guests & np.isnan(fixed), borne_out, trust)

    def weighed(self, amounts: Float64Array, keys: IntArray) -> Float64Array:
        """Give the amounts after cap, trust and the guests' common limits.

        Parameters
        ----------
        amounts, keys
            As for `trust`.

        Returns
        -------
        ndarray of float64, shape (2, N)
        """
        depositors = keys[2]
        weighed: Float64Array = (
            self._capped(amounts, depositors) * self.trust(amounts, keys)[depositors]
        )
        guests = self._are("guest", int(depositors.max(initial=0)) + 1)[depositors]
        if guests.any():
            # Over all topics too: else many invented topics would speak for an expert.
            for places in (keys[3], keys[1]):
                size = weighed.sum(axis=0)
                shares = pool_shares(size, places, guests, self._guest_share, self._guest_floor)
                weighed = weighed * shares
        return weighed

    def _capped(self, amounts: Float64Array, depositors: IntArray) -> Float64Array:
        if not self._caps:
            return amounts
        caps = _table(self._caps, int(depositors.max(initial=0)) + 1, np.inf)
        total = amounts.sum(axis=0)
        share: Float64Array = np.minimum(1.0, caps[depositors] / np.maximum(total, 1e-300))
        return amounts * share

    def _are(self, standing: Standing, size: int) -> BoolArray:
        listed = np.zeros(size, dtype=np.bool_)
        listed[[who for who, is_ in self._standing.items() if is_ == standing and who < size]] = (
            True
        )
        return listed


def _table(told: dict[int, float], size: int, default: float) -> Float64Array:
    values = np.full(size, default)
    for depositor, value in told.items():
        if depositor < size:
            values[depositor] = value
    return values

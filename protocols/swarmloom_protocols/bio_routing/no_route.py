"""The error that all of bio-routing raises where no way, or nobody, keeps what is asked for."""

from __future__ import annotations

from swarmloom.errors import SwarmloomError

__all__ = ["NoRouteError"]


class NoRouteError(SwarmloomError):
    """Nothing keeps the limits; the message names the ends and the limit that cannot be kept."""

    exit_code = 6

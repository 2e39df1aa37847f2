"""The way of a message over the links between members."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from swarmloom.types import Message
from swarmloom_plugins.bio_routing_config import Link
from swarmloom_protocols.bio_routing.networks.network import Network
from swarmloom_protocols.bio_routing.networks.path_parts import Path
from swarmloom_protocols.bio_routing.networks.paths import constrained
from swarmloom_protocols.bio_routing.no_route import NoRouteError

__all__ = ["fastest_path"]


def fastest_path(
    message: Message,
    links: Sequence[Link],
    measured: Callable[[str], tuple[float, float]],
    away: Collection[str] = (),
) -> Path:
    """Find the fastest path that keeps the message's limits.

    Parameters
    ----------
    message : Message
    links : sequence of Link
        One way each.
    measured : callable
        ``measured(name)`` gives latency in seconds and reliability of a member, for links that do
        not say.
    away : collection of str
        Members that neither send, pass on nor receive.

    Returns
    -------
    Path

    Raises
    ------
    NoRouteError
        No path keeps the limits, or an end is no member or away; the message says which.
    InputError
        A limit is out of its range.
    """
    names = list(dict.fromkeys(name for link in links for name in (link.source, link.target)))
    # Without links anybody may send: of two unknown names the receiver's is the one to mend.
    for member in (message.destination, message.source):
        if member not in names:
            raise NoRouteError(
                f"no route from {message.source!r} to {message.destination!r}: "
                f"{member!r} is no member"
            )
    return constrained(
        _network(links, names, measured).fail(nodes=[name for name in names if name in away]),
        message.source,
        message.destination,
        max_latency=message.max_latency,
        min_reliability=message.min_reliability,
    )


def _network(
    links: Sequence[Link], names: Sequence[str], measured: Callable[[str], tuple[float, float]]
) -> Network:
    # Nobody needs a link to reach oneself.
    links = [link for link in links if link.source != link.target]
    row = {name: number for number, name in enumerate(names)}
    delays, reliabilities = [], []
    for link in links:
        latency, reliability = measured(link.target)
        delays.append(latency if link.latency is None else link.latency)
        reliabilities.append(reliability if link.reliability is None else link.reliability)
    return Network(
        [row[link.source] for link in links],
        [row[link.target] for link in links],
        1.0,
        delays,
        reliabilities,
        names,
    )

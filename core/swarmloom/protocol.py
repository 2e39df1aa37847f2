"""What a plugin brings: protocols, patterns, manager tools, report panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from swarmloom.ledger import RunView
    from swarmloom.swarm import Swarm

__all__ = ["ManagerTool", "Pattern", "ProtocolConfig", "ProtocolType", "ReportPanel"]


class ProtocolConfig(BaseModel):
    """Base of every plugin's configuration: frozen, unknown keys are errors.

    Each field has to carry a description; the configuration reference is made from them. A field
    for a file is a `pathlib.Path`: a relative one in a configuration file then starts at that file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProtocolType(Protocol):
    """What the host asks of a protocol class.

    An instance is made for each swarm and registered with pluggy, so its hook implementations are
    methods and its state is its own. It lives for as long as the swarm, over many runs.
    """

    name: ClassVar[str]
    Config: ClassVar[type[ProtocolConfig]]

    def __init__(self, config: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """A named hybrid of protocols.

    Attributes
    ----------
    name : str
        As users write it in the configuration.
    weights : mapping of str to float
        Weight of each protocol in the mixture (≥ 0); protocols not named weigh 0.
    description : str
        One sentence: when to use it.
    """

    name: str
    weights: Mapping[str, float]
    description: str = ""


@dataclass(frozen=True, slots=True)
class ManagerTool:
    """Something the manager agent, or a person, can do to a running swarm.

    Attributes
    ----------
    name : str
        snake_case; the name that a language model sees.
    description : str
        What it does, for a language model.
    function : callable
        ``function(swarm, **arguments) -> str``.
    arguments : mapping of str to str
        Name → description of each argument; all are strings or numbers. Where an agent calls, an
        argument named ``by`` is filled in with the agent's name.
    """

    name: str
    description: str
    function: Callable[..., str]
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, swarm: Swarm, **arguments: Any) -> str:
        """Run the tool on a swarm."""
        return self.function(swarm, **arguments)


@dataclass(frozen=True, slots=True)
class ReportPanel:
    """A section of the HTML report.

    Attributes
    ----------
    title : str
        Its heading.
    render : callable
        ``render(run) -> str``, an HTML fragment, "" to leave the section out.
    """

    title: str
    render: Callable[[RunView], str]

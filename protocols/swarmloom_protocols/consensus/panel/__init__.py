"""Latent-difficulty panel: which of several priced experts to ask next, and what to believe."""

from swarmloom_protocols.consensus.panel.likelihood import ABSENT, EMPTY
from swarmloom_protocols.consensus.panel.panel import Panel
from swarmloom_protocols.consensus.panel.reports import AskValues, Belief
from swarmloom_protocols.consensus.panel.settings import PanelSettings

__all__ = ["ABSENT", "EMPTY", "AskValues", "Belief", "Panel", "PanelSettings"]

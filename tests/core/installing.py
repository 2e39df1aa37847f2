"""Pretend distributions for tests: a dist-info folder and modules on the import path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]
GROUP = "swarmloom.plugins.v1"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give ``install(distribution, {plugin: source of its module}, group=…, version=…)``.

    Modules are named after distribution and plugin, so that two distributions may bring the same
    plugin name. They are forgotten after the test.
    """
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def make(
        distribution: str, plugins: Mapping[str, str], *, group: str = GROUP, version: str = "1.2"
    ) -> None:
        folder = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text)
        lines = [f"[{group}]"]
        for plugin, source in plugins.items():
            module = f"fake_{distribution.replace('-', '_')}_{plugin}"
            (tmp_path / f"{module}.py").write_text(dedent(source))
            lines.append(f"{plugin} = {module}")
        (folder / "entry_points.txt").write_text("\n".join(lines))

    yield make
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


OBSERVER = """
from swarmloom import hookimpl

@hookimpl
def swarmloom_snapshot():
    return {"from": __name__}
"""


def protocol_source(name: str, *, strength: float = 1.0, raises: str = "") -> str:
    """Source of a plugin that brings one protocol with one setting."""
    return f"""
import numpy as np
from pydantic import Field
from swarmloom import Proposal, ProtocolConfig, hookimpl


class Config(ProtocolConfig):
    '''Settings of {name}.'''

    strength: float = Field(default={strength}, ge=0, le=10, description="How strong.")


class Protocol:
    name = {name!r}
    Config = Config

    def __init__(self, config):
        self.config = config

    @hookimpl
    def swarmloom_navigate(self, round):
        {f"raise {raises}" if raises else ""}
        return Proposal(np.full(round.allowed.shape, self.config.strength, np.float32))

    @hookimpl
    def swarmloom_snapshot(self):
        return {{"strength": self.config.strength}}


@hookimpl
def swarmloom_register_protocols(register):
    register(Protocol)
"""

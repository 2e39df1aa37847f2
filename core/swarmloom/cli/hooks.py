"""`swarmloom hooks`: the hook reference, and the generated pages of the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown

from swarmloom.cli.output import JsonFlag, QuietFlag, emit

if TYPE_CHECKING:
    from swarmloom.protocol import ProtocolConfig

__all__ = ["hooks", "reference_pages"]


def hooks(
    write: Annotated[
        Path | None,
        typer.Option(help="Folder to write hooks.md and configuration.md into instead."),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Print the hook reference."""
    from swarmloom.hookdocs import hook_docs, hook_reference

    if write is None:
        data = [asdict(doc) for doc in hook_docs()]
        emit(data, json, lambda: Markdown(hook_reference()), quiet)
        return
    write.mkdir(parents=True, exist_ok=True)
    paths = [write / name for name in reference_pages()]
    for path, text in zip(paths, reference_pages().values(), strict=True):
        path.write_text(text, encoding="utf-8")
    emit([str(path) for path in paths], json, lambda: "\n".join(map(str, paths)), quiet)


def reference_pages() -> dict[str, str]:
    """Make the generated pages of the documentation, by file name.

    The configuration page has the settings of swarmloom's own protocols, not of others that happen
    to be installed.
    """
    from swarmloom.config import Settings
    from swarmloom.hookdocs import configuration_reference, hook_reference

    return {
        "hooks.md": hook_reference(),
        "configuration.md": configuration_reference(Settings, _built_in_models()),
    }


def _built_in_models() -> Mapping[str, type[ProtocolConfig]]:
    from swarmloom.config import PluginSettings
    from swarmloom.host import PluginHost

    host = PluginHost(PluginSettings())
    host.discover()
    return {name: type(c) for name, c in host.configs.items() if host.is_built_in(name)}

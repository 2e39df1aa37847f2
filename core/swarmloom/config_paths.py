"""Where relative paths start: in a configuration file at its folder, in plugins' settings too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from swarmloom.config_sources import Key

__all__ = ["located"]


def located(
    values: Mapping[str, Any],
    model: type[BaseModel],
    folder: Callable[[Key], Path | None],
    at: Key = (),
) -> dict[str, Any]:
    """Let the relative paths that a file gave start at the folder of that file.

    Parameters
    ----------
    values : mapping
        Not validated yet.
    model : type of BaseModel
        Says which of them are paths: those of its fields that take a `pathlib.Path`, and those of
        its sections.
    folder : callable
        Gives the folder of the file that gave the value of a key; None for a value from elsewhere.
    at : tuple
        Key of the values in the whole configuration.

    Returns
    -------
    dict
        The values with such paths made absolute; ``~`` stands for the user's home.
    """
    found = dict(values)
    for name, field in model.model_fields.items():
        given, key = found.get(name), (*at, name)
        kinds = {field.annotation, *get_args(field.annotation)}
        if isinstance(given, str) and given and Path in kinds:
            start = folder(key)
            if start is not None:
                found[name] = str(start / Path(given).expanduser())
        elif isinstance(given, Mapping):
            for section in kinds:
                if isinstance(section, type) and issubclass(section, BaseModel):
                    found[name] = located(given, section, folder, key)
    return found

"""Where configuration values come from, and how the layers are merged."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from swarmloom.errors import ConfigurationError
from swarmloom.reading import why_unreadable

__all__ = [
    "ENV_PREFIX",
    "Key",
    "Layer",
    "Origins",
    "environment_layer",
    "file_layer",
    "leaves",
    "merged",
]

Key = tuple[str | int, ...]

ENV_PREFIX = "SWARMLOOM_"
_DELIMITER = "__"


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each value came from, by key.

    Attributes
    ----------
    by_key : mapping of tuple to str
        "swarm.toml:3", "environment variable SWARMLOOM_DEVICE" or "argument".
    folders : mapping of tuple to Path
        Of the files, absolute, for those of the keys that a file gave.
    """

    by_key: Mapping[Key, str] = field(default_factory=dict)
    folders: Mapping[Key, Path] = field(default_factory=dict)

    @classmethod
    def uniform(cls, values: Mapping[str, Any], origin: str) -> Origins:
        """Give all leaves of nested mappings the same origin."""
        return cls({key: origin for key, _ in leaves(values)})

    def of(self, key: Key) -> str:
        """Find the origin of a value, or of the nearest thing that holds it; "" for neither."""
        holder = self._holder(key)
        return self.within(key) if holder is None else self.by_key[holder]

    def folder(self, key: Key) -> Path | None:
        """Find the folder of the file that gave a value; None if it came from elsewhere."""
        holder = self._holder(key)
        return None if holder is None else self.folders.get(holder)

    def _holder(self, key: Key) -> Key | None:
        parts = (key[:length] for length in range(len(key), 0, -1))
        return next((part for part in parts if part in self.by_key), None)

    def within(self, key: Key) -> str:
        """Find the origin of a value or of the first thing in it; "" where nothing was given."""
        return next((o for k, o in self.by_key.items() if k[: len(key)] == key), "")


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one source, or of several merged ones.

    Attributes
    ----------
    values : dict
        Nested by section.
    origins : Origins
    """

    values: dict[str, Any]
    origins: Origins


def leaves(values: Mapping[str, Any], path: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Walk nested mappings; an empty mapping is a leaf too."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def merged(layers: Iterable[Layer]) -> Layer:
    """Merge layers, later ones win; mappings are merged key by key, all else is replaced."""
    values: dict[str, Any] = {}
    origins: dict[Key, str] = {}
    folders: dict[Key, Path] = {}
    for layer in layers:
        values = _update(values, layer.values)
        for key in layer.origins.by_key:
            # What a later layer replaces has no older parts left.
            origins = {old: o for old, o in origins.items() if old[: len(key)] != key}
        origins.update(layer.origins.by_key)
        folders = {
            key: folder
            for key, folder in folders.items()
            if key in origins and key not in layer.origins.by_key
        }
        folders.update(layer.origins.folders)
    return Layer(values, Origins(origins, folders))


def _update(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for key, value in new.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = _update(known, value)
        result[key] = value
    return result


# -- TOML -----------------------------------------------------------------------------------------


def file_layer(file: Path) -> Layer:
    """Read a TOML file; an empty one gives no values.

    Raises
    ------
    ConfigurationError
        If the file is missing, a folder, unreadable, not UTF-8 or no TOML.
    """
    text = _text(file)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: not valid TOML: {error}") from None
    lines, folder = _lines(text), file.absolute().parent
    origins = {key: f"{file}:{line}" for key, line in lines.items()}
    return Layer(values, Origins(origins, dict.fromkeys(lines, folder)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {why_unreadable(error)}") from None


def _lines(text: str) -> dict[Key, int]:
    """Find the line of every key of valid TOML.

    A statement is the shortest run of lines that is TOML by itself; a header is one too and says
    which table the following statements fill.
    """
    found: dict[Key, int] = {}
    table: Key = ()
    lengths: dict[Key, int] = {}
    for line, statement in _statements(text):
        if statement.startswith("["):
            table = _table(tomllib.loads(statement), statement.startswith("[["), lengths)
            found.setdefault(table, line)
        else:
            for key, _ in leaves(tomllib.loads(statement)):
                found[(*table, *key)] = line
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    start, open_lines = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        if not open_lines:
            start = number
        open_lines.append(line)
        statement = "\n".join(open_lines).strip()
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement and not statement.startswith("#"):
            yield start, statement
        open_lines.clear()


def _table(header: Mapping[str, Any], is_array: bool, lengths: dict[Key, int]) -> Key:
    names: list[str] = []
    value: Any = header
    while value:
        value = value[0] if isinstance(value, list) else value
        if value:
            names.append(next(iter(value)))
            value = value[names[-1]]
    return _indexed(names, is_array, lengths)


def _indexed(names: list[str], is_array: bool, lengths: dict[Key, int]) -> Key:
    key: Key = ()
    for position, name in enumerate(names):
        key = (*key, name)
        if is_array and position == len(names) - 1:
            lengths[key] = lengths.get(key, 0) + 1
        if key in lengths:
            key = (*key, lengths[key] - 1)
    return key


# -- environment ----------------------------------------------------------------------------------


class _Environment(EnvSettingsSource):
    """pydantic-settings' source, with errors that name the variable."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError as error:
            ends = (f"{_DELIMITER}{field_name}".upper(), f"{ENV_PREFIX}{field_name}".upper())
            for name in _variables(self.settings_cls):
                if name.upper().endswith(ends) and os.environ[name] == value:
                    message = f"environment variable {name}: {value!r} is not JSON: {error}"
                    raise ValueError(message) from error
            raise


def environment_layer(model: type[BaseModel]) -> Layer:
    """Read the variables ``SWARMLOOM_SECTION__KEY``; lists and tables are written as JSON.

    Parameters
    ----------
    model : type of BaseModel
        Its fields are the sections.

    Raises
    ------
    ConfigurationError
        If a variable names no section or holds a list or table that is no JSON.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for name in _variables(model):
        keys[name] = tuple(name[len(ENV_PREFIX) :].lower().split(_DELIMITER))
        _check_section(name, keys[name], model)
    settings = type("_Sections", (BaseSettings, model), {"__module__": __name__})
    source = _Environment(
        settings,
        case_sensitive=False,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=_DELIMITER,
        env_parse_none_str="null",
    )
    try:
        values = source()
    except SettingsError as error:
        raise ConfigurationError(str(error.__cause__ or error)) from None
    config = values.get("plugins", {}).get("config")
    if config:
        values["plugins"]["config"] = _with_containers(config)
    return Layer(values, Origins(_environment_origins(values, keys)))


def _environment_origins(
    values: Mapping[str, Any], keys: Mapping[str, tuple[str, ...]]
) -> dict[Key, str]:
    origins: dict[Key, str] = {}
    for name, key in sorted(keys.items(), key=lambda item: len(item[1])):
        value: Any = values
        for part in key:
            value = value.get(part) if isinstance(value, Mapping) else None
        inner = leaves(value) if isinstance(value, Mapping) and value else [((), value)]
        origins.update({(*key, *rest): f"environment variable {name}" for rest, _ in inner})
    return origins


def _with_containers(value: Any) -> Any:
    """Read lists and tables in settings whose types only their plugin knows."""
    if isinstance(value, Mapping):
        return {key: _with_containers(inner) for key, inner in value.items()}
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _variables(model: type[BaseModel]) -> list[str]:
    """Variables that hold settings; others, such as SWARMLOOM_TRACE_HOOKS, have no section."""
    sections = {name.upper() for name in model.model_fields}
    return [
        name
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX)
        and (_DELIMITER in name or name.upper()[len(ENV_PREFIX) :] in sections)
    ]


def _check_section(name: str, key: tuple[str, ...], model: type[BaseModel]) -> None:
    known = list(model.model_fields)
    if key[0] not in known:
        near = get_close_matches(key[0], known, n=1)
        raise ConfigurationError(
            f"environment variable {name}: there is no section {key[0]!r}"
            + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}")
        )

"""Messages about wrong settings: where, which key, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swarmloom.errors import ConfigurationError

__all__ = ["allowed_values", "key_name", "plugin_config_error", "schema_at", "settings_error"]

Key = tuple[str | int, ...]
Origin = Callable[[Key], str]

_TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "unset",
    "object": "a table",
    "array": "a list",
}
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matching {}",
}


def settings_error(
    model: type[BaseModel], error: ValidationError, origin: Origin, prefix: Key = ()
) -> ConfigurationError:
    """Turn pydantic's errors into one message, a line each.

    Parameters
    ----------
    model : type of BaseModel
        What was validated.
    error : ValidationError
        What pydantic found.
    origin : callable
        Says where the value of a key came from.
    prefix : tuple
        Key of the model in the whole configuration.
    """
    lines = [_line(model, one, origin, prefix) for one in error.errors(include_url=False)]
    return ConfigurationError("\n".join(lines))


def plugin_config_error(
    name: str, model: type[BaseModel], error: ValidationError, origin: Origin
) -> ConfigurationError:
    """Turn pydantic's errors about a protocol's settings into one message.

    Parameters
    ----------
    name : str
        Of the protocol.
    model : type of BaseModel
        Its settings.
    error : ValidationError
        What pydantic found.
    origin : callable
        Says where the value of a key came from.
    """
    return settings_error(model, error, origin, ("plugins", "config", name))


def key_name(key: Iterable[str | int]) -> str:
    """Write a key as users do: ``experts[2].price``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in key]
    return "".join(parts).removeprefix(".")


def allowed_values(schema: Mapping[str, Any]) -> str:
    """Say in words which values a JSON schema allows.

    Parameters
    ----------
    schema : mapping
        Of one field, references resolved.

    Examples
    --------
    >>> allowed_values({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]})
    'a whole number ≥ 0, or unset'
    """
    if "anyOf" in schema:
        return ", or ".join(allowed_values(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if "prefixItems" in schema:
        return f"[{', '.join(allowed_values(item) for item in schema['prefixItems'])}]"
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    parts = (_type_name(schema), " and ".join(bounds), _inner(schema))
    return " ".join(part for part in parts if part)


def _type_name(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "path":
        return "a path"
    return "a table" if "$ref" in schema else _TYPES.get(schema.get("type", ""), "anything")


def _inner(schema: Mapping[str, Any]) -> str:
    inner = schema.get("items") or schema.get("additionalProperties")
    return f"of: {allowed_values(inner)}" if isinstance(inner, Mapping) else ""


def schema_at(model: type[BaseModel], key: Key) -> dict[str, Any]:
    """Find the JSON schema of a key of a model, or of the nearest thing that holds it."""
    whole = model.model_json_schema()
    schema: dict[str, Any] = whole
    for part in key:
        below = _below(schema, part)
        if below is None:
            break
        schema = _resolved(below, whole)
    return schema


def _below(schema: Mapping[str, Any], part: str | int) -> dict[str, Any] | None:
    for option in schema.get("anyOf", (schema,)):
        found = option.get("properties", {}).get(part)
        if found is None:
            found = option.get("items" if isinstance(part, int) else "additionalProperties")
        if isinstance(found, dict):
            return found
    return None


def _resolved(schema: dict[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        target: dict[str, Any] = whole["$defs"][name]
        return target
    return schema


def _line(model: type[BaseModel], one: ErrorDetails, origin: Origin, prefix: Key) -> str:
    key = one["loc"]
    where = origin((*prefix, *key))
    name = key_name((*prefix, *key))
    # What concerns the whole file has no key.
    start = ": ".join(part for part in ("" if where == "argument" else where, name) if part)
    if one["type"] == "extra_forbidden":
        return f"{start} is no setting{_nearest(model, key)}"
    if one["type"] == "missing":
        allowed = allowed_values(schema_at(model, key))
        return f"{start} is missing; allowed: {allowed}"
    if one["type"] == "value_error":
        message = one["msg"].removeprefix("Value error, ")
        return f"{start}: {message}" if start else message
    allowed = allowed_values(schema_at(model, key))
    return f"{start} is {one['input']!r}; allowed: {allowed}"


def _nearest(model: type[BaseModel], key: Key) -> str:
    known = list(schema_at(model, key[:-1]).get("properties", {}))
    near = get_close_matches(str(key[-1]), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"

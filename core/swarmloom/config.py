"""The configuration: one frozen model an area, from arguments, environment and a TOML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from swarmloom.config_errors import settings_error
from swarmloom.config_paths import located
from swarmloom.config_sources import (
    Key,
    Layer,
    Origins,
    environment_layer,
    file_layer,
    merged,
)

__all__ = [
    "BudgetSettings",
    "ExpertSettings",
    "LedgerSettings",
    "PluginSettings",
    "Settings",
    "SwarmSettings",
    "load_settings",
]

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SwarmSettings(_Section):
    """How the swarm decides and works: `[swarm]`."""

    seed: int = Field(
        default=0, ge=0, description="Seed of all random numbers; runs with the same seed agree."
    )
    pattern: str = Field(
        default="panel", description="Name of the mixture of protocols to start with."
    )
    weights: dict[str, Weight] = Field(
        default_factory=dict,
        description="Weights of single protocols in the mixture; they win over the pattern's.",
    )
    default_weight: Weight = Field(
        default=0.25,
        description="Weight of protocols of third parties that the pattern does not name.",
    )
    window: int = Field(
        default=64,
        ge=1,
        description="Tasks that are open at the same time, at most; tasks on which answers are "
        "compared start with one, and one more for every two that are finished, on each topic.",
    )
    concurrency: int = Field(
        default=128, ge=1, description="Calls in flight at the same time, at most."
    )
    timeout: Seconds | None = Field(
        default=120.0,
        description="Seconds after which a call counts as failed, for experts without a limit of "
        "their own; `inf` for no limit.",
    )
    quorum: int = Field(
        default=3,
        ge=1,
        description="Answers that the kernel's own majority buys for a task, at most.",
    )
    retries: int = Field(
        default=3,
        ge=0,
        description="Further experts that are tried after a task's first call has failed.",
    )

    @field_validator("timeout", mode="before")
    @classmethod
    def _infinite_is_none(cls, timeout: Any) -> Any:
        # TOML has no null, and JSON, in which settings are recorded, has no infinity.
        return None if timeout in (math.inf, "inf") else timeout


class BudgetSettings(_Section):
    """Hard limits on a run: `[budget]`. Unset means no limit."""

    calls: int | None = Field(default=None, ge=0, description="Calls, at most.")
    cost: Weight | None = Field(
        default=None, description="Sum of all costs, at most, in the unit of the experts' prices."
    )
    seconds: Seconds | None = Field(
        default=None, description="Seconds since the run began, at most."
    )


class PluginSettings(_Section):
    """Which plugins take part, and their own settings: `[plugins]`."""

    enable: list[str] | None = Field(
        default=None,
        description="Installed plugins that are let in; unset for all, an empty list for none.",
    )
    disable: list[str] = Field(
        default_factory=list,
        description="Plugins that are kept out; they are not even imported. Wins over `enable`.",
    )
    required: list[str] = Field(
        default_factory=list,
        description="Plugins without which a swarm does not start.",
    )
    max_failures: int = Field(
        default=3, ge=1, description="Failures after which a plugin is quarantined."
    )
    config: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Settings of the protocols, one table each: `[plugins.config.NAME]`. Relative "
        "paths in a configuration file start at that file.",
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

    def origin(self, key: Key) -> str:
        """Say where the value of a key of the whole configuration came from, "" for code."""
        return self._origins.of(key)

    def folder(self, key: Key) -> Path | None:
        """Give the folder of the file that gave the value of a key; None if none did."""
        return self._origins.folder(key)


class LedgerSettings(_Section):
    """Where runs are recorded: `[ledger]`."""

    enabled: bool = Field(
        default=True,
        description="Whether runs are kept on disk; false records them in memory only.",
    )
    path: Path | None = Field(
        default=None,
        description="The ledger's file; unset for `ledger.sqlite` in the user's data directory. "
        "A relative path in a configuration file starts at that file.",
    )


class ExpertSettings(_Section):
    """One expert of a crew that the swarm builds itself: `[[experts]]`."""

    name: str = Field(min_length=1, description="Unique name of the expert.")
    price: Weight = Field(default=1.0, description="Declared price of one call.")
    llm: str | None = Field(
        default=None,
        description="Name of the model as CrewAI writes it; unset for CrewAI's default, "
        "that of the variable `MODEL`, `MODEL_NAME` or `OPENAI_MODEL_NAME`, else its own.",
    )
    role: str = Field(default="", description="The agent's role; the name where empty.")
    goal: str = Field(default="", description="The agent's goal.")
    backstory: str = Field(default="", description="The agent's backstory.")
    skills: list[str] = Field(
        default_factory=list, description="What it can do; empty means anything."
    )
    capacity: int = Field(default=1_000_000, ge=1, description="Calls it takes at the same time.")
    timeout: Seconds | None = Field(
        default=None,
        description="Seconds after which a call counts as failed; unset for the swarm's.",
    )


class Settings(_Section):
    """The whole configuration. As an object it is made of arguments and defaults alone.

    `load_settings` adds a file and the environment.

    Examples
    --------
    >>> Settings(swarm={"seed": 7}).swarm.seed
    7
    """

    swarm: SwarmSettings = Field(
        default_factory=SwarmSettings, description="How the swarm decides and works."
    )
    budget: BudgetSettings = Field(
        default_factory=BudgetSettings, description="Hard limits on a run."
    )
    plugins: PluginSettings = Field(
        default_factory=PluginSettings,
        description="Which plugins take part, and their own settings.",
    )
    ledger: LedgerSettings = Field(
        default_factory=LedgerSettings, description="Where runs are recorded."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where arrays are computed; `auto` takes a GPU where it pays."
    )
    patterns: dict[str, dict[str, Weight]] = Field(
        default_factory=dict,
        description="Patterns of your own: weights of the protocols, one table a pattern.",
    )
    experts: list[ExpertSettings] = Field(
        default_factory=list, description="Experts of a crew that the swarm builds itself."
    )
    tasks: Path | None = Field(
        default=None,
        description="File of tasks, one JSON object a line. A relative path in a configuration "
        "file starts at that file.",
    )

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @field_validator("experts")
    @classmethod
    def _names_are_unique(cls, experts: list[ExpertSettings]) -> list[ExpertSettings]:
        names = [expert.name for expert in experts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two experts have the name {name!r}")
        return experts

    @model_validator(mode="after")
    def _enabled_or_disabled(self) -> Self:
        for name in self.plugins.required:
            if name in self.plugins.disable:
                raise ValueError(f"plugins.required and plugins.disable both name {name!r}")
        return self

    def origin(self, key: Key) -> str:
        """Say where the value of a key came from: file and line, variable; "" for none."""
        return self._origins.of(key)

    def given_by(self, key: Key) -> str:
        """Say who gave the value of a key; "" for a default."""
        return self._origins.within(key)

    def with_origins(self, origins: Origins) -> Self:
        """Remember where the values came from; for messages about them."""
        self._origins = origins
        self.plugins._origins = origins
        return self


def load_settings(file: Path | None = None, **overrides: Any) -> Settings:
    """Read the configuration: arguments win over the environment, the environment over the file.

    Parameters
    ----------
    file : Path, optional
        A TOML file.
    **overrides
        Top-level keys with their values or, for a section, a mapping of some of its values.

    Returns
    -------
    Settings

    Raises
    ------
    ConfigurationError
        Naming the file and line, or the environment variable, the key, the given value and what is
        allowed. A file that is missing, unreadable or no TOML is named too.

    Examples
    --------
    >>> load_settings(swarm={"seed": 7}, device="cpu").device
    'cpu'
    """
    layers: list[Layer] = []
    if file is not None:
        layers.append(file_layer(file))
    layers.append(environment_layer(Settings))
    layers.append(Layer(_plain(overrides), Origins.uniform(overrides, "argument")))
    return _validated(merged(layers))


def _plain(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        for key, value in overrides.items()
    }


def _validated(layer: Layer) -> Settings:
    try:
        values = located(layer.values, Settings, layer.origins.folder)
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise settings_error(Settings, error, layer.origins.of) from None
    return settings.with_origins(layer.origins)

"""Loading CrewAI projects from a folder, in every form CrewAI writes them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from swarmloom.errors import ConfigurationError, InputError
from swarmloom_agents.llms import OfflineLLM
from swarmloom_agents.seams import LLM, BaseAgent, Crew, load_crew, load_crew_from_definition

__all__ = [
    "LoadedCrew",
    "check_inputs",
    "intercepted_models",
    "load_environment",
    "load_project",
    "make_offline",
]

_DEFINITIONS = ("crew.jsonc", "crew.json")
_LOOKED_FOR = (
    "src/PACKAGE/crew.py or crew.py with a @CrewBase class, crew.jsonc, or agents.yaml and "
    "tasks.yaml (also in config/)"
)

# What CrewAI fills in, and where.
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")
_TASK_TEXTS = ("description", "expected_output", "output_file")
_AGENT_TEXTS = ("role", "goal", "backstory")


@dataclass(frozen=True, slots=True)
class LoadedCrew:
    """A crew that was found in a folder.

    Attributes
    ----------
    crew : crewai.Crew
    source : Path
        The file that defines it.
    inputs : mapping
        Default inputs, where the project has some.
    """

    crew: Crew
    source: Path
    inputs: Mapping[str, Any] = field(default_factory=dict)


def load_project(path: Path) -> LoadedCrew:
    """Load the crew of a project.

    Parameters
    ----------
    path : Path
        A folder: a classic project with ``crew.py``, YAML files alone, or ``crew.jsonc``; or one of
        these definition files.

    Returns
    -------
    LoadedCrew

    Raises
    ------
    ConfigurationError
        If there is no such path, no crew in it, a flow instead of a crew, or the crew cannot be
        built; the message names what is missing.
    """
    if not path.exists():
        raise ConfigurationError(f"--crew is {str(path)!r}, which does not exist")
    source = path if path.is_file() else _find(path)
    try:
        return _load(source.resolve())
    except ConfigurationError:
        raise
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{source} needs the module {error.name!r}, which is not installed"
            + _extra_hint(error.name or "")
        ) from error
    except Exception as error:
        raise ConfigurationError(f"cannot build the crew of {source}: {error}") from error


def load_environment(path: Path) -> None:
    """Read the ``.env`` file of a project, as ``crewai run`` does; what is set already wins.

    Parameters
    ----------
    path : Path
        The project's folder, or a file in it.
    """
    from dotenv import load_dotenv

    folder = path if path.is_dir() else path.parent
    load_dotenv(folder / ".env")


def check_inputs(loaded: LoadedCrew, given: Mapping[str, Any]) -> None:
    """Refuse inputs that do not fit the crew's texts, before anything is called.

    Parameters
    ----------
    loaded : LoadedCrew
    given : mapping
        What the user gives; the project's own inputs are added.

    Raises
    ------
    InputError
        Naming the keys that are missing or that no text has. A crew with functions of its own to
        prepare the inputs is not checked: these may add and use what they like.
    """
    if loaded.crew.before_kickoff_callbacks:
        return
    wanted = _placeholders(loaded.crew)
    missing = sorted(wanted - {*given, *loaded.inputs})
    unknown = sorted({*given} - wanted)
    if missing or unknown:
        wrong = [f"{{{key}}} has no value" for key in missing]
        wrong += [f"{key!r} is in no text of the crew" for key in unknown]
        raise InputError(f"--inputs: {'; '.join(wrong)}; keys: {', '.join(sorted(wanted)) or '-'}")


def _placeholders(crew: Crew) -> set[str]:
    texts = [text for task in crew.tasks for text in _texts(task, _TASK_TEXTS)]
    texts += [text for agent in crew.agents for text in _texts(agent, _AGENT_TEXTS)]
    return {key for text in texts for key in _PLACEHOLDER.findall(text)}


def _texts(owner: object, names: tuple[str, ...]) -> list[str]:
    return [text for name in names if isinstance(text := getattr(owner, name, None), str)]


def _find(folder: Path) -> Path:
    project = _crewai_table(folder / "pyproject.toml")
    if project.get("type") == "flow":
        raise ConfigurationError(f"{folder} is a CrewAI flow; allowed: crews")
    if "definition" in project:
        return folder / str(project["definition"])
    candidates = [
        *sorted(folder.glob("src/*/crew.py")),
        folder / "crew.py",
        *sorted(folder.glob("*/crew.py")),
        *(folder / name for name in _DEFINITIONS),
        folder / "config" / "agents.yaml",
        folder / "agents.yaml",
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigurationError(f"no crew in {folder}; looked for {_LOOKED_FOR}")


def _crewai_table(pyproject: Path) -> Mapping[str, Any]:
    if not pyproject.is_file():
        return {}
    try:
        document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{pyproject} is no TOML: {error}") from None
    table: Mapping[str, Any] = document.get("tool", {}).get("crewai", {})
    return table


def _load(source: Path) -> LoadedCrew:
    if source.suffix == ".py":
        return LoadedCrew(_from_python(source), source)
    if source.suffix in (".jsonc", ".json"):
        crew, inputs = load_crew(source)
        return LoadedCrew(crew, source, inputs or {})
    if source.suffix in (".yaml", ".yml"):
        return _from_yaml(source)
    raise ConfigurationError(f"--crew is {str(source)!r}; looked for {_LOOKED_FOR}")


# -- crew.py -----------------------------------------------------------------------------------


def _from_python(source: Path) -> Crew:
    module = _import(source)
    for value in list(vars(module).values()):
        if inspect.isclass(value) and getattr(value, "is_crew_class", False):
            project: Any = value
            return project().crew()  # type: ignore[no-any-return]
    crews = [value for value in vars(module).values() if isinstance(value, Crew)]
    if crews:
        return crews[0]
    raise ConfigurationError(f"{source} has no class with @CrewBase and no Crew object")


def _import(source: Path) -> ModuleType:
    """Import ``PACKAGE/crew.py`` as ``PACKAGE.crew``, so that its relative imports work."""
    package = source.parent
    if not (package / "__init__.py").is_file():
        return _import_alone(source)
    sys.path.insert(0, str(package.parent))
    try:
        module = importlib.import_module(f"{package.name}.crew")
    finally:
        sys.path.remove(str(package.parent))
    found = Path(module.__file__ or "")
    if found.resolve() != source:
        raise ConfigurationError(f"the name {package.name!r} of {source} is taken by {found}")
    return module


def _import_alone(source: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"swarmloom_crew_{source.parent.name}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(source.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(source.parent))
    return module


# -- YAML --------------------------------------------------------------------------------------


def _from_yaml(agents_file: Path) -> LoadedCrew:
    folder = agents_file.parent
    agents = _mapping(folder / "agents.yaml")
    tasks = _mapping(folder / "tasks.yaml")
    for name, body in tasks.items():
        if body.get("agent") is not None and body["agent"] not in agents:
            raise ConfigurationError(
                f"{folder / 'tasks.yaml'}: {name}.agent is {body['agent']!r}; allowed: "
                + ", ".join(sorted(agents))
            )
    definition = {
        "name": agents_file.parent.name,
        "agents": agents,
        "tasks": [{"name": name, **body} for name, body in tasks.items()],
    }
    crew, inputs = load_crew_from_definition(
        definition, source=str(agents_file), project_root=folder
    )
    return LoadedCrew(crew, agents_file, inputs or {})


def _mapping(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        raise ConfigurationError(
            f"there is no {file}; a crew in YAML is agents.yaml and tasks.yaml"
        )
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file} is no YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(b, dict) for b in content.values()):
        raise ConfigurationError(f"{file} must map names to their fields")
    return {name: {k: _stripped(v) for k, v in body.items()} for name, body in content.items()}


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value  # Folded strings end in a newline.


def _extra_hint(module: str) -> str:
    if module == "crewai_tools":
        return "; pip install 'crewai[tools]' has it"
    return ""


# -- models ------------------------------------------------------------------------------------


@contextmanager
def intercepted_models(model: OfflineLLM) -> Iterator[None]:
    """Give an offline model wherever CrewAI would build one from a name.

    A project that names a provider whose extra or key is missing can then be built all the same.

    Parameters
    ----------
    model : OfflineLLM
        Stands in for every named model while the block is open.
    """
    original = LLM.__new__

    def substitute(cls: type[LLM], *args: Any, **options: Any) -> Any:
        return model if cls is LLM else original(cls, *args, **options)

    LLM.__new__ = staticmethod(substitute)  # type: ignore[method-assign]
    try:
        yield
    finally:
        LLM.__new__ = original  # type: ignore[method-assign]


def make_offline(crew: Crew, model: OfflineLLM) -> None:
    """Replace every model of a crew that is not an offline one, and its memory.

    Memory asks an embedding service at every task, so an offline crew has none.

    Parameters
    ----------
    crew : crewai.Crew
    model : OfflineLLM
        Takes their places.
    """
    owners: list[Any] = [crew, *crew.agents, *(t.agent for t in crew.tasks if t.agent)]
    owners += [crew.manager_agent] if crew.manager_agent is not None else []
    for owner in owners:
        for name in ("llm", "manager_llm", "planning_llm", "chat_llm", "function_calling_llm"):
            current = vars(owner).get(name)
            if current is not None and not isinstance(current, OfflineLLM):
                setattr(owner, name, model)
        _forget(owner)


def _forget(owner: Crew | BaseAgent) -> None:
    if getattr(owner, "memory", None):
        owner.memory = None if isinstance(owner, BaseAgent) else False
    if isinstance(owner, Crew):
        owner._memory = None

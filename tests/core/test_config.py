from __future__ import annotations

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from swarmloom.config import Settings, load_settings
from swarmloom.config_checks import check_settings
from swarmloom.errors import ConfigurationError, PluginError
from tests.core.installing import install, protocol_source

__all__ = ["install"]


@pytest.fixture
def write(tmp_path):
    def make(text, name="swarm.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def test_defaults():
    settings = load_settings()
    assert settings == Settings()
    assert settings.swarm.pattern == "panel"
    assert settings.plugins.enable is None
    assert settings.budget.calls is None
    assert settings.origin(("swarm", "seed")) == ""


def test_arguments_win_over_the_environment_and_the_environment_over_the_file(write, monkeypatch):
    file = write("[swarm]\nseed = 1\nwindow = 1\nquorum = 1\n")
    monkeypatch.setenv("SWARMLOOM_SWARM__SEED", "2")
    monkeypatch.setenv("SWARMLOOM_SWARM__WINDOW", "2")
    settings = load_settings(file, swarm={"seed": 3})
    assert (settings.swarm.seed, settings.swarm.window, settings.swarm.quorum) == (3, 2, 1)
    assert settings.origin(("swarm", "seed")) == "argument"
    assert settings.origin(("swarm", "window")) == "environment variable SWARMLOOM_SWARM__WINDOW"
    assert settings.origin(("swarm", "quorum")) == f"{file}:4"
    assert settings.origin(("swarm", "pattern")) == f"{file}:1"
    assert settings.origin(("budget", "cost")) == ""


def test_an_object_reads_nothing_from_the_environment(monkeypatch):
    monkeypatch.setenv("SWARMLOOM_SWARM__SEED", "2")
    assert Settings().swarm.seed == 0


def test_sections_may_be_given_as_objects(write):
    given = Settings(swarm={"seed": 5}).swarm
    file = write("[swarm]\nseed = 1\nwindow = 9\n")
    settings = load_settings(file, swarm=given)
    assert (settings.swarm.seed, settings.swarm.window) == (5, 9)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().swarm.seed = 3


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("SWARMLOOM_DEVICE", "cpu", ("device",), "cpu"),
        ("swarmloom_device", "cpu", ("device",), "cpu"),
        ("SWARMLOOM_BUDGET__COST", "2.5", ("budget", "cost"), 2.5),
        ("SWARMLOOM_BUDGET__COST", "null", ("budget", "cost"), None),
        ("SWARMLOOM_SWARM__TIMEOUT", "inf", ("swarm", "timeout"), None),
        ("SWARMLOOM_PLUGINS__DISABLE", '["a", "b"]', ("plugins", "disable"), ["a", "b"]),
        ("SWARMLOOM_PLUGINS__ENABLE", "[]", ("plugins", "enable"), []),
        ("SWARMLOOM_PLUGINS__ENABLE", "null", ("plugins", "enable"), None),
        ("SWARMLOOM_SWARM__WEIGHTS__STIGMERGY", "2", ("swarm", "weights"), {"stigmergy": 2.0}),
        ("SWARMLOOM_SWARM", '{"seed": 8}', ("swarm", "seed"), 8),
        ("SWARMLOOM_LEDGER__ENABLED", "false", ("ledger", "enabled"), False),
        ("SWARMLOOM_PLUGINS__CONFIG__X", '{"a": [1]}', ("plugins", "config"), {"x": {"a": [1]}}),
        ("SWARMLOOM_PLUGINS__CONFIG__X__A", "[z", ("plugins", "config"), {"x": {"a": "[z"}}),
        ("SWARMLOOM_PLUGINS__CONFIG__X__A", "[1]", ("plugins", "config"), {"x": {"a": [1]}}),
    ],
)
def test_values_from_the_environment(monkeypatch, name, value, key, expected):
    monkeypatch.setenv(name, value)
    found = load_settings()
    for part in key:
        found = getattr(found, part)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SWARMLOOM_SWARM__SEED", "x", "swarm.seed is 'x'; allowed: a whole number"),
        ("SWARMLOOM_SWARM__SEED", "-1", "swarm.seed is '-1'; allowed: a whole number ≥ 0"),
        ("SWARMLOOM_SWARM__SEDE", "1", "swarm.sede is no setting; did you mean 'seed'?"),
        ("SWARMLOOM_SWRM__SEED", "1", "there is no section 'swrm'; did you mean 'swarm'?"),
        ("SWARMLOOM_QQQQQQ__SEED", "1", "there is no section 'qqqqqq'; known: swarm"),
        ("SWARMLOOM_PLUGINS__DISABLE", "a,b", "'a,b' is not JSON"),
        ("SWARMLOOM_PLUGINS__ENABLE", "a,b", "plugins.enable is 'a,b'; allowed: a list of: a str"),
        ("SWARMLOOM_DEVICE", "gpu", "device is 'gpu'; allowed: 'auto' or 'cpu' or 'cuda'"),
        ("SWARMLOOM_EXPERTS", "[", "is not JSON"),
    ],
)
def test_wrong_values_in_the_environment_name_the_variable(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert f"environment variable {name}: " in str(caught.value)
    assert message in str(caught.value)


def test_other_variables_are_no_settings(monkeypatch):
    monkeypatch.setenv("SWARMLOOM_TRACE_HOOKS", "1")
    assert load_settings() == Settings()


@pytest.mark.parametrize("text", ["", "\n\n# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gives_the_defaults(write, text):
    assert load_settings(write(text)) == Settings()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[swarm]\nsede = 1\n", 2, "swarm.sede is no setting; did you mean 'seed'?"),
        ("[swarm]\nxyzxyz = 1\n", 2, "swarm.xyzxyz is no setting; known: seed, pattern"),
        ("\n[swrm]\n", 2, "swrm is no setting; did you mean 'swarm'?"),
        ("[swarm]\n\n# no\nseed = 'x'\n", 4, "swarm.seed is 'x'; allowed: a whole number"),
        ("[swarm]\nwindow = 0\n", 2, "swarm.window is 0; allowed: a whole number ≥ 1"),
        ("[budget]\ncost = -2.5\n", 2, "budget.cost is -2.5; allowed: a number ≥ 0, or unset"),
        ("[budget]\ncost = nan\n", 2, "budget.cost is nan; allowed: a number ≥ 0, or unset"),
        ("swarm.weights = {a = -1}", 1, "swarm.weights.a is -1; allowed: a number ≥ 0"),
        ("device = 'gpu'", 1, "device is 'gpu'; allowed: 'auto' or 'cpu' or 'cuda'"),
        ("device = 1", 1, "device is 1; allowed: 'auto' or 'cpu' or 'cuda'"),
        ("swarm = 3", 1, "swarm is 3; allowed: a table"),
        ("[plugins]\nenable = [\n 1,\n]\n", 2, "plugins.enable[0] is 1; allowed: a string"),
        ("[plugins.config]\nx = 1\n", 2, "plugins.config.x is 1; allowed: a table"),
        ("[[experts]]\nname='a'\n[[experts]]\nname='b'\nprice=-1\n", 5,
         "experts[1].price is -1; allowed: a number ≥ 0"),
        ("[[experts]]\nname='a'\n[[experts]]\nprice=1\n", 3,
         "experts[1].name is missing; allowed: a string at least 1 characters"),
        ("[[experts]]\nname='a'\n[[experts]]\nname='a'\n", 1,
         "experts: two experts have the name 'a'"),
        ("[patterns.mine]\nconsensus = 'much'\n", 2, "patterns.mine.consensus is 'much'; allowed"),
    ],
)  # fmt: skip
def test_errors_name_file_line_key_value_and_what_is_allowed(write, text, line, message):
    file = write(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)
    assert str(caught.value).startswith(f"{file}:{line}: {message}")
    assert caught.value.exit_code == 2


def test_all_errors_are_told_at_once(write):
    file = write("device = 'gpu'\n[swarm]\nseed = 'x'\nwindow = 0\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)
    assert len(str(caught.value).splitlines()) == 3


def test_a_plugin_cannot_be_required_and_disabled():
    with pytest.raises(ConfigurationError, match=r"required and plugins.disable both name 'a'"):
        load_settings(plugins={"required": ["a"], "disable": ["a"]})


def test_an_error_without_a_key_starts_with_the_file(write):
    text = '[plugins]\nrequired = ["x"]\ndisable = ["x"]\n'
    with pytest.raises(
        ConfigurationError, match=r":1: plugins\.required and plugins\.disable both"
    ):
        load_settings(write(text))


def test_unknown_arguments_are_errors():
    with pytest.raises(ConfigurationError, match=r"^swrm is no setting; did you mean 'swarm'"):
        load_settings(swrm={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a\n", r"not valid TOML: .*line 1, column 3"),
        ("x = 1\nx = 2\n", r"not valid TOML: .*line 2"),
        (b"x = '\xff'", r"not UTF-8 at byte 5"),
    ],
)
def test_what_is_no_toml_is_named(write, text, message):
    file = write(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere.toml: there is no such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"this is a folder"):
        load_settings(tmp_path)


def test_an_unreadable_file_is_named(write, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    file = write("")
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigurationError, match=r"swarm.toml: permission denied"):
        load_settings(file)


def test_lines_of_everything_toml_can_write(write):
    file = write(
        'device = "cpu" # x = 1\n'
        'swarm.pattern = """\nwindow = 3\n"""\n'
        "[budget] # the [swarm]\n"
        "\n"
        '"calls" = 3\n'
        "[plugins.config.'a b'.c]\n"
        "list = [\n  # [swarm]\n  1,\n  2,\n]\n"
        "d.e = {f = 1}\n"
        "[[experts]]\r\n"
        "name = 'x'\n"
    )
    origins = load_settings(file)._origins.by_key
    lines = {key: int(origin.rsplit(":", 1)[1]) for key, origin in origins.items()}
    assert lines == {
        ("device",): 1,
        ("swarm", "pattern"): 2,
        ("budget",): 5,
        ("budget", "calls"): 7,
        ("plugins", "config", "a b", "c"): 8,
        ("plugins", "config", "a b", "c", "list"): 9,
        ("plugins", "config", "a b", "c", "d", "e", "f"): 14,
        ("experts", 0): 15,
        ("experts", 0, "name"): 16,
    }


def test_paths_in_a_file_start_at_the_file(write, tmp_path, monkeypatch):
    file = write("tasks = 'jobs/tasks.jsonl'\n[ledger]\npath = '/var/ledger.sqlite'\n")
    settings = load_settings(file)
    assert settings.tasks == tmp_path / "jobs" / "tasks.jsonl"
    assert settings.ledger.path == Path("/var/ledger.sqlite")
    monkeypatch.setenv("SWARMLOOM_TASKS", "here.jsonl")
    assert load_settings(file).tasks == Path("here.jsonl")


PLUGIN_WITH_A_FILE = """
from pathlib import Path
from pydantic import Field
from swarmloom import ProtocolConfig, hookimpl

class Config(ProtocolConfig):
    file: Path | None = Field(None, description="A file.")
    label: str = Field("", description="No file.")

class Keeper:
    name = "keeper"
    Config = Config

    def __init__(self, config):
        pass

@hookimpl
def swarmloom_register_protocols(register):
    register(Keeper)
"""


def test_paths_of_plugins_in_a_file_start_at_the_file(install, write, tmp_path, monkeypatch):
    install("keepers", {"keeper": PLUGIN_WITH_A_FILE})
    monkeypatch.setenv("HOME", "/home/ada")
    enabled = "[plugins]\nenable = ['keeper']\n"

    def kept(table):
        return check_settings(load_settings(write(enabled + table)))["keeper"]

    assert kept("[plugins.config.keeper]\nfile = 'a/b.sqlite'\nlabel = 'c'\n") == {
        "file": str(tmp_path / "a" / "b.sqlite"), "label": "c",
    }  # fmt: skip
    assert kept("config = {keeper = {file = 'b'}}\n")["file"] == str(tmp_path / "b")
    assert kept("config.keeper.file = '/var/b'\n")["file"] == "/var/b"
    assert kept("config.keeper.file = '~/b'\n")["file"] == "/home/ada/b"
    assert kept("")["file"] is None
    monkeypatch.setenv("SWARMLOOM_PLUGINS__CONFIG__KEEPER__FILE", "here.sqlite")
    assert kept("config.keeper.file = 'b'\nconfig.keeper.label = 'd'\n") == {
        "file": "here.sqlite", "label": "d",
    }  # fmt: skip
    given = {"config": {"keeper": {"file": "there"}}}
    settings = load_settings(write(enabled + "config.keeper.file = 'b'\n"), plugins=given)
    assert check_settings(settings)["keeper"]["file"] == "there"


def test_infinite_time_is_no_limit_and_is_recorded_as_null(write):
    settings = load_settings(write("[swarm]\ntimeout = inf\n"))
    assert settings.swarm.timeout is None
    assert settings.model_dump(mode="json")["swarm"]["timeout"] is None
    assert Settings(swarm={"timeout": math.inf}).swarm.timeout is None


def test_experts(write):
    text = """
    [[experts]]
    name = "ada"
    price = 2
    skills = ["law"]
    """
    (expert,) = load_settings(write(text)).experts
    assert (expert.name, expert.price, expert.skills, expert.llm) == ("ada", 2.0, ["law"], None)


# -- against what is installed ------------------------------------------------------------------


def check(file):
    return check_settings(load_settings(file))


def test_effective_settings_of_the_protocols(install, write):
    install("swarm-a", {"alpha": protocol_source("alpha", strength=2.0)})
    text = "[plugins]\nenable = ['alpha', 'patterns']\n"
    assert check(write(text)) == {"alpha": {"strength": 2.0}}
    more = "[plugins.config.alpha]\nstrength = 3\n"
    assert check(write(text + more)) == {"alpha": {"strength": 3.0}}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[plugins.config.alpha]\nstrength = 11\n", 2,
         "plugins.config.alpha.strength is 11; allowed: a number ≥ 0 and ≤ 10"),
        ("[plugins.config.alpha]\nstrenght = 1\n", 2,
         "plugins.config.alpha.strenght is no setting; did you mean 'strength'?"),
        ("[plugins.config.alhpa]\nstrength = 1\n", 1,
         "plugins.config names 'alhpa', which is not installed; did you mean 'alpha'?"),
        ("[plugins]\ndisable = ['alhpa']\n", 2,
         "plugins.disable names 'alhpa', which is not installed; did you mean 'alpha'?"),
        ("[swarm]\npattern = 'panle'\n", 2, "swarm.pattern is 'panle'; allowed: "),
        ("[swarm]\nweights = {alhpa = 1}\n", 2, "swarm.weights.alhpa is 'alhpa'; allowed: "),
        ("[patterns.mine]\nalhpa = 1\n", 2, "patterns.mine.alhpa is 'alhpa'; allowed: alpha"),
    ],
)  # fmt: skip
def test_names_and_settings_of_plugins_are_checked(install, write, text, line, message):
    install("swarm-a", {"alpha": protocol_source("alpha")})
    file = write(text)
    with pytest.raises(ConfigurationError) as caught:
        check(file)
    assert str(caught.value).startswith(f"{file}:{line}: {message}")


def test_a_required_plugin_that_cannot_be_imported_is_an_error(install, write):
    install("swarm-a", {"bad": "raise ValueError('no')"})
    with pytest.raises(PluginError, match="'bad' is required but quarantined"):
        check(write("[plugins]\nrequired = ['bad']\n"))


def test_a_pattern_of_one_s_own_is_a_pattern(write):
    check(write("swarm.pattern = 'mine'\n[patterns.mine]\nstigmergy = 1\n"))

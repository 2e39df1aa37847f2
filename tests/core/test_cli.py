from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from swarmloom import __version__
from swarmloom.cli import main
from swarmloom.cli.app import COMMAND_GROUP, COMMANDS, command_names
from tests.core.installing import OBSERVER, install, protocol_source

__all__ = ["install"]

HEAVY = {"numpy", "numba", "crewai", "pydantic", "qiskit", "scipy", "matplotlib", "llvmlite"}


@pytest.fixture
def run(capfd, monkeypatch):
    """Run the command line; gives exit code, standard output and standard error."""
    monkeypatch.setenv("NO_COLOR", "1")

    def go(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(map(str, arguments)))
        captured = capfd.readouterr()
        code = left.value.code
        return (0 if code is None else code), captured.out, captured.err

    return go


@pytest.mark.parametrize("name", sorted({*COMMANDS, *command_names()}))
def test_every_command_has_help(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"swarmloom {name}" in out


def test_the_list_of_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    for name, text in command_names().items():
        assert name in out
        assert text.split()[0] in out
    assert "Exit codes" in out


def test_the_version(run):
    assert run("--version") == (0, f"swarmloom {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["plugin"], "Did you mean 'plugins'"),
        (["zzz"], "'zzz'"),
        (["plugins", "--jsn"], "--jsn"),
        (["plugins", "--config", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["config"], "Usage"),
        (["config", "chek"], "chek"),
        (["config", "check"], "file"),
        (["config", "check", "nowhere.toml"], "nowhere.toml: there is no such file"),
        (["config", "show", "--config", "nowhere.toml"], "nowhere.toml"),
        (["plan"], "--experts"),
        (["plan", "--experts", "0"], "--experts"),
        (["plan", "--experts", "many"], "--experts"),
        (["runs", "--ledger", "nowhere.sqlite"], "nowhere.sqlite"),
        (["explain"], "run"),
        (["backtest", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_input_gives_exit_code_2_and_is_named(run, arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2
    assert named in " ".join((out + err).replace("│", " ").split()).replace("FILE", "file").replace(
        "RUN", "run"
    )


def test_config_check_of_a_good_file(run, tmp_path):
    file = tmp_path / "swarm.toml"
    file.write_text("[swarm]\nseed = 3\n")
    assert run("config", "check", file) == (0, f"{file}: ok\n", "")
    assert run("config", "check", "--quiet", file) == (0, "", "")
    code, out, _ = run("config", "check", "--json", file)
    assert (code, json.loads(out)) == (0, {"file": str(file), "ok": True})


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[swarm]\nseed = 'x'\n", 2, "swarm.seed is 'x'; allowed: a whole number"),
        ("[swarm]\nsede = 1\n", 2, "swarm.sede is no setting; did you mean 'seed'?"),
        ("[swarm]\npattern = 'panle'\n", 2, "swarm.pattern is 'panle'; allowed: "),
        ("[plugins.config.alpha]\nstrength = -1\n", 2,
         "plugins.config.alpha.strength is -1; allowed: a number ≥ 0 and ≤ 10"),
    ],
)  # fmt: skip
def test_config_check_names_what_is_wrong(run, install, tmp_path, text, line, message):
    install("swarm-a", {"alpha": protocol_source("alpha")})
    file = tmp_path / "swarm.toml"
    file.write_text(text)
    code, out, err = run("config", "check", file)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {file}:{line}: {message}")


def test_config_show_says_where_values_come_from(run, install, tmp_path, monkeypatch):
    install("swarm-a", {"alpha": protocol_source("alpha", strength=2.0)})
    file = tmp_path / "swarm.toml"
    file.write_text("[swarm]\nseed = 3\n[plugins]\nenable = ['alpha', 'patterns']\n")
    monkeypatch.setenv("SWARMLOOM_SWARM__WINDOW", "5")
    code, out, _ = run("config", "show", "--config", file, "--json")
    rows = {row["key"]: (row["value"], row["source"]) for row in json.loads(out)}
    assert code == 0
    assert rows["swarm.seed"] == (3, f"{file}:2")
    assert rows["swarm.window"] == (5, "environment variable SWARMLOOM_SWARM__WINDOW")
    assert rows["swarm.quorum"] == (3, "default")
    assert rows["plugins.config.alpha.strength"] == (2.0, "default")
    _, table, _ = run("config", "show", "--config", file)
    (line,) = (line for line in table.splitlines() if line.split()[:1] == ["swarm.seed"])
    assert line.split() == ["swarm.seed", "3", f"{file}:2"]


def test_plugins_are_listed_with_their_errors(run, install):
    install("swarm-a", {"alpha": OBSERVER, "bad": "raise ValueError('at import')"}, version="7.7")
    code, out, _ = run("plugins", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["alpha"]["state"] == "active"
    assert (rows["alpha"]["version"], rows["alpha"]["distribution"]) == ("7.7", "swarm-a")
    assert rows["alpha"]["source"] == "fake_swarm_a_alpha"
    assert rows["alpha"]["hooks"] == ["swarmloom_snapshot"]
    assert rows["bad"]["state"] == "quarantined"
    assert rows["bad"]["errors"] == ["ValueError: at import"]
    assert rows["stigmergy"]["protocols"] == ["stigmergy"]
    _, table, _ = run("plugins")
    assert "bad: ValueError: at import" in table
    (line,) = (line for line in table.splitlines() if line.split()[:1] == ["alpha"])
    assert line.split() == ["alpha", "active", "7.7", "swarm-a", "fake_swarm_a_alpha", "snapshot"]


def test_brackets_in_errors_are_shown_as_they_are(run, install):
    install("swarm-a", {"bad": "raise ValueError('[red]x[/nothing]')"})
    code, out, _ = run("plugins")
    assert code == 0
    assert "bad: ValueError: [red]x[/nothing]" in out


def test_a_missing_required_plugin_gives_exit_code_3(run, monkeypatch):
    monkeypatch.setenv("SWARMLOOM_PLUGINS__REQUIRED", '["nobody"]')
    code, out, err = run("plugins", "--json")
    assert code == 3
    assert json.loads(out)
    assert "'nobody'" in err


def test_hooks_prints_the_reference_and_writes_it(run, tmp_path):
    code, out, _ = run("hooks")
    assert code == 0
    assert "swarmloom_navigate(round)" in out
    code, out, _ = run("hooks", "--json")
    assert {"swarmloom_decide", "swarmloom_judge"} <= {one["name"] for one in json.loads(out)}
    code, out, _ = run("hooks", "--write", tmp_path / "reference")
    names = sorted(path.name for path in (tmp_path / "reference").iterdir())
    assert names == ["configuration.md", "hooks.md"]


def test_plan_grows_with_the_experts(run):
    small, large = (json.loads(run("plan", "--experts", n, "--json")[1]) for n in (10, 1000))
    assert sum(small["regions"].values()) == small["bytes"] < large["bytes"] <= large["limit"]
    assert any(1000 in array["shape"] for array in large["arrays"])
    code, out, _ = run("plan", "--experts", 10)
    assert code == 0
    assert "sum" in out


BROUGHT = """
import typer
from typing import Annotated
from swarmloom.errors import LedgerError

def {name}(word: Annotated[str, typer.Argument(help="A word.")]):
    '''Say a word.'''
    if word == "fail":
        raise LedgerError("the disk is full")
    if word == "interrupt":
        raise KeyboardInterrupt
    print("said", word)
"""


def brought(install, tmp_path, name, source=BROUGHT):
    install("swarm-a", {name: source.format(name=name)}, group=COMMAND_GROUP)
    (folder,) = tmp_path.glob("*.dist-info")
    module = f"fake_swarm_a_{name}"
    (folder / "entry_points.txt").write_text(f"[{COMMAND_GROUP}]\n{name} = {module}:{name}\n")


def test_a_plugin_can_bring_a_command(run, install, tmp_path):
    brought(install, tmp_path, "say")
    assert command_names()["say"] == "Brought by swarm-a."
    assert run("say", "hello")[:2] == (0, "said hello\n")
    assert "Say a word." in run("say", "--help")[1]


def test_errors_are_told_and_give_their_exit_code(run, install, tmp_path):
    brought(install, tmp_path, "say")
    assert run("say", "fail") == (4, "", "error: the disk is full\n")
    assert run("say", "interrupt")[0] == 130


def test_a_command_of_swarmloom_s_own_wins(run, install, tmp_path):
    brought(install, tmp_path, "hooks")
    assert command_names()["hooks"] == COMMANDS["hooks"][1]
    assert "said" not in run("hooks", "--json")[1]


def test_a_command_that_cannot_be_imported_is_named(run, install, tmp_path):
    brought(install, tmp_path, "say", "raise ValueError('broken')\n# {name}")
    assert run("--help")[0] == 0
    code, _, err = run("say", "x")
    assert code == 3
    assert "command 'say' (fake_swarm_a_say:say) cannot be imported: broken" in err


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, **environment},
    ).stdout  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments):
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('MODULES', *sys.modules))\n"
        "from swarmloom.cli import main\n"
        f"main({arguments})"
    )
    modules = run_python(code).rsplit("MODULES", 1)[1].split()
    assert "swarmloom.cli.app" in modules
    assert HEAVY & set(modules) == set()
    assert not any(name.startswith(("swarmloom_plugins", "swarmloom_agents")) for name in modules)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_knows_commands_and_their_options(shell):
    def complete(words):
        code = "from swarmloom.cli import main; main([])"
        variables = {
            "_SWARMLOOM_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        return run_python(code, **variables)

    assert "plugins" in complete("swarmloom pl")
    assert "--json" in complete("swarmloom plugins --js")


def test_colours_obey_no_color(monkeypatch):
    monkeypatch.setenv("SWARMLOOM_PLUGINS__ENABLE", '["patterns"]')
    code = "from swarmloom.cli import main; main(['plugins'])"
    green = "\x1b[32mactive"
    assert green in run_python(code, FORCE_COLOR="1", TERM="xterm")
    assert green not in run_python(code, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in run_python(code)

from __future__ import annotations

import importlib
import sys

import pytest

from swarmloom import Pattern, ProtocolConfig, hookimpl
from swarmloom.config import PluginSettings
from swarmloom.errors import ConfigurationError, PluginError
from swarmloom.host import PluginHost
from tests.core.installing import OBSERVER, install, protocol_source

__all__ = ["install"]


def host_with(enable, **settings):
    host = PluginHost(PluginSettings(enable=enable, **settings))
    host.discover()
    return host


def record(host, name):
    return next(one for one in host.report() if one.name == name)


def states(host):
    return {one.name: str(one.state) for one in host.report() if one.distribution != "swarmloom"}


def test_an_installed_plugin_is_found_and_its_origin_known(install):
    install("swarm-a", {"alpha": protocol_source("alpha")}, version="3.4")
    found = record(host_with(["alpha"]), "alpha")
    assert (found.state, found.version, found.distribution) == ("active", "3.4", "swarm-a")
    assert found.source == "fake_swarm_a_alpha"
    assert found.protocols == ("alpha",)
    assert "swarmloom_navigate" in found.hooks
    assert "swarmloom_register_protocols" in found.hooks


def test_no_list_lets_everybody_in(install):
    install("swarm-a", {"alpha": OBSERVER, "beta": OBSERVER})
    assert states(host_with(None)) == {"alpha": "active", "beta": "active"}


def test_an_empty_list_lets_nobody_in(install):
    install("swarm-a", {"alpha": OBSERVER})
    host = host_with([])
    assert {str(one.state) for one in host.report()} == {"disabled"}
    assert host.hook.swarmloom_snapshot() == []


@pytest.mark.parametrize(
    "settings", [{"enable": []}, {"enable": ["beta"]}, {"enable": None, "disable": ["alpha"]},
                 {"enable": ["alpha"], "disable": ["alpha"]}],
)  # fmt: skip
def test_what_is_kept_out_is_never_imported(install, settings):
    install("swarm-a", {"alpha": "raise SystemExit('imported')", "beta": OBSERVER})
    host = PluginHost(PluginSettings(**settings))
    host.discover()
    assert "fake_swarm_a_alpha" not in sys.modules
    assert states(host)["alpha"] == "disabled"
    assert record(host, "alpha").hooks == ()


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("raise ValueError('at import')", "ValueError: at import"),
        ("raise SystemExit(3)", "exits when it is imported"),
        ("x = (", "SyntaxError"),
    ],
)
def test_an_import_error_quarantines_and_the_others_go_on(install, source, error):
    install("swarm-a", {"alpha": OBSERVER, "bad": source, "zeta": OBSERVER})
    host = host_with(["alpha", "bad", "zeta"])
    assert states(host) == {"alpha": "active", "bad": "quarantined", "zeta": "active"}
    assert error in record(host, "bad").errors[0]
    assert len(host.hook.swarmloom_snapshot()) == 2


def test_errors_at_registration_quarantine_and_leave_nothing_behind(install):
    source = protocol_source("bad") + "    raise RuntimeError('changed my mind')\n"
    install("swarm-a", {"bad": source})
    host = host_with(["bad"])
    assert states(host) == {"bad": "quarantined"}
    assert "changed my mind" in record(host, "bad").errors[0]
    assert host.protocols == {}
    assert host.hook.swarmloom_snapshot() == []


def test_a_required_plugin_that_is_missing_stops(install):
    host = host_with([], required=["stigmergie"])
    with pytest.raises(PluginError, match=r"plugins.required names 'stigmergie'.*'stigmergy'"):
        host.check()


def test_a_required_plugin_that_is_quarantined_stops_and_says_why(install):
    install("swarm-a", {"bad": "raise ValueError('at import')"})
    host = host_with(["bad"], required=["bad"])
    with pytest.raises(PluginError, match="'bad' is required but quarantined: ValueError: at imp"):
        host.check()


def test_a_required_plugin_that_is_not_let_in_stops(install):
    install("swarm-a", {"alpha": OBSERVER})
    with pytest.raises(PluginError, match="required but disabled: the configuration"):
        host_with([], required=["alpha"]).check()


def test_a_required_plugin_that_is_active_is_fine(install):
    install("swarm-a", {"alpha": OBSERVER})
    host_with(["alpha"], required=["alpha"]).check()


@pytest.mark.parametrize("key", ["enable", "disable"])
def test_names_of_plugins_that_are_not_installed_are_errors(key):
    host = PluginHost(PluginSettings(**{"enable": [], key: ["consensu"]}))
    host.discover()
    with pytest.raises(ConfigurationError, match=rf"plugins.{key} names.*'consensus'"):
        host.check()


def test_settings_of_a_plugin_without_settings_are_an_error(install):
    install("swarm-a", {"alpha": OBSERVER})
    with pytest.raises(ConfigurationError, match=r"plugins.config.alpha.*no settings"):
        host_with(["alpha"], config={"alpha": {"x": 1}}).check()


def test_settings_of_a_plugin_that_is_kept_out_are_fine(install):
    install("swarm-a", {"alpha": OBSERVER})
    host_with([], config={"alpha": {"x": 1}}).check()


# -- clashes ------------------------------------------------------------------------------------


def test_swarmlooms_own_plugin_wins_a_clash_and_the_newcomer_is_reported(install):
    install("aaa-first-by-name", {"patterns": OBSERVER})
    host = host_with(["patterns"])
    assert str(record(host, "patterns").state) == "active"
    assert record(host, "patterns").distribution == "swarmloom"
    newcomer = record(host, "patterns@aaa-first-by-name")
    assert str(newcomer.state) == "quarantined"
    assert "taken by swarmloom_plugins.patterns of swarmloom" in newcomer.errors[0]


def test_among_strangers_the_first_distribution_wins(install):
    install("swarm-b", {"alpha": OBSERVER})
    install("swarm-a", {"alpha": OBSERVER})
    host = host_with(["alpha"])
    assert states(host) == {"alpha": "active", "alpha@swarm-b": "quarantined"}
    assert [one.value for one in host.hook.swarmloom_snapshot()] == [{"from": "fake_swarm_a_alpha"}]


def test_a_protocol_name_is_taken_also_by_a_plugin_that_is_kept_out(install):
    install("swarm-a", {"alpha": protocol_source("stigmergy")})
    host = host_with(["alpha"])
    assert states(host) == {"alpha": "quarantined"}
    assert "the protocol name 'stigmergy' is taken" in record(host, "alpha").errors[0]


CONTRIBUTIONS = """
from swarmloom import ManagerTool, Pattern, ReportPanel, hookimpl

@hookimpl
def swarmloom_register_{kind}(register):
    register({value})
"""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("patterns", "Pattern('same', {'stigmergy': 1.0})"),
        ("tools", "ManagerTool('same', 'Does it.', lambda swarm: '')"),
        ("panels", "ReportPanel('same', lambda run: '')"),
    ],
)
def test_contributions_of_the_same_name_clash(install, kind, value):
    source = CONTRIBUTIONS.format(kind=kind, value=value)
    install("swarm-a", {"alpha": source, "beta": source})
    host = host_with(["alpha", "beta"])
    assert states(host) == {"alpha": "active", "beta": "quarantined"}
    assert (
        f"the {kind[:-1]} name 'same' is taken by fake_swarm_a_alpha"
        in (record(host, "beta").errors[0])
    )
    assert len(getattr(host, kind)) == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("protocols", "object"),
        ("protocols", "type('P', (), {'name': 'no name', 'Config': None})"),
        ("protocols", "type('P', (), {'name': 'good', 'Config': dict})"),
        ("patterns", "'a string'"),
        ("patterns", "Pattern('bad', {'stigmergy': -1.0})"),
        ("tools", "print"),
        ("panels", "None"),
    ],
)
def test_contributions_of_the_wrong_kind_are_refused(install, kind, value):
    install("swarm-a", {"alpha": CONTRIBUTIONS.format(kind=kind, value=value)})
    assert states(host_with(["alpha"])) == {"alpha": "quarantined"}


def test_the_same_contribution_twice_from_one_plugin_is_refused(install):
    value = "Pattern('same', {}))\n    register(Pattern('same', {})"
    install("swarm-a", {"alpha": CONTRIBUTIONS.format(kind="patterns", value=value)})
    host = host_with(["alpha"])
    assert "two patterns of the name 'same'" in record(host, "alpha").errors[0]


# -- other versions of the interface ------------------------------------------------------------


def test_plugins_of_another_api_are_listed_and_not_imported(install):
    source = "raise RuntimeError('imported')"
    install("swarm-a", {"alpha": source}, group="swarmloom.plugins.v2")
    host = host_with(None)
    found = record(host, "alpha@v2")
    assert str(found.state) == "other_api"
    assert "installed for API v2" in found.errors[0]
    with pytest.raises(PluginError, match="installed for API v2"):
        host.enable("alpha@v2")


def test_a_plugin_that_cannot_be_imported_can_be_enabled_once_it_can(install, tmp_path):
    install("swarm-a", {"late": "raise ValueError('not yet')"})
    host = host_with(["late"])
    with pytest.raises(PluginError, match="'late' cannot be let in: ValueError: not yet"):
        host.enable("late")
    assert states(host) == {"late": "quarantined"}
    (tmp_path / "fake_swarm_a_late.py").write_text(OBSERVER)
    importlib.invalidate_caches()
    host.enable("late")
    assert states(host) == {"late": "active"}
    assert len(host.hook.swarmloom_snapshot()) == 1


def test_a_plugin_that_was_kept_out_is_imported_when_it_is_enabled(install):
    install("swarm-a", {"alpha": protocol_source("alpha")})
    host = host_with([], config={"alpha": {"strength": 2.5}})
    host.enable("alpha")
    assert host.hook.swarmloom_snapshot() == [("alpha", {"strength": 2.5})]


def test_a_clash_is_no_reason_to_refuse_the_newcomer_for_ever(install):
    install("swarm-a", {"alpha": OBSERVER})
    install("swarm-b", {"alpha": OBSERVER})
    host = host_with(["alpha"])
    host.disable("alpha")
    host.enable("alpha@swarm-b")
    assert states(host) == {"alpha": "disabled", "alpha@swarm-b": "active"}


# -- added by code ------------------------------------------------------------------------------


class Snapshots:
    def __init__(self, value):
        self.value = value

    @hookimpl
    def swarmloom_snapshot(self):
        return self.value


def test_results_are_attributed():
    host = host_with([])
    host.add(Snapshots(None), "silent")
    host.add(Snapshots({"a": 1}), "talking")
    assert host.hook.swarmloom_snapshot() == [("talking", {"a": 1})]
    assert host.hook.swarmloom_snapshot()[0].plugin == "talking"
    assert not host.is_built_in("talking")
    assert host.is_built_in("stigmergy")
    assert not host.is_built_in("nobody")


def test_an_added_name_that_is_taken_is_refused():
    host = host_with([])
    host.add(Snapshots(1), "one")
    with pytest.raises(PluginError, match=r"there is a plugin 'one' already"):
        host.add(Snapshots(2), "one")
    with pytest.raises(PluginError, match=r"'stigmergy' already: swarmloom_plugins.stigmergy"):
        host.add(Snapshots(2), "stigmergy")
    assert [one.value for one in host.hook.swarmloom_snapshot()] == [1]


def test_an_added_plugin_on_the_deny_list_is_disabled():
    host = host_with([], disable=["mine"])
    host.add(Snapshots(1), "mine")
    assert states(host) == {"mine": "disabled"}
    assert host.hook.swarmloom_snapshot() == []


def test_remove_forgets():
    host = host_with([])
    host.add(Snapshots(1), "mine")
    host.remove("mine")
    assert host.hook.swarmloom_snapshot() == []
    assert states(host) == {}
    host.add(Snapshots(2), "mine")
    with pytest.raises(PluginError, match="there is no plugin 'your'"):
        host.remove("your")


class Configured(ProtocolConfig):
    """Settings."""

    size: int = 1


class Sized:
    name = "sized"
    Config = Configured

    def __init__(self, config):
        self.size = config.size

    @hookimpl
    def swarmloom_snapshot(self):
        return {"size": self.size}


class BringsSized:
    @hookimpl
    def swarmloom_register_protocols(self, register):
        register(Sized)

    @hookimpl
    def swarmloom_register_patterns(self, register):
        register(Pattern("mine", {"sized": 1.0}))


def test_protocols_get_their_validated_configuration():
    host = host_with([], config={"sized": {"size": 7}})
    host.add(BringsSized(), "bringer")
    assert host.hook.swarmloom_snapshot() == [("sized", {"size": 7})]
    assert host.protocols["sized"].size == 7
    assert host.configs["sized"] == Configured(size=7)
    assert list(host.patterns) == ["mine"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"size": "many"}, r"plugins\.config\.sized\.size is 'many'; allowed: a whole number"),
        ({"sise": 3}, r"plugins\.config\.sized\.sise is no setting; did you mean 'size'\?"),
    ],
)
def test_a_wrong_configuration_stops_and_leaves_nothing_behind(config, message):
    host = host_with([], config={"sized": config})
    with pytest.raises(ConfigurationError, match=message):
        host.add(BringsSized(), "bringer")
    assert states(host) == {}
    assert host.protocols == {}


def test_every_host_has_its_own_instances():
    first, second = host_with([]), host_with([])
    for host in (first, second):
        host.add(BringsSized(), "bringer")
    assert first.protocols["sized"] is not second.protocols["sized"]


def test_close_takes_everybody_out():
    host = host_with([])
    host.add(Snapshots(1), "mine")
    host.close()
    assert host.hook.swarmloom_snapshot() == []
    assert host.report() == []


def test_call_asks_one_plugin_alone():
    host = host_with([])
    host.add(BringsSized(), "bringer")
    host.add(Snapshots(1), "mine")
    assert host.call("sized", "swarmloom_snapshot") == [("sized", {"size": 1})]
    assert host.call("bringer", "swarmloom_snapshot") == [("sized", {"size": 1})]
    assert host.call("mine", "swarmloom_navigate", round=None) == []

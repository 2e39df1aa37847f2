from __future__ import annotations

import subprocess
import sys

import pytest

import swarmloom

HEAVY = ("numpy", "numba", "qiskit", "qiskit_aer", "crewai", "pydantic", "scipy", "matplotlib")


def modules_after(code):
    """Names of the modules that a fresh interpreter has imported after running some code."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(run.stdout.split())


def test_importing_swarmloom_imports_nothing_heavy():
    modules = modules_after("import swarmloom; swarmloom.__version__; dir(swarmloom)")
    assert "swarmloom" in modules
    assert modules.isdisjoint(HEAVY)


def test_an_error_class_costs_nothing_heavy():
    assert modules_after("from swarmloom import SwarmloomError").isdisjoint(HEAVY)


def test_a_swarm_without_plugins_needs_neither_qiskit_nor_crewai():
    code = "from swarmloom import Settings, Swarm; Swarm([], Settings(plugins={'enable': []}))"
    assert modules_after(code).isdisjoint(("qiskit", "qiskit_aer", "crewai"))


@pytest.mark.parametrize("name", swarmloom.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(swarmloom, name) is not None
    assert name in dir(swarmloom)


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="no attribute 'Swarn'"):
        swarmloom.Swarn  # noqa: B018

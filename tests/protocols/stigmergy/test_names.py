"""The protocol's main names: where a reader looks first, and free until they are used."""

import subprocess
import sys

import pytest

import swarmloom_protocols.stigmergy as stigmergy


@pytest.mark.parametrize("name", stigmergy.__all__)
def test_each_name_is_its_modules_own(name):
    value = getattr(stigmergy, name)
    assert value.__name__ == name
    assert value.__module__.startswith("swarmloom_protocols.stigmergy.")


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'Pheromones'"):
        _ = stigmergy.Pheromones


def test_importing_the_package_imports_no_numpy():
    code = "import sys, swarmloom_protocols.stigmergy; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

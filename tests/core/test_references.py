"""The generated pages of the documentation are up to date and complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from swarmloom import hookspecs
from swarmloom.cli.hooks import reference_pages
from swarmloom.config import Settings
from swarmloom.hookdocs import HookDocError, configuration_reference, hook_docs
from swarmloom.markers import hookspec
from swarmloom.protocol import ProtocolConfig

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
ADVICE = "stale: run `swarmloom hooks --write docs/reference`"


@pytest.fixture(scope="module")
def pages():
    return reference_pages()


@pytest.mark.parametrize("name", ["hooks.md", "configuration.md"])
def test_the_page_is_up_to_date(name, pages):
    assert (FOLDER / name).read_text(encoding="utf-8") == pages[name], ADVICE


@pytest.mark.parametrize("doc", hook_docs(), ids=lambda doc: doc.name)
def test_every_hook_has_a_heading(doc):
    headings = (FOLDER / "hooks.md").read_text(encoding="utf-8").splitlines()
    assert f"### `{doc.name}({', '.join(doc.arguments)})`" in headings


def sections(model):
    for field in model.model_fields.values():
        yield field
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from sections(inner)


def test_every_setting_has_a_description(pages):
    from swarmloom.config import ExpertSettings

    fields = [*sections(Settings), *sections(ExpertSettings)]
    assert len(fields) > 30
    assert all(field.description and field.description.endswith(".") for field in fields)


def test_every_setting_of_the_built_in_protocols_has_a_description(pages):
    from swarmloom.config import PluginSettings
    from swarmloom.host import PluginHost

    host = PluginHost(PluginSettings())
    host.discover()
    models = [type(config) for name, config in host.configs.items() if host.is_built_in(name)]
    assert models
    undescribed = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert undescribed == []


class Odd(ProtocolConfig):
    """Settings of an odd one.

    Not shown.
    """

    needed: int = Field(ge=1, le=3, description="Must be | given.")
    choice: str | None = Field(default=None, description="May be given.")


def test_what_a_row_says():
    page = configuration_reference(Settings, {"odd": Odd})
    start = page.index("## `[plugins.config.odd]`")
    assert page[start:].split("\n\n")[1] == "Settings of an odd one."
    assert r"| `needed` | a whole number ≥ 1 and ≤ 3 | (required) | Must be \| given. |" in page
    assert "| `choice` | a string, or unset | `null` | May be given. |" in page


def with_docstring(text, *, first_result=False):
    def swarmloom_odd(self, round) -> int: ...

    swarmloom_odd.__doc__ = text
    swarmloom_odd.__annotations__ = {"return": "int"}
    return hookspec(swarmloom_odd, firstresult=first_result)


GOOD = """Say something odd.

        :param round: the batch.

        Returns a number.

        Who may implement it: anybody.
        """


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "one sentence"),
        (GOOD.replace("odd.", "odd"), "one sentence"),
        (GOOD.replace(":param round:", ":param rond:"), r"must describe \('round',\)"),
        (GOOD.replace("Returns a number.", "Nothing."), "what it returns"),
        (GOOD.replace("Who may", "Anybody may"), "Who may implement it"),
        (GOOD.replace("Who", "Stops at first non-None result.\n\n        Who"), "if and only if"),
    ],
)
def test_a_docstring_in_another_form_is_refused(text, message, monkeypatch):
    class OddSpecs:
        """Odd."""

        swarmloom_odd = with_docstring(text)

    monkeypatch.setattr(hookspecs, "OddSpecs", OddSpecs, raising=False)
    monkeypatch.setattr(hookspecs, "__all__", ["OddSpecs"])
    with pytest.raises(HookDocError, match=message):
        hook_docs()


def test_a_docstring_in_the_fixed_form_is_read(monkeypatch):
    class OddSpecs:
        """Odd."""

        swarmloom_odd = with_docstring(GOOD)

    monkeypatch.setattr(hookspecs, "OddSpecs", OddSpecs, raising=False)
    monkeypatch.setattr(hookspecs, "__all__", ["OddSpecs"])
    (doc,) = hook_docs()
    assert doc.heading == "swarmloom_odd(round)"
    assert doc.parameters == {"round": "the batch."}
    assert doc.who == "anybody."

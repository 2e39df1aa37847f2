"""What the documentation says is run: its Python blocks, its configuration, its links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from swarmloom.config import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

# These pages' blocks need more than a folder of their own; their own tests run them.
ELSEWHERE = {"crewai.md", "ledger.md", "entanglement.md", "orchestration.md"}


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


RUNNABLE = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE and any("kickoff" not in b for b in blocks(page, "python"))
]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__ENABLED", "false")
    for block in blocks(page, "python"):
        # A crew that the reader has is not at hand here; the CrewAI page's test has one.
        if "kickoff" not in block:
            exec(compile(block, name_of(page), "exec"), {})


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "toml")], ids=name_of)
def test_configurations_are_valid(page):
    for block in blocks(page, "toml"):
        values = tomllib.loads(block)
        if "project" not in values and "costs" not in values:
            Settings.model_validate(values)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


def test_every_page_can_be_reached_from_the_readme():
    seen, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#]+?\.md)(?:#[^)]*)?\)", page.read_text("utf-8"))
        queue += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert {name_of(p) for p in PAGES} <= {name_of(p) for p in seen}

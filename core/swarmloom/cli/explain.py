"""`swarmloom explain RUN TASK`: why a task went as it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from swarmloom.cli.output import JsonFlag, QuietFlag, emit
from swarmloom.cli.runs import LedgerFile, open_existing
from swarmloom.ledger.explanation import explain_task

__all__ = ["explain"]


def explain(
    run: Annotated[str, typer.Argument(help='A run\'s id, the beginning of one, or "last".')],
    task: Annotated[str, typer.Argument(help="A task's id.")],
    ledger: LedgerFile = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Show what each protocol said of a task, who was asked, what came back and the verdict."""
    with open_existing(ledger) as opened:
        explanation = explain_task(opened, opened.find(run), task)
    emit(explanation, json, lambda: _page(explanation), quiet)


def _page(explanation: Mapping[str, Any]) -> RenderableType:
    parts: list[RenderableType] = [_heading(explanation)]
    for decision in explanation["decisions"]:
        parts += [Text(), _asked(decision), _protocols(decision), _answer(decision["ballot"])]
        parts += _goes_on(decision["verdict"])
    parts += [_answer(ballot, "audit: ") for ballot in explanation["audits"]]
    return Group(*parts, Text(), *_verdict(explanation))


def _goes_on(verdict: Mapping[str, Any] | None) -> list[Text]:
    if verdict is None or verdict["answer"] is None:
        return []
    return [Text(f"so far {verdict['answer']!r}; {_posterior(verdict['posterior'])}")]


def _posterior(posterior: Mapping[str, float]) -> str:
    ranked = sorted(posterior.items(), key=lambda item: -item[1])
    return "posterior " + ", ".join(f"{answer!r} {p:.3f}" for answer, p in ranked)


def _heading(explanation: Mapping[str, Any]) -> Text:
    asked = explanation["asked"] or {}
    topic = f" (topic {asked['topic']})" if asked.get("topic") else ""
    text = Text.assemble((f"task {explanation['task']}", "bold"), f"{topic} of run ")
    text.append(explanation["run"])
    if asked.get("prompt"):
        text.append(f"\n{asked['prompt']}")
    return text


def _asked(decision: Mapping[str, Any]) -> Text:
    solver = f", decided by {decision['solver']}" if decision["solver"] else ""
    return Text.assemble(f"round {decision['round']}: asked ", (decision["expert"], "bold"), solver)


def _protocols(decision: Mapping[str, Any]) -> Table:
    """Draw one row a protocol: its weight, its share, and what it said of each candidate.

    The last row holds the sums, couplings left out.
    """
    table = Table("protocol", box=None, padding=(0, 2, 0, 0))
    for heading in ("weight", "share", *map(escape, decision["scores"])):
        table.add_column(heading, justify="right")
    for name, protocol in decision["protocols"].items():
        terms = [
            f"{protocol['said'][expert]:+.2f} → {weighed:+.2f}"
            for expert, weighed in protocol["weighed"].items()
        ]
        table.add_row(escape(name), f"{protocol['weight']:.2f}", f"{protocol['share']:.0%}", *terms)
    scores = [f"{score:+.2f}" for score in decision["scores"].values()]
    table.add_row("sum", "", "", *scores, style="bold")
    return table


def _answer(ballot: Mapping[str, Any] | None, before: str = "") -> Text:
    if ballot is None:
        return Text("no answer on record yet", style="yellow")
    said = f"failed: {ballot['error']}" if ballot["error"] else f"answered {ballot['answer']!r}"
    spent = f" (cost {ballot['cost']:.6g}, {ballot['latency']:.3g} s, {ballot['tokens']} tokens)"
    return Text(f"{before}{ballot['expert']} {said}{spent}")


def _verdict(explanation: Mapping[str, Any]) -> list[Text]:
    outcome = explanation["outcome"]
    if outcome is None:
        return [Text(f"not finished; cost so far {explanation['cost']:.6g}", style="yellow")]
    lines = [Text.assemble(("verdict ", "bold"), (repr(outcome["answer"]), "bold"))]
    if outcome["posterior"]:
        lines.append(Text(_posterior(outcome["posterior"])))
    if outcome["truth"] is not None:
        lines.append(Text(f"graded: {outcome['truth']!r} is right"))
    spent = f"cost {outcome['cost']:.6g}, {outcome['latency']:.3g} s"
    lines.append(Text(f"{spent}; stopped: {outcome['stop_reason']}"))
    return lines

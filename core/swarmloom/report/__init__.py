"""The HTML report of a run: one self-contained page."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarmloom.report.data import ReportData as ReportData
    from swarmloom.report.from_view import report_data as report_data
    from swarmloom.report.page import render as render
    from swarmloom.report.page import write_report as write_report

_HOME = {
    "ReportData": "data",
    "render": "page",
    "report_data": "from_view",
    "write_report": "page",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

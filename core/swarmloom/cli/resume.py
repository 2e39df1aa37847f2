"""`swarmloom resume RUN`: go on where a run stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from swarmloom.cli.output import JsonFlag, QuietFlag, emit
from swarmloom.cli.runs import LedgerFile, as_data, open_existing
from swarmloom.errors import InputError
from swarmloom.ledger import RunRecord

__all__ = ["resume"]


def resume(
    run: Annotated[str, typer.Argument(help='A run\'s id, the beginning of one, or "last".')],
    ledger: LedgerFile = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Go on with a run that was interrupted, by the command that started it.

    Tasks that are finished are not asked again; answers that were paid are not paid again.
    """
    with open_existing(ledger) as opened:
        record = opened.record(opened.find(run))
        file = opened.path
    if record.status != "finished":
        assert file is not None
        flags = [*(["--json"] if json else []), *(["--quiet"] if quiet else [])]
        _start_again(record, file, flags)
    else:
        tasks = f"{record.finished} of {record.tasks} tasks have their outcome"
        emit(as_data(record), json, lambda: f"run {record.id} is finished: {tasks}", quiet)


def _start_again(record: RunRecord, ledger: Path, flags: Sequence[str]) -> None:
    from swarmloom.cli import main

    arguments, folder = record.job.get("argv"), record.job.get("cwd")
    if not arguments or not folder:
        raise InputError(
            f"run {record.id} was not started by a command; open it again from the program that "
            f"started it, with open_run(resume={record.id!r})"
        )
    if not Path(folder).is_dir():
        raise InputError(f"run {record.id} was started in {folder}, which is no longer a folder")
    os.chdir(folder)
    # The command may find its ledger another way; here it is this one, wherever that says.
    os.environ["SWARMLOOM_LEDGER__PATH"] = str(ledger)
    main([*arguments, "--resume", record.id, *flags])

"""The command line: `swarmloom COMMAND`; each command is imported when it is called."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Raises
    ------
    SystemExit
        Always. 0 done; 1 another error; 2 bad usage, configuration or input; 3 plugins; 4 ledger;
        5 budget; 6 experts; 7 device or memory; 130 interrupted.
    """
    from swarmloom.cli.app import run

    run(arguments)

"""Why a file cannot be read, in words."""

from __future__ import annotations

__all__ = ["why_unreadable"]


def why_unreadable(error: Exception) -> str:
    """Say what is wrong with a file, without the file's name and without error numbers.

    Parameters
    ----------
    error : Exception
        What reading or writing it raised.

    Examples
    --------
    >>> why_unreadable(FileNotFoundError(2, "No such file or directory", "answers.csv"))
    'there is no such file'
    """
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not a file"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)

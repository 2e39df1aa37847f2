"""The one error hierarchy: everything Swarmloom raises on purpose is a `SwarmloomError`."""

from __future__ import annotations

__all__ = [
    "BudgetExceededError",
    "ConfigurationError",
    "DeviceError",
    "ExpertError",
    "InputError",
    "InterruptedRunError",
    "LedgerError",
    "MemoryLimitError",
    "NoExpertError",
    "PluginError",
    "StoreError",
    "StoreLockedError",
    "SwarmloomError",
]


class SwarmloomError(Exception):
    """Base of all errors that Swarmloom raises on purpose."""

    exit_code = 1


class ConfigurationError(SwarmloomError):
    """A configuration is wrong; the message names file, key, value and what is allowed."""

    exit_code = 2


class InputError(SwarmloomError, ValueError):
    """An argument or a data file is wrong; the message says what is allowed."""

    exit_code = 2


class PluginError(SwarmloomError):
    """A plugin is missing, clashes or cannot be used."""

    exit_code = 3


class LedgerError(SwarmloomError):
    """The ledger cannot be read or written; what it held is left as it was."""

    exit_code = 4


class StoreError(SwarmloomError):
    """A file of traces or memories cannot be read or written; what it held is left as it was."""

    exit_code = 4


class StoreLockedError(StoreError):
    """Another process kept a file of traces or memories locked; nothing was changed."""


class BudgetExceededError(SwarmloomError):
    """A hard limit on calls, cost or seconds has been reached."""

    exit_code = 5


class NoExpertError(SwarmloomError):
    """No expert may take a task: none is able, available or affordable."""

    exit_code = 6


class ExpertError(SwarmloomError):
    """An expert failed, timed out or answered garbage."""

    exit_code = 6


class InterruptedRunError(SwarmloomError):
    """A person stopped a command; the message says how to go on."""

    exit_code = 130


class DeviceError(SwarmloomError):
    """The device asked for is not usable here."""

    exit_code = 7


class MemoryLimitError(SwarmloomError, MemoryError):
    """A memory plan is larger than its limit; nothing has been allocated."""

    exit_code = 7

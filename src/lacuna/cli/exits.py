"""Exit codes: one table, from the class of an error to the number that a script sees.

0 is success. Codes that no error class stands for are constants here. A test holds the table to be total and
docs/errors.md to be its copy.
"""

from __future__ import annotations

from lacuna import errors

OK = 0
CHANGED = 1
"""``verify`` found known pixels that changed, or ``mask check`` something that looks wrong."""
USAGE = 2
"""The command line itself is wrong: an unknown option, a missing argument."""
NOT_SACRED = 3
"""A fill changed known pixels without being asked to. Nothing was written."""
BUG = 70
"""An error that Lacuna did not raise on purpose."""
INTERRUPTED = 130
"""Ctrl-C (128 + SIGINT). Nothing was written."""
BROKEN_PIPE = 141
"""The reader of a pipe went away (128 + SIGPIPE)."""
TERMINATED = 143
"""Asked to end (128 + SIGTERM). Nothing was written."""

EXIT_CODES: dict[type[errors.LacunaError], int] = {
    errors.InputError: 10,
    errors.ImageError: 11,
    errors.MaskError: 12,
    errors.OptionError: 13,
    errors.ConfigError: 14,
    errors.UnknownMethodError: 20,
    errors.MissingDependencyError: 21,
    errors.MethodError: 22,
    errors.WeightsError: 30,
    errors.WeightsNotFoundError: 31,
    errors.ChecksumMismatchError: 32,
    errors.DeviceError: 40,
    errors.DeviceUnavailableError: 41,
    errors.DeviceOutOfMemoryError: 42,
    errors.WorkerLostError: 43,
    errors.OutputError: 50,
    errors.LimitError: 60,
    errors.QueueFullError: 61,
    errors.NotFoundError: 62,
    errors.AccessError: 63,
    errors.ConflictError: 64,
    errors.NotReadyError: 65,
    errors.LacunaError: BUG,
    errors.Cancelled: INTERRUPTED,
}


def was_interrupt(error: BaseException | None) -> bool:
    """Say whether Ctrl-C lies behind an error.

    When it arrives while numba hands a call to compiled code, numba raises a `SystemError` and keeps the
    `KeyboardInterrupt` as its cause.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def exit_code(error: errors.LacunaError) -> int:
    """Return the exit code of an error: that of its nearest class in the table.

    Examples
    --------
    >>> exit_code(errors.MaskError("no hole"))
    12
    """
    return next(EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)

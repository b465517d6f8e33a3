"""Errors as problem documents (RFC 9457): one table, from the class of an error to the status of an answer.

A test holds the table to be total and docs/errors.md to be its copy.
"""

from __future__ import annotations

import errno
from typing import Any

from lacuna import errors

MEDIA_TYPE = "application/problem+json"
TYPE = "https://github.com/lacuna-inpainting/lacuna/blob/main/docs/errors.md#"

STATUS: dict[type[errors.LacunaError], int] = {
    errors.LacunaError: 500,
    errors.InputError: 422,
    errors.ImageError: 422,
    errors.MaskError: 422,
    errors.OptionError: 422,
    errors.ConfigError: 422,
    errors.UnknownMethodError: 422,
    errors.MissingDependencyError: 422,
    errors.MethodError: 500,
    errors.WeightsError: 422,
    errors.WeightsNotFoundError: 422,
    errors.ChecksumMismatchError: 422,
    errors.DeviceError: 503,
    errors.DeviceUnavailableError: 422,
    errors.DeviceOutOfMemoryError: 503,
    errors.WorkerLostError: 503,
    errors.OutputError: 422,
    errors.LimitError: 413,
    errors.QueueFullError: 429,
    errors.NotFoundError: 404,
    errors.AccessError: 401,
    errors.ConflictError: 409,
    errors.NotReadyError: 409,
    errors.Cancelled: 409,
}


def status_of(cls: type[BaseException]) -> int:
    """Return the HTTP status of an error: that of its nearest class in the table; 500 for a bug.

    Examples
    --------
    >>> status_of(errors.MaskError), status_of(KeyError)
    (422, 500)
    """
    return next((STATUS[base] for base in cls.__mro__ if base in STATUS), 500)


def problem(error: BaseException) -> dict[str, Any]:
    """Return the problem document of an error.

    Examples
    --------
    >>> told = problem(errors.MaskError("the mask is empty; draw something"))
    >>> told["status"], told["code"], told["fix"]
    (422, 'MaskError', 'draw something')
    """
    if isinstance(error, MemoryError):
        error = errors.DeviceOutOfMemoryError(
            "memory ran out; give a smaller picture, or choose a smaller hole"
        )
    if disk_is_full(error):
        error = errors.LimitError("the server's disk is full; try again when its owner has made room")
    if isinstance(error, errors.LacunaError):
        known = next(cls for cls in type(error).__mro__ if cls in STATUS)
        return document(known.__name__, str(error))
    return document("InternalError", f"a bug in Lacuna: {type(error).__name__}; please report what you did")


def disk_is_full(error: BaseException) -> bool:
    """Return whether there was no room to write.

    Examples
    --------
    >>> disk_is_full(OSError(errno.ENOSPC, "No space left")), disk_is_full(FileNotFoundError())
    (True, False)
    """
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def document(code: str, detail: str) -> dict[str, Any]:
    """Return the problem document for the name of an error class and its sentence."""
    detail = " ".join(detail.split())
    cls = getattr(errors, code, None)
    known = isinstance(cls, type) and issubclass(cls, errors.LacunaError)
    title = (
        (cls.__doc__ or "").split("\n")[0] if known and cls is not None else "Something went wrong in Lacuna."
    )
    return {
        "type": TYPE + code.lower(),
        "title": title,
        "status": status_of(cls) if known and cls is not None else 500,
        "detail": detail,
        "code": code,
        "fix": fix_of(detail),
    }


def fix_of(detail: str) -> str:
    """Return what a sentence says is to be done: what follows its last semicolon.

    Examples
    --------
    >>> fix_of("the mask is 3x3, the picture is 4x4; give another one"), fix_of("out of memory")
    ('give another one', '')
    """
    _, mark, fix = detail.rpartition("; ")
    return fix if mark else ""


def error_of(told: dict[str, Any]) -> errors.LacunaError:
    """Return the error that a problem document tells of, to be raised again."""
    cls = getattr(errors, str(told.get("code")), None)
    if isinstance(cls, type) and issubclass(cls, errors.LacunaError):
        return cls(str(told["detail"]))
    return errors.LacunaError(str(told.get("detail", "something went wrong")))

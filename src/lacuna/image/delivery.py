"""Bytes to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from lacuna.errors import OutputError

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EFBIG: "the file is too large for the file system",
    errno.ENAMETOOLONG: "the name is too long",
}


def check_target(path: Path, source: Path | None, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written or must not be replaced.

    Parameters
    ----------
    source : the file that was read; the same file under another name, or through a link, counts too.

    Raises
    ------
    OutputError
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} does not exist; create it or choose another one")
    if overwrite or not path.exists() or not _is_regular(path):
        return
    if source is not None and _same(path, source):
        raise OutputError(f"{path} is the picture that was read; allow overwriting, or choose another name")
    raise OutputError(f"{path} exists already; allow overwriting, or choose another name")


def write_file(path: Path, data: bytes) -> None:
    """Write beside, flush to the disk, rename: the target is the old file or the whole new one.

    A link stays a link: the file that it points to is replaced. The old file's permissions are kept. Devices
    and pipes are written to directly.

    Raises
    ------
    OutputError : missing or read-only folder, disk full, or any other reason that the system gives.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not _is_regular(target):
            target.write_bytes(data)
            return
        _replace(target, data)
    except OSError as error:
        why = _WORDS.get(error.errno or 0) or error.strerror or str(error)
        raise OutputError(f"{path} cannot be written: {why}") from error


def write_stream(stream: BinaryIO, data: bytes) -> None:
    """Write to an open binary file and flush it.

    Raises
    ------
    OutputError
    """
    try:
        stream.write(data)
        if hasattr(stream, "flush"):
            stream.flush()
    except TypeError as error:
        raise OutputError("the output is a text file object; open it in binary mode ('wb')") from error
    except (OSError, ValueError) as error:
        why = _WORDS.get(getattr(error, "errno", None) or 0) or str(error)
        raise OutputError(f"the output cannot be written: {why}") from error


def stdout() -> Any:
    """Return the binary standard output."""
    return sys.stdout.buffer


def _replace(target: Path, data: bytes) -> None:
    mode = _mode(target)
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:  # Ctrl-C too leaves nothing behind
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(target.parent)


def _mode(target: Path) -> int:
    """Return the permissions of the file to be replaced, or those of a new file."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; not every system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False

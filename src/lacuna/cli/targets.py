"""Where output goes: looked at before the work starts, opened after it."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

from lacuna.cli.options import STREAM
from lacuna.errors import OutputError


def check(target: str | None, *, overwrite: bool, quality: int | None = None) -> None:
    """Refuse an output that cannot be written anyway, before seconds or minutes are spent on it.

    Raises
    ------
    OutputError : exists without ``--overwrite``, is a folder, has no folder to be in or one that is
        read-only, names no format, or is a terminal.
    OptionError : a quality out of range, or for a format that has none.
    """
    if target is None:
        return
    if target == STREAM:
        if sys.stdout.isatty():
            raise OutputError("a picture would be printed on the terminal; redirect stdout or give -o FILE")
        if stdout_is_closed():
            raise OutputError("a picture would go to stdout, which is closed; give -o FILE")
        return
    try:
        _check_file(Path(target), overwrite=overwrite)
    except OSError as error:  # OutputError is one, too
        if isinstance(error, OutputError):
            raise
        why = "the name is too long" if error.errno == errno.ENAMETOOLONG else error.strerror
        raise OutputError(f"{target} cannot be written: {why}; choose another name: -o FILE") from error
    from lacuna.image.writing import SUFFIXES, check_quality

    suffix = Path(target).suffix
    if suffix.lower() not in SUFFIXES:
        seen = f"no format is called {suffix!r}" if suffix else "the name has no ending that tells the format"
        raise OutputError(f"{target}: {seen}; use one of {' '.join(SUFFIXES)}")
    check_quality(quality, SUFFIXES[suffix.lower()])


def check_apart(first: str | None, second: str | None) -> None:
    """Refuse two outputs with one name, of which the second would replace the first, or fail after it.

    Raises
    ------
    OutputError
    """
    if first is None or second is None or STREAM in (first, second):
        return
    if os.path.realpath(first) == os.path.realpath(second):
        raise OutputError(f"two outputs are both to be written to {first}; give them two names")


def _check_file(path: Path, *, overwrite: bool) -> None:
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file in it")
    if path.is_file() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or add --overwrite")
    if folder.is_file():
        raise OutputError(f"{folder} is a file, not a folder; choose another name: -o FILE")
    if not folder.is_dir():
        raise OutputError(f"the folder {folder} does not exist; create it or choose another one")
    # A link is followed when it is written, and a new file lies beside its target until it is whole.
    whole = path.is_file() or not path.exists()
    if whole and not os.access(Path(os.path.realpath(path)).parent, os.W_OK):
        raise OutputError(f"the folder {folder} is read-only; name another one: -o FILE")


def stdout_is_closed() -> bool:
    """Say whether the program was started without a standard output, for which `main` put a stand-in."""
    return getattr(sys.stdout, "name", None) == os.devnull


def opened(target: str) -> Any:
    """Return the path, or the binary stdout for ``-``."""
    return sys.stdout.buffer if target == STREAM else Path(target)

"""Where output goes: looked at before the work starts, opened after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lacuna.cli.options import STREAM
from lacuna.errors import OutputError


def check(target: str | None, *, overwrite: bool) -> None:
    """Refuse an output that cannot be written anyway, before seconds or minutes are spent on it.

    Raises
    ------
    OutputError : exists without ``--overwrite``, is a folder, has no folder to be in, names no
        format, or is a terminal.
    """
    if target is None:
        return
    if target == STREAM:
        if sys.stdout.isatty():
            raise OutputError("a picture would be printed on the terminal; redirect stdout or give -o FILE")
        return
    path = Path(target)
    if path.is_dir():
        raise OutputError(f"{target} is a folder; give the name of a file in it")
    if path.is_file() and not overwrite:
        raise OutputError(f"{target} exists already; choose another name or add --overwrite")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} does not exist; create it or choose another one")
    from lacuna.image.writing import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{target}: no format is called {path.suffix!r}; use one of {' '.join(SUFFIXES)}")


def opened(target: str) -> Any:
    """Return the path, or the binary stdout for ``-``."""
    return sys.stdout.buffer if target == STREAM else Path(target)

"""How much memory a process and all that it starts hold, and limits on it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lacuna.errors import OptionError

PROC = Path("/proc")
UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate(("k", "M", "G", "T"), 1)},
}
LEAST = 64 << 20
"""Bytes; an interpreter with numpy holds more, so a lower limit could only be a slip."""

_SESSION, _PAGES = 3, 21
"""Places in /proc/PID/stat, counted after the name in brackets, which may hold anything."""


def parse_bytes(text: str) -> int:
    """Return a number of bytes.

    Parameters
    ----------
    text : a number with a unit: ``8GiB`` (1024³), ``500 MB`` (1000²).

    Raises
    ------
    OptionError : something else.

    Examples
    --------
    >>> parse_bytes("1.5KiB"), parse_bytes("2 MB")
    (1536, 2000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if found is None or found[2] not in UNITS:
        raise OptionError(f"memory is {text!r}; expected a number with a unit, such as 8GiB or 500MB")
    return int(float(found[1]) * UNITS[found[2]])


def check_memory_limit(limit: int | None) -> None:
    """Check a limit before anything is started.

    Raises
    ------
    OptionError : less than 64 MiB, or a system that does not tell what processes hold.
    """
    if limit is None:
        return
    if limit < LEAST:
        raise OptionError(f"memory_limit is {limit} bytes; expected {spoken(LEAST)} or more, or None")
    if session_memory(os.getsid(0) if hasattr(os, "getsid") else 0) is None:
        raise OptionError(
            "memory_limit is not available on this system: it is read from /proc, which Linux has; "
            "leave it out"
        )


def session_memory(leader: int) -> int | None:
    """Return the resident bytes of all processes of a session, or None where the system does not tell.

    A worker leads a session of its own, so that programs which it starts are counted with it, orphans
    included. Pages that processes share count once for each.
    """
    if not (PROC / "self" / "stat").is_file():
        return None
    pages = 0
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                fields = (PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if int(fields[_SESSION]) == leader:
                pages += int(fields[_PAGES])
    return pages * os.sysconf("SC_PAGE_SIZE")


def spoken(count: int) -> str:
    """Return bytes as people write them.

    Examples
    --------
    >>> spoken(8 << 30), spoken(1536 << 20)
    ('8 GiB', '1.5 GiB')
    """
    unit = next(letter for letter in ("GiB", "MiB", "KiB", "B") if count >= UNITS[letter] or letter == "B")
    return f"{count / UNITS[unit]:.4g} {unit}"

"""What the commands print: results to stdout, everything else to stderr.

Colour, and lines broken to fit, are for terminals only: in a log a message stays one line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from lacuna.types import OnStep


def emit(fields: Mapping[str, Any]) -> None:
    """Print one JSON object and nothing else to stdout."""
    sys.stdout.write(json.dumps(fields, ensure_ascii=False, default=str) + "\n")


def say(words: str, *, style: str = "", indent: int = 0, quiet: bool = False) -> None:
    """Print one line for people to stderr."""
    if quiet:
        return
    text = Text(" ".join(words.split("\n")), style=style)
    if sys.stderr.isatty():
        _stderr().print(Padding(text, (0, 0, 0, indent)))
    else:
        _stderr().print(Text(" " * indent) + text, soft_wrap=True)


def failure(error: Exception, code: int, *, as_json: bool) -> int:
    """Print an error as one line on stderr, or as the JSON object on stdout, and return its exit code."""
    message = " ".join(str(error).split())
    if as_json:
        emit({"error": {"type": type(error).__name__, "message": message, "exit_code": code}})
        return code
    line = Text.assemble(("lacuna: ", "bold"), ("error: ", "bold red"), message)
    _stderr().print(line, soft_wrap=not sys.stderr.isatty())
    return code


def known_changed(changed: int, known: int) -> str:
    """Return the sentence that every command ends with.

    Examples
    --------
    >>> known_changed(0, 262144)
    '0 of 262,144 known pixels changed'
    """
    return f"{changed:,} of {known:,} known pixels changed"


@contextmanager
def progress(*, quiet: bool) -> Iterator[OnStep | None]:
    """Show a bar on stderr while it is a terminal; yield None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_stderr(), transient=True) as bar:
        task = bar.add_task("opening", total=1.0)

        def on_step(share: float, words: str) -> None:
            bar.update(task, completed=share, description=words or None)

        yield on_step


def stdout() -> Console:
    """Return a console for tables; made anew so that it follows a replaced `sys.stdout`."""
    return Console(file=sys.stdout, highlight=False)


def _stderr() -> Console:
    return Console(file=sys.stderr, highlight=False)

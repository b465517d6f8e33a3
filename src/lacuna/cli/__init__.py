"""The command line: parse, call, render.

``lacuna --version`` answers before anything else is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lacuna import __version__

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : the arguments after the program's name; None takes them from `sys.argv`.

    Examples
    --------
    >>> main(["--version"]) == 0
    lacuna ...
    True
    """
    args = list(sys.argv[1:] if argv is None else argv)
    # Started with a closed stdout or stderr, as some schedulers do, Python has None there.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the program ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if args[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"lacuna {__version__}\n")
        return 0
    try:
        from lacuna.cli.app import run

        return run(args)
    except KeyboardInterrupt:  # while the imports above still run
        return 130

"""The typer application, and the one place where an exception becomes a line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer
from typer.main import get_command

from lacuna import __version__, errors
from lacuna.cli import exits, render
from lacuna.cli.augment import augment
from lacuna.cli.clean import clean
from lacuna.cli.compare import compare
from lacuna.cli.edit import outpaint, remove
from lacuna.cli.evaluate import evaluate
from lacuna.cli.explain import explain
from lacuna.cli.export import export
from lacuna.cli.inpaint import inpaint
from lacuna.cli.mask import app as mask_app
from lacuna.cli.methods import methods
from lacuna.cli.restore import restore
from lacuna.cli.sample import sample
from lacuna.cli.study import study
from lacuna.cli.train import train
from lacuna.cli.turn import stitch, straighten
from lacuna.cli.verify import verify
from lacuna.cli.web import replay, web
from lacuna.cli.weights import app as weights

DEBUG_VARIABLE = "LACUNA_DEBUG"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# Newer typers carry a click of their own, older ones import it; either way this is the base of its errors.
_ClickError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="lacuna",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    inpaint,
    remove,
    clean,
    outpaint,
    straighten,
    stitch,
    augment,
    restore,
    explain,
    sample,
    compare,
    verify,
    methods,
    evaluate,
    train,
    export,
    web,
    replay,
):
    app.command()(_command)
app.add_typer(mask_app, name="mask")
app.add_typer(weights, name="weights")
app.add_typer(study, name="study")


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"lacuna {__version__}\n")
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True),
]


@app.callback(epilog="[bold]lacuna COMMAND --help[/] shows the options of a command.")
def _root(version: _Version = False) -> None:
    """Fill the missing parts of images, and leave every known pixel exactly as it was."""


class UsageError(Exception):
    """A command line that cannot be understood."""


class InternalError(Exception):
    """Something that Lacuna did not raise on purpose."""


def run(args: Sequence[str]) -> int:
    """Run a command line and return its exit code; no exception leaves, and no traceback is shown."""
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit; a closed pipe or a full disk would make it complain.
        _forget_stdout()
        return exits.BROKEN_PIPE
    except OSError as error:  # the last of stdout does not fit on the disk
        _forget_stdout()
        return render.failure(*_explained(error), as_json=False)
    return code


def _forget_stdout() -> None:
    """Send what is still to be printed nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(args: Sequence[str]) -> int:
    as_json = "--json" in args
    with _terminable() as terminated:
        try:
            return _invoke(list(args) or ["--help"])
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error.__cause__, BrokenPipeError):
                raise error.__cause__ from error
            if exits.was_interrupt(error):
                stopped = errors.Cancelled("stopped; no partial file is left")
                code = exits.TERMINATED if terminated() else exits.INTERRUPTED
                return render.failure(stopped, code, as_json=as_json)
            # Where it was stdout that failed, the object cannot be printed there either.
            return render.failure(*_explained(error), as_json=as_json and not _is_full(error))


def _invoke(args: list[str]) -> int:
    """Run the command without click's ``main``, which has answers of its own to Ctrl-C and closed pipes."""
    command = get_command(app)
    try:
        with command.make_context("lacuna", args) as context:
            code: int | None = command.invoke(context)
    except typer.Exit as end:
        code = end.exit_code
    return code or exits.OK


def _is_full(error: BaseException) -> bool:
    """Say whether what was to be printed found no room, which no door reports."""
    ours = isinstance(error, errors.LacunaError)
    return isinstance(error, OSError) and not ours and error.errno in _FULL


def _explained(error: BaseException) -> tuple[Exception, int]:
    """Return an error that is fit to be shown, and its exit code."""
    if isinstance(error, MemoryError):
        error = errors.DeviceOutOfMemoryError(
            "memory ran out; close other programs or give a smaller picture"
        )
    if _is_full(error):
        error = errors.OutputError(f"the output cannot be written: {error}; make room, or write elsewhere")
    if isinstance(error, errors.LacunaError):
        return error, exits.exit_code(error)
    if isinstance(error, _ClickError):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "lacuna"
        words = error.format_message().rstrip(".") or "a command is missing"
        return UsageError(f"{words}; try '{path} --help'"), exits.USAGE
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()
    kind = type(error).__name__
    words = f"a bug in Lacuna: {kind}: {error}; please report what {DEBUG_VARIABLE}=1 shows"
    return InternalError(words), exits.BUG


@contextmanager
def _terminable() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM stop the work as Ctrl-C does, so that temporary files are removed on the way out."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where signals cannot be caught
        yield lambda: False
        return
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGTERM, before)

"""Run a peer's program on temporary files: progress, cancellation, time limit and errors in one place."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MethodError, OptionError
from lacuna.progress import POLL_SECONDS, report
from lacuna.types import FloatImage, Hole, OnStep

TIME_LIMIT = 600.0
TIME_LIMIT_HELP = "seconds after which the program is stopped, 0.1 to 86400"


def check_time_limit(name: str, seconds: float) -> None:
    """Check the option that all programs have.

    Raises
    ------
    OptionError : seconds is not 0.1 to 86400.
    """
    if not 0.1 <= seconds <= 86400:
        raise OptionError(f"option 'time_limit' of method {name!r} is {seconds}; expected 0.1 to 86400")


@contextmanager
def exchange(name: str) -> Iterator[Path]:
    """Give a temporary folder that is gone afterwards, whatever happens."""
    with mapped(name):
        folder = tempfile.TemporaryDirectory(prefix="lacuna-", ignore_cleanup_errors=True)
    with folder as path:  # not mapped: an OSError that the caller's `on_step` raises is the caller's
        yield Path(path)


@contextmanager
def mapped(name: str) -> Iterator[None]:
    """Turn trouble with files (disk full, no result, an unreadable one) into a MethodError."""
    try:
        yield
    except (OSError, ValueError, EOFError) as error:
        raise MethodError(f"method {name!r} could not exchange files with its program: {error}") from error


def check_choice(name: str, option: str, value: str, choices: Sequence[str]) -> None:
    """Check an option with named values.

    Raises
    ------
    OptionError : value is none of them.
    """
    if value not in choices:
        raise OptionError(
            f"option {option!r} of method {name!r} is {value!r}; expected {' or '.join(choices)}"
        )


def run_child(
    command: Sequence[str], folder: Path, *, name: str, time_limit: float, on_step: OnStep | None
) -> None:
    """Run a program to its end; whatever stops the waiting (an error, Ctrl-C) kills it.

    Raises
    ------
    MethodError : it cannot be started, fails (with its last line), or takes longer than time_limit seconds.
    """
    said = folder / "said.txt"  # a file, because nobody would empty a pipe while it runs
    end = time.monotonic() + time_limit
    with mapped(name):
        stream = said.open("wb")
    with stream:
        try:
            child = subprocess.Popen(  # noqa: S603 - a list of our own words, no shell
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )
        except OSError as error:
            raise MethodError(f"method {name!r}: {command[0]} cannot be started: {error}") from error
        try:
            while child.poll() is None:
                report(on_step, 0.0, f"waiting for {name}")
                if time.monotonic() > end:
                    raise MethodError(
                        f"method {name!r} was stopped after {time_limit:g} s; give it a smaller hole or a "
                        "higher option 'time_limit'"
                    )
                try:
                    child.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if child.returncode != 0:
        raise MethodError(f"method {name!r}: its program failed: {_why(child.returncode, said)}")


def _why(code: int, said: Path) -> str:
    """Return the last line that the program said, or how it ended."""
    lines = [line for line in said.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    words = [lines[-1].strip()] if lines else []
    if code < 0 or not words:
        words.append(f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
    return "; ".join(words)


def pad(image: FloatImage, hole: Hole, side: int) -> tuple[FloatImage, Hole, tuple[slice, slice]]:
    """Mirror a picture with a side shorter than `side` outwards; also return where the original lies."""
    margins = [-(-max(0, side - length) // 2) for length in hole.shape]
    around = [(margin, margin) for margin in margins]
    inner = tuple(slice(margin, margin + n) for margin, n in zip(margins, hole.shape, strict=True))
    if any(margins):
        image = np.pad(image, [*around, (0, 0)], mode="symmetric")  # unlike "reflect" fit for 1 × N
        hole = np.pad(hole, around, mode="symmetric")
    return image, hole, (inner[0], inner[1])


def cover(image: FloatImage, hole: Hole) -> tuple[FloatImage, NDArray[np.float32]]:
    """Overwrite what lies under the hole with one colour near the mean that no known pixel has.

    What a program leaves in exactly this colour it did not fill.
    """
    known = image[~hole]
    colour = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    while (known == colour).all(axis=1).any():
        colour = colour + np.float32(0.00137)
    out = image.copy()
    out[hole] = colour
    return out, colour

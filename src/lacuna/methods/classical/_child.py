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
    """Raise OptionError unless seconds is 0.1 to 86400."""
    if not 0.1 <= seconds <= 86400:
        raise OptionError(f"option 'time_limit' of method {name!r} is {seconds}; expected 0.1 to 86400")


@contextmanager
def exchange(name: str) -> Iterator[Path]:
    """Give a temporary folder; trouble with its files becomes a MethodError."""
    try:
        with tempfile.TemporaryDirectory(prefix="lacuna-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except MethodError:
        raise
    except OSError as error:
        raise MethodError(f"method {name!r} could not exchange files with its program: {error}") from error


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
    with said.open("wb") as stream:
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
    end = f"exit code {code}"
    if code < 0:
        end = f"ended by {signal.Signals(-code).name}"
        lines = []  # what it said before it crashed is not why
    return lines[-1].strip() if lines else end


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
        colour = np.where(colour < 0.5, colour + np.float32(0.00137), colour - np.float32(0.00137))
    out = image.copy()
    out[hole] = colour
    return out, colour

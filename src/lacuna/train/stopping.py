"""Ctrl-C and SIGTERM between two steps, never within one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """Whether to stop, and by which signal."""

    asked: int = 0


@contextmanager
def gently() -> Iterator[Stop]:
    """Note the first Ctrl-C or SIGTERM and go on; the second one acts at once.

    After the block SIGTERM does what it did before. Outside the main thread signals do not arrive, and
    nothing is noted.
    """
    stop = Stop()
    before: dict[int, object] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = number

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread
        pass
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)  # type: ignore[arg-type]
    if stop.asked == signal.SIGTERM:
        signal.raise_signal(signal.SIGTERM)

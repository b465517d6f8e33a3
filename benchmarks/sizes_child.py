"""Fill one picture with one method; started by sizes.py, a process for each cell of its table.

Speaks as `lacuna.evaluate.worker` does: a line of JSON in with the method's name, ``ready`` out; a line with
``image`` and ``hole`` (.npy) in, seconds and memory out. Importing and compiling come before ``ready``.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rivals import RIVALS, SLOW_RIVALS, RivalError

from lacuna import Inpainter
from lacuna.errors import LacunaError
from lacuna.evaluate.worker import MEBI, _peak_of_children, peak, reset_peak, resident

WARM_UP = 64
NO_LIMIT = 1e6
"""Seconds: sizes.py keeps the time."""

Fill = Callable[[NDArray[np.uint8], NDArray[np.bool_]], float]


def filler(name: str) -> Fill:
    """Return a function that fills a picture by a rival or a method of Lacuna and returns the seconds."""
    rival = (RIVALS | SLOW_RIVALS).get(name)
    if rival is not None:
        return lambda image, hole: rival.run(image, hole, NO_LIMIT)[1]
    inpainter = Inpainter(name, options={"time_limit": str(NO_LIMIT / 100)} if name in TIMED else {})
    return lambda image, hole: inpainter.run(image, hole, max_pixels=None).seconds


TIMED = ("gmic", "opencv-shiftmap", "opencv-fsr")
"""Methods with a time limit of their own."""


def warm_up(fill: Fill) -> None:
    """Fill a small picture, so that kernels are loaded or compiled."""
    image = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (WARM_UP, WARM_UP, 3), dtype=np.uint8)
    hole = np.zeros((WARM_UP, WARM_UP), dtype=bool)
    hole[24:40, 24:40] = True
    fill(image, hole)


def main() -> None:
    """Answer one setup and one job."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a method prints goes to stderr

    def answer(**fields: object) -> None:
        pipe.write(json.dumps(fields) + "\n")
        pipe.flush()

    try:
        fill = filler(json.loads(sys.stdin.readline())["method"])
        warm_up(fill)
        answer(status="ready")
        job = json.loads(sys.stdin.readline())
        base, before = resident(), _peak_of_children()
        reset_peak()
        image, hole = np.load(job["image"]), np.load(job["hole"])
        started = time.process_time()
        seconds = fill(image, hole)
        processor = time.process_time() - started  # what `seconds` is on an idle core; not of programs
        program = _peak_of_children()
        memory = max(peak() - base, program if program > before else 0)
        answer(status="ok", seconds=seconds, processor=processor, memory_mb=memory / MEBI)
    except (LacunaError, RivalError, ArithmeticError, ValueError, RuntimeError, ImportError) as error:
        answer(status="error", type=type(error).__name__, error=str(error) or type(error).__name__)
    except MemoryError:
        answer(status="error", type="MemoryError", error="the system gave no more memory")


if __name__ == "__main__":
    main()

"""Fill one picture in a process of its own and print, as JSON, seconds and memory; started by speed.py.

Usage: ``python speed_child.py METHOD IMAGE.npy HOLE.npy REPEATS``. Memory is what the process occupies at its
peak above what it occupied after the imports, before the picture is read; on Linux the peak is reset there,
so that what imports needed for a moment does not hide anything. Imports nothing but Lacuna and numpy.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from lacuna import Inpainter

KIB = 1024


def resident() -> int:
    """Return the bytes that the process occupies now (elsewhere than on Linux: at its peak)."""
    return _status("VmRSS") or _peak_by_rusage()


def reset_peak() -> None:
    """Let the peak start anew from here, where the system can."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak() -> int:
    """Return the most bytes that the process occupied since `reset_peak`."""
    return _status("VmHWM") or _peak_by_rusage()


def _status(field: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * KIB


def _peak_by_rusage() -> int:
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(method: str, image_path: str, hole_path: str, repeats: int) -> None:
    """Import, note the memory, read the picture, fill it `repeats` times."""
    inpainter = Inpainter(method)
    base = resident()
    reset_peak()
    image, hole = np.load(image_path), np.load(hole_path)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        inpainter.run(image, hole)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "memory": peak() - base, "decoded": image.nbytes}))


if __name__ == "__main__":
    main(*sys.argv[1:4], repeats=int(sys.argv[4]))

"""Fill one picture in a process of its own and print, as JSON, seconds and memory; started by speed.py.

Usage: ``python speed_child.py METHOD IMAGE.npy HOLE.npy REPEATS [warm]``. Memory is what the process occupies
at its peak above what it occupied after the imports, before the picture is read; on Linux the peak is reset
there, so that what imports needed for a moment does not hide anything. With ``warm`` a small picture is
filled first, and the memory above what was occupied after that, kernels loaded, is told as well. Imports
nothing but what a fill by patchmatch imports.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numba  # noqa: F401 - Lacuna imports it at the first fill; it belongs to "after imports"
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


def fill_small(inpainter: Inpainter) -> None:
    """Fill a picture of 64 px, so that kernels are loaded or compiled."""
    image = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    hole = np.zeros((64, 64), dtype=bool)
    hole[24:40, 24:40] = True
    inpainter.run(image, hole)


def main(method: str, image_path: str, hole_path: str, repeats: int, *, warm: bool) -> None:
    """Import, note the memory, read the picture, fill it `repeats` times."""
    inpainter = Inpainter(method)
    after_imports = resident()
    if warm:
        fill_small(inpainter)
    after_loading = resident()
    reset_peak()
    image, hole = np.load(image_path), np.load(hole_path)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        inpainter.run(image, hole)
        seconds.append(time.perf_counter() - start)
    told = {"seconds": seconds, "decoded": image.nbytes}
    told |= {"memory": peak() - after_imports, "memory_loaded": peak() - after_loading}
    print(json.dumps(told))


if __name__ == "__main__":
    method, image, hole, repeats, *rest = sys.argv[1:]
    main(method, image, hole, int(repeats), warm=rest == ["warm"])

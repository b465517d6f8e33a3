"""The process that runs one method: jobs in and answers out, as JSON lines.

Started as ``python -m lacuna.evaluate.worker``. A method that crashes, leaks or hangs takes down this process
only. The first line in names the method and its options; each further one is a job.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError, MaskError, OutputError

KIB = 1024
MEBI = 1 << 20
WARM_UP = 160


def main() -> None:
    """Answer jobs until stdin ends."""
    # The method may print: only we write to the pipe, and its words go to stderr.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(fields: dict[str, Any]) -> None:
        pipe.write(json.dumps(fields, ensure_ascii=False) + "\n")
        pipe.flush()

    setup = json.loads(sys.stdin.readline())
    try:
        from lacuna.inpainting import Inpainter

        inpainter = Inpainter(setup["method"], options=setup["options"])
    except Exception as error:  # whatever a method does is a row of the run, and never the run's end
        answer(_failure(error))
        return
    _warm_up(inpainter)
    base = resident()
    answer({"status": "ready"})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer(_run(inpainter, job, base))
        except Exception as error:  # the same, and the next picture may do better
            answer(_failure(error))


def _run(inpainter: Any, job: dict[str, Any], base: int) -> dict[str, Any]:
    from lacuna.image import open_image, save_image
    from lacuna.masks import to_hole

    picture = open_image(job["image"])
    hole, notes = to_hole(job["mask"], picture.shape, picture=picture)
    if not hole.any():
        raise MaskError(
            f"the mask {job['mask']} is empty: nothing is missing, so there is nothing to measure"
        )
    facts = {"hole_ratio": float(hole.mean()), "border": bool(_touches_border(hole))}
    reset_peak()
    result = inpainter.run(covered(picture.colour, hole), hole, seed=job["seed"], max_pixels=None)
    memory = max(peak() - base, _peak_of_children())
    target = Path(job["target"])
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target = target.with_name(target.name + (".tif" if picture.pixels.dtype.kind == "f" else ".png"))
        save_image(result.picture, target, hole=hole, overwrite=True)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    return facts | {
        "status": "ok",
        "fill": str(target),
        "seconds": round(result.seconds, 4),
        "memory_mb": round(memory / MEBI, 1),
        "changed_outside": result.changed_outside,
        "notes": [*picture.notes, *notes, *result.notes],
    }


def covered(pixels: NDArray[Any], hole: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a copy in which the mean of the known pixels hides the truth under the hole."""
    out = np.array(pixels)
    if not hole.all():
        mean = pixels[~hole].mean(axis=0, dtype=np.float64)
        out[hole] = mean if out.dtype.kind == "f" else np.rint(mean)
    return out


def _warm_up(inpainter: Any) -> None:
    """Fill a small picture, so that compiling and loading are in nobody's seconds."""
    hole = np.zeros((WARM_UP, WARM_UP), dtype=np.bool_)
    hole[60:100, 60:100] = True
    try:
        inpainter.run(np.tile(np.arange(WARM_UP, dtype=np.uint8), (WARM_UP, 1))[..., None].repeat(3, 2), hole)
    except Exception:  # of the method; the first real picture says in its row what is wrong
        return


def _touches_border(hole: NDArray[np.bool_]) -> bool:
    return bool(hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any())


def _failure(error: Exception) -> dict[str, Any]:
    words = str(error) if isinstance(error, LacunaError) else f"{type(error).__name__}: {error}"
    return {"status": "error", "type": type(error).__name__, "error": " ".join(words.split())}


def resident() -> int:
    """Return the bytes that the process occupies now (elsewhere than on Linux: at its peak)."""
    return _status("VmRSS") or _peak_by_rusage()


def reset_peak() -> None:
    """Let the peak start anew from here, where the system can."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        try:
            clear.write_text("5")
        except OSError:  # a container may forbid it; the peak is then the process's
            return


def peak() -> int:
    """Return the most bytes that the process occupied since `reset_peak`."""
    return _status("VmHWM") or _peak_by_rusage()


def _status(name: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = status.read_text().splitlines()
    return next((int(line.split()[1]) * KIB for line in lines if line.startswith(name)), 0)


def _peak_by_rusage() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _peak_of_children() -> int:
    """Return the most that a program started by the method occupied: peers do their work there."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


if __name__ == "__main__":
    main()

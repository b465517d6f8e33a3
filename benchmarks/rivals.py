"""The programs that Lacuna is compared with, called as their own documentation says, on the whole picture.

Lacuna's own adapters of the same programs are not used here, so that a fault in an adapter cannot flatter us.
Rivals get and return 8-bit RGB arrays; they never see the truth under the hole (`splits.Example.image`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 60.0

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]


class RivalError(RuntimeError):
    """The program failed or ran out of its time."""


@dataclass(frozen=True)
class Rival:
    """A program that fills holes.

    Parameters
    ----------
    name : as on the command line and in tables.
    run : (image, hole, seconds allowed) -> (filled image, seconds).
    version : what it is, or None when it is not installed.
    timing : what the seconds include.
    """

    name: str
    run: Callable[[Pixels, Hole, float], tuple[Pixels, float]]
    version: Callable[[], str | None]
    timing: str


def peer_python() -> Path | None:
    """Return the interpreter with opencv-contrib: ``LACUNA_PEER_PYTHON``, else the one in .venv-peers."""
    named = os.environ.get("LACUNA_PEER_PYTHON")
    path = Path(named) if named else HERE.parent / ".venv-peers" / "bin" / "python"
    return path if path.is_file() else None


def _opencv(flag: int) -> Callable[[Pixels, Hole, float], tuple[Pixels, float]]:
    def run(image: Pixels, hole: Hole, limit: float) -> tuple[Pixels, float]:
        mask = hole.astype(np.uint8) * 255
        start = time.perf_counter()
        out = cv2.inpaint(image, mask, 5, flag)
        return np.asarray(out, dtype=np.uint8), time.perf_counter() - start

    return run


def _by_files(
    image: Pixels, hole: Hole, command: Callable[[Path], list[str]], limit: float
) -> tuple[Pixels, float, str]:
    """Exchange image.png, mask.png and out.png with a program; return picture, process seconds, stdout."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(image).save(folder / "image.png", compress_level=1)
        Image.fromarray(hole.astype(np.uint8) * 255).save(folder / "mask.png", compress_level=1)
        start = time.perf_counter()
        try:
            done = subprocess.run(command(folder), capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise RivalError(f"took more than {limit:.0f} s") from None
        seconds = time.perf_counter() - start
        if done.returncode or not (folder / "out.png").is_file():
            raise RivalError(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
        out = np.asarray(Image.open(folder / "out.png").convert("RGB"))
    return out, seconds, done.stdout


def _gmic(*command: str) -> Callable[[Pixels, Hole, float], tuple[Pixels, float]]:
    def run(image: Pixels, hole: Hole, limit: float) -> tuple[Pixels, float]:
        def line(folder: Path) -> list[str]:
            files = [str(folder / "image.png"), str(folder / "mask.png")]
            return ["gmic", *files, *command, "-keep[0]", "-output", str(folder / "out.png")]

        out, seconds, _ = _by_files(image, hole, line, limit)
        return out, seconds

    return run


def _shiftmap(image: Pixels, hole: Hole, limit: float) -> tuple[Pixels, float]:
    def line(folder: Path) -> list[str]:
        files = [str(folder / name) for name in ("image.png", "mask.png", "out.png")]
        return [str(peer_python()), str(HERE / "peer_shiftmap.py"), *files]

    out, _, printed = _by_files(image, hole, line, limit)
    return out, float(printed)


def _skimage_biharmonic(image: Pixels, hole: Hole, limit: float) -> tuple[Pixels, float]:
    from skimage.restoration import inpaint_biharmonic  # half a second to import

    start = time.perf_counter()
    out = inpaint_biharmonic(image, hole, channel_axis=-1)
    seconds = time.perf_counter() - start
    return np.rint(np.clip(out, 0, 1) * 255).astype(np.uint8), seconds


def _skimage_version() -> str | None:
    try:
        return f"scikit-image {metadata.version('scikit-image')}"
    except metadata.PackageNotFoundError:
        return None


def _gmic_version() -> str | None:
    if shutil.which("gmic") is None:
        return None
    said = subprocess.run(["gmic", "version"], capture_output=True, text=True, check=False)
    number = re.search(r"Version ([\d.]+)", said.stdout + said.stderr)
    return f"G'MIC {number[1]}" if number else "G'MIC"


def _shiftmap_version() -> str | None:
    python = peer_python()
    if python is None:
        return None
    code = "import cv2; cv2.xphoto; print(cv2.__version__)"
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return f"OpenCV contrib {said.stdout.strip()}" if said.returncode == 0 else None


def _opencv_version() -> str | None:
    return f"OpenCV {cv2.__version__}"


_PROCESS = "the whole process: start, reading and writing PNG files"
_CALL = "the call alone"

RIVALS = {
    rival.name: rival
    for rival in (
        Rival("cv2-telea", _opencv(cv2.INPAINT_TELEA), _opencv_version, _CALL),
        Rival("cv2-ns", _opencv(cv2.INPAINT_NS), _opencv_version, _CALL),
        Rival("shiftmap", _shiftmap, _shiftmap_version, _CALL),
        Rival("gmic-inpaint", _gmic("-inpaint[0]", "[1],7,16"), _gmic_version, _PROCESS),
        Rival("gmic-matchpatch", _gmic("-inpaint_matchpatch[0]", "[1]"), _gmic_version, _PROCESS),
    )
}
"""Those that speed.py and quality.py run unless told otherwise."""

SLOW_RIVALS = {
    "skimage-biharmonic": Rival("skimage-biharmonic", _skimage_biharmonic, _skimage_version, _CALL)
}
"""Those that would hold these up for hours; sizes.py stops them when their time is over."""

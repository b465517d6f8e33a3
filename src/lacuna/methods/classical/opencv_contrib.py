"""`opencv-shiftmap` and `opencv-fsr`: peers from OpenCV contrib, for comparison.

opencv-contrib and the OpenCV that Lacuna uses cannot be installed side by side, so the peers run in an
interpreter of their own, named by the environment variable ``LACUNA_PEER_PYTHON``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from lacuna.errors import MethodError
from lacuna.methods.classical._child import (
    TIME_LIMIT,
    TIME_LIMIT_HELP,
    check_choice,
    check_time_limit,
    exchange,
    mapped,
    pad,
    run_child,
)
from lacuna.progress import note
from lacuna.types import Aux, FloatImage, Hole, OnStep

VARIABLE = "LACUNA_PEER_PYTHON"
SCRIPT = Path(__file__).with_name("_peer_opencv.py")
SHORTEST = 32
"""Pictures with a shorter side are mirrored outwards; FSR fills nothing below 16 pixels."""

HOW = (
    "make an environment with OpenCV contrib:  python -m venv lacuna-peers;  "
    "lacuna-peers/bin/python -m pip install opencv-contrib-python-headless;  "
    f"export {VARIABLE}=$PWD/lacuna-peers/bin/python"
)


@dataclass(frozen=True)
class ShiftMap:
    """Copy from few offsets that are frequent in the picture.

    The program works in 8 bits and in Lab: fills have 256 levels at most, whatever the depth of the picture.

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] He & Sun, Statistics of Patch Offsets for Image Completion, ECCV 2012,
       doi:10.1007/978-3-642-33709-3_2; as implemented by OpenCV contrib's xphoto.
    """

    time_limit: float = field(default=TIME_LIMIT, metadata={"help": TIME_LIMIT_HELP})

    def __post_init__(self) -> None:
        check_time_limit("opencv-shiftmap", self.time_limit)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return _fill("opencv-shiftmap", "shiftmap", image, hole, self.time_limit, on_step)


@dataclass(frozen=True)
class FrequencySelective:
    """Continue the picture by a sum of few waves, block by block.

    The program works in 8 bits: fills have 256 levels at most, whatever the depth of the picture.

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] Genser, Seiler, Schilling & Kaup, Signal and Loss Geometry Aware Frequency Selective Extrapolation
       for Error Concealment, PCS 2018; as implemented by OpenCV contrib's xphoto.
    """

    quality: Literal["best", "fast"] = field(
        default="best", metadata={"help": "best: small blocks and many waves; fast: several times quicker"}
    )
    time_limit: float = field(default=TIME_LIMIT, metadata={"help": TIME_LIMIT_HELP})

    def __post_init__(self) -> None:
        check_choice("opencv-fsr", "quality", self.quality, ("best", "fast"))
        check_time_limit("opencv-fsr", self.time_limit)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return _fill("opencv-fsr", f"fsr-{self.quality}", image, hole, self.time_limit, on_step)


def missing() -> str | None:
    """Return None when the peer interpreter has xphoto, else what to do about it."""
    named = os.environ.get(VARIABLE)
    if not named:
        return f"{VARIABLE} is not set; {HOW}"
    python = shutil.which(named)
    if python is None:
        return f"{VARIABLE} is {named!r}, which is no program; {HOW}"
    try:
        _try_xphoto(python)
    except (OSError, subprocess.SubprocessError):
        return f"{VARIABLE} is {named!r}, whose cv2 has no xphoto or cannot be imported; {HOW}"
    return None


@cache
def _try_xphoto(python: str) -> None:
    """Import xphoto in the peer; only success is remembered, so that a repaired one is found."""
    subprocess.run(  # noqa: S603 - the user's own interpreter
        [python, "-I", "-c", "import cv2; cv2.xphoto.inpaint"], capture_output=True, check=True, timeout=60
    )


def _fill(
    name: str, algorithm: str, image: FloatImage, hole: Hole, time_limit: float, on_step: OnStep | None
) -> FloatImage:
    """Exchange .npy files with the script; the result is 8-bit."""
    wide, missed, inner = pad(image, hole, SHORTEST)
    seen = np.where(missed[..., None], np.float32(0), wide)
    with exchange(name) as folder:
        with mapped(name):
            np.save(folder / "image.npy", np.rint(seen.clip(0, 1) * 255).astype(np.uint8))
            np.save(folder / "hole.npy", missed)
        python = shutil.which(os.environ.get(VARIABLE, "")) or "python"
        command = [python, "-I", str(SCRIPT), algorithm, str(folder)]
        run_child(command, folder, name=name, time_limit=time_limit, on_step=on_step)
        with mapped(name):
            out = np.load(folder / "out.npy", allow_pickle=False)
    if out.shape != wide.shape or out.dtype != np.uint8:
        raise MethodError(f"method {name!r}: its program wrote {out.dtype} {out.shape}, not a picture")
    note(f"{name} works in 8 bits: the fill has 256 levels at most")
    return np.where(hole[..., None], out[inner].astype(np.float32) / 255, image)

"""`telea` and `navier-stokes`: OpenCV's two classics as methods.

OpenCV takes three channels in 8 bits only, one channel in 16 bits too. The channels are filled one by one in
16 bits, so that a 16-bit or float picture gets no banding. Its float32 is not used: Telea's gradient term is
counted in levels there, and with values in [0, 1] it leaves the range altogether.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lacuna.errors import MethodError, OptionError
from lacuna.progress import run_interruptible, scaled
from lacuna.types import Aux, FloatImage, Hole, OnStep

_HELP = "pixels around each missing one that are looked at, 1 to 100"
_LEVELS = 65535


@dataclass(frozen=True)
class Telea:
    """Fill from the rim inwards with weighted means of what is known (fast marching).

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] Telea, An Image Inpainting Technique Based on the Fast Marching Method, J. Graphics Tools 9(1),
       2004, doi:10.1080/10867651.2004.10487596.
    """

    radius: int = field(default=3, metadata={"help": _HELP})

    def __post_init__(self) -> None:
        _check_radius("telea", self.radius)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return _fill("telea", image, hole, self.radius, on_step)


@dataclass(frozen=True)
class NavierStokes:
    """Continue lines of equal brightness into the hole.

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] Bertalmío, Bertozzi & Sapiro, Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, CVPR
       2001, doi:10.1109/CVPR.2001.990497.
    """

    radius: int = field(default=3, metadata={"help": _HELP})

    def __post_init__(self) -> None:
        _check_radius("navier-stokes", self.radius)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        return _fill("navier-stokes", image, hole, self.radius, on_step)


def _check_radius(name: str, radius: int) -> None:
    if not 1 <= radius <= 100:  # OpenCV itself cuts silently at both ends
        raise OptionError(f"option 'radius' of method {name!r} is {radius}; expected 1 to 100")


def _fill(name: str, image: FloatImage, hole: Hole, radius: int, on_step: OnStep | None) -> FloatImage:
    import cv2  # 60 ms that only those pay who fill

    flag = cv2.INPAINT_TELEA if name == "telea" else cv2.INPAINT_NS
    mask = hole.astype(np.uint8)
    out = image.copy()
    channels = image.shape[2]
    for c in range(channels):
        plane = np.rint(np.where(hole, np.float32(0), image[..., c]).clip(0, 1) * _LEVELS).astype(np.uint16)

        def work(plane: np.ndarray = plane) -> np.ndarray:
            return cv2.inpaint(plane, mask, radius, flag)

        try:
            filled = run_interruptible(work, scaled(on_step, c / channels, (c + 1) / channels), name)
        except cv2.error as error:
            raise MethodError(f"method {name!r}: OpenCV failed: {str(error).strip()}") from error
        out[..., c][hole] = filled[hole].astype(np.float32) / _LEVELS
    return out

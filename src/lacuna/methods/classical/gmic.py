"""`gmic`: the peer G'MIC, for comparison, when its program is on the PATH."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from lacuna.errors import MethodError
from lacuna.methods.classical._child import (
    TIME_LIMIT,
    TIME_LIMIT_HELP,
    check_choice,
    check_time_limit,
    cover,
    exchange,
    mapped,
    pad,
    run_child,
)
from lacuna.types import Aux, FloatImage, Hole, OnStep

SHORTEST = 32
"""Pictures with a shorter side are mirrored outwards: G'MIC wants room for whole patches."""

ARGUMENTS = {
    "inpaint": ["-inpaint[0]", "[1],7,16"],
    "inpaint_matchpatch": ["-inpaint_matchpatch[0]", "[1]"],
}


@dataclass(frozen=True)
class Gmic:
    """Copy patches with one of two commands of G'MIC.

    ``inpaint`` copies whole patches of 7 × 7 known pixels, from the rim inwards; where there are none (every
    second line missing, little known) it fills nothing, which is an error here. ``inpaint_matchpatch`` works
    on several scales, and differently each time. Values travel as float32: nothing is lost.

    Raises
    ------
    OptionError : a value out of range.

    References
    ----------
    .. [1] Daisy, Tschumperlé & Lézoray, A Fast Spatial Patch Blending Algorithm for Artefact Reduction in
       Pattern-Based Image Inpainting, SIGGRAPH Asia Technical Briefs 2013, doi:10.1145/2542355.2542365.
    """

    command: Literal["inpaint", "inpaint_matchpatch"] = field(
        default="inpaint", metadata={"help": "inpaint: patch by patch; inpaint_matchpatch: on several scales"}
    )
    time_limit: float = field(default=TIME_LIMIT, metadata={"help": TIME_LIMIT_HELP})

    def __post_init__(self) -> None:
        check_choice("gmic", "command", self.command, tuple(ARGUMENTS))
        check_time_limit("gmic", self.time_limit)

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        wide, missed, inner = pad(image, hole, SHORTEST)
        # In 0 … 255, for which the commands' own constants are made.
        covered, colour = cover(np.where(missed[..., None], np.float32(0), wide) * np.float32(255), missed)
        with exchange("gmic") as folder:
            files = [folder / "image.cimg", folder / "mask.cimg"]
            with mapped("gmic"):
                _write(files[0], covered)
                _write(files[1], missed[..., None].astype(np.float32))
            result = folder / "out.cimg"
            command = ["gmic", *map(str, files), *ARGUMENTS[self.command]]
            command += ["-keep[0]", "-output", f"{result},float"]
            run_child(command, folder, name="gmic", time_limit=self.time_limit, on_step=on_step)
            with mapped("gmic"):
                out = _read(result)
        if out.shape != covered.shape or not np.isfinite(out).all():
            raise MethodError(f"method 'gmic': its program wrote {out.shape}, not a picture")
        out = out[inner]
        left = int((out[hole] == colour).all(axis=1).sum())
        if left:
            raise MethodError(
                f"method 'gmic': command {self.command!r} left {left} of {int(hole.sum())} missing pixels "
                "empty: it found no patch without missing pixels"
            )
        return np.where(hole[..., None], (out / np.float32(255)).clip(0, 1), image)


def missing() -> str | None:
    """Return None when gmic is on the PATH, else how to get it."""
    if shutil.which("gmic") is None:
        return "the program gmic is not on the PATH; on Debian and Ubuntu: sudo apt install gmic"
    return None


def _write(path: Path, image: FloatImage) -> None:
    """Write (H, W, C) as .cimg: a line of kind, a line of sizes, then plane after plane of float32."""
    height, width, channels = image.shape
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype="<f4")
    path.write_bytes(f"1 float little_endian\n{width} {height} 1 {channels}\n".encode() + planes.tobytes())


def _read(path: Path) -> FloatImage:
    """Read a .cimg of one float32 image.

    Raises
    ------
    ValueError : it is something else.
    """
    kind, sizes, data = path.read_bytes().split(b"\n", 2)
    width, height, depth, channels = (int(word) for word in sizes.split()[:4])
    if kind.split() != [b"1", b"float", b"little_endian"] or depth != 1:
        raise ValueError(f"a .cimg of {kind!r}, {sizes!r}")
    planes = np.frombuffer(data, dtype="<f4").reshape(channels, height, width)
    return np.ascontiguousarray(planes.transpose(1, 2, 0), dtype=np.float32)

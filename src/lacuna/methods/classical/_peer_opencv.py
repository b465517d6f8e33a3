"""Run one of xphoto's inpaintings on .npy files; `opencv_contrib` starts it in the peer interpreter.

Usage: ``python _peer_opencv.py ALGORITHM FOLDER``: reads image.npy (H, W, 1|3) 8-bit RGB and hole.npy (H, W)
bool, writes out.npy. Needs the standard library, numpy and OpenCV contrib; Lacuna is not installed there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

xphoto: Any = getattr(cv2, "xphoto", None)  # only OpenCV contrib has it


def shiftmap(image: Any, known: Any) -> Any:
    """Fill with xphoto's shift map, which compares colours in Lab."""
    rgb = np.repeat(image, 3 // image.shape[2], axis=2)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    out = lab.copy()
    xphoto.inpaint(lab, known, out, xphoto.INPAINT_SHIFTMAP)
    # It blackens the hole first, and black in all three is a colour that Lab does not have.
    left = int(((out == 0).all(axis=2) & (known == 0)).sum())
    if left:
        sys.exit(f"it left {left} of {int((known == 0).sum())} missing pixels empty: too little is known")
    out = cv2.cvtColor(out, cv2.COLOR_Lab2RGB)
    return out if image.shape[2] == 3 else np.rint(out.mean(axis=2, keepdims=True))


def selective(image: Any, known: Any, algorithm: int) -> Any:
    """Fill by frequency selective reconstruction."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    out = bgr.copy()
    xphoto.inpaint(bgr, known, out, algorithm)
    return out.reshape(image.shape)[..., ::-1]


def main(algorithm: str, name: str) -> None:
    """Read, fill and write."""
    folder = Path(name)
    image = np.load(folder / "image.npy")
    known = np.where(np.load(folder / "hole.npy"), 0, 255).astype(np.uint8)  # zero is missing in xphoto
    if xphoto is None:
        sys.exit("this OpenCV has no xphoto; it needs opencv-contrib-python-headless")
    if algorithm == "shiftmap":
        out = shiftmap(image, known)
    elif algorithm == "fsr-best":
        out = selective(image, known, xphoto.INPAINT_FSR_BEST)
    else:
        out = selective(image, known, xphoto.INPAINT_FSR_FAST)
    np.save(folder / "out.npy", np.ascontiguousarray(out, dtype=np.uint8))


if __name__ == "__main__":
    main(*sys.argv[1:3])

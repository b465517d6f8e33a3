"""Run OpenCV contrib's SHIFTMAP on files; rivals.py starts it with the peer interpreter.

Usage: ``python peer_shiftmap.py IMAGE MASK OUT`` (white in MASK = missing); prints the call's own seconds.
"""

import sys
import time

import cv2


def main(image_path: str, mask_path: str, out_path: str) -> None:
    """Inpaint one file; xphoto wants Lab, and zero in its mask means missing."""
    lab = cv2.cvtColor(cv2.imread(image_path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2Lab)
    known = (cv2.imread(mask_path, cv2.IMREAD_GRAYSCALE) < 128).astype("uint8") * 255
    out = lab.copy()
    start = time.perf_counter()
    cv2.xphoto.inpaint(lab, known, out, cv2.xphoto.INPAINT_SHIFTMAP)
    seconds = time.perf_counter() - start
    if not cv2.imwrite(out_path, cv2.cvtColor(out, cv2.COLOR_Lab2BGR)):
        raise OSError(f"cannot write {out_path}")
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:4])

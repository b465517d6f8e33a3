"""Detectors: what is wrong with a picture, as a mask and how sure they are.

Each takes canon (float32 ``(H, W, 1 or 3)`` in [0, 1]), ``sensitivity`` (0 to 1) and ``region``, and returns
a `Detection`. Their modules load numpy only; OpenCV and numba come when a detector is called.
"""

from __future__ import annotations

from lacuna.detect.borders import find_borders
from lacuna.detect.dead_pixels import find_dead_pixels
from lacuna.detect.detection import Detection, Detector
from lacuna.detect.dust import find_dust
from lacuna.detect.repeated import find_repeated
from lacuna.detect.scratches import find_scratches
from lacuna.detect.text import find_text
from lacuna.detect.torn_corners import find_torn_corners

__all__ = [
    "DETECTORS",
    "Detection",
    "Detector",
    "find_borders",
    "find_dead_pixels",
    "find_dust",
    "find_repeated",
    "find_scratches",
    "find_text",
    "find_torn_corners",
]

DETECTORS: dict[str, Detector] = {
    "scratches": find_scratches,
    "dust": find_dust,
    "torn-corners": find_torn_corners,
    "dead-pixels": find_dead_pixels,
    "borders": find_borders,
    "text": find_text,
}
"""Detectors of one picture, by the name that masks and the command line call them; a line adds one."""

"""Detectors: what is wrong with a picture, as a mask and how sure they are.

Each takes canon (float32 ``(H, W, 1 or 3)`` in [0, 1]), ``sensitivity`` (0 to 1) and ``region``, and returns
a `Detection`. Their modules load numpy only; OpenCV and numba come when a detector is called.
"""

from __future__ import annotations

from lacuna.detect.detection import Detection, Detector
from lacuna.detect.repeated import find_repeated
from lacuna.detect.text import find_text

__all__ = ["DETECTORS", "Detection", "Detector", "find_repeated", "find_text"]

DETECTORS: dict[str, Detector] = {"text": find_text}
"""Detectors of one picture, by the name that masks and the command line call them; a line adds one."""

"""OpenCV's decoder, which is to keep silent: what it finds wrong with a file is told once, by us."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SILENT = 0


def decoded(data: bytes) -> NDArray[Any] | None:
    """Return the pixels as OpenCV has them, colours as B, G, R, or None where it cannot read the file."""
    import cv2

    log, usual = cv2.utils.logging, _usual_level()
    log.setLogLevel(_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        log.setLogLevel(usual)


@functools.cache
def _usual_level() -> int:
    # Asked for once: another thread may have silenced it at this moment.
    import cv2

    return int(cv2.utils.logging.getLogLevel())

"""The exemplar engine: fills a hole with patches of the known part of the picture.

This package loads numba and OpenCV when it is imported; import it where it is needed.
"""

from __future__ import annotations

from lacuna.exemplar.engine import Effort, Guide, fill_patches
from lacuna.exemplar.stage import Weights

__all__ = ["Effort", "Guide", "Weights", "fill_patches"]

"""Lacuna fills the missing parts of images and leaves every known pixel exactly as it was.

>>> import numpy as np, lacuna
>>> grey = np.full((20, 30), 90, dtype=np.uint8)
>>> grey[8:12, 10:15] = 255  # something to be removed
>>> filled = lacuna.inpaint(grey, grey == 255)
>>> filled.dtype, int(filled.max())
(dtype('uint8'), 90)

`inpaint` is the one-shot call; `Inpainter` loads a method once and tells more. Importing this package loads
nothing but itself: each name below brings its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lacuna import errors
    from lacuna.inpainting import Inpainter, Result, inpaint
    from lacuna.registry import MethodSpec, list_methods, register
    from lacuna.types import Aux, Method

__version__ = "0.1.0"

__all__ = [
    "Aux",
    "Inpainter",
    "Method",
    "MethodSpec",
    "Result",
    "__version__",
    "errors",
    "inpaint",
    "list_methods",
    "register",
]

_HOMES = {
    "Aux": "lacuna.types",
    "Inpainter": "lacuna.inpainting",
    "Method": "lacuna.types",
    "MethodSpec": "lacuna.registry",
    "Result": "lacuna.inpainting",
    "inpaint": "lacuna.inpainting",
    "list_methods": "lacuna.registry",
    "register": "lacuna.registry",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "errors":
        return importlib.import_module("lacuna.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'lacuna' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

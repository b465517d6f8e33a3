"""Pictures made from numbers, and a registry that can be played with."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lacuna import registry
from lacuna.registry import MethodSpec


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture
def make_picture() -> Callable[..., np.ndarray]:
    """Return ``make(height, width, channels=3, dtype=np.uint8)``: a gradient, stripes and a little grain.

    Two or four channels end in an alpha channel that is opaque but for a soft left edge.
    """

    def make(height: int, width: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
        grain = np.random.default_rng(height * 1000 + width).random((height, width, 3)) * 0.06
        y, x = np.mgrid[:height, :width]
        base = 0.3 + 0.3 * x / width + 0.1 * ((x // 3 + y // 4) % 2)
        values = base[..., None] * np.array([1.0, 0.8, 0.6]) + grain
        colours = {1: 1, 2: 1, 3: 3, 4: 3}[channels]
        values = values[..., :colours]
        if channels in (2, 4):
            alpha = np.clip(0.25 + x / 8, 0, 1)[..., None]
            values = np.concatenate([values, alpha], axis=2)
        if np.issubdtype(dtype, np.integer):
            values = np.rint(values * np.iinfo(dtype).max)
        values = values.astype(dtype)
        return values[..., 0] if channels == 1 else values

    return make


@pytest.fixture
def add_method() -> Iterator[Callable[..., str]]:
    """Return ``add(cls, **facts)``: register a method made from a class until the test ends; gives its name.

    The class needs no more than a ``fill``; it is made a frozen dataclass if it is none.
    """
    registry.list_methods()  # read the catalogue before the names are noted
    before = dict(registry._specs)
    module = types.ModuleType("lacuna_test_plugin")
    sys.modules[module.__name__] = module

    def add(cls: Any, **facts: Any) -> str:
        if not dataclasses.is_dataclass(cls):
            cls = dataclasses.dataclass(frozen=True)(cls)
        name = facts.pop("name", cls.__name__.lower())
        setattr(module, cls.__name__, cls)
        registry.register(
            MethodSpec(
                name=name,
                family=facts.pop("family", "test"),
                summary="made by a test",
                factory=f"{module.__name__}:{cls.__name__}",
                **facts,
            )
        )
        return name

    yield add
    registry._specs.clear()
    registry._specs.update(before)
    del sys.modules[module.__name__]

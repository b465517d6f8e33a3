"""Pictures made from numbers, and a registry that can be played with."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
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


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., Path]:
    """Return ``make(path, …)``: write a model that keeps known pixels and paints their mean into the hole.

    The keywords choose what it takes and gives; see docs/onnx.md. ``gains`` multiplies the fill's red, green
    and blue, and ``extra`` is ONNX text that comes last and makes ``filled`` of ``painted``.
    """
    onnx = pytest.importorskip("onnx")

    def make(
        path: Path,
        *,
        dtype: str = "float",
        layout: str = "nchw",
        colours: str = "rgb",
        joined: str | None = None,
        span: tuple[float, float] = (0, 1),
        output_span: tuple[float, float] | None = None,
        missing: float = 1,
        known: float = 0,
        size: tuple[int, int] | None = None,
        gains: tuple[float, float, float] = (1, 1, 1),
        names: tuple[str, str, str] = ("image", "mask", "filled"),
        extra: str = "filled = Identity(painted)",
    ) -> Path:
        high, wide = size or ("h", "w")
        low, full = span
        out_low, out_full = output_span or span
        code = {"float": 1, "uint8": 2, "float16": 10}[dtype]
        ordered = gains if colours == "rgb" else gains[::-1]

        def shape(channels: int) -> str:
            return f"[n,{channels},{high},{wide}]" if layout == "nchw" else f"[n,{high},{wide},{channels}]"

        def number(name: str, value: float) -> str:
            return f"{name} = Constant<value = float {{{float(value)}}}>()"

        image, mask, output = names
        inputs = f"{dtype}{shape(4)} {image}"
        first, axis = ("nchw", 1) if layout == "nchw" else ("nhwc", 3)
        steps = [f"whole = Cast<to = 1>({image})"]
        if joined is None:
            inputs = f"{dtype}{shape(3)} {image}, {dtype}{shape(1)} {mask}"
            steps += ["pixels = Identity(whole)", f"drawn = Cast<to = 1>({mask})"]
        else:
            parts = "pixels, drawn" if joined == "image-mask" else "drawn, pixels"
            sizes = "3, 1" if joined == "image-mask" else "1, 3"
            steps += [f"sizes = Constant<value = int64[2] {{{sizes}}}>()"]
            steps += [f"{parts} = Split<axis = {axis}>(whole, sizes)"]
        gain_shape = "1,3,1,1" if layout == "nchw" else "1,1,1,3"
        space = "2, 3" if layout == "nchw" else "1, 2"
        steps += [
            *(number("low", low), number("reach", full - low), number("known_is", known)),
            *(number("contrast", missing - known), number("one", 1), number("tiny", 1e-6)),
            *(number("out_low", out_low), number("out_reach", out_full - out_low)),
            f"gains = Constant<value = float[{gain_shape}] {{{', '.join(map(str, map(float, ordered)))}}}>()",
            f"space = Constant<value = int64[2] {{{space}}}>()",
            "shifted = Sub(pixels, low)",
            "canon = Div(shifted, reach)",
            "marked = Sub(drawn, known_is)",
            "hole = Div(marked, contrast)",
            "seen = Sub(one, hole)",
            "shown = Mul(canon, seen)",
            "total = ReduceSum<keepdims = 1>(shown, space)",
            "count = ReduceSum<keepdims = 1>(seen, space)",
            "safe = Add(count, tiny)",
            "mean = Div(total, safe)",
            "tinted = Mul(mean, gains)",
            "inside = Mul(tinted, hole)",
            "painted01 = Add(shown, inside)",
            "stretched = Mul(painted01, out_reach)",
            "raw = Add(stretched, out_low)",
            "rounded = Round(raw)" if dtype == "uint8" else "rounded = Identity(raw)",
            f"painted = Cast<to = {code}>(rounded)",
            extra.replace("filled", output),
        ]
        text = (
            f'<ir_version: 9, opset_import: ["" : 17]> {first} ({inputs}) => ({dtype}{shape(3)} {output}) '
            f"{{ {' '.join(steps)} }}"
        )
        onnx.save(onnx.parser.parse_model(text), path)
        return path

    return make

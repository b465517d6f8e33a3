"""From canon to what a model takes, and from what it gives back to canon."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ConfigError, MethodError
from lacuna.methods.onnx.sidecar import Facts
from lacuna.onnx_io import Model, Port
from lacuna.sizing import mirror, resize, shrink
from lacuna.types import FloatImage, Hole, OnStep

NUMBERS = ("float32", "float16", "float64", "uint8", "int32", "int64", "bool")


def predict(
    model: Model, facts: Facts, image: FloatImage, hole: Hole, on_step: OnStep | None = None
) -> tuple[FloatImage, float]:
    """Return the model's picture at the frame's size, and the scale at which it was made.

    Parameters
    ----------
    image : (H, W, 3), [0, 1]. What lies under the hole is ignored.
    hole : (H, W). True is missing.

    Raises
    ------
    MethodError : the model failed, or gave another size than it was given, or values that are not finite.
    """
    height, width = hole.shape
    shown = np.where(hole[..., None], np.float32(0), image)
    scale = scale_for(facts, height, width)
    small, missing = shown, hole
    if scale < 1:
        small, missing, _ = shrink(shown, hole, None, scale)
    inner = missing.shape
    padded = padded_size(facts, *inner)
    out = run(model, facts, mirror(small, padded), mirror(missing, padded), on_step)
    out = np.ascontiguousarray(out[: inner[0], : inner[1]])
    return (resize(out, (height, width)) if scale < 1 else out), scale


def scale_for(facts: Facts, height: int, width: int) -> float:
    """Return 1, or by how much a frame must be reduced before a model can take it.

    Examples
    --------
    >>> scale_for(Facts("image", size=(512, 512)), 256, 1024)
    0.5
    """
    scale = 1.0
    if facts.size is not None:
        scale = min(facts.size[0] / height, facts.size[1] / width)
    if facts.largest:
        scale = min(scale, math.sqrt(facts.largest / (height * width)))
    return min(scale, 1.0)


def padded_size(facts: Facts, height: int, width: int) -> tuple[int, int]:
    """Return the size that a model takes and that holds (height, width).

    Examples
    --------
    >>> padded_size(Facts("image", multiple=32, least=64), 40, 70)
    (64, 96)
    """
    if facts.size is not None:
        return facts.size
    sides = (max(side, facts.least) for side in (height, width))
    high, wide = (-(-side // facts.multiple) * facts.multiple for side in sides)
    return high, wide


def run(
    model: Model, facts: Facts, image: FloatImage, hole: Hole, on_step: OnStep | None = None
) -> FloatImage:
    """Return what a model makes of a picture of a size that it takes, (H, W, 3), [0, 1]."""
    found = model(feeds(model, facts, image, hole), on_step=on_step)
    name = facts.output or model.outputs[0].name
    array = found[name]
    expected = (1, 3, *hole.shape) if facts.layout == "nchw" else (1, *hole.shape, 3)
    if array.shape != expected:
        raise MethodError(
            f"{model.path.name} returned {name!r} of shape {array.shape} for a picture of {hole.shape[1]}×"
            f"{hole.shape[0]}; expected {expected}. Its sidecar's size, multiple, layout or output is wrong"
        )
    values = np.asarray(array[0], np.float32)
    broken = int(np.count_nonzero(~np.isfinite(values)))
    if broken:
        half = any(port.dtype == "float16" for port in (*model.inputs, *model.outputs))
        hint = (
            "half precision overflowed: use a float32 file" if half else "the model or its sidecar is wrong"
        )
        raise MethodError(f"{model.path.name} returned {broken} values that are not finite; {hint}")
    if facts.layout == "nchw":
        values = values.transpose(1, 2, 0)  # (H, W, 3)
    if facts.colours == "bgr":
        values = values[..., ::-1]
    low, high = facts.output_range
    picture: FloatImage = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return picture


def feeds(model: Model, facts: Facts, image: FloatImage, hole: Hole) -> dict[str, NDArray[Any]]:
    """Return one array an input."""
    ports = {port.name: port for port in model.inputs}
    low, high = facts.range
    colours = image[..., ::-1] if facts.colours == "bgr" else image
    pixels = np.where(
        hole[..., None], np.float32(facts.under), colours * np.float32(high - low) + np.float32(low)
    )
    mask = np.where(hole, np.float32(facts.missing), np.float32(facts.known))[..., None]
    if facts.joined is not None:
        pair = (pixels, mask) if facts.joined == "image-mask" else (mask, pixels)
        return {facts.image: _tensor(np.concatenate(pair, axis=2), facts, ports[facts.image])}
    given = {facts.image: _tensor(pixels, facts, ports[facts.image])}
    if facts.mask is not None:
        given[facts.mask] = _tensor(mask, facts, ports[facts.mask])
    return given


def _tensor(array: FloatImage, facts: Facts, port: Port) -> NDArray[Any]:
    """Return (1, C, H, W) or (1, H, W, C) in the input's type; whole numbers are rounded, not cut."""
    if facts.layout == "nchw":
        array = array.transpose(2, 0, 1)
    dtype = np.dtype(port.dtype)
    if dtype.kind == "u":
        array = np.clip(array + np.float32(0.5), 0, 255)
    elif dtype.kind == "i":
        array = np.rint(array)
    return array[None].astype(dtype)


def check(model: Model, facts: Facts) -> None:
    """Compare what a sidecar says with what the file takes.

    Raises
    ------
    ConfigError : they do not fit; says what the file takes and what was expected.
    """
    inputs, outputs = ({port.name: port for port in side} for side in (model.inputs, model.outputs))
    named = [name for name in (facts.image, facts.mask) if name is not None]
    takes = f"{model.path.name} takes {_listed(model.inputs)} and gives {_listed(model.outputs)}"
    unknown = [name for name in named if name not in inputs]
    if facts.output is not None and facts.output not in outputs:
        unknown.append(facts.output)
    if unknown:
        raise ConfigError(f"{takes}; the sidecar names {', '.join(map(repr, unknown))}")
    idle = [name for name in inputs if name not in named]
    if idle:
        raise ConfigError(f"{takes}; the sidecar does not say what goes into {', '.join(map(repr, idle))}")
    wanted = {facts.image: 4 if facts.joined else 3}
    wanted |= {facts.mask: 1} if facts.mask else {}
    for name, channels in wanted.items():
        port = inputs[name]
        axes = port.shape[1:] if facts.layout == "nchw" else (*port.shape[-1:], *port.shape[1:-1])
        sides = facts.size or (None, None)
        expected = (channels, *sides)
        fits = len(port.shape) == 4 and all(
            a is None or b is None or a == b for a, b in zip(axes, expected, strict=True)
        )
        if not fits or port.dtype not in NUMBERS:
            raise ConfigError(
                f"{takes}; the sidecar expects {name!r} to be a batch of {channels} channels, "
                f"{facts.layout}, size {'any' if facts.size is None else facts.size}, of one of the types "
                f"{', '.join(NUMBERS)}"
            )
        if facts.size is None and any(axes[1:]):
            raise ConfigError(f"{takes}; the sidecar must say the size, [height, width]")


def _listed(ports: tuple[Port, ...]) -> str:
    return ", ".join(map(str, ports)) or "nothing"

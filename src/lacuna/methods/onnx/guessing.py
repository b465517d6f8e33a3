"""What a model without a sidecar probably takes: from its names, types and shapes, and from trial runs.

A good inpainting model gives known pixels back about as they were, and continues a plain picture plainly. The
polarity and the ranges with which it does so best are taken for its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from lacuna.errors import LacunaError, MethodError, WeightsError
from lacuna.methods.onnx import running
from lacuna.methods.onnx.sidecar import Facts, Order, Range
from lacuna.onnx_io import Model, Port
from lacuna.types import FloatImage, Hole

PROBE = 256
"""Side of the picture of the trial runs."""

CONVINCING = 0.1
"""A trial run that is off by less, on average, confirms the guess; 0 to 1."""

TIE = 0.005
"""An unlikely reading must beat a likely one by so much."""

MULTIPLES = (8, 16, 32, 64, 128, 256)

_RANGES: tuple[Range, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


def guess(model: Model) -> tuple[Facts, str]:
    """Return what a model probably takes, and a sentence that says how sure that is.

    Raises
    ------
    WeightsError : its inputs are not those of an inpainting model; says what they are and what was expected.
    """
    named = by_names(model)
    best, error = named, np.inf
    for candidate in _readings(model, named):
        off = _error_of(model, candidate)
        if off < error - TIE:
            best, error = candidate, off
    if named.size is None:
        best = replace(best, multiple=_multiple_of(model, best))
    if error < CONVINCING:
        how = f"a trial run agrees: off by {error:.3f} on a plain picture"
    elif np.isfinite(error):
        how = f"no trial run agrees: off by {error:.2f} at best, so it may be wrong"
    else:
        how = "every trial run failed, so it is probably wrong"
    return replace(best, guessed=True), how


def by_names(model: Model) -> Facts:
    """Return what the names, types and shapes of a model say.

    Raises
    ------
    WeightsError : see `guess`.
    """
    inputs = model.inputs
    if len(inputs) not in (1, 2) or any(len(port.shape) != 4 for port in inputs) or not model.outputs:
        raise _unexpected(model)
    image = _image_of(inputs)
    layout: Literal["nchw", "nhwc"] = (
        "nhwc" if image.shape[3] in (3, 4) and image.shape[1] not in (3, 4) else "nchw"
    )
    channels = image.shape[1] if layout == "nchw" else image.shape[3]
    high, wide = image.shape[2:] if layout == "nchw" else image.shape[1:3]
    mask = next((port.name for port in inputs if port is not image), None)
    whole = image.dtype == "uint8"
    facts = Facts(
        image=image.name,
        mask=mask,
        joined="image-mask" if mask is None and channels == 4 else None,
        output=_output_of(model),
        layout=layout,
        colours="bgr" if "bgr" in image.name.lower() else "rgb",
        range=_RANGES[2] if whole else _RANGES[0],
        output_range=_RANGES[2] if model.outputs[0].dtype == "uint8" else _RANGES[0],
        size=None if high is None or wide is None else (high, wide),
    )
    try:
        running.check(model, facts)
    except LacunaError as error:
        raise _unexpected(model) from error
    return facts


def _image_of(inputs: tuple[Port, ...]) -> Port:
    """Return the input that is the picture: the one with more channels, or the one not called a mask."""

    def weight(port: Port) -> tuple[int, bool]:
        sizes = [size for size in (port.shape[1], port.shape[3]) if size in (1, 3, 4)]
        return max((size for size in sizes if size is not None), default=2), "mask" not in port.name.lower()

    return max(inputs, key=weight)


def _output_of(model: Model) -> str:
    """Return the output that can be a picture, the last of several: refined ones follow coarse ones."""
    able = [
        port
        for port in model.outputs
        if len(port.shape) in (0, 4) and (not port.shape or {port.shape[1], port.shape[3]} & {None, 3})
    ]
    return (able or list(model.outputs))[-1].name


def _unexpected(model: Model) -> WeightsError:
    takes = ", ".join(map(str, model.inputs)) or "nothing"
    gives = ", ".join(map(str, model.outputs)) or "nothing"
    return WeightsError(
        f"{model.path.name} takes {takes} and gives {gives}; expected a picture of 3 channels and a mask "
        "of 1, as two inputs or as one of 4 channels, in a batch of whole or real numbers. If it takes that, "
        "describe it in a sidecar (docs/onnx.md)"
    )


def _readings(model: Model, facts: Facts) -> Iterator[Facts]:
    """Give every reading that the types allow, the likeliest first."""
    ports = {port.name: port for port in (*model.inputs, *model.outputs)}
    whole = ports[facts.image].dtype == "uint8"
    masks: tuple[Range, ...] = ((1.0, 0.0), (0.0, 1.0))
    if ports[facts.mask or facts.image].dtype == "uint8":
        masks = ((255.0, 0.0), (0.0, 255.0), *masks)
    if facts.mask is None and facts.joined is None:
        masks = masks[:1]
    orders: tuple[Order | None, ...] = ("image-mask", "mask-image") if facts.joined else (None,)
    outs = (_RANGES[2],) if ports[facts.output or ""].dtype == "uint8" else _RANGES
    spans = (_RANGES[2],) if whole else _RANGES
    for joined, into, (missing, known) in itertools.product(orders, spans, masks):
        # The output is in the input's range more often than not.
        for out in sorted(outs, key=lambda ends: ends != into):
            yield replace(facts, joined=joined, range=into, missing=missing, known=known, output_range=out)


def _error_of(model: Model, facts: Facts) -> float:
    """Return how far a trial run is off: the known pixels and the hole each count half."""
    picture, hole = _plain(facts)
    try:
        out = running.run(model, facts, picture, hole)
    except MethodError:
        return float("inf")
    off = np.abs(out - picture).mean(axis=2)
    return float(off[~hole].mean() + off[hole].mean()) / 2


def _plain(facts: Facts) -> tuple[FloatImage, Hole]:
    """Return a picture that anything continues: soft ramps of three colours, with a small hole."""
    height, width = facts.size or (PROBE, PROBE)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    right, down = x / width, y / height
    ramps = 0.1 + 0.8 * right, 0.9 - 0.8 * down, 0.1 + 0.4 * (right + down)
    hole = np.zeros((height, width), dtype=bool)
    hole[3 * height // 8 : height // 2, 3 * width // 8 : width // 2] = True
    return np.stack(ramps, axis=-1), hole


def _multiple_of(model: Model, facts: Facts) -> int:
    """Return the smallest usual number of which a model takes multiples: it may not take any other size."""
    for multiple in MULTIPLES:
        side = PROBE + multiple
        picture, hole = _plain(replace(facts, size=(side, side)))
        try:
            running.run(model, facts, picture, hole)
        except MethodError:
            continue
        return multiple
    return MULTIPLES[-1]

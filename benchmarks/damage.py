"""Damage as old photos have it, drawn on whole ones, so that what is damaged is known.

Scratches: hairline to 8 px wide, straight or bent, bright or dark, their opacity and width changing along
the way, with soft edges and grain, cut by gaps. Dust: specks, blobs and curled hairs. Creases: the broken
line of a fold, with shading on both sides. Torn corners. The same seed and size give the same damage.

`damage` is used by restoration.py, which reports, and by train_damage.py, which makes the shipped detector;
they use other photos and other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

VISIBLE = 0.02
"""A change below this (5 of 255, in every channel) is nothing that a person sees, and no damage here."""
MASKED = 0.5
"""Nor is one below this share of the spread of brightness around it (15 × 15 pixels): texture hides it."""


@dataclass(frozen=True, eq=False)
class Damaged:
    """A damaged photo.

    Parameters
    ----------
    image : float32 (H, W, 3), [0, 1].
    clean : the same without damage, grain included.
    scratches, dust, torn : bool (H, W). Where a kind of damage can be seen; creases count as scratches.
    touched : bool (H, W). Every pixel that the damage changed by more than half of a step of 8 bits.
    """

    image: Image
    clean: Image
    scratches: NDArray[np.bool_]
    dust: NDArray[np.bool_]
    torn: NDArray[np.bool_]
    touched: NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """How much of each, for 100,000 pixels or (creases, corners) for the picture; pairs are ranges."""

    scratches: tuple[float, float] = (2.0, 6.0)
    dust: tuple[float, float] = (8.0, 40.0)
    hairs: tuple[float, float] = (0.0, 3.0)
    creases: tuple[int, int] = (0, 1)
    corners: tuple[int, int] = (0, 1)
    grain: tuple[float, float] = (0.0, 0.02)
    area_power: float = 1.0


def damage(photo: Image, rng: np.random.Generator, plan: Plan | None = None) -> Damaged:
    """Return a photo with grain and damage, and where the damage is."""
    plan = plan or Plan()
    clean = np.clip(photo + _grain(rng, photo.shape, rng.uniform(*plan.grain)), 0, 1).astype(np.float32)
    image = clean.copy()
    layers: dict[str, Image] = {}
    before = image.copy()
    for kind in _paint(image, rng, plan):
        layers[kind] = _largest(image, before)
        before = image.copy()
    np.clip(image, 0, 1, out=image)
    seen = {kind: layer > VISIBLE for kind, layer in layers.items()}
    torn = _closed(layers["torn"] > 0)
    changed = _largest(image, clean)
    visible = changed > np.maximum(VISIBLE, MASKED * _spread(clean))
    return Damaged(
        image=image,
        clean=clean,
        scratches=(seen["scratches"] | seen["creases"]) & ~torn & visible,
        dust=(seen["dust"] | seen["hairs"]) & ~torn & visible,
        torn=torn,
        touched=(changed > 0.5 / 255) | torn,
    )


def veils(side: int, rng: np.random.Generator, plan: Plan) -> Image:
    """Return damage without a photo, as what it does to any: photo ↦ through · photo + ink.

    Returns
    -------
    (3, 4, side, side): scratches and creases, then dust, then torn corners; of each the ink (three channels)
    and how much of the photo shows through.
    """
    out = []
    image = _unveiled(side)
    for kind in _paint(image, rng, plan):
        if kind in ("creases", "hairs", "torn"):
            out.append(image.transpose(2, 0, 1).copy())
            image[:] = _unveiled(side)
    return np.stack(out)


def _unveiled(side: int) -> Image:
    return np.dstack([np.zeros((side, side, 3), np.float32), np.ones((side, side), np.float32)])


def _paint(image: Image, rng: np.random.Generator, plan: Plan) -> Iterator[str]:
    """Paint one kind of damage after the other, and return its name each time.

    The image has three channels, or a fourth for how much of it shows through.
    """
    height, width = image.shape[:2]
    parts = (height * width / 1e5) ** plan.area_power
    mostly_bright = rng.random() < 0.65  # a negative's dust prints bright, a print's own dirt is dark
    for kind, count, draw in (
        ("scratches", rng.poisson(parts * rng.uniform(*plan.scratches)), _scratch),
        ("creases", rng.integers(plan.creases[0], plan.creases[1] + 1), _crease),
        ("dust", rng.poisson(parts * rng.uniform(*plan.dust)), _speck),
        ("hairs", rng.poisson(parts * rng.uniform(*plan.hairs)), _hair),
    ):
        for _ in range(count):
            draw(image, rng, mostly_bright)
        yield kind
    for corner in rng.permutation(4)[: rng.integers(plan.corners[0], plan.corners[1] + 1)]:
        _tear(image, rng, int(corner))
    yield "torn"


def _cover(part: Image, cover: Image, ink: Image) -> None:
    """Lay ink over a part of an image; cover is (h, w, 1)."""
    part[..., :3] += cover * (ink - part[..., :3])
    part[..., 3:] *= 1 - cover


def _largest(a: Image, b: Image) -> Image:
    """Return (H, W): the largest difference of a channel."""
    change = cv2.absdiff(a, b)
    return cv2.max(cv2.max(change[..., 0], change[..., 1]), change[..., 2])


def _spread(image: Image) -> Image:
    """Return (H, W): the standard deviation of brightness around each pixel."""
    grey = image.mean(axis=2)
    mean = cv2.blur(grey, (15, 15))
    return np.sqrt(np.maximum(cv2.blur(grey * grey, (15, 15)) - mean * mean, 0))


def _grain(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Image:
    """Film grain: noise a little wider than a pixel, mostly the same in all channels."""
    if sigma < 1e-3:
        return np.zeros(shape, np.float32)
    grey = rng.standard_normal((*shape[:2], 1), dtype=np.float32)
    noise = 0.8 * grey + 0.4 * rng.standard_normal(shape, dtype=np.float32)
    size = rng.uniform(0.3, 0.9)
    soft = cv2.GaussianBlur(noise, (0, 0), size)
    return (sigma / max(float(soft.std()), 1e-6) * soft).astype(np.float32)


def _tone(rng: np.random.Generator, bright: bool) -> Image:
    """Return the colour of a scratch: bare paper, dirt, or, now and then, one dye layer that was left."""
    level = rng.uniform(0.75, 1.0) if bright else rng.uniform(0.0, 0.25)
    tint = rng.normal(0, 0.02, 3)
    if bright and rng.random() < 0.5:
        tint += rng.uniform(0, 0.12) * np.array([0.3, 0.0, -0.7])  # yellowed paper
    if rng.random() < 0.07:
        tint += rng.uniform(-0.25, 0.25, 3)
    return np.clip(level + tint, 0, 1).astype(np.float32)


def _smooth(rng: np.random.Generator, n: int, knots: float) -> NDArray[np.float64]:
    """Return n values around 0, about -1 … 1, that change over n / knots steps."""
    points = rng.normal(0, 0.5, max(int(knots), 1) + 3)
    return np.interp(np.linspace(0, len(points) - 1, n), np.arange(len(points)), points)


def _path(
    rng: np.random.Generator, shape: tuple[int, int], length: float, bend: float, angle: float
) -> NDArray[np.float64]:
    """Points (x, y) two pixels apart; the direction drifts by about `bend` radians over the length."""
    n = max(int(length / 2), 3)
    turn = bend * _smooth(rng, n, rng.uniform(1, 3))
    turn += 0.03 * _smooth(rng, n, n / 8)  # the hand, or the grit, is never quite steady
    heading = angle + turn
    steps = 2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    path = np.cumsum(steps, axis=0)
    centre = np.array([rng.uniform(0, shape[1]), rng.uniform(0, shape[0])])
    return path - path[n // 2] + centre


def _opacity(rng: np.random.Generator, n: int, strength: float) -> NDArray[np.float64]:
    """Opacity along a scratch: uneven, fading at the ends, sometimes with gaps."""
    value = strength * (1 + rng.uniform(0.05, 0.6) * _smooth(rng, n, n / rng.uniform(8, 30)))
    if rng.random() < 0.35:
        value[_smooth(rng, n, n / rng.uniform(8, 25)) > rng.uniform(0.3, 0.8)] = 0
    ends = max(int(n * rng.uniform(0.02, 0.25)), 1)
    value[:ends] *= np.linspace(0.2, 1, ends)
    value[-ends:] *= np.linspace(1, 0.2, ends)
    return np.clip(value, 0, 1)


def _stroke(
    image: Image,
    rng: np.random.Generator,
    path: NDArray[np.float64],
    widths: NDArray[np.float64],
    opacity: NDArray[np.float64],
    tone: Image,
) -> None:
    """Paint a line of changing width and opacity, soft-edged and grained, on the image."""
    pad = 14
    height, width = image.shape[:2]
    left, top = np.maximum(np.floor(path.min(axis=0)).astype(int) - pad, 0)
    right, bottom = np.minimum(np.ceil(path.max(axis=0)).astype(int) + pad, [width, height])
    if right - left < 2 or bottom - top < 2:
        return
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    points = np.rint((path - [left, top]) * 16).astype(int)
    # A line thinner than a pixel is a pixel wide and paler.
    ink = np.rint(255 * opacity * np.clip(widths, 0.45, 1)).astype(int)
    thick = np.maximum(np.rint(widths).astype(int), 1)
    for a, b, value, size in zip(points[:-1], points[1:], ink[:-1], thick[:-1], strict=True):
        if value:
            cv2.line(canvas, a.tolist(), b.tolist(), int(value), int(size), cv2.LINE_AA, 4)
    _lay(
        image[top:bottom, left:right], canvas, rng, tone, rng.uniform(0.25, 0.5 + 0.1 * min(widths.max(), 5))
    )


def _lay(
    part: Image, canvas: NDArray[np.uint8], rng: np.random.Generator, tone: Image, softness: float
) -> None:
    cover = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), softness)
    rough = rng.uniform(0, 0.5)
    noise = cv2.GaussianBlur(rng.standard_normal(cover.shape, dtype=np.float32), (0, 0), 0.7)
    cover *= np.clip(1 + rough * (noise - 0.3), 0, 1)
    cover[cover < 0.01] = 0
    ink = tone + rng.uniform(0, 0.03) * rng.standard_normal((*cover.shape, 1), dtype=np.float32)
    _cover(part, cover[..., None], ink)


def _scratch(image: Image, rng: np.random.Generator, mostly_bright: bool) -> None:
    height, width = image.shape[:2]
    kind = rng.random()
    longest = np.hypot(height, width)
    if kind < 0.25:  # transport scratches of a film: along it, long and straight
        angle, bend = np.pi / 2 + rng.normal(0, 0.02), rng.uniform(0, 0.05)
        length = rng.uniform(0.3, 1.2) * height
    else:
        angle, bend = rng.uniform(0, np.pi), rng.choice([0.03, 0.3, 1.2]) * rng.uniform(0.5, 1.5)
        length = min(longest * rng.uniform(0.08, 0.9), 1500)
    base = float(
        rng.choice(
            [0.6, 1.0, 1.5, 2.2, 3.2, 4.5, 6.0, 8.0], p=[0.18, 0.22, 0.18, 0.14, 0.1, 0.08, 0.06, 0.04]
        )
    )
    length = max(length, 8 * base + 15)
    path = _path(rng, (height, width), length, bend, angle)
    widths = np.clip(base * (1 + 0.3 * _smooth(rng, len(path), len(path) / 15)), 0.4, 8.4)
    bright = rng.random() < (0.85 if mostly_bright else 0.25)
    opacity = _opacity(rng, len(path), rng.uniform(0.4, 1.0))
    _stroke(image, rng, path, widths, opacity, _tone(rng, bright))


def _hair(image: Image, rng: np.random.Generator, mostly_bright: bool) -> None:
    length = rng.uniform(12, 70)
    path = _path(rng, image.shape[:2], length, rng.uniform(1.5, 5.0), rng.uniform(0, 2 * np.pi))
    widths = np.full(len(path), rng.uniform(0.7, 2.2))
    bright = rng.random() < (0.85 if mostly_bright else 0.2)
    _stroke(image, rng, path, widths, np.full(len(path), rng.uniform(0.5, 1.0)), _tone(rng, bright))


def _speck(image: Image, rng: np.random.Generator, mostly_bright: bool) -> None:
    """Paint a grain of dust: a small blob with a ragged outline."""
    height, width = image.shape[:2]
    radius = float(np.clip(rng.lognormal(0.25, 0.55), 0.6, 7))
    reach = int(3 * radius) + 5
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    right, bottom = min(int(x) + reach + 1, width), min(int(y) + reach + 1, height)
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    turns = np.linspace(0, 2 * np.pi, 9)[:-1]
    out = radius * np.clip(1 + rng.uniform(0.05, 0.5) * rng.standard_normal(8), 0.3, 1.9)
    squeeze, tilt = rng.uniform(0.4, 1), rng.uniform(0, np.pi)
    across = np.stack([out * np.cos(turns), squeeze * out * np.sin(turns)], axis=1)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    corners = across @ turn.T + [x - left, y - top]
    value = int(255 * rng.uniform(0.4, 1.0))
    cv2.fillPoly(canvas, [np.rint(corners * 16).astype(np.int32)], value, cv2.LINE_AA, 4)
    bright = rng.random() < (0.9 if mostly_bright else 0.15)
    _lay(image[top:bottom, left:right], canvas, rng, _tone(rng, bright), rng.uniform(0.25, 0.8))


def _crease(image: Image, rng: np.random.Generator, mostly_bright: bool) -> None:
    """Paint a fold from edge to edge: cracked emulsion along a line, one side lit and one in shade."""
    height, width = image.shape[:2]
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.06)
    path = _path(rng, (height, width), 2.2 * np.hypot(height, width), rng.uniform(0, 0.04), float(angle))
    path += rng.normal(0, 0.4, path.shape)
    normal = np.array([-np.sin(angle), np.cos(angle)])
    middle = path[len(path) // 2]
    away = (np.arange(width)[None] - middle[0]) * normal[0] + (
        np.arange(height)[:, None] - middle[1]
    ) * normal[1]
    reach, depth = rng.uniform(4, 14), rng.uniform(-0.06, 0.06)
    shade = depth * (away / reach) * np.exp(0.5 - 0.5 * (away / reach) ** 2)
    image[..., :3] += shade[..., None].astype(np.float32) * min(1.0, VISIBLE / 0.06)  # felt more than seen
    widths = np.clip(rng.uniform(1, 4) * (1 + 0.9 * _smooth(rng, len(path), len(path) / 4)), 0.4, 8)
    opacity = np.clip(rng.uniform(0.7, 1) * (1 + 0.5 * _smooth(rng, len(path), len(path) / 6)), 0, 1)
    opacity[_smooth(rng, len(path), len(path) / 10) > rng.uniform(0.3, 1.2)] = 0
    _stroke(image, rng, path, widths, opacity, _tone(rng, rng.random() < 0.9))


def _tear(image: Image, rng: np.random.Generator, corner: int) -> None:
    """Take a corner off: the scanner's lid or bed shows, with a rim of torn fibres."""
    height, width = image.shape[:2]
    a, b = rng.uniform(0.06, 0.25, 2) * min(height, width)
    n = 24
    t = np.linspace(0, 1, n)
    jag = rng.uniform(0.01, 0.04) * min(height, width) * (_smooth(rng, n, 5) + 0.4 * _smooth(rng, n, n))
    jag *= np.sin(np.pi * t) ** 0.5
    normal = np.array([b, a]) / np.hypot(a, b)
    edge = np.stack([a * (1 - t), b * t], axis=1) + jag[:, None] * normal
    outline = np.vstack([edge, [[-9, b], [-9, -9], [a, -9]]])
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    fibre = cv2.dilate(canvas, np.ones((3, 3), np.uint8), iterations=int(rng.integers(1, 4)))
    flips = {0: (), 1: (0,), 2: (1,), 3: (0, 1)}[corner]
    for axis in flips:
        canvas, fibre = np.flip(canvas, axis), np.flip(fibre, axis)
    ground = np.full(3, rng.uniform(0.94, 1.0) if rng.random() < 0.6 else rng.uniform(0.0, 0.08))
    for cover, tone in ((fibre, _tone(rng, True)), (canvas, ground.astype(np.float32))):
        soft = cv2.GaussianBlur(np.ascontiguousarray(cover).astype(np.float32) / 255, (0, 0), 0.6)[..., None]
        noise = 0.004 * rng.standard_normal((height, width, 1), dtype=np.float32)
        _cover(image, soft, tone + noise)


def _closed(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Take in the pixels of a torn corner that happen to have the ground's colour."""
    if not mask.any():
        return mask
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0

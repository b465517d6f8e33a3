"""Hide copies of the hole in the known part of the photo, where what a method makes can be compared.

The copies have the hole's own shape, so that what is learned on them holds for it; they lie where the photo
looks as it does around the hole, as far as there is room.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lacuna.sizing import resize, shrink
from lacuna.types import Box, FloatImage, Hole

REDUCTION = 0.5
"""Scale of a rehearsal: a quarter of the pixels, and texture is still there."""

FINEST = 4.0
"""Reach, in pixels from rim to middle, from which on the picture is reduced; finer holes would vanish."""

BUDGET = 0.5
"""Cost of a rehearsal as a share of that of filling the hole once with `patchmatch`, as estimated: pixels to
fill, `NETWORK` for each pixel that the network sees, and `OVERHEAD`. What it takes by the clock:
docs/benchmarks.md."""

NETWORK = 0.35
"""Cost of a pixel that the network sees, in pixels that `patchmatch` fills."""

OVERHEAD = 6000
"""Cost of a rehearsal, however small, in such pixels."""

FILLS = 2
"""How often the hidden pixels are filled: by `patchmatch`, and by patches that follow the network."""

MOST_KNOWN = 0.25
"""Share of the known pixels that is hidden, at most: the methods need the others to fill from."""

COPIES = 2
"""Copies of the hole, at most."""

LEAST_SIDE, LEAST_HIDDEN = 48, 200
"""A rehearsal on less than this says nothing: pixels of a side, and pixels hidden."""

MOST_PIXELS = 512 * 512
"""Pixels of a rehearsal, at most; more would take time and tell no more."""

GRID = 96
"""Cells along the longer side in which places are looked for."""

GAP = 5
"""Side of the window that keeps copies apart from the hole and from each other, in pixels."""


@dataclass(frozen=True)
class Rehearsal:
    """A part of the photo, reduced, with something hidden in it that is known.

    Parameters
    ----------
    image : (h, w, K), [0, 1]. What is missing in the photo is filled smoothly.
    unknown : (h, w). True is missing in the photo.
    hidden : (h, w). True is to be filled, and known.
    scale : of the reduction, at most 1.
    """

    image: FloatImage
    unknown: Hole
    hidden: Hole
    scale: float


def rehearse(image: FloatImage, hole: Hole, seen_at: float) -> Rehearsal | None:
    """Return a rehearsal for a hole, or None: the hole is too small, or too little is known.

    Parameters
    ----------
    image : (H, W, K), [0, 1]. hole : (H, W). As of `Method.fill`.
    seen_at : scale at which the network is shown the frame, at most 1; it decides what it costs.
    """
    from lacuna.exemplar.stage import distance_to_known
    from lacuna.multigrid import fill_harmonic

    scale = REDUCTION if float(distance_to_known(hole).max()) >= FINEST else 1.0
    if scale < 1:
        image, unknown, _ = shrink(image, hole, None, scale)
    else:
        unknown = hole
    missing = int(np.count_nonzero(unknown))
    if missing == 0 or missing == unknown.size:
        return None
    budget = BUDGET * missing / scale**2 - OVERHEAD
    if budget <= 0:
        return None
    box = _window(unknown, min(MOST_PIXELS, 0.5 * budget / (NETWORK * seen_at**2)))
    part = np.s_[box[0] : box[2], box[1] : box[3]]
    image, unknown = np.ascontiguousarray(image[part]), np.ascontiguousarray(unknown[part])
    if min(unknown.shape) < LEAST_SIDE or not 0 < np.count_nonzero(unknown) < unknown.size:
        return None
    most = min(
        MOST_KNOWN * np.count_nonzero(~unknown), (budget - NETWORK * seen_at**2 * unknown.size) / FILLS
    )
    hidden = hide(image, unknown, int(most))
    if np.count_nonzero(hidden) < LEAST_HIDDEN:
        return None
    return Rehearsal(fill_harmonic(image, unknown), unknown, hidden, scale)


def hide(image: FloatImage, hole: Hole, most: int) -> Hole:
    """Return where copies of the hole lie, (H, W), none of them on the hole or on another.

    Each copy is the hole, perhaps mirrored, shifted to where most of it is known and looks like the
    surroundings of the hole. What would leave the picture or meet the hole is cut off.

    Parameters
    ----------
    image : (H, W, K), [0, 1]. What lies under the hole is ignored.
    hole : (H, W). True is missing.
    most : pixels that may be hidden.
    """
    from lacuna.exemplar.stage import dilated

    likeness = _likeness(image, hole)
    taken = dilated(hole, GAP)
    hidden = np.zeros_like(hole)
    for _ in range(COPIES):
        room = most - int(np.count_nonzero(hidden))
        copy = _copy(hole, likeness * ~taken) & ~taken
        if room <= 0 or not copy.any():
            break
        hidden |= _cut(copy, room)
        taken |= dilated(hidden, GAP)
    return hidden


def _window(hole: Hole, area: float) -> Box:
    """Return a box of about so many pixels around the middle of the hole, of the frame's proportions."""
    share = min(1.0, math.sqrt(max(area, 1.0) / hole.size))
    corners = []
    for axis in (0, 1):
        side = hole.shape[axis]
        length = max(1, int(side * share))
        middle = float(np.mean(np.nonzero(hole)[axis]))
        start = int(np.clip(round(middle - length / 2), 0, side - length))
        corners.append((start, start + length))
    (top, bottom), (left, right) = corners
    return top, left, bottom, right


def _likeness(image: FloatImage, hole: Hole) -> FloatImage:
    """Return how much each place looks like the surroundings of the hole, (H, W), above 0 to 1.

    Compared are colour and roughness, blurred over a twentieth of the picture.
    """
    import cv2

    blur = max(1.0, max(hole.shape) / 20)
    known = (~hole).astype(np.float32)

    def mean(values: FloatImage) -> FloatImage:
        weight = np.maximum(cv2.GaussianBlur(known, (0, 0), blur), np.float32(1e-3))
        blurred = cv2.GaussianBlur(values * known[..., None], (0, 0), blur).reshape(values.shape)
        return np.asarray(blurred / weight[..., None], np.float32)

    colour = mean(image)
    rough = np.sqrt(mean(((image - colour) ** 2).mean(axis=2, keepdims=True)))
    facts = np.concatenate([colour, rough], axis=2)
    rim = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), blur) * known
    there = (facts * rim[..., None]).sum(axis=(0, 1)) / max(float(rim.sum()), 1e-6)
    distance = np.abs(facts - there).sum(axis=2)
    usual = max(float(np.median(distance[~hole])), 1e-3)
    return np.asarray(1 / (1 + (distance / usual) ** 2), np.float32)


def _copy(hole: Hole, wanted: FloatImage) -> Hole:
    """Return the hole, as it is or mirrored, shifted to where it covers the most of what is wanted."""
    cell = max(1, math.ceil(max(hole.shape) / GRID))
    size = math.ceil(hole.shape[0] / cell), math.ceil(hole.shape[1] / cell)
    room = (2 * size[0], 2 * size[1])  # shifts to all sides without wrapping around
    spectrum = np.fft.rfft2(resize(wanted[..., None], size)[..., 0], room)
    best, found = -1.0, hole
    for mirrored in (hole, hole[:, ::-1], hole[::-1]):
        shape = resize(mirrored[..., None].astype(np.float32), size)[..., 0]
        covered = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(shape, room)), room)
        row, column = np.unravel_index(int(covered.argmax()), covered.shape)
        if covered[row, column] > best + 1e-6:
            best = float(covered[row, column])
            down, right = (
                int(k) - n if k >= n // 2 else int(k) for k, n in zip((row, column), room, strict=True)
            )
            found = shifted(mirrored, down * cell, right * cell)
    return found


def shifted(mask: Hole, down: int, right: int) -> Hole:
    """Return a mask moved by whole pixels; what comes in from outside is False.

    Examples
    --------
    >>> shifted(np.array([[True, False, False]]), 0, 2).tolist()
    [[False, False, True]]
    """
    out = np.zeros_like(mask)
    height, width = mask.shape
    if abs(down) >= height or abs(right) >= width:
        return out
    source = mask[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    out[max(down, 0) :, max(right, 0) :][: source.shape[0], : source.shape[1]] = source
    return out


def _cut(mask: Hole, most: int) -> Hole:
    """Return at most so many pixels of a mask: those on one side of a straight line."""
    if np.count_nonzero(mask) <= most:
        return mask
    axis = int(mask.shape[1] > mask.shape[0])
    counts = np.count_nonzero(mask, axis=1 - axis)
    lines = next(i for i, total in enumerate(itertools.accumulate(counts.tolist())) if total > most)
    keep = np.zeros_like(mask)
    keep[(slice(None),) * axis + (slice(0, lines),)] = True
    return np.asarray(mask & keep, dtype=bool)


def places(rehearsal: Rehearsal) -> NDArray[np.float32]:
    """Return the rehearsal with what is missing dark and what is hidden tinted, (h, w, 3), for people."""
    picture = np.repeat(rehearsal.image, 3 // rehearsal.image.shape[2], axis=2).copy()
    picture[rehearsal.unknown] *= np.float32(0.25)
    tint = np.array([0.1, 0.7, 1.0], np.float32)
    picture[rehearsal.hidden] = 0.5 * picture[rehearsal.hidden] + 0.5 * tint
    return picture

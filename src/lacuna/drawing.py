"""Pictures of numbers: where things were copied from, and how far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lacuna.types import FloatImage, Hole

DIRECTIONS = "red from the right, green-yellow from below, cyan from the left, violet from above"
"""What the colours of `offset_map` mean."""

PLACES = "red grows from left to right, green from top to bottom"
"""What the colours of `origin_map` mean."""

_DIM = np.float32(0.25)


def offset_map(
    rows: NDArray[np.integer], columns: NDArray[np.integer], where: Hole, image: FloatImage
) -> tuple[FloatImage, float]:
    """Colour each place by the direction in which its source lies, the brighter the farther.

    Parameters
    ----------
    rows, columns : (H, W). Where the source of each place lies; only read where ``where`` is True.
    where : (H, W). True for places that have a source; the others show the picture, dimmed.
    image : (H, W, C), [0, 1].

    Returns
    -------
    (H, W, 3), [0, 1], and the distance in pixels that is shown at full brightness.

    Examples
    --------
    >>> row, column = np.zeros((1, 2), int), np.full((1, 2), 9)
    >>> offset_map(row, column, np.ones((1, 2), bool), np.zeros((1, 2, 1), np.float32))[0][0, 0].tolist()
    [1.0, 0.0, 0.0]
    """
    own_row, own_column = np.indices(where.shape)
    down, right = (rows - own_row)[where], (columns - own_column)[where]
    distance = np.hypot(down, right)
    full = float(distance.max()) if distance.size else 0.0
    hue = np.arctan2(down, right) / (2 * np.pi) % 1
    brightness = 0.3 + 0.7 * distance / max(full, 1.0)
    out = _dimmed(image)
    out[where] = _from_hue(hue) * brightness[:, None]
    return out, full


def origin_map(
    rows: NDArray[np.integer], columns: NDArray[np.integer], where: Hole, image: FloatImage
) -> FloatImage:
    """Colour the whole picture by place, and each filled place by the colour of its source's place.

    Parameters
    ----------
    rows, columns, where, image : see `offset_map`.

    Returns
    -------
    (H, W, 3), [0, 1]. The known part shows the picture under its colours, so that a filled place can be
    looked up in it.
    """
    height, width = where.shape
    down, right = np.linspace(0, 1, height, dtype=np.float32), np.linspace(0, 1, width, dtype=np.float32)
    code = np.empty((height, width, 3), np.float32)
    code[..., 0], code[..., 1] = right[None, :], down[:, None]
    code[..., 2] = 1 - (code[..., 0] + code[..., 1]) / 2
    light = image.mean(axis=2, keepdims=True)
    out = np.asarray(0.55 * code + 0.45 * light, np.float32)
    out[where] = code[rows[where], columns[where]]
    return out


def spread_map(spread: NDArray[np.floating], image: FloatImage) -> FloatImage:
    """Show where fills disagree: from the dimmed picture over red to yellow.

    Parameters
    ----------
    spread : (H, W), 0 or more; its largest value is shown brightest.
    image : (H, W, C), [0, 1].

    Returns
    -------
    (H, W, 3), [0, 1]; the dimmed picture where the fills agree.

    Examples
    --------
    >>> spread_map(np.array([[0.0, 0.2]]), np.zeros((1, 2, 1), np.float32))[0].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    share = np.asarray(spread / max(float(spread.max()), 1e-9), np.float32)[..., None]
    heat = np.concatenate([np.sqrt(share), share * share, np.zeros_like(share)], axis=2)
    weight = np.minimum(4 * share, 1)
    return np.asarray((1 - weight) * _dimmed(image) + weight * heat, np.float32)


def mask_map(share: NDArray[np.floating]) -> FloatImage:
    """Return a mask as a picture: known white, missing black.

    Parameters
    ----------
    share : (h, w), how much of each place is known, 0 to 1.
    """
    return np.asarray(np.clip(share, 0, 1), np.float32)[..., None]


def _dimmed(image: FloatImage) -> FloatImage:
    grey = image.mean(axis=2, keepdims=True) * _DIM
    return np.asarray(np.repeat(grey, 3, axis=2), np.float32)


def _from_hue(hue: NDArray[np.floating]) -> FloatImage:
    """Return fully saturated colours, (N, 3)."""
    turns = (hue[:, None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    return np.asarray(np.clip(np.abs(turns - 3) - 1, 0, 1), np.float32)

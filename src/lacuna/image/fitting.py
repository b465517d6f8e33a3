"""What a format cannot hold: fewer bits, no alpha, no grey, and the words that say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.errors import OutputError
from lacuna.image.container import Pixels, channels, has_alpha


@dataclass(frozen=True)
class Holds:
    """What a format can hold.

    Parameters
    ----------
    bits : unsigned bits per sample: 8 or 16.
    one_bit : black-and-white pictures as 1-bit.
    alpha, grey, grey_alpha : such channels.
    anything : signed integers and floats too.
    """

    bits: int = 8
    one_bit: bool = False
    alpha: bool = True
    grey: bool = True
    grey_alpha: bool = True
    anything: bool = False


FORMATS = {
    "PNG": Holds(bits=16, one_bit=True),
    "JPEG": Holds(alpha=False, grey_alpha=False),
    "WEBP": Holds(grey=False, grey_alpha=False),
    "TIFF": Holds(bits=16, one_bit=True, anything=True),
    "BMP": Holds(one_bit=True, grey_alpha=False),
}


def fit(pixels: Pixels, name: str) -> tuple[Pixels, tuple[str, ...]]:
    """Return pixels that a format can hold, and what was lost or changed on the way.

    Parameters
    ----------
    pixels : (H, W[, C]), native.
    name : a key of `FORMATS`.

    Raises
    ------
    OutputError : values that only TIFF can hold.
    """
    holds = FORMATS[name]
    notes: list[str] = []
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype.byteorder not in "=|":
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    if not holds.anything:
        pixels = _unsigned(pixels, name, holds, notes)
    if pixels.dtype == np.bool_ and (not holds.one_bit or pixels.ndim == 3):
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
        notes.append(f"1-bit samples written as 8-bit {name}")
    if has_alpha(pixels) and not holds.alpha:
        pixels = _on_white(pixels)
        notes.append(f"{name} has no transparency: the picture was laid on white")
    n = channels(pixels)
    if (n == 1 and not holds.grey) or (n == 2 and not holds.grey_alpha):
        pixels = _grey_to_rgb(pixels)
    return np.ascontiguousarray(pixels), tuple(notes)


def _unsigned(pixels: Pixels, name: str, holds: Holds, notes: list[str]) -> Pixels:
    """Return bool, uint8 or uint16 as the format allows."""
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "i" or (kind == "u" and size > 2):
        raise OutputError(f"{name} cannot hold {pixels.dtype.name} samples; write a .tif file")
    if kind == "f":
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise OutputError(
                f"{name} cannot hold {pixels.dtype.name} samples outside 0 … 1; write a .tif file"
            )
        top = 2**holds.bits - 1
        notes.append(f"{pixels.dtype.name} samples written as {holds.bits}-bit {name}")
        wide: Pixels = np.rint(pixels.astype(np.float64) * top)
        return wide.astype(np.uint8 if top == 255 else np.uint16)
    if kind == "u" and size == 2 and holds.bits == 8:
        notes.append(f"16-bit samples written as 8-bit {name}: the finer levels are lost")
        # The nearest of 256 levels, in whole numbers: v / 257, rounded.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels


def _on_white(pixels: Pixels) -> Pixels:
    top = 255.0
    share = pixels[..., -1:].astype(np.float32) / top
    laid = pixels[..., :-1] * share + top * (1 - share)
    flat: Pixels = np.rint(laid).astype(pixels.dtype)
    return flat[..., 0] if flat.shape[2] == 1 else flat


def _grey_to_rgb(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)

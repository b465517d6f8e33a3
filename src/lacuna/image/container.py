"""What a file holds besides its pixels, and what the formats share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lacuna.errors import ImageError, LimitError

Pixels = NDArray[Any]
"""``(H, W)`` or ``(H, W, C)``, C = 1 to 4, in the file's own depth: bool, integers or floats."""

DEFAULT_MAX_PIXELS = 300_000_000
"""More pixels than this are refused before anything is decoded, unless the caller raises the limit."""


@dataclass(frozen=True)
class Meta:
    r"""Metadata that every format can say in its own way.

    Parameters
    ----------
    exif : a TIFF structure, without the ``Exif\0\0`` that JPEG puts before it.
    icc : the colour profile.
    xmp : the XMP packet.
    dpi : (x, y), pixels per inch.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Container:
    """A file without its pixels; each format adds what it needs to write the file again.

    Parameters
    ----------
    format : ``PNG``, ``JPEG``, ``WEBP``, ``TIFF``, ``BMP``, or the name of a format that is only read.
    meta : metadata in a neutral form, for writing another format.
    orientation : EXIF orientation 1 to 8 of the stored pixels.
    path : where the file lies, if it came from a path.
    dropped : what a rewritten file leaves out because it would show the unedited picture, or cannot be kept.
    """

    format: str
    meta: Meta = field(default_factory=Meta)
    orientation: int = 1
    path: Path | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pixels as they are stored (not yet upright), the rest of the file, and what was converted."""

    pixels: Pixels
    container: Container
    notes: tuple[str, ...] = ()


def check_size(width: int, height: int, max_pixels: int | None) -> None:
    """Refuse pictures without pixels and those beyond the limit; None is no limit.

    Raises
    ------
    ImageError : no pixels.
    LimitError : more than ``max_pixels``.
    """
    if width < 1 or height < 1:
        raise ImageError(f"the picture has no pixels ({width}x{height})")
    if max_pixels is not None and width * height > max_pixels:
        raise LimitError(
            f"the picture has {width}x{height} = {pixels_in_words(width * height)}; the limit is "
            f"{pixels_in_words(max_pixels)}; raise max_pixels (--max-pixels) if you trust the file"
        )


def pixels_in_words(number: int) -> str:
    """Return a number of pixels as one says it.

    Examples
    --------
    >>> pixels_in_words(6912), pixels_in_words(300_000_000)
    ('6,912 pixels', '300 million pixels')
    """
    return f"{number / 1e6:.0f} million pixels" if number >= 1e7 else f"{number:,} pixels"


def channels(pixels: Pixels) -> int:
    """Return the number of channels, alpha included."""
    return 1 if pixels.ndim == 2 else int(pixels.shape[2])


def has_alpha(pixels: Pixels) -> bool:
    """Say whether the last channel is alpha: two or four channels."""
    return channels(pixels) in (2, 4)

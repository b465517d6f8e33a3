"""PIL images to native pixels and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.errors import ImageError
from lacuna.image.container import Pixels

if TYPE_CHECKING:
    from PIL import Image

_DIRECT = ("1", "L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I", "F")

_BAND = 2**20

# What becomes of modes that have no canon of their own.
_CONVERTED = {
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "La": "LA",
    "RGBa": "RGBA",
    "PA": "RGBA",
}


def plain_pixels(image: Image.Image) -> tuple[Pixels, tuple[str, ...]]:
    """Return a PIL image's native pixels, not turned, and what had to be converted.

    Raises
    ------
    ImageError : the mode is not supported. What Pillow raises for damaged files comes through.
    """
    image.load()
    target, note = _target_mode(image)
    if target is None:
        raise ImageError(f"PIL images of mode {image.mode} are not supported; convert to L, RGB or RGBA")
    if image.mode == "CMYK":
        image = cmyk_to_rgb(image)
    elif target != image.mode:
        image = image.convert(target)
    return _to_array(image), (note,) if note else ()


def _to_array(image: Image.Image) -> Pixels:
    """Return the image's pixels band by band: in one go Pillow needs twice their memory for the moment."""
    rows = max(1, _BAND // image.width)
    first = np.asarray(image.crop((0, 0, image.width, min(rows, image.height))))
    if image.height <= rows:
        return first
    pixels = np.empty((image.height, *first.shape[1:]), dtype=first.dtype)
    pixels[:rows] = first
    for top in range(rows, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def _target_mode(image: Image.Image) -> tuple[str | None, str]:
    mode = image.mode
    transparent = "transparency" in image.info
    if mode == "P":
        target = "RGBA" if transparent else "RGB"
        return target, f"palette converted to {target}"
    if transparent and mode in ("1", "L", "RGB"):
        target = "RGBA" if mode == "RGB" else "LA"
        return target, f"transparent colour converted to alpha ({target})"
    if mode in _DIRECT:
        return mode, ""
    target_mode = _CONVERTED.get(mode)
    return target_mode, f"{mode} converted to {target_mode}"


def to_pil(pixels: Pixels, info: Mapping[Any, Any]) -> Image.Image:
    """Return pixels as the PIL image that they came from, with its info."""
    from PIL import Image

    image = Image.fromarray(pixels)
    # The palette's or colour key's transparency has become alpha.
    image.info = {key: value for key, value in info.items() if key != "transparency"}
    return image


def cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Convert through the embedded profile to sRGB where there is one that works, else plainly."""
    profile = image.info.get("icc_profile")
    if profile:
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")

"""BMP: 1-bit, grey, RGB and RGBA; resolution kept."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np

from lacuna.errors import OutputError
from lacuna.image.container import Container, Decoded, Meta, Pixels, channels, check_size
from lacuna.image.pil import plain_pixels

_RESOLUTION = 38


@dataclass(frozen=True, eq=False)
class BmpFile(Container):
    """The two resolutions, pixels per metre, as they were."""

    resolution: bytes = bytes(8)


def read(data: bytes, max_pixels: int | None) -> Decoded:
    """Decode a BMP file.

    Raises
    ------
    ImageError, LimitError
    """
    from PIL import BmpImagePlugin

    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    check_size(image.width, image.height, max_pixels)
    pixels, converted = plain_pixels(image)
    long_header = len(data) >= 54 and struct.unpack_from("<I", data, 14)[0] >= 40
    resolution = data[_RESOLUTION : _RESOLUTION + 8] if long_header else bytes(8)
    x, y = (n * 0.0254 for n in struct.unpack("<ii", resolution))
    meta = Meta(dpi=(x, y) if x > 0 and y > 0 else None)
    return Decoded(pixels, BmpFile(format="BMP", meta=meta, resolution=resolution), converted)


def write(pixels: Pixels, source: BmpFile | None, meta: Meta) -> bytes:
    """Encode pixels losslessly.

    Parameters
    ----------
    pixels : (H, W[, 3 or 4]), bool or uint8.
    """
    out = bytearray(_encode_alpha(pixels) if channels(pixels) == 4 else _encode(pixels))
    resolution = source.resolution if source is not None else bytes(8)
    if source is None and meta.dpi is not None:
        resolution = struct.pack("<ii", *(round(d / 0.0254) for d in meta.dpi))
    out[_RESOLUTION : _RESOLUTION + 8] = resolution
    return bytes(out)


def _encode(pixels: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "BMP")
    return out.getvalue()


def _encode_alpha(pixels: Pixels) -> bytes:
    # Pillow writes 32-bit BMP without saying that the fourth channel is alpha; OpenCV says it.
    import cv2

    done, data = cv2.imencode(".bmp", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise OutputError("OpenCV could not encode the BMP")
    return np.asarray(data).tobytes()

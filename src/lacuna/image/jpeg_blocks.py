"""JPEG to JPEG without loss outside the hole: only the 8x8 blocks with changed pixels are encoded anew.

Every other block keeps its coefficients verbatim, also inside an MCU that the hole touches. In a changed
block the known samples start from the source's own decoded samples, not from a second conversion of rounded
RGB, so that they move by no more than the new quantisation.

References
----------
.. [1] ITU-T T.81 (1992), Annex A.3: DCT and quantisation. ITU-T T.871 (2011), section 7: RGB to YCbCr.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lacuna.image.container import Pixels
from lacuna.image.jpeg import SOF, Component, Frame, JpegFile, Parsed, Segment, assemble, markers, parse

Coefficients = NDArray[np.int16]
"""(rows of blocks, columns of blocks, 8, 8), vertical frequency before horizontal."""

_APP0, _APP14, _DQT, _SOS = 0xE0, 0xEE, 0xDB, 0xDA
_BATCH = 2048
_LOCK = threading.Lock()

T = TypeVar("T")

# libjpeg-turbo is the fastest to read and write; mozjpeg's writer is the only one that stays progressive.
_SEQUENTIAL = ("turbo210", "6b")
_PROGRESSIVE = ("mozjpeg403", "turbo210", "6b")

# Rows: Y, Cb, Cr; columns: R, G, B (ITU-T T.871).
_YCC = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
_YCC_OFFSET = np.array([0.0, 128.0, 128.0])


@dataclass(frozen=True)
class Rewritten:
    """The new file, and how many of its MCUs were touched."""

    data: bytes
    touched: int
    total: int
    notes: tuple[str, ...] = ()


def why_not(source: JpegFile) -> str | None:
    """Return None when the file's blocks can be kept, else why all of it has to be encoded anew."""
    parsed = source.parsed
    if parsed is None:
        return "the source's data is not at hand"
    frame = parsed.frame
    if len(frame.components) not in (1, 3):
        return "it is CMYK"
    if frame.marker not in SOF:
        return "it is arithmetic-coded or lossless"
    if frame.precision != 8:
        return f"it has {frame.precision} bits per sample"
    top_h, top_v = (max(c.h for c in frame.components), max(c.v for c in frame.components))
    if any(c.h < 1 or c.v < 1 or top_h % c.h or top_v % c.v for c in frame.components):
        return "its chroma is sampled in an unusual way"
    if any(marker == _DQT for _, marker in markers(parsed.scans, 0)):
        return "its quantisation changes between scans"
    return None


def rewrite(source: JpegFile, pixels: Pixels, changed: NDArray[np.bool_]) -> Rewritten:
    """Return the file with new pixels in the blocks that hold changed ones.

    Parameters
    ----------
    source : the file; `why_not` must have returned None.
    pixels : (H, W) or (H, W, 3), uint8, in stored orientation.
    changed : (H, W). Where the pixels differ from the file's.

    Raises
    ------
    OSError, ValueError, LookupError, TypeError : the file is odd; encode it anew instead.
    """
    parsed = source.parsed
    if parsed is None:
        raise OSError("no source data")
    fresh = run_in_thread(lambda: _recode(source, parsed, pixels, changed))
    rest, scans = with_ids(fresh, parsed.frame)
    touched, total = _count_mcus(parsed.frame, changed)
    return Rewritten(assemble(source.apps, rest, scans), touched, total)


def read_coefficients(data: bytes) -> list[Coefficients]:
    """Return the quantised coefficients of each plane of a JPEG file."""
    parsed = parse(data)

    def work() -> list[Coefficients]:
        with _jpeglib(_SEQUENTIAL) as lib, tempfile.TemporaryDirectory(prefix="lacuna-") as folder:
            image, _ = load(lib, parsed, Path(folder))
            return [plane.copy() for plane in planes(image, len(parsed.frame.components))]

    return run_in_thread(work)


def _recode(source: JpegFile, parsed: Parsed, pixels: Pixels, changed: NDArray[np.bool_]) -> Parsed:
    with jpeglib_of(parsed) as lib, tempfile.TemporaryDirectory(prefix="lacuna-") as folder:
        image, target = load(lib, parsed, Path(folder))
        for index, plane in enumerate(planes(image, len(parsed.frame.components))):
            table = image.qt[image.quant_tbl_no[index]].astype(np.float64)
            if (table < 1).any():
                raise OSError("a quantisation table holds 0")
            update(plane, parsed.frame, index, table, pixels, changed, rgb=source.rgb)
        image.write_dct(str(target), flags=["+OPTIMIZE_CODING"])
        return parse(target.read_bytes())


def load(lib: Any, parsed: Parsed, folder: Path) -> tuple[Any, Path]:
    """Read the coefficients through a bare copy of the file: no metadata, and nothing after the picture."""
    place = folder / "source.jpg"
    needed = tuple(s for s in parsed.apps if s[0] in (_APP0, _APP14) and s[1][:5] in (b"JFIF\0", b"Adobe"))
    place.write_bytes(assemble(needed, parsed.rest, parsed.scans))
    # jpeglib prints when it fails; standard output may be carrying a picture.
    with contextlib.redirect_stdout(io.StringIO()):
        image = lib.read_dct(str(place))
        image.load()
    return image, folder / "target.jpg"


def planes(image: Any, count: int) -> list[Coefficients]:
    """Return the coefficients of the first planes, as views."""
    return [image.Y, image.Cb, image.Cr][:count]


def jpeglib_of(parsed: Parsed) -> contextlib.AbstractContextManager[Any]:
    """Return jpeglib with a library that writes files of that kind."""
    return _jpeglib(_PROGRESSIVE if parsed.frame.marker == 0xC2 else _SEQUENTIAL)


@contextlib.contextmanager
def _jpeglib(versions: tuple[str, ...]) -> Iterator[Any]:
    """Hold jpeglib with the first of some libjpeg versions that it has; what was set is restored."""
    import jpeglib

    with _LOCK:
        before = jpeglib.version.get()
        available = jpeglib.version.versions()
        jpeglib.version.set(next((v for v in versions if v in available), before))
        try:
            yield jpeglib
        finally:
            jpeglib.version.set(before)


def run_in_thread(work: Callable[[], T]) -> T:
    """Run work where Ctrl-C cannot cut it in half: jpeglib's own temporary files are always removed."""
    with ThreadPoolExecutor(1, thread_name_prefix="lacuna-jpeg") as pool:
        return pool.submit(work).result()


def update(
    plane: Coefficients,
    frame: Frame,
    index: int,
    table: NDArray[np.float64],
    pixels: Pixels,
    changed: NDArray[np.bool_],
    *,
    rgb: bool,
) -> None:
    """Encode anew, in place, the blocks of one plane that hold changed pixels."""
    component = frame.components[index]
    cell = cell_of(frame, component)
    rows, columns = _touched_blocks(changed, cell, plane.shape[:2])
    weights, offset = _to_plane(index, len(frame.components), rgb)
    for start in range(0, len(rows), _BATCH):
        r, c = rows[start : start + _BATCH], columns[start : start + _BATCH]
        share, values = _cells(pixels, changed, r, c, cell, weights, offset)
        samples = _inverse(plane[r, c] * table)
        samples += share * (values - samples)
        plane[r, c] = _quantise(_forward(samples), table)


def cell_of(frame: Frame, component: Component) -> tuple[int, int]:
    """Return (rows, columns) of pixels that one sample of a plane stands for."""
    if len(frame.components) == 1:
        return 1, 1
    return (
        max(c.v for c in frame.components) // component.v,
        max(c.h for c in frame.components) // component.h,
    )


def _touched_blocks(
    changed: NDArray[np.bool_], cell: tuple[int, int], shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    high, wide = 8 * cell[0], 8 * cell[1]
    rows = np.logical_or.reduceat(changed, np.arange(0, changed.shape[0], high), axis=0)
    blocks = np.logical_or.reduceat(rows, np.arange(0, changed.shape[1], wide), axis=1)
    r, c = np.nonzero(blocks[: shape[0], : shape[1]])
    return r, c


def _to_plane(index: int, count: int, rgb: bool) -> tuple[NDArray[np.float64], float]:
    """Return the weights of R, G and B in a plane, and its offset."""
    if count == 1:
        return np.ones(1), 0.0
    if rgb:
        return np.eye(3)[index], 0.0
    return _YCC[index], float(_YCC_OFFSET[index])


def _cells(
    pixels: Pixels,
    changed: NDArray[np.bool_],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    cell: tuple[int, int],
    weights: NDArray[np.float64],
    offset: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each sample of some blocks, the share of changed pixels and their mean; (n, 8, 8) each."""
    ys = rows[:, np.newaxis] * 8 * cell[0] + np.arange(8 * cell[0])
    xs = columns[:, np.newaxis] * 8 * cell[1] + np.arange(8 * cell[1])
    y = np.minimum(ys, changed.shape[0] - 1)[:, :, np.newaxis]
    x = np.minimum(xs, changed.shape[1] - 1)[:, np.newaxis, :]
    # Past the picture's edge samples follow the last pixel, as encoders pad; where it is known they stay.
    moved = changed[y, x]
    colour = pixels[y, x].reshape(*moved.shape, -1)
    values = (colour @ weights + offset) * moved
    split = (len(rows), 8, cell[0], 8, cell[1])
    count = moved.reshape(split).sum(axis=(2, 4))
    total = values.reshape(split).sum(axis=(2, 4))
    return count / (cell[0] * cell[1]), total / np.maximum(count, 1)


def _dct_matrix() -> NDArray[np.float64]:
    k = np.arange(8)
    basis = np.cos((2 * k + 1) * k[:, np.newaxis] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    return basis


_DCT = _dct_matrix()


def _forward(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the DCT of (n, 8, 8) samples in 0 … 255."""
    shifted: NDArray[np.float64] = _DCT @ (samples - 128.0) @ _DCT.T
    return shifted


def _inverse(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 8, 8) samples, neither rounded nor clipped."""
    samples: NDArray[np.float64] = _DCT.T @ coefficients @ _DCT + 128.0
    return samples


def _quantise(coefficients: NDArray[np.float64], table: NDArray[np.float64]) -> Coefficients:
    # Huffman coding of 8-bit samples has room for 10 bits; samples that overshoot could need more.
    return np.clip(np.rint(coefficients / table), -1023, 1023).astype(np.int16)


def _count_mcus(frame: Frame, changed: NDArray[np.bool_]) -> tuple[int, int]:
    h, v = max(c.h for c in frame.components), max(c.v for c in frame.components)
    high, wide = (8, 8) if len(frame.components) == 1 else (8 * v, 8 * h)
    rows, columns = -(-frame.height // high), -(-frame.width // wide)
    touched, _ = _touched_blocks(changed, (high // 8, wide // 8), (rows, columns))
    return len(touched), rows * columns


def with_ids(fresh: Parsed, frame: Frame) -> tuple[tuple[Segment, ...], bytes]:
    """Give the new file the source's component identifiers, which jpeglib renumbers."""
    ids = {new.id: old.id for new, old in zip(fresh.frame.components, frame.components, strict=True)}
    rest = []
    for marker, payload in fresh.rest:
        body = bytearray(payload)
        if marker in SOF:
            for i in range(6, 6 + 3 * len(ids), 3):
                body[i] = ids[body[i]]
        rest.append((marker, bytes(body)))
    return tuple(rest), _scans_with_ids(fresh.scans, ids)


def _scans_with_ids(scans: bytes, ids: dict[int, int]) -> bytes:
    out = bytearray(scans)
    for at in [place for place, marker in markers(scans, 0) if marker == _SOS]:
        count = out[at + 4]
        for i in range(at + 5, at + 5 + 2 * count, 2):
            out[i] = ids[out[i]]
    return bytes(out)

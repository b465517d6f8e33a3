"""A JPEG on a larger canvas: the blocks of the old picture at their new place, coefficient by coefficient.

That is possible where the old picture begins at a whole MCU of the canvas. The canvas is encoded with the old
tables and sampling first; then the old blocks replace those that were encoded in their place. In blocks that
reach beyond the old picture only the new samples are encoded anew.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.image import jpeg_blocks as blocks
from lacuna.image.container import Pixels
from lacuna.image.jpeg import Frame, JpegFile, Parsed, assemble, encode, parse


def mcu_of(source: JpegFile) -> tuple[int, int]:
    """Return the (height, width) of an MCU, as it is stored."""
    frame = source.parsed.frame if source.parsed is not None else None
    if frame is None or len(frame.components) == 1:
        return 8, 8
    return 8 * max(c.v for c in frame.components), 8 * max(c.h for c in frame.components)


def begins_at_mcu(source: JpegFile) -> bool:
    """Say whether the old picture begins at a whole MCU of the canvas, across and down."""
    sides = mcu_of(source)
    return source.place is not None and not any(
        at % side for at, side in zip(source.place, sides, strict=True)
    )


def why_not(source: JpegFile) -> str | None:
    """Return None when the blocks can be kept at their new place, else why all has to be encoded anew."""
    reason = blocks.why_not(source)
    if reason is not None:
        return reason
    if source.place is None:
        return "the picture has another size now"
    high, wide = mcu_of(source)
    if not begins_at_mcu(source):
        return (
            f"the picture has another size now, and does not begin at a multiple of {wide} pixels across and "
            f"{high} down"
        )
    return "its planes are red, green and blue" if source.rgb else None


def move(source: JpegFile, pixels: Pixels) -> blocks.Rewritten:
    """Return the file of a canvas.

    Parameters
    ----------
    source : the old file; its ``place`` says where it lies on the canvas. `why_not` must have returned None.
    pixels : (H, W) or (H, W, 3), uint8, the canvas in stored orientation.

    Raises
    ------
    OSError, ValueError, LookupError, TypeError : the file is odd; encode it anew instead.
    """
    parsed = source.parsed
    if parsed is None or source.place is None:
        raise OSError("no source data")
    data, _ = encode(pixels, source, source.meta, None)
    fresh = parse(data)
    kept = blocks.run_in_thread(lambda: _merged(parsed, fresh, source.place or (0, 0), pixels))
    rest, scans = blocks.with_ids(kept, parsed.frame)
    high, wide = mcu_of(source)
    total = -(-fresh.frame.height // high) * -(-fresh.frame.width // wide)
    whole = (parsed.frame.height // high) * (parsed.frame.width // wide)
    return blocks.Rewritten(assemble(source.apps, rest, scans), total - whole, total)


def _merged(old: Parsed, new: Parsed, place: tuple[int, int], pixels: Pixels) -> Parsed:
    with blocks.jpeglib_of(new) as lib, contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lacuna-"))) for _ in "ab"]
        before, _ = blocks.load(lib, old, folders[0])
        after, target = blocks.load(lib, new, folders[1])
        for index in range(len(new.frame.components)):
            table = _same_table(before, after, index, old.frame, new.frame)
            planes = [blocks.planes(image, index + 1)[index] for image in (before, after)]
            _copy(planes[0], planes[1], old.frame, index, place)
            blocks.update(
                planes[1], new.frame, index, table, pixels, _rim(old.frame, pixels, place), rgb=False
            )
        after.write_dct(str(target), flags=["+OPTIMIZE_CODING"])
        return parse(target.read_bytes())


def _same_table(before: Any, after: Any, index: int, old: Frame, new: Frame) -> Any:
    """Return the table of a plane, if both files have the same there."""
    tables = [image.qt[image.quant_tbl_no[index]].astype(np.float64) for image in (before, after)]
    sampling = [(frame.components[index].h, frame.components[index].v) for frame in (old, new)]
    if not np.array_equal(*tables) or sampling[0] != sampling[1] or (tables[0] < 1).any():
        raise OSError("its tables or sampling are unusual")
    return tables[0]


def _copy(old: Any, new: Any, frame: Frame, index: int, place: tuple[int, int]) -> None:
    """Copy the blocks that hold anything of the old picture, in place."""
    high, wide = (8 * side for side in blocks.cell_of(frame, frame.components[index]))
    rows, columns = -(-frame.height // high), -(-frame.width // wide)
    top, left = place[0] // high, place[1] // wide
    part = new[top : top + rows, left : left + columns]
    part[...] = old[: part.shape[0], : part.shape[1]]


def _rim(frame: Frame, pixels: Pixels, place: tuple[int, int]) -> Any:
    """Return (H, W), True for new pixels in blocks of which a part is old."""
    high, wide = 8 * max(c.v for c in frame.components), 8 * max(c.h for c in frame.components)
    if len(frame.components) == 1:
        high = wide = 8
    top, left = place
    rim = np.zeros(pixels.shape[:2], dtype=np.bool_)
    rim[top : top + -(-frame.height // high) * high, left : left + -(-frame.width // wide) * wide] = True
    rim[top : top + frame.height, left : left + frame.width] = False
    return rim

"""COCO annotations: polygons and run lengths, from JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MaskError
from lacuna.image import Picture
from lacuna.masks.sources import fill_rings, outside, quoted, read_text
from lacuna.masks.values import Drawn, Mask
from lacuna.types import Hole

Rings = list[list[tuple[float, float]]]


@dataclass(frozen=True)
class Coco(Mask):
    """Segmentations of COCO annotations, all of them together.

    Parameters
    ----------
    parts : polygons (rings that add up) and decoded run lengths.
    name : as it is to be written.
    """

    parts: tuple[Rings | Hole, ...] = field(repr=False, hash=False, compare=False)
    name: str

    def __str__(self) -> str:
        return self.name

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> Drawn:
        hole = np.zeros(shape, dtype=np.bool_)
        for part in self.parts:
            if not isinstance(part, np.ndarray):
                for ring in part:  # in COCO the rings of an object add up, even where they overlap
                    hole |= fill_rings([ring], shape)
            elif part.shape != shape:
                (h, w), (height, width) = part.shape, shape
                raise MaskError(
                    f"{self.name}: the run lengths are of a {w}x{h} picture, this one is {width}x{height}"
                )
            else:
                hole |= part
        if not hole.any():
            raise outside(self, shape)
        return hole, ()


def coco(source: Any, annotation: int | None = None) -> Mask:
    """Return the objects of a COCO file.

    Parameters
    ----------
    source : name of a JSON file, or its contents: a data set with ``annotations``, a list of annotations, one
        annotation, or one ``segmentation`` (polygons; run lengths, compressed or not).
    annotation : the ``id`` of the only one that is wanted. None: all, which must be of one picture.

    Raises
    ------
    MaskError : the file cannot be read, is no JSON or no COCO; no such annotation; several pictures.

    Examples
    --------
    >>> runs = {"size": [2, 3], "counts": [1, 2, 3]}  # down the columns, known first
    >>> coco(runs).hole((2, 3)).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    if isinstance(source, str):
        where = source
        try:
            data = json.loads(read_text(source))
        except ValueError as error:
            if isinstance(error, MaskError):
                raise
            raise MaskError(f"{source} is not JSON: {error}") from error
        except RecursionError as error:
            raise MaskError(f"{source} is nested too deeply for COCO") from error
    else:
        where, data = "<coco>", source
    chosen = list(_segmentations(data, annotation, where))
    number = "" if annotation is None else f"#{annotation}"
    name = f"coco:{quoted(where + number)}" if isinstance(source, str) else where
    return Coco(tuple(_part(one, where) for one in chosen), name)


def _segmentations(data: Any, annotation: int | None, where: str) -> Iterator[Any]:
    """Yield the segmentations of whatever was given."""
    items = data["annotations"] if isinstance(data, dict) and "annotations" in data else data
    if isinstance(items, dict) and "segmentation" in items:
        items = [items]
    if not (isinstance(items, list) and items and all(isinstance(one, dict) for one in items)):
        if items == [] or annotation is not None:
            raise MaskError(f"{where} holds no annotations")
        yield items
        return
    if annotation is not None:
        items = [one for one in items if one.get("id") == annotation]
        if not items:
            raise MaskError(f"{where} has no annotation with the id {annotation}")
    pictures = {str(one.get("image_id")) for one in items}
    if len(pictures) > 1:
        raise MaskError(
            f"{where} has annotations of {len(pictures)} pictures; name one annotation: coco:{where}#ID"
        )
    for one in items:
        if "segmentation" not in one and "counts" not in one:
            raise MaskError(
                f"{where}: an annotation without segmentation (its keys: {', '.join(map(str, one))})"
            )
        yield one.get("segmentation", one)


def _part(segmentation: Any, where: str) -> Rings | Hole:
    if isinstance(segmentation, dict):
        return _runs(segmentation, where)
    if isinstance(segmentation, list) and segmentation and not isinstance(segmentation[0], list):
        segmentation = [segmentation]
    if not isinstance(segmentation, list) or not segmentation:
        raise MaskError(
            f"{where} is no COCO segmentation: expected polygons [[x, y, …], …] or run lengths "
            "{size: [height, width], counts: …}"
        )
    return [_ring(ring, where) for ring in segmentation]


def _ring(ring: Any, where: str) -> list[tuple[float, float]]:
    numbers = isinstance(ring, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6 for value in ring
    )
    if not numbers or len(ring) % 2 or len(ring) < 6:
        seen = f"{len(ring)} values" if isinstance(ring, list) else type(ring).__name__
        raise MaskError(f"{where}: a polygon is a list of three or more pairs x, y; this has {seen}")
    return list(zip(ring[::2], ring[1::2], strict=True))


def _runs(runs: dict[str, Any], where: str) -> Hole:
    """Return run lengths as a hole. They run down the columns and begin with what is known."""
    size, counts = runs.get("size"), runs.get("counts")
    whole = isinstance(size, list) and len(size) == 2 and all(type(n) is int and 0 < n < 65536 for n in size)
    if not whole:
        raise MaskError(f"{where}: run lengths need size: [height, width], got {size!r}")
    height, width = size  # type: ignore[misc]
    if isinstance(counts, str):
        lengths = _decompressed(counts, where)
    elif isinstance(counts, list) and all(type(n) is int and n >= 0 for n in counts):
        lengths = np.array(counts, dtype=np.int64)
    else:
        raise MaskError(f"{where}: counts of run lengths are a text or a list of whole numbers")
    if lengths.sum() != height * width or (lengths < 0).any():
        raise MaskError(
            f"{where}: the run lengths add up to {lengths.sum()}; a {width}x{height} picture has "
            f"{height * width} pixels"
        )
    values = np.arange(len(lengths)) % 2 == 1
    hole: Hole = np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)
    return hole


def _decompressed(text: str, where: str) -> NDArray[np.int64]:
    """Return the numbers in COCO's compressed counts.

    Six bits a character from "0" on: five of the number, lowest first, and one that says that more follow.
    The last five are signed. From the fourth number on it is the difference to the number before the last.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise MaskError(f"{where}: {character!r} is not of compressed run lengths")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise MaskError(f"{where}: the compressed run lengths end in the middle of a number")
    return np.array(lengths, dtype=np.int64)

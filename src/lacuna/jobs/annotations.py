"""COCO annotations that survive a hole: what is left of each object, and what is not."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.errors import ConfigError, MaskError
from lacuna.masks import coco
from lacuna.types import Hole


@dataclass(frozen=True)
class Annotations:
    """A COCO data set, by file.

    Parameters
    ----------
    data : as it was read.
    of_image : annotations by the id of their image.
    images : image entries by file name, and by its last part where that is unique.
    """

    data: Mapping[str, Any]
    of_image: Mapping[Any, list[dict[str, Any]]] = field(default_factory=dict)
    images: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def image(self, name: str) -> dict[str, Any] | None:
        """Return the entry of a file, named by its path below the folder."""
        return self.images.get(name) or self.images.get(Path(name).name)


def read_annotations(path: str | os.PathLike[str]) -> Annotations:
    """Read a COCO data set.

    Raises
    ------
    ConfigError : no such file, no JSON, no COCO.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"the annotations {path} cannot be read: {error}") from error
    if not (isinstance(data, dict) and _are_entries(data.get("images"), "id", "file_name")):
        raise ConfigError(f"{path} is no COCO data set: expected images with id and file_name")
    if not _are_entries(data.get("annotations"), "image_id"):
        raise ConfigError(f"{path} is no COCO data set: expected annotations with image_id")
    names = Counter(Path(one["file_name"]).name for one in data["images"])
    images = {
        Path(one["file_name"]).name: one for one in data["images"] if names[Path(one["file_name"]).name] == 1
    }
    images |= {one["file_name"]: one for one in data["images"]}
    of_image: dict[Any, list[dict[str, Any]]] = {}
    for one in data["annotations"]:
        of_image.setdefault(one["image_id"], []).append(one)
    return Annotations(data, of_image, images)


def _are_entries(value: Any, *keys: str) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(k in one for k in keys) for one in value
    )


def surviving(
    annotations: Iterable[Mapping[str, Any]], hole: Hole, *, most: float
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return what is left of some annotations after a hole was filled.

    An object whose area the hole does not touch stays as it is. One of which more than ``most`` is gone is
    dropped. Of the others the lost part is cut off: the segmentation becomes run lengths of what is left,
    the box its bounds. An object with a box alone counts as all of its box. Keypoints in the hole become
    unlabelled.

    Parameters
    ----------
    annotations : of one picture.
    hole : (H, W) of that picture.
    most : share of an object's pixels that may be lost, 0 to 1.

    Returns
    -------
    The annotations, copies; and how many were ``kept``, ``cut`` and ``dropped``.

    Raises
    ------
    MaskError : a segmentation or box that cannot be read.
    """
    left, counts = [], Counter(kept=0, cut=0, dropped=0)
    for one in annotations:
        taken = _pixels(one, hole.shape)
        size, lost = int(taken.sum()), int((taken & hole).sum())
        if size and lost > most * size:
            counts["dropped"] += 1
            continue
        found = copy.deepcopy(dict(one))
        if lost:
            _cut(found, taken & ~hole)
        unlabelled = _keypoints(found, hole)
        counts["cut" if lost or unlabelled else "kept"] += 1
        left.append(found)
    return left, counts


def _pixels(annotation: Mapping[str, Any], shape: tuple[int, ...]) -> Hole:
    """Return the pixels of an object."""
    height, width = shape
    if annotation.get("segmentation"):
        try:
            return coco(annotation["segmentation"]).hole((height, width))
        except MaskError as error:
            if "covers no pixel" in str(error):
                return np.zeros((height, width), dtype=np.bool_)
            raise MaskError(f"annotation {annotation.get('id')}: {error}") from error
    box = annotation.get("bbox")
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(n, int | float) for n in box)
    pixels = np.zeros((height, width), dtype=np.bool_)
    if not numbers:
        return pixels  # a caption, for instance: nothing that a hole could eat
    x, y, w, h = box  # type: ignore[misc]
    rows = slice(max(round(y), 0), max(round(y + h), 0))
    columns = slice(max(round(x), 0), max(round(x + w), 0))
    pixels[rows, columns] = True
    return pixels


def _cut(annotation: dict[str, Any], left: Hole) -> None:
    """Make an annotation that of the pixels that are left, in place."""
    rows, columns = (np.flatnonzero(left.any(axis=axis)) for axis in (1, 0))
    x, y = int(columns[0]), int(rows[0])
    if annotation.get("segmentation"):
        annotation["segmentation"] = run_lengths(left)
        annotation["area"] = int(left.sum())
    elif "area" in annotation:
        annotation["area"] = int(left.sum())
    if "bbox" in annotation:
        annotation["bbox"] = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def _keypoints(annotation: dict[str, Any], hole: Hole) -> int:
    """Take the label of keypoints in the hole away, in place; return how many there were."""
    points = annotation.get("keypoints")
    if not isinstance(points, list) or len(points) % 3:
        return 0
    gone = 0
    for i in range(0, len(points), 3):
        x, y, seen = points[i : i + 3]
        row, column = int(y), int(x)
        inside = 0 <= row < hole.shape[0] and 0 <= column < hole.shape[1]
        if seen and inside and hole[row, column]:
            points[i : i + 3] = [0, 0, 0]
            gone += 1
    if gone:
        annotation["num_keypoints"] = sum(1 for seen in points[2::3] if seen)
    return gone


def run_lengths(pixels: Hole) -> dict[str, Any]:
    """Return pixels as COCO's uncompressed run lengths: down the columns, what is not there first.

    Examples
    --------
    >>> run_lengths(np.array([[0, 1], [0, 1]], dtype=bool))
    {'size': [2, 2], 'counts': [2, 2]}
    """
    flat = pixels.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]]))
    if flat.size and flat[0]:
        counts = np.concatenate([[0], counts])
    return {"size": [int(n) for n in pixels.shape], "counts": [int(n) for n in counts]}

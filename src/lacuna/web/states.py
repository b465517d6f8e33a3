"""States: what a picture looks like after some steps, on the disk and in memory.

A project's folder holds ``original``, ``blobs/`` (masks and the like, by sha256) and ``states/``, a folder
for each key: what the step changed (`patch.npy`), what was missing (`hole.npy`) and what is to be known about
it. Whatever is missing under ``states/`` can be computed again; nothing there is needed to get the same
picture.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.image import DEFAULT_MAX_PIXELS, Picture, open_image
from lacuna.image.verify import differing
from lacuna.types import Box, Hole
from lacuna.web import preview
from lacuna.web.steps import Step, first_key

Linked = Sequence[tuple[str, Step]]
"""Steps and the keys of the states after them, in order."""

_MOST_KEPT, _MOST_BYTES = 3, 400_000_000
_recent: OrderedDict[tuple[str, str], State] = OrderedDict()


@dataclass(frozen=True, eq=False)
class State:
    """A picture after some steps.

    Parameters
    ----------
    picture : the pixels, and the file that they came from.
    origin : (x, y) of the original's corner in it.
    """

    key: str
    picture: Picture
    origin: tuple[int, int] = (0, 0)


class States:
    """A project's folder, and what is kept in memory of it.

    Parameters
    ----------
    folder : of the project.
    sha256 : of the original.
    device : where networks run.
    max_pixels : refuse larger pictures.
    previews : write what screens show, too.
    """

    def __init__(
        self,
        folder: Path,
        sha256: str,
        *,
        device: str = "auto",
        max_pixels: int | None = DEFAULT_MAX_PIXELS,
        previews: bool = False,
    ) -> None:
        self.folder, self.first = folder, first_key(sha256)
        self.device, self.max_pixels, self.previews = device, max_pixels, previews

    def at(self, key: str) -> Path:
        """Return the folder of a state."""
        return self.folder / "states" / key

    def facts(self, key: str) -> dict[str, Any]:
        """Return what is known about a state that was computed.

        Raises
        ------
        OSError : it was not.
        """
        told: dict[str, Any] = json.loads((self.at(key) / "facts.json").read_text(encoding="utf-8"))
        return told

    def has(self, key: str) -> bool:
        """Say whether a state was computed."""
        return (self.at(key) / "facts.json").is_file()

    def original(self) -> State:
        """Open the original."""
        kept = _recall(self.folder, self.first)
        if kept is not None:
            return kept
        picture = open_image((self.folder / "original").read_bytes(), max_pixels=self.max_pixels)
        return _remember(self.folder, State(self.first, picture))

    def open(self) -> dict[str, Any]:
        """Open the original for the first time and return what is to be known about it."""
        state = self.original()
        picture = state.picture
        if self.previews:
            preview.write_full(self.at(self.first) / "preview", picture)
        height, width = picture.shape
        facts = {
            "key": self.first, "parent": None, "width": width, "height": height, "origin": [0, 0],
            "box": None,
            "changed_known": 0, "known": height * width, "photo": photo_facts(picture),
        }  # fmt: skip
        self._write(self.first, facts)
        return facts

    def after(self, linked: Linked) -> State:
        """Return the picture after steps of which all states are there."""
        done = len(linked)
        while (state := _recall(self.folder, linked[done - 1][0]) if done else self.original()) is None:
            done -= 1
        for key, step in linked[done:]:
            state = self.patched(state, key, step)
        return _remember(self.folder, state)

    def hole(self, key: str) -> Hole:
        """Return what was missing in the step to a state, (H, W) of its canvas."""
        facts = self.facts(key)
        hole = np.zeros((facts["height"], facts["width"]), dtype=np.bool_)
        box = facts["hole"]
        if box is not None:
            bits = np.load(self.at(key) / "hole.npy")
            hole[_slices(box)] = np.unpackbits(bits, axis=1, count=box[3] - box[1]).astype(np.bool_)
        return hole

    def union(self, linked: Linked) -> Hole:
        """Return everything that was missing in any of some steps, on the last canvas."""
        if not linked:
            return np.zeros(self.original().picture.shape, dtype=np.bool_)
        last = self.after(linked)
        return self._union(linked[:-1], last, self.hole(linked[-1][0]))

    def _union(self, before: Linked, state: State, hole: Hole) -> Hole:
        """Return everything that was missing in any step, on the last canvas."""
        union = hole.copy()
        for key, _ in before:
            facts = self.facts(key)
            shift = state.origin[0] - facts["origin"][0], state.origin[1] - facts["origin"][1]
            union |= placed(self.hole(key), state.picture.shape, shift)
        return union

    def patched(self, state: State, key: str, step: Step) -> State:
        """Return the state after a step that was taken before."""
        facts, canvas = self.facts(key), state.picture
        if step.kind == "outpaint":
            from lacuna import jobs

            canvas = jobs.outpaint(canvas, **facts["margins"], max_pixels=None).picture
        pixels = canvas.pixels.copy()
        if facts["patch"] is not None:
            pixels[_slices(facts["patch"])] = np.load(self.at(key) / "patch.npy")
        pixels.setflags(write=False)
        before = canvas.pixels if canvas.original is None else canvas.original
        origin: tuple[int, int] = (facts["origin"][0], facts["origin"][1])
        return State(key, replace(canvas, pixels=pixels, original=before), origin)

    def keep(
        self, before: Linked, parent: State, state: State, canvas: Picture, hole: Hole, facts: dict[str, Any]
    ) -> None:
        """Write a state, all or nothing."""
        place = self.at(state.key)
        place.mkdir(parents=True, exist_ok=True)
        pixels = state.picture.pixels
        box = bounds(differing(canvas.pixels, pixels)) if canvas is not None else None
        _save(place / "patch.npy", pixels[_slices(box)] if box else pixels[:0])
        around = bounds(hole)
        _save(place / "hole.npy", np.packbits(hole[_slices(around)], axis=1) if around else np.zeros((0, 0)))
        grown = parent.picture.shape != state.picture.shape
        facts |= {
            "patch": box, "hole": around, "box": None if grown else _ltwh(box), "hole_box": _ltwh(around),
        }  # fmt: skip
        if self.previews:
            if grown:
                preview.write_full(place / "preview", state.picture)
            else:
                preview.write_patch(place / "preview", self.at(parent.key) / "preview", state.picture, box)
        first = self.original()
        union = self._union(before, state, hole)
        facts |= changed_since(first.picture, state, union)
        self._write(state.key, facts)
        _remember(self.folder, state)

    def _write(self, key: str, facts: dict[str, Any]) -> None:
        place = self.at(key)
        place.mkdir(parents=True, exist_ok=True)
        part = place / "facts.part"
        part.write_text(json.dumps(facts), encoding="utf-8")
        os.replace(part, place / "facts.json")


def photo_facts(picture: Picture) -> dict[str, Any]:
    """Return what people want to know of a file that was opened."""
    height, width = picture.shape
    channels = 1 if picture.pixels.ndim == 2 else picture.pixels.shape[2]
    container, kind = picture.container, picture.pixels.dtype
    depth = "1-bit" if kind.kind == "b" else f"{8 * kind.itemsize}-bit{' float' if kind.kind == 'f' else ''}"
    return {
        "width": width,
        "height": height,
        "format": container.format if container is not None else "",
        "depth": depth,
        "type": kind.name,
        "channels": channels,
        "alpha": picture.alpha is not None,
        "icc": bool(picture.icc),
        "orientation": container.orientation if container is not None else 1,
        "notes": list(picture.notes),
    }


def changed_since(first: Picture, state: State, union: Hole) -> dict[str, int]:
    """Count the pixels of the original that differ although no step was to fill them.

    Parameters
    ----------
    union : (H, W) of the state. What was missing in any step.
    """
    height, width = first.shape
    x, y = state.origin
    now = state.picture.pixels[y : y + height, x : x + width]
    missing = union[y : y + height, x : x + width]
    if now.dtype != first.pixels.dtype or now.shape != first.pixels.shape:
        from lacuna.image.verify import compare

        told = compare(
            first, replace(state.picture, pixels=np.ascontiguousarray(now), original=None), missing
        )
        return {"changed_known": told.changed, "known": told.known}
    changed = differing(first.pixels, now) & ~missing
    return {"changed_known": int(np.count_nonzero(changed)), "known": int(missing.size - missing.sum())}


def bounds(mask: Hole) -> Box | None:
    """Return the smallest box that holds all True pixels; None if there are none.

    Examples
    --------
    >>> bounds(np.array([[False, False], [False, True]]))
    (1, 1, 2, 2)
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def placed(hole: Hole, shape: tuple[int, int], shift: tuple[int, int]) -> Hole:
    """Return a hole on another canvas, moved by (x, y); what falls off is gone.

    Examples
    --------
    >>> placed(np.array([[True, False]]), (1, 3), (2, 0)).tolist()
    [[False, False, True]]
    """
    if hole.shape == shape and shift == (0, 0):
        return hole
    out = np.zeros(shape, dtype=np.bool_)
    x, y = shift
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(hole.shape[0] + y, shape[0]), min(hole.shape[1] + x, shape[1])
    if top < bottom and left < right:
        out[top:bottom, left:right] = hole[top - y : bottom - y, left - x : right - x]
    return out


def _slices(box: Any) -> tuple[slice, slice]:
    return slice(box[0], box[2]), slice(box[1], box[3])


def _ltwh(box: Box | None) -> list[int] | None:
    return None if box is None else [box[1], box[0], box[3] - box[1], box[2] - box[0]]


def _save(path: Path, array: Any) -> None:
    np.save(path, np.ascontiguousarray(array))


def _remember(folder: Path, state: State) -> State:
    """Keep the last few pictures, so that the next step does not decode and patch from the start."""
    _recent[str(folder), state.key] = state
    _recent.move_to_end((str(folder), state.key))
    while len(_recent) > 1 and (
        len(_recent) > _MOST_KEPT or sum(one.picture.pixels.nbytes for one in _recent.values()) > _MOST_BYTES
    ):
        _recent.popitem(last=False)
    return state


def _recall(folder: Path, key: str) -> State | None:
    return _recent.get((str(folder), key))

"""The file that is to be kept: written once, from the original and all that was filled."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from lacuna.image import Picture, open_image, save_image
from lacuna.image.jpeg import JpegFile
from lacuna.web.states import Linked, State, States, changed_since


def file(
    states: States, linked: Linked, format: str | None, quality: int | None
) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of the file, and what is to be said about it.

    Parameters
    ----------
    linked : the steps; their states are there.
    format, quality : as in `lacuna.Result.save`; None keeps the original's.

    Notes
    -----
    One step gives the bytes that the command for it would have written. A JPEG is written once for all
    fills, however many, so that blocks outside of all holes are the original's; only where its canvas
    grows between other steps it is written in between, because old blocks are kept by their place on the
    canvas.
    """
    state = states.original()
    before = state.picture
    container = before.container
    blocks = isinstance(container, JpegFile) and (format or "JPEG").upper() in ("JPEG", "JPG")
    count = len(linked)
    for i, (key, step) in enumerate(linked):
        boundary = i > 0 and "outpaint" in (step.kind, linked[i - 1][1].kind)
        if boundary and blocks:
            state = replace(state, picture=_rewritten(state.picture, before))
        if boundary or step.kind == "outpaint":
            before = state.picture
        state = states.patched(state, key, step)
        if step.kind == "outpaint":
            before = _canvas(states, before, key)
    union = states.union(linked)
    stream = io.BytesIO()
    saved = save_image(state.picture, stream, hole=union, source=before, format=format, quality=quality)
    data = stream.getvalue()
    changed = saved.changed_in_file
    if count > 1 and any(step.kind == "outpaint" for _, step in linked):
        again = State("", open_image(data, max_pixels=None), state.origin)
        changed = changed_since(states.original().picture, again, union)["changed_known"]
    first = changed_since(states.original().picture, state, union)
    return data, {
        "format": saved.format, "bytes": len(data), "changed_in_file": changed,
        "notes": list(saved.notes), **first,
    }  # fmt: skip


def _canvas(states: States, picture: Picture, key: str) -> Picture:
    from lacuna import jobs

    return jobs.outpaint(picture, **states.facts(key)["margins"], max_pixels=None).picture


def _rewritten(picture: Picture, before: Picture) -> Picture:
    """Return the same pixels with the JPEG file that holds them."""
    stream = io.BytesIO()
    everything = np.ones(picture.shape, dtype=np.bool_)
    save_image(picture, stream, hole=everything, source=before, format="JPEG")
    again = open_image(stream.getvalue(), max_pixels=None)
    return replace(picture, container=again.container, original=None)

"""``lacuna verify``: whether anybody's tool left the known pixels alone."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render
from lacuna.errors import MaskError

if TYPE_CHECKING:
    from lacuna.image import Picture, Verification


def verify(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The picture as it was.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The picture as any program returned it.")],
    mask: options.Mask,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Count the known pixels that differ between two files, and say by how much.

    The exit code is 1 if any does.
    """
    options.one_stdin(before, after, mask)
    from lacuna.image import open_image, verify_files
    from lacuna.masks import to_hole

    limit = options.limit(max_pixels)
    first, second = (open_image(options.source(name), **limit) for name in (before, after))
    hole, notes = to_hole(
        options.mask(mask),
        first.shape,
        picture=first,
        dilate=dilate,
        invert=invert,
        resize=resize_mask,
    )
    if hole.all():
        raise MaskError(
            "the mask covers the whole picture: there is no known pixel to compare; is it inverted?"
        )
    found = verify_files(first, second, hole, **limit)
    told = (*first.notes, *second.notes, *notes, *found.notes)
    if found.changed and (words := _coded_again(second)):
        told = (*told, words)
    if as_json:
        facts = {"version": __version__, "before": before, "after": after, **dataclasses.asdict(found)}
        render.emit(facts | {"notes": list(told)})
    elif not quiet:
        for note in dict.fromkeys(told):  # the same picture twice has the same notes twice
            render.say(note)
        sys.stdout.write(_sentence(found) + "\n")
    return exits.CHANGED if found.changed else exits.OK


def _coded_again(after: Picture) -> str:
    """Return why pixels of a lossy file change where the fill left them alone; nothing for other files."""
    from lacuna.image.webp import WebpFile

    held = after.container
    lossy_webp = isinstance(held, WebpFile) and not held.lossless
    if held is None or not (held.format == "JPEG" or lossy_webp):
        return ""
    if held.format == "JPEG":
        why = "a JPEG: Lacuna codes the blocks again that the hole cuts, most programs code all of it again"
    else:
        why = "a lossy WebP, which codes all of it again"
    return f"the second file is {why}; known pixels stay exact in a PNG"


def _sentence(found: Verification) -> str:
    words = render.known_changed(found.changed, found.known)
    if not found.changed:
        return words
    share = found.changed / found.known
    return (
        f"{words} ({share:.2%}); largest difference {found.max_difference:.6g}{_scale(found.type)}, "
        f"mean {found.mean_difference:.3g}"
    )


def _scale(name: str) -> str:
    """Return what a difference is to be measured against, where the type says it."""
    return {"uint8": " of 255", "uint16": " of 65535", "bool": " of 1"}.get(name, "")

"""What the commands share that look for something in a picture: options, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacuna.errors import MaskError
from lacuna.types import Box, Hole

if TYPE_CHECKING:
    from lacuna.detect import Detection
    from lacuna.image import Picture

Sensitivity = Annotated[
    float,
    typer.Option(
        "--sensitivity",
        metavar="0-1",
        help="0 takes only what is certain, 1 whatever looks like it.",
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="X,Y,W,H", help="Look only in this box; x, y is its upper left corner."),
]


def region(text: str | None) -> Box | None:
    """Return a box (top, left, bottom, right) for ``x,y,width,height``.

    Raises
    ------
    MaskError : not four numbers, or no area.

    Examples
    --------
    >>> region("10,20,300,200")
    (20, 10, 220, 310)
    """
    if text is None:
        return None
    from lacuna.masks.sources import counted

    x, y, width, height = counted("--region", text, (4,), "x,y,width,height")
    if width <= 0 or height <= 0:
        raise MaskError(f"--region {text} has no area; expected x,y,width,height")
    return round(y), round(x), round(y + height), round(x + width)


def within(picture: Picture, box: Box | None) -> Hole | Box | None:
    """Return where to look: the box, and never at what is fully transparent.

    Raises
    ------
    MaskError : nothing of the picture is left.
    """
    from lacuna.detect.detection import region_mask

    inside = region_mask(box, picture.shape)
    if picture.known.all():
        return box
    return picture.known if inside is None else inside & picture.known


def facts(found: Detection) -> dict[str, Any]:
    """Return a detection for ``--json``."""
    pixels = int(found.mask.sum())
    return {
        "pieces": found.pieces,
        "pixels": pixels,
        "share": round(found.share, 6),
        "notes": list(found.notes),
    }


def words(found: Detection) -> str:
    """Return how much was found, for people."""
    if not found.mask.any():
        return "nothing found"
    pieces = found.pieces
    return f"{pieces:,} {'piece' if pieces == 1 else 'pieces'}, {100 * found.share:.2f} % of the picture"


COLOURS = ((255, 40, 110), (255, 200, 0), (0, 190, 255), (120, 255, 60))
"""One for each kind of thing that was found, in their order."""


def preview(picture: Picture, found: list[Hole], path: str, *, overwrite: bool) -> None:
    """Write the picture in its own size with what was found in colour; thin things are drawn thicker."""
    import numpy as np

    from lacuna.image import open_image, save_image
    from lacuna.masks.shape import dilated

    canon = picture.image
    grey = canon.mean(axis=2, keepdims=True)
    shown = np.rint(255 * (0.35 * np.repeat(canon, 3 // canon.shape[2], axis=2) + 0.45 * grey)).astype(
        np.uint8
    )
    for mask, colour in zip(found, COLOURS, strict=False):
        shown[dilated(mask, max(1, round(max(mask.shape) / 1500)))] = colour
    drawn = open_image(shown)
    save_image(drawn, path, hole=np.ones(picture.shape, dtype=np.bool_), overwrite=overwrite)

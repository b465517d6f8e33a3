"""``lacuna mask``: draw masks, find them, look at them, make sets of them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacuna import __version__
from lacuna.cli import detecting, exits, options, render, targets
from lacuna.errors import OptionError
from lacuna.types import Hole

if TYPE_CHECKING:
    from lacuna.detect import Detection
    from lacuna.image import Picture

app = typer.Typer(help="Draw masks, find them, check them, make sets of them.", no_args_is_help=True)

_Mask = Annotated[
    str,
    typer.Argument(metavar="MASK", help="A mask file, [bold]alpha[/] or an expression; see docs/masks.md."),
]


@app.command()
def draw(
    image: options.Image,
    mask: _Mask,
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="Where to write the mask.")],
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    sam_encoder: options.SamEncoder = None,
    sam_decoder: options.SamDecoder = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Draw what a mask or an expression means for a picture, white on black."""
    if output == options.STREAM and as_json:
        raise typer.BadParameter("--json prints to stdout, so the mask cannot go there too; give -o FILE")
    options.one_stdin(image, mask)
    targets.check(output, overwrite=overwrite)
    from lacuna.image import open_image
    from lacuna.masks import to_hole

    picture = open_image(options.source(image), **options.limit(max_pixels))
    with options.sam(sam_encoder, sam_decoder):
        hole, notes = to_hole(
            options.mask(mask),
            picture.shape,
            picture=picture,
            dilate=dilate,
            invert=invert,
            resize=resize_mask,
        )
    _write(hole, output, overwrite=overwrite)
    missing = int(hole.sum())
    if as_json:
        height, width = hole.shape
        facts = {"version": __version__, "image": image, "mask": mask, "output": output, "width": width}
        render.emit(facts | {"height": height, "missing": missing, "notes": list(notes)})
    elif not quiet:
        render.say(
            f"{missing:,} of {hole.size:,} pixels are missing ({missing / hole.size:.1%})", style="bold"
        )
        for note in notes:
            render.say(note, indent=2)
    return exits.OK


@app.command()
def check(
    image: options.Image,
    mask: _Mask,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    preview: Annotated[
        str | None,
        typer.Option("--preview", metavar="FILE", help="Also write picture, hole on the picture, and hole."),
    ] = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Say what is probably wrong with a mask, and what to do about it.

    The exit code is 1 if anything is.
    """
    options.one_stdin(image, mask)
    targets.check(preview, overwrite=overwrite)
    from lacuna.image import open_image
    from lacuna.masks import doctor

    picture = open_image(options.source(image), **options.limit(max_pixels))
    hole, findings, notes = doctor.check(picture, options.mask(mask), dilate=dilate, invert=invert)
    if preview is not None:
        _preview(picture, hole, preview, overwrite=overwrite)
    missing = int(hole.sum())
    if as_json:
        facts: dict[str, Any] = {"version": __version__, "image": image, "mask": mask, "preview": preview}
        facts |= {"missing": missing, "known": hole.size - missing}
        facts |= {"findings": [asdict(one) for one in findings], "notes": list(notes)}
        render.emit(facts)
    elif not quiet:
        sys.stdout.writelines(f"{finding.code}: {finding}\n" for finding in findings)
        verdict = "" if findings else "; nothing looks wrong"
        render.say(f"{missing / hole.size:.1%} of the picture is missing{verdict}", style="bold")
        for note in notes:
            render.say(note, indent=2)
    return exits.CHANGED if findings else exits.OK


def _preview(picture: Picture, hole: Hole, path: str, *, overwrite: bool) -> None:
    from lacuna.cli import sheet
    from lacuna.image import open_image

    drawn = open_image(hole.astype("uint8") * 255)
    whole = sheet.View(0, 0, *hole.shape)
    tiles = [
        sheet.Tile("picture", sheet.show(picture, hole, whole)),
        sheet.Tile("missing", sheet.show(picture, hole, whole, mark=True)),
        sheet.Tile("mask", sheet.show(drawn, hole & False, whole), "white is missing"),
    ]
    sheet.write(sheet.draw(tiles), path, overwrite=overwrite)


@app.command()
def detect(
    image: options.Image,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="OUT", help="Where to write the mask.")
    ] = None,
    what: Annotated[
        str, typer.Option("--what", metavar="NAME,…", help="What to look for; all of it is one mask.")
    ] = "scratches,dust",
    sensitivity: detecting.Sensitivity = 0.5,
    region: detecting.RegionOption = None,
    dilate: options.Dilate = 0,
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview", metavar="FILE", help="Also write the picture with what was found in colour."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Find something in a picture, and write it as a mask, white on black.

    See docs/masks.md for what can be found. Finding nothing is no error: the mask is black then.
    """
    if output == options.STREAM and as_json:
        raise typer.BadParameter("--json prints to stdout, so the mask cannot go there too; give -o FILE")
    if output is None and preview is None and not as_json and quiet:
        raise typer.BadParameter("nothing would come of it; give -o FILE, --preview FILE or --json")
    targets.check(output, overwrite=overwrite)
    targets.check(preview, overwrite=overwrite)
    from lacuna.image import open_image

    names = _detectors(what)
    picture = open_image(options.source(image), **options.limit(max_pixels))
    found, hole = _found(picture, names, sensitivity, region, dilate)
    if output is not None:
        _write(hole, output, overwrite=overwrite)
    if preview is not None:
        detecting.preview(picture, [one.mask for one in found.values()], preview, overwrite=overwrite)
    if as_json:
        height, width = hole.shape
        facts: dict[str, Any] = {"version": __version__, "image": image, "output": output, "preview": preview}
        facts |= {"width": width, "height": height, "sensitivity": sensitivity, "missing": int(hole.sum())}
        render.emit(facts | {"found": {name: detecting.facts(one) for name, one in found.items()}})
        return exits.OK
    for name, one in found.items():
        render.say(f"{name}: {detecting.words(one)}", style="bold", quiet=quiet)
        for note in one.notes:
            render.say(note, indent=2, quiet=quiet)
    return exits.OK


def _detectors(what: str) -> list[str]:
    """Return the names of detectors, each once.

    Raises
    ------
    OptionError : none, or one that does not exist.
    """
    from lacuna.detect import DETECTORS

    names = list(dict.fromkeys(name.strip() for name in what.split(",") if name.strip()))
    if not names or any(name not in DETECTORS for name in names):
        raise OptionError(f"--what {what!r}: expected some of {', '.join(DETECTORS)}")
    return names


def _found(
    picture: Picture, names: list[str], sensitivity: float, region: str | None, dilate: int
) -> tuple[dict[str, Detection], Hole]:
    """Return what each detector found, and all of it, grown."""
    import numpy as np

    from lacuna.detect import DETECTORS
    from lacuna.masks.shape import dilated

    if dilate < 0:
        raise OptionError(f"--dilate {dilate}: expected 0 or more")
    where = detecting.within(picture, detecting.region(region))
    found = {name: DETECTORS[name](picture.image, sensitivity=sensitivity, region=where) for name in names}
    return found, dilated(np.logical_or.reduce([one.mask for one in found.values()]), dilate)


def _write(hole: Hole, output: str, *, overwrite: bool) -> None:
    """Write a mask, white on black."""
    import numpy as np

    from lacuna.image import open_image, save_image

    drawn = open_image(hole.astype(np.uint8) * np.uint8(255))
    kind = "PNG" if output == options.STREAM else None
    save_image(drawn, targets.opened(output), hole=np.ones_like(hole), format=kind, overwrite=overwrite)


@app.command()
def dataset(
    output: Annotated[str, typer.Argument(metavar="FOLDER", help="A new folder.")],
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="Masks in all, the same number in every bucket.")
    ] = 12000,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", metavar="NAME", help="irregular, brush, narrow, medium, wide, boxes, blobs, huge."
        ),
    ] = "irregular",
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Of every mask; N for a square.")
    ] = "512",
    buckets: Annotated[
        str,
        typer.Option(
            "--buckets", metavar="LOW-HIGH,…", help="Shares that are missing: above LOW, up to HIGH."
        ),
    ] = ".01-.1,.1-.2,.2-.3,.3-.4,.4-.5,.5-.6",
    border: Annotated[
        str,
        typer.Option(
            "--border",
            metavar="HOW",
            help="[bold]both[/]: half of the masks keep away from the edge, half reach it; [bold]free[/], "
            "[bold]touching[/]: all of them do; [bold]any[/]: as it comes.",
        ),
    ] = "both",
    border_width: Annotated[
        int, typer.Option("--border-width", metavar="N", help="How far away, in pixels.")
    ] = 50,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, another set.")] = 0,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Write a set of random masks for evaluation, with a manifest.

    The same seed gives the same bytes on any machine. [bold]irregular[/] stands in for the masks of Liu et
    al. 2018.
    """
    from lacuna.masks.dataset import MANIFEST, Plan, write

    width, height = _size(size)
    plan = Plan(count, kind, height, width, _buckets(buckets), border, border_width, seed)  # type: ignore[arg-type]
    with render.progress(quiet=quiet) as on_step:
        manifest = write(plan, output, on_step=on_step)
    cells = Counter((*one["bucket"], one["border"]) for one in manifest["masks"])
    if as_json:
        facts: dict[str, Any] = {key: value for key, value in manifest.items() if key != "masks"}
        rows = [
            {"low": low, "high": high, "border": rule, "count": n} for (low, high, rule), n in cells.items()
        ]
        render.emit({"version": __version__, "folder": output, **facts, "cells": rows})
    elif not quiet:
        render.say(f"wrote {count:,} masks and {MANIFEST} into {output}", style="bold")
        for (low, high, rule), number in cells.items():
            render.say(f"{low:g} to {high:g}, border {rule}: {number:,}", indent=2)
    return exits.OK


def _size(text: str) -> tuple[int, int]:
    """Return (width, height).

    Examples
    --------
    >>> _size("512"), _size("640x480")
    ((512, 512), (640, 480))
    """
    width, x, height = text.lower().partition("x")
    if not (width.isdecimal() and (height if x else width).isdecimal()):
        raise OptionError(f"--size {text!r}: expected WIDTHxHEIGHT or a number, for example 512")
    return int(width), int(height if x else width)


def _buckets(text: str) -> tuple[tuple[float, float], ...]:
    """Return pairs of shares.

    Examples
    --------
    >>> _buckets(".01-.1,.1-.2")
    ((0.01, 0.1), (0.1, 0.2))
    """
    try:
        pairs = [tuple(float(end) for end in part.split("-")) for part in text.split(",")]
        return tuple((low, high) for low, high in pairs)
    except ValueError as error:
        raise OptionError(
            f"--buckets {text!r}: expected LOW-HIGH,LOW-HIGH,…, for example .1-.2,.2-.3"
        ) from error

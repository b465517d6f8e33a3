"""``lacuna remove`` and ``lacuna outpaint``."""

from __future__ import annotations

from typing import Annotated

import typer

from lacuna.cli import job, options

_WHAT, _CANVAS = "What goes", "The canvas"


def remove(
    image: options.Image,
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X,Y,W,H",
            help="All that lies in this rectangle, as often as needed.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    click: Annotated[
        list[str] | None,
        typer.Option(
            "--click",
            metavar="X,Y",
            help="The thing under this point, as often as needed. More points of the same thing, points that "
            "do not belong to it and a box around it: [bold]'120,80;140,90;-20,20@100,60,80,80'[/].",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask", "-m", metavar="MASK", help="As in [bold]lacuna inpaint[/].", rich_help_panel=_WHAT
        ),
    ] = None,
    dilate: Annotated[
        int | None,
        typer.Option(
            "--dilate",
            metavar="N",
            help="Grow it by N pixels, so that its shadow and rim go too. Unless given, what was clicked "
            "grows by as much as its rim differs from what is around it.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    sam_encoder: options.SamEncoder = None,
    sam_decoder: options.SamDecoder = None,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    output: Annotated[str | None, options.output("removed")] = None,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Remove things from a picture: what is in a box, under a click, or in a mask."""
    options.one_stdin(image, mask)
    target = output or options.default_output(image, "removed")
    orders = job.Orders(
        image, target, method, option or (), seed, blend, context, preview, dry_run, quality, overwrite,
        as_json, quiet,
    )  # fmt: skip
    orders.check()
    from lacuna import jobs

    with options.sam(sam_encoder, sam_decoder):
        found = jobs.remove(
            options.source(image),
            boxes=box or (),
            clicks=click or (),
            mask=None if mask is None else options.mask(mask),
            dilate=dilate,
            **options.limit(max_pixels),
        )
    return job.finish(found, orders)


def _side(flag: str, where: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar="N", help=f"Pixels to add {where}, or a share such as 20%.", rich_help_panel=_CANVAS
    )
    return option


def outpaint(
    image: options.Image,
    left: Annotated[str, _side("--left", "on the left")] = "0",
    right: Annotated[str, _side("--right", "on the right")] = "0",
    top: Annotated[str, _side("--top", "above")] = "0",
    bottom: Annotated[str, _side("--bottom", "below")] = "0",
    aspect: Annotated[
        str | None,
        typer.Option(
            "--aspect",
            metavar="W:H",
            help="A new aspect, by filling instead of cutting: 16:9, 1:1, 1.5.",
            rich_help_panel=_CANVAS,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="A new size, in pixels.", rich_help_panel=_CANVAS),
    ] = None,
    anchor: Annotated[
        str,
        typer.Option(
            "--anchor",
            metavar="WHERE",
            help="Where the picture stands on the canvas: centre, left, top, bottom-right …; the new area is "
            "on the other side.",
            rich_help_panel=_CANVAS,
        ),
    ] = "centre",
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    output: Annotated[str | None, options.output("extended")] = None,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Extend a picture beyond its frame; every pixel of it stays as it is, at its new place."""
    target = output or options.default_output(image, "extended")
    orders = job.Orders(
        image, target, method, option or (), seed, blend, context, preview, dry_run, quality, overwrite,
        as_json, quiet,
    )  # fmt: skip
    orders.check()
    from lacuna import jobs
    from lacuna.image import open_image
    from lacuna.jobs.outpaint import moved

    limit = options.limit(max_pixels)
    picture = open_image(options.source(image), **limit)
    found = jobs.outpaint(
        picture, left=left, right=right, top=top, bottom=bottom, aspect=aspect, size=size, anchor=anchor,
        **limit,
    )  # fmt: skip
    x, y, right_edge, bottom_edge = found.facts["box"]

    def verified(result: object) -> tuple[str, dict[str, int]]:
        count = moved(picture, result.picture, (y, x, bottom_edge, right_edge))  # type: ignore[attr-defined]
        total = picture.shape[0] * picture.shape[1]
        return f"{count:,} of {total:,} original pixels differ at their new place", {"moved": count}

    return job.finish(found, orders, also=verified)

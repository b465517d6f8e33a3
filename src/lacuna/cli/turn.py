"""``lacuna straighten`` and ``lacuna stitch``: fill the border that these leave empty."""

from __future__ import annotations

from typing import Annotated

import typer

from lacuna.cli import job, options, render
from lacuna.errors import OptionError

_TURN = "The turn"

Crop = Annotated[
    bool,
    typer.Option(
        "--crop", help="Cut the largest full rectangle out, and fill nothing.", rich_help_panel=_TURN
    ),
]


def straighten(
    image: options.Image,
    angle: Annotated[
        str | None,
        typer.Option(
            "--angle",
            metavar="DEGREES",
            help="By how much the picture is tilted clockwise. [bold]auto[/], the default, finds it from the "
            "lines in the picture and refuses when they do not agree.",
            rich_help_panel=_TURN,
        ),
    ] = None,
    corners: Annotated[
        tuple[str, str, str, str] | None,
        typer.Option(
            "--corners",
            metavar="X,Y X,Y X,Y X,Y",
            help="The corners of something that is a rectangle in truth: a facade, a page, a painting.",
            rich_help_panel=_TURN,
        ),
    ] = None,
    crop: Crop = False,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    output: Annotated[str | None, options.output("straight")] = None,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Turn a tilted picture, or correct its perspective, and fill the empty border instead of cropping."""
    target = output or options.default_output(image, "straight")
    orders = job.Orders(
        image, target, method, option or (), seed, blend, context, preview, dry_run, quality, overwrite,
        as_json, quiet,
    )  # fmt: skip
    orders.check()
    from lacuna import jobs

    with render.progress(quiet=quiet) as on_step:
        found = jobs.straighten(
            options.source(image),
            angle=angle,  # type: ignore[arg-type]
            corners=None if corners is None else [_point(text) for text in corners],
            crop=crop,
            on_step=on_step,
            **options.limit(max_pixels),
        )
    return job.finish(found, orders)


def stitch(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES", help="Two overlapping pictures or more, in any order.")
    ],
    output: Annotated[str | None, options.output("panorama")] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="HOW",
            help="[bold]panorama[/] for a camera that turned, [bold]scans[/] for flat things that moved.",
            rich_help_panel=_TURN,
        ),
    ] = "panorama",
    crop: Crop = False,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Put overlapping pictures together, and fill the empty border instead of cropping."""
    options.one_stdin(*images)
    target = output or options.default_output(images[0], "panorama")
    orders = job.Orders(
        images, target, method, option or (), seed, blend, context, preview, dry_run, quality, overwrite,
        as_json, quiet,
    )  # fmt: skip
    orders.check()
    from lacuna import jobs

    with render.progress(quiet=quiet) as on_step:
        found = jobs.stitch(
            [options.source(name) for name in images],
            mode=mode,  # type: ignore[arg-type]
            crop=crop,
            on_step=on_step,
            **options.limit(max_pixels),
        )
    return job.finish(found, orders)


def _point(text: str) -> tuple[float, float]:
    """Return x and y.

    Examples
    --------
    >>> _point("120,80.5")
    (120.0, 80.5)
    """
    x, comma, y = text.partition(",")
    try:
        if comma:
            return float(x), float(y)
    except ValueError:
        pass
    raise OptionError(f"--corners {text!r}: expected x,y, for example 120,80")

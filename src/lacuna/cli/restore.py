"""``lacuna restore``: find the damage of a scan, say what was found, fill it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lacuna.cli import detecting, job, options, render

if TYPE_CHECKING:
    from lacuna.jobs import Found

_What = Annotated[
    str,
    typer.Option(
        "--what",
        metavar="KIND,…",
        help="What to look for: [bold]scratches[/] (creases too), [bold]dust[/], "
        "[bold]corners[/] that are torn.",
    ),
]
_Grow = Annotated[
    int, typer.Option("--grow", metavar="N", help="Fill N pixels around the damage too: its soft edge.")
]


def restore(
    scan: options.Image,
    what: _What = "scratches,dust,corners",
    sensitivity: detecting.Sensitivity = 0.5,
    region: detecting.RegionOption = None,
    grow: _Grow = 1,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    output: Annotated[str | None, options.output("restored")] = None,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Find scratches, dust, creases and torn corners on a scan and fill them.

    Everything else stays as it is. A fill is an invention: keep the scan.
    """
    target = output or options.default_output(scan, "restored")
    orders = job.Orders(
        scan, target, method, option or (), seed, blend, context, preview, dry_run, quality, overwrite,
        as_json, quiet, _draw,
    )  # fmt: skip
    orders.check()
    filler = orders.filler()
    from lacuna.jobs.restore import restore as find

    kinds = [part.strip() for part in what.split(",") if part.strip()]
    box = detecting.region(region)
    with render.progress(quiet=quiet) as on_step:
        found = find(
            options.source(scan),
            what=kinds,
            sensitivity=sensitivity,
            region=box,
            grow=grow,
            on_step=on_step,
            **options.limit(max_pixels),
        )
    return job.finish(found, orders, filler)


def _draw(found: Found, path: str, *, overwrite: bool) -> None:
    """Write the scan in its own size with each kind of damage in its colour."""
    from lacuna.jobs.restore import Damage

    masks = [one.mask for one in found.kinds.values()] if isinstance(found, Damage) else [found.hole]
    detecting.preview(found.picture, masks, path, overwrite=overwrite)

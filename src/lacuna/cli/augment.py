"""``lacuna augment``: variations of training pictures, with annotations that stay true."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render, targets

if TYPE_CHECKING:
    from lacuna.jobs import Augmented, AugmentPlan

_WHAT, _RUN = "What is varied", "The run"
_SHOWN = 6
"""Pictures on a preview, and failures that are listed."""


def augment(
    pictures: Annotated[str, typer.Argument(metavar="FOLDER", help="The training pictures.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FOLDER", help="A new folder.", rich_help_panel=_RUN)
    ],
    count: Annotated[
        int,
        typer.Option("--count", "-n", metavar="N", help="Variations of each picture.", rich_help_panel=_WHAT),
    ] = 5,
    masks: Annotated[
        str,
        typer.Option(
            "--masks",
            metavar="KIND[:LOW-HIGH]",
            help="What is taken out: kinds of random masks, each with the share that is to be missing, as in "
            "[bold]blobs:.02-.25,brush[/]; or a mask expression.",
            rich_help_panel=_WHAT,
        ),
    ] = "blobs:.02-.25",
    annotations: Annotated[
        str | None,
        typer.Option(
            "--annotations",
            metavar="COCO",
            help="A COCO file of these pictures; what is left of it is written too.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    drop: Annotated[
        float,
        typer.Option(
            "--drop",
            metavar="SHARE",
            help="Drop an object that lost more than this share of its pixels; cut others to what is left.",
            rich_help_panel=_WHAT,
        ),
    ] = 0.5,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in that folder.", rich_help_panel=_RUN)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Throw the run in that folder away.", rich_help_panel=_RUN)
    ] = False,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Vary training pictures: take random parts out, fill them, and keep the annotations true.

    The same seed gives the same files. A picture that cannot be read is a row in the manifest, not the end.
    """
    if resume and overwrite:
        raise typer.BadParameter("--resume and --overwrite exclude each other")
    targets.check(preview, overwrite=overwrite or resume)
    from lacuna import jobs
    from lacuna.jobs.augment import find_pictures

    plan = jobs.AugmentPlan(
        count, masks, method, options.pairs(option or ()), seed, drop, **options.limit(max_pixels)
    )
    names = find_pictures(pictures)
    words, facts = _intent(names, plan, annotations)
    render.say(words, quiet=quiet or as_json)
    if preview is not None:
        _preview(Path(pictures), names, plan, preview, overwrite=overwrite or resume)
        render.say(f"wrote {preview}", indent=2, quiet=quiet or as_json)
    if dry_run:
        if as_json:
            render.emit({**facts, "dry_run": True, "output": None})
        return exits.OK
    with render.progress(quiet=quiet) as on_step:
        made = jobs.augment(
            pictures,
            output,
            plan,
            annotations=annotations,
            resume=resume,
            overwrite=overwrite,
            on_step=on_step,
        )
    if as_json:
        render.emit({**facts, "dry_run": False, "output": output, "counts": dict(made.counts)})
    elif not quiet:
        _tell(made)
    return exits.OK


def _intent(names: list[str], plan: AugmentPlan, annotations: str | None) -> tuple[str, dict[str, Any]]:
    """Return what is going to be made, as a sentence and as facts for ``--json``."""
    from lacuna.jobs.annotations import read_annotations

    pictures, count = len(names), plan.count
    taken = ", ".join(map(str, plan.specs()))
    words = f"{pictures} pictures × {count} variations = {pictures * count}; taken out: {taken}"
    facts: dict[str, Any] = {"version": __version__, "job": "augment", "pictures": pictures, "count": count}
    if annotations is not None:
        notes = read_annotations(annotations)
        facts["annotated"] = sum(notes.image(name) is not None for name in names)
        words += f"; {facts['annotated']} of the pictures have annotations"
    return words, facts


def _tell(made: Augmented) -> None:
    counts = made.counts
    render.say(f"{counts['made']} made, {counts['failed']} failed", style="bold")
    if "kept" in counts:
        told = (
            f"{counts[name]} {word}"
            for name, word in (("kept", "kept"), ("cut", "cut"), ("dropped", "dropped"))
        )
        render.say(f"annotations: {', '.join(told)}", indent=2)
    failed = [row for row in made.rows if row["status"] != "ok"]
    for row in failed[:_SHOWN]:
        render.say(f"{row['source']}, {row['index']}: {row['error']}", indent=2)
    if len(failed) > _SHOWN:
        render.say(f"and {len(failed) - _SHOWN} more, see manifest.json", indent=2)
    render.say(f"wrote {made.folder}", indent=2)


def _preview(root: Path, names: list[str], plan: AugmentPlan, path: str, *, overwrite: bool) -> None:
    """Show the first holes of some pictures."""
    from lacuna.cli import sheet
    from lacuna.errors import LacunaError
    from lacuna.image import open_image

    tiles = []
    for name in names[:: max(len(names) // _SHOWN, 1)][:_SHOWN]:
        try:
            picture = open_image(root / name, max_pixels=plan.max_pixels)
            hole = plan.hole(picture, name, 0)
        except LacunaError:
            continue  # it will be a row of the manifest
        view = sheet.View(0, 0, *hole.shape)
        shown = sheet.show(picture, hole, view, mark=True)
        tiles.append(sheet.Tile(Path(name).name, shown, f"{hole.mean():.0%}"))
    if tiles:
        side = max(max(tile.pixels.shape[:2]) for tile in tiles)
        padded = [sheet.Tile(tile.title, _square(tile.pixels, side), tile.detail) for tile in tiles]
        sheet.write(sheet.draw(padded), path, overwrite=overwrite)


def _square(pixels: Any, side: int) -> Any:
    """Return a tile with room below and beside it: all tiles of a sheet are of one size."""
    import numpy as np

    from lacuna.cli.sheet import BACKGROUND

    page = np.full((side, side, 3), BACKGROUND, dtype=np.uint8)
    page[: pixels.shape[0], : pixels.shape[1]] = pixels
    return page

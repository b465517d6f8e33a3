"""``lacuna train``: a recipe, photos and a budget in, a checkpoint out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from lacuna.cli import options, render


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped one.")
    ],
    data: Annotated[
        str | None, typer.Option("--data", metavar="PATH", help="Folder, zip, tar or url of photos.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="In place of the recipe's: --set optimiser.lr=1e-4"),
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="B", help="30m, 2h, 90s, or a number of samples.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="The run's folder; runs/NAME unless given."),
    ] = None,
    resume: Annotated[
        str,
        typer.Option(
            "--resume", metavar="auto|PATH", help="Go on: with the folder's newest checkpoint, or this one."
        ),
    ] = "",
    start_from: Annotated[
        str, typer.Option("--start-from", metavar="PATH", help="A new run from the weights of a checkpoint.")
    ] = "",
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a net. Ctrl-C writes a checkpoint; [bold]--resume auto[/] goes on as if nothing had happened."""
    from lacuna.train.recipe import find, read

    path = find(recipe)
    settings = [*(setting or ())]
    chosen = read(path, settings)
    if data is not None:
        chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, path=data))
    if budget is not None:
        chosen = dataclasses.replace(chosen, run=dataclasses.replace(chosen.run, budget=budget))
    from lacuna.train.loop import train as run

    with render.progress(quiet=quiet) as on_progress:
        done = run(
            chosen,
            output or Path("runs") / path.stem,
            resume=resume,
            start_from=start_from,
            on_progress=on_progress,
            on_note=lambda words: render.say(words, quiet=quiet),
        )
    if as_json:
        render.emit(dataclasses.asdict(done))
    else:
        render.say(
            f"{done.samples:,} samples in {done.steps:,} steps, {done.rate:.1f} images/s; "
            f"wrote {done.checkpoint}",
            quiet=quiet,
        )
        if done.broken:
            some = ", ".join(done.broken[:3]) + (" …" if len(done.broken) > 3 else "")
            render.say(f"{len(done.broken)} photos could not be read: {some}", quiet=quiet)
    return 0

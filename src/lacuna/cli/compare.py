"""``lacuna compare``: every method that runs here, on one sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from lacuna import __version__
from lacuna.cli import exits, options, render, targets
from lacuna.errors import Cancelled, LacunaError, MethodError
from lacuna.progress import scaled
from lacuna.types import Hole, OnStep

if TYPE_CHECKING:
    from lacuna.cli.sheet import Rgb, View
    from lacuna.image import Picture
    from lacuna.inpainting import Inpainter


@dataclass(frozen=True)
class Outcome:
    """What one method came to: a fill, or the reason why there is none.

    The fill is kept as the sheet shows it; eight copies of a large photo would not fit into memory.
    """

    method: str
    tile: Rgb | None = None
    seconds: float | None = None
    changed: int | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """The picture and hole that every method gets."""

    picture: Picture
    hole: Hole
    view: View
    seed: int

    @property
    def known(self) -> int:
        """Pixels outside the hole."""
        return int(self.hole.size - self.hole.sum())


def compare(
    image: options.Image,
    mask: options.Mask,
    output: options.SheetOutput,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    method: options.Methods = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Fill the same hole with every method and show the fills side by side.

    Methods that cannot run here, or fail, are named. [bold]auto[/], methods that need weights
    and slow ones are left out unless asked for.
    """
    if output == options.STREAM:
        raise typer.BadParameter("compare writes its sheet to a file; - is for IMAGE and --mask only")
    options.one_stdin(image, mask)
    targets.check(output, overwrite=overwrite)
    from lacuna import registry
    from lacuna.cli.sheet import View
    from lacuna.image import open_image
    from lacuna.masks import to_hole

    names = [registry.get(name).name for name in method or ()]
    names = names or [
        spec.name
        for spec in registry.list_methods()
        if spec.family != "meta" and not spec.weights and not spec.slow
    ]
    with render.progress(quiet=quiet) as on_step:
        picture = open_image(options.source(image), **options.limit(max_pixels))
        hole, notes = to_hole(
            options.mask(mask),
            picture.shape,
            picture=picture,
            dilate=dilate,
            invert=invert,
            resize=resize_mask,
        )
        task = Task(picture, hole, View.around(hole), seed)
        steps = [scaled(on_step, i / len(names), (i + 1) / len(names)) for i in range(len(names))]
        outcomes = [_attempt(task, name, step) for name, step in zip(names, steps, strict=True)]
    if all(outcome.tile is None for outcome in outcomes):
        raise MethodError("no method could fill this hole; " + "; ".join(_excuses(outcomes)))
    _write_sheet(task, outcomes, output, overwrite=overwrite)
    notes = (*picture.notes, *notes)
    if as_json:
        render.emit(_facts(task, outcomes, image=image, sheet=output, notes=notes))
    elif not quiet:
        _print(task, outcomes)
        for note in (*notes, f"wrote {output}"):
            render.say(note)
    return exits.NOT_SACRED if any(outcome.changed for outcome in outcomes) else exits.OK


def _attempt(task: Task, name: str, on_step: OnStep | None) -> Outcome:
    """Run one method; a comparison survives whatever a method does, and says what it was."""
    from lacuna import registry
    from lacuna.cli.sheet import show
    from lacuna.inpainting import Inpainter

    def named(share: float, words: str) -> None:
        if on_step is not None:
            on_step(share, name)

    missing = registry.get(name).missing()
    if missing is not None:
        return Outcome(name, problem=missing)
    try:
        filler = Inpainter(name)
        _warm_up(filler)
        result = filler.run(task.picture, task.hole, seed=task.seed, max_pixels=None, on_step=named)
    except Cancelled:
        raise
    except LacunaError as error:
        return Outcome(name, problem=str(error))
    except Exception as error:
        if exits.was_interrupt(error):
            raise KeyboardInterrupt from error
        return Outcome(name, problem=f"{type(error).__name__}: {error}")
    tile = show(result.picture, task.hole, task.view)
    return Outcome(name, tile, result.seconds, result.changed_outside, notes=result.notes)


def _warm_up(filler: Inpainter) -> None:
    """Fill a few pixels, so that loading and compiling do not count; programs of others start anew anyway."""
    if filler.spec.probe is None:
        rows, columns = np.indices((32, 32))
        hole = np.zeros((32, 32), dtype=np.bool_)
        hole[12:20, 12:20] = True
        filler.run((7 * rows + 5 * columns).astype(np.uint8), hole)


def _excuses(outcomes: list[Outcome]) -> list[str]:
    """Return why there is no fill, one line for all methods that share a reason."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.problem is not None:
            reasons.setdefault(outcome.problem, []).append(outcome.method)
    return [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _write_sheet(task: Task, outcomes: list[Outcome], path: str, *, overwrite: bool) -> None:
    from lacuna.cli import sheet

    tiles = [
        sheet.Tile("before", sheet.show(task.picture, task.hole, task.view)),
        sheet.Tile("mask", sheet.show(task.picture, task.hole, task.view, mark=True)),
        *(
            sheet.Tile(outcome.method, outcome.tile, f"{outcome.seconds:.2f} s")
            for outcome in outcomes
            if outcome.tile is not None
        ),
    ]
    sheet.write(sheet.draw(tiles, footer=_excuses(outcomes)), path, overwrite=overwrite)


def _facts(
    task: Task, outcomes: list[Outcome], *, image: str, sheet: str, notes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "version": __version__,
        "image": image,
        "sheet": sheet,
        "seed": task.seed,
        "missing": int(task.hole.sum()),
        "known": task.known,
        "notes": list(notes),
        "methods": [
            {
                "name": outcome.method,
                "seconds": None if outcome.seconds is None else round(outcome.seconds, 4),
                "changed_outside": outcome.changed,
                "problem": outcome.problem,
                "notes": list(outcome.notes),
            }
            for outcome in outcomes
        ],
    }


def _print(task: Task, outcomes: list[Outcome]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("method", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("", overflow="fold")
    for outcome in outcomes:
        if outcome.changed is not None:
            sentence = render.known_changed(outcome.changed, task.known)
            table.add_row(Text(outcome.method, "bold"), f"{outcome.seconds:.2f}", sentence)
    console = render.stdout()
    console.print(table)
    for excuse in _excuses(outcomes):
        console.print(Text(excuse, "red"), soft_wrap=not console.is_terminal)

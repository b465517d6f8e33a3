"""``lacuna sample``: many plausible answers to one hole, and what they do not agree about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from lacuna import __version__
from lacuna.cli import exits, options, render, targets
from lacuna.cli.inpaint import KnownPixelsChanged
from lacuna.errors import OutputError, WeightsNotFoundError
from lacuna.progress import brief

if TYPE_CHECKING:
    from lacuna.inpainting import Result

_OUT = "The output"

Count = Annotated[
    int, typer.Option("--count", "-n", metavar="N", help="How many.", rich_help_panel="The fill")
]
Spread = Annotated[
    str | None,
    typer.Option(
        "--spread",
        metavar="FILE",
        help="Also write where the samples differ: the brighter a pixel, the less the picture says about it.",
        rich_help_panel=_OUT,
    ),
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--folder", metavar="DIR", help="Also write every sample, in a new folder.", rich_help_panel=_OUT
    ),
]
LpipsWeights = Annotated[
    str | None,
    typer.Option(
        "--lpips",
        metavar="FILE",
        help="LPIPS weights, to measure how different the samples look; found by LACUNA_SHARED unless given.",
        rich_help_panel=_OUT,
    ),
]


def sample(
    image: options.Image,
    mask: options.Mask,
    output: options.SheetOutput,
    count: Count = 8,
    spread: Spread = None,
    folder: Folder = None,
    lpips: LpipsWeights = None,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    method: options.Method = "auto",
    option: options.Settings = None,
    prompt: options.Prompt = None,
    seed: options.Seed = 0,
    sources: options.Sources = None,
    guide: options.Guide = None,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Fill the same hole many times and show the fills side by side.

    For methods that know more than one answer: [bold]patchmatch[/], [bold]repaint[/] and others.
    """
    if options.STREAM in (output, spread, folder):
        raise typer.BadParameter("sample writes to files; - is for IMAGE and --mask only")
    options.one_stdin(image, mask, sources, guide)
    for target in (output, spread):
        targets.check(target, overwrite=overwrite)
    kept = None if folder is None else _new_folder(folder)
    from lacuna.inpainting import Inpainter

    filler = Inpainter(method, options=options.asked(option, prompt))
    how: dict[str, Any] = {
        "seed": seed,
        "blend": blend,
        "context": context,
        "dilate": dilate,
        "invert": invert,
    }
    how |= {"resize_mask": resize_mask, **options.limit(max_pixels)}
    if sources is not None:
        how["sources"] = options.mask(sources)
    if guide is not None:
        how["guide"] = options.source(guide)
    with render.progress(quiet=quiet) as on_step:
        drawn = options.mask(mask)
        results = filler.sample(options.source(image), drawn, count, on_step=on_step, **how)
    changed = max(result.changed_outside for result in results)
    if changed:
        words = render.known_changed(changed, _known(results[0]))
        error = KnownPixelsChanged(f"method {method!r} broke the promise: {words}. Nothing was written.")
        return render.failure(error, exits.NOT_SACRED, as_json=as_json)
    figures = _differences(results, lpips)
    _write_sheet(results, output, figures, overwrite=overwrite)
    if spread is not None:
        _write_spread(results, spread, overwrite=overwrite)
    written = [] if kept is None else _write_all(results, kept, image)
    if as_json:
        render.emit(_facts(results, figures, image=image, sheet=output, spread=spread, files=written))
    else:
        _tell(results, figures, [output, spread, folder], quiet=quiet)
    return exits.OK


def _known(result: Result) -> int:
    return int(result.hole.size - result.hole.sum())


def _new_folder(name: str) -> Path:
    """Return the folder, before any time is spent on what goes into it."""
    path = Path(name)
    if path.exists():
        raise OutputError(f"{name} exists already; give the name of a new folder")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} does not exist; create it or choose another one")
    return path


def _differences(results: Sequence[Result], lpips: str | None) -> dict[str, float]:
    """Return how much the samples differ, mean over all pairs: in levels of 255 in the hole, and LPIPS.

    The latter where its weights can be had; it looks at the hole and its surroundings alone.
    """
    from lacuna.cli.sheet import View
    from lacuna.metrics import diversity, find_lpips_weights, l1
    from lacuna.metrics.lpips import LEAST_SIDE

    hole = results[0].hole
    if len(results) < 2 or not hole.any():
        return {}
    view = View.around(hole, least=LEAST_SIDE)
    missing = hole[view.top : view.bottom, view.left : view.right]
    fills = [result.picture.canon(hole, view) for result in results]
    found = {"levels": 255 * diversity(fills, lambda a, b: l1(a, b, missing))}
    try:
        weights = find_lpips_weights(lpips)
    except WeightsNotFoundError:
        if lpips is not None:
            raise
        return found
    if min(missing.shape) >= LEAST_SIDE:
        from lacuna.metrics import Lpips

        found["lpips"] = diversity(fills, Lpips(weights))
    return found


def _write_sheet(results: Sequence[Result], path: str, figures: dict[str, float], *, overwrite: bool) -> None:
    from lacuna.cli import sheet

    first = results[0]
    view = sheet.View.around(first.hole)
    tiles = [sheet.Tile("the hole", sheet.show(first.original, first.hole, view, mark=True))]
    tiles += [
        sheet.Tile(f"seed {result.seed}", sheet.show(result.picture, result.hole, view)) for result in results
    ]
    footer = [f"{first.method}: {_sentence(figures)}"] if figures else []
    sheet.write(sheet.draw(tiles, footer=footer), path, overwrite=overwrite)


def _write_spread(results: Sequence[Result], path: str, *, overwrite: bool) -> None:
    """Write the standard deviation of the samples over the dimmed picture."""
    from lacuna.cli import sheet
    from lacuna.drawing import spread_map
    from lacuna.metrics import spread

    hole = results[0].hole
    fills = (result.picture.canon(hole) for result in results)
    pixels = spread_map(spread(fills), results[0].picture.canon(hole))
    sheet.write((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8), path, overwrite=overwrite)


def _write_all(results: Sequence[Result], folder: Path, image: str) -> list[str]:
    """Write every sample in the picture's own format, named by its seed."""
    suffix = Path(options.default_output(image)).suffix or ".png"
    try:
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error}") from error
    written = []
    for result in results:
        path = folder / f"seed-{result.seed}{suffix}"
        result.save(path)
        written.append(str(path))
    return written


def _sentence(figures: dict[str, float]) -> str:
    words = f"samples differ by {figures['levels']:.1f} of 255 levels in the hole, mean over pairs"
    return f"{words}; LPIPS {figures['lpips']:.3f}" if "lpips" in figures else words


def _facts(
    results: Sequence[Result],
    figures: dict[str, float],
    *,
    image: str,
    sheet: str,
    spread: str | None,
    files: list[str],
) -> dict[str, Any]:
    first = results[0]
    return {
        "version": __version__,
        "image": image,
        "sheet": sheet,
        "spread": spread,
        "files": files,
        "method": first.method,
        "options": dict(first.options),
        "seeds": [result.seed for result in results],
        "seconds": round(sum(result.seconds for result in results), 4),
        "missing": int(first.hole.sum()),
        "known": _known(first),
        "changed_outside": max(result.changed_outside for result in results),
        "diversity": {key: round(value, 5) for key, value in figures.items()},
        "notes": list(dict.fromkeys(note for result in results for note in result.notes)),
    }


def _tell(
    results: Sequence[Result], figures: dict[str, float], paths: Sequence[str | None], *, quiet: bool
) -> None:
    first, seconds = results[0], sum(result.seconds for result in results)
    words = render.known_changed(0, _known(first))
    render.say(
        f"{first.method}: {len(results)} samples in {seconds:.2f} s, {words}", style="bold", quiet=quiet
    )
    if figures:
        render.say(_sentence(figures), indent=2, quiet=quiet)
    for note in dict.fromkeys(note for result in results for note in brief(result.notes)):
        render.say(note, indent=2, quiet=quiet)
    for path in paths:
        if path:
            render.say(f"wrote {path}", indent=2, quiet=quiet)

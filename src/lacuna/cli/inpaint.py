"""``lacuna inpaint``: one picture, one mask, one command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render, targets
from lacuna.progress import brief

if TYPE_CHECKING:
    from lacuna.image import Saved
    from lacuna.inpainting import Result


def inpaint(
    image: options.Image,
    mask: options.Mask,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    sam_encoder: options.SamEncoder = None,
    sam_decoder: options.SamDecoder = None,
    method: options.Method = "auto",
    option: options.Settings = None,
    prompt: options.Prompt = None,
    seed: options.Seed = 0,
    sources: options.Sources = None,
    sketch: options.Sketch = None,
    guide: options.Guide = None,
    blend: options.Blend = "hard",
    feather: options.Feather = 0.0,
    context: options.Context = 0.5,
    output: options.Output = None,
    sheet: options.Sheet = None,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    explain: options.Explain = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Fill the missing part of a picture.

    Every pixel outside the hole stays as it is, in the file's own format, depth and metadata.
    """
    target = output or options.default_output(image)
    options.one_stdin(image, mask, sources, sketch, guide)
    if target == options.STREAM and as_json:
        raise typer.BadParameter("--json prints to stdout, so the picture cannot go there too; give -o FILE")
    targets.check(target, overwrite=overwrite, quality=quality)
    targets.check(sheet, overwrite=overwrite)
    targets.check_apart(target, sheet)
    from lacuna.inpainting import Inpainter
    from lacuna.task import softness

    drawn = options.mask(mask)
    feather = feather or softness(drawn)
    filler = Inpainter(method, options=options.asked(option, prompt))
    how: dict[str, Any] = {"seed": seed, "blend": blend, "feather": feather, "context": context}
    how |= {"dilate": dilate, "invert": invert, "resize_mask": resize_mask, **options.limit(max_pixels)}
    if sources is not None:
        how["sources"] = options.mask(sources)
    if sketch is not None:
        how["sketch"] = options.source(sketch)
    if guide is not None:
        how["guide"] = options.source(guide)
    with options.sam(sam_encoder, sam_decoder), render.progress(quiet=quiet) as on_step:
        result = filler.run(options.source(image), drawn, on_step=on_step, **how)
    if result.changed_outside and not feather:
        return _not_sacred(result, as_json=as_json)
    saved = result.save(targets.opened(target), overwrite=overwrite, quality=quality)
    if sheet is not None:
        _write_sheet(result, sheet, overwrite=overwrite)
    if as_json:
        render.emit(_facts(result, saved, image=image, target=target, sheet=sheet))
    else:
        _tell(result, saved, target, sheet, explain=explain, quiet=quiet)
    return exits.OK


def _known(result: Result) -> int:
    return int(result.hole.size - result.hole.sum())


def _not_sacred(result: Result, *, as_json: bool) -> int:
    sentence = render.known_changed(result.changed_outside, _known(result))
    error = KnownPixelsChanged(
        f"method {result.method!r} broke the promise: {sentence}. Nothing was written."
    )
    return render.failure(error, exits.NOT_SACRED, as_json=as_json)


class KnownPixelsChanged(Exception):  # noqa: N818 - what happened, as the JSON object names it
    """A fill without feather changed pixels outside the hole."""


def _write_sheet(result: Result, path: str, *, overwrite: bool) -> None:
    from lacuna.cli import sheet

    hole, view = result.hole, sheet.View.around(result.hole)
    tiles = [
        sheet.Tile("before", sheet.show(result.original, hole, view)),
        sheet.Tile("mask", sheet.show(result.original, hole, view, mark=True)),
        sheet.Tile(
            "after", sheet.show(result.picture, hole, view), f"{result.method}, {result.seconds:.2f} s"
        ),
    ]
    sheet.write(sheet.draw(tiles), path, overwrite=overwrite)


def _facts(result: Result, saved: Saved, *, image: str, target: str, sheet: str | None) -> dict[str, Any]:
    height, width = result.hole.shape
    return {
        "version": __version__,
        "image": image,
        "output": target,
        "sheet": sheet,
        "width": width,
        "height": height,
        "method": result.method,
        "options": dict(result.options),
        "seed": result.seed,
        "seconds": round(result.seconds, 4),
        "missing": int(result.hole.sum()),
        "known": _known(result),
        "changed_outside": result.changed_outside,
        "changed_in_file": saved.changed_in_file,
        "notes": [*result.notes, *saved.notes],
    }


def _tell(
    result: Result, saved: Saved, target: str, sheet: str | None, *, explain: bool, quiet: bool
) -> None:
    sentence = render.known_changed(result.changed_outside, _known(result))
    render.say(f"{result.method}: {result.seconds:.2f} s, {sentence}", style="bold", quiet=quiet)
    for note in (*(result.notes if explain else brief(result.notes)), *saved.notes):
        render.say(note, indent=2, quiet=quiet)
    for path in (target, sheet):
        if path and path != options.STREAM:
            render.say(f"wrote {path}", indent=2, quiet=quiet)
    sys.stderr.flush()

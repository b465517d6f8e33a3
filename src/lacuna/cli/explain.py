"""``lacuna explain``: how a method came to its fill, as pictures with captions and one page."""

from __future__ import annotations

import base64
import html
import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render
from lacuna.progress import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lacuna.inpainting import Result
    from lacuna.types import Box, Explanation

INDEX = "index.html"
_SMALL = 320
"""Pictures are shown at least so wide, their pixels as squares."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1b1d; background: #fff; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2.5rem }
figure { display: inline-block; vertical-align: top; margin: 0 1.2rem 1.5rem 0; max-width: 28rem }
img { max-width: 100%; display: block; background: #eee } img.small { image-rendering: pixelated }
figcaption { font-size: .9rem; color: #444; margin-top: .3rem }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #1b1b1d } figcaption { color: #bbb } }
"""

Folder = Annotated[
    str,
    typer.Option("--output", "-o", metavar="DIR", help="A new folder.", rich_help_panel="The output"),
]


class Drawn(NamedTuple):
    """A picture that is written."""

    name: str
    png: bytes
    width: int
    caption: str


class Part(NamedTuple):
    """A heading of the page, sentences, and pictures."""

    title: str
    lines: tuple[str, ...]
    pictures: list[Drawn]


def explain(
    image: options.Image,
    mask: options.Mask,
    output: Folder,
    dilate: options.Dilate = 0,
    invert: options.Invert = False,
    resize_mask: options.ResizeMask = False,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    sources: options.Sources = None,
    sketch: options.Sketch = None,
    context: options.Context = 0.5,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Fill the missing part and show how the method came to it.

    DIR gets one PNG for each picture and index.html, which holds them all with their captions and can be
    sent on its own.
    """
    options.one_stdin(image, mask, sources, sketch)
    target = _new_folder(output)
    from lacuna.inpainting import Inpainter

    filler = Inpainter(method, options=options.pairs(option or ()))
    how: dict[str, Any] = {"seed": seed, "context": context, "dilate": dilate, "invert": invert}
    how |= {"resize_mask": resize_mask, **options.limit(max_pixels)}
    if sources is not None:
        how["sources"] = options.mask(sources)
    if sketch is not None:
        how["sketch"] = options.source(sketch)
    with render.progress(quiet=quiet) as on_step:
        result, told = filler.explain(options.source(image), options.mask(mask), on_step=on_step, **how)
    parts = [_overview(result), *(_part(i, box, one, len(told)) for i, (box, one) in enumerate(told))]
    _write(target, parts, f"{result.method}: {image}")
    if as_json:
        render.emit(_facts(result, target, parts))
    else:
        render.say(f"{result.method}: {result.seconds:.2f} s", style="bold", quiet=quiet)
        notes = brief(result.notes)
        told_lines = (line for part in parts[1:] for line in part.lines)
        for line in (*notes, *(line for line in told_lines if line.rstrip(".") not in notes)):
            render.say(line, indent=2, quiet=quiet)
        count = sum(len(part.pictures) for part in parts)
        render.say(f"wrote {target / INDEX} and its {count} pictures", indent=2, quiet=quiet)
    return exits.OK


def _new_folder(output: str) -> Path:
    """Return the folder to write, before any time is spent on what goes into it."""
    from lacuna.errors import OutputError

    target = Path(output)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target} exists already; give the name of a new folder")
    if not target.parent.is_dir():
        raise OutputError(f"the folder {target.parent} does not exist; create it or choose another one")
    return target


def _overview(result: Result) -> Part:
    from lacuna.cli import sheet

    hole, view = result.hole, sheet.View.around(result.hole)
    settings = ", ".join(f"{key} = {value}" for key, value in result.options.items() if value is not None)
    lines = (
        f"Method {result.method}, seed {result.seed}, {result.seconds:.2f} s."
        + (f" Options: {settings}." if settings else ""),
        render.known_changed(result.changed_outside, int((~hole).sum())) + ".",
        *brief(result.notes),
    )
    pictures = [
        _drawn("before", sheet.show(result.original, hole, view), "What was given."),
        _drawn("hole", sheet.show(result.original, hole, view, mark=True), "What is missing."),
        _drawn("after", sheet.show(result.picture, hole, view), "What came out."),
    ]
    return Part("The fill", lines, pictures)


def _part(index: int, box: Box, told: Explanation, count: int) -> Part:
    import numpy as np

    top, left, bottom, right = box
    where = f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"
    title = f"How it came about: {where}" if count == 1 else f"Part {index + 1} of {count}: {where}"
    prefix = "" if count == 1 else f"part{index + 1}-"
    pictures = []
    for one in told.pictures:
        pixels = (np.clip(one.image, 0, 1) * 255 + 0.5).astype(np.uint8)
        pictures.append(
            _drawn(prefix + one.name, np.repeat(pixels, 3 // pixels.shape[2], axis=2), one.caption)
        )
    return Part(title, told.lines, pictures)


def _drawn(name: str, pixels: Any, caption: str) -> Drawn:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return Drawn(name, buffer.getvalue(), pixels.shape[1], caption)


def _page(parts: Sequence[Part], title: str) -> str:
    """Return the page, pictures included: one file that can be sent."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    for part in parts:
        body.append(f"<h2>{html.escape(part.title)}</h2>")
        body += [f"<p>{html.escape(line)}</p>" for line in part.lines]
        for one in part.pictures:
            data = base64.b64encode(one.png).decode()
            size = f' class="small" width="{_SMALL}"' if one.width < _SMALL else ""
            words = html.escape(one.caption)
            body.append(
                f'<figure><img src="data:image/png;base64,{data}" alt="{words}"{size}>'
                f"<figcaption><b>{html.escape(one.name)}</b>: {words}</figcaption></figure>"
            )
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _write(target: Path, parts: Sequence[Part], title: str) -> None:
    """Write everything beside, then rename, so that no half-written folder stands under the name."""
    from lacuna.errors import OutputError

    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target} cannot be made: {error.strerror or error}") from error
    try:
        for part in parts:
            for one in part.pictures:
                (beside / f"{one.name}.png").write_bytes(one.png)
        (beside / INDEX).write_text(_page(parts, title), encoding="utf-8", newline="\n")
        beside.chmod(0o755)
        if target.exists():
            target.rmdir()
        beside.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _facts(result: Result, target: Path, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        "version": __version__,
        "method": result.method,
        "options": dict(result.options),
        "seed": result.seed,
        "seconds": round(result.seconds, 4),
        "changed_outside": result.changed_outside,
        "notes": list(result.notes),
        "index": str(target / INDEX),
        "parts": [
            {
                "title": part.title,
                "lines": list(part.lines),
                "pictures": [
                    {"file": str(target / f"{one.name}.png"), "caption": one.caption} for one in part.pictures
                ],
            }
            for part in parts
        ],
    }

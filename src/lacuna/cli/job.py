"""What all jobs share on the command line: say what was found, then fill, write and report it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render, targets
from lacuna.progress import brief

if TYPE_CHECKING:
    from lacuna.image import Saved
    from lacuna.inpainting import Inpainter, Result
    from lacuna.jobs import Found


@dataclass(frozen=True)
class Orders:
    """What a command line says about the output; looked at before the work starts.

    Parameters
    ----------
    image : the picture, or the pictures, as they were named.
    target : where the result goes; ``-`` is stdout.
    method, settings, seed, blend, context : how it is filled.
    preview : where a marked picture goes, if anywhere.
    dry_run : stop after what was found.
    """

    image: str | Sequence[str]
    target: str
    method: str = "auto"
    settings: Sequence[str] = ()
    seed: int = 0
    blend: Any = "hard"
    context: float = 0.5
    preview: str | None = None
    dry_run: bool = False
    quality: int | None = None
    overwrite: bool = False
    as_json: bool = False
    quiet: bool = False
    draw: Callable[..., None] | None = None
    """How the preview is drawn, if not by `write_preview`."""

    def check(self) -> None:
        """Refuse what cannot be written, before minutes are spent on it.

        Raises
        ------
        OutputError, OptionError, typer.BadParameter
        """
        if self.target == options.STREAM and self.as_json and not self.dry_run:
            raise typer.BadParameter(
                "--json prints to stdout, so the picture cannot go there too; give -o FILE"
            )
        if not self.dry_run:
            targets.check(self.target, overwrite=self.overwrite, quality=self.quality)
            targets.check_apart(self.target, self.preview)
        targets.check(self.preview, overwrite=self.overwrite)

    def filler(self) -> Inpainter:
        """Return the method, loaded."""
        from lacuna.inpainting import Inpainter

        return Inpainter(self.method, options=options.pairs(self.settings))


def finish(
    found: Found,
    orders: Orders,
    filler: Inpainter | None = None,
    also: Callable[[Result], tuple[str, dict[str, Any]]] | None = None,
) -> int:
    """Say what was found, fill it, write it, say what came of it; return the exit code.

    Parameters
    ----------
    filler : the method if it is loaded already.
    also : what else is to be said of a result, in words and as facts.
    """
    quiet = orders.quiet or orders.as_json
    for words in found.words:
        render.say(words, quiet=quiet)
    if orders.preview is not None:
        (orders.draw or write_preview)(found, orders.preview, overwrite=orders.overwrite)
        render.say(f"wrote {orders.preview}", indent=2, quiet=quiet)
    if orders.dry_run:
        if orders.as_json:
            render.emit(facts_of(found, orders))
        return exits.OK
    filler = filler or orders.filler()
    with render.progress(quiet=orders.quiet) as on_step:
        result = found.fill(
            filler, seed=orders.seed, blend=orders.blend, context=orders.context, on_step=on_step
        )
    if result.changed_outside and not found.feather:
        return _not_sacred(result, as_json=orders.as_json)
    words, facts = also(result) if also is not None else ("", {})
    saved = result.save(targets.opened(orders.target), overwrite=orders.overwrite, quality=orders.quality)
    if orders.as_json:
        render.emit(facts_of(found, orders) | outcome(result, saved, orders.target) | facts)
    else:
        render.say(words, quiet=orders.quiet or not words)
        tell(result, saved, orders.target, quiet=orders.quiet)
    return exits.OK


def facts_of(found: Found, orders: Orders) -> dict[str, Any]:
    """Return what was found, for ``--json``."""
    height, width = found.hole.shape
    return {
        "version": __version__,
        "job": found.job,
        "image": orders.image,
        "found": dict(found.facts),
        "words": list(found.words),
        "width": width,
        "height": height,
        "missing": found.missing,
        "preview": orders.preview,
        "dry_run": orders.dry_run,
        "output": None,
    }


def outcome(result: Result, saved: Saved, target: str) -> dict[str, Any]:
    """Return what came of it, for ``--json``."""
    return {
        "output": target,
        "method": result.method,
        "options": dict(result.options),
        "seed": result.seed,
        "seconds": round(result.seconds, 4),
        "known": int(result.hole.size - result.hole.sum()),
        "changed_outside": result.changed_outside,
        "changed_in_file": saved.changed_in_file,
        "notes": [*result.notes, *saved.notes],
    }


def tell(result: Result, saved: Saved, target: str, *, quiet: bool) -> None:
    """Say what came of it, for people."""
    known = int(result.hole.size - result.hole.sum())
    sentence = render.known_changed(result.changed_outside, known)
    render.say(f"{result.method}: {result.seconds:.2f} s, {sentence}", style="bold", quiet=quiet)
    for note in (*brief(result.notes), *saved.notes):
        render.say(note, indent=2, quiet=quiet)
    if target != options.STREAM:
        render.say(f"wrote {target}", indent=2, quiet=quiet)
    sys.stderr.flush()


def write_preview(found: Found, path: str, *, overwrite: bool) -> None:
    """Write the picture beside itself with what was found marked on it."""
    from lacuna.cli import sheet

    view = sheet.View(0, 0, *found.hole.shape)
    share = found.missing / max(found.hole.size, 1)
    tiles = [
        sheet.Tile("picture", sheet.show(found.picture, found.hole, view)),
        sheet.Tile(
            "found", sheet.show(found.picture, found.hole, view, mark=True), f"{share:.1%} of the picture"
        ),
    ]
    sheet.write(sheet.draw(tiles), path, overwrite=overwrite)


def _not_sacred(result: Result, *, as_json: bool) -> int:
    from lacuna.cli.inpaint import KnownPixelsChanged

    known = int(result.hole.size - result.hole.sum())
    sentence = render.known_changed(result.changed_outside, known)
    error = KnownPixelsChanged(
        f"method {result.method!r} broke the promise: {sentence}. Nothing was written."
    )
    return render.failure(error, exits.NOT_SACRED, as_json=as_json)

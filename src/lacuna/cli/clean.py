"""``lacuna clean``: text laid over a picture, or the overlay that a folder of pictures has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lacuna import __version__
from lacuna.cli import detecting, exits, job, options, render
from lacuna.errors import ImageError, OutputError
from lacuna.types import Box

if TYPE_CHECKING:
    from lacuna.detect import Detection
    from lacuna.jobs.clean import Cleaned

_WHAT = "What goes"

_Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE…", help="A picture, or - for stdin; or several, or folders of them: a series."
    ),
]
_What = Annotated[
    str | None,
    typer.Option(
        "--what",
        metavar="KIND,…",
        help="[bold]text[/]: captions, subtitles, stamps; [bold]repeated[/]: what is the same in all "
        "pictures of a series. Unless given, repeated for three pictures and more, else text.",
        rich_help_panel=_WHAT,
    ),
]


def clean(
    images: _Images,
    what: _What = None,
    sensitivity: detecting.Sensitivity = 0.5,
    region: detecting.RegionOption = None,
    method: options.Method = "auto",
    option: options.Settings = None,
    seed: options.Seed = 0,
    blend: options.Blend = "hard",
    context: options.Context = 0.5,
    output: Annotated[str | None, options.output("cleaned")] = None,
    preview: options.Preview = None,
    dry_run: options.DryRun = False,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Find text laid over a picture, or the overlay of a series, and fill what it covers.

    Everything else stays as it is. A series goes into the folder that [bold]-o[/] names; pictures that cannot
    be read are left out, and the exit code tells. Marks of ownership may only be removed by those who have
    the right to.
    """
    sources = _sources(images)
    kinds = what.split(",") if what else ["repeated" if len(sources) >= 3 else "text"]
    kinds = [kind.strip() for kind in kinds if kind.strip()]
    look = _Look(kinds, sensitivity, detecting.region(region), options.limit(max_pixels))
    target = output or ("" if len(sources) > 1 else options.default_output(str(sources[0]), "cleaned"))
    orders = job.Orders(
        images if len(images) > 1 else images[0], target, method, option or (), seed, blend, context, preview,
        dry_run, quality, overwrite, as_json, quiet,
    )  # fmt: skip
    if len(sources) > 1 or Path(images[0]).is_dir():
        return _Series([Path(one) for one in sources], look, orders).run()
    orders.check()
    from lacuna.jobs.clean import clean as find

    source = options.source(str(sources[0]))
    return job.finish(find(source, **look.settings()), orders)


@dataclass(frozen=True)
class _Look:
    """What is looked for, and where."""

    kinds: Sequence[str]
    sensitivity: float
    region: Box | None
    limit: dict[str, int | None]

    def settings(self) -> dict[str, Any]:
        """Return the keywords of `lacuna.jobs.clean.clean`."""
        return {
            "what": self.kinds,
            "sensitivity": self.sensitivity,
            "region": self.region,
            **self.limit,
        }


@dataclass
class _Series:
    """Several pictures into one folder."""

    sources: list[Path]
    look: _Look
    orders: job.Orders
    rows: list[dict[str, Any]] = field(default_factory=list)
    code: int = exits.OK

    def run(self) -> int:
        """Learn the overlay, say what it is, clean one picture after the other; return the exit code."""
        folder = self._folder()
        overlay = self._overlay() if "repeated" in self.look.kinds else None
        self._clean(folder, overlay)
        if self.orders.as_json:
            render.emit(self._facts(overlay))
        return self.code

    def _folder(self) -> Path | None:
        """Return where results go, or refuse it before the work starts."""
        from lacuna.cli import targets
        from lacuna.jobs.clean import names_in

        targets.check(self.orders.preview, overwrite=self.orders.overwrite)
        if self.orders.dry_run:
            return None
        if not self.orders.target or self.orders.target == options.STREAM:
            raise typer.BadParameter("a series goes into a folder; give -o FOLDER, or --dry-run")
        folder = Path(self.orders.target)
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; a series goes into a folder")
        there = [one for one in names_in(folder, self.sources) if one.exists()]
        if there and not self.orders.overwrite:
            raise OutputError(
                f"{there[0]} exists already ({len(there)} of {len(self.sources)} do); choose another folder "
                "or add --overwrite"
            )
        return folder

    def _overlay(self) -> Detection:
        from lacuna.jobs.clean import describe, learn

        settings = self.look.settings()
        settings.pop("what")
        with render.progress(quiet=self.orders.quiet) as on_step:
            overlay = learn(self.sources, on_step=on_step, **settings)
        self._say(f"{len(self.sources)} pictures: {describe('repeated', overlay)}", style="bold")
        for note in overlay.notes:
            self._say(note, indent=2)
        return overlay

    def _clean(self, folder: Path | None, overlay: Detection | None) -> None:
        from lacuna.jobs.clean import clean_series

        orders = self.orders
        with render.progress(quiet=orders.quiet) as on_step:
            for one in clean_series(
                self.sources,
                folder,
                filler=None if folder is None else orders.filler(),
                overlay=overlay,
                overwrite=orders.overwrite,
                quality=orders.quality,
                seed=orders.seed,
                blend=orders.blend,
                context=orders.context,
                on_step=on_step,
                **self.look.settings(),
            ):
                self._tell(one)
                if orders.preview is not None and one.found is not None and not self.rows[:-1]:
                    job.write_preview(one.found, orders.preview, overwrite=orders.overwrite)
                    self._say(f"wrote {orders.preview}", indent=2)

    def _tell(self, one: Cleaned) -> None:
        """Say what came of a picture, and keep it for the end."""
        row: dict[str, Any] = {"image": str(one.source), "output": None}
        if one.error is not None:
            self._say(f"{one.source.name}: left out: {one.error}", style="red")
            row["error"] = {"type": type(one.error).__name__, "message": str(one.error)}
            self.code = self.code or exits.exit_code(one.error)
        if one.found is not None:
            self._say(f"{one.source.name}: {'; '.join(one.found.words)}")
            row |= {"found": dict(one.found.facts), "missing": one.found.missing}
        if one.result is not None and one.saved is not None:
            row |= job.outcome(one.result, one.saved, str(one.target))
            known = int(one.result.hole.size - one.result.hole.sum())
            changed = render.known_changed(one.result.changed_outside, known)
            self._say(
                f"{one.result.method}: {one.result.seconds:.2f} s, {changed}; wrote {one.target}", indent=2
            )
        self.rows.append(row)

    def _facts(self, overlay: Detection | None) -> dict[str, Any]:
        from lacuna.jobs.clean import facts_of

        return {
            "version": __version__,
            "job": "clean",
            "what": list(self.look.kinds),
            "overlay": None if overlay is None else facts_of(overlay),
            "images": self.rows,
            "left_out": [row["image"] for row in self.rows if "error" in row],
            "preview": self.orders.preview,
            "dry_run": self.orders.dry_run,
        }

    def _say(self, words: str, **how: Any) -> None:
        render.say(words, quiet=self.orders.quiet or self.orders.as_json, **how)


def _sources(images: Sequence[str]) -> list[str]:
    """Return the files that were named, those of folders one by one."""
    from lacuna.jobs.clean import pictures_in

    if options.STREAM in images and len(images) > 1:
        raise typer.BadParameter("- (stdin) is one picture; it cannot be part of a series")
    out: list[str] = []
    for image in images:
        out += [str(one) for one in pictures_in(Path(image))] if Path(image).is_dir() else [image]
    if len(out) == 1 and out[0] != options.STREAM and not Path(out[0]).exists():
        # Before the output's name is looked at: for a folder, it need not be the name of a picture.
        raise ImageError(f"{out[0]} does not exist")
    return out

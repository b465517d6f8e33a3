"""``lacuna web``: the editor and the HTTP API, and ``lacuna replay``: a project file to a picture."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from lacuna import __version__
from lacuna.cli import exits, options, render, targets
from lacuna.errors import ImageError, MissingDependencyError

if TYPE_CHECKING:
    from lacuna.web.settings import Settings

_LIMITS, _WHERE = "Limits", "Where"

TOKEN_VARIABLE = "LACUNA_TOKEN"  # noqa: S105 - the name of a variable


def _where(flag: str, metavar: str | None, words: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=words, rich_help_panel=_WHERE)


def _limit(flag: str, metavar: str, words: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=words, rich_help_panel=_LIMITS)


def web(
    photo: Annotated[str | None, typer.Argument(metavar="[PHOTO]", help="Open this photo.")] = None,
    host: Annotated[
        str, _where("--host", "ADDRESS", "Where to listen. Any address but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, _where("--port", "N", "0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        _where(
            "--token",
            "SECRET",
            f"What requests must show; better set [bold]{TOKEN_VARIABLE}[/], which no list "
            "of processes shows.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        _where("--allowed-host", "NAME", "A further name of the server, as often as needed: a proxy's, say."),
    ] = None,
    show: Annotated[bool, _where("--open/--no-open", None, "Open the page in a browser.")] = True,
    folder: Annotated[
        str | None, _where("--folder", "FOLDER", "Where projects are kept; one server at a time.")
    ] = None,
    device: Annotated[
        list[str] | None,
        _where(
            "--device",
            "NAME",
            "cpu, cuda, cuda:1 …: a queue for each; the first is used unless a request names one.",
        ),
    ] = None,
    workers: Annotated[int, _limit("--workers", "N", "Processes per device.")] = 1,
    max_pixels: Annotated[int, _limit("--max-pixels", "N", "Of a picture.")] = 100_000_000,
    max_mb: Annotated[float, _limit("--max-mb", "MB", "Of a request's body.")] = 256.0,
    max_seconds: Annotated[float, _limit("--max-seconds", "S", "Of a fill.")] = 300.0,
    max_memory: Annotated[float, _limit("--max-memory", "GB", "Of a worker.")] = 4.0,
    queue: Annotated[int, _limit("--queue", "N", "Fills that may wait.")] = 32,
    max_folder: Annotated[float, _limit("--max-folder", "GB", "Of all projects.")] = 10.0,
    expiry: Annotated[
        float, _limit("--expiry", "HOURS", "Projects that nobody touched are deleted.")
    ] = 168.0,
    quiet: options.Quiet = False,
) -> int:
    """Open the editor in a browser, and serve the HTTP API.

    Everything stays on this machine unless --host says otherwise; see docs/deploy.md for servers.
    """
    try:
        from lacuna.web import serving
    except ImportError as error:
        raise MissingDependencyError(
            "the web server needs FastAPI and uvicorn: python -m pip install 'lacuna[web]'"
        ) from error
    from lacuna.web.settings import GIBI, MEBI, Settings, default_folder

    settings = Settings(
        folder=Path(folder) if folder is not None else default_folder(),
        host=host,
        port=port,
        token=token or os.environ.get(TOKEN_VARIABLE) or None,
        allowed_hosts=tuple(name.lower() for name in allowed_host or ()),
        devices=tuple(device or ("cpu",)),
        workers=workers,
        max_pixels=max_pixels,
        max_bytes=int(max_mb * MEBI),
        max_seconds=max_seconds,
        max_memory=int(max_memory * GIBI),
        queue=queue,
        project_bytes=int(max_folder * GIBI),
        expiry=expiry * 3600,
    )
    project = None if photo is None else _begin_with(photo, settings)

    def ready(running: Settings) -> None:
        address = _address(running, project)
        render.say(f"Lacuna is at {address}", style="bold", quiet=quiet)
        render.say("Ctrl-C ends it; projects are kept", indent=2, quiet=quiet)
        if show and sys.stderr.isatty():
            webbrowser.open(address)

    serving.Server(settings, ready).run_here()
    return exits.OK


def _begin_with(photo: str, settings: Settings) -> str:
    """Make a project of a photo, and return its name."""
    from lacuna.web import serving
    from lacuna.web.store import Store

    if not Path(photo).is_file():
        raise ImageError(
            f"{photo} does not exist or is no file; give a photo, or none to begin with an empty page"
        )
    return serving.begin_with(Store(settings.folder, settings.project_bytes), Path(photo))


def _address(running: Settings, project: str | None) -> str:
    """Return the address of the page, with what it is to open."""
    parts = [f"project={project}"] if project else []
    # A log may be read by many: only a terminal is told the token.
    parts += [f"token={quote(running.token)}"] if running.token and sys.stderr.isatty() else []
    return running.address + (f"/#{'&'.join(parts)}" if parts else "/")


def replay(
    project: Annotated[
        str, typer.Argument(metavar="PROJECT", help="A project file of the editor (.lacuna).")
    ],
    output: Annotated[
        str | None,
        options.output(
            "filled", "it lies beside the project file, and the project's photo.jpg becomes photo.filled.jpg"
        ),
    ] = None,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Take the steps of a project file again, and write the picture.

    The bytes are those that the editor offers for download.
    """
    if output == options.STREAM and as_json:
        raise typer.BadParameter("--json prints to stdout, so the picture cannot go there too; give -o FILE")
    if output is not None:
        targets.check(output, overwrite=overwrite)
    import tempfile

    from lacuna.image import DEFAULT_MAX_PIXELS
    from lacuna.image.delivery import write_file, write_stream
    from lacuna.image.writing import SUFFIXES
    from lacuna.web import bundle, download
    from lacuna.web.project import file_name, filled_name
    from lacuna.web.replay import Workshop
    from lacuna.web.steps import chain

    most = options.limit(max_pixels).get("max_pixels", DEFAULT_MAX_PIXELS)
    if not Path(project).is_file():
        raise ImageError(f"{project} does not exist or is no file; export a project from the editor")
    with tempfile.TemporaryDirectory(prefix="lacuna-") as name, render.progress(quiet=quiet) as on_step:
        read = bundle.read(Path(project), Path(name), most=1 << 34, max_steps=100_000)
        shop = Workshop(Path(name), read.sha256, max_pixels=most)
        linked = chain(read.sha256, read.steps)
        shop.advance(linked, on_step)
        format = SUFFIXES.get(Path(output).suffix.lower()) if output not in (None, options.STREAM) else None
        data, facts = download.file(shop, linked, format, quality)
    target = output or str(Path(project).with_name(filled_name(file_name(read.name), facts["format"])))
    if output is None:
        targets.check(target, overwrite=overwrite)
    if target == options.STREAM:
        write_stream(sys.stdout.buffer, data)
    else:
        write_file(Path(target), data)
    told: dict[str, Any] = {
        "version": __version__,
        "project": project,
        "output": target,
        "steps": len(linked),
    } | facts
    if as_json:
        render.emit(told)
    else:
        render.say(
            f"{len(linked)} steps, {render.known_changed(facts['changed_known'], facts['known'])}",
            style="bold",
            quiet=quiet,
        )
        for note in facts["notes"]:
            render.say(note, indent=2, quiet=quiet)
        if target != options.STREAM:
            render.say(f"wrote {target}", indent=2, quiet=quiet)
    return exits.OK

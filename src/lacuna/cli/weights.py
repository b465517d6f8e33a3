"""``lacuna weights``: keep checkpoints under names, with their sha256."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from lacuna import __version__
from lacuna.cli import options, render

if TYPE_CHECKING:
    from lacuna.weights import Entry

app = typer.Typer(
    help="Keep checkpoints of networks under names; nothing is downloaded.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Your name for them: lama, places-v2 …")]


@app.command()
def add(
    name: Name,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A .safetensors, .pt, .pth, .ckpt or .onnx file.")
    ],
    sidecar: Annotated[
        str | None,
        typer.Option(
            "--sidecar",
            metavar="TOML",
            help="What an ONNX model takes, see docs/onnx.md; unless given, the .toml file beside FILE, else "
            "it is guessed.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Check a checkpoint and keep it.

    Lacuna's own files, DeepFill v2 (PyTorch port), big-lama and the common partial-convolution U-Net are
    recognised by their names and shapes. Pickles are read without running code in them. ONNX models of any
    origin are taken with a sidecar that says what they take; encoder and decoder of Segment Anything without.
    """
    from lacuna import weights

    path = Path(file).expanduser()
    if path.suffix.lower() == ".onnx":
        entry, notes = _add_onnx(name, path, sidecar)
    elif sidecar is not None:
        raise typer.BadParameter(f"--sidecar is for ONNX models; {file} is none")
    else:
        entry, notes = _add_checkpoint(name, path), []
    if as_json:
        facts = {**dataclasses.asdict(entry), "path": str(weights.find(name)), "notes": notes}
        render.emit({"version": __version__, **facts})
    elif not quiet:
        sys.stdout.write(f"{name}: weights of {entry.method}, {entry.size / 1e6:.1f} MB\n")
        sys.stdout.write(f"sha256 of {file}: {entry.origin_sha256}\n")
        sys.stdout.write(f"use: {_use(entry)}\n")
        for note in notes:
            render.say(note)
    return 0


def _use(entry: Entry) -> str:
    """Return a command line that uses weights."""
    if entry.method.startswith("sam-"):
        return "lacuna remove … --click X,Y, as soon as encoder and decoder are both there"
    method = "repaint" if entry.method == "guided-diffusion" else entry.method
    return f"lacuna inpaint … --method {method} --option weights={entry.name}"


def _add_checkpoint(name: str, path: Path) -> Entry:
    from lacuna import weights
    from lacuna.devices import missing
    from lacuna.errors import MissingDependencyError

    reason = missing()
    if reason is not None:
        raise MissingDependencyError(f"weights cannot be checked here: {reason}")
    from lacuna import torch_io
    from lacuna.nets.denoising import KEY
    from lacuna.nets.loading import load

    method, net = load(path)
    facts = {key: text for key, text in torch_io.metadata(path).items() if key == KEY}
    return weights.add(name, torch_io.dump(net, facts), method=method, origin=path)


def _add_onnx(name: str, path: Path, sidecar: str | None) -> tuple[Entry, list[str]]:
    """Keep a model and its sidecar; return the entry, and what was guessed."""
    from lacuna import weights
    from lacuna.masks.sam import role_of
    from lacuna.methods.onnx.network import NAME, pack

    role = None if sidecar is not None or path.with_suffix(weights.SIDECAR).exists() else role_of(path)
    if role is not None:
        return weights.add(name, path.read_bytes(), method=role, origin=path, suffix=".onnx"), []
    data, text, facts, words = pack(path, sidecar)
    entry = weights.add(name, data, method=NAME, origin=path, suffix=".onnx", sidecar=text)
    if not facts.guessed:
        return entry, []
    where = weights.find(name).with_suffix(weights.SIDECAR)
    told = ", ".join(line for line in text.splitlines() if not line.startswith(("#", "guessed")))
    return entry, [
        f"no sidecar says what {path.name} takes; guessed: {told}",
        f"{words}. If that is not so, correct {where}, or add the model again with --sidecar TOML",
    ]


@app.command(name="list")
def list_(as_json: options.AsJson = False) -> int:
    """List what was added."""
    from lacuna import weights

    known = weights.entries()
    if as_json:
        facts = [dataclasses.asdict(entry) for entry in known]
        render.emit({"version": __version__, "folder": str(weights.folder()), "weights": facts})
        return 0
    if not known:
        sys.stdout.write("None yet. Add some by: lacuna weights add NAME FILE\n")
        return 0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("name", "method", "MB", "sha256 of the file added"):
        table.add_column(column, overflow="fold")
    for entry in known:
        table.add_row(
            Text(entry.name, "bold"), entry.method, f"{entry.size / 1e6:.1f}", entry.origin_sha256[:16]
        )
    render.stdout().print(table)
    return 0


@app.command()
def remove(name: Name, quiet: options.Quiet = False) -> int:
    """Forget weights and delete Lacuna's copy of them."""
    from lacuna import weights

    entry = weights.remove(name)
    if not quiet:
        sys.stdout.write(f"{entry.name} removed; {entry.origin} was not touched\n")
    return 0

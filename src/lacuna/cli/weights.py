"""``lacuna weights``: keep checkpoints under names, with their sha256."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lacuna import __version__
from lacuna.cli import options, render

app = typer.Typer(
    help="Keep checkpoints of networks under names; nothing is downloaded.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you will call them: lama, places-v2 …")]


@app.command()
def add(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .safetensors, .pt, .pth or .ckpt file.")],
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Check a checkpoint and keep it.

    Lacuna's own files, DeepFill v2 (PyTorch port), big-lama and the common partial-convolution U-Net are
    recognised by their names and shapes. Pickles are read without running code in them.
    """
    from lacuna import weights
    from lacuna.errors import MissingDependencyError
    from lacuna.methods.cnn.running import missing

    reason = missing()
    if reason is not None:
        raise MissingDependencyError(f"weights cannot be checked here: {reason}")
    from lacuna import torch_io
    from lacuna.nets.loading import load

    method, net = load(Path(file).expanduser())
    entry = weights.add(name, torch_io.dump(net), method=method, origin=Path(file).expanduser())
    if as_json:
        render.emit({"version": __version__, **dataclasses.asdict(entry), "path": str(weights.find(name))})
    elif not quiet:
        sys.stdout.write(f"{name}: weights of {method}, {entry.size / 1e6:.1f} MB\n")
        sys.stdout.write(f"sha256 of {file}: {entry.origin_sha256}\n")
        sys.stdout.write(f"use: lacuna inpaint … --method {method} --option weights={name}\n")
    return 0


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

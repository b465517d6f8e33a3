"""``lacuna export``: from a checkpoint to an ONNX file that runs without torch, or to weights alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from lacuna.cli import options, render


def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="A run's folder, one of its checkpoints, or a weights file."
        ),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="An .onnx or a .safetensors file, or a folder."),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="WxH", help="The only size that it will take; any that fits unless given."
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in half precision.")] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="The net of the last step, not the averaged one.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Write a trained net as ONNX, compared with the net before it is kept; or its weights as safetensors.

    A run of latent-inpainting becomes a folder, as diffusers writes it.
    """
    from lacuna.image.delivery import check_target

    if not Path(output).suffix:
        return _folder(checkpoint, output, half=half, latest=latest, as_json=as_json, quiet=quiet)
    check_target(Path(output), None, overwrite=overwrite)
    if Path(output).suffix == ".safetensors":
        return _weights_alone(checkpoint, output, half=half, latest=latest, as_json=as_json, quiet=quiet)
    from lacuna.nets.export import export_onnx
    from lacuna.nets.loading import load

    kind, net = load(_weights(checkpoint, latest=latest))
    done = export_onnx(net, output, size=_size(size), half=half)
    taken = f"{done.size[1]}x{done.size[0]}" if done.size else f"multiples of {done.multiple}"
    if as_json:
        render.emit(
            {
                "net": kind,
                "path": str(done.path),
                "sidecar": str(done.sidecar),
                "size": done.size,
                "multiple": done.multiple,
                "error": done.error,
                "bytes": done.path.stat().st_size,
            }
        )
    else:
        megabytes = done.path.stat().st_size / 1e6
        render.say(
            f"wrote {done.path}: {kind}, {megabytes:.1f} MB, sides {taken}, "
            f"within {done.error:.1e} of the net",
            quiet=quiet,
        )
    return 0


def _weights_alone(
    checkpoint: str, output: str, *, half: bool, latest: bool, as_json: bool, quiet: bool
) -> int:
    from lacuna.train.packing import pack

    size = pack(_weights(checkpoint, latest=latest), Path(output), half=half)
    if as_json:
        render.emit({"path": output, "bytes": size})
    else:
        render.say(f"wrote {output}: {size / 1e6:.1f} MB", quiet=quiet)
    return 0


def _folder(checkpoint: str, output: str, *, half: bool, latest: bool, as_json: bool, quiet: bool) -> int:
    from lacuna.errors import OptionError
    from lacuna.train import diffusers_folder
    from lacuna.train.checkpoint import find, read_state

    recipe, _ = read_state(find(checkpoint))
    if not recipe.diffusion.base:
        raise OptionError(
            f"{output} has no ending; .onnx or .safetensors is expected for a run of task {recipe.task!r}"
        )
    weights = _weights(checkpoint, latest=latest)
    diffusers_folder.write(Path(recipe.diffusion.base), weights, Path(output), half=half)
    if as_json:
        render.emit({"path": output})
    else:
        render.say(f"wrote {output}: a folder that fills holes", quiet=quiet)
    return 0


def _weights(checkpoint: str, *, latest: bool) -> Path:
    path = Path(checkpoint)
    if not path.is_dir():
        return path
    from lacuna.train.checkpoint import find

    return find(path) / ("net.safetensors" if latest else "ema.safetensors")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if not found:
        raise typer.BadParameter(f"--size is {text!r}; expected WxH, such as 256x256")
    return int(found[2]), int(found[1])

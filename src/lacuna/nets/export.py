"""From a network to an ONNX file that the method `onnx` runs without torch.

Every export takes and gives the same, whatever the network's own habits: ``image`` (1, 3, H, W) in 0 … 1,
``mask`` (1, 1, H, W) with 1 = missing, and ``filled``, a picture in 0 … 1. A sidecar beside it says so.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from lacuna import onnx_io
from lacuna.errors import MethodError, MissingDependencyError, OptionError, OutputError
from lacuna.nets.context_encoder import ContextEncoder
from lacuna.nets.contextual_attention import DeepFillV1
from lacuna.nets.gated_conv import DeepFillV2
from lacuna.nets.guide import GuideNet
from lacuna.nets.lama import Lama
from lacuna.nets.partial_conv import DEVIATION, MEAN, PartialConvUNet
from lacuna.nets.pen_net import PENNet

_WORTH_HALVING = 64

OPSET = 20
"""The first one with the Fourier transform that LaMa needs in its present form; onnxruntime 1.20 knows it."""

TOLERANCE = 1e-4
"""Largest difference between the file and the network, of values in 0 … 1."""

HALF_TOLERANCE = 2e-2
"""The same where weights are stored in half precision, which alone moves the answers by about 1e-3."""

LEAST = 16
"""Reflecting convolutions at 1/8 of the size need two pixels."""


class Exported(NamedTuple):
    """What was written.

    Parameters
    ----------
    path : the model.
    sidecar : the TOML file beside it.
    size : (height, width) if it takes no other size; None is any multiple.
    multiple : sides must be multiples of this.
    error : largest difference from the network at the sizes that were tried.
    """

    path: Path
    sidecar: Path
    size: tuple[int, int] | None
    multiple: int
    error: float


def _of_partial_conv(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    mean, deviation = (image.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return net((image - mean) / deviation, 1 - missing).image * deviation + mean  # type: ignore[no-any-return]


def _of_two_stages(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    return (net(2 * image - 1, missing).refined + 1) / 2  # type: ignore[no-any-return]


def _of_pen_net(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    return (net(2 * image - 1, missing).image + 1) / 2  # type: ignore[no-any-return]


def _of_context_encoder(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    out: Tensor = (net(2 * image - 1, missing) + 1) / 2
    room = (image.shape[-1] - out.shape[-1]) // 2
    return F.pad(out, (room, room, room, room)) if room else out  # a centre alone; the rest is known


def _of_guide(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    return (net(2 * image - 1, missing) + 1) / 2  # type: ignore[no-any-return]


def _of_lama(net: Any, image: Tensor, missing: Tensor) -> Tensor:
    return net(image, missing)  # type: ignore[no-any-return]


_WAYS: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], Tensor]] = {
    PartialConvUNet: _of_partial_conv,
    DeepFillV1: _of_two_stages,
    DeepFillV2: _of_two_stages,
    PENNet: _of_pen_net,
    ContextEncoder: _of_context_encoder,
    Lama: _of_lama,
    GuideNet: _of_guide,
}


class Canonical(nn.Module):
    """A network between a picture in 0 … 1 with a mask, and a picture in 0 … 1.

    Raises
    ------
    OptionError : a network that has no such reading, a discriminator for example.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        way = next((way for kind, way in _WAYS.items() if isinstance(net, kind)), None)
        if way is None:
            able = ", ".join(kind.__name__ for kind in _WAYS)
            raise OptionError(f"{type(net).__name__} cannot be exported; networks that can: {able}")
        self.net, self._way = net, way

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return (B, 3, H, W), 0 … 1.

        Parameters
        ----------
        image : (B, 3, H, W), 0 … 1. What lies under the mask is ignored.
        mask : (B, 1, H, W), 1 = missing.
        """
        return self._way(self.net, image * (1 - mask), mask).clamp(0, 1)


def export_onnx(
    net: nn.Module, path: str | Path, *, size: tuple[int, int] | None = None, half: bool = False
) -> Exported:
    """Write a network as ONNX, with its sidecar, and compare the file with the network.

    Parameters
    ----------
    net : a generator of `lacuna.nets`, on any device; it is not changed.
    path : ends in .onnx; replaced if it exists.
    size : (height, width), multiples of the network's: the only size that the file will take. None takes any
        multiple, except for the context encoder, which has one size.
    half : store the weights in half precision: half of the bytes. They are cast back when the file is loaded,
        so that the arithmetic and its speed stay those of float32.

    Returns
    -------
    Exported
        Also says how far the file is from the network, tried at one size or at three.

    Raises
    ------
    MissingDependencyError : onnx or onnxscript is not installed.
    OptionError : not such a network, or a size that it cannot take.
    MethodError : the file's answers differ from the network's by more than `TOLERANCE`, or with half
        of the weights by more than `HALF_TOLERANCE`.
    OutputError : the file cannot be written.

    Notes
    -----
    All networks export, the Fourier kind of LaMa included (its transforms become ONNX's DFT). Free sizes
    take the exporter longer: half a minute for networks with attention. A sketch channel is exported as no
    sketch.
    """
    absent = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingDependencyError(
            f"exporting needs {' and '.join(absent)}; pip install {' '.join(absent)}"
        )
    path = Path(path).expanduser()
    multiple = int(net.multiple)  # type: ignore[arg-type]
    if path.suffix != onnx_io.SUFFIX:
        raise OptionError(f"{path} does not end in {onnx_io.SUFFIX}")
    fixed = getattr(net, "size", None)
    if fixed is not None:
        size = size or (fixed, fixed)
    if size is not None and (
        min(size) < LEAST or any(side % multiple or fixed not in (None, side) for side in size)
    ):
        wanted = f"{fixed}×{fixed}" if fixed else f"multiples of {multiple}, {LEAST} at least"
        raise OptionError(f"size is {size}; {type(net).__name__} takes {wanted}")
    whole = Canonical(copy.deepcopy(net).cpu().float()).eval().requires_grad_(False)
    sizes = [size] if size else _some_sizes(multiple)
    sidecar = path.with_suffix(".toml")
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            beside = Path(folder) / path.name
            _write(whole, beside, sizes[0], free=size is None, multiple=multiple)
            off = _checked(whole, beside, sizes, TOLERANCE)
            if half:
                _halve(beside)
                off = _checked(whole, beside, sizes, HALF_TOLERANCE)
            beside.with_suffix(".toml").write_text(_facts(net, size, multiple), encoding="utf-8")
            beside.with_suffix(".toml").replace(sidecar)
            beside.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
    return Exported(path, sidecar, size, multiple, off)


def _some_sizes(multiple: int) -> list[tuple[int, int]]:
    """Return three sizes, none of which the exporter could take for a constant."""
    step = -(-LEAST // multiple) * multiple
    return [(2 * step, 3 * step), (4 * step, 2 * step), (3 * step, 5 * step)]


def _write(whole: nn.Module, path: Path, size: tuple[int, int], *, free: bool, multiple: int) -> None:
    shapes = None
    if free:
        high, wide = (torch.export.Dim(name, min=2, max=2**16) * multiple for name in ("h", "w"))
        shapes = {"image": {2: high, 3: wide}, "mask": {2: high, 3: wide}}
    with _quiet():
        program: Any = torch.onnx.export(
            whole,
            _example(size),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=["image", "mask"],
            output_names=["filled"],
            opset_version=OPSET,
            verbose=False,
        )
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # stack traces with the paths of this machine
            node.doc_string = None
        program.save(os.fspath(path))


def _example(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return a picture of noise and a mask of blotches, always the same."""
    rng = np.random.Generator(np.random.PCG64(size))
    blotches = np.kron(rng.random((-(-size[0] // 8), -(-size[1] // 8))) > 0.7, np.ones((8, 8)))
    image = rng.random((1, 3, *size), dtype=np.float32)
    mask = blotches[: size[0], : size[1]].astype(np.float32)[None, None]
    return torch.from_numpy(image), torch.from_numpy(mask)


@torch.inference_mode()
def _difference(whole: nn.Module, path: Path, size: tuple[int, int]) -> float:
    image, mask = _example(size)
    found = onnx_io.load(path, "cpu")({"image": image.numpy(), "mask": mask.numpy()})["filled"]
    return float(np.abs(found - whole(image, mask).numpy()).max())


def _checked(whole: Canonical, path: Path, sizes: list[tuple[int, int]], most: float) -> float:
    off = max(_difference(whole, path, one) for one in sizes)
    if not off <= most:  # NaN too
        raise MethodError(
            f"the export of {type(whole.net).__name__} differs from it by {off:.1e}, more than {most:g}; "
            "nothing was written. Please report this with your versions of torch and onnxscript"
        )
    return off


def _halve(path: Path) -> None:
    """Store every large float32 constant as float16, followed by a cast that loading folds away."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    graph, casts = model.graph, []
    for constant in graph.initializer:
        if constant.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(constant)
        if values.size < _WORTH_HALVING or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    halved = {cast.output[0] for cast in casts}
    told = [info for info in graph.value_info if info.name not in halved]
    del graph.value_info[:]
    graph.value_info.extend(told)
    onnx.save(model, path)


def _facts(net: nn.Module, size: tuple[int, int] | None, multiple: int) -> str:
    lines = [
        f"# {type(net).__name__}, exported by Lacuna.",
        'image = "image"',
        'mask = "mask"',
        'output = "filled"',
    ]
    if size is not None:
        lines.append(f"size = [{size[0]}, {size[1]}]")
    else:
        lines += [f"multiple = {multiple}", f"least = {2 * multiple}"]
    return "\n".join(lines) + "\n"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about itself from the caller."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

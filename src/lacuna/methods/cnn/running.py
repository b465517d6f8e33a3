"""What the adapters of all networks share: weights, device, precision, padding, progress."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lacuna import weights as registry
from lacuna.devices import Precision, as_tensor, choose_device, memory_errors, torch_threads
from lacuna.errors import WeightsNotFoundError
from lacuna.methods.cnn.showing import collect_shown, frame_of, show, tell
from lacuna.progress import note, report
from lacuna.sizing import resize, shrink
from lacuna.types import Aux, Explanation, FloatImage, Hole, OnStep

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class NetMethod:
    """A network with its weights on a device.

    Subclasses say which network (`NAME`), how large a picture its attention can bear (`LARGEST`, pixels; 0 is
    any), and `predict`.
    """

    NAME: ClassVar[str]
    LARGEST: ClassVar[int] = 0

    weights: str | None = field(
        default=None, metadata={"help": "a file, or a name from `lacuna weights list`; needed"}
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or mps"})
    precision: Precision = field(
        default="float32", metadata={"help": "of the convolutions; masks, attention and Fourier stay float32"}
    )

    def __post_init__(self) -> None:
        if self.weights is None:
            raise WeightsNotFoundError(
                f"method {self.NAME!r} needs weights and Lacuna brings none: pass --option weights=FILE, or "
                "lacuna weights add NAME FILE and then --option weights=NAME"
            )
        _ = self.net  # load once, and let errors come now

    @cached_property
    def net(self) -> nn.Module:
        """The network, loaded."""
        from lacuna.nets.loading import load

        place = choose_device(self.device)
        _, net = load(registry.find(self.weights or "", method=self.NAME), self.NAME)
        for module in net.modules():
            if not any(module.children()):
                module.register_forward_hook(_count)
        import torch

        # Channels last: at the published sizes up to a tenth faster on the CPU, and never slower.
        net.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return net

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """Return a (1, 3, H, W) prediction in 0 … 1.

        Parameters
        ----------
        image : (1, 3, H, W), 0 … 1, sides multiples of the network's, 0 under the mask.
        missing : (1, 1, H, W), 1 = missing.
        sketch : (1, 1, H, W) or None.
        """
        raise NotImplementedError

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        height, width = hole.shape
        shown = np.where(hole[..., None], np.float32(0), image)
        lines = aux.sketch
        scale = math.sqrt(self.LARGEST / (height * width)) if self.LARGEST else 1.0
        if scale < 1:
            note(f"{self.NAME} filled {width}×{height} pixels at {scale:.0%} of their size to spare memory")
            shown, small, lines = shrink(shown, hole, lines, scale)
        else:
            small = hole
        out = self._run(shown, small, lines, on_step)
        if scale < 1:
            out = resize(out, (height, width))
        if image.shape[2] == 1:
            out = out.mean(axis=2, keepdims=True)
        return np.where(hole[..., None], out, image)

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: what the network saw, what happened inside, what it predicted."""
        with collect_shown() as shown:
            fill = self.fill(image, hole, aux=aux, seed=seed, on_step=on_step)
        return Explanation(fill, tuple(shown.pictures.values()), tuple(shown.lines))

    def _run(
        self, image: FloatImage, hole: Hole, sketch: FloatImage | None, on_step: OnStep | None
    ) -> FloatImage:
        """Pad, predict and crop; in float32 once more if half precision overflows."""
        import torch

        height, width = hole.shape
        multiple = int(self.net.multiple)  # type: ignore[arg-type]
        colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        place = choose_device(self.device)
        frame_of(height, width)
        show("seen", lambda: colours, "What the network saw: the hole is empty.")
        inputs = [as_tensor(array, multiple, place) for array in (colours, hole[..., None], sketch)]
        where = f"method {self.NAME!r} on a frame of {width}×{height}"
        with _watched(self.net, on_step), torch_threads(), torch.inference_mode(), memory_errors(where):
            out, sound = self._predict(inputs, self.precision)
            if not sound:
                note(f"{self.precision} overflowed in {self.NAME}; filled again in float32")
                frame_of(height, width)
                out, _ = self._predict(inputs, "float32")
        array = out[0, :, :height, :width].permute(1, 2, 0).float().clamp(0, 1).cpu().numpy()  # (H, W, 3)
        show("prediction", lambda: array, "What the network predicted, before the known pixels are put back.")
        tell(lambda: _faithfulness(array, colours, hole))
        return np.ascontiguousarray(array)

    def _predict(self, inputs: list[Any], precision: Precision) -> tuple[Tensor, bool]:
        """Return the prediction, and whether half precision could hold it and all that led to it.

        A sigmoid makes white of an overflow, so the layers are asked too.
        """
        import torch

        image, hole, sketch = inputs
        if precision == "float32":
            return self.predict(self.net, image, hole, sketch), True
        with torch.autocast(image.device.type, dtype=getattr(torch, precision)), _checked_layers() as finite:
            out = self.predict(self.net, image, hole, sketch)
        finite.append(out.isfinite().all())
        return out, bool(torch.stack(finite).all())  # one wait for the device, not one a layer


def _faithfulness(made: FloatImage, seen: FloatImage, hole: Hole) -> str:
    off = 255 * np.abs(made - seen)[~hole]
    return f"Known pixels were predicted within {np.median(off):.0f} of 255 levels, half of them."


_local = threading.local()


def _count(module: Any, args: Any, output: Any) -> None:
    """Run after every layer: progress and overflow out, cancellation in."""
    step, finite = getattr(_local, "step", None), getattr(_local, "finite", None)
    if finite is not None:
        for part in output if isinstance(output, tuple) else (output,):
            if hasattr(part, "isfinite"):
                finite.append(part.isfinite().all())
    if step is not None:
        step()


@contextmanager
def _checked_layers() -> Iterator[list[Tensor]]:
    """Collect of every layer that runs in this thread whether its output is finite."""
    _local.finite = []
    try:
        yield _local.finite
    finally:
        _local.finite = None


@contextmanager
def _watched(net: nn.Module, on_step: OnStep | None) -> Iterator[None]:
    """Report after every layer that runs in this thread."""
    total = sum(1 for module in net.modules() if not any(module.children()))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report(on_step, min(done / total, 1.0), "predicting")

    _local.step = step
    try:
        yield
    finally:
        _local.step = None

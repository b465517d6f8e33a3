"""A look inside the networks while they run: pictures and sentences, made only if somebody collects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.drawing import DIRECTIONS, offset_map
from lacuna.sizing import resize
from lacuna.types import FloatImage, Illustration

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Shown:
    """What was collected.

    Parameters
    ----------
    pictures : by name; a run that is repeated in float32 replaces its pictures.
    lines : sentences.
    size : (height, width) of the frame without the padding that the network needs.
    """

    pictures: dict[str, Illustration] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)


_shown: ContextVar[Shown | None] = ContextVar("lacuna_shown", default=None)


@contextmanager
def collect_shown() -> Iterator[Shown]:
    """Collect what is shown and told inside the ``with`` block."""
    shown = Shown()
    token = _shown.set(shown)
    try:
        yield shown
    finally:
        _shown.reset(token)


def frame_of(height: int, width: int) -> None:
    """Begin a run on a frame of a size, so that padding can be cut off its pictures."""
    shown = _shown.get()
    if shown is not None:
        shown.size = height, width
        shown.lines.clear()


def show(name: str, make: Callable[[], FloatImage], caption: str) -> None:
    """Show a picture, (H, W, C), [0, 1]; without a collector it is not even made."""
    shown = _shown.get()
    if shown is not None:
        picture = np.asarray(make(), np.float32).clip(0, 1)
        shown.pictures[name] = Illustration(name, np.ascontiguousarray(picture), caption)


def show_tensor(name: str, tensor: Tensor, padded: Tensor, caption: str) -> None:
    """Show a (1, C, h, w) tensor in 0 … 1 of any size, C = 1 or 3, without the padding.

    Parameters
    ----------
    padded : what the network was given, (1, C, H, W); says how much of it is padding.
    """
    shown = _shown.get()
    if shown is None:
        return
    height, width = shown.size
    rows = max(1, round(height * tensor.shape[-2] / padded.shape[-2]))
    columns = max(1, round(width * tensor.shape[-1] / padded.shape[-1]))
    show(name, lambda: tensor[0, :, :rows, :columns].detach().float().permute(1, 2, 0).cpu().numpy(), caption)


def show_attention(shares: Tensor, image: Tensor, missing: Tensor) -> None:
    """Show where attention looked: an offset map, and the picture put together from the places it chose.

    Parameters
    ----------
    shares : (1, h, w, H, W); see `lacuna.nets.contextual_attention.contextual_attention`.
    image : (1, 3, H·n, W·n), 0 … 1.
    missing : (1, 1, H·n, W·n), 1 = missing.
    """
    shown = _shown.get()
    if shown is None:
        return
    height, width = shares.shape[-2:]
    step = image.shape[-1] // width
    best, chosen = shares[0].flatten(0, 1).float().max(0)  # (H, W) each
    rows, columns = np.divmod(chosen.cpu().numpy(), shares.shape[2])
    hole = missing[0, 0].unfold(0, step, step).unfold(1, step, step).amax((-1, -2)).cpu().numpy() > 0.5
    small = resize(image[0].float().permute(1, 2, 0).cpu().numpy(), (height, width))
    high, wide = -(-shown.size[0] // step), -(-shown.size[1] // step)
    offsets, full = offset_map(rows, columns, hole, small)
    show(
        "attention",
        lambda: offsets[:high, :wide],
        f"Where attention looked most, on every {step}th pixel: {DIRECTIONS}. The brighter, the farther; at "
        f"most {full * step:.0f} pixels.",
    )
    copied = np.where(hole[..., None], small[rows, columns], small)
    show(
        "attention-copied",
        lambda: copied[:high, :wide],
        "The same as colours: each missing place shows the place that attention looked at.",
    )
    sure = float(np.median(best.cpu().numpy()[hole])) if hole.any() else 0.0
    shown.lines.append(
        f"Half of the missing places took {sure:.0%} or more of their features from one place."
    )


def show_two_stages(out: Any, image: Tensor, missing: Tensor) -> None:
    """Show what is inside a `lacuna.nets.contextual_attention.TwoStageOutput`."""
    show_tensor(
        "coarse", (out.coarse + 1) / 2, image, "The first stage's rough guess; only its hole is used."
    )
    show_attention(out.shares, (out.coarse + 1) / 2 * missing + image * (1 - missing), missing)
    show_tensor("refined", (out.refined + 1) / 2, image, "The second stage's picture.")


def tell(make: Callable[[], str]) -> None:
    """Say a sentence; without a collector it is not even made."""
    shown = _shown.get()
    if shown is not None:
        shown.lines.append(make())

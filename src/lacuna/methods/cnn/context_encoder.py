"""`context-encoder`: an autoencoder of 128×128 pixels that sees the surroundings only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lacuna.methods.cnn.running import NetMethod
from lacuna.progress import note
from lacuna.sizing import resize, shrink
from lacuna.types import Aux, FloatImage, Hole, OnStep

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 128


@dataclass(frozen=True)
class ContextEncoder(NetMethod):
    """Predict the hole from a square twice its size, seen at 128×128 pixels.

    Notes
    -----
    The network has one size only. The square around the hole is resized to it and the prediction back, so
    holes wider than 64 pixels come out blurred. Beyond the picture the square is mirrored.

    References
    ----------
    .. [1] Pathak et al., CVPR 2016, arXiv:1604.07379.
    """

    NAME: ClassVar[str] = "context-encoder"

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`; image is 128×128. The prediction of a centre is put into its place."""
        out = (net(2 * image - 1, missing) + 1) / 2
        if out.shape[-1] == SIZE:
            return out  # type: ignore[no-any-return]
        whole = image.clone()
        whole[..., SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4] = out
        return whole

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        (top, left), side = square_around(hole)
        if side > SIZE:
            note(f"context-encoder sees {SIZE}×{SIZE} pixels: {side}×{side} were reduced to it")
        rows, columns = (
            _mirrored(start, side, length) for start, length in zip((top, left), hole.shape, strict=True)
        )
        part, missing = image[np.ix_(rows, columns)], hole[np.ix_(rows, columns)]
        shown = np.where(missing[..., None], np.float32(0), part)
        small, unknown, _ = shrink(shown, missing, None, SIZE / side)
        out = resize(self._run(small, unknown, None, on_step), (side, side))
        if image.shape[2] == 1:
            out = out.mean(axis=2, keepdims=True)
        filled = image.copy()
        y, x = np.nonzero(hole)
        filled[y, x] = out[y - top, x - left]
        return filled


def square_around(hole: Hole) -> tuple[tuple[int, int], int]:
    """Return top, left and side of the square whose inner half holds the hole; it may leave the picture.

    Examples
    --------
    >>> hole = np.zeros((9, 20), dtype=bool)
    >>> hole[2:4, 6:10] = True
    >>> square_around(hole)
    ((-1, 4), 8)
    """
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    longest = max(height, width)
    top = rows[0] - (longest - height) // 2 - (longest + 1) // 2
    left = columns[0] - (longest - width) // 2 - (longest + 1) // 2
    return (int(top), int(left)), int(2 * longest + longest % 2)


def _mirrored(start: int, count: int, length: int) -> NDArray[np.int64]:
    """Return indices of so many pixels from start on, mirrored at both ends of the picture."""
    turns = np.arange(start, start + count) % (2 * length)
    return np.where(turns < length, turns, 2 * length - 1 - turns)

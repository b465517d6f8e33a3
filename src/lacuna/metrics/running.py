"""Means over pictures, taken as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lacuna.errors import ImageError


class Summary(NamedTuple):
    """A mean over pictures.

    Parameters
    ----------
    mean : of the figure.
    pictures : how many.
    capped : of pictures that met the cap (PSNR of equal pictures) and so pull the mean towards it.
    """

    mean: float
    pictures: int
    capped: int


@dataclass
class Running:
    """The mean of a figure over pictures, one picture at a time; what processes saw apart can be merged.

    Parameters
    ----------
    figure : any function of this package that returns a float: `psnr`, `ssim`, a `Lpips`, ….
    cap : values at or above it are counted; give `PSNR_CAP` for PSNR.

    Examples
    --------
    >>> import numpy as np
    >>> from lacuna.metrics import PSNR_CAP, psnr
    >>> grey, running = np.full((4, 4, 1), 0.5), Running(psnr, cap=PSNR_CAP)
    >>> running.update(grey, grey)
    >>> running.update(grey, grey + 0.1)
    >>> mean, pictures, capped = running.compute()
    >>> round(mean, 6), pictures, capped
    (40.0, 2, 1)
    """

    figure: Callable[..., float]
    cap: float | None = None
    total: float = 0.0
    count: int = 0
    capped: int = 0

    def update(self, *args: Any, **keywords: Any) -> None:
        """Add one picture; the arguments are those of the figure."""
        value = self.figure(*args, **keywords)
        self.total += value
        self.count += 1
        self.capped += self.cap is not None and value >= self.cap

    def merge(self, other: Running) -> None:
        """Add what another one has seen."""
        self.total += other.total
        self.count += other.count
        self.capped += other.capped

    def compute(self) -> Summary:
        """Return the mean so far.

        Raises
        ------
        ImageError : no picture was seen.
        """
        if self.count == 0:
            raise ImageError("no picture was measured, so there is no mean")
        return Summary(self.total / self.count, self.count, self.capped)

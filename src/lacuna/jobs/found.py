"""What a job found, before anything is filled; and the fill, which is the same for all jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Unpack

from lacuna.image import Picture
from lacuna.inpainting import Inpainter, Result, RunOptions
from lacuna.types import Hole


@dataclass(frozen=True, eq=False)
class Found:
    """What a job is about to fill.

    Parameters
    ----------
    job : its name, as on the command line.
    picture : as it is to be filled: the one that was opened, or a new canvas that holds it in its new place.
    hole : (H, W) of that picture. True is missing. May be empty: nothing was found.
    words : sentences for people: what was found, where, how sure that is.
    facts : the same for machines, fit for JSON.
    feather : over how many pixels the fill is to fade out around the hole. Above 0 it changes known pixels.
    """

    job: str
    picture: Picture
    hole: Hole
    words: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    feather: float = 0.0

    @property
    def missing(self) -> int:
        """Number of missing pixels."""
        return int(self.hole.sum())

    def fill(
        self,
        method: str | Inpainter = "auto",
        *,
        device: str = "auto",
        options: Mapping[str, Any] | None = None,
        **how: Unpack[RunOptions],
    ) -> Result:
        """Fill what was found.

        Parameters
        ----------
        method : a name from `lacuna.list_methods`, or an `Inpainter` that is to be used again.
        device, options : for a method given by name.
        how : keywords of `Inpainter.run`.

        Returns
        -------
        The result. Where nothing was found its picture is a copy, and its notes say so.
        """
        if not isinstance(method, Inpainter):
            method = Inpainter(method, device=device, options=options)
        how.setdefault("feather", self.feather)
        return method.run(self.picture, self.hole, **how)

"""What a job found, before anything is filled; and the fill, which is the same for all jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from lacuna.image import Picture
from lacuna.inpainting import Inpainter, Result, RunOptions
from lacuna.masks import Mask
from lacuna.masks.doctor import examine
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
    opaque : what is filled becomes opaque, where the picture has alpha.
    drawn : somebody drew the hole; the notes of the fill then say what looks wrong with it.
    """

    job: str
    picture: Picture
    hole: Hole
    words: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    feather: float = 0.0
    opaque: bool = False
    drawn: bool = False

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
        result = method.run(self.picture, _Opaque(self.hole) if self.opaque else self.hole, **how)
        if self.drawn or not self.missing or self.hole.all():
            return result
        # Advice on how to draw a mask means nothing for the empty part of a canvas.
        advice = {str(finding) for finding in examine(self.picture, self.hole)}
        return replace(result, notes=tuple(note for note in result.notes if note not in advice))


@dataclass(frozen=True)
class _Opaque(Mask):
    """A hole that becomes opaque when it is filled."""

    wanted: Hole = field(compare=False, repr=False)

    def __str__(self) -> str:
        return "as found; it becomes opaque"

    def _takes_alpha(self) -> bool:
        return True

    def _draw(self, shape: tuple[int, int], picture: Picture | None = None) -> tuple[Hole, tuple[str, ...]]:
        return self.wanted.copy(), ()

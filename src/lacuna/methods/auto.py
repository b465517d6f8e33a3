"""`auto`: the method that suits the hole, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna import registry
from lacuna.progress import note
from lacuna.types import Aux, FloatImage, Hole, OnStep

THIN = 4.0
"""Holes whose pixels all lie within so many pixels of a known one are thin."""

FOR_THIN, FOR_THICK = "biharmonic", "patchmatch"


@dataclass(frozen=True)
class Auto:
    """Fill thin holes by a PDE and everything else by patches; say which and why in `Result.notes`."""

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        from lacuna.exemplar.stage import distance_to_known

        reach = float(np.max(distance_to_known(hole)))
        thin = reach <= THIN and aux.sources is None
        name = FOR_THIN if thin else FOR_THICK
        if thin:
            note(f"auto chose {name}: no missing pixel is more than {THIN:g} pixels from a known one")
        elif reach <= THIN:
            note(f"auto chose {name}: it is the one that copies from the given sources")
        else:
            note(f"auto chose {name}: the hole reaches {reach:.0f} pixels from its rim")
        return registry.create(name).fill(image, hole, aux=aux, seed=seed, on_step=on_step)

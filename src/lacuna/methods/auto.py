"""`auto`: the method that suits the hole, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna import registry
from lacuna.progress import note
from lacuna.types import Aux, FloatImage, Hole, OnStep

THIN = 2.0
"""Holes whose pixels all lie within so many pixels of a known one are thin.

On strokes in 15 photos of the dev split, `biharmonic` against `patchmatch`, LPIPS / hole PSNR: reach 2.0 px
.0077 / 27.7 against .0073 / 27.2; 2.8 px .0111 / 25.5 against .0097 / 25.2; 3.9 px .0147 / 24.0 against
.0122 / 23.9; 6.4 px .0277 / 21.9 against .0189 / 21.9. Telea and Navier-Stokes were behind both everywhere.
"""

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
        thin = reach <= THIN and aux.sources is None and aux.guide is None
        name = FOR_THIN if thin else FOR_THICK
        if thin:
            note(f"auto chose {name}: no missing pixel is more than {THIN:g} pixels from a known one")
        elif reach <= THIN:
            given = "copies from the given sources" if aux.guide is None else "follows the given guide"
            note(f"auto chose {name}: it is the one that {given}")
        else:
            note(f"auto chose {name}: the hole reaches {reach:.0f} pixels from its rim")
        return registry.create(name).fill(image, hole, aux=aux, seed=seed, on_step=on_step)

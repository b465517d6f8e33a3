"""`auto`: the method that suits the hole, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lacuna import registry
from lacuna.progress import note
from lacuna.types import Aux, Explainable, Explanation, FloatImage, Hole, OnStep

THIN = 2.0
"""Holes whose pixels all lie within so many pixels of a known one are thin.

On strokes in 15 photos of the dev split, `biharmonic` against `patchmatch`, LPIPS / hole PSNR: reach 2.0 px
.0077 / 27.7 against .0073 / 27.2; 2.8 px .0111 / 25.5 against .0097 / 25.2; 3.9 px .0147 / 24.0 against
.0122 / 23.9; 6.4 px .0277 / 21.9 against .0189 / 21.9. Telea and Navier-Stokes were behind both everywhere.
"""

FOR_THIN, FOR_THICK, FOR_BOUND = "biharmonic", "guided", "patchmatch"


@dataclass(frozen=True)
class Auto:
    """Fill thin holes by a PDE and everything else by a network and patches that follow it.

    Where sources or a guide are given, or no network can run, by patches alone. `Result.notes` say which and
    why.
    """

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        name, why = _choice(hole, aux)
        note(f"auto chose {name}: {why}")
        return registry.create(name).fill(image, hole, aux=aux, seed=seed, on_step=on_step)

    def explain(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> Explanation:
        """See `lacuna.types.Explainable`: the choice, and what the chosen method has to tell."""
        name, why = _choice(hole, aux)
        note(f"auto chose {name}: {why}")
        chosen, line = registry.create(name), f"auto chose {name}: {why}."
        if not isinstance(chosen, Explainable):
            fill = chosen.fill(image, hole, aux=aux, seed=seed, on_step=on_step)
            return Explanation(fill, (), (line, f"{name} solves one equation and has no steps to show."))
        told = chosen.explain(image, hole, aux=aux, seed=seed, on_step=on_step)
        return replace(told, lines=(line, *told.lines))


def _choice(hole: Hole, aux: Aux) -> tuple[str, str]:
    """Return the method for a hole, and why."""
    from lacuna.exemplar.stage import distance_to_known

    if aux.sources is not None:
        return FOR_BOUND, "it is the one that copies from the given sources"
    if aux.guide is not None:
        return FOR_BOUND, "it is the one that follows the given guide"
    reach = float(np.max(distance_to_known(hole)))
    if reach <= THIN:
        return FOR_THIN, f"no missing pixel is more than {THIN:g} pixels from a known one"
    why = f"the hole reaches {reach:.0f} pixels from its rim"
    missing = registry.get(FOR_THICK).missing()
    if missing is not None:
        return FOR_BOUND, f"{why}, and {FOR_THICK} cannot run here: {missing}"
    return FOR_THICK, why

"""`biharmonic`: the thin plate as a method."""

from __future__ import annotations

from dataclasses import dataclass, field

from lacuna.errors import OptionError
from lacuna.types import Aux, FloatImage, Hole, OnStep


@dataclass(frozen=True)
class Biharmonic:
    """Fill a hole with the smoothest surface that continues values and slopes.

    It invents no texture: scratches, gradients, depth maps and measured fields are its work. See
    `lacuna.multigrid.fill_biharmonic` for the equation and how it differs from scikit-image's.

    References
    ----------
    .. [1] Chui & Mhaskar, MRA Contextual-Recovery Extension of Smooth Functions on Manifolds, Appl. Comput.
       Harmon. Anal. 28, 2010, doi:10.1016/j.acha.2009.04.004.
    """

    clamp: bool = field(
        default=True,
        metadata={"help": "keep the fill between the darkest and the brightest known value next to the hole"},
    )
    tolerance: float = field(
        default=1e-4, metadata={"help": "largest error, as a share of the range of values next to the hole"}
    )

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 < self.tolerance <= 0.1:
            raise OptionError(
                f"option 'tolerance' of method 'biharmonic' is {self.tolerance}; expected a number above 0, "
                "at most 0.1"
            )

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        from lacuna.multigrid import fill_biharmonic  # numba loads here, not on import

        return fill_biharmonic(image, hole, clamp=self.clamp, tolerance=self.tolerance, on_step=on_step)

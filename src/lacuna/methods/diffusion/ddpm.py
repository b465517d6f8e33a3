"""`ddpm`: a denoising net that is shown the known pixels at every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from lacuna.errors import OptionError
from lacuna.methods.diffusion.pixels import PixelMethod

if TYPE_CHECKING:
    from lacuna.diffusion.sampling import Step
    from lacuna.methods.diffusion.sampler import Condition


@dataclass(frozen=True)
class Ddpm(PixelMethod):
    """Draw the hole from noise, with the known pixels put into every step.

    Notes
    -----
    With ``replacement`` the hole does not know how the known pixels will turn out, and seams stay however
    many steps are taken; `repaint` mends that. ``null-space`` is DDNM. A net that was trained with the mask
    as a further input needs neither and is told what is known.

    References
    ----------
    .. [1] Ho, Jain & Abbeel, Denoising Diffusion Probabilistic Models, NeurIPS 2020.
    .. [2] Song et al., Score-Based Generative Modeling through SDEs, ICLR 2021, appendix I.2: replacement.
    .. [3] Wang, Yu & Zhang, Zero-Shot Image Restoration Using DDNM, ICLR 2023, arXiv:2212.00490.
    """

    NAME: ClassVar[str] = "ddpm"

    steps: int = field(default=100, metadata={"help": "times of the schedule, 1 to those of the training"})
    known: Literal["replacement", "null-space"] = field(
        default="replacement", metadata={"help": "how known pixels take part"}
    )
    solver: Literal["ancestral", "ddim", "multistep"] = field(
        default="ancestral", metadata={"help": "the step; ddim and multistep make do with few"}
    )

    def check(self) -> None:
        """See `PixelMethod.check`."""
        if self.steps < 1:
            raise OptionError(f"option 'steps' of method 'ddpm' is {self.steps}; expected 1 or more")

    @property
    def count(self) -> int:
        """See `PixelMethod.count`."""
        return self.steps

    def condition(self) -> Condition:
        """See `PixelMethod.condition`."""
        from lacuna.diffusion import NullSpace, Replacement

        return NullSpace if self.known == "null-space" else Replacement

    def step(self) -> Step | None:
        """See `PixelMethod.step`."""
        from lacuna.diffusion.sampling import STEPS

        return STEPS[self.solver]()

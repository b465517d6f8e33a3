"""`repaint`: the same net as `ddpm`, going back again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from lacuna.errors import OptionError
from lacuna.methods.diffusion.pixels import PixelMethod

if TYPE_CHECKING:
    from lacuna.methods.diffusion.sampler import Condition


class Setting(NamedTuple):
    """Steps of the schedule, steps of one way back, and times that each stretch is denoised."""

    steps: int
    jump: int
    resample: int


PRESETS = {"paper": Setting(250, 10, 10), "fast": Setting(50, 5, 5)}
"""``paper`` calls the net 2,410 times, ``fast`` 230 times; chosen by benchmarks/repaint.py."""


@dataclass(frozen=True)
class RePaint(PixelMethod):
    """Draw the hole from noise, and go back so that it can take to the known pixels.

    Raises
    ------
    OptionError : a jump longer than the schedule, a number below 1.

    References
    ----------
    .. [1] Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic Models, CVPR 2022,
       arXiv:2201.09865, algorithm 1 and appendix B.
    """

    NAME: ClassVar[str] = "repaint"

    preset: Literal["paper", "fast"] = field(
        default="fast", metadata={"help": "steps, jump and resample, where they are not given"}
    )
    steps: int | None = field(default=None, metadata={"help": "times of the schedule; auto: the preset's"})
    jump: int | None = field(default=None, metadata={"help": "steps of one way back, 1 to steps"})
    resample: int | None = field(
        default=None, metadata={"help": "times that each stretch is denoised; 1 never goes back"}
    )

    known: Literal["replacement", "null-space"] = field(
        default="replacement", metadata={"help": "how known pixels take part; null-space is DDNM, going back"}
    )

    @property
    def setting(self) -> Setting:
        """What applies: what is given, else the preset's."""
        preset = PRESETS[self.preset]
        given = (self.steps, self.jump, self.resample)
        return Setting(*(a if b is None else b for a, b in zip(preset, given, strict=True)))

    def check(self) -> None:
        """See `PixelMethod.check`."""
        setting = self.setting
        for name, value in setting._asdict().items():
            if value < 1:
                raise OptionError(f"option {name!r} of method 'repaint' is {value}; expected 1 or more")
        if setting.jump > setting.steps:
            raise OptionError(
                f"option 'jump' of method 'repaint' is {setting.jump}; expected at most the {setting.steps} "
                "steps of the schedule"
            )

    @property
    def count(self) -> int:
        """See `PixelMethod.count`."""
        return self.setting.steps

    def condition(self) -> Condition:
        """See `PixelMethod.condition`."""
        from lacuna import diffusion

        kind = diffusion.NullSpace if self.known == "null-space" else diffusion.RePaint
        return partial(kind, jump=self.setting.jump, resample=self.setting.resample)

"""`partial-conv`: a U-Net that convolves valid pixels only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lacuna.methods.cnn.running import NetMethod
from lacuna.methods.cnn.showing import show_tensor, tell
from lacuna.progress import note

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PartialConv(NetMethod):
    """Predict the hole by a U-Net whose hole shrinks from level to level.

    References
    ----------
    .. [1] Liu et al., ECCV 2018, arXiv:1804.07723.
    """

    NAME: ClassVar[str] = "partial-conv"

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`; in the network's own convention 1 is valid."""
        from lacuna.nets.partial_conv import DEVIATION, MEAN

        mean, deviation = (image.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        out = net((image - mean) / deviation, 1 - missing)
        for level, mask in enumerate(out.masks):
            caption = f"Level {level}, 1/{2**level} of the size: white has seen a known pixel, black has not."
            show_tensor(f"mask-{level}", mask, image, caption)
        tell(
            lambda: "Open at each level: " + ", ".join(f"{1 - float(m.mean()):.1%}" for m in out.masks) + "."
        )
        closed = next((i for i, mask in enumerate(out.masks) if bool((mask > 0).all())), None)
        if closed is None:
            note(f"partial-conv: the hole is still open after {len(out.masks) - 1} levels; it is very large")
        else:
            note(f"partial-conv: the hole closed at level {closed} of {len(out.masks) - 1}")
        return out.image * deviation + mean  # type: ignore[no-any-return]

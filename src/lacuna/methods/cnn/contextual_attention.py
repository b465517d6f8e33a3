"""`contextual-attention`: a coarse guess, refined by copies of known features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lacuna.methods.cnn.running import NetMethod
from lacuna.methods.cnn.showing import show_two_stages

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ContextualAttention(NetMethod):
    """Predict the hole coarsely, then refine it with copies of known features.

    References
    ----------
    .. [1] Yu et al., CVPR 2018, arXiv:1801.07892.
    """

    NAME: ClassVar[str] = "contextual-attention"
    LARGEST: ClassVar[int] = (
        128 * 8 * 128 * 8
    )  # attention compares 128² places with one another: about 1 GB a copy

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`."""
        out = net(2 * image - 1, missing)
        show_two_stages(out, image, missing)
        return (out.refined + 1) / 2  # type: ignore[no-any-return]

"""`pen-net`: attention carried from deep to shallow levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lacuna.methods.cnn.running import NetMethod
from lacuna.methods.cnn.showing import show_tensor

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PenNet(NetMethod):
    """Predict the hole by a pyramid whose deep levels say what shallow ones copy.

    References
    ----------
    .. [1] Zeng et al., CVPR 2019, arXiv:1904.07475.
    """

    NAME: ClassVar[str] = "pen-net"
    LARGEST: ClassVar[int] = (
        128 * 4 * 128 * 4
    )  # attention compares 128² places with one another: about 1 GB a copy

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`."""
        out = net(2 * image - 1, missing)
        for level, picture in reversed(list(enumerate(out.pyramid, 1))):
            caption = f"The prediction at 1/{2**level} of the size."
            show_tensor(f"level-{level}", (picture + 1) / 2, image, caption)
        return (out.image + 1) / 2  # type: ignore[no-any-return]

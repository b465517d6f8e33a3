"""`gated-conv`: a two-stage network of gated convolutions, guided by a sketch if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lacuna.methods.cnn.running import NetMethod
from lacuna.methods.cnn.showing import show_two_stages
from lacuna.progress import note

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GatedConv(NetMethod):
    """Predict the hole twice, coarsely and then with contextual attention, by gated convolutions.

    References
    ----------
    .. [1] Yu et al., ICCV 2019, arXiv:1806.03589.
    """

    NAME: ClassVar[str] = "gated-conv"
    LARGEST: ClassVar[int] = (
        128 * 8 * 128 * 8
    )  # attention compares 128² places with one another: about 1 GB a copy

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`."""
        if sketch is not None and not net.sketch:
            note("gated-conv: these weights have no sketch channel; the sketch was ignored")
        out = net(2 * image - 1, missing, sketch)
        show_two_stages(out, image, missing)
        return (out.refined + 1) / 2  # type: ignore[no-any-return]

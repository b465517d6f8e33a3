"""`lama`: large masks by Fourier convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lacuna.methods.cnn.running import NetMethod

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LargeMask(NetMethod):
    """Predict the hole by a residual network of Fourier (or dilated) convolutions.

    References
    ----------
    .. [1] Suvorov et al., WACV 2022, arXiv:2109.07161.
    """

    NAME: ClassVar[str] = "lama"

    def predict(self, net: Any, image: Tensor, missing: Tensor, sketch: Tensor | None) -> Tensor:
        """See `NetMethod.predict`."""
        return net(image, missing)  # type: ignore[no-any-return]

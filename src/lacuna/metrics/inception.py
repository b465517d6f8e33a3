"""The features that FID and KID are named after."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import MissingDependencyError, WeightsNotFoundError
from lacuna.metrics._inputs import check_picture
from lacuna.types import FloatImage

STANDARD = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""sha256 of ``pt_inception-2015-12-05-6726825d.pth``, whose name holds its beginning."""


class Inception:
    """Inception v3 as FID uses it: pictures in, 2048 features out, for `frechet_distance` and its like.

    Parameters
    ----------
    weights : a file of yours with the public layout of ``pt_inception-2015-12-05`` (``.pth`` or safetensors);
        nothing is downloaded.

    Attributes
    ----------
    path, sha256 : of the weights.
    standard : whether the file is the public one, byte for byte; other files may hold the same numbers, but
        that is for their owner to say.

    Raises
    ------
    MissingDependencyError : torch or safetensors is not installed.
    WeightsNotFoundError, WeightsError : no such file, or not such weights.

    References
    ----------
    .. [1] Heusel et al., GANs Trained by a Two Time-Scale Update Rule …, NeurIPS 2017, arXiv:1706.08500.
    """

    def __init__(self, weights: str | os.PathLike[str]) -> None:
        self.path = Path(weights)
        if not self.path.is_file():
            raise WeightsNotFoundError(f"no Inception weights at {self.path}")
        try:
            from lacuna.metrics import inception_net
        except ImportError as error:
            raise MissingDependencyError(
                f"Inception needs {error.name}, which is not installed: pip install 'lacuna[torch]'"
            ) from error
        self._torch = inception_net
        self._net = inception_net.Net(self.path)
        with self.path.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.standard = self.sha256 == STANDARD

    @property
    def title(self) -> str:
        """What is to be printed beside figures over these features."""
        return "the standard Inception weights" if self.standard else "Inception weights of the user"

    def features(self, image: FloatImage) -> NDArray[np.float64]:
        """Return the pooled features, ``(2048,)``.

        Parameters
        ----------
        image : (H, W, C), [0, 1], any size; it is resized to 299 × 299 as TensorFlow did. Grey is tripled.

        Raises
        ------
        ImageError : not a picture.
        """
        check_picture(image)
        found = self._net.features(self._torch.to_tensor(image))[0]
        return np.asarray(found.numpy(), dtype=np.float64)

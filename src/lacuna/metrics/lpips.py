"""LPIPS: how different two pictures look to a trained net."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, MissingDependencyError, WeightsNotFoundError
from lacuna.metrics._inputs import check_pair, check_picture
from lacuna.types import FloatImage

SHARED_VARIABLE = "LACUNA_SHARED"
LEAST_SIDE = 32


def find_lpips_weights(weights: str | os.PathLike[str] | None = None, *, net: str = "squeeze") -> Path:
    """Return the file that holds LPIPS weights.

    Parameters
    ----------
    weights : a file; None looks for ``metrics/lpips_NET.safetensors`` in the folder that the environment
        variable LACUNA_SHARED names.
    net : ``squeeze``, ``alex`` or ``vgg``.

    Raises
    ------
    WeightsNotFoundError : there is none; nothing is downloaded.
    """
    if weights is not None:
        path = Path(weights)
        if not path.is_file():
            raise WeightsNotFoundError(f"no LPIPS weights at {path}")
        return path
    shared = os.environ.get(SHARED_VARIABLE)
    found = Path(shared) / "metrics" / f"lpips_{net}.safetensors" if shared else None
    if found is None or not found.is_file():
        where = f"{found} does not exist" if found else f"{SHARED_VARIABLE} is not set"
        raise WeightsNotFoundError(f"no LPIPS weights: {where}; name a safetensors file")
    return found


class Lpips:
    """The learned perceptual distance of two pictures; less is better, 0 = alike.

    Parameters
    ----------
    weights : safetensors file with the backbone (``features.N.*``, as torchvision names them) and the heads
        (``linN.weight``); squeeze, alex and vgg are told apart by their layers. None: see
        `find_lpips_weights`.

    Attributes
    ----------
    net : ``squeeze``, ``alex`` or ``vgg``. **Figures of different nets do not compare.**
    path, sha256 : of the weights.

    Raises
    ------
    MissingDependencyError : torch or safetensors is not installed.
    WeightsNotFoundError, WeightsError : no such file, or not such weights.

    References
    ----------
    .. [1] Zhang, Isola, Efros, Shechtman & Wang, The Unreasonable Effectiveness of Deep Features as a
       Perceptual Metric, CVPR 2018, arXiv:1801.03924, eq. 1; version 0.1 of the authors' heads.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None) -> None:
        self.path = find_lpips_weights(weights)
        try:
            from lacuna.metrics import lpips_net
        except ImportError as error:
            raise MissingDependencyError(
                f"LPIPS needs {error.name}, which is not installed: pip install 'lacuna[torch]'"
            ) from error
        self._torch = lpips_net
        self._net = lpips_net.Net(self.path)
        self.net = self._net.name
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()

    def __call__(self, image: FloatImage, truth: FloatImage) -> float:
        """Return the distance of two pictures.

        Parameters
        ----------
        image, truth : (H, W, C), [0, 1], both sides 32 or more. Grey pictures are tripled.

        Raises
        ------
        ImageError : shapes that do not fit.
        """
        check_pair(image, truth)
        _check_side(image)
        a, b = self._torch.to_tensor(image), self._torch.to_tensor(truth)
        return float(self._net.distances(a, b)[0])

    def features(self, image: FloatImage) -> NDArray[np.float64]:
        """Return the mean of the last feature map, ``(D,)``: features for `kernel_distance` and its like.

        They are those of this net, not of Inception: distances over them are no FID and no KID.

        Parameters
        ----------
        image : (H, W, C), [0, 1], both sides 32 or more.
        """
        check_picture(image)
        _check_side(image)
        pooled = self._net.pooled(self._torch.to_tensor(image))[0]
        return np.asarray(pooled.numpy(), dtype=np.float64)


def _check_side(image: FloatImage) -> None:
    height, width = image.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise ImageError(
            f"LPIPS needs sides of {LEAST_SIDE} pixels or more; the picture is {width} × {height}"
        )

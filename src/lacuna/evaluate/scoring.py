"""From a fill's file to its figures."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from lacuna import metrics
from lacuna.errors import ImageError, LacunaError, MissingDependencyError, WeightsError
from lacuna.image import Picture, open_image
from lacuna.masks import to_hole
from lacuna.types import FloatImage, Hole


class Scorer:
    """The figures that can be computed here; made before the run starts, so that it can say which cannot.

    Parameters
    ----------
    lpips : safetensors file; None looks where `lacuna.metrics.find_lpips_weights` does.
    inception : weights of the Inception v3 of FID; None does without.

    Attributes
    ----------
    figures : names, as in `lacuna.metrics.FACTS`.
    skipped : figure → why it is left out.
    lpips : net, file name and sha256 of the weights, or None.
    nets : by name, those whose features the figures of sets are of.
    features : the same names → title, file name and sha256.
    """

    def __init__(
        self,
        lpips: str | os.PathLike[str] | None = None,
        inception: str | os.PathLike[str] | None = None,
    ) -> None:
        self.nets: dict[str, metrics.Lpips | metrics.Inception] = {}
        self.features: dict[str, dict[str, str]] = {}
        self.skipped: dict[str, str] = {}
        self.lpips: dict[str, str] | None = None
        self._lpips: metrics.Lpips | None = None
        self._lock = threading.Lock()
        try:
            self._lpips = metrics.Lpips(lpips)
            self.lpips = {
                "net": self._lpips.net,
                "file": self._lpips.path.name,
                "sha256": self._lpips.sha256,
            }
            self._add(f"lpips-{self._lpips.net}", self._lpips, f"LPIPS's {self._lpips.net}")
        except (MissingDependencyError, WeightsError) as error:
            if lpips is not None:  # asked for by name: no silent fallback
                raise
            self.skipped["lpips"] = str(error)
        if inception is not None:
            net = metrics.Inception(inception)
            self._add("inception", net, f"Inception v3, {net.title}")
        self.figures = [name for name in metrics.FACTS if name not in self.skipped]

    def _add(self, name: str, net: metrics.Lpips | metrics.Inception, title: str) -> None:
        self.nets[name] = net
        self.features[name] = {"title": title, "file": net.path.name, "sha256": net.sha256}

    @property
    def left_out(self) -> list[str]:
        """Return what is to be said of the figures that are skipped."""
        said = [f"{figure} is left out: {why}" for figure, why in self.skipped.items()]
        if not self.nets:
            said.append("figures of sets are left out: no LPIPS or Inception weights give them features")
        return said

    def read(self, image: Path, mask: Path, fill: Path) -> tuple[FloatImage, FloatImage, Hole]:
        """Return a fill, its original and the hole.

        Known pixels are taken from the original, so that a method's figures are those of its fill.

        Raises
        ------
        ImageError, MaskError : unreadable, or no truth to compare with.
        """
        picture = open_image(image)
        hole, _ = to_hole(mask, picture.shape, picture=picture)
        truth = _unit_range(picture, image)
        filled = _unit_range(open_image(fill), fill)
        if filled.shape != truth.shape:
            raise ImageError(f"{fill} is {filled.shape} and the original {truth.shape}")
        return np.where(hole[..., None], filled, truth), truth, hole

    def score(
        self, filled: FloatImage, truth: FloatImage, hole: Hole
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Return the figures of a fill, and why single ones are missing (a picture too small)."""
        figures: dict[str, float] = {}
        absent: dict[str, str] = {}
        for name in self.figures:
            try:
                figures[name] = round(self._figure(name, filled, truth, hole), 6)
            except LacunaError as error:
                absent[name] = str(error)
        return figures, absent

    def _figure(self, name: str, filled: FloatImage, truth: FloatImage, hole: Hole) -> float:
        if name == "lpips" and self._lpips is not None:
            with self._lock:  # torch brings threads of its own
                return self._lpips(filled, truth)
        if name == "seam":
            return metrics.seam(filled, hole)
        if name == "tv_excess":
            return metrics.total_variation(filled, hole) - metrics.total_variation(truth, hole)
        figure: Any = getattr(metrics, name.removesuffix("_hole"))
        return float(figure(filled, truth, hole) if name.endswith("_hole") else figure(filled, truth))


def _unit_range(picture: Picture, path: Path) -> FloatImage:
    """Return values in [0, 1] by the depth alone: the same scale for the truth and every fill."""
    pixels = picture.colour
    if pixels.dtype.kind in ("b", "u"):
        top = np.float32(1 if pixels.dtype == np.bool_ else np.iinfo(pixels.dtype).max)
        return pixels.astype(np.float32) / top
    if pixels.dtype.kind == "f" and np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1:
        return pixels.astype(np.float32)
    raise ImageError(f"{path}: figures need unsigned integers or floats in [0, 1]; it is {pixels.dtype}")

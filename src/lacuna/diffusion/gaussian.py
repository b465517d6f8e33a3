"""Pictures of which everything is known: a Gaussian, its perfect denoiser, and its conditionals.

A way of conditioning that is right must give the conditional's mean and covariance here; what it is off by is
its own error, since the denoiser has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lacuna.diffusion.denoisers import Denoiser, Prediction
from lacuna.diffusion.schedules import Schedule
from lacuna.types import Hole


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal distribution over rows of D pixels, as tensors (B, 1, 1, D).

    Parameters
    ----------
    mean : (D,). covariance : (D, D), symmetric, without negative eigenvalues.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @staticmethod
    def correlated(size: int = 6, correlation: float = 0.8, deviation: float = 0.4) -> Gaussian:
        """Return one whose pixels resemble their neighbours: correlation ``correlation ** distance``."""
        place = np.arange(size)
        distance = np.abs(place[:, None] - place)
        return Gaussian(np.linspace(-0.3, 0.3, size), deviation**2 * correlation**distance)

    def given(self, known: NDArray[np.float64], hole: Hole) -> Gaussian:
        """Return the distribution of rows whose known pixels are known.

        Parameters
        ----------
        known : (D,). What lies in the hole is ignored.
        hole : (D,). True is missing.
        """
        inside, outside = np.ix_(hole, hole), np.ix_(~hole, ~hole)
        gain = self.covariance[np.ix_(hole, ~hole)] @ np.linalg.inv(self.covariance[outside])
        mean, covariance = np.where(hole, 0, known), np.zeros_like(self.covariance)
        mean[hole] = self.mean[hole] + gain @ (known - self.mean)[~hole]
        covariance[inside] = self.covariance[inside] - gain @ self.covariance[np.ix_(~hole, hole)]
        return Gaussian(mean, covariance)

    def denoiser(self, schedule: Schedule) -> Denoiser:
        """Return the exact denoiser, E[x₀ | x], which is linear in x."""
        mean = torch.from_numpy(self.mean)

        def denoise(x: Tensor, time: int) -> Prediction:
            left = schedule.at(time)
            noisy = left * self.covariance + (1 - left) * np.eye(len(self.mean))
            gain = torch.from_numpy(math.sqrt(left) * np.linalg.solve(noisy, self.covariance))
            return Prediction(mean + (x - math.sqrt(left) * mean) @ gain)

        return denoise

    def errors(self, rows: Tensor, where: Hole | None = None) -> tuple[float, float]:
        """Return how far the mean and the covariance of samples are off, in standard errors.

        Parameters
        ----------
        rows : (B, 1, 1, D). where : (D,), the pixels that count; None is all.

        Returns
        -------
        Root mean squares over pixels and over pairs of pixels; about 1 when nothing but chance is at work.
        """
        where = np.ones(len(self.mean), dtype=np.bool_) if where is None else where
        x = rows.reshape(len(rows), -1).numpy()[:, where]
        true = self.covariance[np.ix_(where, where)]
        variance = np.diag(true)
        mean = (x.mean(axis=0) - self.mean[where]) / np.sqrt(variance / len(x))
        spread = np.sqrt((true**2 + np.outer(variance, variance)) / (len(x) - 1))
        covariance = (np.cov(x.T).reshape(true.shape) - true) / spread
        return float(np.sqrt((mean**2).mean())), float(np.sqrt((covariance**2).mean()))

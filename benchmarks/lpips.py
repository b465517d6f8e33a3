"""LPIPS (squeeze) with the weights of the shared folder; run as a script, it checks the witness."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from splits import shared_folder

from lacuna.metrics import Lpips

WITNESS = 0.1005
"""What the reference implementations give for the seeded noise of `witness`, to the printed precision."""


@functools.lru_cache(maxsize=1)
def network() -> Lpips:
    """Return the network, loading it at the first call."""
    return Lpips(shared_folder() / "metrics" / "lpips_squeeze.safetensors")


def lpips(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the LPIPS (squeeze) distance of two pictures ``(H, W, 1 or 3)`` in [0, 1]; 0 = alike."""
    return network()(a, b)


def witness() -> float:
    """Return the mean distance of two seeded batches of noise; it should round to `WITNESS`.

    Raises
    ------
    RuntimeError : the network computes something else than the reference implementations.
    """
    import torch

    torch.manual_seed(42)
    a, b = (torch.rand(10, 3, 100, 100).permute(0, 2, 3, 1).numpy() for _ in range(2))
    value = float(np.mean([lpips(x, y) for x, y in zip(a, b, strict=True)]))
    if abs(value - WITNESS) > 1e-4:
        raise RuntimeError(f"LPIPS of the seeded noise is {value:.5f}; the reference gives {WITNESS}")
    return value


if __name__ == "__main__":
    print(f"LPIPS witness: {witness():.5f} (reference {WITNESS})")

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from lacuna.train import recipe as recipes  # noqa: E402
from lacuna.train.recipe import Recipe  # noqa: E402

Tiny = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten smooth pictures, 48×40."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(3)
    for i in range(10):
        small = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i:02d}.png"), cv2.resize(small, (48, 40), interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture
def tiny(photos: Path) -> Tiny:
    """Return a recipe with a critic that takes a step in milliseconds; dotted keys override."""

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "net": {"kind": "guide", "options": {"width": 4, "blocks": 1}},
            "critic": {"kind": "guide", "options": {"width": 4}},
            "data": {"path": str(photos), "batch": 2, "sizes": [[0, 16]], "holes": {"wide": 1, "boxes": 1}},
            "losses": {"hole": 1.0, "valid": 0.1, "adversarial": 0.1, "matching": 1.0},
            "run": {
                "device": "cpu",
                "threads": 1,
                "budget": "8",
                "checkpoint_minutes": 0,
                "sheet_minutes": 0,
            },
        }
        for key, value in changes.items():
            *parents, last = key.split("__")
            at = values
            for parent in parents:
                at = at.setdefault(parent, {})
            at[last] = value
        return recipes.parse(values)

    return make

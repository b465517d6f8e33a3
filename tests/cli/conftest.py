from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import main


@dataclass(frozen=True)
class Scene:
    """A folder with a picture, its mask, and what they hold."""

    folder: Path
    picture: np.ndarray
    hole: np.ndarray

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def read(self, name: str) -> np.ndarray:
        with Image.open(self.folder / name) as picture:
            return np.asarray(picture)

    @property
    def files(self) -> set[str]:
        return {entry.name for entry in self.folder.iterdir()}


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; fails where there is anything else."""
        return json.loads(self.out)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    rows, columns = np.indices((40, 56))
    picture = np.stack([4 * rows + columns, 3 * columns, 200 - rows], axis=-1).astype(np.uint8)
    hole = np.zeros((40, 56), dtype=bool)
    hole[12:22, 20:34] = True
    Image.fromarray(picture).save(tmp_path / "photo.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return Scene(tmp_path, picture, hole)


@pytest.fixture
def large_scene(tmp_path: Path) -> Scene:
    """A scene with room for `auto` to try methods in."""
    rng = np.random.default_rng(4)
    y, x = np.indices((360, 460)) / 30
    picture = np.stack([np.sin(x + y), np.cos(x - y), np.sin(2 * x)], -1) * 50 + 128
    picture = np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    hole = np.zeros((360, 460), dtype=bool)
    hole[110:250, 130:330] = True
    Image.fromarray(picture).save(tmp_path / "photo.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return Scene(tmp_path, picture, hole)


@pytest.fixture
def lacuna(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command line in this process."""

    def run(*args: Any) -> Ran:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run

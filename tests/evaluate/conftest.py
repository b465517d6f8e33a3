"""A folder of pictures and masks, and methods that misbehave in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna import registry

PLUGIN = """
import dataclasses, os, signal, subprocess, sys, time
import numpy as np
from lacuna.registry import MethodSpec

@dataclasses.dataclass(frozen=True)
class Grey:
    level: float = 0.5
    def fill(self, image, hole, *, aux, seed, on_step=None):
        print("methods may print")
        with open(os.environ["LACUNA_TEST_COUNT"], "a") as stream:
            stream.write("x")
        return np.full_like(image, self.level)

class Broken:
    def __init_subclass__(cls):
        dataclasses.dataclass(frozen=True)(cls)

class Trip(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        if image.shape[1] == 70:  # the second picture
            raise ZeroDivisionError("tripped")
        return image

class Crash(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        os.kill(os.getpid(), signal.SIGKILL)

class Hang(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        if image.shape[1] == 60:  # the first picture
            time.sleep(60)
        return image

class Peek(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        return image  # whatever lies under the hole

class Hoard(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        if image.shape[1] == 60:  # the first picture
            kept = [np.ones(20_000_000) for _ in range(4)]  # 640 MB
            time.sleep(20)
        return image

class Parent(Broken):
    def fill(self, image, hole, *, aux, seed, on_step=None):
        code = "import time; kept = bytearray(b'x') * 700_000_000; time.sleep(20)"
        child = subprocess.Popen([sys.executable, "-c", code])
        with open(os.environ["LACUNA_TEST_COUNT"], "a") as stream:
            stream.write(f"{child.pid} ")
        child.wait()
        return image

def absent():
    return "install the thing"

def spec(name, cls, **facts):
    return MethodSpec(name=name, family="test", summary="", factory=f"lacuna_eval_plugin:{cls}", **facts)

CLASSES = ("Grey", "Trip", "Crash", "Hang", "Peek", "Hoard", "Parent")
SPECS = {name.lower(): spec(name.lower(), name) for name in CLASSES}
SPECS["absent"] = spec("absent", "Grey", probe="lacuna_eval_plugin:absent")
"""
NAMES = ("grey", "trip", "crash", "hang", "peek", "hoard", "parent", "absent")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a plug-in, for this process and for workers; give the file that counts Grey's fills."""
    registry.list_methods()  # read the catalogue before the plug-in can be found: it must not stay
    before = dict(registry._specs)
    folder = tmp_path / "site"
    facts = folder / "lacuna_eval_plugin-1.dist-info"
    facts.mkdir(parents=True)
    (folder / "lacuna_eval_plugin.py").write_text(PLUGIN + "".join(f"{n}_ = SPECS['{n}']\n" for n in NAMES))
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lacuna-eval-plugin\nVersion: 1\n")
    lines = [f"{n} = lacuna_eval_plugin:{n}_" for n in NAMES]
    (facts / "entry_points.txt").write_text("[lacuna.methods]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(folder))
    source = str(Path(registry.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), source]))
    count = tmp_path / "count"
    count.touch()
    monkeypatch.setenv("LACUNA_TEST_COUNT", str(count))
    monkeypatch.delenv("LACUNA_SHARED", raising=False)
    import lacuna_eval_plugin  # type: ignore[import-not-found]

    for spec in lacuna_eval_plugin.SPECS.values():
        registry.register(spec)
    yield count
    registry._specs.clear()
    registry._specs.update(before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a folder with images/ (three pictures) and masks/{big,small}/."""
    rng = np.random.default_rng(5)
    for index, width in enumerate((60, 70, 80)):
        y, x = np.mgrid[:50, :width]
        picture = np.stack([4 * y, 2 * x, 100 + 20 * ((x // 4 + y // 4) % 2)], axis=2) + rng.integers(0, 9)
        hole = np.zeros((50, width), dtype=bool)
        hole[10 : 24 + index, 20:34] = True
        wide = hole.copy()
        wide[30:, 5:50] = True
        save(tmp_path / f"data/images/p{index}.png", picture.astype(np.uint8))
        save(tmp_path / f"data/masks/small/p{index}.png", hole)
        save(tmp_path / f"data/masks/big/p{index}.png", wide)
    return tmp_path / "data"


def save(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)

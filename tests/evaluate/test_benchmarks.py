"""What the scripts in benchmarks/ keep and what they try again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lacuna.evaluate.pool import Limits

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="benchmarks/ is not beside the tests")
GIB = 1 << 30


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import them as they import one another: by name, from their folder."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    import runners
    import sizes

    yield SimpleNamespace(runners=runners, sizes=sizes)
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_rival_that_ran_out_of_time_is_tried_again_with_more(scripts: Any, tmp_path: Path) -> None:
    asked: list[float] = []

    def fill(example: Any, limit: float) -> Any:
        asked.append(limit)
        raise scripts.runners.RivalError(f"took more than {limit:.0f} s")

    runner = SimpleNamespace(label="slow", name="slow", key=lambda example: "key", fill=fill)
    for limit in (60.0, 60.0, 30.0, 120.0, 60.0):
        outcome = scripts.runners.evaluate(runner, None, tmp_path, limit)
        assert outcome.figures is None
    assert asked == [60.0, 120.0]
    assert outcome.failure == "took more than 120 s"


NEUTRAL = ("detect", "errors", "image", "masks", "progress", "registry", "threads", "types")
"""Parts that a fill of arrays loads and that do not decide what it looks like: doors, holes, words."""


def test_what_a_fill_loads_is_in_its_key_or_decides_nothing(scripts: Any) -> None:
    program = """
import sys
import numpy as np
from lacuna.inpainting import Inpainter

image, hole = np.random.default_rng(0).random((200, 200, 3), np.float32), np.zeros((200, 200), bool)
hole[90:110, 90:110] = True
for method in ("auto", "guided", "biharmonic", "telea"):
    Inpainter(method).run(image, hole)
print(*(getattr(module, "__file__", None) for name, module in sys.modules.items() if name[:7] == "lacuna."))
"""
    runners = scripts.runners
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {Path(file).relative_to(runners.PACKAGE) for file in done.stdout.split()}
    assert Path("exemplar/engine.py") in loaded
    known = [Path(part) for part in (*runners.OURS, *NEUTRAL)]
    known += [part.with_suffix(".py") for part in known]
    assert [file for file in loaded if not any(file.is_relative_to(part) for part in known)] == []


def test_a_fill_is_made_anew_when_what_decides_it_has_changed(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runners = scripts.runners
    for part in runners.OURS:
        source, target = runners.PACKAGE / part, tmp_path / part
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    monkeypatch.setattr(runners, "PACKAGE", tmp_path)
    before = runners.code_hash.__wrapped__()
    (tmp_path / "weights" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "weights" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert runners.code_hash.__wrapped__() == before
    for name in ("sizing.py", "task.py", "nets/lama.py", "weights/guide.onnx", "weights/guide.toml"):
        with (tmp_path / name).open("ab") as file:
            file.write(b" ")
        after = runners.code_hash.__wrapped__()
        assert after != before
        before = after
    (tmp_path / "blend.py").unlink()
    with pytest.raises(FileNotFoundError):  # a part that was renamed must not be forgotten
        runners.code_hash.__wrapped__()


def plan(scripts: Any, folder: Path, seconds: float = 300, memory: int = 8 * GIB) -> Any:
    return scripts.sizes.Plan(["m"], [4.0, 0.25, 1.0], [10.0], Limits(seconds, memory), folder)


def test_cells_are_kept_and_larger_ones_than_a_failure_are_not_run(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = scripts.sizes
    made: list[float] = []
    measure = sizes.measure

    def counted(plan: Any, method: str, size: float, ratio: float) -> Any:
        made.append(size)
        return measure(plan, method, size, ratio)

    photo = np.zeros((8, 12, 3), dtype=np.uint8)
    monkeypatch.setattr(sizes, "picture", lambda size: np.tile(photo, (round(size * 4), 1, 1)))
    monkeypatch.setattr(sizes, "blob", lambda shape, ratio: np.eye(*shape, dtype=bool))
    monkeypatch.setattr(sizes, "version", lambda method: "1")
    monkeypatch.setattr(sizes, "measure", counted)
    ok = {"status": "ok", "seconds": 2.5, "memory_mb": 100.0}

    class Worker:
        def __init__(self, setup: Any, threads: int, stop: Any, limits: Limits, command: Any) -> None:
            self.limits = limits

        def run(self, files: dict[str, str]) -> dict[str, Any]:
            return dict(ok) if len(np.load(files["image"])) == 8 else self.limits.exceeded_seconds(300)

        def close(self) -> None:
            pass

    monkeypatch.setattr(sizes, "Worker", Worker)
    cells = sizes.column(plan(scripts, tmp_path), "m", 10.0)
    assert [sizes.shown(cells[size]) for size in (0.25, 1.0, 4.0)] == [
        "2.5 s, 100 MB",
        ">300 s",
        "not run: >300 s at 1 MP",
    ]
    assert made == [0.25, 1.0]
    assert sizes.column(plan(scripts, tmp_path), "m", 10.0) == cells
    assert made == [0.25, 1.0]
    sizes.column(plan(scripts, tmp_path, seconds=400), "m", 10.0)  # more time: the failure is tried again
    assert made == [0.25, 1.0, 1.0]
    sizes.column(plan(scripts, tmp_path, seconds=2), "m", 10.0)  # less than it took: no figure any more
    assert made == [0.25, 1.0, 1.0, 0.25]
    table = sizes.render(plan(scripts, tmp_path), {10.0: {"m": cells}}, {})
    assert "| m | 2.5 s, 100 MB | >300 s | not run: >300 s at 1 MP |" in table
    memory = {"status": "error", **Limits(1, 8 * GIB).exceeded_memory()}
    assert sizes.shown(memory) == "> 8 GiB"


def test_one_cell_from_end_to_end(scripts: Any, tmp_path: Path) -> None:
    one = scripts.sizes.Plan(["telea"], [0.02], [10.0], Limits(60, None), tmp_path)
    cell = scripts.sizes.column(one, "telea", 10.0)[0.02]
    assert cell["status"] == "ok"
    assert cell["seconds"] > 0
    assert cell["missing"] / np.prod(cell["pixels"]) == pytest.approx(0.1, abs=0.01)

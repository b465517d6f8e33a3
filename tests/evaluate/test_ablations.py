"""What benchmarks/ablations.py changes, and what runners.py and tables.py do for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="benchmarks/ is not beside the tests")
THICKNESS, DECAY = "lacuna.exemplar.engine:THICKNESS", "lacuna.exemplar.stage:Weights.decay"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import them as they import one another: by name, from their folder."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    import ablations
    import runners
    import tables

    yield SimpleNamespace(ablations=ablations, runners=runners, tables=tables)
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def example() -> Any:
    """Noise with a square hole, as `splits.Example` offers it."""
    truth = np.random.Generator(np.random.PCG64(3)).random((24, 24, 3), dtype=np.float32)
    hole = np.zeros((24, 24), dtype=bool)
    hole[8:13, 9:14] = True
    return SimpleNamespace(truth=truth, image=truth, hole=hole, split="dev", kind="wide", name="noise")


def test_constants_are_replaced_and_put_back(scripts: Any) -> None:
    from lacuna.exemplar import Weights, engine

    before = engine.THICKNESS, Weights()

    def work() -> None:
        assert engine.THICKNESS == scripts.runners.constant(THICKNESS) == 3.0
        assert Weights(side=7) == Weights(side=7, decay=2.0)
        assert scripts.runners.constant(DECAY) == 2.0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), scripts.runners.replaced({THICKNESS: 3.0, DECAY: 2.0}):
        work()
    assert (engine.THICKNESS, Weights()) == before
    for name in ("lacuna.exemplar.engine:NONE", "lacuna.exemplar.stage:Weights.none"):
        with pytest.raises(AttributeError, match="no constant"), scripts.runners.replaced({name: 1}):
            pass


def test_a_constant_has_fills_of_its_own(scripts: Any, example: Any) -> None:
    Runner = scripts.runners.Runner
    changed = [Runner("patchmatch@x", constants={THICKNESS: value}) for value in (6.0, 16.0)]
    keys = {runner.key(example) for runner in (Runner("patchmatch"), *changed)}
    assert len(keys) == 3
    assert Runner("patchmatch@x", constants={}).key(example) == Runner("patchmatch").key(example)


@pytest.mark.parametrize("method", ["patchmatch", "guided"])
def test_every_variant_changes_one_thing(scripts: Any, method: str) -> None:
    from lacuna import registry

    labels = []
    for default, other, runner in scripts.ablations.variants(method, ()):
        value = default.value(method)
        assert other != value
        if ":" in default.name:
            assert type(other) is type(value)
        assert len(runner.options) + len(runner.constants) + (runner.seed != 0) == 1
        spec = registry.get(method)
        registry.parse_options(registry.load_factory(spec.factory), runner.options, owner=method)
        labels.append(runner.label)
    assert len(set(labels)) == len(labels)


def test_options_without_a_variant_are_meant(scripts: Any) -> None:
    from lacuna import registry

    for method, without in {"patchmatch": set(), "guided": {"weights", "device"}}.items():
        covered = {default.name for default in scripts.ablations.ABLATIONS[method]}
        assert {option.name for option in registry.options_of(method)} - covered == without


def outcome(scripts: Any, lpips: float, psnr: float, seconds: float) -> Any:
    return scripts.runners.Outcome("m", {"lpips": lpips, "psnr": psnr, "ssim": 0.5}, seconds)


def test_the_table_tells_better_from_worse(scripts: Any) -> None:
    pictures = [f"{k}" for k in range(5)]
    table = {"patchmatch": {name: outcome(scripts, 0.1, 20.0, 1.0) for name in pictures}}
    table["patchmatch@patch=3"] = {name: outcome(scripts, 0.12, 21.0, 0.5) for name in pictures}
    table["patchmatch@patch=7"] = {n: outcome(scripts, 0.1 + 0.01 * (-1) ** k, 20.0, 2.0) for k, n in
                                   enumerate(pictures)}  # fmt: skip
    table["patchmatch@patch=9"] = table["patchmatch"]
    text = scripts.ablations.report("patchmatch", {"wide": table}, ["patch"])
    assert "| `patch` 5 | 3 | ~~+20.0 [+20.0, +20.0]~~ | **+1.00** | = | 0.50 |" in text
    assert "| `patch` 5 | 7 | +2.0 [−6.0, +10.0] | = | = | 2.00 |" in text
    assert "| `patch` 5 | 9 | = | = | = | 1.00 |" in text
    assert text.count("`patch`") == 4


def test_a_slow_rival_runs_when_named_and_is_ended_in_time(scripts: Any, example: Any) -> None:
    pytest.importorskip("skimage")
    runner = scripts.runners.Runner("skimage-biharmonic")
    assert runner.rival is not None
    fill, seconds = runner.fill(example, 60.0)
    assert fill.shape == (24, 24, 3)
    assert seconds > 0
    with pytest.raises(scripts.runners.RivalError, match="took more than 0 s"):
        runner.fill(example, 0.0)

from __future__ import annotations

import dataclasses
import errno
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from lacuna.errors import (
    Cancelled,
    ConfigError,
    DeviceOutOfMemoryError,
    ImageError,
    MaskError,
    MethodError,
    OutputError,
    WeightsError,
    WeightsNotFoundError,
)
from lacuna.nets.loading import load
from lacuna.train import checkpoint, loop
from lacuna.train import recipe as recipes
from lacuna.train.chores import Chores
from lacuna.train.loop import train
from lacuna.train.recipe import Recipe
from lacuna.train.setup import Setup

WEIGHTS = ("net.safetensors", "ema.safetensors", "critic.safetensors", "optimiser.safetensors")


def lasting(recipe: Recipe, budget: str) -> Recipe:
    return dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, budget=budget))


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in WEIGHTS)


def test_stop_and_resume_equals_a_straight_run_bit_for_bit(tiny: Any, tmp_path: Path) -> None:
    # The side of the samples, the warm-up and the critic's turns all change on the way.
    changes = {"data__sizes": [[0, 16], [6, 24]], "optimiser__warmup": 8, "critic__steps": 2}
    recipe = tiny(**changes, optimiser__weight_decay=0.1)
    straight = train(lasting(recipe, "12"), tmp_path / "straight")
    for budget in ("4", "10", "12"):
        parts = train(lasting(recipe, budget), tmp_path / "parts", resume="auto")
    assert (straight.steps, straight.samples) == (parts.steps, parts.samples) == (6, 12)
    assert same(straight.checkpoint, parts.checkpoint)
    other = train(lasting(dataclasses.replace(recipe, seed=1), "12"), tmp_path / "other")
    assert not same(straight.checkpoint, other.checkpoint)


def test_ctrl_c_saves_and_resumes_to_the_same(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny(run__budget="10")
    straight = train(recipe, tmp_path / "straight")
    after = Chores.after

    def interrupted(self: Chores, told: dict[str, float]) -> None:
        after(self, told)
        if self.run.progress.step == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Chores, "after", interrupted)
        with pytest.raises(Cancelled, match=r"000000002 is written, and --resume auto goes on"):
            train(recipe, tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert same(straight.checkpoint, train(recipe, tmp_path / "run", resume="auto").checkpoint)


def test_one_batch_is_learnt_by_heart(tiny: Any, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes((photos / "00.png").read_bytes())
    (tmp_path / "masks").mkdir()
    import cv2
    import numpy as np

    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[4:12, 4:12] = 255
    cv2.imwrite(str(tmp_path / "masks" / "m.png"), mask)
    recipe = tiny(
        net__options={"width": 16, "blocks": 1},
        critic={},
        data={
            "path": str(tmp_path / "one"),
            "masks": str(tmp_path / "masks"),
            "batch": 2,
            "sizes": [[0, 16]],
            "crop": [1.0, 1.0],
            "flip": False,
        },
        losses={"hole": 1.0, "valid": 0.0},
        optimiser={"lr": 3e-3, "ema": 0.9},
        run__budget="200",
    )
    losses: list[float] = []
    after = Chores.after
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chores, "after", lambda self, told: (losses.append(told["hole"]), after(self, told)))
        done = train(recipe, tmp_path / "run")
    assert sum(losses[-5:]) / 5 < losses[0] / 5
    kind, net = load(done.checkpoint / "ema.safetensors")
    assert (kind, sum(p.numel() for p in net.parameters()) > 0) == ("guide", True)


def test_what_a_run_leaves(tiny: Any, tmp_path: Path) -> None:
    done = train(tiny(data__holdout=3), tmp_path / "run")
    assert sorted(p.name for p in done.checkpoint.iterdir()) == sorted([*WEIGHTS, "state.json"])
    recipe, state = checkpoint.read_state(done.checkpoint)
    assert recipe == tiny(data__holdout=3)
    assert state["progress"]["samples"] == 8
    assert state["nets"]["net"] == {"width": 4, "blocks": 1, "attention": False}
    assert (tmp_path / "run" / "sheets" / "000000004.png").is_file()
    (curve,) = events(tmp_path / "run", "validation")
    assert 0 < curve["hole_l1"] < 1
    assert {"hole", "adversarial", "matching", "critic", "rate"} <= events(tmp_path / "run", "train")[
        0
    ].keys()


def test_a_budget_of_seconds_ends_with_a_checkpoint(tiny: Any, tmp_path: Path) -> None:
    done = train(tiny(run__budget="0.5s"), tmp_path / "run")
    assert done.steps > 0
    assert done.checkpoint.name == f"{done.steps:09d}"


def test_budgets_too_small_for_a_step(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="budget of 1 samples is too small for one step of 2"):
        train(tiny(run__budget="1"), tmp_path / "a")
    with pytest.raises(ConfigError, match=r"budget of 0\.0000001s is too small"):
        train(tiny(run__budget="0.0000001s"), tmp_path / "b")


def broken_at(monkeypatch: pytest.MonkeyPatch, step: int, value: float, times: int) -> None:
    from lacuna.train.tasks import Inpainting

    terms = Inpainting._net_terms
    left = [times]

    def spoiled(self: Inpainting, samples: Any) -> dict[str, torch.Tensor]:
        found = terms(self, samples)
        run = current[0]
        if run.progress.step == step and left[0]:
            left[0] -= 1
            found["hole"] = found["hole"] * value
        return found

    current: list[Setup] = []
    begin = loop.setup.begin

    def noted(run: Setup, **how: Any) -> Any:
        current.append(run)
        return begin(run, **how)

    monkeypatch.setattr(Inpainting, "_net_terms", spoiled)
    monkeypatch.setattr(loop.setup, "begin", noted)


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "is nan"), (1e4, "times its running mean")])
def test_divergence_goes_back_and_lowers_the_rate(
    value: float, words: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, 3, value, 1)
    notes: list[str] = []
    done = train(tiny(), tmp_path / "run", on_note=notes.append)
    assert done.steps == 4
    assert len(notes) == 1
    assert words in notes[0]
    assert "back to step 0, learning rates × 0.5" in notes[0]
    progress = checkpoint.read_state(done.checkpoint)[1]["progress"]
    assert (progress["falls"], progress["rate"]) == (1, 0.5)
    assert events(tmp_path / "run", "train")[-1]["lr"] == pytest.approx(1e-4)


def test_divergence_again_and_again_is_given_up(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, 1, float("nan"), 99)
    with pytest.raises(MethodError, match=r"given up after 5 fallbacks\. .*000000000 is good"):
        train(tiny(), tmp_path / "run")
    assert checkpoint.find(tmp_path / "run").name == "000000000"


def test_weights_that_are_not_finite_are_not_saved(tiny: Any, tmp_path: Path) -> None:
    done = train(tiny(), tmp_path / "run")
    run = loop.setup.prepare(tiny(), tmp_path / "run")
    loop.setup.begin(run, resume="auto", start_from="")
    chores = Chores(run, loop.Budget(), done.checkpoint, loop.gently().__enter__(), None)
    run.progress.step += 1
    next(run.nets["net"].parameters()).data[0] = float("nan")
    chores.save()
    chores.close()
    assert chores.saved == done.checkpoint
    assert checkpoint.find(tmp_path / "run") == done.checkpoint


def test_a_full_disk_keeps_the_checkpoint_before(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(lasting(tiny(), "4"), tmp_path / "run")
    write = checkpoint._write

    def full(path: Path, data: bytes) -> None:
        if path.name == "optimiser.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_write", full)
        with pytest.raises(OutputError, match="No space left on device; those before it are kept"):
            train(tiny(), tmp_path / "run", resume="auto")
    assert checkpoint.find(tmp_path / "run") == first.checkpoint
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir() if p.name.startswith(".")] == []
    assert train(tiny(), tmp_path / "run", resume="auto").samples == 8


def test_old_checkpoints_are_removed(tiny: Any, tmp_path: Path) -> None:
    train(tiny(run__checkpoint_minutes=1e-9, run__keep=2), tmp_path / "run")
    kept = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == ["000000003", "000000004"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory(error: Exception, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: Any) -> None:
        raise error

    monkeypatch.setattr("lacuna.train.tasks.Inpainting._net_terms", failing)
    with pytest.raises(DeviceOutOfMemoryError, match=r"batch of 2; try --set data\.batch=1"):
        train(tiny(), tmp_path / "run")
    assert checkpoint.find(tmp_path / "run").name == "000000000"


def test_other_runtime_errors_stay_as_they_are(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("lacuna.train.tasks.Inpainting._net_terms", failing)
    with pytest.raises(RuntimeError, match="a bug"):
        train(tiny(), tmp_path / "run")


def test_what_cannot_be_gone_on_with(tiny: Any, tmp_path: Path) -> None:
    recipe = tiny()
    done = train(lasting(recipe, "4"), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"holds a run already; go on with it \(--resume auto\)"):
        train(recipe, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"another recipe; different: data\.batch, seed\. Use the same"):
        train(tiny(seed=1, data__batch=1), tmp_path / "run", resume="auto")
    with pytest.raises(WeightsNotFoundError, match="no checkpoint in"):
        train(recipe, tmp_path / "x", resume=str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="holds other checkpoints, the newest 000000002"):
        train(recipe, tmp_path / "run", resume=str(done.checkpoint.parent / "000000000"))
    moments = done.checkpoint / "optimiser.safetensors"
    moments.write_bytes(moments.read_bytes()[:50])
    with pytest.raises(WeightsError, match=r"optimiser\.safetensors cannot be read"):
        train(recipe, tmp_path / "run", resume="auto")
    (done.checkpoint / "state.json").write_text("{")
    with pytest.raises(WeightsError, match="is no complete checkpoint"):
        train(recipe, tmp_path / "run", resume="auto")


def test_a_new_run_from_other_weights(tiny: Any, tmp_path: Path) -> None:
    first = train(tiny(critic={}, losses={"hole": 1.0}), tmp_path / "first")
    # Another recipe with a critic: the net goes on, the critic is new, steps count from 0.
    run = loop.setup.prepare(tiny(), tmp_path / "second")
    loop.setup.begin(run, resume="", start_from=str(first.checkpoint))
    assert run.progress.step == 0
    _, theirs = load(first.checkpoint / "net.safetensors")
    pairs = zip(run.nets["net"].parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert run.logs is not None
    run.logs.close()
    wider = tiny(net__options={"width": 8, "blocks": 1})
    with pytest.raises(WeightsError, match="does not fit GuideNet"):
        train(wider, tmp_path / "third", start_from=str(first.checkpoint))


def test_data_that_no_run_can_have(tiny: Any, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    (tmp_path / "none").mkdir()
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "m.png"), np.full((9, 7), 255, dtype=np.uint8))
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"data__path": str(tmp_path / "none")}, ImageError, "holds no photo"),
        ({"data__path": ""}, ConfigError, r"data\.path is empty; .*--data PATH"),
        ({"data__holdout": 10}, ConfigError, r"data\.holdout is 10, and .* holds 10 photos"),
        ({"data__masks": str(tmp_path / "masks")}, MaskError, r"mask m\.png of .* is 7x9; samples are 16x16"),
        ({"run__device": "tpu"}, ConfigError, r"run\.device is 'tpu'"),
        ({"precision": "fp16"}, ConfigError, "'fp16', which needs a GPU"),
        ({"data__sizes": [[0, 20]]}, ConfigError, r"data\.sizes has 20; 'guide' takes multiples of 8"),
    ]
    for i, (changes, kind, words) in enumerate(cases):
        with pytest.raises(kind, match=words):
            train(tiny(**changes), tmp_path / str(i))


def test_half_precision_runs_and_resumes(tiny: Any, tmp_path: Path) -> None:
    recipe = tiny(precision="bf16")
    straight = train(recipe, tmp_path / "straight")
    train(lasting(recipe, "4"), tmp_path / "parts")
    assert same(straight.checkpoint, train(recipe, tmp_path / "parts", resume="auto").checkpoint)


SMALL = [p.stem for p in recipes._SHIPPED[0].glob("*-small.toml")]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_recipes_take_a_step(name: str, photos: Path, tmp_path: Path) -> None:
    settings = ["data.batch=2", f"data.path={photos}", "run.budget=4", "data.memory=10", "run.device=cpu"]
    settings += ["data.holdout=2", "diffusion.preview=1"]
    shrunk = recipes.read(recipes.find(name), settings)
    done = train(shrunk, tmp_path / "run")
    assert done.steps == 2
    last = events(tmp_path / "run", "train")[-1]
    assert all(abs(v) < 1e3 for v in last.values() if isinstance(v, float) and v < 1e9)
    assert load(done.checkpoint / "ema.safetensors")[0] == shrunk.net.kind


def test_the_second_phase_of_partial_convolutions(photos: Path, tmp_path: Path) -> None:
    settings = ["data.batch=2", f"data.path={photos}", "freeze_norm_at=4", "run.device=cpu"]
    recipe = recipes.read(recipes.find("partial-conv-small"), settings)

    def statistics(done: loop.Outcome) -> dict[str, torch.Tensor]:
        state = load(done.checkpoint / "net.safetensors")[1].state_dict()
        return {key: value for key, value in state.items() if key.endswith("running_mean")}

    first = statistics(train(lasting(recipe, "4"), tmp_path / "run"))
    second = statistics(train(lasting(recipe, "8"), tmp_path / "run", resume="auto"))
    for key, value in first.items():
        assert torch.equal(value, second[key]) == key.startswith("enc_"), key
    assert [line["lr"] for line in events(tmp_path / "run", "train")] == [1e-3, 1e-4]

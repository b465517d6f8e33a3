from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lacuna.cli import main
from lacuna.errors import ConfigError, WeightsError
from lacuna.nets.loading import load
from lacuna.train.chores import Chores
from lacuna.train.denoising import Denoising, drawn, importance
from lacuna.train.loop import train
from lacuna.train.packing import pack
from lacuna.train.recipe import Recipe
from lacuna.train.tasks import Samples, task_of

Small = Callable[..., Recipe]
WEIGHTS = ("net.safetensors", "ema.safetensors", "optimiser.safetensors")
OPTIONS = {"width": 32, "multiples": [1, 1], "blocks": 1, "attention": [1], "head": 32, "resizing": False}


@pytest.fixture
def small(tiny: Any) -> Small:
    """Return a recipe of diffusion that takes a step in milliseconds; dotted keys override."""

    def make(**changes: Any) -> Recipe:
        base = {
            "task": "diffusion",
            "net": {"kind": "guided-diffusion", "options": {**OPTIONS, "dropout": 0.1}},
            "critic": {},
            "losses": {},
            "diffusion": {"schedule": "cosine", "says": "velocity", "snr": 5.0, "preview": 2},
        }
        return tiny(**{**base, **changes})  # type: ignore[no-any-return]

    return make


def lasting(recipe: Recipe, budget: str) -> Recipe:
    return dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, budget=budget))


def same(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in WEIGHTS)


@pytest.mark.parametrize("changes", [{}, {"diffusion__conditioned": True, "precision": "bf16"}])
def test_stop_and_resume_equals_a_straight_run_bit_for_bit(
    changes: dict[str, Any], small: Small, tmp_path: Path
) -> None:
    recipe = small(**changes, optimiser__warmup=8, data__sizes=[[0, 16], [6, 24]])
    straight = train(lasting(recipe, "10"), tmp_path / "straight")
    for budget in ("4", "8", "10"):
        parts = train(lasting(recipe, budget), tmp_path / "parts", resume="auto")
    assert straight.steps == parts.steps == 5
    assert same(straight.checkpoint, parts.checkpoint)
    other = train(lasting(dataclasses.replace(recipe, seed=1), "10"), tmp_path / "other")
    assert not same(straight.checkpoint, other.checkpoint)


@pytest.mark.parametrize(
    ("says", "conditioned"), [("noise", False), ("velocity", False), ("clean", False), ("velocity", True)]
)
def test_the_loss_falls_on_a_few_photos(
    says: str, conditioned: bool, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(
        diffusion={"schedule": "cosine", "says": says, "conditioned": conditioned, "preview": 2},
        optimiser={"lr": 2e-3, "ema": 0.9},
        data__batch=8,
        losses={"hole": 1.0, "valid": 1.0},
        run__budget="320",
    )
    told: list[float] = []
    after = Chores.after
    monkeypatch.setattr(Chores, "after", lambda self, t: (told.append(t["denoising"]), after(self, t)))
    train(recipe, tmp_path / "run")
    assert sum(told[-10:]) < 0.85 * sum(told[:10])


def test_weights_say_how_to_sample_from_them(small: Small, tmp_path: Path) -> None:
    done = train(small(diffusion__conditioned=True), tmp_path / "run")
    packed = tmp_path / "net.safetensors"
    assert main(["export", str(tmp_path / "run"), "-o", str(packed), "--half", "--quiet"]) == 0
    whole = done.checkpoint / "ema.safetensors"
    assert packed.stat().st_size < 0.6 * whole.stat().st_size
    for path in (whole, packed):
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads(file.metadata()["lacuna.diffusion"])
        assert facts == {
            "schedule": "cosine", "steps": 1000, "says": "velocity", "size": 16, "conditioned": True,
        }  # fmt: skip
    (kind, ours), (_, halved) = load(whole), load(packed)
    assert kind == "guided-diffusion"
    x, step = torch.randn(1, 7, 16, 16), torch.tensor([500])
    torch.testing.assert_close(halved(x, step), ours(x, step), atol=5e-3, rtol=0)
    assert packed.read_bytes() == _again(whole, tmp_path)
    assert main(["export", str(tmp_path / "run"), "-o", str(packed), "--quiet"]) != 0


def _again(whole: Path, folder: Path) -> bytes:
    pack(whole, folder / "again.safetensors", half=True)
    return (folder / "again.safetensors").read_bytes()


def test_what_cannot_be_packed(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is no safetensors file that a run wrote"):
        pack(tmp_path / "x.safetensors", tmp_path / "y.safetensors", half=True)
    save_file({"a": torch.full((2,), 1e6)}, tmp_path / "large.safetensors")
    with pytest.raises(WeightsError, match="beyond half precision, in a; leave out --half"):
        pack(tmp_path / "large.safetensors", tmp_path / "y.safetensors", half=True)
    assert not (tmp_path / "y.safetensors").exists()


@pytest.mark.parametrize("says", ["noise", "velocity", "clean"])
def test_a_net_that_is_right_has_no_loss_and_samples_the_photo(says: str, small: Small) -> None:
    """The loss wants what the sampler understands: the same oracle satisfies both."""
    task = task_of(small(diffusion__says=says, diffusion__preview=5))
    assert isinstance(task, Denoising)
    target = torch.rand(2, 3, 16, 16) * 2 - 1
    samples = Samples(target, torch.ones(2, 1, 16, 16))

    def oracle(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        left = torch.from_numpy(task.schedule.left).float()[step][:, None, None, None]
        noise = (x - left.sqrt() * target) / (1 - left).sqrt()
        velocity = left.sqrt() * noise - (1 - left).sqrt() * target
        return {"noise": noise, "velocity": velocity, "clean": target}[says]

    time, noise = torch.tensor([10, 900]), torch.randn_like(target)
    assert task.error(oracle, samples, time, noise).max() < 1e-4
    net = torch.nn.Module()
    net.forward = oracle
    torch.testing.assert_close(task.fill(net, samples), target, atol=0.02, rtol=0)


def test_the_loss_counts_hole_and_rest_by_their_weights(small: Small) -> None:
    task = task_of(small(diffusion__conditioned=True, diffusion__snr=0.0, losses={"hole": 3.0, "valid": 0.5}))
    assert isinstance(task, Denoising)
    missing = torch.zeros(1, 1, 16, 16)
    missing[..., :4] = 1
    samples = Samples(torch.zeros(1, 3, 16, 16), missing)
    seen: list[torch.Tensor] = []

    def silent(x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros(1, 3, 16, 16)

    # Of a black picture the velocity is √ᾱ ε.
    left = float(task.schedule.left[300])
    found = task.error(silent, samples, torch.tensor([300]), torch.ones(1, 3, 16, 16))
    assert float(found) == pytest.approx(left * (3 * 0.25 + 0.5 * 0.75), rel=1e-5)
    assert torch.equal(seen[0][:, 6:], missing)
    assert (seen[0][:, 3:6] == 0).all()


def test_times_cover_the_schedule_and_weights_are_capped(small: Small) -> None:
    torch.manual_seed(3)
    place, noise = drawn(torch.zeros(10, 3, 4, 4))
    assert sorted((place * 10).long().tolist()) == list(range(10))
    assert float(noise.std()) == pytest.approx(1, abs=0.1)
    left = torch.tensor([0.999, 0.5, 0.01])
    expected = [5 / 1000, 0.5, 0.01]
    torch.testing.assert_close(importance(left, "velocity", 5.0), torch.tensor(expected), rtol=1e-3, atol=0)
    assert importance(left, "noise", 0.0).tolist() == [1, 1, 1]


def test_validation_is_the_same_for_the_same_weights(small: Small) -> None:
    task = task_of(small())
    samples = Samples(torch.rand(20, 3, 16, 16) * 2 - 1, torch.ones(20, 1, 16, 16))
    net = task.nets["net"].eval()
    with torch.no_grad():
        first = task.measure(net, samples)
        torch.rand(3)
        assert task.measure(net, samples) == first
        net.out[2].bias.fill_(0.5)
        assert task.measure(net, samples) != first
    assert set(first) == {"denoising"}


def test_sheets_show_known_pixels_as_they_are(small: Small, tmp_path: Path) -> None:
    train(small(data__holdout=3), tmp_path / "run")
    (sheet,) = (tmp_path / "run" / "sheets").iterdir()
    import cv2

    assert cv2.imread(str(sheet)).shape == (5 * 16, 8 * 16, 3)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [0 < line["denoising"] < 2 for line in lines if line["event"] == "validation"] == [True]
    task = task_of(small())
    samples = Samples(torch.rand(2, 3, 16, 16) * 2 - 1, torch.zeros(2, 1, 16, 16))
    samples.missing[..., 4:9, 4:9] = 1
    with torch.no_grad():
        photos, known, *filled = task.rows(task.nets["net"].eval(), samples)
    outside = (samples.missing == 0).expand_as(photos)
    assert torch.equal(known[outside], photos[outside])
    assert all(torch.equal(one[outside], photos[outside]) for one in filled[:2])
    assert not torch.equal(filled[0], filled[1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"diffusion__says": "x0"}, r"diffusion\.says is 'x0'; expected 'noise', 'velocity', 'clean'"),
        (
            {"diffusion__schedule": "sigmoid"},
            r"diffusion\.schedule is 'sigmoid'; expected 'linear', 'cosine'",
        ),
        ({"diffusion__steps": 0}, r"diffusion\.steps is 0; expected 1 or more"),
        ({"diffusion__snr": -1.0}, r"diffusion\.snr is -1\.0; expected 0 or more"),
        ({"diffusion__preview": 0}, r"diffusion\.preview is 0; expected 1 or more"),
        ({"net": {"kind": "guide"}}, r"net\.kind is 'guide'; expected 'guided-diffusion'"),
        ({"critic": {"kind": "guide"}}, r"critic\.kind is 'guide'; expected none"),
        ({"net__options": {**OPTIONS, "outputs": 6}}, r"net\.options\.outputs is 6; .* nets with 3"),
        ({"net__options": {**OPTIONS, "inputs": 7}}, r"net\.options\.inputs is 7; .* nets with 3"),
        ({"net__options": {**OPTIONS, "width": 20}}, r"net\.options do not fit 'guided-diffusion': width 20"),
        ({"net__options": {**OPTIONS, "head": 5}}, r"do not fit 'guided-diffusion': heads of 5 channels"),
        ({"net__options": {**OPTIONS, "dropout": 2}}, r"do not fit 'guided-diffusion': dropout"),
        ({"data__sizes": [[0, 17]]}, r"data\.sizes has 17; 'guided-diffusion' takes multiples of 2"),
    ],
)
def test_recipes_that_cannot_be_run(
    changes: dict[str, Any], words: str, small: Small, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        train(small(**changes), tmp_path / "run")

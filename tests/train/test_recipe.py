from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lacuna.errors import ConfigError, WeightsNotFoundError
from lacuna.train import recipe as recipes
from lacuna.train.budget import Budget
from lacuna.train.tasks import task_of

SHIPPED = sorted(path.stem for folder in recipes._SHIPPED for path in folder.glob("*.toml"))
PAPERS = {"context-encoder", "partial-conv", "contextual-attention", "gated-conv", "pen-net", "lama", "ddpm"}
MORE = {"guide", "ddpm-masked-small", "latent-inpainting"}


def test_one_recipe_for_each_paper_and_a_small_one() -> None:
    assert set(SHIPPED) == PAPERS | {f"{name}-small" for name in PAPERS} | MORE
    with pytest.raises(ConfigError, match="there is no recipe 'lamma'; shipped: context-encoder, "):
        recipes.find("lamma")


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "latent-inpainting"])
def test_shipped_recipes_make_their_nets(name: str) -> None:
    recipe = recipes.read(recipes.find(name), ["losses.perceptual=0", "losses.style=0"])
    assert recipe.about
    with torch.device("meta"):  # shapes only: the papers' nets are large
        task = task_of(recipe)
    assert set(task.nets) == ({"net", "critic"} if recipe.critic.kind else {"net"})
    assert recipes.parse(recipes.as_dict(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sead = 1", r"unknown key sead; did you mean seed\? Known: task, about, seed, "),
        (
            "[data]\nbatches = 1",
            r"unknown key data\.batches; did you mean data\.batch\? Known: path, holdout, ",
        ),
        ("seed = 'one'", "seed is 'one'; expected a whole number"),
        ("seed = 1.5", r"seed is 1\.5; expected a whole number"),
        ("[data]\nflip = 1", r"data\.flip is 1; expected true or false"),
        ("[data]\nshare = [0.1]", r"data\.share is \[0\.1\]; expected "),
        ("[data]\nshare = [0.5, 0.1]", r"data\.share is \(0\.5, 0\.1\); expected two shares"),
        ("[data]\nholes = { wide = 'x' }", r"data\.holes\.wide is 'x'; expected a number"),
        ("[data]\nholes = { wode = 1 }", r"data\.holes names 'wode'; expected some of irregular, "),
        ("[data]\nbatch = 0", r"data\.batch is 0; expected 1 or more"),
        ("precision = 'half'", "precision is 'half'; expected 'float32', 'bf16', 'fp16'"),
        ("data = 3", "data is 3; expected a table"),
        ("seed = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        recipes.read(path)


def test_settings_take_the_place_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\n[data]\npath = 'here'\n")
    settings = ["seed=7", "optimiser.lr=1e-3", "data.sizes=[[0, 32]]", "data.path=/some/photos"]
    recipe = recipes.read(path, settings)
    assert (recipe.seed, recipe.optimiser.lr, recipe.data.sizes) == (7, 1e-3, ((0, 32),))
    assert recipe.data.path == "/some/photos"
    for setting, words in (
        ("seed", "has no value"),
        ("seed.x=1", "seed is a value"),
        ("seed=x", "whole number"),
    ):
        with pytest.raises(ConfigError, match=words):
            recipes.read(path, [setting])
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        recipes.read(tmp_path / "absent.toml")


def test_what_a_continuation_may_change() -> None:
    ours = recipes.parse({"run": {"budget": "1h"}, "data": {"path": "a"}})
    theirs = recipes.parse({"seed": 2, "data": {"path": "b", "batch": 3}})
    assert recipes.differences(ours, theirs) == ["data.batch", "seed"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"task": "x"}, "task is 'x'; expected one of inpainting, diffusion, latent-inpainting"),
        ({"net": {"kind": "x"}}, r"net\.kind is 'x'; expected one of partial-conv, "),
        ({"net": {"kind": "guide", "options": {"depth": 3}}}, r"net\.options do not fit 'guide'"),
        ({"losses": {"adversarial": 1.0}}, r"need a critic; critic\.kind is empty"),
        ({"freeze_norm_at": 1}, "freeze_norm_at is for partial-conv"),
    ],
)
def test_recipes_that_no_task_can_have(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        task_of(recipes.parse(values))


def test_perceptual_losses_name_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsNotFoundError, match=r"need weights of 'squeeze' .* --set losses\.weights=FILE"
    ):
        task_of(recipes.parse({"losses": {"perceptual": 1.0}}))
    with pytest.raises(WeightsNotFoundError, match="no weights at"):
        task_of(recipes.parse({"losses": {"perceptual": 1.0, "weights": str(tmp_path / "w.safetensors")}}))


@pytest.mark.parametrize("text", ["x", "0", "-3m", "1.5", "0s", "3 d"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="budget is"):
        Budget.parse(text)


def test_lpips_features_give_the_lpips_distance(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from lacuna import losses
    from lacuna.metrics.lpips_net import Net
    from lacuna.nets.features import SqueezeFeatures
    from lacuna.train.tasks import features_of

    torch.manual_seed(0)
    state = dict(SqueezeFeatures().state_dict())
    for i, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        state[f"lin{i}.weight"] = torch.rand(1, channels, 1, 1)
    save_file(state, tmp_path / "lpips.safetensors")
    ours = features_of("lpips", str(tmp_path / "lpips.safetensors"))
    a, b = torch.rand(2, 3, 40, 48), torch.rand(2, 3, 40, 48)
    expected = Net(tmp_path / "lpips.safetensors").distances(2 * a - 1, 2 * b - 1).mean()
    torch.testing.assert_close(losses.perceptual(ours(a), ours(b), 2), expected, rtol=1e-4, atol=1e-6)

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file

from lacuna.cli import main
from lacuna.diffusion import linear
from lacuna.errors import ConfigError, LacunaError, OutputError, WeightsError, WeightsNotFoundError
from lacuna.train import diffusers_folder
from lacuna.train import recipe as recipes
from lacuna.train.latent import LatentInpainting, shrunk, widen
from lacuna.train.loop import train
from lacuna.train.recipe import Recipe
from lacuna.train.tasks import Samples, task_of

Small = Callable[..., Recipe]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion with random weights: small enough for milliseconds, of the published classes."""
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    out = tmp_path_factory.mktemp("models") / "sd"
    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=4, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16, attention_head_dim=4,
    ).save_pretrained(out / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), down_block_types=("DownEncoderBlock2D",) * 4, latent_channels=4,
        up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=2, sample_size=32,
    ).save_pretrained(out / "vae")  # fmt: skip
    text = CLIPTextConfig(
        vocab_size=60, hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1,
        bos_token_id=0, eos_token_id=1, pad_token_id=1, max_position_embeddings=12,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(out / "text_encoder")
    words = ["<|startoftext|>", "<|endoftext|>"]
    words += [letter + end for letter in "abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")]
    (out / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (out / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(out / "vocab.json"), str(out / "merges.txt"), model_max_length=12)
    tokenizer.save_pretrained(out / "tokenizer")
    DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
    ).save_pretrained(out / "scheduler")
    parts = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.36.0", **parts}
    (out / "model_index.json").write_text(json.dumps(index))
    return out


@pytest.fixture
def small(tiny: Any, folder: Path) -> Small:
    def make(**changes: Any) -> Recipe:
        base = {
            "task": "latent-inpainting",
            "net": {"kind": "diffusers"},
            "critic": {},
            "losses": {"hole": 1.0, "valid": 1.0},
            "diffusion": {"base": str(folder), "preview": 2},
            "data__sizes": [[0, 32]],
            "optimiser": {"lr": 1e-3, "ema": 0.9},
        }
        return tiny(**{**base, **changes})  # type: ignore[no-any-return]

    return make


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def lasting(recipe: Recipe, budget: str) -> Recipe:
    return dataclasses.replace(recipe, run=dataclasses.replace(recipe.run, budget=budget))


def test_stop_and_resume_equals_a_straight_run_bit_for_bit(small: Small, tmp_path: Path) -> None:
    recipe = small(data__holdout=2)
    straight = train(lasting(recipe, "8"), tmp_path / "straight")
    for budget in ("4", "8"):
        parts = train(lasting(recipe, budget), tmp_path / "parts", resume="auto")
    for name in ("net.safetensors", "ema.safetensors", "optimiser.safetensors"):
        assert (straight.checkpoint / name).read_bytes() == (parts.checkpoint / name).read_bytes()
    assert list((tmp_path / "straight" / "sheets").iterdir())


def test_a_widened_net_starts_as_it_was(folder: Path) -> None:
    net, around = diffusers_folder.load(folder, "")
    x, step = torch.randn(1, 4, 4, 4), torch.tensor([300])
    with torch.no_grad():
        before = net(x, step, around.words).sample
        widen(net)
        after = net(torch.cat([x, torch.rand(1, 5, 4, 4)], 1), step, around.words).sample
    assert torch.equal(before, after)
    assert net.config["in_channels"] == net.conv_in.in_channels == 9
    before = net.conv_in
    widen(net)
    assert net.conv_in is before
    net.conv_in = torch.nn.Conv2d(5, 8, 3)
    with pytest.raises(ConfigError, match=r"takes 5 channels; expected 4, or 9 of"):
        widen(net)


def test_a_stroke_of_one_pixel_stays_in_the_mask() -> None:
    missing = torch.zeros(1, 1, 32, 32)
    missing[..., 13, :] = 1
    assert shrunk(missing, 8)[0, 0].tolist() == [[0] * 4, [1] * 4, [0] * 4, [0] * 4]


def test_what_the_net_sees(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noisy latents, the mask, the masked picture's latents, in this order; no pixel of the hole."""
    task = task_of(small())
    assert isinstance(task, LatentInpainting)
    target = torch.rand(2, 3, 32, 32) * 2 - 1
    missing = torch.zeros(2, 1, 32, 32)
    missing[..., :16, :16] = 1
    seen: list[torch.Tensor] = []

    def silent(x: torch.Tensor, step: torch.Tensor, words: torch.Tensor) -> Any:
        seen.append(x)
        return type("Said", (), {"sample": torch.zeros_like(x[:, :4])})

    other = target.clone()
    other[..., :16, :16] = 0.3
    for picture in (target, other):
        inner = task.inner(Samples(picture, missing))
        task.error(silent, inner, torch.tensor([0, 0]), torch.zeros_like(inner.target))
    left = float(task.schedule.left[0]) ** 0.5
    first, second = seen
    latents = task.features.encode(target)
    torch.testing.assert_close(first[:, :4], left * latents)
    assert torch.equal(first[:, 4:5], shrunk(missing, 8))
    assert torch.equal(first[:, 5:], second[:, 5:])
    torch.testing.assert_close(first[:, 5:], task.features.encode(target * (1 - missing)))
    assert not torch.equal(first[:, :4], second[:, :4])


def test_the_loss_falls_and_the_rest_stays(small: Small, tmp_path: Path, folder: Path) -> None:
    done = train(small(data__batch=8, optimiser__lr=3e-3, run__budget="480"), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    task = task_of(small())
    assert isinstance(task, LatentInpainting)
    samples = Samples(torch.rand(4, 3, 32, 32) * 2 - 1, torch.ones(4, 1, 32, 32))
    with torch.no_grad():
        before = task.measure(task.nets["net"].eval(), samples)["denoising"]
        task.nets["net"].load_state_dict(load_file(done.checkpoint / "ema.safetensors"))
        after = task.measure(task.nets["net"], samples)["denoising"]
    assert lines[-1]["event"] == "train"
    assert after < 0.9 * before
    new = load_file(done.checkpoint / "net.safetensors")["conv_in.weight"][:, 4:]
    assert (new != 0).any()  # the zeros learn


def test_completions_keep_known_pixels(small: Small) -> None:
    task = task_of(small())
    samples = Samples(torch.rand(2, 3, 32, 32) * 2 - 1, torch.zeros(2, 1, 32, 32))
    samples.missing[..., 8:20, 8:20] = 1
    with torch.no_grad():
        _, _, one, two = task.rows(task.nets["net"].eval(), samples)
    known = (samples.missing == 0).expand_as(one)
    assert torch.equal(one[known], samples.target[known])
    assert not torch.equal(one, two)


def test_a_run_becomes_a_folder_that_fills_holes(small: Small, tmp_path: Path, folder: Path) -> None:
    done = train(lasting(small(), "4"), tmp_path / "run")
    out = tmp_path / "filler"
    assert main(["export", str(tmp_path / "run"), "-o", str(out), "--quiet"]) == 0
    assert (
        json.loads((out / "model_index.json").read_text())["_class_name"] == "StableDiffusionInpaintPipeline"
    )
    net, _ = diffusers_folder.load(out, "")
    trained = load_file(done.checkpoint / "ema.safetensors")
    assert net.config["in_channels"] == 9
    assert all(torch.equal(value, trained[key]) for key, value in net.state_dict().items())
    assert sorted(p.name for p in (out / "vae").iterdir()) == sorted(
        p.name for p in (folder / "vae").iterdir()
    )
    # It can be gone on with, and is never written over.
    assert task_of(small(diffusion__base=str(out))).nets["net"].conv_in.in_channels == 9
    with pytest.raises(OutputError, match="exists already; name a folder that does not"):
        diffusers_folder.write(folder, done.checkpoint / "ema.safetensors", out, half=False)


def test_words_and_schedules(folder: Path, copy: Path) -> None:
    _, silent = diffusers_folder.load(folder, "")
    _, told = diffusers_folder.load(folder, "an old fresco")
    assert silent.words.shape == told.words.shape == (1, 12, 16)
    assert not torch.equal(silent.words, told.words)
    schedule, says = diffusers_folder.schedule_of(folder)
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler.from_pretrained(folder / "scheduler").alphas_cumprod
    torch.testing.assert_close(torch.from_numpy(schedule.left).float(), theirs, rtol=1e-4, atol=0)
    assert says == "noise"
    path = copy / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({"beta_schedule": "linear", "prediction_type": "v_prediction"}))
    schedule, says = diffusers_folder.schedule_of(copy)
    assert says == "velocity"
    assert (schedule.left == linear().left).all()
    path.write_text(json.dumps({"beta_schedule": "squaredcos_cap_v2"}))
    assert diffusers_folder.schedule_of(copy)[0].left[-1] < 1e-6
    for told_, words in (
        ({"beta_schedule": "x"}, "beta_schedule 'x', which Lacuna does not have"),
        ({"prediction_type": "x"}, "prediction_type 'x'"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr True"),
    ):
        path.write_text(json.dumps(told_))
        with pytest.raises(ConfigError, match=words):
            diffusers_folder.schedule_of(copy)


def test_the_shipped_recipe_wants_a_folder(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"diffusion\.base is empty"):
        task_of(recipes.read(recipes.find("latent-inpainting")))
    assert task_of(recipes.read(recipes.find("latent-inpainting"), [f"diffusion.base={folder}"])).nets


def test_the_network_is_never_asked(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **more: Any) -> Any:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    diffusers_folder.load(folder, "")
    with pytest.raises(WeightsNotFoundError, match="there is no such folder"):
        diffusers_folder.load(tmp_path / "stabilityai" / "stable-diffusion-2", "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"diffusion__base": ""}, r"diffusion\.base is empty; .* --set diffusion\.base=FOLDER"),
        ({"diffusion__says": "velocity"}, r"diffusion\.says is told by the folder"),
        ({"diffusion__schedule": "cosine"}, r"diffusion\.schedule is told by the folder"),
        ({"diffusion__steps": 50}, r"diffusion\.steps is told by the folder"),
        ({"net": {"kind": "guide"}}, r"net\.kind is 'guide'; expected 'diffusers'"),
        ({"net__options": {"width": 3}}, r"net\.options are told by the folder"),
        ({"critic": {"kind": "guide"}}, r"critic\.kind is 'guide'; expected none"),
        ({"data__sizes": [[0, 24]]}, r"data\.sizes has 24; 'diffusers' takes multiples of 16"),
    ],
)
def test_recipes_that_cannot_be_run(
    changes: dict[str, Any], words: str, small: Small, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        train(small(**changes), tmp_path / "run")


def _without_index(at: Path) -> None:
    (at / "model_index.json").unlink()


def _without_vae(at: Path) -> None:
    shutil.rmtree(at / "vae")


def _pickled(at: Path) -> None:
    file = at / "unet" / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))


def _truncated(at: Path) -> None:
    file = at / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def _without_config(at: Path) -> None:
    (at / "unet" / "config.json").unlink()


def _of_xl(at: Path) -> None:
    path = at / "unet" / "config.json"
    told = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
    more = {"projection_class_embeddings_input_dim": 16}
    path.write_text(json.dumps({**json.loads(path.read_text()), **told, **more}))
    net = load_file(at / "unet" / "diffusion_pytorch_model.safetensors")
    for i, wide in ((1, 16), (2, 32)):
        net[f"add_embedding.linear_{i}.weight"] = torch.zeros(32, wide)
        net[f"add_embedding.linear_{i}.bias"] = torch.zeros(32)
    save_file(net, at / "unet" / "diffusion_pytorch_model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (_without_index, WeightsNotFoundError, r"holds no model_index\.json; expected a folder of Stable"),
        (_without_vae, WeightsNotFoundError, "holds no vae/; expected unet, vae"),
        (_pickled, WeightsError, "pickled weights, which can run code and are not read; convert them"),
        (_truncated, WeightsError, r"vae cannot be read: "),
        (_without_config, WeightsError, r"unet cannot be read: "),
        (_of_xl, ConfigError, r"wants more than words \(SDXL and others\)"),
    ],
)
def test_folders_that_cannot_be_read(
    spoil: Callable[[Path], None], kind: type[LacunaError], words: str, small: Small, copy: Path
) -> None:
    spoil(copy)
    with pytest.raises(kind, match=words):
        task_of(small(diffusion__base=str(copy)))

"""What Lacuna promises, asked of text-guided pipelines: tiny random ones of each class, from disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import checked, some_hole

from lacuna import errors
from lacuna.inpainting import Inpainter

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from lacuna.methods.diffusion import pipelines  # noqa: E402 - after diffusers was found

Make = Callable[..., np.ndarray]
KINDS = ("sd-9", "sd-4", "sdxl-9", "sdxl-4", "flux")
every_kind = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.usefixtures("one_thread")


# Tiny models ----------------------------------------------------------------------------------------------


def text_encoder(kind: str = "CLIPTextModel") -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        projection_dim=16, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    return getattr(transformers, kind)(config)


def tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(97 + i) for i in range(26)]
    names = ["<|startoftext|>", "<|endoftext|>", *(f"{x}</w>" for x in letters), *letters]
    return CLIPTokenizer({name: i for i, name in enumerate(names)}, [], model_max_length=77)


def autoencoder(**more: Any) -> Any:
    """Four levels, so that a latent is 8 pixels wide, as in the published ones."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=64,
        **more,
    )


def unet(channels: int, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **{"cross_attention_dim": 16, **more},
    )


def stable_diffusion(channels: int) -> Any:
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline, StableDiffusionPipeline

    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    kind = StableDiffusionInpaintPipeline if channels == 9 else StableDiffusionPipeline
    return kind(
        autoencoder(), text_encoder(), tokenizer(), unet(channels), scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl(channels: int) -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLInpaintPipeline, StableDiffusionXLPipeline

    wide = unet(
        channels, cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=16 + 6 * 8,
    )  # fmt: skip
    kind = StableDiffusionXLInpaintPipeline if channels == 9 else StableDiffusionXLPipeline
    return kind(
        vae=autoencoder(),
        text_encoder=text_encoder(),
        text_encoder_2=text_encoder("CLIPTextModelWithProjection"),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=wide,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    )


def flux_fill() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxFillPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel, T5TokenizerFast

    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16 + 16 + 8 * 8 * 4, out_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16,
        guidance_embeds=True, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return FluxFillPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(
            shift_factor=0.1, scaling_factor=0.3, use_quant_conv=False, use_post_quant_conv=False
        ),
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=110, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        ),
        tokenizer_2=T5TokenizerFast(),
        transformer=transformer,
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    makers = {
        "sd-9": lambda: stable_diffusion(9),
        "sd-4": lambda: stable_diffusion(4),
        "sdxl-9": lambda: stable_diffusion_xl(9),
        "sdxl-4": lambda: stable_diffusion_xl(4),
        "flux": flux_fill,
    }
    with pipelines.quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        for name, make in makers.items():
            make().save_pretrained(root / name)
    return {name: root / name for name in makers}


def make(folder: Path, **options: Any) -> Inpainter:
    return Inpainter("latent", options={"weights": str(folder), "steps": 2, "across": 64, **options})


@pytest.fixture(scope="session")
def loaded(models: dict[str, Path]) -> dict[str, Inpainter]:
    return {kind: make(models[kind]) for kind in KINDS}


# Every kind -----------------------------------------------------------------------------------------------


@every_kind
def test_seeds_and_samples(kind: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(50, 70), some_hole(50, 70)
    first, again, other = (checked(loaded[kind], picture, hole, seed=seed).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    results = loaded[kind].sample(picture, hole, 3, seed=2)
    assert len({result.image.tobytes() for result in results}) == 3
    for result in results:
        assert np.array_equal(result.image[~hole], picture[~hole])


@every_kind
@pytest.mark.parametrize("size", [(13, 67), (1, 9), (150, 33)])
def test_any_size(kind: str, size: tuple[int, int], loaded: dict[str, Inpainter], make_picture: Make) -> None:
    checked(loaded[kind], make_picture(*size), some_hole(*size))


@every_kind
def test_what_lies_in_the_hole_is_ignored(
    kind: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture, hole = make_picture(40, 50), some_hole(40, 50)
    fills = []
    for colour in ((255, 0, 255), (0, 255, 0)):
        damaged = picture.copy()
        damaged[hole] = colour
        fills.append(checked(loaded[kind], damaged, hole).image)
    assert np.array_equal(*fills)


@every_kind
def test_nothing_known_is_drawn_from_nothing(
    kind: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture, everything = make_picture(30, 40), np.ones((30, 40), dtype=bool)
    out = checked(loaded[kind], picture, everything).image
    assert out.std() > 1
    assert np.array_equal(out, checked(loaded[kind], 255 - picture, everything).image)


@every_kind
def test_the_prompt_counts(
    kind: str, models: dict[str, Path], loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture, hole = make_picture(50, 70), some_hole(50, 70)
    plain = checked(make(models[kind], restore="enlarge"), picture, hole).image
    asked = checked(make(models[kind], prompt="a cat"), picture, hole).image
    closer = checked(make(models[kind], prompt="a cat", guidance=20.0), picture, hole).image
    assert not np.array_equal(plain, asked)
    assert not np.array_equal(asked, closer)
    if kind == "flux":
        with pytest.raises(
            errors.OptionError, match=r"'negative_prompt' of method 'latent' is 'a dog'.*takes no"
        ):
            make(models[kind], negative_prompt="a dog")
        return
    assert not np.array_equal(
        asked, checked(make(models[kind], prompt="a cat", negative_prompt="a dog"), picture, hole).image
    )


@every_kind
def test_progress_and_cancelling(kind: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    shares: list[float] = []

    def watch(share: float, words: str) -> None:
        shares.append(share)
        if share >= 0.5:
            raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled, match="enough"):
        loaded[kind](make_picture(50, 50), some_hole(50, 50), on_step=watch)
    assert len(shares) > 20
    assert max(shares) < 0.9
    checked(loaded[kind], make_picture(20, 27), some_hole(20, 27))


@every_kind
def test_below_full_strength_the_fill_starts_from_the_guide(
    kind: str, models: dict[str, Path], make_picture: Make
) -> None:
    picture, hole = make_picture(50, 70), some_hole(50, 70)
    method = make(models[kind], steps=4, strength=0.5, restore="enlarge")
    free = checked(method, picture, hole).image
    led = checked(method, picture, hole, guide=np.full_like(picture, 255)).image
    assert not np.array_equal(free, led)


@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32"), (2, "uint8")])
def test_any_kind_of_picture(
    channels: int, dtype: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture = make_picture(40, 54, channels, np.dtype(dtype))
    result = checked(loaded["sd-9"], picture, some_hole(40, 54))
    if channels in (2, 4):
        assert np.array_equal(result.image[..., -1], picture[..., -1])


# What the networks are given ------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What UNets are given, one entry a call."""
    from diffusers import UNet2DConditionModel

    given: list[Any] = []
    forward = UNet2DConditionModel.forward
    monkeypatch.setattr(
        UNet2DConditionModel, "forward", lambda self, x, *a, **k: given.append(x) or forward(self, x, *a, **k)
    )
    return given


@pytest.mark.parametrize("kind", ["sd-9", "sdxl-9"])
def test_a_thin_stroke_is_missing_in_every_latent_that_it_touches(
    kind: str, loaded: dict[str, Inpainter], make_picture: Make, seen: list[Any]
) -> None:
    hole = np.zeros((64, 64), bool)
    hole[21, 5:40] = True  # one pixel thick: the nearest pixel of a latent would miss it
    checked(loaded[kind], make_picture(64, 64), hole)
    mask = seen[0][0, 4]
    assert seen[0].shape == (2, 9, 8, 8)  # without and with the prompt
    expected = torch.zeros(8, 8)
    expected[2, 0:5] = 1
    assert torch.equal(mask, expected)


def test_frames_keep_their_shape(loaded: dict[str, Inpainter], make_picture: Make, seen: list[Any]) -> None:
    hole = some_hole(100, 200)
    checked(loaded["sd-9"], make_picture(100, 200), hole, context=9.0)
    # 64² pixels in the shape of 1 to 2: 45 × 91, mirrored out to multiples of 16
    assert seen[0].shape[-2:] == (48 // 8, 96 // 8)


def test_thin_holes_do_not_vanish_where_the_frame_is_reduced(
    loaded: dict[str, Inpainter], make_picture: Make, seen: list[Any]
) -> None:
    hole = np.zeros((300, 300), bool)
    hole[150, 20:280] = True
    checked(loaded["sd-9"], make_picture(300, 300), hole)
    assert seen[0][0, 4].sum() > 4


def test_large_frames_get_their_resolution_back(models: dict[str, Path]) -> None:
    grain = np.random.default_rng(0).integers(0, 2, (160, 160, 1)) * 120 + 60
    picture = np.repeat(grain, 3, axis=2).astype(np.uint8)
    hole = np.zeros((160, 160), bool)
    hole[50:90, 50:90] = True
    grains = {
        how: checked(make(models["sd-9"], restore=how), picture, hole)
        for how in ("auto", "patches", "enlarge")
    }
    rough = {
        how: np.abs(np.diff(r.image[55:85, 55:85].astype(int), axis=1)).mean() for how, r in grains.items()
    }
    assert rough["auto"] == rough["patches"] > 20 > 2 * rough["enlarge"]
    assert any("and enlarged" in line for line in grains["enlarge"].notes)


# What goes wrong ------------------------------------------------------------------------------------------


def broken(models: dict[str, Path], tmp_path: Path, factor: float) -> Path:
    """Copy a model whose autoencoder decodes to values beyond half precision, or beyond all."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(models["sd-9"], folder)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    state["decoder.conv_in.weight"] *= factor
    save_file(state, path, {"format": "pt"})
    return folder


def test_half_precision_that_breaks_is_drawn_again(
    models: dict[str, Path], tmp_path: Path, make_picture: Make
) -> None:
    folder = broken(models, tmp_path, 1e6)
    picture, hole = make_picture(50, 60), some_hole(50, 60)
    half = checked(make(folder, precision="float16", restore="enlarge"), picture, hole)
    assert any("float16 broke in method 'latent'; drawn again in float32" in line for line in half.notes)
    full = checked(make(folder, restore="enlarge"), picture, hole)
    assert np.array_equal(half.image, full.image)
    assert half.image[hole].std() > 1  # not black


def test_weights_that_are_broken_are_an_error_and_not_a_picture(
    models: dict[str, Path], tmp_path: Path, make_picture: Make
) -> None:
    method = make(broken(models, tmp_path, float("nan")))
    with pytest.raises(errors.MethodError, match="not finite"):
        method(make_picture(40, 40), some_hole(40, 40))


def test_what_a_safety_checker_withholds_is_not_black(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import StableDiffusionInpaintPipeline

    monkeypatch.setattr(
        StableDiffusionInpaintPipeline, "run_safety_checker", lambda self, x, device, dtype: (0 * x, [True])
    )
    with pytest.raises(errors.MethodError, match="safety checker withheld"):
        loaded["sd-9"](make_picture(40, 40), some_hole(40, 40))


def test_memory_that_runs_out(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import UNet2DConditionModel

    def greedy(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(UNet2DConditionModel, "forward", greedy)
    with pytest.raises(errors.DeviceOutOfMemoryError, match="method 'latent' on 1 samples of 64×64"):
        loaded["sd-9"](make_picture(64, 64), some_hole(64, 64))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 0.0}, "'strength' of method 'latent' is 0.0; expected above 0, at most 1"),
        ({"strength": 1.5}, "expected above 0, at most 1"),
        ({"strength": 0.1}, "of 2 steps none is left"),
        ({"steps": 0}, "'steps' of method 'latent' is 0; expected 1 to 1000"),
        ({"guidance": -1.0}, "expected 0 to 100"),
        ({"precision": "float8"}, "expected auto | float32"),
        ({"device": "gpu"}, "expected auto, cpu"),
        ({"offload": "model", "device": "cpu"}, "no other device here"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], words: str, models: dict[str, Path]) -> None:
    with pytest.raises(errors.OptionError, match=words.replace("|", r"\|")):
        make(models["sd-9"], **options)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(errors.WeightsNotFoundError, match="'latent' needs a model"):
        Inpainter("latent")
    with pytest.raises(errors.WeightsNotFoundError, match=r"no model_index\.json"):
        make(tmp_path)
    with pytest.raises(errors.WeightsNotFoundError, match="is no folder"):
        make(tmp_path / "nothing")


def test_folders_that_do_not_do(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["sd-9"], folder)
    index = folder / "model_index.json"
    right = json.loads(index.read_text())

    def refused(words: str, **changed: Any) -> None:
        index.write_text(json.dumps({**right, **changed}))
        with pytest.raises(errors.WeightsError, match=words):
            make(folder)

    refused("is a DDPMPipeline; expected one of StableDiffusionPipeline", _class_name="DDPMPipeline")
    refused("unet comes from 'my_unet', code that is not run", unet=["my_unet", "MyUNet"])
    tensors = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors.rename(folder / "unet" / "diffusion_pytorch_model.bin")
    refused(r"a pickle, which can run code.*use_safetensors=False\).save_pretrained")
    (folder / "unet" / "diffusion_pytorch_model.bin").unlink()
    refused("does not open as StableDiffusionInpaintPipeline")
    index.write_text("{")
    with pytest.raises(errors.WeightsError, match="cannot be read"):
        make(folder)


def test_a_unet_of_other_channels(models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["sd-9"], folder)
    shutil.rmtree(folder / "unet")
    with pipelines.quiet():
        unet(5).save_pretrained(folder / "unet")
    with pytest.raises(errors.WeightsError, match="takes 5 channels; expected 9"):
        make(folder)


# The hub --------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub's client that holds one model, as the client lays it out."""
    cache = tmp_path / "hub"
    home = cache / "models--tiny--sd"
    shutil.copytree(models["sd-9"], home / "snapshots" / "abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.delenv(pipelines.OFFLINE, raising=False)
    return cache


def test_a_cached_model_is_found_by_its_id(hub: Path, make_picture: Make) -> None:
    picture, hole = make_picture(40, 40), some_hole(40, 40)
    checked(Inpainter("latent", options={"weights": "tiny/sd", "steps": 2, "across": 64}), picture, hole)


def test_the_hub_is_asked_only_when_the_user_does(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[bool] = []

    def fetch(reference: str, *, local_files_only: bool, **more: Any) -> str:
        asked.append(not local_files_only)
        assert not any("bin" in pattern for pattern in more["allow_patterns"])
        raise OSError("no such model\nmore lines")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(errors.WeightsNotFoundError, match="nothing is fetched unless asked"):
        pipelines.find("tiny/other", download=False)
    with pytest.raises(errors.WeightsNotFoundError, match=r"cannot be fetched from the hub: no such model$"):
        pipelines.find("tiny/other", download=True)
    monkeypatch.setenv(pipelines.OFFLINE, "1")
    with pytest.raises(errors.WeightsNotFoundError, match="LACUNA_OFFLINE is set"):
        pipelines.find("tiny/other", download=True)
    assert asked == [False, True, False]


def test_an_id_that_is_not_cached(hub: Path) -> None:
    with pytest.raises(errors.WeightsNotFoundError, match=r"not in the hub's cache.*download=true"):
        make(Path("tiny/none"))


def test_without_diffusers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.MissingDependencyError, match=r"lacuna\[diffusers\]"):
        Inpainter("latent", options={"weights": "tiny/sd"})

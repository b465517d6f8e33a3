"""What Lacuna promises, asked of the methods that draw pixels from noise, with tiny random nets."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import checked, exact, holes, some_hole

from lacuna import errors
from lacuna.inpainting import Inpainter
from lacuna.metrics import Lpips, diversity, spread

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from lacuna import torch_io  # noqa: E402 - after torch was found
from lacuna.diffusion.conditioning import calls, jump_times  # noqa: E402
from lacuna.methods.diffusion.repaint import PRESETS  # noqa: E402
from lacuna.nets.denoising import load  # noqa: E402
from lacuna.nets.guided_diffusion import GuidedDiffusionUNet  # noqa: E402
from lacuna.weights import shipped  # noqa: E402

QUICK: dict[str, dict[str, Any]] = {
    "ddpm": {"steps": 3},
    "repaint": {"steps": 4, "jump": 2, "resample": 2},
}
SHARED = Path(os.environ.get("LACUNA_SHARED") or Path(__file__).parents[3] / "shared")
Make = Callable[..., np.ndarray]
both = pytest.mark.parametrize("name", QUICK)
pytestmark = pytest.mark.usefixtures("one_thread")


def write_net(path: Path, facts: dict[str, Any] | None, **config: Any) -> Path:
    """Write a tiny net with random weights everywhere, so that it says something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = GuidedDiffusionUNet(32, (1, 1), 1, (1,), 32, resizing=False, **{"outputs": 3, **config})
        for parameter in net.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.05)
    torch_io.save(net, path, {} if facts is None else {"lacuna.diffusion": json.dumps(facts)})
    return path


FACTS = {"schedule": "cosine", "steps": 1000, "says": "velocity", "size": 16, "conditioned": False}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_net(tmp_path_factory.mktemp("weights") / "tiny.safetensors", FACTS)


@pytest.fixture(scope="session")
def loaded(weights: Path) -> dict[str, Inpainter]:
    return {name: Inpainter(name, options={"weights": str(weights), **QUICK[name]}) for name in QUICK}


@both
@pytest.mark.parametrize("size", [(13, 67), (1, 9), (3, 2), (90, 20), (16, 16)])
def test_any_size(name: str, size: tuple[int, int], loaded: dict[str, Inpainter], make_picture: Make) -> None:
    checked(loaded[name], make_picture(*size), some_hole(*size))


@both
@pytest.mark.parametrize("hole", holes())
def test_any_hole_is_filled(name: str, hole: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, missing = make_picture(33, 41), holes()[hole]
    damaged = picture.copy()
    damaged[missing] = (255, 0, 255)
    filled = checked(loaded[name], damaged, missing).image
    assert not (filled[missing] == (255, 0, 255)).all(axis=1).any()
    damaged[missing] = (0, 255, 0)  # what lies under the hole is meaningless
    assert np.array_equal(checked(loaded[name], damaged, missing).image, filled)


@both
@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32"), (2, "uint8")])
def test_any_kind_of_picture(
    name: str, channels: int, dtype: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture = make_picture(20, 27, channels, np.dtype(dtype))
    result = checked(loaded[name], picture, some_hole(20, 27))
    if channels in (2, 4):
        assert np.array_equal(result.image[..., -1], picture[..., -1])


@both
def test_the_seed_makes_the_fill(name: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    first, again, other = (checked(loaded[name], picture, hole, seed=seed).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    turned = checked(loaded[name], np.asfortranarray(picture), hole, seed=3).image
    assert np.array_equal(turned, first)


@both
def test_nothing_known_is_drawn_from_nothing(
    name: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    for size in ((16, 16), (50, 40)):
        picture, everything = make_picture(*size), np.ones(size, dtype=bool)
        out = checked(loaded[name], picture, everything, seed=2).image
        assert out.std() > 1
        assert np.array_equal(out, checked(loaded[name], 255 - picture, everything, seed=2).image)


@both
def test_samples_share_a_batch_and_differ(
    name: str, loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    shapes: list[int] = []
    net = loaded[name]._method.sampler.model.net  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        forward = type(net).forward
        patch.setattr(
            type(net), "forward", lambda self, x, step: shapes.append(len(x)) or forward(self, x, step)
        )
        results = loaded[name].sample(picture, hole, 3, seed=7)
    assert set(shapes) == {3}
    assert [result.seed for result in results] == [7, 8, 9]
    assert len({result.image.tobytes() for result in results}) == 3
    for result in results:
        exact(result, picture, hole)
        alone = loaded[name].run(picture, hole, seed=result.seed).image
        assert np.abs(alone.astype(int) - result.image).max() <= 1  # batches round otherwise


def test_samples_look_different_to_lpips(loaded: dict[str, Inpainter], make_picture: Make) -> None:
    weights = SHARED / "metrics" / "lpips_squeeze.safetensors"
    if not weights.is_file():
        pytest.skip(f"no LPIPS weights at {weights}")
    hole = some_hole(48, 48)
    results = loaded["repaint"].sample(make_picture(48, 48), hole, 3)
    fills = [result.picture.canon(hole) for result in results]
    assert diversity(fills, Lpips(weights)) > 0.001
    invented = spread(fills)
    assert invented[hole].min() > 0
    assert not invented[~hole].any()


def test_batches_are_as_large_as_asked(weights: Path, make_picture: Make) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    options = {"weights": str(weights), **QUICK["ddpm"]}
    whole, parts = (Inpainter("ddpm", options={**options, "batch": n}) for n in (8, 2))
    for a, b in zip(whole.sample(picture, hole, 3), parts.sample(picture, hole, 3), strict=True):
        assert np.abs(a.image.astype(int) - b.image).max() <= 1


def test_samples_in_several_frames_and_with_a_membrane(
    loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture = make_picture(60, 400)
    hole = np.zeros((60, 400), bool)
    left, right = (slice(20, 30), slice(20, 30)), (slice(20, 30), slice(370, 380))
    hole[left] = hole[right] = True
    steps = {}
    for blend in ("hard", "membrane"):
        first, second = loaded["ddpm"].sample(picture, hole, 2, blend=blend)
        for part in (left, right):  # 350 pixels apart: a frame each
            assert not np.array_equal(first.image[part], second.image[part])
        for result in (first, second):
            exact(result, picture, hole)
        down = np.diff(first.image.astype(float), axis=0)[[19, 29]]  # over the upper and the lower rim
        steps[blend] = [np.abs(down[:, columns].mean(axis=1)).mean() for _, columns in (left, right)]
    assert all(m < h for m, h in zip(steps["membrane"], steps["hard"], strict=True))


@both
def test_a_large_frame_is_restored_with_the_photos_own_patches(name: str, weights: Path) -> None:
    grain = np.random.default_rng(0).integers(0, 2, (96, 96, 1)) * 120 + 60
    picture = np.repeat(grain, 3, axis=2).astype(np.uint8)
    hole = np.zeros((96, 96), bool)
    hole[30:60, 30:60] = True
    method = Inpainter(name, options={"weights": str(weights), **QUICK[name], "strength": 0.0})
    fill = checked(method, picture, hole).image[hole]
    assert fill.std() > 30  # a picture of 16 pixels has no such grain
    thin = np.zeros((96, 96), bool)
    thin[48, 10:80] = True
    assert any("would see no hole" in line for line in checked(method, picture, thin).notes)


def test_what_samples_differ_in_stays_different_at_full_size(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nets say red or blue; both are elsewhere in the photo, and nothing at the rim asks for either."""
    red, blue = (200, 60, 60), (60, 60, 200)
    picture = np.full((128, 128, 3), 120, np.uint8)
    picture[8:36, 8:60], picture[8:36, 68:120] = red, blue
    picture += np.random.default_rng(1).integers(0, 16, picture.shape, dtype=np.uint8)
    hole = np.zeros((128, 128), bool)
    hole[60:110, 30:98] = True

    def drawn(small: np.ndarray, missing: np.ndarray, seeds: range, on_step: Any) -> list[np.ndarray]:
        out = [np.where(missing[..., None], np.float32(0.47), small) for _ in seeds]
        for sample, colour in zip(out, (red, blue), strict=True):
            sample[9:12, 6:11] = np.float32(colour) / 255
        return out

    redness = {}
    for strength in (0.0, 1.0):
        method = Inpainter("repaint", options={"weights": str(weights), "strength": strength})
        monkeypatch.setattr(type(method._method), "_samples", lambda self, *given: drawn(*given))
        found = [r.image[76:92, 52:84].astype(int) for r in method.sample(picture, hole, 2)]
        redness[strength] = [(fill[..., 0] - fill[..., 2]).mean() for fill in found]
    assert redness[1.0][0] > 80
    assert redness[1.0][1] < -80
    assert abs(redness[0.0][0] - redness[0.0][1]) < 80


@both
def test_it_can_be_stopped_inside_the_network(
    name: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    shares: list[float] = []

    def watch(share: float, words: str) -> None:
        shares.append(share)
        if share >= 0.5:
            raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled, match="enough"):
        loaded[name](make_picture(16, 24), some_hole(16, 24), on_step=watch)
    assert len(shares) > 20  # after every layer
    assert max(shares) < 0.9
    checked(loaded[name], make_picture(16, 24), some_hole(16, 24))  # and works again


@both
def test_two_threads_may_call_it_at_once(name: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    expected = [loaded[name](picture, hole, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: loaded[name](picture, hole, seed=seed % 4), range(8)))
    for i, filled in enumerate(found):
        assert np.array_equal(filled, expected[i % 4])


@both
def test_it_tells_what_the_net_drew(name: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(50, 60), some_hole(50, 60)
    result, told = loaded[name].explain(picture, hole, seed=3)
    assert np.array_equal(result.image, checked(loaded[name], picture, hole, seed=3).image)
    (drawn,) = told[0][1].pictures
    assert drawn.name == "sample"
    assert min(drawn.image.shape[:2]) == 16


@both
def test_half_precision_is_close(name: str, weights: Path, make_picture: Make) -> None:
    picture, hole = make_picture(16, 24, 3, np.float32), some_hole(16, 24)
    options = {"weights": str(weights), **QUICK[name]}
    full = checked(Inpainter(name, options=options), picture, hole).image
    half = checked(Inpainter(name, options={**options, "precision": "bfloat16"}), picture, hole).image
    assert 0 < np.abs(full - half).max() < 0.1


@both
def test_half_precision_that_overflows_is_run_again(name: str, tmp_path: Path, make_picture: Make) -> None:
    path = write_net(tmp_path / "wild.safetensors", {**FACTS, "says": "noise"})
    checkpoint = torch_io.read(path)
    wild = GuidedDiffusionUNet(**checkpoint.config)
    wild.load_state_dict(checkpoint.state)
    with torch.no_grad():
        wild.out[2].weight.mul_(1e6)  # finite in float32; a clamp would hide what half precision makes of it
    torch_io.save(wild, path, torch_io.metadata(path))
    options = {"weights": str(path), **QUICK[name]}
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    full = checked(Inpainter(name, options=options), picture, hole)
    half = checked(Inpainter(name, options={**options, "precision": "float16"}), picture, hole)
    assert np.array_equal(full.image, half.image)
    assert any("float16 overflowed" in line for line in half.notes)


def test_memory_that_runs_out_is_an_error_of_ours(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lacuna.methods.diffusion.sampler import Sampler

    def greedy(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(Sampler, "draw", greedy)
    with pytest.raises(errors.DeviceOutOfMemoryError, match="'ddpm' on 1 samples of 24×16; give a smaller"):
        loaded["ddpm"](make_picture(16, 24), some_hole(16, 24))


# What is loaded -------------------------------------------------------------------------------------------


def test_a_published_checkpoint_needs_no_facts(tmp_path: Path, make_picture: Make) -> None:
    path = write_net(tmp_path / "plain.safetensors", None, outputs=6)
    torch.save(torch_io.read(path).state, tmp_path / "plain.pt")
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    options = {**QUICK["ddpm"], "across": 16}
    first = checked(Inpainter("ddpm", options={**options, "weights": str(path)}), picture, hole).image
    options["weights"] = str(tmp_path / "plain.pt")
    with pytest.raises(errors.WeightsError, match="heads of 64 channels do not divide 32"):
        Inpainter("ddpm", options=options)  # tensors do not tell it, and 64 is what the published nets have
    second = checked(Inpainter("ddpm", options={**options, "head": 32}), picture, hole).image
    assert np.array_equal(first, second)


def test_a_net_that_is_told_the_mask(tmp_path: Path, make_picture: Make) -> None:
    path = write_net(tmp_path / "told.safetensors", {**FACTS, "conditioned": True}, inputs=7)
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    method = Inpainter("ddpm", options={"weights": str(path), **QUICK["ddpm"]})
    checked(method, picture, hole)
    write_net(path, {**FACTS, "conditioned": True})
    with pytest.raises(errors.WeightsError, match="takes 3 channels; expected 7"):
        Inpainter("ddpm", options={"weights": str(path)})


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"says": "score"}, "says is 'score'"),
        ({"schedule": "none"}, "schedule is 'none'"),
        ({"steps": 0}, ""),
    ],
)
def test_facts_that_mean_nothing(facts: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = write_net(tmp_path / "odd.safetensors", {**FACTS, **facts})
    with pytest.raises(errors.WeightsError, match=f"does not say how its net was trained: .*{words}"):
        Inpainter("ddpm", options={"weights": str(path)})


def test_weights_of_something_else(tmp_path: Path) -> None:
    from lacuna.nets.loading import NETS

    torch_io.save(NETS["pen-net"](4), tmp_path / "pen.safetensors")
    with pytest.raises(errors.WeightsError, match="not of 'guided-diffusion'"):
        Inpainter("repaint", options={"weights": str(tmp_path / "pen.safetensors")})


@pytest.fixture(scope="session")
def unet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with a tiny random UNet, as diffusers writes it."""
    diffusers = pytest.importorskip("diffusers")
    folder = tmp_path_factory.mktemp("pipeline")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = diffusers.UNet2DModel(
            sample_size=16,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
        )
    scheduler = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    diffusers.DDPMPipeline(unet, scheduler).save_pretrained(folder)
    return folder


def test_a_folder_of_diffusers(unet_folder: Path, make_picture: Make) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    for name in QUICK:
        method = Inpainter(name, options={"weights": str(unet_folder), **QUICK[name]})
        facts = method._method.sampler.model.facts  # type: ignore[attr-defined]
        assert (facts.schedule, facts.says, facts.size) == ("cosine", "velocity", 16)
        checked(method, picture, hole)
    import diffusers

    x, step = torch.randn(2, 3, 16, 16), torch.tensor([7, 900])
    unet = diffusers.UNet2DModel.from_pretrained(unet_folder, subfolder="unet").eval()
    with torch.no_grad():
        expected = unet(x, step).sample
        torch.testing.assert_close(method._method.sampler.model.net(x, step), expected)  # type: ignore[attr-defined]


def test_folders_that_do_not_do(unet_folder: Path, tmp_path: Path) -> None:
    def refused(kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            Inpainter("ddpm", options={"weights": str(tmp_path)})

    refused(errors.WeightsNotFoundError, "no config.json")
    config = json.loads((unet_folder / "unet" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "_class_name": "UNet2DConditionModel"}))
    refused(errors.WeightsError, "expected a UNet2DModel")
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(errors.WeightsNotFoundError, "no diffusion_pytorch_model.safetensors")
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    refused(errors.WeightsError, r"a pickle, which can run code.*save_pretrained")


# What is asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("repaint", {"steps": 5, "jump": 6}, "'jump' of method 'repaint' is 6; expected at most the 5 steps"),
        ("repaint", {"resample": 0}, "'resample' of method 'repaint' is 0"),
        ("repaint", {"steps": 0}, "'steps' of method 'repaint' is 0"),
        ("repaint", {"preset": "best"}, "expected paper | fast"),
        ("ddpm", {"steps": 0}, "'steps' of method 'ddpm' is 0"),
        ("ddpm", {"steps": 1001}, "this net was trained with 1000"),
        ("ddpm", {"across": 8}, "expected 16 to 1024"),
        ("ddpm", {"strength": 1.5}, "expected 0 to 1"),
        ("ddpm", {"prompt": "a cat"}, "'ddpm' has no option 'prompt'; methods that have it: latent"),
        ("ddpm", {"device": "gpu"}, "expected auto, cpu"),
    ],
)
def test_what_means_nothing_is_refused(name: str, options: dict[str, Any], words: str, weights: Path) -> None:
    with pytest.raises(errors.OptionError, match=words.replace("|", r"\|")):
        Inpainter(name, options={"weights": str(weights), **options})


def test_presets_are_what_they_say(weights: Path) -> None:
    paper, fast = (calls(jump_times(*PRESETS[name])) for name in ("paper", "fast"))
    assert paper == 2410
    assert 10 * fast <= paper
    method = Inpainter("repaint", options={"weights": str(weights), "preset": "paper", "resample": 2})
    assert method._method.setting == (250, 10, 2)  # type: ignore[attr-defined]


def test_going_back_asks_the_net_as_often_as_it_says(
    weights: Path, make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    forward = GuidedDiffusionUNet.forward
    monkeypatch.setattr(
        GuidedDiffusionUNet,
        "forward",
        lambda self, x, step: asked.append(int(step[0])) or forward(self, x, step),
    )
    options = {"weights": str(weights), "steps": 6, "jump": 2, "resample": 3}
    Inpainter("repaint", options=options)(make_picture(16, 16), some_hole(16, 16))
    assert len(asked) == calls(jump_times(6, 2, 3))
    assert (max(asked), min(asked)) == (999, 0)
    asked.clear()
    Inpainter("repaint", options={**options, "resample": 1})(make_picture(16, 16), some_hole(16, 16))
    assert asked == sorted(asked, reverse=True)
    assert len(asked) == 6


def test_other_solvers_and_conditions(weights: Path, make_picture: Make) -> None:
    picture, hole = make_picture(16, 24), some_hole(16, 24)
    fills = set()
    for name, options in (
        ("ddpm", {}),
        ("ddpm", {"solver": "ddim"}),
        ("ddpm", {"solver": "multistep"}),
        ("ddpm", {"known": "null-space"}),
        ("repaint", {"jump": 2, "resample": 2}),
        ("repaint", {"jump": 2, "resample": 2, "known": "null-space"}),
    ):
        method = Inpainter(name, options={"weights": str(weights), "steps": 4, **options})
        fills.add(checked(method, picture, hole).image.tobytes())
        assert dataclasses.is_dataclass(method._method)
    assert len(fills) == 6


# The net that is shipped ----------------------------------------------------------------------------------


def test_the_shipped_net_fills_without_being_told_anything(make_picture: Make) -> None:
    path = shipped("ddpm")
    assert path.stat().st_size <= 16_000_000
    method = Inpainter("ddpm", options={"steps": 2})
    model = method._method.sampler.model  # type: ignore[attr-defined]
    assert sum(p.numel() for p in model.net.parameters()) <= 8_000_000
    assert model.facts.size == 64
    checked(method, make_picture(40, 40), some_hole(40, 40))


def test_the_shipped_net_has_learned_what_photos_look_like() -> None:
    """It tells a picture from noise far better than a picture of one colour would."""
    from lacuna.diffusion import denoiser
    from lacuna.methods.diffusion.sampler import schedule_of

    model = load(shipped("ddpm"))
    schedule = schedule_of(model.facts)
    y, x = np.mgrid[:64, :64] / 63
    scene = np.stack([0.6 * y - 0.2, 0.3 * x, np.where(y > 0.55, -0.5, 0.6)])  # land under a sky
    clean = torch.from_numpy(scene).float()[None]
    left = schedule.at(500)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = left**0.5 * clean + (1 - left) ** 0.5 * noise
    with torch.no_grad():
        said = denoiser(model.net, schedule, says=model.facts.says)(noisy, 500).clean  # type: ignore[arg-type]
    assert (said - clean).square().mean() < 0.15 * (clean - clean.mean((2, 3), keepdim=True)).square().mean()


def test_added_weights_keep_what_they_say_of_their_training(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, make_picture: Make
) -> None:
    from lacuna.cli import main

    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path))
    assert main(["weights", "add", "mine", str(weights)]) == 0
    method = Inpainter("ddpm", options={"weights": "mine", **QUICK["ddpm"]})
    assert method._method.sampler.model.facts.says == "velocity"  # type: ignore[attr-defined]

"""What Lacuna promises, asked of every network with tiny random weights: all but a good look."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import checked, holes, some_hole

import lacuna
from lacuna import errors, registry
from lacuna.inpainting import Inpainter

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from lacuna import devices, torch_io  # noqa: E402 - after torch was found
from lacuna.nets.loading import NETS  # noqa: E402

SMALL: dict[str, dict[str, Any]] = {
    "partial-conv": {"width": 4, "levels": 4},
    "gated-conv": {"width": 8, "sketch": True},
    "contextual-attention": {"width": 4},
    "lama": {"width": 4, "blocks": 1},
    "context-encoder": {"width": 4, "bottleneck": 8, "region": "random"},
    "pen-net": {"width": 4},
}
Make = Callable[..., np.ndarray]
every_network = pytest.mark.parametrize("name", SMALL)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, config in SMALL.items():
            paths[name] = folder / f"{name}.safetensors"
            torch_io.save(NETS[name](**config), paths[name])
    return paths


@pytest.fixture(scope="session")
def loaded(checkpoints: dict[str, Path]) -> dict[str, Inpainter]:
    return {name: Inpainter(name, options={"weights": str(path)}) for name, path in checkpoints.items()}


def test_the_catalogue_names_every_network() -> None:
    assert (
        {spec.name for spec in lacuna.list_methods("cnn")}
        == set(SMALL)
        == set(NETS) - {"guide", "guided-diffusion"}
    )
    assert all(spec.weights and spec.accelerated for spec in lacuna.list_methods("cnn"))


@every_network
@pytest.mark.parametrize("size", [(13, 67), (1, 9), (3, 2), (140, 20)])
def test_any_size(name: str, size: tuple[int, int], loaded: dict[str, Inpainter], make_picture: Make) -> None:
    checked(loaded[name], make_picture(*size), some_hole(*size))


@every_network
@pytest.mark.parametrize("hole", holes())
def test_any_hole_is_filled(name: str, hole: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, missing = make_picture(33, 41), holes()[hole]
    damaged = picture.copy()
    damaged[missing] = (255, 0, 255)
    filled = checked(loaded[name], damaged, missing).image
    assert not (filled[missing] == (255, 0, 255)).all(axis=1).any()
    damaged[missing] = (0, 255, 0)  # what lies under the hole is meaningless
    assert np.array_equal(checked(loaded[name], damaged, missing).image, filled)


@every_network
@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32"), (2, "uint8")])
def test_any_kind_of_picture(
    name: str, channels: int, dtype: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    picture = make_picture(20, 27, channels, np.dtype(dtype))
    result = checked(loaded[name], picture, some_hole(20, 27))
    if channels in (2, 4):
        assert np.array_equal(result.image[..., -1], picture[..., -1])


@every_network
def test_same_bytes_in_any_memory_order(name: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(40, 52), some_hole(40, 52)
    expected = checked(loaded[name], picture, hole).image
    assert np.array_equal(checked(loaded[name], np.asfortranarray(picture), hole, seed=5).image, expected)


@every_network
def test_it_can_be_stopped_inside_the_network(
    name: str, loaded: dict[str, Inpainter], make_picture: Make
) -> None:
    shares = []

    def watch(share: float, words: str) -> None:
        shares.append(share)
        if share >= 0.5:
            raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled, match="enough"):
        loaded[name](make_picture(60, 70), some_hole(60, 70), on_step=watch)
    assert len(shares) > 3
    assert max(shares) < 0.8  # it stopped there, not when all was done
    checked(loaded[name], make_picture(20, 27), some_hole(20, 27))  # and works again


@every_network
def test_a_path_or_a_name_and_nothing_else(
    name: str, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path))
    with pytest.raises(errors.WeightsNotFoundError, match=rf"{name}.*lacuna weights add"):
        Inpainter(name)
    with pytest.raises(errors.WeightsNotFoundError, match="no weights named 'mine'"):
        Inpainter(name, options={"weights": "mine"})
    other = next(path for method, path in checkpoints.items() if method != name)
    with pytest.raises(errors.WeightsError, match=f"not of '{name}'"):
        Inpainter(name, options={"weights": str(other)})


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_here(device: str, checkpoints: dict[str, Path]) -> None:
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is one here")
    with pytest.raises(errors.DeviceUnavailableError, match=device):
        Inpainter("lama", device=device, options={"weights": str(checkpoints["lama"])})


def test_devices_are_named_as_an_argument_or_an_option(checkpoints: dict[str, Path]) -> None:
    weights = {"weights": str(checkpoints["lama"])}
    assert Inpainter("lama", device="cpu", options=weights).options["device"] == "cpu"
    assert Inpainter("lama", options={**weights, "device": "cpu"}).options["device"] == "cpu"
    with pytest.raises(errors.OptionError, match="expected auto, cpu"):
        Inpainter("lama", device="gpu", options=weights)
    with pytest.raises(errors.DeviceUnavailableError, match="runs on the CPU"):
        Inpainter("telea", device="cuda")


@every_network
def test_half_precision_is_close(name: str, checkpoints: dict[str, Path], make_picture: Make) -> None:
    picture, hole = make_picture(40, 52, 3, np.float32), some_hole(40, 52)
    weights = {"weights": str(checkpoints[name])}
    full = checked(Inpainter(name, options=weights), picture, hole).image
    half = checked(Inpainter(name, options={**weights, "precision": "bfloat16"}), picture, hole).image
    assert 0 < np.abs(full - half).max() < 0.08


def test_half_precision_that_overflows_is_run_again(tmp_path: Path, make_picture: Make) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NETS["pen-net"](4)
    with torch.no_grad():
        net.encoder[0].weight.mul_(1e4)
        net.encoder[1].weight.mul_(1e4)
        net.encoder[2].weight.mul_(1e-8)
    torch_io.save(net, tmp_path / "wild.safetensors")
    picture, hole = make_picture(40, 52), some_hole(40, 52)
    weights = {"weights": str(tmp_path / "wild.safetensors")}
    full = checked(Inpainter("pen-net", options=weights), picture, hole)
    half = checked(Inpainter("pen-net", options={**weights, "precision": "float16"}), picture, hole)
    assert np.array_equal(full.image, half.image)
    assert any("overflowed" in note for note in half.notes)


def test_an_overflow_that_an_activation_hides_is_found(tmp_path: Path, make_picture: Make) -> None:
    """What is infinite inside becomes a plausible white behind tanh; float32 says something else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NETS["pen-net"](4)
    with torch.no_grad():
        first, _, last = net.head
        first.weight.zero_()
        first.bias.fill_(1e5)  # more than half precision can hold
        last.weight.fill_(1.5e-7)
        last.bias.zero_()
    torch_io.save(net, tmp_path / "wild.safetensors")
    picture, hole = make_picture(40, 52), some_hole(40, 52)
    weights = {"weights": str(tmp_path / "wild.safetensors")}
    full = checked(Inpainter("pen-net", options=weights), picture, hole)
    half = checked(Inpainter("pen-net", options={**weights, "precision": "float16"}), picture, hole)
    assert full.image[hole].max() < 250
    assert np.array_equal(full.image, half.image)
    assert any("float16 overflowed in pen-net; filled again in float32" in note for note in half.notes)


def test_attention_too_large_for_memory_is_reduced_and_said(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = loaded["gated-conv"]
    monkeypatch.setattr(type(method._method), "LARGEST", 40 * 50)
    result = checked(method, make_picture(80, 100), some_hole(80, 100))
    assert any("at 50% of their size" in note for note in result.notes)


def test_memory_that_runs_out_is_an_error_of_ours(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = loaded["lama"]

    def greedy(*args: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(type(method._method), "predict", greedy)
    with pytest.raises(errors.DeviceOutOfMemoryError, match="smaller"):
        method(make_picture(20, 27), some_hole(20, 27))


def test_partial_conv_says_where_the_hole_closed(loaded: dict[str, Inpainter], make_picture: Make) -> None:
    notes = checked(loaded["partial-conv"], make_picture(40, 52), some_hole(40, 52)).notes
    assert any("the hole closed at level 2 of 4" in note for note in notes)


def test_the_centre_of_a_context_encoder_lands_in_the_hole(tmp_path: Path) -> None:
    """A network that paints its centre red, whatever it sees."""
    net = NETS["context-encoder"](4, 8, "centre")
    last = net.decoder[-2]
    torch.nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([9.0, -9.0, -9.0]))
    torch_io.save(net, tmp_path / "red.safetensors")
    method = Inpainter("context-encoder", options={"weights": str(tmp_path / "red.safetensors")})
    grey = np.full((90, 70, 3), 128, dtype=np.uint8)
    for box in (np.s_[20:40, 30:60], np.s_[:9, :9], np.s_[85:, 3:50]):
        hole = np.zeros((90, 70), dtype=bool)
        hole[box] = True
        filled = checked(method, grey, hole).image[hole].astype(int)
        assert np.abs(filled - (255, 0, 0)).max() <= 2


def test_lama_predicts_what_its_tensors_say(checkpoints: dict[str, Path], make_picture: Make) -> None:
    """The adapter adds nothing: padding aside, it is the network on the picture."""
    picture, hole = make_picture(48, 64, 3, np.float32), some_hole(48, 64)
    method = registry.create("lama", {"weights": str(checkpoints["lama"])})
    out = method.fill(picture, hole, aux=lacuna.Aux(), seed=0)
    net: Any = method.net  # type: ignore[attr-defined]
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    expected = net(image, torch.from_numpy(hole)[None, None].float())[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(out[hole], expected[hole], rtol=1e-5)
    assert np.array_equal(out[~hole], picture[~hole])


def test_a_sketch_reaches_the_network(tmp_path: Path, make_picture: Make) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NETS["gated-conv"](8, sketch=True)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(3)  # as they are made, what enters hardly shows in what leaves
    torch_io.save(net, tmp_path / "strong.safetensors")
    picture, hole = make_picture(48, 64, 3, np.float32), some_hole(48, 64)
    method = registry.create("gated-conv", {"weights": str(tmp_path / "strong.safetensors")})
    lines = np.zeros((48, 64, 1), dtype=np.float32)
    none = method.fill(picture, hole, aux=lacuna.Aux(sketch=lines), seed=0)
    assert np.array_equal(none, method.fill(picture, hole, aux=lacuna.Aux(), seed=0))
    lines[20] = 1
    assert not np.array_equal(none, method.fill(picture, hole, aux=lacuna.Aux(sketch=lines), seed=0))


def test_a_sketch_travels_with_the_picture(tmp_path: Path, make_picture: Make) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        nets = [NETS["gated-conv"](8, sketch=takes) for takes in (True, False)]
    methods = []
    for i, net in enumerate(nets):
        with torch.no_grad():
            for weight in net.parameters():
                weight.mul_(3)
        torch_io.save(net, tmp_path / f"{i}.safetensors")
        methods.append(Inpainter("gated-conv", options={"weights": str(tmp_path / f"{i}.safetensors")}))
    picture, hole = make_picture(48, 64, 3, np.float32), some_hole(48, 64)
    lines = np.zeros((48, 64), dtype=np.uint8)
    lines[20] = 255
    plain = checked(methods[0], picture, hole).image
    assert not np.array_equal(plain, checked(methods[0], picture, hole, sketch=lines).image)
    assert np.array_equal(plain, checked(methods[0], picture, hole, sketch=0 * lines).image)
    ignored = checked(methods[1], picture, hole, sketch=lines)
    assert any("no sketch channel" in note for note in ignored.notes)
    with pytest.raises(errors.MaskError, match="40"):
        methods[0](picture, hole, sketch=lines[:40])
    with pytest.raises(errors.OptionError, match="takes no sketch; methods that do: gated-conv"):
        Inpainter("telea")(picture, hole, sketch=lines)


def test_without_torch_the_pip_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        errors.MissingDependencyError, match=r'torch and safetensors; pip install "lacuna\[torch\]"'
    ):
        Inpainter("lama", options={"weights": "x"})


def test_options_are_listed_without_importing_torch() -> None:
    code = (
        "import sys; from lacuna import registry; "
        "[registry.options_of(s.name) for s in registry.list_methods()]; print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(lacuna.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "False"


@every_network
def test_it_can_tell_what_it_did(name: str, loaded: dict[str, Inpainter], make_picture: Make) -> None:
    picture, hole = make_picture(40, 52), some_hole(40, 52)
    result, told = loaded[name].explain(picture, hole)
    assert np.array_equal(result.image, checked(loaded[name], picture, hole).image)  # the same fill
    assert len(told) == 1
    names = [one.name for one in told[0][1].pictures]
    assert names[0] == "seen"
    assert names[-1] == "prediction"
    inside = {
        "partial-conv": {f"mask-{level}" for level in range(5)},
        "gated-conv": {"coarse", "refined", "attention", "attention-copied"},
        "contextual-attention": {"coarse", "refined", "attention", "attention-copied"},
        "pen-net": {f"level-{level}" for level in range(1, 6)},
    }
    assert inside.get(name, set()) == set(names) - {"seen", "prediction"}
    shapes = {one.name: one.image.shape for one in told[0][1].pictures}
    if name != "context-encoder":
        assert shapes["prediction"] == (40, 52, 3)  # without the padding
    assert all(one.image.min() >= 0 and one.image.max() <= 1 for one in told[0][1].pictures)
    assert any("Known pixels were predicted within" in line for line in told[0][1].lines)


def test_the_hole_shrinks_in_the_pictures(loaded: dict[str, Inpainter], make_picture: Make) -> None:
    hole = np.zeros((64, 64), dtype=bool)
    hole[8:56, 8:56] = True
    _, told = loaded["partial-conv"].explain(make_picture(64, 64), hole)
    pictures = {one.name: one.image for one in told[0][1].pictures}
    share = [1 - pictures[f"mask-{level}"].mean() for level in range(5)]
    assert share[0] == pytest.approx(hole.mean())
    assert all(after < before for before, after in itertools.pairwise(share))
    assert share[-1] < 0.1
    line = next(line for line in told[0][1].lines if line.startswith("Open at each level"))
    assert line.startswith("Open at each level: 56.2%, ")


def test_attention_is_drawn_where_it_looked() -> None:
    from lacuna.methods.cnn.showing import collect_shown, frame_of, show_attention

    shares = torch.zeros(1, 4, 4, 4, 4)
    shares[0, 1, 3, 1, 0] = 1  # the place (1, 0) copies from (1, 3): three places to the right
    image, missing = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    missing[..., 8:16, 0:8] = 1
    with collect_shown() as shown:
        frame_of(30, 32)
        show_attention(shares, image, missing)
    np.testing.assert_allclose(shown.pictures["attention"].image[1, 0], (1, 0, 0), atol=1e-6)
    copied = shown.pictures["attention-copied"].image
    np.testing.assert_allclose(copied[1, 0], copied[1, 3])
    assert "at most 24 pixels" in shown.pictures["attention"].caption
    assert "took 100% or more" in shown.lines[0]


def test_without_a_collector_nothing_is_drawn() -> None:
    from lacuna.methods.cnn import showing

    drawn = []

    def drawing() -> np.ndarray:
        drawn.append("a picture")
        return np.zeros((2, 2, 3), np.float32)

    def telling() -> str:
        drawn.append("a sentence")
        return ""

    def draw() -> None:
        showing.show("a", drawing, "")
        showing.tell(telling)
        # Looking into something that is no tensor would fail.
        showing.show_tensor("a", None, None, "")
        showing.show_attention(None, None, None)

    draw()
    assert drawn == []
    with showing.collect_shown(), pytest.raises(AttributeError, match="None"):
        draw()
    assert drawn == ["a picture", "a sentence"]


def test_torch_works_on_as_many_threads_as_lacuna(
    loaded: dict[str, Inpainter], make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, seen = loaded["lama"], []
    plain = type(method._method).predict

    def watched(*given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return plain(*given)

    monkeypatch.setattr(type(method._method), "predict", watched)
    before = torch.get_num_threads()
    for count in (1, 3):
        monkeypatch.setattr(devices, "thread_count", lambda count=count: count)
        method(make_picture(20, 27), some_hole(20, 27))
        assert torch.get_num_threads() == before  # the program's own number is left alone
    assert seen == [1, 3]
    monkeypatch.undo()
    monkeypatch.setenv("LACUNA_THREADS", "none")
    with pytest.raises(errors.OptionError, match="LACUNA_THREADS"):
        method(make_picture(20, 27), some_hole(20, 27))

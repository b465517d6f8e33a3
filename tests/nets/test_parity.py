"""The networks against outputs of the published code, on its own random weights; 1e-4 relative is parity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lacuna import torch_io
from lacuna.nets import features, loading
from lacuna.nets.lama import Lama
from lacuna.nets.partial_conv import PartialConv2d, PartialConvUNet

Tensors = dict[str, Any]


def fixture(parity: Path, name: str) -> tuple[Tensors, Tensors, Tensors]:
    """Return state, inputs and outputs."""
    parts: dict[str, Tensors] = {"state": {}, "input": {}, "output": {}}
    with np.load(parity / f"{name}.npz") as arrays:
        for key in arrays.files:
            part, _, rest = key.partition(".")
            parts[part][rest] = torch.from_numpy(arrays[key])
    return parts["state"], parts["input"], parts["output"]


def relative(ours: Any, theirs: Any) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(("name", "convention"), [("repeated", "port"), ("single", "authors")])
def test_partial_convolution(parity: Path, name: str, convention: Any) -> None:
    state, given, expected = fixture(parity, f"partial_conv_layer_{name}_mask")
    layer = PartialConv2d(4, 6, 5, 2, 2, convention=convention)
    layer.load_state_dict(
        {key: state[key] for key in state if "mask" not in key}
        if name == "single"
        else {
            key.removeprefix("input_conv."): value for key, value in state.items() if "mask_conv" not in key
        }
    )
    with torch.no_grad():
        y, mask = layer(given["x"], given["mask"])
    assert torch.equal(mask, expected["mask"])
    assert relative(y, expected["y"]) < 1e-4


def through_a_file(state: Tensors, path: Path) -> tuple[str, Any]:
    """Write a foreign state as its publishers do, then read it as a user's."""
    torch.save(state, path)
    return loading.load(path)


def test_lama(parity: Path, tmp_path: Path) -> None:
    state, given, expected = fixture(parity, "lama_fourier")
    foreign = {f"generator.{key}": value for key, value in state.items()}
    wrapped = {"state_dict": foreign | {"discriminator.model0.0.weight": torch.ones(1)}, "epoch": 3}
    kind, net = through_a_file(wrapped, tmp_path / "best.ckpt")
    assert (kind, net.config) == ("lama", {"width": 16, "blocks": 3, "kind": "fourier", "ratio": 0.75})
    with torch.no_grad():
        y = net(given["image"], given["mask"])
    assert relative(y, expected["y"]) < 1e-4
    assert relative(y - y.mean(), expected["y"] - expected["y"].mean()) < 1e-4  # its contrast is low


def test_deepfill_v2(parity: Path, tmp_path: Path) -> None:
    state, given, expected = fixture(parity, "deepfill_v2_pytorch")
    kind, net = through_a_file({"G": state}, tmp_path / "states.pth")
    assert (kind, net.config) == ("gated-conv", {"width": 16, "sketch": False})
    with torch.no_grad():
        out = net(given["image"], given["mask"])
    assert relative(out.coarse, expected["coarse"]) < 1e-4
    assert relative(out.refined, expected["refined"]) < 1e-4


def test_guided_diffusion(parity: Path, tmp_path: Path) -> None:
    state, given, expected = fixture(parity, "guided_diffusion_unet")
    torch.save(state, tmp_path / "256x256.pt")
    kind, net = loading.load(tmp_path / "256x256.pt", more={"head": 16})
    assert kind == "guided-diffusion"
    with torch.no_grad():
        y = net(given["x"], given["t"])
    assert relative(y, expected["y"]) < 1e-4
    torch_io.save(net, tmp_path / "ours.safetensors")  # tells its heads itself
    _, again = loading.load(tmp_path / "ours.safetensors")
    with torch.no_grad():
        assert torch.equal(again(given["x"], given["t"]), y)


def layout(parity: Path, name: str) -> dict[str, list[int]]:
    facts: dict[str, list[int]] = json.loads((parity / f"{name}.json").read_text())["state"]
    return facts


def test_the_published_big_lama_loads(parity: Path) -> None:
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in layout(parity, "big_lama_layout").items()}
        config = Lama.config_of(state)
        net = Lama(**config)
    assert config == {"width": 64, "blocks": 18, "kind": "fourier", "ratio": 0.75}
    torch_io.load_strict(net, state)


@pytest.mark.parametrize(("name", "levels"), [("pconv_unet_layout", 5), ("pconv_unet7_layout", 7)])
def test_the_common_partial_conv_unet_loads(parity: Path, name: str, levels: int) -> None:
    foreign = {key: torch.ones(()).expand(shape) for key, shape in layout(parity, name).items()}
    state = torch_io.convert({f"module.{key}": value for key, value in foreign.items()})
    config = PartialConvUNet.config_of(state)
    assert config == {"width": 64, "levels": levels}
    with torch.device("meta"):
        net = PartialConvUNet(**config)
    torch_io.load_strict(net, {key: value.to("meta") for key, value in state.items()})


def test_squeezenet_features(parity: Path, tmp_path: Path) -> None:
    path = parity.parent / "metrics" / "lpips_squeeze.safetensors"
    if not path.is_file():
        pytest.skip(f"no LPIPS weights at {path}")
    net = features.SqueezeFeatures()
    net.load(torch_io.read(path).state)
    maps = net(torch.rand(1, 3, 64, 64))
    assert [m.shape[1] for m in maps] == [64, 128, 256, 384, 384, 512, 512]
    assert all(float(m.min()) >= 0 and 0 < float(m.max()) < 1e4 for m in maps)
    save_file({"features.0.weight": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(torch_io.WeightsError, match="missing"):
        net.load(torch_io.read(tmp_path / "x.safetensors").state)

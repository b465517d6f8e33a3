from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lacuna.errors import ImageError, MissingDependencyError, WeightsError, WeightsNotFoundError
from lacuna.metrics import Lpips, find_lpips_weights

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

SHARED = Path(os.environ.get("LACUNA_SHARED") or Path(__file__).parents[3] / "shared")
SQUEEZE = SHARED / "metrics" / "lpips_squeeze.safetensors"
WITNESS = 0.1005
"""The example in the documentation of torchmetrics, computed there by the lpips package."""

needs_weights = pytest.mark.skipif(not SQUEEZE.is_file(), reason="LACUNA_SHARED names no folder with weights")


@needs_weights
def test_the_witness() -> None:
    lpips = Lpips(SQUEEZE)
    torch.manual_seed(42)
    a, b = (torch.rand(10, 3, 100, 100) * 2 - 1 for _ in range(2))
    assert lpips.net == "squeeze"
    assert float(lpips._net.distances(a, b).mean()) == pytest.approx(WITNESS, abs=5e-5)
    one = [x[0].permute(1, 2, 0).numpy() / 2 + 0.5 for x in (a, b)]
    assert lpips(*one) == pytest.approx(float(lpips._net.distances(a[:1], b[:1])[0]), abs=1e-6)


@needs_weights
def test_equal_is_zero_grey_is_tripled_and_features_are_of_the_picture(rng: np.random.Generator) -> None:
    lpips = Lpips(SQUEEZE)
    grey = rng.random((40, 50, 1), dtype=np.float32)
    assert lpips(grey, grey) == 0
    assert lpips(grey, grey * 0) == lpips(grey.repeat(3, 2), grey.repeat(3, 2) * 0)
    assert lpips.features(grey).shape == (512,)
    assert len(lpips.sha256) == 64


def write_net(modules: nn.Sequential, channels: list[int], path: Path) -> list[torch.Tensor]:
    heads = [torch.rand(1, c, 1, 1) for c in channels]
    tensors = {f"features.{k}": v.contiguous() for k, v in modules.state_dict().items()}
    save_file(tensors | {f"lin{i}.model.1.weight": head for i, head in enumerate(heads)}, path)
    return heads


def reference(
    modules: nn.Sequential, taps: list[int], heads: list[torch.Tensor], *pair: torch.Tensor
) -> float:
    """Return eq. 1 of the paper from torch's own modules."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x = torch.cat([(p - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1) for p in pair])
    total = 0.0
    with torch.no_grad():
        for index, module in enumerate(modules):
            x = module(x)
            if index in taps:
                unit = nn.functional.normalize(x, dim=1)
                weighted = (unit[0] - unit[1]).square() * heads[taps.index(index)][0]
                total += float(weighted.sum(0).mean())
    return total


def alex() -> tuple[nn.Sequential, list[int], list[int]]:
    relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
    layers = [nn.Conv2d(3, 64, 11, 4, 2), relu(), pool(), nn.Conv2d(64, 192, 5, 1, 2), relu(), pool()]
    layers += [nn.Conv2d(192, 384, 3, 1, 1), relu(), nn.Conv2d(384, 256, 3, 1, 1), relu()]
    layers += [nn.Conv2d(256, 256, 3, 1, 1), relu()]
    return nn.Sequential(*layers), [1, 4, 7, 9, 11], [64, 192, 384, 256, 256]


def vgg() -> tuple[nn.Sequential, list[int], list[int]]:
    layers: list[nn.Module] = []
    taps, channels, before = [], [4, 4, 6, 6, 6], 3  # the layout is VGG-16's, the width is not
    for block, (width, depth) in enumerate(zip(channels, (2, 2, 3, 3, 3), strict=True)):
        layers += [nn.MaxPool2d(2, 2)] if block else []
        for _ in range(depth):
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
            before = width
        taps.append(len(layers) - 1)
    return nn.Sequential(*layers), taps, channels


@pytest.mark.parametrize(("name", "build"), [("alex", alex), ("vgg", vgg)])
def test_other_backbones_compute_the_papers_equation(name: str, build: object, tmp_path: Path) -> None:
    torch.manual_seed(1)
    modules, taps, channels = build()  # type: ignore[operator]
    heads = write_net(modules, channels, tmp_path / "net.safetensors")
    lpips = Lpips(tmp_path / "net.safetensors")
    a, b = (torch.rand(1, 3, 67, 73) * 2 - 1 for _ in range(2))
    assert lpips.net == name
    found = float(lpips._net.distances(a, b)[0])
    assert found == pytest.approx(reference(modules, taps, heads, a, b), rel=1e-4)
    assert found > 0.001


def test_weights_that_are_not_there_or_not_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LACUNA_SHARED", raising=False)
    with pytest.raises(WeightsNotFoundError, match="LACUNA_SHARED is not set"):
        find_lpips_weights()
    monkeypatch.setenv("LACUNA_SHARED", str(tmp_path))
    with pytest.raises(WeightsNotFoundError, match=r"lpips_alex\.safetensors does not exist"):
        find_lpips_weights(net="alex")
    with pytest.raises(WeightsNotFoundError, match="no LPIPS weights at"):
        Lpips(tmp_path / "none.safetensors")
    broken, other = tmp_path / "broken.safetensors", tmp_path / "other.safetensors"
    broken.write_bytes(b"not at all")
    save_file({"layer": torch.zeros(1)}, other)
    with pytest.raises(WeightsError, match=r"is no complete safetensors file.*fetch it again"):
        Lpips(broken)
    with pytest.raises(WeightsError, match="does not hold the weights of an LPIPS net"):
        Lpips(other)


def test_weights_that_are_damaged_are_refused_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    modules, _, channels = alex()
    write_net(modules, channels, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="is no complete safetensors file"):
        Lpips(path)
    write_net(modules, [64, 192, 384, 256, 255], path)
    with pytest.raises(WeightsError, match="the names of alex, but not its shapes"):
        Lpips(path)
    with torch.no_grad():
        modules[0].weight[0] = torch.nan
    write_net(modules, channels, path)
    with pytest.raises(WeightsError, match="not finite"):
        Lpips(path)


@needs_weights
def test_small_pictures_are_refused() -> None:
    small = np.zeros((31, 40, 3))
    with pytest.raises(ImageError, match="32 pixels or more"):
        Lpips(SQUEEZE)(small, small)


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    (tmp_path / "w.safetensors").write_bytes(b"")
    monkeypatch.delitem(sys.modules, "lacuna.metrics.lpips_net", raising=False)
    monkeypatch.delattr("lacuna.metrics.lpips_net", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"lacuna\[torch\]"):
        Lpips(tmp_path / "w.safetensors")

from __future__ import annotations

import hashlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.errors import ImageError, MissingDependencyError, WeightsError, WeightsNotFoundError
from lacuna.metrics import Inception

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from safetensors.torch import save_file  # noqa: E402

from lacuna.metrics import inception_net  # noqa: E402

TORCHVISION_PARAMETERS = 23_834_568
"""Of Inception v3 without its auxiliary head, with 1000 classes, as torchvision counts them."""


def random_state(seed: int = 0) -> dict[str, Any]:
    """Return weights that keep values lively through all layers, in the public layout."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Any] = {}
    for name, shape in inception_net.shapes().items():
        spread = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        state[f"{name}.conv.weight"] = torch.randn(shape, generator=generator) * spread
        for part, centre in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            noise = torch.rand(shape[0], generator=generator) - 0.5
            state[f"{name}.bn.{part}"] = centre + noise
        state[f"{name}.bn.num_batches_tracked"] = torch.tensor(1)
    state["fc.weight"] = torch.randn(1008, 2048, generator=generator) / 45
    state["fc.bias"] = torch.zeros(1008)
    return state


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "net.pth"
    torch.save(random_state(), path)
    return path


@pytest.fixture(scope="module")
def net(weights: Path) -> Inception:
    return Inception(weights)


def test_it_has_as_many_parameters_as_the_published_network() -> None:
    kernels = sum(np.prod(shape) + 2 * shape[0] for shape in inception_net.shapes().values())
    assert kernels + 2049 * 1000 == TORCHVISION_PARAMETERS
    assert len(inception_net.shapes()) == 94


@pytest.fixture(scope="module")
def witness() -> Any:
    """Return torch-fidelity's extractor; its package needs torchvision, this module does not."""
    found = importlib.util.find_spec("torch_fidelity")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("torch-fidelity is not installed: pip install --no-deps torch-fidelity")
    package = types.ModuleType("torch_fidelity")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["torch_fidelity"] = package
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torch_fidelity"]:
            del sys.modules[name]
    return FeatureExtractorInceptionV3


def test_features_are_those_of_torch_fidelity(
    witness: Any, net: Inception, weights: Path, rng: np.random.Generator
) -> None:
    extractor = witness("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    for shape in ((83, 120), (350, 310)):
        pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        pixels[10:40, 5:60] //= 5
        (expected,) = extractor(torch.tensor(pixels.transpose(2, 0, 1))[None])
        found = net.features(pixels.astype(np.float32) / np.float32(255))
        assert found.shape == (2048,)
        assert found.std() > 0.05
        np.testing.assert_allclose(found, expected[0].numpy(), rtol=1e-3, atol=1e-4 * found.max())


def test_pictures_are_resized_from_the_first_pixel_on(rng: np.random.Generator) -> None:
    """Against the rule itself, written out: no half-pixel centres, the last pixel repeated."""
    x = rng.random((4, 7))

    def at(values: np.ndarray, position: float) -> np.ndarray:
        low = int(position)
        high = min(low + 1, len(values) - 1)
        return values[low] + (values[high] - values[low]) * (position - low)

    rows = np.array([at(x, i * 4 / 9) for i in range(9)])
    expected = np.array([at(rows.T, i * 7 / 9) for i in range(9)]).T
    found = inception_net.resize(torch.tensor(x, dtype=torch.float32)[None, None], 9)[0, 0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    same = torch.rand(1, 3, 9, 9)
    assert torch.equal(inception_net.resize(same, 9), same)


def test_both_formats_grey_and_what_is_printed(
    net: Inception, weights: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    assert not net.standard
    assert net.title == "Inception weights of the user"
    assert net.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    grey = rng.random((40, 50, 1), dtype=np.float32)
    features = net.features(grey)
    np.testing.assert_array_equal(features, net.features(grey.repeat(3, 2)))
    save_file(random_state(), tmp_path / "net.safetensors")
    np.testing.assert_array_equal(features, Inception(tmp_path / "net.safetensors").features(grey))
    with pytest.raises(ImageError):
        net.features(grey[..., 0])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="no Inception weights at"):
        Inception(tmp_path / "none.pth")
    (tmp_path / "broken.pth").write_bytes(b"not at all")
    with pytest.raises(WeightsError, match="is no weights file of PyTorch"):
        Inception(tmp_path / "broken.pth")
    state = random_state()
    state["fc.weight"], state["fc.bias"] = torch.zeros(1000, 2048), torch.zeros(1000)
    del state["Mixed_7c.branch1x1.bn.bias"]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"Mixed_7c.branch1x1.bn.bias is missing.*\(1000, 2048\) instead"):
        Inception(tmp_path / "other.pth")


def test_without_torch_the_error_says_what_to_install(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lacuna.metrics.inception_net", raising=False)
    monkeypatch.delattr("lacuna.metrics.inception_net", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "lacuna.torch_io", raising=False)
    with pytest.raises(MissingDependencyError, match=r"lacuna\[torch\]"):
        Inception(weights)

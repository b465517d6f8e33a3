from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lacuna import errors
from lacuna.inpainting import Inpainter
from lacuna.nets import export
from lacuna.nets.context_encoder import ContextEncoder
from lacuna.nets.contextual_attention import Critic, DeepFillV1
from lacuna.nets.gated_conv import DeepFillV2
from lacuna.nets.guide import GuideNet
from lacuna.nets.lama import Lama
from lacuna.nets.partial_conv import PartialConvUNet
from lacuna.nets.pen_net import PENNet

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

# Free sizes cost the exporter half a minute for networks with attention: one of them stands for all.
NETS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, int] | None]] = {
    "partial-conv": (lambda: PartialConvUNet(4, 4), None),
    "lama": (lambda: Lama(4, 1), None),
    "guide": (lambda: GuideNet(8, 2, attention=True), None),
    "contextual-attention": (lambda: DeepFillV1(4), None),
    "gated-conv": (lambda: DeepFillV2(8, sketch=True), (48, 64)),
    "pen-net": (lambda: PENNet(4), (64, 128)),
    "context-encoder": (lambda: ContextEncoder(4, 8, "centre"), (128, 128)),
}


@pytest.mark.parametrize("name", NETS)
def test_an_export_is_the_network_without_torch(
    name: str, tmp_path: Path, randomise: Any, make_picture: Callable
) -> None:
    make, size = NETS[name]
    net = randomise(make())
    told = export.export_onnx(net, tmp_path / "net.onnx", size=size)
    assert told.error < 1e-4
    assert (told.size, told.multiple) == (size, net.multiple)
    assert {path.name for path in tmp_path.iterdir()} == {"net.onnx", "net.toml"}
    # The method `onnx` runs it by its sidecar, padding what has to be padded.
    picture = make_picture(37, 51, 3, np.float32)
    hole = np.zeros((37, 51), dtype=bool)
    hole[10:20, 20:30] = True
    result = Inpainter("onnx", options={"weights": str(told.path)}).run(picture, hole)
    assert not any("guessed" in note for note in result.notes)
    assert result.changed_outside == 0
    assert np.isfinite(result.image).all()
    # And agrees with the network on the same padded frame.
    high, wide = size or (-(-max(side, 2 * net.multiple) // net.multiple) * net.multiple for side in (37, 51))
    wide_hole = np.pad(hole, ((0, high - 37), (0, wide - 51)), mode="symmetric")
    shown = np.where(hole[..., None], 0, picture)
    frame = np.pad(shown, ((0, high - 37), (0, wide - 51), (0, 0)), mode="symmetric")
    with torch.inference_mode():
        image = torch.from_numpy(frame).permute(2, 0, 1)[None]
        out = export.Canonical(net)(image, torch.from_numpy(wide_hole)[None, None].float())
    expected = out[0].permute(1, 2, 0).numpy()[:37, :51]
    np.testing.assert_allclose(result.image[hole], expected[hole], atol=1e-4)
    text = told.path.read_bytes()
    assert str(Path(export.__file__).parent).encode() not in text  # no paths of this machine


def test_half_of_the_weights_is_half_of_the_bytes(tmp_path: Path, randomise: Any) -> None:
    net = randomise(GuideNet(16, 2))
    whole = export.export_onnx(net, tmp_path / "whole.onnx", size=(32, 32))
    half = export.export_onnx(net, tmp_path / "half.onnx", size=(32, 32), half=True)
    bytes_of_weights = 4 * sum(p.numel() for p in net.parameters())
    saved = whole.path.stat().st_size - half.path.stat().st_size
    assert 0.45 * bytes_of_weights < saved < 0.55 * bytes_of_weights
    assert whole.error < half.error < 2e-2


def test_half_precision_that_is_too_far_off_is_not_kept(
    tmp_path: Path, randomise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "HALF_TOLERANCE", 1e-9)
    with pytest.raises(errors.MethodError, match="more than 1e-09; nothing was written"):
        export.export_onnx(randomise(GuideNet(8, 1)), tmp_path / "net.onnx", size=(32, 32), half=True)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(errors.OptionError, match="Critic cannot be exported; networks that can: PartialConv"):
        export.Canonical(Critic(32, 4, (1, 1)))
    with pytest.raises(errors.OptionError, match=r"does not end in \.onnx"):
        export.export_onnx(Lama(4, 1), tmp_path / "net.pt")
    for size in ((20, 32), (8, 8)):
        with pytest.raises(errors.OptionError, match="multiples of 8, 16 at least"):
            export.export_onnx(Lama(4, 1), tmp_path / "net.onnx", size=size)
    with pytest.raises(errors.OptionError, match="takes 128×128"):
        export.export_onnx(ContextEncoder(4, 8), tmp_path / "net.onnx", size=(256, 256))
    assert not list(tmp_path.iterdir())


def test_an_export_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(whole: Any, path: Path, *args: Any, **how: Any) -> None:
        text = '<ir_version: 9, opset_import: ["" : 17]> g (float[1,3,h,w] image, float[1,1,h,w] mask) => '
        onnx.save(
            onnx.parser.parse_model(text + "(float[1,3,h,w] filled) { filled = Mul(image, mask) }"), path
        )

    monkeypatch.setattr(export, "_write", wrong)
    with pytest.raises(errors.MethodError, match=r"differs from it by .* nothing was written"):
        export.export_onnx(Lama(4, 1), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.OutputError, match="cannot write"):
        export.export_onnx(Lama(4, 1), tmp_path / "no" / "net.onnx")


def test_without_the_exporter_the_pip_line_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = export.importlib.util.find_spec
    monkeypatch.setattr(
        export.importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    with pytest.raises(errors.MissingDependencyError, match="pip install onnxscript"):
        export.export_onnx(Lama(4, 1), tmp_path / "net.onnx")

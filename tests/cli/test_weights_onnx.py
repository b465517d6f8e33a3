"""``lacuna weights`` with ONNX models: no torch is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna import errors
from lacuna.cli import exits

onnx = pytest.importorskip("onnx")

CODES = exits.EXIT_CODES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def model(tmp_path: Path, make_onnx: Callable) -> Path:
    return make_onnx(tmp_path / "theirs.onnx", dtype="uint8", span=(0, 255), missing=0, known=255)


def test_add_guess_use_correct_remove(lacuna: Callable, model: Path, scene: Any, folder: Path) -> None:
    ran = lacuna("weights", "add", "migan", model)
    assert ran.code == 0
    assert hashlib.sha256(model.read_bytes()).hexdigest() in ran.out
    assert "--method onnx --option weights=migan" in ran.out
    assert "no sidecar says what theirs.onnx takes; guessed:" in ran.err
    assert "missing = 0.0, known = 255.0" in ran.err
    model.unlink()  # Lacuna has its own copy
    photo, mask, out = scene.path("photo.png"), scene.path("mask.png"), scene.path("out.png")
    command = ("inpaint", photo, "-m", mask, "--method", "onnx", "--option", "weights=migan", "-o", out)
    ran = lacuna(*command, "--json")
    assert ran.code == 0
    assert ran.json["changed_outside"] == 0
    assert np.array_equal(scene.read("out.png")[~scene.hole], scene.picture[~scene.hole])
    assert any("was guessed; see migan.toml" in note for note in ran.json["notes"])
    told = folder / "migan.toml"
    assert "Guessed by Lacuna" in told.read_text()
    told.write_text(told.read_text().replace("guessed = true", "guessed = false"))
    ran = lacuna(*command, "--json", "--overwrite")
    assert not any("guessed" in note for note in ran.json["notes"])
    assert "removed" in lacuna("weights", "remove", "migan").out
    assert [path.name for path in folder.iterdir()] == ["index.json"]


def test_a_sidecar_by_name_and_beside(lacuna: Callable, model: Path, tmp_path: Path, folder: Path) -> None:
    text = "image = 'image'\nmask = 'mask'\nmissing = 0\nknown = 255\n"
    text += "range = [0, 255]\noutput_range = [0, 255]\n"
    (tmp_path / "facts.toml").write_text(text)
    ran = lacuna("weights", "add", "a", model, "--sidecar", tmp_path / "facts.toml")
    assert (ran.code, ran.err) == (0, "")
    (tmp_path / "facts.toml").rename(model.with_suffix(".toml"))
    ran = lacuna("weights", "add", "b", model, "--json")
    assert ran.json["notes"] == []
    assert (folder / "a.toml").read_text() == (folder / "b.toml").read_text()
    assert "missing = 0.0" in (folder / "a.toml").read_text()


def test_errors(lacuna: Callable, model: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "facts.toml").write_text("imag = 'image'")
    ran = lacuna("weights", "add", "a", model, "--sidecar", tmp_path / "facts.toml")
    assert ran.code == CODES[errors.ConfigError]
    assert "did you mean 'image'" in ran.err
    ran = lacuna("weights", "add", "a", model, "--sidecar", tmp_path / "none.toml")
    assert ran.code == CODES[errors.ConfigError]
    (tmp_path / "half.onnx").write_bytes(model.read_bytes()[:300])
    assert lacuna("weights", "add", "a", tmp_path / "half.onnx").code == CODES[errors.WeightsError]
    assert lacuna("weights", "add", "a", tmp_path / "no.onnx").code == CODES[errors.WeightsNotFoundError]
    ran = lacuna("weights", "add", "a", tmp_path / "x.pt", "--sidecar", tmp_path / "facts.toml")
    assert ran.code == exits.USAGE
    assert not folder.exists()  # nothing of that was kept


def test_tensors_in_another_file_are_refused(lacuna: Callable, model: Path, tmp_path: Path) -> None:
    loaded = onnx.load(model)
    loaded.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "k"))
    loaded.graph.node.append(onnx.helper.make_node("Mul", ["k", "k"], ["unused"]))
    big = tmp_path / "big.onnx"
    onnx.save_model(loaded, big, save_as_external_data=True, location="big.data", size_threshold=0)
    ran = lacuna("weights", "add", "a", big)
    assert ran.code == CODES[errors.WeightsError]
    assert "onnx.save_model(onnx.load(FILE), NEW)" in ran.err


def test_a_name_changes_its_kind(lacuna: Callable, model: Path, tmp_path: Path, folder: Path) -> None:
    from lacuna import weights

    lacuna("weights", "add", "a", model)
    weights.add("a", b"other", method="lama", origin=model)
    assert {path.name for path in folder.iterdir()} == {"a.safetensors", "index.json"}
    lacuna("weights", "add", "a", model)
    assert {path.name for path in folder.iterdir()} == {"a.onnx", "a.toml", "index.json"}


def test_a_copy_that_was_tampered_with(lacuna: Callable, model: Path, scene: Any, folder: Path) -> None:
    lacuna("weights", "add", "a", model, "--quiet")
    (folder / "a.onnx").write_bytes(b"other")
    photo, mask = scene.path("photo.png"), scene.path("mask.png")
    ran = lacuna("inpaint", photo, "-m", mask, "--method", "onnx", "--option", "weights=a")
    assert ran.code == CODES[errors.ChecksumMismatchError]

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna import errors, registry
from lacuna.cli import exits

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from lacuna.nets.lama import Lama  # noqa: E402 - after torch was found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A checkpoint as the published training code writes it."""
    path = tmp_path / "best.ckpt"
    with torch.random.fork_rng(devices=[]):
        state = Lama(4, 1).state_dict()
    torch.save({"state_dict": {f"generator.{key}": value for key, value in state.items()}}, path)
    return path


def test_add_list_use_remove(lacuna: Callable, foreign: Path, scene: Any) -> None:
    assert "None yet" in lacuna("weights", "list").out
    ran = lacuna("weights", "add", "places", foreign)
    assert (ran.code, ran.err) == (0, "")
    assert hashlib.sha256(foreign.read_bytes()).hexdigest() in ran.out
    assert "places" in lacuna("weights", "list").out
    listed = lacuna("weights", "list", "--json").json["weights"]
    assert [(item["name"], item["method"]) for item in listed] == [("places", "lama")]
    foreign.unlink()  # Lacuna has its own copy
    photo, mask, out = scene.path("photo.png"), scene.path("mask.png"), scene.path("out.png")
    ran = lacuna(
        "inpaint", photo, "-m", mask, "--method", "lama", "--option", "weights=places", "-o", out, "--json"
    )
    assert ran.code == 0
    assert ran.json["changed_outside"] == 0
    assert np.array_equal(scene.read("out.png")[~scene.hole], scene.picture[~scene.hole])
    assert not np.array_equal(scene.read("out.png"), scene.picture)
    assert "removed" in lacuna("weights", "remove", "places").out
    assert lacuna("weights", "remove", "places").code == exits.EXIT_CODES[errors.WeightsNotFoundError]


def test_json_and_quiet(lacuna: Callable, foreign: Path) -> None:
    facts = lacuna("weights", "add", "a", foreign, "--json").json
    assert (facts["name"], facts["method"]) == ("a", "lama")
    assert Path(facts["path"]).is_file()
    assert lacuna("weights", "add", "b", foreign, "--quiet").out == ""


def test_errors(lacuna: Callable, foreign: Path, tmp_path: Path, folder: Path) -> None:
    codes = exits.EXIT_CODES
    assert lacuna("weights", "add", "a", tmp_path / "none.pt").code == codes[errors.WeightsNotFoundError]
    (tmp_path / "text.pt").write_text("no weights")
    ran = lacuna("weights", "add", "a", tmp_path / "text.pt")
    assert ran.code == codes[errors.WeightsError]
    assert "Traceback" not in ran.err
    assert lacuna("weights", "add", "A B", foreign).code == codes[errors.OptionError]
    assert not folder.exists()  # nothing of that was kept


def test_a_method_without_weights_says_how_to_get_there(lacuna: Callable, scene: Any) -> None:
    ran = lacuna("inpaint", scene.path("photo.png"), "-m", scene.path("mask.png"), "--method", "lama")
    assert ran.code == exits.EXIT_CODES[errors.WeightsNotFoundError]
    assert "lacuna weights add" in ran.err


def test_compare_leaves_out_what_needs_weights(
    lacuna: Callable, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [registry.get("telea"), registry.get("lama")]
    monkeypatch.setattr(registry, "list_methods", lambda: few)
    photo, mask, sheet = scene.path("photo.png"), scene.path("mask.png"), scene.path("sheet.png")
    ran = lacuna("compare", photo, "-m", mask, "-o", sheet, "--json")
    assert "telea" in str(ran.json)
    assert "lama" not in str(ran.json)

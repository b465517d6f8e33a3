from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from lacuna import weights
from lacuna.errors import (
    ChecksumMismatchError,
    OptionError,
    OutputError,
    WeightsError,
    WeightsNotFoundError,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LACUNA_WEIGHTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "downloaded.pth"
    path.write_bytes(b"theirs")
    return path


def test_what_is_added_is_found(folder: Path, origin: Path) -> None:
    assert weights.entries() == []
    assert not folder.exists()
    entry = weights.add("places-v2", b"ours", method="lama", origin=origin)
    assert entry.sha256 == hashlib.sha256(b"ours").hexdigest()
    assert entry.origin_sha256 == hashlib.sha256(b"theirs").hexdigest()
    assert weights.entries() == [entry]
    found = weights.find("places-v2", method="lama")
    assert found.read_bytes() == b"ours"
    assert {path.name for path in folder.iterdir()} == {"places-v2.safetensors", "index.json"}


def test_a_path_is_itself(origin: Path) -> None:
    assert weights.find(origin) == origin
    assert weights.find(str(origin), method="lama") == origin


def test_a_name_is_replaced_and_removed(folder: Path, origin: Path) -> None:
    weights.add("b", b"1", method="lama", origin=origin)
    weights.add("a", b"2", method="lama", origin=origin)
    weights.add("b", b"3", method="pen-net", origin=origin)
    assert [(entry.name, entry.method) for entry in weights.entries()] == [("a", "lama"), ("b", "pen-net")]
    assert weights.find("b").read_bytes() == b"3"
    assert weights.remove("b").name == "b"
    assert [path.name for path in folder.glob("*.safetensors")] == ["a.safetensors"]
    with pytest.raises(WeightsNotFoundError, match="no weights named 'b'"):
        weights.remove("b")


def test_an_unknown_name_names_the_nearest(origin: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"there are: none yet.*lacuna weights add"):
        weights.find("places")
    weights.add("places-v2", b"1", method="lama", origin=origin)
    with pytest.raises(WeightsNotFoundError, match="did you mean places-v2"):
        weights.find("places-v3")


def test_a_file_that_was_tampered_with(origin: Path) -> None:
    weights.add("a", b"1", method="lama", origin=origin)
    path = weights.find("a")
    path.write_bytes(b"2")
    with pytest.raises(ChecksumMismatchError, match="has changed"):
        weights.find("a")
    path.unlink()
    with pytest.raises(WeightsNotFoundError, match="is gone"):
        weights.find("a")


def test_weights_of_another_method(origin: Path) -> None:
    weights.add("a", b"1", method="lama", origin=origin)
    with pytest.raises(WeightsError, match="for method 'lama', not for 'pen-net'"):
        weights.find("a", method="pen-net")


@pytest.mark.parametrize("name", ["", "A", "../a", "a/b", ".a", "x" * 65, "a b"])
def test_names_that_are_none(name: str, origin: Path) -> None:
    with pytest.raises(OptionError, match="no name for weights"):
        weights.add(name, b"1", method="lama", origin=origin)


def test_a_damaged_index(folder: Path) -> None:
    folder.mkdir()
    for content in ("{", '[{"name": "a"}]', "3"):
        (folder / "index.json").write_text(content)
        with pytest.raises(WeightsError, match="damaged"):
            weights.entries()


def test_a_folder_that_cannot_be_made(folder: Path, origin: Path) -> None:
    folder.write_text("a file is in the way")
    with pytest.raises(OutputError, match="LACUNA_WEIGHTS"):
        weights._write(folder / "index.json", b"[]")


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LACUNA_WEIGHTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.folder() == tmp_path / "lacuna" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights.folder() == Path.home() / ".cache" / "lacuna" / "weights"


def test_it_needs_no_torch() -> None:
    code = "import sys, lacuna.weights; print('torch' in sys.modules or 'numpy' in sys.modules)"
    where = {"PYTHONPATH": str(Path(weights.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    assert done.stdout.strip() == "False"

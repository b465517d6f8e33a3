"""Masks that are drawn for a run, or dealt out of a set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import MaskError, OptionError, OutputError
from lacuna.evaluate import evaluate
from lacuna.evaluate.cases import find_cases
from lacuna.evaluate.drawn import mask_source
from lacuna.masks.dataset import Plan, write


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, width in (("a.png", 60), ("more/b.png", 70)):
        Image.fromarray(rng.integers(0, 255, (50, width, 3), dtype=np.uint8)).save(folder / name)
    return folder


def holes(folder: Path) -> dict[str, np.ndarray]:
    return {
        path.relative_to(folder).as_posix(): np.asarray(Image.open(path))
        for path in sorted(folder.rglob("*.png"))
        if path.stat().st_size  # nothing was drawn for a picture that cannot be opened
    }


def test_a_run_keeps_the_masks_that_were_drawn_for_it(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (images / "c.png").write_bytes(b"no")
    run = evaluate(images, "blobs:.1-.3,boxes:.05-.2", "telea", out, seed=2)
    good = [row for row in run.rows if row["image"] != "c.png"]
    assert [row["status"] for row in good] == ["ok"] * 4
    assert {row["kind"] for row in good} == {"blobs-0.1-0.3", "boxes-0.05-0.2"}
    assert all(0.1 < row["hole_ratio"] <= 0.3 for row in good if "blobs" in row["kind"])
    assert {row["type"] for row in run.rows if row["image"] == "c.png"} == {"ImageError"}
    assert holes(out / "masks")["blobs-0.1-0.3/more/b.png"].shape == (50, 70)
    assert run.header["mask_spec"] == "blobs:0.1-0.3, boxes:0.05-0.2"
    with pytest.raises(OutputError, match="mask_spec"):
        evaluate(images, "blobs:.1-.4,boxes:.05-.2", "telea", out, seed=2, resume=True)
    again = evaluate(images, "blobs:.1-.3,boxes:.05-.2", "telea", out, seed=2, resume=True)
    assert len(again.rows) == len(run.rows)


def test_random_masks_depend_on_nothing_but_seed_kind_and_name(images: Path) -> None:
    found = []
    for masks, seed in (("blobs:.1-.3,boxes", 2), ("boxes", 2), ("boxes", 3)):
        with mask_source(masks, images, seed) as source:
            found.append(holes(source.folder))
    both, same, other = found
    assert len(both) == 4
    assert np.array_equal(both["boxes/a.png"], same["boxes/a.png"])
    assert not np.array_equal(same["boxes/a.png"], other["boxes/a.png"])
    assert not np.array_equal(same["boxes/a.png"], same["boxes/more/b.png"][:, :60])


def test_an_expression_is_drawn_for_every_picture(images: Path) -> None:
    with mask_source("box:20,10,12,8 + ellipse:10,10,4", images, 0) as source:
        assert {case.kind for case in find_cases(images, source.folder)[0]} == {""}
        assert holes(source.folder)["a.png"][10:18, 20:32].all()
        assert source.spec == "box:20,10,12,8 + ellipse:10,10,4,4"
    assert not source.folder.exists()


def test_a_set_of_masks_is_dealt_out(images: Path, tmp_path: Path) -> None:
    write(Plan(4, "blobs", 50, 60, ((0.1, 0.2), (0.2, 0.4)), "any", 0), tmp_path / "set")
    (tmp_path / "set/manifest.json").rename(tmp_path / "set/dataset.json")
    with mask_source(str(tmp_path / "set/dataset.json"), images, 0) as source:
        kinds = [case.kind for case in find_cases(images, source.folder)[0]]
        assert kinds == ["0.1-0.2", "0.1-0.2", "0.2-0.4", "0.2-0.4"]
        first = np.asarray(Image.open(tmp_path / "set/00000.png"))
        assert np.array_equal(holes(source.folder)["0.1-0.2/a.png"], first)
        assert holes(source.folder)["0.1-0.2/more/b.png"].shape == (50, 70)
        assert any("2 masks were stretched" in note for note in source.notes)
    (tmp_path / "set/dataset.json").rename(tmp_path / "set/manifest.json")
    with mask_source(str(tmp_path / "set"), images, 0) as source:
        assert len(holes(source.folder)) == 4


def test_a_folder_of_masks_is_what_it_was(images: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes").mkdir()  # a folder comes before a kind of the same name
    with mask_source(str(tmp_path / "boxes"), images, 0) as source:
        assert (source.folder, source.spec) == (tmp_path / "boxes", None)


def test_masks_that_cannot_be(images: Path, tmp_path: Path) -> None:
    def named(masks: str) -> None:
        with mask_source(masks, images, 0) as source:
            find_cases(images, source.folder)

    with pytest.raises(MaskError, match="does not exist"):
        named("nowhere")
    with pytest.raises(OptionError, match="smaller one first"):
        named("boxes:.5-.2")
    (tmp_path / "set.json").write_text(json.dumps({"masks": [{"file": "a.png"}]}))
    with pytest.raises(MaskError, match="not the manifest"):
        named(str(tmp_path / "set.json"))
    write(Plan(1, "blobs", 50, 60, ((0.1, 0.2),), "any", 0), tmp_path / "set")
    (tmp_path / "set/00000.png").write_bytes(b"other")
    with pytest.raises(MaskError, match="has changed"):
        named(str(tmp_path / "set"))

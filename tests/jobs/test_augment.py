"""Variations of training pictures: the same bytes, true annotations, and nothing lost on the way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import ConfigError, ImageError, MaskError, OptionError, OutputError
from lacuna.jobs import AugmentPlan, augment
from lacuna.jobs.annotations import run_lengths, surviving
from lacuna.masks import box, coco
from lacuna.masks.spec import is_spec, parse_specs

PLAN = AugmentPlan(count=2, masks="blobs:.05-.3,boxes", method="telea", seed=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    (root / "more").mkdir(parents=True)
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(root / "a.png")
    Image.fromarray(rng.integers(0, 255, (50, 64, 4), dtype=np.uint8)).save(root / "more/b.png")
    return root


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_same_plan_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = augment(folder, tmp_path / "one", PLAN)
    augment(folder, tmp_path / "two", PLAN)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert first.counts == {"made": 4, "failed": 0}
    seeds = [row["seed"] for row in first.rows]
    assert len(set(seeds)) == 4
    other = augment(
        folder, tmp_path / "three", AugmentPlan(count=2, masks=PLAN.masks, method="telea", seed=5)
    )
    assert {row["output_sha256"] for row in other.rows}.isdisjoint(row["output_sha256"] for row in first.rows)


def test_a_variation_does_not_depend_on_its_neighbours(folder: Path, tmp_path: Path) -> None:
    before = augment(folder, tmp_path / "one", PLAN)
    (folder / "a.png").unlink()
    after = augment(folder, tmp_path / "two", PLAN)
    assert [row for row in before.rows if row["source"] == "more/b.png"] == list(after.rows)


def test_the_manifest_tells_the_truth(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    augment(folder, out, PLAN)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["masks"] == PLAN.masks
    for row in manifest["rows"]:
        for key, where in (("source", folder), ("output", out), ("mask", out)):
            data = (where / row[key]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == row[f"{key}_sha256"]
        with Image.open(out / row["mask"]) as mask, Image.open(out / row["output"]) as made:
            hole, after = np.asarray(mask), np.asarray(made)
        before = np.asarray(Image.open(folder / row["source"]))
        assert int(hole.sum()) == row["missing"]
        assert np.array_equal(before[~hole], after[~hole])
        assert row["changed_outside"] == row["changed_in_file"] == 0
        assert (before[hole] != after[hole]).any()


def test_a_broken_picture_is_a_row(folder: Path, tmp_path: Path) -> None:
    (folder / "c.png").write_bytes(b"not a picture")
    made = augment(folder, tmp_path / "out", PLAN)
    assert made.counts == {"made": 4, "failed": 2}
    bad = [row for row in made.rows if row["status"] == "error"]
    assert {row["source"] for row in bad} == {"c.png"}
    assert bad[0]["type"] == "ImageError"
    assert str(folder) not in bad[0]["error"]


def test_a_run_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    augment(folder, whole, PLAN)
    calls = []

    def stop(share: float, words: str) -> None:
        calls.append(share)
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        augment(folder, out, PLAN, on_step=stop)
    assert not (out / "manifest.json").exists()
    with (out / "rows.jsonl").open("a") as stream:
        stream.write('{"source": "torn')
    with pytest.raises(OutputError, match="--resume"):
        augment(folder, out, PLAN)
    times = {path: path.stat().st_mtime_ns for path in (out / "images").rglob("*.png")}
    augment(folder, out, PLAN, resume=True)
    assert tree(whole) == tree(out)
    assert times
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_what_was_damaged_is_made_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    row = augment(folder, out, PLAN).rows[0]
    before = tree(out)
    (out / row["output"]).write_bytes(b"gone")
    augment(folder, out, PLAN, resume=True)
    after = tree(out)
    assert before["images/a.png.0.png"] == after["images/a.png.0.png"]


def test_another_plan_does_not_mix_in(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    augment(folder, out, PLAN)
    other = AugmentPlan(count=2, masks="brush", method="telea", seed=4)
    with pytest.raises(OutputError, match="masks differ"):
        augment(folder, out, other, resume=True)
    augment(folder, out, other, overwrite=True)
    assert json.loads((out / "manifest.json").read_text())["masks"] == "brush"
    more = AugmentPlan(count=3, masks="brush", method="telea", seed=4)
    assert augment(folder, out, more, resume=True).counts["made"] == 6


def test_annotations_stay_true(folder: Path, tmp_path: Path) -> None:
    notes = {
        "info": {"year": 2020},
        "categories": [{"id": 1, "name": "thing"}],
        "images": [
            {"id": 7, "file_name": "a.png", "width": 80, "height": 60},
            {"id": 8, "file_name": "elsewhere/b.png", "width": 64, "height": 50},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 40, 30], "area": 1200},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [38, 28, 4, 4], "area": 16},
            {"id": 3, "image_id": 7, "category_id": 1, "bbox": [70, 50, 9, 9], "area": 81},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(notes))
    plan = AugmentPlan(count=1, masks="box:30,20,20,20", method="telea")
    made = augment(folder, tmp_path / "out", plan, annotations=tmp_path / "coco.json")
    assert made.counts == {"made": 2, "failed": 0, "kept": 1, "cut": 1, "dropped": 1}
    data = json.loads((tmp_path / "out/annotations.json").read_text())
    assert data["categories"] == notes["categories"]
    assert [one["file_name"] for one in data["images"]] == ["a.png.0.png", "more/b.png.0.png"]
    assert [one["source_id"] for one in data["annotations"]] == [1, 3]
    assert data["annotations"][0]["area"] == 40 * 30 - 10 * 10
    assert {one["image_id"] for one in data["annotations"]} == {1}
    assert (tmp_path / "out/images" / data["images"][1]["file_name"]).exists()


def test_what_is_left_of_an_object() -> None:
    hole = box(20, 0, 30, 60).hole((60, 80))
    polygon = {
        "id": 1,
        "segmentation": [[10, 10, 40, 10, 40, 30, 10, 30]],
        "bbox": [10, 10, 30, 20],
        "area": 600,
    }
    dots = {"id": 2, "bbox": [0, 0, 80, 60], "keypoints": [5, 5, 2, 25, 5, 2, 0, 0, 0], "num_keypoints": 2}
    before = json.dumps([polygon, dots])
    left, counts = surviving([polygon, dots], hole, most=0.7)
    assert dict(counts) == {"kept": 0, "cut": 2, "dropped": 0}
    assert json.dumps([polygon, dots]) == before
    assert left[0]["bbox"] == [10, 10, 10, 20]
    assert left[0]["area"] == 200
    assert coco(left[0]["segmentation"]).hole((60, 80)).sum() == 200
    assert left[1]["keypoints"] == [5, 5, 2, 0, 0, 0, 0, 0, 0]
    assert left[1]["num_keypoints"] == 1
    assert surviving([polygon], hole, most=0.5)[1]["dropped"] == 1
    assert surviving([{"id": 3, "caption": "a thing"}], hole, most=0.0)[1]["kept"] == 1


def test_run_lengths_are_read_back() -> None:
    pixels = np.random.default_rng(0).random((9, 7)) < 0.5
    assert np.array_equal(coco(run_lengths(pixels)).hole((9, 7)), pixels)


@pytest.mark.parametrize(
    "wrong",
    [{"count": 0}, {"count": 1.5}, {"seed": -1}, {"drop": 1.1}, {"masks": "stars"}, {"masks": "blobs:.5-.2"}],
)
def test_a_plan_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises((OptionError, MaskError)):
        AugmentPlan(**wrong)


def test_folders_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        augment(tmp_path / "empty", tmp_path / "out", PLAN)
    with pytest.raises(ImageError, match="not a folder"):
        augment(tmp_path / "none", tmp_path / "out", PLAN)
    with pytest.raises(OptionError, match="outside of it"):
        augment(folder, folder / "out", PLAN)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="not empty"):
        augment(folder, tmp_path / "full", PLAN, overwrite=True)
    for data in ("[", "{}", '{"images": [{"id": 1}], "annotations": []}'):
        (tmp_path / "coco.json").write_text(data)
        with pytest.raises(ConfigError):
            augment(folder, tmp_path / "out", PLAN, annotations=tmp_path / "coco.json")
    assert not (tmp_path / "out").exists()
    only = tmp_path / "only"
    only.mkdir()
    (only / "bad.png").write_bytes(b"no")
    with pytest.raises(ImageError, match="none of 2"):
        augment(only, tmp_path / "out", PLAN)


def test_specs() -> None:
    assert [str(one) for one in parse_specs("narrow, blobs:.1-.2")] == ["narrow", "blobs:0.1-0.2"]
    assert is_spec("irregular")
    assert is_spec("box:1,1,2,2 + ellipse:3,3,2")
    assert not is_spec("masks/photo.png")
    for wrong in ("narrow,stars", "grid:.1-.2", "box:1,1,2,2 | feather 3", "blobs:.1-2"):
        with pytest.raises((OptionError, MaskError)):
            parse_specs(wrong)

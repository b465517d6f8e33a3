from __future__ import annotations

import dataclasses
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from lacuna.data import (
    Batches,
    Cropping,
    Feed,
    Photos,
    Plan,
    Wanted,
    open_source,
    random_holes,
    read_holes,
)
from lacuna.data.source import Source
from lacuna.errors import ImageError, MaskError, MethodError


def batches(source: Source, *, seed: int = 5) -> Batches:
    photos = Photos(source, source.names, memory=2**20)
    return Batches(
        photos, Cropping((0.5, 1.0)), random_holes([("wide", 1), ("boxes", 2)], (0.1, 0.5)), seed=seed
    )


def packed(photos: Path, where: Path, mode: str) -> Path:
    with tarfile.open(where, mode) as tar:
        for path in sorted(photos.iterdir()):
            tar.add(path, path.name)
            text = json.dumps({"name": path.stem}).encode()
            info = tarfile.TarInfo(f"{path.stem}.json")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return where


def test_folder_zip_and_tar_give_the_same_photos(photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for path in photos.iterdir():
            file.write(path, path.name)
    wheres = [
        tmp_path / "set.zip",
        packed(photos, tmp_path / "set.tar", "w"),
        packed(photos, tmp_path / "set.tar.gz", "w:gz"),
    ]
    plain = open_source(photos)
    for where in wheres:
        source = open_source(where)
        assert source.names == plain.names
        assert [source.read(n) for n in source.names] == [plain.read(n) for n in plain.names]


def test_shards_and_urls(photos: Path, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    for shard in ("a", "b"):
        packed(photos, tmp_path / f"{shard}.tar", "w")
    assert len(open_source(str(tmp_path / "*.tar")).names) == 20
    memory = fsspec.filesystem("memory")
    memory.pipe("/photos/x/1.png", (photos / "01.png").read_bytes())
    memory.pipe("/photos/set.tar", (tmp_path / "a.tar").read_bytes())
    folder = open_source("memory://photos")
    assert folder.names == ["x/1.png"]
    assert folder.read("x/1.png") == (photos / "01.png").read_bytes()
    assert len(open_source("memory://photos/set.tar").names) == 10


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(ImageError, match=r"empty holds no photo; looked for \.png"):
        open_source(tmp_path / "empty")
    with pytest.raises(ImageError, match="absent does not exist"):
        open_source(tmp_path / "absent")
    with pytest.raises(ImageError, match=r"bad\.zip cannot be read: File is not a zip"):
        open_source(tmp_path / "bad.zip")
    with pytest.raises(ImageError, match="neither a folder nor"):
        open_source(tmp_path / "notes.txt")


def test_a_batch_depends_on_seed_and_number_alone(photos: Path) -> None:
    first, second = batches(open_source(photos)), batches(open_source(photos))
    second.get(100, 7, 16)
    whole, again = first.get(20, 4, 16), second.get(20, 4, 16)
    assert np.array_equal(whole.photos, again.photos)
    assert np.array_equal(whole.holes, again.holes)
    parts = [second.get(20, 2, 16), second.get(22, 2, 16)]
    assert np.array_equal(whole.photos, np.concatenate([p.photos for p in parts]))
    other = batches(open_source(photos), seed=6).get(20, 4, 16)
    assert not np.array_equal(whole.photos, other.photos)
    assert not np.array_equal(whole.holes, other.holes)


def test_every_photo_comes_once_before_any_comes_again(photos: Path) -> None:
    made = batches(open_source(photos))
    orders = [made._permutation(epoch).tolist() for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


def test_holes_have_the_wanted_share(photos: Path) -> None:
    holes = batches(open_source(photos)).get(0, 200, 32).holes.mean((1, 2))
    assert holes.min() > 0.1
    assert holes.max() <= 0.5
    # Evenly drawn: a quarter of the range holds about a quarter of the holes.
    assert 30 < (holes < 0.2).sum() < 80


def test_one_broken_photo_is_skipped_counted_and_named(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "03.png").write_bytes((photos / "03.png").read_bytes()[:100])
    told: list[tuple[str, str]] = []
    source = open_source(tmp_path)
    seen = Photos(source, source.names, on_broken=lambda name, why: told.append((name, why)))
    made = Batches(seen, Cropping(), random_holes([("wide", 1)], (0.1, 0.5)), seed=1)
    made.get(0, 40, 16)
    assert [name for name, _ in told] == list(seen.broken) == ["03.png"]
    assert "the PNG file is truncated" in told[0][1]


def test_all_broken(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"none of the 2 photos of .* can be read"):
        batches(open_source(tmp_path)).get(0, 4, 16)


def test_masks_of_a_folder(photos: Path, tmp_path: Path) -> None:

    mask = np.zeros((16, 16), dtype=np.uint8)
    mask[:4, :6] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    hole = read_holes(str(tmp_path))
    assert {int(hole(0, i, 16).sum()) for i in range(8)} == {24}
    assert len({hole(0, i, 16).tobytes() for i in range(20)}) == 4  # mirrored each way
    with pytest.raises(MaskError, match=r"mask m\.png of .* is 16x16; samples are 32x32"):
        hole(0, 0, 32)


def _plan(folder: Path, **other: object) -> Plan:
    plan = Plan(
        path=str(folder),
        photos=(0, 6),
        side=0,
        memory=2**20,
        masks="",
        holes=(("wide", 1.0),),
        share=(0.1, 0.5),
        cropping=Cropping((0.5, 1.0), tint=0.2),
        seed=3,
    )
    return dataclasses.replace(plan, **other)  # type: ignore[arg-type]


def _wanted(step: int) -> Wanted:
    return Wanted(4 * step, 4, 16)


@pytest.mark.parametrize("workers", [0, 2])
def test_who_makes_a_batch_changes_nothing(photos: Path, workers: int) -> None:
    batches = _plan(photos).open()
    feed = Feed(batches, _plan(photos), workers)
    try:
        made = [batch for batch, _ in zip(feed.ahead(_wanted, 5), range(7), strict=False)]
    finally:
        feed.close()
    for number, batch in enumerate(made, 5):
        ours = batches.get(*_wanted(number))
        np.testing.assert_array_equal(batch.photos, ours.photos)
        np.testing.assert_array_equal(batch.holes, ours.holes)


def test_workers_tell_of_broken_photos(photos: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "01.png").write_bytes(b"no picture")
    told = []
    plan = _plan(folder, photos=(0, 3))
    batches = plan.open(lambda name, _: told.append(name))
    feed = Feed(batches, plan, 1)
    try:
        next(feed.ahead(_wanted, 0))
    finally:
        feed.close()
    assert told == ["01.png"]
    assert list(batches.photos.broken) == ["01.png"]


def test_errors_of_makers_reach_the_caller(photos: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    cv2.imwrite(str(masks / "m.png"), np.full((32, 32), 255, np.uint8))
    for workers in (0, 1):
        plan = _plan(photos, masks=str(masks))
        feed = Feed(plan.open(), plan, workers)
        try:
            with pytest.raises(MaskError, match="32x32; samples are 16x16"):
                next(feed.ahead(_wanted, 0))
        finally:
            feed.close()


def test_a_killed_maker_is_told_and_not_waited_for(photos: Path) -> None:
    plan = _plan(photos)
    feed = Feed(plan.open(), plan, 1)
    made = feed.ahead(_wanted, 0)
    try:
        next(made)
        for process in list(feed._pool._processes.values()):  # type: ignore[attr-defined]
            process.kill()
        with pytest.raises(MethodError, match=r"fewer run\.workers"):
            list(made)
    finally:
        feed.close()


def test_tint_changes_colours_and_nothing_else(photos: Path) -> None:
    plain = _plan(photos, cropping=Cropping((1.0, 1.0), flip=False)).open().get(*_wanted(0))
    tinted = _plan(photos, cropping=Cropping((1.0, 1.0), flip=False, tint=0.3)).open().get(*_wanted(0))
    np.testing.assert_array_equal(plain.holes, tinted.holes)
    assert not np.array_equal(plain.photos, tinted.photos)
    for before, after in zip(plain.photos, tinted.photos, strict=True):
        order = np.argsort(before[..., 0], axis=None, kind="stable")
        assert (np.diff(after[..., 0].ravel()[order].astype(int)) >= 0).all()  # a curve that never falls

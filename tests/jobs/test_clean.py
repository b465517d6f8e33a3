"""Cleaning: what is found goes, all else stays, and series are learned from."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lacuna.detect import Detection
from lacuna.errors import Cancelled, ImageError, MaskError, OptionError, OutputError
from lacuna.image import open_image, save_image
from lacuna.inpainting import Inpainter
from lacuna.jobs import Found
from lacuna.jobs.clean import clean, clean_series, learn, names_in, pictures_in
from lacuna.jobs.restore import restore

SHAPE = (120, 200)
FILLER = Inpainter("telea")


def scene(seed, shape=SHAPE):
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.random((5, 7, 3)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.uint8(np.clip(0.2 + 0.5 * coarse + random.normal(0, 0.01, (*shape, 3)), 0, 1) * 255)


def cover(words="photo by me", at=(20, 100), size=0.8):
    ink = np.zeros(SHAPE, np.uint8)
    cv2.putText(ink, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 2, cv2.LINE_AA)
    return ink / np.float32(255)


def burn(picture, opacity=1.0, **how):
    share = opacity * cover(**how)[..., None]
    return np.uint8(np.rint(picture + share * (255 - picture.astype(np.float32))))


def write(folder, pictures, suffix=".png"):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{i:02}{suffix}" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        save_image(open_image(picture), path, hole=np.ones(picture.shape[:2], np.bool_))
    return paths


def test_text_goes_and_all_else_stays():
    whole = scene(1)
    picture = burn(whole)
    found = clean(picture)
    assert found.job == "clean"
    assert "found text" in found.words[0]
    result = found.fill(FILLER)
    assert result.changed_outside == 0
    assert np.array_equal(result.image[~found.hole], picture[~found.hole])
    ink = cover() > 0.02
    assert found.hole[ink].mean() > 0.97
    assert np.abs(result.image[ink].astype(int) - whole[ink]).mean() < 10
    assert np.abs(picture[ink].astype(int) - whole[ink]).mean() > 50


def test_16_bit_with_alpha():
    picture = np.dstack([burn(scene(2)).astype(np.uint16) * 257, np.full(SHAPE, 40000, np.uint16)])
    found = clean(picture)
    result = found.fill(FILLER)
    assert found.hole[cover() > 0.02].mean() > 0.97
    assert result.image.dtype == np.uint16
    assert (result.image[..., 3] == 40000).all()
    assert np.array_equal(result.image[~found.hole], picture[~found.hole])


def test_transparent_pixels_are_left_alone():
    picture = np.dstack([burn(scene(3)), np.full(SHAPE, 255, np.uint8)])
    picture[:, :100, 3] = 0
    assert not clean(picture).hole[:, :100].any()


def test_nothing_found_is_said_and_gives_a_copy():
    picture = scene(4)
    found = clean(picture)
    assert found.words == ("found no text",)
    result = found.fill(FILLER)
    assert np.array_equal(result.image, picture)
    assert result.image is not picture


def test_region():
    picture = burn(burn(scene(5), at=(20, 30)), at=(20, 110))
    found = clean(picture, region=(60, 0, 120, 200))
    assert found.hole.any()
    assert not found.hole[:60].any()


def test_series_is_learned_from(tmp_path):
    whole = [scene(seed) for seed in range(12)]
    sources = write(tmp_path / "in", [burn(one, 0.5) for one in whole])
    overlay = learn(sources)
    assert overlay.mask[cover() > 0.05].mean() > 0.97
    done = list(clean_series(sources, tmp_path / "out", filler=FILLER, overlay=overlay))
    assert [one.target.name for one in done] == [one.name for one in sources]
    for one, truth in zip(done, whole, strict=True):
        written = open_image(one.target).pixels
        before = open_image(one.source).pixels
        assert np.array_equal(written[~overlay.mask], before[~overlay.mask])
        assert np.abs(written[overlay.mask].astype(int) - truth[overlay.mask]).mean() < 10


def test_broken_picture_is_named_and_others_go_on(tmp_path):
    sources = write(tmp_path / "in", [burn(scene(seed)) for seed in range(4)])
    sources[1].write_bytes(b"not a picture")
    overlay = learn(sources)
    assert any("01.png" in note for note in overlay.notes)
    done = list(clean_series(sources, tmp_path / "out", filler=FILLER, overlay=overlay))
    assert isinstance(done[1].error, ImageError)
    assert done[1].target is None
    assert [one.name for one in sorted((tmp_path / "out").iterdir())] == ["00.png", "02.png", "03.png"]


def test_only_looking_writes_nothing(tmp_path):
    sources = write(tmp_path / "in", [burn(scene(seed)) for seed in range(3)])
    done = list(clean_series(sources, None, what=["text"]))
    assert all(one.found.hole.any() and one.result is None for one in done)
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_existing_files_are_kept(tmp_path):
    sources = write(tmp_path / "in", [burn(scene(1))])
    with pytest.raises(OutputError, match=r"exists already|was read"):
        list(clean_series(sources, tmp_path / "in", filler=FILLER, what=["text"]))
    assert np.array_equal(open_image(sources[0]).pixels, burn(scene(1)))


def test_nearly_everything_is_refused():
    everything = Detection(np.ones(SHAPE, np.bool_), np.ones(SHAPE, np.float32))
    with pytest.raises(MaskError, match="100 % of the picture"):
        clean(scene(6), what=["repeated"], overlay=everything)


def test_one_scene_many_times_is_refused():
    random = np.random.default_rng(0)
    texture = np.uint8(random.integers(0, 255, (*SHAPE, 3)))
    with pytest.raises(MaskError, match="the same in all of them"):
        learn([texture] * 5)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"what": ["logos"]}, "'logos'; expected 'text' or 'repeated'"),
        ({"what": []}, "nothing"),
        ({"what": ["repeated"]}, "3 or more"),
        ({"sensitivity": -1}, "sensitivity"),
    ],
)
def test_bad_settings(how, words):
    with pytest.raises(OptionError, match=words):
        clean(scene(0), **how)


def test_overlay_of_another_size():
    small = Detection(np.zeros((9, 9), np.bool_), np.zeros((9, 9), np.float32))
    with pytest.raises(ImageError, match=r"200x120.*9x9"):
        clean(scene(0), what=["repeated"], overlay=small)


def test_folders(tmp_path):
    with pytest.raises(ImageError, match="no pictures"):
        pictures_in(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        pictures_in(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("no picture")
    sources = write(tmp_path, [scene(0), scene(1)], ".JPG")
    assert pictures_in(tmp_path) == sources


def test_names(tmp_path):
    a, b = tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"
    with pytest.raises(OptionError, match="both be written"):
        names_in(tmp_path, [a, b])
    assert [one.name for one in names_in(tmp_path, [a, tmp_path / "x.gif"])] == ["1.png", "x.png"]


def test_cancelling_leaves_whole_files(tmp_path):
    sources = write(tmp_path / "in", [burn(scene(seed)) for seed in range(3)])

    def stop(share, words):
        if share > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(clean_series(sources, tmp_path / "out", filler=FILLER, what=["text"], on_step=stop))
    names = [one.name for one in (tmp_path / "out").iterdir()]
    assert names == ["00.png"]
    open_image(tmp_path / "out" / "00.png")


@pytest.mark.parametrize("job", [clean, restore])
def test_a_picture_that_cannot_be_seen_is_told_as_such(job: Callable[..., Found]) -> None:
    unseen = np.zeros((40, 50, 4), dtype=np.uint8)
    with pytest.raises(ImageError, match="fully transparent"):
        job(unseen)

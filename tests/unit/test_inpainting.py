from __future__ import annotations

import dataclasses
import inspect
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import lacuna
from lacuna import errors, inpainting, progress
from lacuna.inpainting import Inpainter, inpaint
from lacuna.task import Settings

Make = Callable[..., np.ndarray]
Add = Callable[..., str]


class Constant:
    """Fill with one value; remember what was given."""

    value: float = 0.5

    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        CALLS.append((image, hole, aux, seed))
        progress.report(on_step, 0.5, "half")
        return np.full_like(image, self.value)


CALLS: list[tuple[Any, Any, Any, int]] = []


@pytest.fixture
def constant(add_method: Add) -> str:
    CALLS.clear()
    return add_method(Constant)


def hole_in(shape: tuple[int, ...], top: int, left: int, height: int = 4, width: int = 6) -> np.ndarray:
    hole = np.zeros(shape[:2], dtype=bool)
    hole[top : top + height, left : left + width] = True
    return hole


# What goes in comes out ------------------------------------------------------------------------------------


def test_array_in_array_out(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    hole = hole_in(picture.shape, 10, 12)
    out = inpaint(picture, hole, constant)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.uint8
    assert (out[hole] == 128).all()
    assert np.array_equal(out[~hole], picture[~hole])
    assert out.flags.writeable


def test_pil_in_pil_out(constant: str, make_picture: Make) -> None:
    picture = PIL.Image.fromarray(make_picture(30, 40))
    mask = PIL.Image.fromarray(hole_in((30, 40), 3, 3))
    out = inpaint(picture, mask, constant)
    assert isinstance(out, PIL.Image.Image)
    assert (out.mode, out.size) == ("RGB", (40, 30))
    assert out.getpixel((5, 5)) == (128, 128, 128)


@pytest.mark.parametrize("kind", ["path", "string", "bytes", "stream"])
def test_a_file_gives_its_upright_array(kind: str, constant: str, make_picture: Make, tmp_path: Path) -> None:
    picture = make_picture(30, 40)
    path = tmp_path / "picture.png"
    PIL.Image.fromarray(picture).save(path)
    given: Any = {
        "path": path,
        "string": str(path),
        "bytes": path.read_bytes(),
        "stream": io.BytesIO(path.read_bytes()),
    }[kind]
    hole = hole_in(picture.shape, 10, 12)
    out = inpaint(given, hole, constant)
    assert isinstance(out, np.ndarray)
    assert np.array_equal(out[~hole], picture[~hole])


def test_an_opened_picture_can_be_filled_again(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    first = Inpainter(constant).run(picture, hole_in(picture.shape, 10, 12))
    again = Inpainter(constant, options={"value": 0.25}).run(first.picture, hole_in(picture.shape, 20, 12))
    assert again.image[11, 13, 0] == 128
    assert again.image[21, 13, 0] == 64
    assert again.original is first.picture


def test_large_files_are_refused(constant: str, make_picture: Make, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    PIL.Image.fromarray(make_picture(30, 40)).save(path)
    hole = hole_in((30, 40), 10, 12)
    with pytest.raises(errors.LimitError):
        inpaint(path, hole, constant, max_pixels=1199)
    inpaint(path, hole, constant, max_pixels=1200)
    inpaint(path, hole, constant, max_pixels=None)


def test_result_saves_a_file(constant: str, make_picture: Make, tmp_path: Path) -> None:
    picture = make_picture(30, 40)
    PIL.Image.fromarray(picture).save(tmp_path / "in.png", dpi=(300, 300))
    hole = hole_in(picture.shape, 10, 12)
    result = Inpainter(constant).run(tmp_path / "in.png", hole)
    saved = result.save(tmp_path / "out.png")
    assert saved.changed_in_file == 0
    with PIL.Image.open(tmp_path / "out.png") as out:
        assert np.array_equal(np.asarray(out), result.image)
        assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    with pytest.raises(errors.OutputError):
        result.save(tmp_path / "out.png")
    result.save(tmp_path / "out.png", overwrite=True)


def test_an_empty_mask_gives_a_copy_and_says_so(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    result = Inpainter(constant).run(picture, np.zeros((30, 40), dtype=bool))
    assert np.array_equal(result.image, picture)
    assert not np.shares_memory(result.image, picture)
    assert any("mask is empty" in note for note in result.notes)
    assert CALLS == []


def test_the_arguments_are_not_written_to(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40, 4)
    hole = hole_in(picture.shape, 10, 12)
    before = picture.copy(), hole.copy()
    out = inpaint(picture, hole, constant, feather=2, dilate=1)
    out[...] = 0
    assert np.array_equal(picture, before[0])
    assert np.array_equal(hole, before[1])


def test_changing_the_image_does_not_change_the_picture(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    result = Inpainter(constant).run(picture, hole_in(picture.shape, 10, 12))
    result.image[...] = 0
    assert result.picture.pixels.any()
    assert result.original.pixels.any()


# What a method is given -----------------------------------------------------------------------------------


def test_a_method_gets_canon_that_it_cannot_write_to(constant: str, make_picture: Make) -> None:
    inpaint(make_picture(300, 400), hole_in((300, 400), 150, 200), constant, seed=9)
    ((image, hole, aux, seed),) = CALLS
    assert image.dtype == np.float32
    assert hole.dtype == bool
    assert image.shape == (*hole.shape, 3)
    for array in (image, hole):
        assert array.flags.c_contiguous
        assert not array.flags.writeable
    assert (aux.guide, aux.sources, aux.sketch) == (None, None, None)
    assert seed == 9


def test_a_sketch_may_be_an_expression(add_method: Add, make_picture: Make) -> None:
    CALLS.clear()
    name = add_method(Constant, aux=frozenset({"sketch"}), whole_image=True)
    result = Inpainter(name).run(
        make_picture(30, 40), hole_in((30, 40), 9, 9), sketch="box:5,6,20,2 + box:1,1,2,2"
    )
    sketch = CALLS[0][2].sketch
    assert sketch.shape == (30, 40, 1)
    assert (sketch[6:8, 5:25] == 1).all()
    assert sketch.sum() == 44
    assert any(note.startswith("sketch: mask: box:5,6,20,2") for note in result.notes)


def test_a_method_sees_the_neighbourhood(constant: str, make_picture: Make) -> None:
    inpaint(make_picture(300, 400), hole_in((300, 400), 150, 200), constant)
    assert CALLS[0][1].shape == (4 + 128, 6 + 128)
    inpaint(make_picture(300, 400), hole_in((300, 400), 150, 200), constant, context=100)
    assert CALLS[1][1].shape == (300, 400)


def test_a_method_that_wants_the_whole_picture_gets_it(add_method: Add, make_picture: Make) -> None:
    CALLS.clear()
    name = add_method(Constant, whole_image=True)
    inpaint(make_picture(300, 400), hole_in((300, 400), 150, 200), name)
    assert CALLS[0][1].shape == (300, 400)


def test_distant_holes_are_filled_one_by_one(constant: str, make_picture: Make) -> None:
    picture = make_picture(120, 900)
    hole = hole_in(picture.shape, 50, 50) | hole_in(picture.shape, 50, 800)
    result = Inpainter(constant).run(picture, hole)
    assert len(CALLS) == 2
    assert (result.image[hole] == 128).all()
    assert result.changed_outside == 0


def test_options_reach_the_method_typed(constant: str, make_picture: Make) -> None:
    result = Inpainter(constant, options={"value": "0.25"}).run(make_picture(9, 9), hole_in((9, 9), 2, 2))
    assert result.options == {"value": 0.25}
    assert result.image[3, 3, 0] == 64


def test_notes_of_the_method_reach_the_result(add_method: Add, make_picture: Make) -> None:
    class Talker:
        def fill(self, image: Any, hole: Any, **_: Any) -> Any:
            progress.note("patches shrunk")
            return image.copy()

    hole = hole_in((120, 900), 50, 50) | hole_in((120, 900), 50, 800)
    notes = Inpainter(add_method(Talker)).run(make_picture(120, 900), hole).notes
    assert notes.count("patches shrunk") == 1  # two frames, one sentence


# Alpha and sources ----------------------------------------------------------------------------------------


def test_transparent_pixels_are_unknown_and_restored(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40, 4)
    picture[5:9, 20:30, 3] = 0
    hole = hole_in(picture.shape, 10, 12)
    result = Inpainter(constant).run(picture, hole)
    given = CALLS[0][1]
    assert given[5:9, 20:30].all()
    assert given.sum() == hole.sum() + 40
    assert np.array_equal(result.image[~hole], picture[~hole])
    assert np.array_equal(result.image[..., 3], picture[..., 3])
    assert result.changed_outside == 0
    assert np.array_equal(result.hole, hole)


def test_transparent_pixels_are_forbidden_to_a_method_that_takes_sources(
    add_method: Add, make_picture: Make
) -> None:
    CALLS.clear()
    name = add_method(Constant, aux=frozenset({"sources"}))
    picture = make_picture(120, 900, 4)
    picture[..., 3] = 255
    picture[:, :40] = (1, 2, 3, 0)
    picture[60, 40] = (200, 100, 50, 255)
    hole = hole_in(picture.shape, 50, 50) | hole_in(picture.shape, 50, 800)
    result = Inpainter(name).run(picture, hole)
    (image, given, aux, _), (_, _, unrestricted, _) = CALLS
    assert given.sum() == hole[:, :400].sum()
    assert not aux.sources[:, :40].any()
    assert np.array_equal(aux.sources[:, 40:], ~given[:, 40:])
    # What is not seen is not looked at either: the nearest colour that can be seen stands in for it.
    assert image[60, 30] == pytest.approx(picture[60, 40, :3] / 255, abs=1e-6)
    assert unrestricted.sources is None  # no transparent pixel is near the other hole
    assert np.array_equal(result.image[~hole], picture[~hole])


def test_filling_the_alpha_makes_it_opaque(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40, 4)
    picture[10:14, 12:18, 3] = 0
    out = inpaint(picture, "alpha", constant)
    hole = hole_in(picture.shape, 10, 12)
    assert (out[hole] == (128, 128, 128, 255)).all()
    assert np.array_equal(out[~hole], picture[~hole])


def test_hole_and_transparency_together_leave_nothing(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40, 4)
    picture[:, 20:, 3] = 0
    hole = hole_in(picture.shape, 0, 0, 30, 20)
    with pytest.raises(errors.MaskError, match="nothing known of the 40×30 picture"):
        inpaint(picture, hole, constant)


def test_everything_missing(constant: str, add_method: Add, make_picture: Make) -> None:
    picture, everything = make_picture(30, 40), np.ones((30, 40), dtype=bool)
    with pytest.raises(errors.MaskError, match="nothing known"):
        inpaint(picture, everything, constant)
    dreamer = add_method(Constant, name="dreamer", from_nothing=True)
    assert (inpaint(picture, everything, dreamer) == 128).all()
    assert (inpaint(picture, everything, dreamer, blend="membrane") == 128).all()


def test_a_feather_that_covers_all_is_explained(constant: str, make_picture: Make) -> None:
    with pytest.raises(errors.MaskError, match="feathered rim"):
        inpaint(make_picture(9, 9), hole_in((9, 9), 3, 3), constant, feather=9)


def test_sources_reach_a_method_that_takes_them(add_method: Add, make_picture: Make) -> None:
    CALLS.clear()
    name = add_method(Constant, aux=frozenset({"sources"}))
    picture = make_picture(300, 400)
    sources = hole_in(picture.shape, 100, 150, 60, 100)
    hole = hole_in(picture.shape, 150, 200)
    inpaint(picture, hole, name, sources=sources)
    _, given_hole, aux, _ = CALLS[0]
    assert aux.sources.shape == given_hole.shape
    assert aux.sources.sum() == (sources & ~hole).sum()


def test_sources_are_refused_where_they_mean_nothing(constant: str, make_picture: Make) -> None:
    hole = hole_in((30, 40), 10, 12)
    with pytest.raises(errors.OptionError, match=r"'constant' does not copy.*patchmatch"):
        inpaint(make_picture(30, 40), hole, constant, sources=~hole)


def test_sources_must_leave_something(add_method: Add, make_picture: Make) -> None:
    name = add_method(Constant, aux=frozenset({"sources"}))
    hole = hole_in((30, 40), 10, 12)
    with pytest.raises(errors.MaskError, match="sources leaves nothing"):
        inpaint(make_picture(30, 40), hole, name, sources=hole)


def test_a_guide_of_any_size_reaches_a_method_that_takes_one(add_method: Add, make_picture: Make) -> None:
    CALLS.clear()
    name = add_method(Constant, aux=frozenset({"guide"}))
    picture = make_picture(300, 400)
    hole = hole_in(picture.shape, 150, 300)
    guide = np.zeros((30, 40, 3), np.uint8)
    guide[:, 20:] = 255
    result = Inpainter(name).run(picture, hole, guide=guide)
    _, given_hole, aux, _ = CALLS[0]
    assert aux.guide.shape == (*given_hole.shape, 3)
    assert set(np.unique(aux.guide[given_hole])) == {1.0}  # the hole lies in the right half
    assert any("guide: resized from 40×30 to 400×300" in note for note in result.notes)


def test_a_guide_has_the_channels_of_the_picture(add_method: Add, make_picture: Make) -> None:
    CALLS.clear()
    name = add_method(Constant, aux=frozenset({"guide"}))
    green = np.zeros((30, 40, 3), np.uint8)
    green[..., 1] = 255
    grey = make_picture(30, 40)[..., 0]
    inpaint(grey, hole_in(grey.shape, 10, 12), name, guide=green)
    inpaint(make_picture(30, 40), hole_in(grey.shape, 10, 12), name, guide=grey)
    first, second = CALLS[0][2].guide, CALLS[1][2].guide
    assert first.shape == (30, 40, 1)
    assert np.allclose(first, 0.587)
    assert second.shape == (30, 40, 3)
    assert np.array_equal(second[..., 0], second[..., 2])


def test_a_guide_is_refused_where_it_means_nothing(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    with pytest.raises(errors.OptionError, match=r"'constant' follows no picture.*patchmatch"):
        inpaint(picture, hole_in(picture.shape, 10, 12), constant, guide=picture)


# The rim --------------------------------------------------------------------------------------------------


def test_feather_changes_a_band_and_counts_it(constant: str) -> None:
    picture = np.zeros((40, 40), dtype=np.uint8)
    hole = hole_in(picture.shape, 15, 15, 8, 8)
    result = Inpainter(constant).run(picture, hole, feather=3)
    changed = (result.image != picture) & ~hole
    assert result.changed_outside == np.count_nonzero(changed) > 0
    assert any(f"feather mixed {result.changed_outside} known pixels" in note for note in result.notes)
    assert (result.image[hole] == 128).all()
    assert result.image[19, 15 - 4 : 15].tolist() == sorted(result.image[19, 11:15])
    assert not result.image[:11].any()
    assert np.array_equal(result.hole, hole)
    assert CALLS[0][1].sum() > hole.sum()  # the method fills the band, too


def test_feather_leaves_transparent_pixels_alone(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40, 4)
    picture[:10, :, 3] = 0
    out = inpaint(picture, hole_in(picture.shape, 10, 12), constant, feather=5)
    assert np.array_equal(out[:10], picture[:10])


def test_membrane_takes_the_step_away_and_changes_nothing_known(constant: str) -> None:
    picture = np.full((40, 40, 3), 90, dtype=np.uint8)
    result = Inpainter(constant).run(picture, hole_in(picture.shape, 15, 15, 8, 8), blend="membrane")
    assert np.array_equal(result.image, picture)
    assert result.changed_outside == 0


# Trouble --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda image: None, "returned NoneType; expected a float array of shape"),
        (lambda image: image[:-1], r"returned float32 \(8, 9, 3\); expected .*\(9, 9, 3\)"),
        (lambda image: (image * 255).astype(np.uint8), "returned uint8"),
        (lambda image: np.full_like(image, np.nan), "72 values that are not finite"),
    ],
)
def test_a_method_that_breaks_its_contract_is_named(
    returned: Any, words: str, add_method: Add, make_picture: Make
) -> None:
    class Broken:
        def fill(self, image: Any, hole: Any, **_: Any) -> Any:
            return returned(image)

    with pytest.raises(
        errors.MethodError, match=f"method 'broken' returned {words.removeprefix('returned ')}"
    ):
        inpaint(make_picture(9, 9), hole_in((9, 9), 2, 2), add_method(Broken))


def test_only_the_hole_of_a_fill_counts(add_method: Add, make_picture: Make) -> None:
    class Sloppy:
        def fill(self, image: Any, hole: Any, **_: Any) -> Any:
            out = np.full(image.shape, np.nan)  # and float64
            out[hole] = 7.0
            return out

    picture, hole = make_picture(9, 9), hole_in((9, 9), 2, 2)
    out = inpaint(picture, hole, add_method(Sloppy))
    assert (out[hole] == 255).all()
    assert np.array_equal(out[~hole], picture[~hole])


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (MemoryError(), errors.DeviceOutOfMemoryError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (errors.Cancelled("enough"), errors.Cancelled),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_what_a_method_raises(raised: Any, seen: Any, add_method: Add, make_picture: Make) -> None:
    class Raiser:
        def fill(self, image: Any, hole: Any, **_: Any) -> Any:
            raise raised

    with pytest.raises(seen):
        inpaint(make_picture(9, 9), hole_in((9, 9), 2, 2), add_method(Raiser))


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"seed": -1}, errors.OptionError, "seed is -1"),
        ({"seed": 1.0}, errors.OptionError, "seed is 1.0"),
        ({"seed": True}, errors.OptionError, "seed is True"),
        ({"blend": "soft"}, errors.OptionError, "'hard' or 'membrane'"),
        ({"feather": -1}, errors.OptionError, "feather is -1"),
        ({"feather": float("nan")}, errors.OptionError, "feather is nan"),
        ({"feather": "3"}, errors.OptionError, "feather is '3'"),
        ({"context": -1}, errors.OptionError, "context is -1"),
        ({"context": "0.5"}, errors.OptionError, "context is '0.5'"),
        ({"device": "cuda"}, errors.DeviceUnavailableError, "device 'cuda'.*'cpu'"),
        ({"options": {"speed": 1}}, errors.OptionError, "no option 'speed'"),
        ({"method": "patchmach"}, errors.UnknownMethodError, "did you mean patchmatch"),
    ],
)
def test_bad_settings(how: Any, error: Any, words: str, constant: str, make_picture: Make) -> None:
    with pytest.raises(error, match=words):
        inpaint(make_picture(9, 9), hole_in((9, 9), 2, 2), **{"method": constant, **how})


def test_a_mask_of_another_size(constant: str, make_picture: Make) -> None:
    with pytest.raises(errors.MaskError):
        inpaint(make_picture(9, 9), np.ones((5, 5), dtype=bool), constant)
    mask = np.zeros((18, 18), dtype=bool)
    mask[4:8, 4:8] = True
    out = inpaint(make_picture(9, 9), mask, constant, resize_mask=True)
    assert (out[2:4, 2:4] == 128).all()


# Progress, samples, threads -------------------------------------------------------------------------------


@pytest.mark.parametrize("blend", ["hard", "membrane"])
def test_progress_runs_from_nothing_to_all(blend: str, constant: str, make_picture: Make) -> None:
    seen: list[float] = []
    hole = hole_in((120, 900), 50, 50) | hole_in((120, 900), 50, 800)
    picture = make_picture(120, 900)
    inpaint(picture, hole, constant, blend=blend, on_step=lambda share, words: seen.append(share))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)
    assert len(set(seen)) >= 4


@pytest.mark.parametrize("when", [1, 2, 3])
def test_cancelling(when: int, constant: str, make_picture: Make) -> None:
    calls = 0

    def stop(share: float, words: str) -> None:
        nonlocal calls
        calls += 1
        if calls == when:
            raise errors.Cancelled("enough")

    with pytest.raises(errors.Cancelled, match="enough"):
        inpaint(make_picture(30, 40), hole_in((30, 40), 3, 3), constant, on_step=stop)


def test_samples_count_seeds_up(add_method: Add, make_picture: Make) -> None:
    class Random:
        def fill(self, image: Any, hole: Any, *, seed: int, **_: Any) -> Any:
            return np.random.default_rng(seed).random(image.shape, dtype=np.float32)

    loaded = Inpainter(add_method(Random, random=True))
    picture, hole = make_picture(30, 40), hole_in((30, 40), 3, 3)
    seen: list[float] = []
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, "png")
    stream.seek(0)
    results = loaded.sample(stream, hole, 3, seed=5, on_step=lambda share, words: seen.append(share))
    assert [result.seed for result in results] == [5, 6, 7]
    assert len({result.image.tobytes() for result in results}) == 3
    assert np.array_equal(results[1].image, loaded(picture, hole, seed=6))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_one_answer_cannot_be_sampled(constant: str, make_picture: Make) -> None:
    picture, hole = make_picture(30, 40), hole_in((30, 40), 3, 3)
    assert len(Inpainter(constant).sample(picture, hole, 1)) == 1
    with pytest.raises(errors.OptionError, match=r"'constant'.*methods that can: auto, patchmatch"):
        Inpainter(constant).sample(picture, hole, 2)
    for n in (0, -1, 1.5, True, "2"):
        with pytest.raises(errors.OptionError, match="n is"):
            Inpainter(constant).sample(picture, hole, n)  # type: ignore[arg-type]


def test_an_unknown_keyword_is_an_error(constant: str, make_picture: Make) -> None:
    loaded = Inpainter(constant)
    for call in (loaded, loaded.run, lambda *a, **k: loaded.sample(*a, 1, **k)):
        with pytest.raises(TypeError, match="fether"):
            call(make_picture(9, 9), hole_in((9, 9), 2, 2), fether=2)  # type: ignore[operator]


def test_one_inpainter_serves_many_threads(add_method: Add, make_picture: Make) -> None:
    class Mean:
        def fill(self, image: Any, hole: Any, **_: Any) -> Any:
            progress.note(f"{image.shape[1]} wide")
            return np.full_like(image, image[~hole].mean())

    loaded = Inpainter(add_method(Mean))
    pictures = [make_picture(30, 40 + i) for i in range(8)]
    expected = [loaded(picture, hole_in(picture.shape, 3, 3)) for picture in pictures]
    results: list[Any] = [None] * 8

    def work(i: int) -> None:
        results[i] = loaded.run(pictures[i], hole_in(pictures[i].shape, 3, 3))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in enumerate(results):
        assert np.array_equal(result.image, expected[i])
        assert result.notes == (f"{40 + i} wide",)


# The surface ----------------------------------------------------------------------------------------------


def test_result_tells_all_and_is_frozen(constant: str, make_picture: Make) -> None:
    picture = make_picture(30, 40)
    hole = hole_in(picture.shape, 10, 12)
    result = Inpainter(constant).run(picture, hole, seed=4, dilate=1)
    assert (result.method, result.seed, result.changed_outside) == (constant, 4, 0)
    assert result.hole.sum() > hole.sum()
    assert not result.hole.flags.writeable
    assert 0 < result.seconds < 10
    assert np.array_equal(result.original.pixels, picture)
    assert np.array_equal(result.picture.pixels, result.image)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.seed = 5  # type: ignore[misc]


def test_an_honest_count_when_a_door_breaks_the_promise(
    constant: str, make_picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    paste = inpainting.Picture.paste

    def leaky(self: Any, parts: Any, hole: Any, **how: Any) -> Any:
        return paste(self, parts, hole | (np.arange(hole.shape[1]) == 0), **how)

    monkeypatch.setattr(inpainting.Picture, "paste", leaky)
    result = Inpainter(constant).run(make_picture(30, 40), hole_in((30, 40), 10, 12))
    assert result.changed_outside == 30


def test_the_same_keywords_everywhere() -> None:
    def keywords(function: Any) -> dict[str, Any]:
        found = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}

    run = keywords(Inpainter.run)
    outer = keywords(inpaint)
    assert {name: outer[name] for name in outer if name not in ("device", "options")} == run
    assert run == {f.name: f.default for f in dataclasses.fields(Settings)}
    assert set(run) == set(inpainting.RunOptions.__annotations__)
    assert set(inpainting.InpaintOptions.__annotations__) == set(outer)


def test_repr_names_method_and_options(constant: str) -> None:
    assert repr(Inpainter(constant)) == "Inpainter('constant', options={'value': 0.5})"


def test_public_names_are_the_real_ones() -> None:
    assert lacuna.inpaint is inpaint
    assert lacuna.errors is errors
    assert lacuna.Result is inpainting.Result

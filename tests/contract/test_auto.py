"""`auto`: what it hides, what it measures, what it takes, and what it says."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lacuna
from lacuna.errors import Cancelled
from lacuna.inpainting import Inpainter
from lacuna.methods.auto import Auto, judging, rehearsal
from lacuna.metrics import PSNR_CAP
from lacuna.progress import Detail, brief
from lacuna.types import Aux


def photo_like(rng: np.random.Generator, size: tuple[int, int], fine: float = 6.0) -> np.ndarray:
    """Return slow colours and fine grain of the given deviation."""
    y, x = np.indices(size) / 40
    slow = np.stack([np.sin(x + y), np.cos(x - y), np.sin(2 * x)], -1) * 40 + 128
    return np.clip(slow + rng.normal(0, fine, (*size, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def photo(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    picture, hole = photo_like(rng, (360, 460)), np.zeros((360, 460), bool)
    hole[110:250, 130:330] = True
    return picture, hole


def test_it_says_what_it_took_and_what_it_expected_of_each(photo: tuple[np.ndarray, np.ndarray]) -> None:
    result = Inpainter("auto").run(*photo)
    (choice,) = (words for words in brief(result.notes) if words.startswith("auto chose"))
    assert "it should do best of 4, going by" in choice
    details = [words for words in result.notes if isinstance(words, Detail)]
    names = [judging.label(name, judging.tried_options(options)) for name, options in judging.CANDIDATES]
    assert [words.split(":")[0] for words in details] == [f"expected of {name}" for name in names]
    assert all("hole-PSNR" in words and "hole-LPIPS" in words for words in details)
    assert names == ["guided", "guided least=0.25", "guided least=0.5", "patchmatch"]
    assert result.changed_outside == 0


def test_the_fill_is_that_of_what_it_took(photo: tuple[np.ndarray, np.ndarray]) -> None:
    picture, hole = photo
    image = picture.astype(np.float32) / 255
    choice = Auto().choose(image, hole, aux=Aux())
    assert choice.trial is not None
    best = choice.verdicts[judging.best([verdict.lpips for verdict in choice.verdicts])]
    assert (choice.name, choice.options) == (best.method, best.options)
    ours = Auto().fill(image, hole, aux=Aux(), seed=3)
    assert np.array_equal(ours, choice.method().fill(image, hole, aux=Aux(), seed=3))


def test_what_does_better_on_the_copies_is_taken(
    photo: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The numbers are fitted; what they are fitted to must count, whatever they are.
    picture, hole = photo
    image = picture.astype(np.float32) / 255
    count = len(judging.CANDIDATES)
    monkeypatch.setattr(judging, "TRUST", (1.0, 0.0, 0.0))
    for wanted in range(count):

        def tried(trial: Any, *_: Any, wanted: int = wanted) -> list[np.ndarray]:
            spoilt = np.where(trial.hidden[..., None], 1 - trial.image, trial.image).astype(np.float32)
            return [trial.image if i == wanted else spoilt for i in range(count)]

        monkeypatch.setattr("lacuna.methods.auto.tried", tried)
        choice = Auto().choose(image, hole, aux=Aux())
        assert (choice.name, choice.options) == judging.CANDIDATES[wanted]


def test_it_needs_no_torch(photo: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert any(isinstance(words, Detail) for words in Inpainter("auto").run(*photo).notes)


def test_another_seed_is_another_fill_by_the_same_method(photo: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = Inpainter("auto").sample(*photo, 2)
    assert first.notes == second.notes
    assert not np.array_equal(first.image, second.image)
    assert np.array_equal(second.image, Inpainter("auto").run(*photo, seed=1).image)


def test_without_rehearsal_it_goes_by_the_form_of_the_hole(photo: tuple[np.ndarray, np.ndarray]) -> None:
    result = Inpainter("auto", options={"rehearse": False}).run(*photo)
    assert np.array_equal(result.image, lacuna.inpaint(*photo, "guided", options=dict(judging.CONSENSUS)))
    assert not any(isinstance(words, Detail) for words in result.notes)


def test_a_hole_too_small_to_try_anything_on(rng: np.random.Generator) -> None:
    picture, hole = photo_like(rng, (60, 60)), np.zeros((60, 60), bool)
    hole[25:35, 25:35] = True
    result = Inpainter("auto").run(picture, hole)
    assert any("no room to try methods on copies of it" in words for words in result.notes)
    assert np.array_equal(
        result.image, lacuna.inpaint(picture, hole, "guided", options=dict(judging.CONSENSUS))
    )


def test_thin_holes_given_sources_and_guides_are_not_tried(photo: tuple[np.ndarray, np.ndarray]) -> None:
    picture, hole = photo
    scratch = np.zeros_like(hole)
    scratch[100, 50:200] = True
    thin = Inpainter("auto").run(picture, scratch)
    assert any("auto chose biharmonic" in words for words in thin.notes)
    left = np.arange(hole.shape[1])[None] < np.full((hole.shape[0], 1), 100)
    bound = Inpainter("auto").run(picture, hole, sources=left)
    assert any("auto chose patchmatch" in words for words in bound.notes)
    assert not any(isinstance(words, Detail) for words in (*thin.notes, *bound.notes))


def test_where_no_network_can_run_patches_fill(
    photo: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lacuna.onnx_io.missing", lambda: "it needs onnxruntime")
    bound = Inpainter("auto").run(*photo)
    assert any("guided cannot run here: it needs onnxruntime" in words for words in bound.notes)
    assert np.array_equal(bound.image, lacuna.inpaint(*photo, "patchmatch"))


def test_it_can_be_stopped_while_it_tries(photo: tuple[np.ndarray, np.ndarray]) -> None:
    def stop(share: float, words: str) -> None:
        if "hidden copies" in words:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        Inpainter("auto").run(*photo, on_step=stop)


def test_progress_tells_of_the_trial_first(photo: tuple[np.ndarray, np.ndarray]) -> None:
    told: list[tuple[float, str]] = []
    Inpainter("auto").run(*photo, on_step=lambda share, words: told.append((share, words)))
    assert told[-1][0] == 1.0
    trial = next(i for i, (_, words) in enumerate(told) if "hidden copies" in words)
    assert all(share <= 0.2 for share, _ in told[: trial + 2])


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_judged(rng: np.random.Generator, channels: int) -> None:
    truth = rng.random((64, 80, channels), dtype=np.float32)
    hidden = np.zeros((64, 80), bool)
    hidden[20:40, 30:60] = True
    blurred = truth.copy()
    blurred[hidden] = truth.mean()
    fills = [truth] + [blurred] * (len(judging.CANDIDATES) - 1)
    verdicts = judging.judge(fills, truth, hidden, judging.Form(0.0, 0.0))
    assert verdicts[0].psnr == PSNR_CAP
    assert verdicts[0].ssim == pytest.approx(1)
    assert verdicts[0].lpips == 0
    assert not judging.statistics(truth, truth, hidden).any()
    assert (judging.statistics(blurred, truth, hidden) > 0.05).all()


def test_the_shipped_numbers_prefer_what_is_nearer_to_the_truth() -> None:
    assert min(judging.LPIPS) > 0
    for form in (judging.Form(1.0, 0.5), judging.Form(2.0, 0.3), judging.Form(5.0, 0.0)):
        equal = judging.predict(np.full(len(judging.CANDIDATES), 0.2), form)
        for i in range(1, len(judging.CANDIDATES)):
            seen = np.full(len(judging.CANDIDATES), 0.2)
            seen[i] = 0.1
            assert judging.predict(seen, form)[i] < equal[i]


def test_spread_tells_discs_from_strokes() -> None:
    y, x = np.indices((200, 300))
    disc = np.hypot(y - 100, x - 150) < 60
    stroke = np.abs(y - 100) < 5
    assert judging.form_of(disc, 1.0).spread == pytest.approx(0, abs=0.1)
    assert judging.form_of(stroke, 0.4).spread > 3


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    most=st.integers(1, 2000),
)
def test_copies_lie_on_known_pixels_apart_from_the_hole(
    seed: int, height: int, width: int, most: int
) -> None:
    rng = np.random.default_rng(seed)
    hole = np.zeros((height, width), bool)
    top, left = int(rng.integers(0, height - 4)), int(rng.integers(0, width - 4))
    hole[top : top + int(rng.integers(1, height)), left : left + int(rng.integers(1, width))] = True
    hole &= rng.random((height, width)) < 0.9
    hidden = rehearsal.hide(rng.random((height, width, 3), dtype=np.float32), hole, most)
    assert np.count_nonzero(hidden) <= most
    grown = np.pad(hole, 2)
    near = np.zeros_like(hole)
    for down in range(5):
        for right in range(5):
            near |= grown[down : down + height, right : right + width]
    assert not (hidden & near).any()


def test_copies_have_the_shape_of_the_hole_and_lie_where_it_looks_alike() -> None:
    image = np.zeros((200, 300, 3), np.float32)
    image[:, 150:] = 0.8  # the hole is in the dark half
    hole = np.zeros((200, 300), bool)
    hole[30:60, 30:60] = hole[60:80, 30:40] = True
    hidden = rehearsal.hide(image, hole, 10_000)
    count = np.count_nonzero(hole)
    assert count <= np.count_nonzero(hidden) <= 2 * count
    assert not hidden[:, 160:].any()


@pytest.mark.parametrize("size", [(500, 600), (900, 700)])
def test_a_rehearsal_is_within_its_budget(rng: np.random.Generator, size: tuple[int, int]) -> None:
    image = rng.random((*size, 3), dtype=np.float32)
    hole = np.zeros(size, bool)
    hole[100:300, 150:400] = True
    for seen_at in (0.3, 1.0):
        trial = rehearsal.rehearse(image, hole, seen_at)
        assert trial is not None
        assert trial.image.shape[:2] == trial.hidden.shape == trial.unknown.shape
        assert not (trial.hidden & trial.unknown).any()
        cost = rehearsal.FILLS * np.count_nonzero(trial.hidden)
        cost += rehearsal.NETWORK * seen_at**2 * trial.hidden.size + rehearsal.OVERHEAD
        assert cost <= rehearsal.BUDGET * np.count_nonzero(hole) * 1.02


@pytest.mark.parametrize("kind", ["grey", "black", "alpha", "sixteen bits"])
def test_pictures_of_all_kinds_are_tried_on(photo: tuple[np.ndarray, np.ndarray], kind: str) -> None:
    picture, hole = photo
    given = {
        "grey": picture[..., 0],
        "black": np.zeros_like(picture),
        "alpha": np.dstack([picture, np.full(hole.shape, 200, np.uint8)]),
        "sixteen bits": picture.astype(np.uint16) * 257,
    }[kind]
    result = Inpainter("auto").run(given, hole)
    assert sum(isinstance(words, Detail) for words in result.notes) >= len(judging.CANDIDATES)
    assert (result.image.shape, result.image.dtype) == (given.shape, given.dtype)
    assert np.array_equal(result.image[~hole], given[~hole])
    if kind == "black":
        assert result.image.max() <= 8

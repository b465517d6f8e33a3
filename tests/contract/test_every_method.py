"""What Lacuna promises, asked of every registered method that can run here.

A new catalogue line is tested by this file without another word. Pictures are tiny: however slow a method is,
the whole file should take less than a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import promises
import pytest
from promises import some_hole

import lacuna
from lacuna import errors, registry
from lacuna.inpainting import Inpainter, Result
from lacuna.registry import MethodSpec
from lacuna.types import Explainable

SPECS = lacuna.list_methods()
# Networks need weights: test_networks.py asks them, with random ones. Slow methods: test_diffusion.py.
HERE = [spec for spec in SPECS if spec.missing() is None and not spec.weights and not spec.slow]
Make = Callable[..., np.ndarray]


def is_peer(spec: MethodSpec) -> bool:
    """Somebody else's program: it is asked less, as each call starts a process, and may give up in words."""
    return spec.name in ("opencv-shiftmap", "opencv-fsr", "gmic")


@cache
def loaded(name: str) -> Inpainter:
    return Inpainter(name)


def every_method(cases: list[Any] | None = None, few: int = 0) -> pytest.MarkDecorator:
    """Parametrise by method, or by method and case; peers get the first ``few`` cases only."""
    if cases is None:
        return pytest.mark.parametrize("spec", HERE, ids=[spec.name for spec in HERE])
    pairs = [
        pytest.param(spec, case, id=f"{spec.name}-{getattr(case, '__name__', case)}")
        for spec in HERE
        for case in (cases[:few] if is_peer(spec) else cases)
    ]
    return pytest.mark.parametrize(("spec", "case"), pairs)


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
def test_it_can_be_asked_here(spec: MethodSpec) -> None:
    reason = spec.missing()
    if reason is not None:
        with pytest.raises(errors.MissingDependencyError, match=spec.name):
            Inpainter(spec.name)
        pytest.skip(reason)
    if spec.weights:
        with pytest.raises(errors.WeightsNotFoundError, match=spec.name):
            Inpainter(spec.name)
        return
    assert loaded(spec.name).spec == spec


def checked(spec: MethodSpec, picture: np.ndarray, hole: np.ndarray, **how: Any) -> Result:
    return promises.checked(loaded(spec.name), picture, hole, **how)


def checked_or_given_up(spec: MethodSpec, picture: np.ndarray, hole: np.ndarray) -> Result | None:
    """Return what `checked` does, or None where a peer says that it cannot."""
    try:
        return checked(spec, picture, hole)
    except errors.MethodError:
        assert is_peer(spec)
        return None


def one_pixel(hole: np.ndarray) -> None:
    hole[17, 20] = True


def border(hole: np.ndarray) -> None:
    hole[12:20, :6] = True


def corner(hole: np.ndarray) -> None:
    hole[-7:, -9:] = True


def disjoint(hole: np.ndarray) -> None:
    hole[3:6, 3:9] = hole[20:28, 30:36] = hole[30, 2] = True


def huge(hole: np.ndarray) -> None:
    hole[2:-2, 4:] = True  # 81 %


def other_lines(hole: np.ndarray) -> None:
    hole[1::2] = True


def enlarged(hole: np.ndarray) -> None:
    hole[...] = True
    hole[::2, ::2] = False


def across(hole: np.ndarray) -> None:
    hole[14:20] = True


def one_known(hole: np.ndarray) -> None:
    hole[...] = True
    hole[16, 20] = False


HOLES = [corner, huge, disjoint, one_pixel, border, other_lines, enlarged, across, one_known]


@every_method(HOLES, few=3)
def test_any_hole_is_filled(spec: MethodSpec, case: Callable[[np.ndarray], None], make_picture: Make) -> None:
    picture = make_picture(33, 41)
    hole = np.zeros(picture.shape[:2], dtype=bool)
    case(hole)
    damaged = picture.copy()
    damaged[hole] = (255, 0, 255)  # a colour that the picture does not have
    result = checked_or_given_up(spec, damaged, hole)
    assert result is None or not (result.image[hole] == (255, 0, 255)).all(axis=1).any()


@every_method([(13, 67), (1, 9), (9, 1), (2, 2), (5, 3), (8, 8)], few=2)
def test_any_size(spec: MethodSpec, case: tuple[int, int], make_picture: Make) -> None:
    hole = np.zeros(case, dtype=bool)
    hole[case[0] // 2, case[1] // 2] = True
    checked_or_given_up(spec, make_picture(*case), hole)


KINDS = [
    (1, "uint8"),
    (4, "uint16"),
    (3, "float32"),
    (2, "uint8"),
    (4, "uint8"),
    (1, "uint16"),
    (3, "uint16"),
    (1, "float64"),
]


@every_method(KINDS, few=3)
def test_any_kind_of_picture(spec: MethodSpec, case: tuple[int, str], make_picture: Make) -> None:
    channels, dtype = case
    picture = make_picture(20, 27, channels, np.dtype(dtype))
    result = checked(spec, picture, some_hole(20, 27))
    if channels in (2, 4):
        assert np.array_equal(result.image[..., -1], picture[..., -1])  # alpha is not a colour


@every_method()
def test_transparent_pixels_are_no_sources(spec: MethodSpec) -> None:
    picture = np.zeros((30, 40, 4), dtype=np.uint8)
    picture[...] = (60, 90, 120, 255)
    picture[:, 20:] = (255, 0, 0, 0)  # red that nobody sees, right beside the hole
    hole = np.zeros((30, 40), dtype=bool)
    hole[10:20, 12:20] = True
    result = checked_or_given_up(spec, picture, hole)
    assert result is None or np.abs(result.image[hole].astype(int) - (60, 90, 120, 255)).max() <= 3


@every_method()
def test_values_outside_the_unit_range(spec: MethodSpec, make_picture: Make) -> None:
    picture = make_picture(20, 27, 3, np.float32) * 500 - 100
    hole = some_hole(20, 27)
    filled = checked(spec, picture, hole).image[hole]
    known = picture[~hole]
    assert known.min() - 1 <= filled.min() <= filled.max() <= known.max() + 1


@every_method()
def test_memory_order_does_not_matter(spec: MethodSpec, make_picture: Make) -> None:
    picture, hole = make_picture(20, 27), some_hole(20, 27)
    expected = checked(spec, picture, hole).image
    wide = np.zeros((20, 54, 3), dtype=np.uint8)
    wide[:, ::2] = picture
    for same in (np.asfortranarray(picture), wide[:, ::2], picture[:, ::-1].copy()[:, ::-1]):
        out = checked(spec, same, np.asfortranarray(hole)).image
        assert not spec.deterministic or np.array_equal(out, expected)


@every_method()
def test_same_seed_same_bytes(spec: MethodSpec, make_picture: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 60 if is_peer(spec) else 160  # large enough for our kernels to share the work
    picture = make_picture(side, side)
    hole = np.zeros((side, side), dtype=bool)
    hole[side // 4 : -side // 4, side // 5 : -side // 5] = True
    fills = set()
    for threads in ("1", "2", "2") if spec.deterministic else ("1",):
        monkeypatch.setenv("LACUNA_THREADS", threads)
        fills.add(checked(spec, picture, hole, seed=3).image.tobytes())
    assert len(fills) == 1
    assert not spec.random or checked(spec, picture, hole, seed=4).image.tobytes() not in fills


@every_method()
def test_two_threads_may_call_it_at_once(spec: MethodSpec, make_picture: Make) -> None:
    if is_peer(spec):
        return
    picture, method = make_picture(120, 120), loaded(spec.name)
    hole = np.zeros((120, 120), dtype=bool)
    hole[20:100, 20:100] = True
    expected = method(picture, hole)
    with ThreadPoolExecutor(4) as pool:
        for filled in pool.map(lambda _: method(picture, hole), range(8)):
            assert np.array_equal(filled, expected)


@every_method()
def test_it_can_be_stopped_at_any_time(spec: MethodSpec, make_picture: Make) -> None:
    picture = make_picture(200, 220)
    hole = np.zeros((200, 220), dtype=bool)
    hole[30:170, 40:180] = True
    method = loaded(spec.name)
    times: list[float] = []

    def watch(share: float, words: str) -> None:
        times.append(time.perf_counter())

    if not is_peer(spec):
        method(picture, hole)  # compiled by now
        method(picture, hole, on_step=watch)
        assert max(np.diff(times)) < 0.5  # that often anybody can say stop

    def stop(share: float, words: str) -> None:
        watch(share, words)
        if share >= 0.3 or len(times) == 5:
            raise errors.Cancelled("enough")

    times.clear()
    with pytest.raises(errors.Cancelled, match="enough"):
        method(picture, hole, on_step=stop)
    assert time.perf_counter() - times[-1] < 0.5


@every_method()
def test_a_smooth_gradient_is_continued(spec: MethodSpec) -> None:
    y, x = np.mgrid[:48, :64]
    truth = (0.2 + 0.004 * x + 0.003 * y + 0.00004 * x * y).astype(np.float32)
    hole = np.zeros((48, 64), dtype=bool)
    hole[18:30, 24:40] = True
    damaged = np.where(hole, np.float32(1), truth)
    filled = checked(spec, damaged, hole).image
    assert np.abs(filled - truth)[hole].mean() < 0.02


@every_method()
def test_an_edge_in_a_plain_picture_stays_within_its_colours(spec: MethodSpec) -> None:
    picture = np.full((40, 50, 3), 40, dtype=np.uint8)
    picture[:, 25:] = 200
    hole = np.zeros((40, 50), dtype=bool)
    hole[16:24, 20:30] = True
    filled = checked(spec, picture, hole).image[hole]
    assert filled.min() >= 30
    assert filled.max() <= 210


TEXTURE = ["patchmatch", "auto"]


@pytest.mark.parametrize("name", TEXTURE)
def test_a_periodic_texture_is_reproduced(name: str, rng: np.random.Generator) -> None:
    truth = np.tile(rng.random((12, 16, 3), dtype=np.float32), (10, 8, 1))
    hole = np.zeros(truth.shape[:2], dtype=bool)
    hole[44:76, 48:80] = True
    damaged = truth.copy()
    damaged[hole] = 0.5
    filled = checked(registry.get(name), damaged, hole).image
    assert np.abs(filled - truth)[hole].mean() < 0.01  # noise against noise would be 0.33


@every_method()
def test_the_declared_inputs_are_taken(spec: MethodSpec, make_picture: Make) -> None:
    picture, hole = make_picture(40, 50), some_hole(40, 50)
    sources = np.zeros((40, 50), dtype=bool)
    sources[:, 30:] = True
    if "sources" not in spec.aux:
        with pytest.raises(errors.OptionError, match="sources"):
            loaded(spec.name)(picture, hole, sources=sources)
        return
    picture[:, :12] = 0  # black must not be copied: it lies outside the sources
    filled = checked(spec, picture, hole, sources=sources).image[hole]
    assert filled.min() > 0


@every_method()
def test_declared_randomness(spec: MethodSpec, make_picture: Make) -> None:
    picture, hole = make_picture(60, 70), some_hole(60, 70)
    if not spec.random:
        with pytest.raises(errors.OptionError, match="methods that can"):
            loaded(spec.name).sample(picture, hole, 2)
        return
    results = loaded(spec.name).sample(picture, hole, 3, seed=2)
    assert [result.seed for result in results] == [2, 3, 4]
    assert len({result.image.tobytes() for result in results}) == 3


@every_method()
def test_nothing_known(spec: MethodSpec, make_picture: Make) -> None:
    picture, everything = make_picture(9, 9), np.ones((9, 9), dtype=bool)
    if spec.from_nothing:
        checked(spec, picture, everything)
        return
    with pytest.raises(errors.MaskError, match="nothing known"):
        loaded(spec.name)(picture, everything)


@every_method()
def test_nothing_missing(spec: MethodSpec, make_picture: Make) -> None:
    picture = make_picture(9, 9)
    result = checked(spec, picture, np.zeros((9, 9), dtype=bool))
    assert np.array_equal(result.image, picture)
    assert any("empty" in note for note in result.notes)


@every_method()
def test_a_method_that_tells_what_it_did_fills_the_same(spec: MethodSpec, make_picture: Make) -> None:
    picture, hole = make_picture(60, 70), some_hole(60, 70)
    if not isinstance(loaded(spec.name)._method, Explainable):
        with pytest.raises(errors.OptionError, match=r"methods that can: .*patchmatch"):
            loaded(spec.name).explain(picture, hole)
        return
    result, told = loaded(spec.name).explain(picture, hole, seed=3)
    assert np.array_equal(result.image, checked(spec, picture, hole, seed=3).image)
    for box, one in told:
        assert box == (0, 0, 60, 70)
        names = [picture.name for picture in one.pictures]
        assert len(set(names)) == len(names)
        assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
        for shown in one.pictures:
            assert shown.image.ndim == 3
            assert shown.image.shape[2] in (1, 3)
            assert 0 <= shown.image.min() <= shown.image.max() <= 1
            assert shown.caption.endswith(".")
        assert all(line.endswith(".") for line in one.lines)

"""`guided` with tiny models: what it takes from the network, and what stays the photo's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import checked, some_hole

import lacuna
from lacuna import errors
from lacuna.inpainting import Inpainter, Result
from lacuna.methods.onnx import guided
from lacuna.types import Aux

pytest.importorskip("onnx")

Make = Callable[..., np.ndarray]
MakeOnnx = Callable[..., Path]


@pytest.fixture(scope="session")
def painters(tmp_path_factory: pytest.TempPathFactory, make_onnx: MakeOnnx) -> dict[str, Path]:
    """Models that paint the hole darker or brighter than what surrounds it, and one that fails."""
    folder = tmp_path_factory.mktemp("painters")
    paths = {
        name: make_onnx(folder / f"{name}.onnx", gains=(gain, gain, gain))
        for name, gain in {"dark": 0.2, "same": 1.0, "bright": 1.8}.items()
    }
    zero = "k = Constant<value = float {0.0}>() filled = Div(painted, k)"
    paths["broken"] = make_onnx(folder / "broken.onnx", extra=zero)
    for path in paths.values():
        path.with_suffix(".toml").write_text('image = "image"\nmask = "mask"\n')
    return paths


def fill(path: Path, picture: np.ndarray, hole: np.ndarray, *, seed: int = 0, **options: Any) -> Result:
    return checked(Inpainter("guided", options={"weights": str(path), **options}), picture, hole, seed=seed)


@pytest.fixture
def two_textures(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fine dark grain on the left, coarse bright grain on the right, and a hole that both could fill."""
    grain = rng.integers(-8, 8, (120, 160, 3))
    grain[:, 80:] *= 5
    picture = (grain + np.where(np.arange(160) < 80, 40, 190)[None, :, None]).astype(np.uint8)
    hole = np.zeros((120, 160), bool)
    hole[30:90, 50:110] = True
    return picture, hole


def grain(result: Result) -> float:
    """How coarse the middle of the fill is; what the patches bring, since no guide of 64 pixels has grain."""
    return float(np.diff(result.image[45:75, 65:95].astype(float), axis=1).std())


def test_the_network_says_what_and_the_photo_says_how(
    painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]
) -> None:
    dark, bright = (fill(painters[name], *two_textures, strength=1.0) for name in ("dark", "bright"))
    assert grain(dark) > 3
    assert grain(bright) > 2 * grain(dark)


def test_strength_says_how_much_the_network_counts(
    painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]
) -> None:
    apart = []
    for strength in (0.0, 1.0):
        options = {"strength": strength, "detail": 0.0}
        dark, bright = (fill(painters[n], *two_textures, **options) for n in ("dark", "bright"))
        apart.append(grain(bright) - grain(dark))
    assert apart[1] > apart[0]


@pytest.mark.parametrize(("channels", "dtype"), [(1, "uint8"), (4, "uint16"), (3, "float32")])
@pytest.mark.parametrize("size", [(20, 27), (9, 70), (150, 90)])
def test_any_picture_is_filled_whatever_lies_under_the_hole(
    painters: dict[str, Path], make_picture: Make, size: tuple[int, int], channels: int, dtype: str
) -> None:
    picture, hole = make_picture(*size, channels, np.dtype(dtype)), some_hole(*size)
    filled = fill(painters["same"], picture, hole).image
    black = np.zeros((), picture.dtype)
    if channels == 4:
        black = np.where([True, True, True, False], black, picture[hole])
    picture[hole] = black
    assert np.array_equal(fill(painters["same"], picture, hole).image, filled)
    assert filled[hole].min() > 0  # nothing that is known is black


def test_the_same_seed_gives_the_same_bytes(painters: dict[str, Path], make_picture: Make) -> None:
    hole = np.zeros((90, 120), bool)
    hole[30:60, 40:80] = True
    picture = make_picture(90, 120)
    first, again, other = (fill(painters["same"], picture, hole, seed=seed).image for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_hole_that_the_network_cannot_see_is_left_to_the_patches(
    painters: dict[str, Path], make_picture: Make
) -> None:
    picture, hole = make_picture(300, 400), np.zeros((300, 400), bool)
    hole[100:220, 200] = True
    result = fill(painters["broken"], picture, hole, across=32)
    assert any("would see no hole" in note for note in result.notes)
    assert np.array_equal(result.image, lacuna.inpaint(picture, hole, "patchmatch"))


def test_sources_are_respected(
    painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]
) -> None:
    picture, hole = two_textures
    sources = np.zeros(hole.shape, bool)
    sources[:, 80:] = True
    method = Inpainter("guided", options={"weights": str(painters["dark"])})
    free, bound = (method.run(picture, hole, sources=given) for given in (None, sources))
    assert grain(bound) > 2 * grain(free)


def test_it_shows_its_guide(painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]) -> None:
    picture, hole = two_textures
    hole[10:110, 30:130] = True
    method = Inpainter("guided", options={"weights": str(painters["bright"])})
    result, told = method.explain(picture, hole)
    assert np.array_equal(result.image, method(picture, hole))
    (guide,) = told[0][1].pictures
    assert guide.name == "guide"
    assert 0.75 < guide.image.shape[0] / hole.shape[0] < 0.85  # 50 pixels from rim to middle are seen as 40
    assert any("of the fill is the network's own picture" in line for line in told[0][1].lines)


def test_a_network_that_fails_is_an_error_and_not_a_fill(
    painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]
) -> None:
    with pytest.raises(errors.MethodError, match="finite"):
        fill(painters["broken"], *two_textures)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"across": 8}, "'across' of method 'guided' is 8; expected 16 to 1024"),
        ({"strength": 1.5}, "'strength' of method 'guided' is 1.5; expected 0 to 1"),
        ({"least": 0.6}, "'least' of method 'guided' is 0.6; expected 0 to 0.5"),
        ({"detail": -0.1}, "'detail' of method 'guided' is -0.1; expected 0 to 1"),
        ({"consensus": 9}, "'consensus' of method 'guided' is 9; expected 0 to 8"),
    ],
)
def test_values_out_of_range(painters: dict[str, Path], options: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.OptionError, match=words):
        Inpainter("guided", options={"weights": str(painters["same"]), **options})


def test_a_consensus_moves_the_fill_and_follows_the_network(
    painters: dict[str, Path], two_textures: tuple[np.ndarray, np.ndarray]
) -> None:
    picture, hole = two_textures
    alone, leaning = (fill(painters["dark"], picture, hole, consensus=count).image for count in (0, 2))
    assert not np.array_equal(alone, leaning)
    bright = fill(painters["bright"], picture, hole, consensus=2).image
    assert leaning[hole].mean() < bright[hole].mean() - 10


def photo_like(rng: np.random.Generator, size: tuple[int, int], fine: float) -> np.ndarray:
    """Return slow colours and fine grain of the given deviation."""
    y, x = np.indices(size) / 40
    slow = np.stack([np.sin(x + y), np.cos(x - y), np.sin(2 * x)], -1) * 40 + 128
    return np.clip(slow + rng.normal(0, fine, (*size, 3)), 0, 255).astype(np.uint8)


def test_the_shipped_network_fills_without_any_option(rng: np.random.Generator) -> None:
    picture = photo_like(rng, (150, 200), 6)
    hole = np.zeros((150, 200), bool)
    hole[40:110, 60:140] = True
    result = Inpainter("guided").run(picture, hole)
    assert result.changed_outside == 0
    before, after = picture.astype(float), result.image.astype(float)
    assert np.abs(after - before)[hole].mean() < np.abs(128 - before)[hole].mean()
    # Grain stays: what is mixed in does not blur it away.
    assert np.diff(after[50:100, 80:120], axis=1).std() > 0.4 * np.diff(before[50:100, 80:120], axis=1).std()


def test_a_least_share_is_there_where_the_rule_wants_none(rng: np.random.Generator) -> None:
    picture, hole = photo_like(rng, (150, 200), 6), np.zeros((150, 200), bool)
    hole[60:90, 60:140] = True
    filler = guided.Guided(detail=0.5)
    image = picture.astype(np.float32) / 255
    parts = filler.parts(image, hole)
    assert parts.own is not None
    usual, share = filler.mixed(parts, hole)
    more, larger = guided.Guided(least=0.5).mixed(parts, hole)
    assert share < larger == pytest.approx(0.5)
    assert np.allclose(more[hole], (parts.patches + parts.own)[hole] / 2, atol=1e-6)
    assert np.array_equal(more[~hole], image[~hole])
    assert np.array_equal(usual, filler.fill(image, hole, aux=Aux(), seed=0))


def test_what_lies_under_the_hole_does_not_count(rng: np.random.Generator) -> None:
    picture, hole = photo_like(rng, (200, 260), 6), np.zeros((200, 260), bool)
    hole[30:170, 50:200] = True  # so thick that the network sees it smaller
    black, white = picture.copy(), picture.copy()
    black[hole], white[hole] = 0, 255
    fills = [Inpainter("guided").run(given, hole).image for given in (black, white)]
    assert np.array_equal(*fills)


def test_own_detail_is_kept_where_patches_are_smoother_and_nowhere_else(rng: np.random.Generator) -> None:
    hole = np.zeros((90, 120), bool)
    hole[20:70, 30:90] = True
    noise = rng.normal(0, 0.03, (90, 120, 3)).astype(np.float32)
    rough, smooth = 0.5 + noise, np.full((90, 120, 3), 0.5, np.float32)
    worth = guided._worth(rough, smooth, rough, hole)[hole]  # patches too smooth, the photo rough
    assert worth.mean() > 0.6
    worth = guided._worth(smooth, rough, rough, hole)[hole]  # the network smoother than the patches
    assert worth.max() < 0.01
    worth = guided._worth(rough, smooth, smooth, hole)[hole]  # things drawn into a clear sky
    assert worth.max() < 0.01


@pytest.mark.parametrize(
    ("size", "thick", "expected"),
    [
        ((100, 150), 20, 1.0),  # thin: as it is
        ((300, 300), 160, 0.5),  # 80 from rim to middle is seen as 40
        ((2000, 2000), 4, (192 * 256 / 4e6) ** 0.5),  # large and thin: structure only
    ],
)
def test_how_small_the_network_sees_the_frame(size: tuple[int, int], thick: int, expected: float) -> None:
    hole = np.zeros(size, bool)
    hole[20 : 20 + thick, 20:-20] = True
    assert guided._scale(hole) == pytest.approx(expected, rel=0.06)

"""The engine's kernels against plain loops on tiny pictures, and the engine against what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.exemplar import Effort, Guide, Weights, fill_patches, kernels, pyramid
from lacuna.exemplar.stage import Stage, dilated, distance_to_known, matchable, padding
from lacuna.progress import collect_notes

SIDE = 3


@pytest.fixture
def stage(rng: np.random.Generator) -> Stage:
    """A level of 14 × 17 pixels with a hole that touches the right edge."""
    image = rng.random((14, 17, 3), dtype=np.float32)
    hole = np.zeros((14, 17), bool)
    hole[5:9, 12:] = True
    (level,) = pyramid.build(image, hole, ~hole, 1, padding(SIDE))
    stage = Stage(level, Weights(side=SIDE, margin=0), seed=1)
    stage.start_from_rim()
    return stage


def unpadded(stage: Stage, flat: np.ndarray) -> np.ndarray:
    width, height, *_ = stage.grid
    pad = stage.pad
    return flat.reshape(height, width, -1)[pad:-pad, pad:-pad].squeeze()


def patch(stage: Stage, pixel: int) -> np.ndarray:
    """The bytes of the patch around a pixel, (S, S, C)."""
    y, x = divmod(int(pixel), stage.grid[0])
    r = SIDE // 2
    return stage.features[y - r : y + r + 1, x - r : x + r + 1].astype(int)


def test_the_field_holds_true_distances_to_valid_matches(stage: Stage) -> None:
    stage.match()
    for p in stage.targets:
        q = stage.field[p]
        assert stage.valid[q]
        assert stage.distance[p] == ((patch(stage, p) - patch(stage, q)) ** 2).sum()


def test_a_search_never_makes_a_match_worse(stage: Stage) -> None:
    stage.match()
    before = stage.distance.copy()
    stage._search(stage.targets)
    assert (stage.distance <= before).all()
    assert (stage.distance < before).any()


def test_the_search_finds_the_nearest_patches(stage: Stage) -> None:
    stage.match()
    for _ in range(300):  # noise has no neighbours to learn from: chance must find every match
        stage._search(stage.targets)
    found = sum(
        stage.distance[p]
        == min(((patch(stage, p) - patch(stage, q)) ** 2).sum() for q in np.flatnonzero(stage.valid))
        for p in stage.targets
    )
    assert found >= 0.95 * len(stage.targets)


def test_the_partial_distance_is_the_scaled_mean_over_known_pixels(stage: Stage) -> None:
    p = int(stage.missing[0])
    q = int(np.flatnonzero(stage.valid)[5])
    y, x = divmod(p, stage.grid[0])
    known = stage.known.reshape(stage.grid[1], stage.grid[0]).copy()
    known[y, x] = known[y + 1, x + 1] = False
    stage.known = known.ravel()
    stage.field[p] = q
    stage._measure(stage.missing[:1], partial=True)
    weight = known[y - 1 : y + 2, x - 1 : x + 2, None]
    total = (weight * (patch(stage, p) - patch(stage, q)) ** 2).sum()
    assert stage.distance[p] == total * SIDE * SIDE // weight.sum()


def plain_vote(stage: Stage, p: int) -> tuple[np.ndarray, np.ndarray]:
    """What `kernels.vote` says in one page: values (C,) and steps (4, K) of one pixel."""
    pitch = stage.grid[0]
    flat = stage.planes.reshape(-1, stage.grid[2])
    shifts = [dy * pitch + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    cover = [s for s in shifts if stage.field[p + s] >= 0]
    mean = np.mean([stage.distance[p + s] for s in cover]) + 1
    weights = np.array(
        [
            max(1 - stage.weights.sharpness * stage.distance[p + s] / mean / 8, 1e-3) ** 8
            * stage.confidence[p + s]
            for s in cover
        ]
    )
    sources = [stage.field[p + s] - s for s in cover]
    values = np.average(flat[sources], axis=0, weights=weights)
    steps = [
        np.average(flat[np.add(sources, away)] - flat[sources], axis=0, weights=weights)
        for away in (1, -1, pitch, -pitch)
    ]
    return values, np.array(steps)[:, : stage.colours]


def test_votes_agree_with_the_plain_formula(stage: Stage) -> None:
    stage.match()
    expected = [plain_vote(stage, int(p)) for p in stage.missing]
    steps = np.empty((len(stage.missing), 4, stage.colours), np.float32)
    stage._vote(stage.missing, steps)
    values = stage.planes.reshape(-1, stage.grid[2])[stage.missing]
    np.testing.assert_allclose(values, [v for v, _ in expected], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(steps, [s for _, s in expected], rtol=1e-4, atol=1e-5)


def test_melding_solves_the_equations_of_the_wanted_differences(stage: Stage) -> None:
    stage.match()
    steps = {int(p): plain_vote(stage, int(p))[1] for p in stage.missing}
    stage.planes = stage.planes * np.float32(0.25) + np.float32(0.5)  # no clipping then
    quarter = {p: s / 4 for p, s in steps.items()}
    stage.rebuild(meld=True)
    picture = stage.planes.reshape(-1, stage.grid[2])[:, : stage.colours]
    pitch = stage.grid[0]
    inside = np.zeros(len(picture), bool)
    inside[np.flatnonzero(np.pad(np.ones(stage.hole.shape, bool), stage.pad))] = True
    worst = 0.0
    for p, step in quarter.items():
        total = np.zeros(stage.colours)
        for k, away in enumerate((1, -1, pitch, -pitch)):
            n = p + away
            if not inside[n]:
                continue
            wanted = (step[k] - quarter[n][k ^ 1]) / 2 if n in quarter else step[k]
            total += picture[n] - picture[p] - wanted
        worst = max(worst, float(np.abs(total).max()))
    assert worst < 0.02


def test_bytes_do_not_depend_on_threads(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    image = rng.random((120, 140, 3), dtype=np.float32)
    hole = np.zeros((120, 140), bool)
    hole[20:100, 30:110] = True
    fills = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LACUNA_THREADS", threads)
        fills.append(fill_patches(image, hole, seed=4).tobytes())
    assert fills[0] == fills[1]


def test_bytes_do_not_depend_on_how_the_pixels_are_cut_up(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rng.random((120, 141, 3), dtype=np.float32)
    hole = np.zeros((120, 141), bool)
    hole[20:, 30:110] = True
    whole = fill_patches(image, hole)
    monkeypatch.setattr("lacuna.exemplar.stage.STRIP", 333)
    assert np.array_equal(fill_patches(image, hole), whole)


@pytest.fixture
def tiny_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill small holes as large ones are filled."""
    monkeypatch.setattr("lacuna.exemplar.engine.LARGE", 0)
    monkeypatch.setattr("lacuna.exemplar.stage.STRIP", 333)
    monkeypatch.setattr("lacuna.multigrid.poisson.JOINT", 0)


@pytest.mark.usefixtures("tiny_is_large")
def test_bytes_of_a_large_fill_do_not_depend_on_threads(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_bytes_do_not_depend_on_threads(rng, monkeypatch)


@pytest.mark.usefixtures("tiny_is_large")
def test_a_large_fill_continues_a_texture_too(rng: np.random.Generator) -> None:
    test_a_shaded_texture_is_continued_without_a_step(rng)


def test_a_large_fill_searches_only_near_what_it_inherits(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rng.random((120, 140, 3), dtype=np.float32)
    hole = np.zeros((120, 140), bool)
    hole[20:100, 30:110] = True
    reaches: dict[int, int] = {}
    for large in (hole.sum(), hole.sum() - 1):
        monkeypatch.setattr("lacuna.exemplar.engine.LARGE", large)
        fill_patches(image, hole, watch=lambda k, stage: reaches.update({k: stage.reach}))
        assert reaches[max(reaches)] > 16  # the coarsest level inherits nothing
        assert (reaches[0] == 16) == (large < hole.sum())


def test_a_shaded_texture_is_continued_without_a_step(rng: np.random.Generator) -> None:
    y, x = np.mgrid[:90, :120]
    texture = np.tile(rng.random((6, 8), dtype=np.float32), (15, 15)) * 0.2
    truth = (0.2 + 0.005 * x + texture)[:, :, None].astype(np.float32)
    hole = (y - 45) ** 2 + (x - 60) ** 2 < 18**2
    fill = fill_patches(np.where(hole[:, :, None], 0, truth).astype(np.float32), hole)
    error = np.abs(fill - truth)[hole].mean()
    plain = fill_patches(truth * ~hole[:, :, None], hole, effort=Effort(meld=False))
    assert error < 0.06
    assert error < 0.8 * np.abs(plain - truth)[hole].mean()


def test_more_than_256_levels_are_used() -> None:
    y, x = np.mgrid[:64, :80]
    truth = (0.3 + 0.001 * x + 0.00037 * y + 0.00002 * x * x)[:, :, None].astype(np.float32)
    hole = np.zeros((64, 80), bool)
    hole[20:44, 25:55] = True
    fill = fill_patches(truth, hole)[hole]
    assert len(np.unique(fill)) > 300
    assert np.abs(np.diff(np.sort(fill, axis=None))).max() < 1 / 256


def test_sources_are_the_only_place_that_is_copied_from(rng: np.random.Generator) -> None:
    image = np.full((60, 80, 3), 0.2, np.float32)
    image[:, 40:] = 0.8
    image += rng.random(image.shape, dtype=np.float32) * 0.02
    hole = np.zeros((60, 80), bool)
    hole[20:40, 42:62] = True
    right = np.zeros_like(hole)
    right[:, 40:] = True
    fill = fill_patches(image, hole, sources=right, effort=Effort(meld=False))
    assert fill[hole].min() >= 0.79


def test_patches_shrink_and_then_a_plate_takes_over(rng: np.random.Generator) -> None:
    image = rng.random((40, 40, 1), dtype=np.float32)
    hole = np.ones((40, 40), bool)
    for y in range(1, 34, 7):
        hole[y : y + 6] = False  # 5-pixel patches and the ring around them do not fit into 6 rows
    with collect_notes() as notes:
        fill_patches(image, hole)
    assert any("patches of 3" in words for words in notes)
    hole = np.ones((40, 40), bool)
    hole[::2] = False
    with collect_notes() as notes:
        fill = fill_patches(image, hole)
    assert any("thin plate" in words for words in notes)
    assert np.isfinite(fill).all()


def test_pyramid_keeps_the_colours_of_the_hole_out_of_the_rim() -> None:
    image = np.full((32, 32, 3), 0.5, np.float32)
    hole = np.zeros((32, 32), bool)
    hole[9:20, 11:22] = True
    image[hole] = 1.0
    for level in pyramid.build(image, hole, ~hole, 3):
        assert np.allclose(level.planes[~level.hole][:, :3], 0.5)
        assert (level.planes[level.hole] == 0).all()
        assert not (level.sources & level.hole).any()


def test_texture_ignores_pairs_with_a_missing_pixel() -> None:
    image = np.full((20, 20, 1), 0.25, np.float32)
    hole = np.zeros((20, 20), bool)
    hole[8:12, 8:12] = True
    image[hole] = 1
    assert not pyramid.texture(image, hole, 4)[~hole].any()


def test_helpers() -> None:
    hole = np.zeros((9, 9), bool)
    hole[4, 4] = True
    assert dilated(hole, 3).sum() == 9
    assert matchable(~hole, 3).sum() == 81 - 25
    assert 0.9 < distance_to_known(hole).max() <= 1  # a chamfer distance
    assert np.isfinite(distance_to_known(np.ones((5, 5), bool))).all()
    assert np.iinfo(np.int32).max == kernels.FAR


# Guides ---------------------------------------------------------------------------------------------------


@pytest.fixture
def undecided(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A dark and a bright texture side by side, and a hole on grey between them that could be either."""
    image = np.full((64, 96, 3), 0.5, np.float32)
    noise = 0.1 * rng.random((64, 40, 3), dtype=np.float32)
    image[:, :40], image[:, 56:] = 0.1 + noise, 0.8 + noise
    hole = np.zeros((64, 96), bool)
    hole[16:48, 32:64] = True
    return image, hole


@pytest.mark.parametrize("value", [0.15, 0.85])
@pytest.mark.parametrize("start", [True, False])
def test_a_fill_resembles_its_guide(
    undecided: tuple[np.ndarray, np.ndarray], value: float, start: bool
) -> None:
    image, hole = undecided
    guide = Guide(Guide.blended(np.full_like(image, value), image, hole), start=start)
    fill = fill_patches(image, hole, guide=guide, effort=Effort(meld=False))
    inner = fill[24:40, 40:56]
    assert abs(float(inner.mean()) - value) < 0.05
    assert np.array_equal(fill[~hole], image[~hole])
    assert inner.std() > 0.01  # the texture is the photo's own: the guide has none


def test_a_guide_of_no_weight_changes_nothing(undecided: tuple[np.ndarray, np.ndarray]) -> None:
    image, hole = undecided
    ignored = Guide(np.zeros_like(image), weights=(0.0,), start=False)
    assert np.array_equal(fill_patches(image, hole, guide=ignored), fill_patches(image, hole))


def test_what_a_guide_holds_outside_the_hole_is_ignored(undecided: tuple[np.ndarray, np.ndarray]) -> None:
    image, hole = undecided
    guide = np.full_like(image, 0.85)
    other = np.where(hole[..., None], guide, 0).astype(np.float32)
    assert np.array_equal(Guide.blended(guide, image, hole), Guide.blended(other, image, hole))

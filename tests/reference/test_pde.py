"""The solvers against scikit-image, against plain sparse ones, and the method `biharmonic`."""

from __future__ import annotations

import numpy as np
import pytest

import lacuna
from lacuna.methods.classical.biharmonic import Biharmonic
from lacuna.multigrid import fill_biharmonic, fill_harmonic, solve_biharmonic, solve_harmonic
from lacuna.types import Aux, FloatImage, Hole

sparse = pytest.importorskip("scipy.sparse", reason="the plain solvers take scipy's")
linalg = pytest.importorskip("scipy.sparse.linalg", reason="the plain solvers take scipy's")
restoration = pytest.importorskip("skimage.restoration", reason="scikit-image is the reference")


def _plain_harmonic(image: FloatImage, hole: Hole) -> np.ndarray:
    """Solve one equation per missing pixel; a pixel at the edge has fewer neighbours."""
    n = int(hole.sum())
    index = np.full(hole.shape, -1)
    index[hole] = np.arange(n)
    laplacian, right = sparse.lil_array((n, n)), np.zeros((n, image.shape[2]))
    for y, x in np.argwhere(hole):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= v < hole.shape[0] and 0 <= u < hole.shape[1]):
                continue
            laplacian[index[y, x], index[y, x]] += 1
            if hole[v, u]:
                laplacian[index[y, x], index[v, u]] -= 1
            else:
                right[index[y, x]] += image[v, u]
    out = image.astype(np.float64)
    out[hole] = linalg.spsolve(laplacian.tocsc(), right).reshape(n, -1)
    return out


def _plain_plate(image: FloatImage, hole: Hole) -> np.ndarray:
    """Minimise the sum of u_xx² + 2 u_xy² + u_yy² over all differences that lie inside the picture."""
    height, width = hole.shape
    index = np.arange(hole.size).reshape(hole.shape)
    rows = []
    for places, weights in (
        ((index[:, :-2], index[:, 1:-1], index[:, 2:]), (1, -2, 1)),
        ((index[:-2], index[1:-1], index[2:]), (1, -2, 1)),
        (
            (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]),
            np.sqrt(2) * np.array([1, -1, -1, 1]),
        ),
    ):
        count = places[0].size
        entries = (np.repeat(weights, count), (np.tile(np.arange(count), len(weights)), np.ravel(places)))
        rows.append(sparse.coo_array(entries, shape=(count, height * width)))
    differences = sparse.vstack(rows).tocsc()
    missing, known = np.flatnonzero(hole), np.flatnonzero(~hole)
    part = differences[:, missing]
    out = image.astype(np.float64)
    flat = out.reshape(hole.size, -1)
    right = -part.T @ (differences[:, known] @ flat[known])
    flat[missing] = linalg.spsolve((part.T @ part).tocsc(), right).reshape(len(missing), -1)
    return out


def _holes() -> dict[str, Hole]:
    random = np.random.default_rng(3)
    y, x = np.mgrid[:90, :110]
    blob = (y - 45) ** 2 + 0.5 * (x - 50) ** 2 < 35**2
    edge = np.zeros((90, 110), dtype=bool)
    edge[:60, 70:] = True
    return {
        "blob": blob,
        "edge": edge,
        "scattered": random.random((90, 110)) < 0.7,
        "comb": blob & (x % 5 > 0),
        "two": edge ^ (np.abs(x - 20) + np.abs(y - 60) < 9),
    }


HOLES = _holes()
EVERY_HOLE = pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())


@pytest.fixture
def image(rng: np.random.Generator) -> FloatImage:
    walk = np.cumsum(rng.random((90, 110, 3)) - 0.5, axis=0)
    return ((walk - walk.min()) / np.ptp(walk)).astype(np.float32)


@EVERY_HOLE
def test_membrane(image: FloatImage, hole: Hole) -> None:
    expected = _plain_harmonic(image, hole)
    assert np.abs(fill_harmonic(image, hole) - expected).max() < 1e-4
    assert np.abs(solve_harmonic(image.astype(float), hole, tolerance=1e-7) - expected).max() < 1e-7


@EVERY_HOLE
def test_plate(image: FloatImage, hole: Hole) -> None:
    expected = _plain_plate(image, hole)
    span = np.ptp(expected)
    assert np.abs(fill_biharmonic(image, hole, clamp=False) - expected).max() < 2e-4 * span
    assert np.abs(solve_biharmonic(image.astype(float), hole, tolerance=1e-7) - expected).max() < 1e-6 * span


@pytest.mark.parametrize("channels", [1, 3])
def test_against_scikit_image_away_from_the_edge(image: FloatImage, channels: int) -> None:
    image = image[..., :channels] * 0.2 + 0.4
    hole = HOLES["two"].copy()
    hole[:3] = hole[:, -3:] = False
    image[0, 0], image[0, 1] = 0, 1  # it clamps to the range of the picture, which is out of the way then
    theirs = restoration.inpaint_biharmonic(image.astype(float), hole, channel_axis=-1)
    assert np.abs(fill_biharmonic(image, hole, clamp=False) - theirs).max() < 2e-5
    exact = solve_biharmonic(image.astype(float), hole, tolerance=1e-8)
    assert np.abs(exact - theirs).max() < 1e-7


def test_scikit_image_mirrors_at_the_edge_and_we_do_not() -> None:
    plane = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))[..., None]
    hole = np.zeros((30, 40), dtype=bool)
    hole[10:20, 15:30] = hole[5:15, 34:] = True
    plane[0, :2] = plane[29, :2] = 0
    ours = fill_biharmonic(plane, hole, clamp=False)
    theirs = restoration.inpaint_biharmonic(plane, hole, channel_axis=-1)
    assert np.abs(ours - plane)[hole].max() < 1e-4
    assert np.abs(theirs - plane)[10:20, 15:30].max() < 1e-4
    assert np.abs(theirs - plane)[5:15, 34:].max() > 0.01


def test_the_method(image: FloatImage) -> None:
    hole = HOLES["two"]
    clamped = Biharmonic().fill(image, hole, aux=Aux(), seed=0)
    assert np.array_equal(clamped, fill_biharmonic(image, hole))
    free = lacuna.inpaint(image, hole, "biharmonic", options={"clamp": "off"})
    assert not np.array_equal(free, clamped)
    assert np.array_equal(free[~hole], image[~hole])


def test_a_scratch_is_repaired_well() -> None:
    """The error is a twentieth of the damage's; a fill with the mean is no better than a quarter."""
    y, x = np.mgrid[:80, :100]
    truth = (0.5 + 0.3 * np.sin(x / 17) * np.cos(y / 13)).astype(np.float32)[..., None]
    hole = np.abs(y - 0.8 * x) < 4
    damaged = np.where(hole[..., None], np.float32(0), truth)
    repaired = lacuna.inpaint(damaged, hole, "biharmonic")
    assert np.abs(repaired - truth)[hole].mean() < 0.05 * np.abs(damaged - truth)[hole].mean()

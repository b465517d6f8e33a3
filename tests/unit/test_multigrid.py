"""Membranes and plates: closed forms, every shape of hole, and the parts of the pyramid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lacuna import multigrid
from lacuna.errors import Cancelled, ImageError, MaskError, MethodError, OptionError
from lacuna.methods.classical.biharmonic import Biharmonic
from lacuna.multigrid import (
    fill_biharmonic,
    fill_harmonic,
    kernels,
    levels,
    solve_biharmonic,
    solve_harmonic,
    solver,
)
from lacuna.multigrid.levels import HARMONIC, PLATE
from lacuna.types import Hole

BOTH = pytest.mark.parametrize("solve", [solve_harmonic, solve_biharmonic], ids=["membrane", "plate"])
SIDE = 120


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    return y, x


def _shapes() -> dict[str, Hole]:
    """Return holes of every kind."""
    y, x = np.mgrid[:SIDE, :SIDE]
    random = np.random.default_rng(7)
    square = np.zeros((SIDE, SIDE), dtype=bool)
    square[12:-12, 12:-12] = True
    comb = square & ~((y > 30) & (x % 7 == 0))
    corner = (y < 70) & (x > 40)
    island = np.ones((SIDE, SIDE), dtype=bool)
    island[50:53, 60:66] = island[56, 60] = False
    framed = np.zeros((SIDE, SIDE), dtype=bool)
    framed[1:-1, 1:-1] = True
    return {
        "disc": (y - 60) ** 2 + (x - 55) ** 2 < 45**2,
        "square": square,
        "comb": comb,
        "thin": np.abs(y - 0.7 * x - 12) < 2.5,
        "half known": random.random((SIDE, SIDE)) < 0.5,
        "few known": random.random((SIDE, SIDE)) < 0.98,
        "checkerboard": (y + x) % 2 == 0,
        "every second row": y % 2 == 1,
        "corner": corner,
        "around an island": island,
        "all but a frame": framed,
        "a pixel": (y == 3) & (x == 5),
    }


SHAPES = _shapes()
EVERY_SHAPE = pytest.mark.parametrize("hole", SHAPES.values(), ids=SHAPES.keys())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that collects the iterations of every solution."""
    counts: list[int] = []
    plain = solver.solve

    def solve(*args: Any) -> int:
        counts.append(plain(*args))
        return counts[-1]

    monkeypatch.setattr(solver, "solve", solve)
    return counts


@BOTH
@EVERY_SHAPE
def test_a_plane_comes_back(solve: Callable[..., np.ndarray], hole: Hole) -> None:
    y, x = _grid()
    plane = 0.2 + 0.5 * x - 0.3 * y
    inner = hole.copy()
    if solve is solve_harmonic:  # its free edge is level, so that a plane is no solution there
        inner[[0, -1]] = inner[:, [0, -1]] = False
    spoiled = np.where(inner, 99.0, plane)
    assert np.abs(solve(spoiled, inner, tolerance=1e-5) - plane).max() < 1e-4


@EVERY_SHAPE
def test_the_membrane_stays_inside_its_rim(hole: Hole, rng: np.random.Generator) -> None:
    image = rng.random((SIDE, SIDE, 3), dtype=np.float32)
    filled = fill_harmonic(image, hole)
    assert np.array_equal(filled[~hole], image[~hole])
    for c in range(3):
        assert image[~hole][:, c].min() <= filled[hole][:, c].min()
        assert filled[hole][:, c].max() <= image[~hole][:, c].max()


@EVERY_SHAPE
def test_few_iterations_whatever_the_shape(hole: Hole, counted: list[int], rng: np.random.Generator) -> None:
    walk = np.cumsum(rng.random((SIDE, SIDE)) - 0.5, axis=0)
    solve_harmonic(walk, hole)
    solve_biharmonic(walk, hole)
    assert len(counted) == 2
    assert counted[0] <= 10
    assert counted[1] <= 35


def test_a_plate_around_a_small_island(counted: list[int], rng: np.random.Generator) -> None:
    """The island is one cell on the coarse levels, about which a plate may tilt freely."""
    walk = np.cumsum(rng.random((260, 260)) - 0.5, axis=0)
    hole = np.ones((260, 260), dtype=bool)
    hole[130, 127:133] = hole[134, 130] = False
    solve_biharmonic(walk, hole)
    assert counted[0] <= 40


@pytest.mark.parametrize(
    "surface",
    [
        lambda y, x: x * x - 3 * x * y + 0.5 * y * y,
        lambda y, x: x**3 - 2 * y**3 + 3 * x * y * y - x * x,
    ],
    ids=["quadratic", "cubic"],
)
@pytest.mark.parametrize("shape", ["disc", "square", "comb", "half known"])
def test_the_plate_continues_polynomials(surface: Callable[..., np.ndarray], shape: str) -> None:
    hole = SHAPES[shape].copy()
    hole[:2] = hole[-2:] = False
    hole[:, :2] = hole[:, -2:] = False
    truth = surface(*_grid())
    filled = solve_biharmonic(np.where(hole, 0.0, truth), hole, tolerance=1e-5)
    assert np.abs(filled - truth).max() < 1e-4 * np.ptp(truth)


def test_clamping_keeps_the_plate_inside_its_rim() -> None:
    y, x = _grid()
    dome = (1 - (x - 0.5) ** 2 - (y - 0.5) ** 2).astype(np.float32)[..., None]
    hole = SHAPES["disc"]
    free, clamped = (fill_biharmonic(dome, hole, clamp=clamp) for clamp in (False, True))
    near = np.zeros_like(hole)
    for dy, dx in ((0, 1), (0, 2), (0, -1), (0, -2), (1, 0), (2, 0), (-1, 0), (-2, 0), (1, 1), (-1, 1)):
        near |= np.roll(hole, (dy, dx), axis=(0, 1)) & ~hole
    assert np.abs(free - dome).max() < 1e-4
    assert clamped.max() < free.max() - 0.05
    assert clamped[hole].max() <= dome[near].max() + 1e-6


@BOTH
def test_a_flat_rim_gives_a_flat_fill(solve: Callable[..., np.ndarray]) -> None:
    image = np.full((20, 30, 3), (0.1, 0.7, 0.3), dtype=np.float32)
    hole = np.zeros((20, 30), dtype=bool)
    hole[3:15, 10:] = True
    assert np.array_equal(solve(image, hole), image)


@BOTH
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 60), (3, 500), (7, 31), (9, 300)], ids=str)
def test_narrow_pictures(
    solve: Callable[..., np.ndarray], shape: tuple[int, int], rng: np.random.Generator
) -> None:
    image = rng.random(shape)
    long = max(shape)
    hole = np.zeros(shape, dtype=bool)
    np.moveaxis(hole, int(np.argmax(shape)), 0)[long // 4 : -long // 4] = True
    filled = solve(image, hole)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[~hole], image[~hole])
    turned = solve(image.T, hole.T)
    assert np.abs(turned.T - filled).max() < 2e-3


@BOTH
def test_what_holds_a_plate_badly_still_gives_numbers(solve: Callable[..., np.ndarray]) -> None:
    image = np.full((80, 90), np.nan)
    image[:, 30] = np.sin(np.arange(80) / 9)  # one line: the plate may tilt about it
    filled = solve(image, np.isnan(image))
    assert np.isfinite(filled).all()
    alone = np.full((80, 90), np.nan)
    alone[40, 7] = 0.25
    assert np.array_equal(solve(alone, np.isnan(alone)), np.full((80, 90), 0.25))


@BOTH
def test_the_same_bytes_with_one_thread_and_with_two(
    solve: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    image = rng.random((300, 300))
    hole = np.zeros((300, 300), dtype=bool)
    hole[20:280, 20:290] = rng.random((260, 270)) < 0.999
    assert hole.sum() > 2 * levels.BAND_SIZE
    monkeypatch.setattr("lacuna.jit.thread_count", lambda: 1)
    alone = solve(image, hole)
    monkeypatch.setattr("lacuna.jit.thread_count", lambda: 3)
    assert np.array_equal(solve(image, hole), alone)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_types_and_layouts(solve: Callable[..., np.ndarray], dtype: Any, rng: np.random.Generator) -> None:
    image = (rng.random((3, 50, 40)) * 200).astype(dtype).transpose(1, 2, 0)
    hole = np.zeros((40, 50), dtype=bool).T
    hole[5:30, 8:20] = True
    image.flags.writeable = hole.flags.writeable = False
    filled = solve(image, hole)
    assert filled.shape == image.shape
    assert filled.dtype == np.result_type(dtype, np.float32)
    assert np.array_equal(filled[~hole], image[~hole])
    plane = solve(image[..., 1], hole)
    assert np.abs(plane - filled[..., 1]).max() < 0.05


@BOTH
def test_what_lies_under_the_hole_is_ignored(
    solve: Callable[..., np.ndarray], rng: np.random.Generator
) -> None:
    image = rng.random((40, 50))
    hole = np.zeros((40, 50), dtype=bool)
    hole[5:30, 8:50] = True
    assert np.array_equal(solve(np.where(hole, np.nan, image), hole), solve(image, hole))


@BOTH
def test_bad_input(solve: Callable[..., np.ndarray]) -> None:
    image = np.zeros((6, 8, 3), dtype=np.float32)
    empty, full = np.zeros((6, 8), dtype=bool), np.ones((6, 8), dtype=bool)
    copy = solve(image, empty)
    assert np.array_equal(copy, image)
    assert not np.shares_memory(copy, image)
    with pytest.raises(MaskError, match="whole image"):
        solve(image, full)
    with pytest.raises(MaskError, match=r"\(6, 8\) pixels, the picture \(8, 6\)"):
        solve(image, empty.T)
    hole = empty.copy()
    hole[2, 2] = True
    image[2, 3] = np.inf
    with pytest.raises(ImageError, match="not finite"):
        solve(image, hole)


def test_progress_and_cancelling(rng: np.random.Generator) -> None:
    image, hole = rng.random((SIDE, SIDE, 3)), SHAPES["disc"]
    seen: list[float] = []
    solve_biharmonic(image, hole, on_step=lambda share, words: seen.append(share))
    assert len(seen) > 10
    assert all(0 <= share <= 1 for share in seen)
    assert seen[-1] == 1

    def stop(share: float, words: str) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        solve_harmonic(image, hole, on_step=stop)


def test_a_looser_tolerance_saves_iterations(counted: list[int], rng: np.random.Generator) -> None:
    image, hole = rng.random((SIDE, SIDE)), SHAPES["square"]
    exact, rough = solve_harmonic(image, hole, tolerance=1e-6), solve_harmonic(image, hole, tolerance=1e-2)
    assert counted[1] < counted[0]
    assert np.abs(exact - rough).max() < 1e-2


def test_no_convergence_is_told(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.setattr(solver, "MAX_ITERATIONS", 2)
    with pytest.raises(MethodError, match="did not converge in 2 iterations"):
        solve_biharmonic(rng.random((SIDE, SIDE)), SHAPES["disc"])


# The parts of the pyramid.


def _dense(bands: np.ndarray) -> np.ndarray:
    n = len(bands)
    out = np.zeros((n, n))
    for x in range(n):
        for u in range(max(x - 2, 0), min(x + 3, n)):
            out[x, u] = bands[x, u - x + 2]
    return out


def _transfer(transfer: levels.Transfer, size: int) -> np.ndarray:
    out = np.zeros((len(transfer.first), size))
    for x, first in enumerate(transfer.first):
        for tap in range(2):
            if transfer.weights[x, tap]:
                out[x, first + tap] = transfer.weights[x, tap]
    return out


def test_the_stencils_are_the_well_known_ones() -> None:
    axis = levels.fine_axis(9)
    across, along = (np.stack([_dense(bands) for bands in axis.raw]) for _ in range(2))
    plate, membrane = (
        np.einsum("ab,ayv,bxu->yxvu", equation.mix, across, along)[4, 4, 2:7, 2:7]
        for equation in (PLATE, HARMONIC)
    )
    assert plate.tolist() == [
        [0, 0, 1, 0, 0],
        [0, 2, -8, 2, 0],
        [1, -8, 20, -8, 1],
        [0, 2, -8, 2, 0],
        [0, 0, 1, 0, 0],
    ]
    assert membrane[1:4, 1:4].tolist() == [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]


@pytest.mark.parametrize("size", [5, 6, 7, 8, 9, 23, 64])
def test_every_level_holds_planes_and_is_galerkin(size: int) -> None:
    axis = levels.fine_axis(size)
    line = np.arange(size) - 0.3 * size
    for _ in range(3):
        coarse, transfer = levels.coarsen_axis(axis)
        p = _transfer(transfer, coarse.size)
        if coarse.size >= 2:
            found, *_ = np.linalg.lstsq(p, line / axis.scale, rcond=None)
            assert np.abs(p @ found - line / axis.scale).max() < 1e-5 * np.abs(line / axis.scale).max()
        for fine_bands, coarse_bands in zip(axis.bands(), coarse.bands(), strict=True):
            assert np.allclose(p.T @ _dense(fine_bands) @ p, _dense(coarse_bands), atol=1e-5)
        axis, line = coarse, (found * coarse.scale if coarse.size >= 2 else np.ones(1))


@pytest.mark.parametrize("equation", [HARMONIC, PLATE], ids=["membrane", "plate"])
@pytest.mark.parametrize("density", [0.5, 0.97, 1.0])
def test_matrix_and_transfers_against_dense_ones(
    equation: levels.Equation, density: float, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr(levels, "DIRECT_SIZE", 0)
    hole = rng.random((31, 42)) < density
    hole[14:16, 3:20] = False
    built = levels.build(hole, equation)
    fine = built[0]
    axes = [np.stack([_dense(bands) for bands in axis.bands()]) for axis in (fine.rows, fine.columns)]
    full = np.einsum("ab,ayv,bxu->yxvu", equation.mix, *axes).reshape(hole.size, hole.size)
    dense = full[np.ix_(hole.ravel(), hole.ravel())]
    v, out = rng.random(fine.size), np.empty(fine.size)
    energy = kernels.multiply(0, len(fine.runs), fine.runs, fine.matrix, v, out)
    assert np.allclose(out, dense @ v)
    assert np.isclose(energy, v @ dense @ v)
    if density < 0.6:
        return
    assert fine.down is not None
    coarse = built[1]
    # Restriction is the transpose of prolongation.
    rows, columns = fine.down
    up, down = np.empty(fine.size, np.float32), np.empty(coarse.size, np.float32)
    a, b = rng.random(fine.size, dtype=np.float32), rng.random(coarse.size, dtype=np.float32)
    kernels.prolong(
        0, len(fine.runs), fine.runs, coarse.runs, coarse.row_ptr,
        rows.first, rows.weights, columns.first, columns.weights, b, up, np.zeros_like(up),
    )  # fmt: skip
    kernels.restrict(
        0, len(coarse.runs), coarse.runs, fine.runs, fine.row_ptr,
        rows.children, rows.taps, columns.children, columns.taps, a, down,
    )  # fmt: skip
    assert np.isclose(a @ up, b @ down, rtol=1e-4)


@pytest.mark.parametrize("equation", [HARMONIC, PLATE], ids=["membrane", "plate"])
def test_the_direct_solution_is_the_dense_one(equation: levels.Equation, rng: np.random.Generator) -> None:
    hole = rng.random((20, 25)) < 0.8
    (level,) = levels.build(hole, equation)
    axes = [np.stack([_dense(bands) for bands in axis.bands()]) for axis in (level.rows, level.columns)]
    full = np.einsum("ab,ayv,bxu->yxvu", equation.mix, *axes).reshape(hole.size, hole.size)
    level.residual[:] = rng.random(level.size)
    solver.v_cycle([level], 0, equation)
    expected = np.linalg.solve(full[np.ix_(hole.ravel(), hole.ravel())], level.residual)
    assert np.allclose(level.x, expected, rtol=1e-4, atol=1e-5)


def test_the_largest_eigenvalue_of_the_finest_stencils() -> None:
    assert levels.largest_eigenvalue(HARMONIC.mix, 0) == pytest.approx(8)
    assert levels.largest_eigenvalue(PLATE.mix, 0) == pytest.approx(64)


def test_chebyshev_damps_its_interval() -> None:
    """The error polynomial of n steps is at most 1 / T_n((w + 1) / (w - 1)) on [1, w]."""
    width, steps = 16.0, 4
    bound = 1 / np.cosh(steps * np.arccosh((width + 1) / (width - 1)))
    eigenvalues = np.linspace(1, width, 200)
    x, step, residual = np.zeros(200), np.zeros(200), np.ones(200)
    for keep, gain in solver.chebyshev(width, steps, width):
        residual = 1 - eigenvalues * x
        step = keep * step + gain * residual
        x = x + step
    assert np.abs(1 - eigenvalues * x).max() == pytest.approx(bound, rel=1e-6)


def test_public_names() -> None:
    assert all(callable(getattr(multigrid, name)) for name in multigrid.__all__)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 0.2, float("nan")])
def test_a_tolerance_out_of_range_is_refused(tolerance: float) -> None:
    with pytest.raises(OptionError, match="tolerance"):
        Biharmonic(tolerance=tolerance)


def test_a_coarser_tolerance_is_kept(rng: np.random.Generator) -> None:
    image = rng.random((260, 280, 1), dtype=np.float32)
    hole = np.zeros((260, 280), dtype=bool)
    hole[10:240, 12:260] = True
    fine, coarse = (fill_biharmonic(image, hole, tolerance=t) for t in (1e-5, 1e-3))
    assert 0 < np.abs(fine - coarse).max() < 4e-3

"""The correction that melding adds: against a dense solve, on holes of every kind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lacuna.errors import Cancelled, MaskError
from lacuna.multigrid import poisson
from lacuna.multigrid.poisson import solve_poisson


def dense(right: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Solve the same equations by elimination."""
    height, width = hole.shape
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    matrix = np.zeros((len(right), len(right)))
    for i, (y, x) in enumerate(np.argwhere(hole)):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width:
                matrix[i, i] += 1
                if hole[v, u]:
                    matrix[i, number[v, u]] -= 1
    return np.linalg.solve(matrix, right)


def disc() -> np.ndarray:
    y, x = np.mgrid[:40, :50]
    return (y - 20) ** 2 + (x - 25) ** 2 < 15**2


def corner() -> np.ndarray:
    hole = np.zeros((31, 45), bool)
    hole[:20, 25:] = True
    return hole


def one_known() -> np.ndarray:
    hole = np.ones((23, 30), bool)
    hole[3, 7] = False
    return hole


def other_lines() -> np.ndarray:
    hole = np.zeros((20, 20), bool)
    hole[::2] = True
    return hole


def strokes() -> np.ndarray:
    hole = np.zeros((50, 50), bool)
    hole[np.arange(50), np.arange(50)] = hole[20:23] = hole[:, 30:38] = True
    return hole


def scratches() -> np.ndarray:
    """Bent lines and specks all over, some at the picture's edges and some touching by a corner only."""
    hole = np.zeros((130, 170), bool)
    y = np.arange(130)
    for start, slope in ((0, 0.2), (60, 0.0), (160, -0.1)):
        hole[y, np.clip(start + slope * y, 0, 169).astype(int)] = True
    hole[0, 20:50] = hole[40:43, 80:83] = hole[43:46, 83:86] = hole[129, 169] = hole[90:97, 100:109] = True
    return hole


def test_scattered_pieces_are_packed() -> None:
    hole = scratches()
    rows, columns = poisson._places(hole, *np.nonzero(hole))
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == hole.sum()
    assert (rows.max() + 1) * (columns.max() + 1) < 0.5 * hole.size
    packed = np.zeros((rows.max() + 1, columns.max() + 1), bool)
    packed[rows, columns] = True
    assert (
        cv2.connectedComponents(packed.view(np.uint8), connectivity=4)[0]
        == (cv2.connectedComponents(hole.view(np.uint8), connectivity=4)[0])
    )


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("make", [disc, corner, one_known, other_lines, strokes, scratches])
def test_agrees_with_elimination(make, edges: bool, rng: np.random.Generator) -> None:
    hole = make()
    right = rng.normal(size=(int(hole.sum()), 3))
    expected = dense(right, hole)
    found = solve_poisson(right, hole, tolerance=1e-5 * float(np.ptp(expected)), edges=edges)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.ptp(expected))


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The V-cycles that start while a test runs."""
    started: list[int] = []
    v_cycle = poisson._v_cycle

    def counted(levels: list[poisson._Level], depth: int) -> None:
        if depth == 0:
            started.append(depth)
        v_cycle(levels, depth)

    monkeypatch.setattr(poisson, "_v_cycle", counted)
    return started


@pytest.mark.parametrize("turn", range(4))
def test_a_hole_at_the_edge_takes_few_cycles(turn: int, cycles: list[int], rng: np.random.Generator) -> None:
    """Odd sides, so that coarse pixels stick out of the picture."""
    hole = np.zeros((261, 203), bool)
    hole[40:, 30:150] = True
    hole = np.ascontiguousarray(np.rot90(hole, turn))
    right = np.full((int(hole.sum()), 1), 1e-4)
    exact = solve_poisson(right, hole, tolerance=1e-7, edges=True)
    cycles.clear()
    found = solve_poisson(right, hole, tolerance=1e-3, edges=True)
    assert len(cycles) <= 8
    assert np.abs(found - exact).max() < 1e-3


def test_one_plane_after_the_other_is_as_exact(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    hole = strokes()
    right = rng.normal(size=(int(hole.sum()), 3))
    together = solve_poisson(right, hole, tolerance=1e-4)
    monkeypatch.setattr(poisson, "JOINT", 0)
    np.testing.assert_allclose(solve_poisson(right, hole, tolerance=1e-4), together, atol=5e-3)


def test_the_tolerance_buys_digits(rng: np.random.Generator) -> None:
    hole = disc()
    right = rng.normal(size=(int(hole.sum()), 1))
    expected = dense(right, hole)
    errors = [np.abs(solve_poisson(right, hole, tolerance=t) - expected).max() for t in (1.0, 1e-2, 1e-4)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_nothing_wanted_is_nothing_done() -> None:
    hole = disc()
    assert not solve_poisson(np.zeros((int(hole.sum()), 2)), hole, tolerance=1e-3).any()


def test_bytes_do_not_depend_on_threads(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    hole = np.zeros((300, 200), bool)
    hole[10:290, 20:180] = True
    right = rng.normal(size=(int(hole.sum()), 3))
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LACUNA_THREADS", threads)
        found.append(solve_poisson(right, hole, tolerance=1e-3).tobytes())
    assert found[0] == found[1]


def test_a_full_mask_is_refused() -> None:
    with pytest.raises(MaskError, match="at least one known pixel"):
        solve_poisson(np.zeros((4, 1)), np.ones((2, 2), bool), tolerance=1e-3)


def test_it_can_be_stopped(rng: np.random.Generator) -> None:
    def stop(share: float, words: str) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        solve_poisson(rng.normal(size=(int(disc().sum()), 1)), disc(), tolerance=1e-6, on_step=stop)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lacuna import frame as framing
from lacuna.blend import feather_weight
from lacuna.frame import Frame, plan

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def frames_in(draw: st.DrawFn) -> tuple[Frame, tuple[int, int]]:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    return Frame((top, left, bottom, right)), (height, width)


@st.composite
def holes(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Rectangles and specks in a picture of up to 700 × 700 pixels; at least one pixel."""
    height, width = draw(st.integers(1, 700)), draw(st.integers(1, 700))
    hole = np.zeros((height, width), dtype=bool)
    for _ in range(draw(st.integers(1, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        hole[top : top + draw(st.integers(1, 200)), left : left + draw(st.integers(1, 200))] = True
    return hole


@given(frames_in(), SEEDS, st.sampled_from([(), (1,), (3,)]))
def test_crop_and_paste_are_inverse(
    where: tuple[Frame, tuple[int, int]], seed: int, tail: tuple[int, ...]
) -> None:
    frame, shape = where
    rng = np.random.default_rng(seed)
    picture, other = rng.random((2, *shape, *tail), dtype=np.float32)

    same = picture.copy()
    frame.paste(same, frame.crop(picture))
    assert np.array_equal(same, picture)

    part = frame.crop(other)
    frame.paste(same, part)
    assert np.array_equal(frame.crop(same), part)
    outside = np.ones(shape, dtype=bool)
    frame.view(outside)[...] = False
    assert np.array_equal(same[outside], picture[outside])


@settings(deadline=None)
@given(holes(), st.floats(0, 2))
def test_frames_hold_each_missing_pixel_once_with_enough_around(
    hole: NDArray[np.bool_], context: float
) -> None:
    frames = plan(hole, context=context)
    covered = np.zeros(hole.shape, dtype=int)
    for frame in frames:
        frame.view(covered)[...] += 1
        missing = frame.view(hole)
        assert missing.any()
        is_whole = frame.box == (0, 0, *hole.shape)
        assert is_whole or (~missing).sum() >= framing.KNOWN_PER_HOLE * missing.sum()
    assert covered.max() == 1
    assert (covered[hole] == 1).all()
    assert frames == sorted(frames, key=lambda frame: frame.box)


@settings(deadline=None)
@given(holes())
def test_every_hole_has_its_context_unless_the_picture_ends(hole: NDArray[np.bool_]) -> None:
    near = framing.MIN_CONTEXT
    covered = np.zeros(hole.shape, dtype=bool)
    for frame in plan(hole):
        frame.view(covered)[...] = True
    y, x = np.nonzero(hole)
    for i in np.linspace(0, len(y) - 1, 5).astype(int):
        assert covered[max(y[i] - near, 0) : y[i] + near + 1, max(x[i] - near, 0) : x[i] + near + 1].all()


@settings(deadline=None, max_examples=30)
@given(holes(), st.floats(0, 20))
def test_feather_weight_is_one_inside_and_nothing_beyond(hole: NDArray[np.bool_], radius: float) -> None:
    from scipy import ndimage

    weight = feather_weight(hole, radius)
    distance = ndimage.distance_transform_edt(~hole)
    assert (weight[hole] == 1).all()
    assert (weight[distance > radius + 1e-3] == 0).all()
    band = (distance > 0) & (distance <= radius - 1e-3)
    assert ((weight[band] > 0) & (weight[band] < 1)).all()
    expected = 0.5 + 0.5 * np.cos(np.pi * distance[band] / (radius + 1))
    assert weight[band] == pytest.approx(expected, abs=1e-4)

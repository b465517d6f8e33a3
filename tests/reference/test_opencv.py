"""`telea` and `navier-stokes` against OpenCV called by hand, in the depth that it is known for."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from lacuna import errors
from lacuna.methods.classical.opencv import NavierStokes, Telea
from lacuna.types import Aux, FloatImage, Hole

BOTH = pytest.mark.parametrize(
    ("method", "flag"),
    [(Telea(), cv2.INPAINT_TELEA), (NavierStokes(), cv2.INPAINT_NS)],
    ids=["telea", "navier-stokes"],
)


@pytest.fixture
def picture(make_picture: Callable[..., np.ndarray]) -> FloatImage:
    image: FloatImage = make_picture(40, 56, 3, np.float32)
    return image


@pytest.fixture
def scratch() -> Hole:
    hole = np.zeros((40, 56), dtype=bool)
    hole[10:13, 5:50] = hole[20:40, 30:33] = True
    return hole


@BOTH
def test_it_is_opencv_s_answer(
    method: Telea | NavierStokes, flag: int, picture: FloatImage, scratch: Hole
) -> None:
    out = method.fill(picture, scratch, aux=Aux(), seed=0)
    in_bytes = np.rint(picture * 255).astype(np.uint8)
    plain = [cv2.inpaint(in_bytes[..., c].copy(), scratch.astype(np.uint8), 3, flag) for c in range(3)]
    off = np.abs(out * 255 - np.dstack(plain))[scratch]
    assert np.median(off) < 1.5  # Telea adds up to 1.4 of 255 levels in 8 bits, and of 65535 in 16
    assert off.mean() < 2.5
    assert np.array_equal(out[~scratch], picture[~scratch])


@BOTH
def test_more_than_256_levels(method: Telea | NavierStokes, flag: int) -> None:
    ramp = np.tile(np.linspace(0.4, 0.45, 400, dtype=np.float32), (30, 1))[..., None]
    hole = np.zeros(ramp.shape[:2], dtype=bool)
    hole[12:18, 20:380] = True
    filled = method.fill(ramp, hole, aux=Aux(), seed=0)[hole]
    assert len(np.unique(filled)) > 256  # the ramp has 13 levels in 8 bits
    assert np.abs(filled - ramp[hole]).max() < 0.001


@BOTH
def test_a_flat_picture_stays_flat(method: Telea | NavierStokes, flag: int) -> None:
    image = np.full((20, 20, 1), 0.7, dtype=np.float32)
    hole = np.zeros((20, 20), dtype=bool)
    hole[5:15, 5:20] = True
    assert np.abs(method.fill(image, hole, aux=Aux(), seed=0) - 0.7).max() < 1e-4


@BOTH
def test_what_lies_under_the_hole_is_ignored(
    method: Telea | NavierStokes, flag: int, picture: FloatImage, scratch: Hole
) -> None:
    other = picture.copy()
    other[scratch] = np.nan
    fills = [method.fill(image, scratch, aux=Aux(), seed=0)[scratch] for image in (picture, other)]
    assert np.array_equal(*fills)


@pytest.mark.parametrize("cls", [Telea, NavierStokes])
@pytest.mark.parametrize("radius", [0, 101])
def test_radius_is_checked(cls: type[Telea] | type[NavierStokes], radius: int) -> None:
    with pytest.raises(errors.OptionError, match=f"'radius' .* is {radius}; expected 1 to 100"):
        cls(radius=radius)


def test_radius_counts(picture: FloatImage, scratch: Hole) -> None:
    near, far = (Telea(radius).fill(picture, scratch, aux=Aux(), seed=0) for radius in (1, 12))
    assert not np.array_equal(near, far)

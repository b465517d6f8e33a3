from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import ImageError, MaskError


@pytest.fixture
def after(scene: Any) -> np.ndarray:
    changed = scene.picture.copy()
    changed[scene.hole] = 9
    return changed


def verify(scene: Any, *more: str) -> list[str]:
    return [
        "verify",
        scene.path("photo.png"),
        scene.path("after.png"),
        "--mask",
        scene.path("mask.png"),
        *more,
    ]


def test_a_faithful_fill_passes(lacuna: Callable, scene: Any, after: np.ndarray) -> None:
    Image.fromarray(after).save(scene.path("after.png"))
    ran = lacuna(*verify(scene))
    assert ran.code == 0
    assert "0 of 2,100 known pixels changed" in ran.out


def test_one_touched_pixel_is_found_and_measured(lacuna: Callable, scene: Any, after: np.ndarray) -> None:
    after[0, 0, 1] += 5
    Image.fromarray(after).save(scene.path("after.png"))
    ran = lacuna(*verify(scene))
    assert ran.code == exits.CHANGED
    assert "1 of 2,100 known pixels changed" in ran.out
    facts = lacuna(*verify(scene, "--json")).json
    assert (facts["known"], facts["changed"]) == (2100, 1)
    assert facts["max_difference"] == pytest.approx(5 / 255) or facts["max_difference"] == 5


def test_dilation_forgives_a_rim(lacuna: Callable, scene: Any, after: np.ndarray) -> None:
    after[11, 25] = 9
    Image.fromarray(after).save(scene.path("after.png"))
    assert lacuna(*verify(scene)).code == exits.CHANGED
    assert lacuna(*verify(scene, "--dilate", "1")).code == 0


def test_pictures_of_other_sizes_cannot_be_compared(lacuna: Callable, scene: Any) -> None:
    Image.new("RGB", (50, 40)).save(scene.path("after.png"))
    ran = lacuna(*verify(scene))
    assert ran.code in {exits.EXIT_CODES[ImageError], exits.EXIT_CODES[MaskError]}
    assert "50" in ran.err
    assert "56" in ran.err


@pytest.mark.parametrize(
    ("name", "how", "told"),
    [
        ("after.jpg", {"quality": 60}, "is a JPEG"),
        ("after.webp", {"quality": 60}, "is a lossy WebP"),
        ("after.webp", {"lossless": True}, ""),
        ("after.png", {}, ""),
    ],
)
def test_a_lossy_file_is_told_as_the_likely_reason(
    lacuna: Callable, scene: Any, after: np.ndarray, name: str, how: dict[str, Any], told: str
) -> None:
    after[0, 0] = 255 - after[0, 0]
    Image.fromarray(after).save(scene.path(name), **how)
    args = ["verify", scene.path("photo.png"), scene.path(name), "--mask", scene.path("mask.png")]
    ran = lacuna(*args)
    assert ran.code == exits.CHANGED
    assert ("the second file is" in ran.err) == bool(told)
    assert told in ran.err
    assert any(
        "known pixels stay exact in a PNG" in note for note in lacuna(*args, "--json").json["notes"]
    ) == (bool(told))


def test_quiet_leaves_the_exit_code(lacuna: Callable, scene: Any, after: np.ndarray) -> None:
    Image.fromarray(255 - after).save(scene.path("after.png"))
    ran = lacuna(*verify(scene, "-q"))
    assert (ran.code, ran.out, ran.err) == (exits.CHANGED, "", "")

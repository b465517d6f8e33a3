from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lacuna.cli import exits
from lacuna.errors import OptionError, OutputError


def asked(scene: Any, *more: str) -> list[str]:
    photo, mask, sheet = (scene.path(name) for name in ("photo.png", "mask.png", "sheet.png"))
    return ["sample", photo, "--mask", mask, "-o", sheet, *more]


class Random:
    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        return np.full_like(image, 0.2 * (seed + 1))


class Changing:
    def fill(self, image: Any, hole: Any, *, aux: Any, seed: int, on_step: Any = None) -> Any:
        return image


@pytest.fixture
def random(add_method: Callable[..., str]) -> str:
    return add_method(Random, random=True)


def test_a_sheet_a_spread_and_every_sample(lacuna: Callable, scene: Any, random: str) -> None:
    spread, folder = scene.path("spread.png"), scene.path("all")
    more = ["-n", "3", "--method", random, "--spread", spread, "--folder", folder, "--json", "--seed", "1"]
    ran = lacuna(*asked(scene, *more))
    assert (ran.code, ran.err) == (0, "")
    told = ran.json
    assert told["seeds"] == [1, 2, 3]
    assert told["changed_outside"] == 0
    assert told["diversity"]["levels"] == pytest.approx(255 * 0.2 * 4 / 3, abs=0.2)
    assert {"sheet.png", "spread.png", "all"} <= scene.files
    assert [Path(name).name for name in told["files"]] == [f"seed-{seed}.png" for seed in (1, 2, 3)]
    for seed in (1, 2, 3):
        filled = scene.read(f"all/seed-{seed}.png")
        assert np.array_equal(filled[~scene.hole], scene.picture[~scene.hole])
        assert (filled[scene.hole] == round(255 * 0.2 * (seed + 1))).all()
    shown = scene.read("spread.png")
    assert shown.shape == (*scene.hole.shape, 3)
    assert (shown[scene.hole] == (255, 255, 0)).all()  # all of it is invented
    grey = shown[~scene.hole]
    assert (grey == grey[:, :1]).all()  # and of the rest nothing is
    with Image.open(scene.path("sheet.png")) as sheet:
        assert sheet.width > 3 * scene.hole.shape[1]


def test_it_is_told_in_words(lacuna: Callable, scene: Any, random: str) -> None:
    ran = lacuna(*asked(scene, "-n", "2", "--method", random))
    assert (ran.code, ran.out) == (0, "")
    assert "2 samples in" in ran.err
    assert "0 of 2,100 known pixels changed" in ran.err
    assert "samples differ by 51.0 of 255 levels" in ran.err


def test_one_sample_differs_from_nothing(lacuna: Callable, scene: Any, random: str) -> None:
    ran = lacuna(*asked(scene, "-n", "1", "--method", random, "--json"))
    assert ran.code == 0
    assert ran.json["diversity"] == {}


def test_patchmatch_knows_more_than_one_answer(lacuna: Callable, scene: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 256, scene.picture.shape, dtype=np.uint8)
    Image.fromarray(noise).save(scene.path("photo.png"))
    ran = lacuna(*asked(scene, "-n", "2", "--method", "patchmatch", "--json"))
    assert ran.code == 0
    assert ran.json["diversity"]["levels"] > 0


def test_lpips_of_the_samples(lacuna: Callable, scene: Any, random: str, tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    ran = lacuna(*asked(scene, "-n", "2", "--method", random, "--lpips", str(missing)))
    assert ran.code != 0
    assert "no LPIPS weights" in ran.err


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        (["--method", "telea"], OptionError, "knows one answer only.*patchmatch"),
        (["-n", "0"], OptionError, "n is 0"),
        (["--folder", "."], OutputError, "exists already"),
        (["--spread", "no/such.png"], OutputError, "does not exist"),
    ],
)
def test_what_cannot_be_done(
    more: list[str], kind: type[Exception], words: str, lacuna: Callable, scene: Any
) -> None:
    import re

    ran = lacuna(*asked(scene, *more))
    assert ran.code == exits.exit_code(kind(""))
    assert re.search(words, ran.err)
    assert "sheet.png" not in scene.files

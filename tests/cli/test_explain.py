from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lacuna import errors
from lacuna.cli import exits

CODES = exits.EXIT_CODES


def command(scene: Any, out: str = "story", **more: Any) -> list[str]:
    words = ["explain", scene.path("photo.png"), "-m", scene.path("mask.png"), "-o", scene.path(out)]
    for key, value in more.items():
        words += [f"--{key}", str(value)]
    return words


def test_pictures_and_one_page(lacuna: Callable, scene: Any) -> None:
    ran = lacuna(*command(scene, method="patchmatch"))
    assert ran.code == 0
    folder = Path(scene.path("story"))
    names = {path.name for path in folder.iterdir()}
    assert {
        "index.html",
        "before.png",
        "hole.png",
        "after.png",
        "level-0.png",
        "offsets.png",
        "origins.png",
    } <= names
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == len(names) - 1
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)  # it needs nothing beside it, and nobody's server
    assert "Where the fill came from: red from the right" in page
    assert "0 of 2,100 known pixels changed" in page
    assert "levels, from coarse to fine" in ran.err
    with Image.open(folder / "offsets.png") as picture:
        assert picture.mode == "RGB"


def test_it_shows_the_fill_that_inpaint_makes(lacuna: Callable, scene: Any) -> None:
    lacuna(*command(scene, method="patchmatch", seed=3))
    photo, mask, out = scene.path("photo.png"), scene.path("mask.png"), scene.path("out.png")
    lacuna("inpaint", photo, "-m", mask, "--method", "patchmatch", "--seed", 3, "-o", out)
    assert np.array_equal(scene.read("story/after.png"), scene.read("out.png"))


def test_auto_tells_its_choice_and_what_the_chosen_method_tells(lacuna: Callable, scene: Any) -> None:
    ran = lacuna(*command(scene))
    assert ran.err.count("auto chose guided: the hole reaches") == 1
    assert Path(scene.path("story/guide.png")).is_file()


def test_auto_shows_where_it_hid_copies_and_what_came_of_it(lacuna: Callable, large_scene: Any) -> None:
    ran = lacuna(*command(large_scene))
    assert ran.code == 0
    folder = Path(large_scene.path("story"))
    pictures = {path.stem for path in folder.glob("trial*.png")}
    fills = {"trial-guided", "trial-guided-least-025", "trial-guided-least-05", "trial-patchmatch"}
    assert pictures == {"trial", *fills}
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("expected of patchmatch") == 3  # a sentence, a caption and its alt
    assert "Copies of the hole (blue) were hidden" in page


def test_a_thin_hole_is_one_equation(lacuna: Callable, scene: Any) -> None:
    hole = np.zeros(scene.picture.shape[:2], np.uint8)
    hole[20, 10:30] = 255
    Image.fromarray(hole).save(scene.path("mask.png"))
    ran = lacuna(*command(scene))
    assert ran.code == 0
    assert "auto chose biharmonic" in ran.err
    assert "no steps to show" in ran.err


def test_json_says_where_everything_is(lacuna: Callable, scene: Any) -> None:
    told = lacuna(*command(scene, method="patchmatch"), "--json").json
    assert Path(told["index"]).is_file()
    pictures = [one for part in told["parts"] for one in part["pictures"]]
    assert all(Path(one["file"]).is_file() and one["caption"] for one in pictures)
    assert (told["method"], told["changed_outside"]) == ("patchmatch", 0)


def test_every_part_of_a_scattered_hole_is_told(lacuna: Callable, scene: Any) -> None:
    wide = np.tile(scene.picture, (1, 12, 1))
    Image.fromarray(wide).save(scene.path("photo.png"))
    hole = np.zeros(wide.shape[:2], np.uint8)
    hole[18:24, 20:26] = hole[18:24, 620:630] = 255
    Image.fromarray(hole).save(scene.path("mask.png"))
    told = lacuna(*command(scene, method="patchmatch"), "--json").json
    assert [part["title"].split(":")[0] for part in told["parts"]] == [
        "The fill",
        "Part 1 of 2",
        "Part 2 of 2",
    ]
    assert Path(scene.path("story/part2-offsets.png")).is_file()


def test_errors(lacuna: Callable, scene: Any) -> None:
    ran = lacuna(*command(scene, method="telea"))
    assert ran.code == CODES[errors.OptionError]
    assert re.search(r"'telea' cannot tell what it did; methods that can: .*patchmatch", ran.err)
    Path(scene.path("full")).mkdir()
    Path(scene.path("full/of")).write_text("things")
    for out in ("full", "photo.png", "no/where"):
        assert lacuna(*command(scene, out)).code == CODES[errors.OutputError]
    assert scene.files == {"photo.png", "mask.png", "full"}  # nothing half-written
    Path(scene.path("empty")).mkdir()
    assert lacuna(*command(scene, "empty")).code == 0


def test_words_of_the_method_cannot_break_the_page(
    lacuna: Callable, scene: Any, add_method: Callable
) -> None:
    from lacuna.types import Explanation, Illustration

    class Evil:
        def fill(self, image: Any, hole: Any, **how: Any) -> Any:
            return image.copy()

        def explain(self, image: Any, hole: Any, **how: Any) -> Explanation:
            picture = Illustration("a-b", np.zeros((2, 3, 1), np.float32), '"><script>alert(1)</script>')
            return Explanation(image.copy(), (picture,), ("<b>bold</b>",))

    assert lacuna(*command(scene, method=add_method(Evil))).code == 0
    page = Path(scene.path("story/index.html")).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;b&gt;bold" in page
    assert 'class="small"' in page  # two pixels are shown as squares

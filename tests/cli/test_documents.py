"""Documents, examples and the command line must not drift apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
MASKS = sorted(ROOT.glob("examples/*.mask.png"))
PICTURES = {
    path.name.split(".")[0]: path
    for path in ROOT.glob("examples/*")
    if path.suffix in (".jpg", ".png", ".webp") and ".mask." not in path.name
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_picture_in_a_page_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize(
    "command",
    [
        "inpaint",
        "compare",
        "explain",
        "verify",
        "methods",
        "evaluate",
        "train",
        "export",
        "mask draw",
        "mask check",
        "mask dataset",
        "remove",
        "outpaint",
        "straighten",
        "stitch",
        "augment",
        "mask detect",
        "restore",
        "sample",
        "clean",
        "study build",
        "weights add",
        "web",
        "replay",
    ],
)
def test_every_option_is_in_the_documentation(lacuna: Callable, command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", lacuna(*command.split(), "--help").out))
    documented = set(
        re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / "docs/cli.md").read_text(encoding="utf-8"))
    )
    assert options <= documented


def test_every_method_is_in_the_documentation(lacuna: Callable) -> None:
    names = {method["name"] for method in lacuna("methods", "--json").json["methods"]}
    for page in ("README.md", "docs/methods.md"):
        assert names <= set(re.findall(r"`([a-z-]+)`", (ROOT / page).read_text(encoding="utf-8")))


def test_the_three_lines_of_shell_do_what_the_readme_says(
    lacuna: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Three lines of shell\n```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0].split() for line in block[1].splitlines()]
    assert [line[:2] for line in lines] == [["lacuna", name] for name in ("inpaint", "compare", "verify")]
    rng = np.random.default_rng(3)
    photo = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((96, 72))
    photo.save(tmp_path / "photo.jpg", quality=80)
    hole = Image.new("L", photo.size)
    hole.paste(255, (41, 27, 58, 45))  # cuts blocks of the JPEG
    hole.save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        ran = lacuna(*line[1:])
        assert ran.code == 0, ran.err
    assert ran.out.startswith("0 of ")


def test_there_are_three_scenes_or_more_and_each_is_credited() -> None:
    credits = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    assert len(MASKS) >= 3
    assert {mask.name.split(".")[0] for mask in MASKS} == set(PICTURES)
    assert all(f"`{picture.name}`" in credits for picture in PICTURES.values())


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.name)
def test_a_mask_fits_its_picture_and_both_are_small(mask: Path) -> None:
    picture = PICTURES[mask.name.split(".")[0]]
    assert max(picture.stat().st_size, mask.stat().st_size) < 200_000
    with Image.open(picture) as photo, Image.open(mask) as drawn:
        assert drawn.size == photo.size
        values = np.asarray(drawn)
    assert set(np.unique(values)) == {0, 255}
    assert 0.01 < (values == 255).mean() < 0.3

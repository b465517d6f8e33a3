"""Steps, variants, a larger canvas, many pictures."""

from __future__ import annotations

import io
import json
import shutil
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def state(page: Any) -> dict[str, Any]:
    """What the server holds of the project."""
    with urllib.request.urlopen(f"{page.url}api/v1/projects/{page.project}") as answer:  # noqa: S310
        return json.load(answer)


def box(page: Any, *corners: tuple[int, int]) -> None:
    page.page.keyboard.press("r")
    page.drag(*corners)


def test_variants_side_by_side_and_one_is_kept(page: Any, blocks: Path) -> None:
    page.open(blocks)
    box(page, (150, 100), (200, 150))
    page.method("patchmatch")
    page.more()
    page.set("Variants", 3)
    page.page.locator(".stage").focus()
    page.page.keyboard.press("Enter")
    cards = page.page.get_by_role("radio", name="Variant")
    cards.nth(2).wait_for()
    assert cards.count() == 3
    assert page.steps == 0
    page.page.reload()  # an offer survives
    cards.nth(2).wait_for()
    page.page.keyboard.press("2")
    assert cards.nth(1).get_attribute("aria-checked") == "true"
    page.idle()
    page.page.keyboard.press("Enter")
    page.wait_steps(1)
    assert state(page)["steps"][0]["seed"] == 1
    assert not page.page.locator(".offers").is_visible()


def test_variants_can_all_be_refused(page: Any, blocks: Path) -> None:
    page.open(blocks)
    box(page, (150, 100), (200, 150))
    page.method("patchmatch")
    page.more()
    page.set("Variants", 2)
    page.page.locator(".stage").focus()
    page.page.keyboard.press("Enter")
    page.page.get_by_role("radio", name="Variant").first.wait_for()
    page.page.keyboard.press("Escape")
    page.page.locator(".offers").wait_for(state="hidden")
    assert page.marked == 2500
    assert state(page)["steps"] == []


def test_steps_are_switched_off_moved_marked_again_and_deleted(page: Any, blocks: Path) -> None:
    page.open(blocks)
    for corner in (20, 120, 220):
        box(page, (corner, 200), (corner + 40, 240))
        page.fill()
    first, second, third = (step["id"] for step in state(page)["steps"])

    page.page.get_by_label("Use step 2").uncheck()
    page.until("document.querySelectorAll('.step.off').length === 1")
    assert [step["enabled"] for step in state(page)["steps"]] == [True, False, True]
    page.idle()
    page.page.keyboard.press("Control+z")
    page.until("document.querySelectorAll('.step.off').length === 0")
    page.idle()

    page.button("Move step 3 up").click()
    page.idle()
    assert [step["id"] for step in state(page)["steps"]] == [first, third, second]
    page.idle()

    page.button("Mark the area of step 1 again").click()
    page.wait_marked(lambda count: count == 1600)
    page.button("Delete step 1").click()
    page.wait_steps(2)
    assert [step["id"] for step in state(page)["steps"]] == [third, second]
    assert state(page)["changed_known"] == 0


def test_the_picture_is_extended_by_dragging_its_frame(
    page: Any, blocks: Path, pixels: Callable[[bytes], np.ndarray]
) -> None:
    page.open(blocks)
    page.drag((20, 20), (40, 20))
    marked = page.marked
    page.page.keyboard.press("o")
    page.drag((399, 150), (432, 150))
    page.drag((200, 0), (200, -16))
    assert page.page.get_by_label("Right", exact=True).input_value() == "32"
    assert page.page.get_by_label("Top", exact=True).input_value() == "16"
    page.fill()
    assert "432 × 316" in page.page.locator(".facts").text_content()
    assert page.marked == marked  # what was marked moves along
    _, saved = page.download(lambda: page.page.keyboard.press("Control+s"))
    canvas = pixels(saved)
    assert canvas.shape[:2] == (316, 432)
    with Image.open(blocks) as picture:
        assert np.array_equal(canvas[16:, :400], np.asarray(picture))
    page.page.keyboard.press("Control+z")
    page.until("document.querySelector('.facts').textContent.includes('400 × 300')")
    assert page.marked == marked


def test_a_folder_becomes_a_zip(page: Any, blocks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "masks").mkdir(parents=True)
    hole = np.zeros((300, 400), dtype=np.uint8)
    hole[100:150, 150:200] = 255
    for name in ("a", "b"):
        shutil.copy(blocks, folder / f"{name}.png")
    Image.fromarray(hole).save(folder / "a.mask.png")
    Image.fromarray(hole).save(folder / "masks" / "b.png")
    shutil.copy(blocks, folder / "alone.png")
    (folder / "broken.jpg").write_bytes(b"not a picture")
    Image.fromarray(hole).save(folder / "broken.mask.png")
    page.goto()
    page.button("Many at once").click()
    page.choose(folder, page.button("Choose a folder").click)
    page.said("1 picture without a mask")
    page.until("document.querySelectorAll('.queue .done').length === 2")
    page.page.locator(".queue .failed").wait_for()
    page.page.locator("button:has-text('Download zip'):enabled").wait_for()
    name, data = page.download(page.button("Download zip").click)
    assert name == "filled.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        assert {"a.filled.png", "b.filled.png", "report.json"} <= set(pack.namelist())
    page.page.locator("dialog").get_by_role("button", name="Clear").click()
    page.button("Choose a folder").wait_for()

"""A person removes something from a photo, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lacuna.cli import main


def test_brush_fill_compare_undo_and_save_what_the_command_line_writes(
    page: Any, photo: Path, pixels: Callable[[bytes], np.ndarray], tmp_path: Path
) -> None:
    page.open(photo)
    before = page.shows(420, 220, lambda colour: colour == [*pixels(photo.read_bytes())[220, 420], 255])
    page.drag((400, 180), (420, 220), (405, 260))
    assert 1000 < page.marked < 20_000
    name, mask = page.download(page.button("Export the mask as a file").click)
    assert name == "spoon.mask.png"
    assert int((pixels(mask) > 0).sum()) == page.marked

    page.fill()
    assert page.marked == 0
    assert page.page.locator(".badge").text_content() == "0 known pixels changed"
    after = page.shows(420, 220, lambda colour: colour != before)

    page.page.keyboard.down("c")  # held: before
    page.shows(420, 220, lambda colour: colour == before)
    page.page.keyboard.up("c")
    page.shows(420, 220, lambda colour: colour == after)

    page.page.keyboard.press("Control+z")
    page.wait_marked(lambda count: count > 1000)
    assert page.page.locator(".step.off").count() == 1
    page.page.keyboard.press("Control+Shift+z")
    page.wait_marked(lambda count: count == 0)
    page.idle()

    name, saved = page.download(lambda: page.page.keyboard.press("Control+s"))
    assert name == "spoon.filled.jpg"
    (tmp_path / "mask.png").write_bytes(mask)
    by_hand = tmp_path / "by-hand.jpg"
    assert main(["inpaint", str(photo), "--mask", str(tmp_path / "mask.png"), "-o", str(by_hand), "-q"]) == 0
    assert saved == by_hand.read_bytes()


def test_the_project_file_replays_to_the_same_bytes(page: Any, blocks: Path, tmp_path: Path) -> None:
    page.open(blocks)
    page.page.keyboard.press("r")
    page.drag((145, 95), (205, 155))
    page.fill()
    page.page.keyboard.press("Control+Shift+s")
    page.page.get_by_text("known pixels changed, also in the file").wait_for()
    name, project = page.download(page.button("Project file").click)
    assert name == "blocks.lacuna"
    name, saved = page.download(page.button("Download").click)
    assert name == "blocks.filled.png"
    (tmp_path / "blocks.lacuna").write_bytes(project)
    again = tmp_path / "again.png"
    assert main(["replay", str(tmp_path / "blocks.lacuna"), "-o", str(again), "-q"]) == 0
    assert saved == again.read_bytes()


def test_nothing_but_what_is_marked_changes(
    page: Any, blocks: Path, pixels: Callable[[bytes], np.ndarray]
) -> None:
    page.open(blocks)
    page.page.keyboard.press("r")
    page.drag((150, 100), (200, 150))
    assert page.marked == 2500
    page.fill()
    _, saved = page.download(lambda: page.page.keyboard.press("Control+s"))
    with Image.open(blocks) as picture:
        changed = (np.asarray(picture) != pixels(saved)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 149, 150, 199)


def test_by_keyboard_alone(page: Any, blocks: Path) -> None:
    page.open(blocks)
    keyboard = page.page.keyboard
    for _ in range(4):
        keyboard.press("]")
    keyboard.press("ArrowLeft")  # shows the cursor, in the middle
    keyboard.press("Space")
    for _ in range(6):
        keyboard.press("ArrowLeft")
    keyboard.press("Space")
    brushed = page.wait_marked(lambda count: count > 0)
    keyboard.press("g")
    grown = page.wait_marked(lambda count: count > brushed)
    keyboard.press("Shift+G")
    page.wait_marked(lambda count: count < grown)
    keyboard.press("Control+z")
    keyboard.press("Control+z")
    assert page.wait_marked(lambda count: count == brushed)

    keyboard.press("r")
    keyboard.press("Space")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft"):
        keyboard.press(f"Shift+{key}")
    keyboard.press("Space")
    page.wait_marked(lambda count: count > brushed)

    keyboard.press("m")  # the methods: open, go down one, take it
    keyboard.press("Enter")
    keyboard.press("Tab")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    assert page.page.locator(".method-menu > summary .method-name").text_content() == "patchmatch"
    keyboard.press("Escape")
    page.page.locator(".stage").focus()
    page.fill()
    keyboard.press("v")
    keyboard.press("ArrowRight")
    keyboard.press("Escape")
    name, _ = page.download(lambda: keyboard.press("Control+s"))
    assert name == "blocks.filled.png"
    keyboard.press("?")
    page.page.get_by_role("heading", name="Keys").wait_for()
    keyboard.press("Escape")
    assert not page.page.locator("dialog[open]").count()


def test_a_long_fill_is_cancelled_and_nothing_is_lost(page: Any, noise: Path) -> None:
    page.open(noise)
    page.page.keyboard.press("r")
    page.drag((100, 100), (400, 400))
    assert page.marked == 90_000
    page.method("patchmatch")
    page.more()
    page.set("iterations", 100)
    page.set("fine iterations", 100)
    page.page.locator(".stage").focus()
    page.page.keyboard.press("Enter")
    page.until("document.querySelector('.busy progress').value > 0")
    assert page.page.locator(".time").text_content().strip()
    began = time.monotonic()
    page.page.keyboard.press("Escape")
    page.idle()
    assert time.monotonic() - began < 5
    page.said("Cancelled")
    assert page.steps == 0
    assert page.marked == 90_000
    page.set("iterations", 1)
    page.set("fine iterations", 1)
    page.page.locator(".stage").focus()
    page.fill()


def test_a_reload_loses_nothing(page: Any, blocks: Path) -> None:
    page.open(blocks)
    page.page.keyboard.press("r")
    page.drag((150, 100), (200, 150))
    page.fill()
    page.drag((20, 20), (60, 40))
    page.page.keyboard.press("s")  # where it may copy from
    page.drag((220, 100), (320, 200))
    page.page.wait_for_timeout(300)  # the browser's own store takes a moment
    page.page.reload()
    page.until("document.querySelector('.step')")
    assert page.wait_marked(lambda count: count > 0) == 800
    page.page.keyboard.press("s")
    assert page.wait_marked(lambda count: count != 800) == 10_000


def test_lasso_eraser_invert_clear_and_an_undo_for_each(page: Any, blocks: Path) -> None:
    page.open(blocks)
    counts = [0]

    def step(act: Callable[[], object]) -> int:
        act()
        counts.append(page.wait_marked(lambda count: count != counts[-1]))
        return counts[-1]

    keyboard = page.page.keyboard
    keyboard.press("l")
    triangle = step(lambda: page.drag((100, 50), (200, 50), (100, 150)))
    assert abs(triangle - 5000) < 150
    keyboard.press("e")
    assert step(lambda: page.drag((110, 60), (150, 60))) < triangle
    keyboard.press("r")
    keyboard.down("Alt")  # takes off
    assert step(lambda: page.drag((100, 90), (130, 110))) < counts[-2]
    keyboard.up("Alt")
    assert step(lambda: keyboard.press("i")) == 400 * 300 - counts[-2]
    assert step(lambda: keyboard.press("Delete")) == 0
    for count in reversed(counts[:-1]):
        keyboard.press("Control+z")
        page.wait_marked(lambda now, count=count: now == count)
    for count in counts[1:]:
        keyboard.press("Control+y")
        page.wait_marked(lambda now, count=count: now == count)


def test_a_mask_that_was_exported_can_be_imported(page: Any, blocks: Path, tmp_path: Path) -> None:
    page.open(blocks)
    page.drag((100, 100), (200, 180))
    marked = page.wait_marked(lambda count: count > 0)
    name, mask = page.download(page.button("Export the mask as a file").click)
    (tmp_path / name).write_bytes(mask)
    page.page.keyboard.press("Delete")
    page.wait_marked(lambda count: count == 0)
    page.choose(tmp_path / name, page.button("Import a mask from a file").click)
    page.wait_marked(lambda count: count == marked)


def test_click_and_detectors_mark(page: Any, blocks: Path) -> None:
    page.open(blocks)
    page.page.keyboard.press("w")
    page.page.mouse.click(*page.at(175, 125))
    found = page.wait_marked(lambda count: count > 0)
    assert 2300 < found < 3500
    page.page.keyboard.press("Delete")
    page.page.keyboard.press("d")
    page.button("text").click()
    page.said("text")
    page.idle()


def test_a_source_area_says_where_to_copy_from(
    page: Any, blocks: Path, pixels: Callable[[bytes], np.ndarray]
) -> None:
    # Only the dark square may be copied, so the hole becomes dark.
    page.open(blocks)
    page.page.keyboard.press("r")
    page.drag((300, 200), (320, 220))
    page.page.keyboard.press("s")
    page.drag((152, 102), (198, 148))
    page.method("patchmatch")
    page.page.locator(".stage").focus()
    page.more()
    page.set("Context", 10)
    page.page.get_by_label("membrane", exact=True).uncheck()  # which would fit the brightness to the rim
    page.page.locator(".stage").focus()
    page.fill()
    _, saved = page.download(lambda: page.page.keyboard.press("Control+s"))
    assert pixels(saved)[205:215, 305:315].mean() < 60


def test_the_blunt_end_of_a_pen_erases(page: Any, blocks: Path) -> None:
    page.open(blocks)
    page.drag((100, 100), (200, 100))
    before = page.marked
    script = """([[x, y], [u, v]]) => {
      const stage = document.querySelector(".stage");
      stage.setPointerCapture = () => undefined;  // there is no such pen to capture
      const pen = {pointerId: 7, pointerType: "pen", bubbles: true};
      const send = (type, clientX, clientY, button, buttons) =>
        stage.dispatchEvent(new PointerEvent(type, {...pen, clientX, clientY, button, buttons}));
      send("pointerdown", x, y, 5, 32);
      send("pointermove", u, v, -1, 32);
      send("pointerup", u, v, 5, 0);
    }"""
    page.page.evaluate(script, [page.at(130, 100), page.at(170, 100)])
    assert 0 < page.wait_marked(lambda count: count != before) < before

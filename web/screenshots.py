"""Make the pictures of docs/editor.md: ``python web/screenshots.py http://127.0.0.1:8765/ docs/gallery``.

Wants a running ``lacuna web``, Playwright and Debian's chromium. Look at the pictures before committing them.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

EXAMPLES = Path(__file__).parents[1] / "examples"
MOST_WIDE = 1440


def main() -> None:
    """Make all of them."""
    url, target = sys.argv[1], Path(sys.argv[2])
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def window(width: int, height: int, scheme: str, **more: Any) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                device_scale_factor=2,
                **more,
            )
            return context.new_page()

        page = window(1280, 800, "light")
        open_photo(page, url, "spoon.jpg")
        mark(page, "spoon.mask.png")
        keep(page, target / "editor-mask.webp")
        page.locator("body").press("Enter")
        page.wait_for_selector(".step")
        page.wait_for_timeout(800)
        page.locator("body").press("v")
        page.wait_for_timeout(400)
        keep(page, target / "editor-compare.webp")

        page = window(1280, 800, "dark")
        open_photo(page, url, "whiskers.webp")
        box(page, (0.42, 0.5), (0.55, 0.66))
        page.locator(".method-menu > summary").click()
        page.locator(".method:has(input[value=patchmatch])").click()
        page.get_by_text("More settings").click()
        page.get_by_role("spinbutton", name="Variants").fill("4")
        page.get_by_text("More settings").click()
        page.locator(".stage").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".offers:not([hidden])")
        page.wait_for_timeout(1500)
        keep(page, target / "editor-variants.webp")

        page = window(360, 720, "dark", has_touch=True, is_mobile=True)
        open_photo(page, url, "spoon.jpg")
        mark(page, "spoon.mask.png")
        keep(page, target / "editor-phone.webp")
        browser.close()


def open_photo(page: Page, url: str, name: str) -> None:
    """Open an example and wait until it is drawn."""
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.goto(url)
    page.wait_for_timeout(800)
    page.keyboard.press("Control+o")
    while not choosers:
        page.wait_for_timeout(50)
    choosers.pop().set_files(EXAMPLES / name)
    until = time.monotonic() + 20
    while "#project=" not in page.url and time.monotonic() < until:
        page.wait_for_timeout(50)
    page.wait_for_timeout(1500)


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a point of a photo of 600 × 400 pixels, 0 … 1, is on the screen."""
    box = page.locator(".stage").bounding_box() or {"x": 0, "y": 0, "width": 1, "height": 1}
    scale = min(1, 0.92 * box["width"] / 600, 0.92 * box["height"] / 400)
    centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return centre[0] + (x - 0.5) * 600 * scale, centre[1] + (y - 0.5) * 400 * scale


def mark(page: Page, mask: str) -> None:
    """Mark what goes with a mask file."""
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.evaluate("document.querySelector('[aria-label=\"Import a mask from a file\"]').click()")
    while not choosers:
        page.wait_for_timeout(50)
    choosers.pop().set_files(EXAMPLES / mask)
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('.amount').textContent)")
    page.locator(".stage").hover(position={"x": 30, "y": 200})
    page.wait_for_timeout(300)


def box(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Mark a rectangle."""
    page.keyboard.press("r")
    page.mouse.move(*place(page, *start))
    page.mouse.down()
    page.mouse.move(*place(page, *end), steps=4)
    page.mouse.up()


def keep(page: Page, path: Path) -> None:
    """Write a picture of the window, small enough for a repository."""
    raw = path.with_suffix(".png")
    page.screenshot(path=raw)
    with Image.open(raw) as picture:
        small = picture.convert("RGB")
    small.thumbnail((MOST_WIDE, MOST_WIDE), Image.Resampling.LANCZOS)
    small.save(path, quality=82, method=6)
    raw.unlink()


if __name__ == "__main__":
    main()

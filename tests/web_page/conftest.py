"""``lacuna web`` as a process of its own, a real browser, and the page as a person sees it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("fastapi", reason="the server needs lacuna[web]")

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
EXAMPLES = Path(__file__).parents[2] / "examples"
# What the server refuses on purpose, and what these tests do to the canvas, the browser remarks upon.
USUAL = ("Failed to load resource", "willReadFrequently")
SIZE = {"width": 1280, "height": 800}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where there is no browser; nothing is downloaded for these tests."""
    if CHROMIUM is None:
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here) and "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(
                    pytest.mark.skip(reason="chromium is not installed (apt-get install chromium)")
                )


class Page:
    """The editor in a browser. Points are in pixels of the picture, as long as the view was not moved."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(**{"viewport": SIZE, "accept_downloads": True, **context})
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self._hear("error", str(error)))
        # Listened to from the start: the browser takes a moment to hand its dialogs over.
        self.choosers: list[Any] = []
        self.page.on("filechooser", lambda chooser: self.choosers.append(chooser))
        self.width = self.height = 0

    def _hear(self, kind: str, words: str) -> None:
        if kind in ("error", "warning") and not any(usual in words for usual in USUAL):
            self.complaints.append(words)

    def goto(self, url: str = "") -> None:
        self.page.goto(url or self.url)
        self.until("document.querySelector('.method-name')?.textContent")

    def open(self, file: Path) -> None:
        """Open a photo with the file dialog."""
        with Image.open(file) as picture:
            self.width, self.height = picture.size
        if self.page.url == "about:blank":
            self.goto()
        self.choose(file, lambda: self.page.keyboard.press("Control+o"))
        self.until(f"document.querySelector('.filename').textContent === {file.name!r}")
        self.until("location.hash.startsWith('#project=')")

    def choose(self, path: Path, act: Callable[[], None]) -> None:
        """Do what opens a file dialog, and choose a file or folder in it."""
        act()
        end = time.monotonic() + 20
        while not self.choosers:
            assert time.monotonic() < end, "no file dialog was opened"
            self.page.wait_for_timeout(20)
        self.choosers.pop().set_files(path)

    def until(self, script: str, seconds: float = 40) -> None:
        """Wait for an expression to be true; the page's security policy forbids Playwright's own way."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(f"() => Boolean({script})"):
            assert time.monotonic() < end, (script, self.page.locator(".notice, .busy").all_text_contents())
            time.sleep(0.02)

    @property
    def project(self) -> str:
        return self.page.url.partition("#project=")[2]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture is on the screen, in the view that a photo opens with."""
        box = self.page.locator(".stage").bounding_box()
        margin = 0.04 * min(box["width"], box["height"])
        scale = min(1, (box["width"] - 2 * margin) / self.width, (box["height"] - 2 * margin) / self.height)
        left = box["x"] + (box["width"] - self.width * scale) / 2
        top = box["y"] + (box["height"] - self.height * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=5)
        mouse.up()

    def pixel(self, x: int, y: int) -> list[int]:
        """The colour that the picture's canvas shows at a pixel of the picture."""
        left, top = self.at(x + 0.5, y + 0.5)
        box = self.page.locator(".stage").bounding_box()
        script = """([x, y]) => {
          const pen = document.querySelector(".stage canvas").getContext("2d");
          return [...pen.getImageData(x, y, 1, 1).data];
        }"""
        return self.page.evaluate(script, [int(left - box["x"]), int(top - box["y"])])

    def shows(self, x: int, y: int, test: Callable[[list[int]], bool]) -> list[int]:
        """Wait until the colour at a pixel of the picture is such, and return it."""
        until = time.monotonic() + 20
        while not test(colour := self.pixel(x, y)):
            assert time.monotonic() < until, colour
            time.sleep(0.02)
        return colour

    @property
    def marked(self) -> int:
        """How many pixels the mask says it holds."""
        words = self.page.locator(".amount").text_content().replace(",", "")
        return int(match.group()) if (match := re.match(r"\d+", words)) else 0

    def wait_marked(self, test: Callable[[int], bool]) -> int:
        until = time.monotonic() + 20
        while not test(self.marked):
            assert time.monotonic() < until, self.marked
            time.sleep(0.02)
        return self.marked

    @property
    def steps(self) -> int:
        return self.page.locator(".step").count()

    def wait_steps(self, count: int) -> None:
        self.until(f"document.querySelectorAll('.step').length === {count}")
        self.idle()

    def idle(self) -> None:
        """Wait until nothing runs."""
        self.page.wait_for_selector(".busy", state="hidden")

    def fill(self) -> None:
        before = self.steps
        self.page.keyboard.press("Enter")
        self.wait_steps(before + 1)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def download(self, act: Callable[[], None]) -> tuple[str, bytes]:
        """Name and bytes of the file that something saves."""
        with self.page.expect_download() as downloading:
            act()
        path = downloading.value.path()
        return downloading.value.suggested_filename, Path(path).read_bytes()

    def set(self, label: str, value: object) -> None:
        """Write into a field of the panel."""
        field = self.page.get_by_label(label, exact=True)
        field.fill(str(value))
        field.blur()

    def more(self) -> None:
        """Open the further settings."""
        self.page.get_by_text("More settings").click()

    def method(self, name: str) -> None:
        self.page.locator(".method-menu > summary").click()
        self.page.locator(f".method:has(input[value='{name}'])").click()

    def said(self, words: str) -> None:
        """Wait for a message that holds some words."""
        self.page.locator(".notice", has_text=words).first.wait_for()

    def close(self) -> None:
        self.context.close()


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run a server of its own, and give its address."""
    run = "import sys; from lacuna.cli import main; sys.exit(main())"
    command = [
        sys.executable,
        "-c",
        run,
        "web",
        "--no-open",
        "--port",
        "0",
        "--folder",
        str(folder / "projects"),
    ]
    words = folder / "words"
    with words.open("w") as told:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([*command, *options], stderr=told, env=environment)
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"http://[\w.:]+", words.read_text())):
            assert process.poll() is None, words.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield found.group() + "/"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the server that most tests share."""
    with serving(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
def token_server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the address of a server that other machines could reach, and its token."""
    token = "open-sesame-and-more"  # noqa: S105 - of a server that lives for one test
    with serving(tmp_path, "--host", "0.0.0.0", "--token", token) as url:  # noqa: S104 - is what is tested
        yield re.sub(r"//[^:/]+", "//127.0.0.1", url), token


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a real browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Page]:
    """Return the editor before anything is opened; a complaint of the browser fails the test."""
    page = Page(browser, server)
    yield page
    page.close()
    assert page.complaints == []


@pytest.fixture(scope="session")
def editor() -> type[Page]:
    """Return the class of `page`, for windows of another kind."""
    return Page


@pytest.fixture(scope="session")
def photo() -> Path:
    """Return a JPEG of 600 × 400 pixels."""
    return EXAMPLES / "spoon.jpg"


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PNG of 400 × 300 pixels: a soft gradient and grain, with a dark square of 50 at (150, 100)."""
    y, x = np.mgrid[:300, :400]
    values = np.stack([120 + x // 8, 140 + y // 8, 160 - x // 10], axis=2)
    values += np.random.default_rng(3).integers(-4, 5, values.shape)
    values[100:150, 150:200] = (30, 20, 40)
    path = tmp_path_factory.mktemp("photos") / "blocks.png"
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a picture on which a fill can be made to take long."""
    grain = np.random.default_rng(1).integers(0, 256, (600, 600, 3))
    path = tmp_path_factory.mktemp("photos") / "noise.png"
    Image.fromarray(grain.astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a JPEG of 24 megapixels."""
    y, x = np.mgrid[:4000, :6000].astype(np.float32)
    wave = 40 * np.sin(x / 90) + 40 * np.cos(y / 70)
    values = np.stack([120 + wave, 128 + wave / 2, 110 + x / 100], axis=2).astype(np.uint8)
    path = tmp_path_factory.mktemp("photos") / "huge.jpg"
    Image.fromarray(values).save(path, quality=80)
    return path


@pytest.fixture(scope="session")
def pixels() -> Callable[[bytes], np.ndarray]:
    """Return ``pixels(data)``: those of an encoded picture."""

    def read(data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture)

    return read

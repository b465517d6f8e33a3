"""A server in a thread, with workers of its own, and clients that speak HTTP to it."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest

from lacuna.web.service import Service
from lacuna.web.serving import Server
from lacuna.web.settings import MEBI, Settings


@dataclass
class Running:
    """A server, and a client of it."""

    url: str
    settings: Settings
    service: Service
    http: httpx.Client

    box: ClassVar = {"left": 50, "top": 40, "width": 20, "height": 16, "counts": [0, 320]}
    """The mask of the small photo as runs."""
    large_box: ClassVar = {"left": 100, "top": 100, "width": 600, "height": 600, "counts": [0, 360_000]}
    slow: ClassVar = {"method": "patchmatch", "options": {"iterations": 100, "fine_iterations": 100}}
    """A fill that takes half a minute of one core in the large photo."""

    def ok(self, answer: Any, *statuses: int) -> Any:
        """Return an answer that is no error."""
        expected = statuses or (200, 201, 202, 204)
        assert answer.status_code in expected, (answer.status_code, answer.text[:500])
        return answer

    def ended(self, answer: Any, seconds: float = 30) -> dict[str, Any]:
        """Wait for the job that an answer tells of."""
        job = self.ok(answer, 202).json()
        until = time.monotonic() + seconds
        while job["state"] in ("waiting", "running"):
            assert time.monotonic() < until, job
            time.sleep(0.02)
            job = self.ok(self.http.get(f"/jobs/{job['id']}")).json()
        return job

    def done(self, answer: Any) -> dict[str, Any]:
        """Wait for a job that must succeed, and return its result."""
        job = self.ended(answer)
        assert job["state"] == "done", job["problem"]
        return job["result"]

    def begun(self, answer: Any) -> dict[str, Any]:
        """Wait until a worker says that it is at a job."""
        job = self.ok(answer, 202).json()
        while job["state"] == "waiting" or (job["state"] == "running" and not job["words"]):
            time.sleep(0.01)
            job = self.http.get(f"/jobs/{job['id']}").json()
        assert job["state"] == "running"
        return job

    def open(self, data: bytes, name: str = "photo.png") -> dict[str, Any]:
        """Open a photo."""
        return self.ok(self.http.post("/projects", files={"image": (name, data)}), 201).json()

    def fill(self, project: str, mask: dict[str, Any] | bytes, **settings: Any) -> Any:
        """Ask for a fill."""
        data: dict[str, str] = {"settings": json.dumps(settings)}
        if isinstance(mask, bytes):
            return self.http.post(f"/projects/{project}/fills", data=data, files={"mask": ("m.png", mask)})
        return self.http.post(f"/projects/{project}/fills", data=data | {"mask_rle": json.dumps(mask)})

    def project(self, name: str) -> dict[str, Any]:
        """Return a project."""
        return self.ok(self.http.get(f"/projects/{name}")).json()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return the server that most tests share."""
    settings = Settings(
        folder=tmp_path_factory.mktemp("projects"),
        port=0,
        max_pixels=4_000_000,
        max_bytes=8 * MEBI,
        max_batch=6,
        max_steps=20,
        queue=4,
    )
    ready = threading.Event()
    server = Server(settings, lambda _: ready.set())
    thread = threading.Thread(target=server.run_here, daemon=True)
    thread.start()
    assert ready.wait(60)
    service = _service(server)
    with httpx.Client(base_url=f"{server.running.address}/api/v1", timeout=60) as http:
        yield Running(server.running.address, server.running, service, http)
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def _service(server: Server) -> Service:
    app: Any = server.config.app
    return app.state.service


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """Return (96, 128, 3): a gradient with stripes."""
    y, x = np.mgrid[:96, :128]
    red = 60 + x + 20 * ((x // 6) % 2)
    return np.stack([red, 40 + y, 200 - y // 2 - x // 3], axis=2).astype(np.uint8)


@pytest.fixture(scope="session")
def as_file() -> Callable[..., bytes]:
    """Return ``as_file(pixels, format, **how)``: an encoded picture."""

    def encode(pixels: np.ndarray, format: str = "PNG", **how: Any) -> bytes:
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format, **how)
        return stream.getvalue()

    return encode


@pytest.fixture(scope="session")
def photo(picture: np.ndarray, as_file: Callable[..., bytes]) -> bytes:
    """Return a small PNG."""
    return as_file(picture)


@pytest.fixture(scope="session")
def mask(as_file: Callable[..., bytes]) -> bytes:
    """Return the PNG of a mask for the small photo: a box of 20x16 pixels."""
    hole = np.zeros((96, 128), dtype=np.uint8)
    hole[40:56, 50:70] = 255
    return as_file(hole)


@pytest.fixture(scope="session")
def large(as_file: Callable[..., bytes]) -> bytes:
    """Return a photo on which the slow fill takes long."""
    grain = np.random.default_rng(1).integers(0, 256, (900, 900, 3))
    return as_file(grain.astype(np.uint8))


@pytest.fixture(scope="session")
def command() -> Callable[..., None]:
    """Return ``command(*args)``: run a command line that must succeed."""

    def run(*args: str | Path) -> None:
        from lacuna.cli import main

        assert main([*map(str, args), "-q"]) == 0

    return run

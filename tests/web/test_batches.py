"""Batches: many pictures, one way to fill them."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def begin(running: Any, **settings: Any) -> str:
    return running.ok(running.http.post("/batches", json={"settings": settings}), 201).json()["id"]


def add(running: Any, batch: str, image: bytes, mask: bytes, name: str) -> Any:
    return running.http.post(f"/batches/{batch}/items", files={"image": (name, image), "mask": mask})


def ended(running: Any, batch: str) -> dict[str, Any]:
    until = time.monotonic() + 20
    while True:
        told = running.ok(running.http.get(f"/batches/{batch}")).json()
        if not told["waiting"] and not told["running"]:
            return told
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_batch_gives_what_the_command_gives_for_each(
    running: Any, photo: bytes, mask: bytes, command: Callable[..., None], tmp_path: Path
) -> None:
    batch = begin(running, method="telea", options={"radius": 5})
    for name in ("a.png", "folder/a.png", "b.PNG"):
        running.ok(add(running, batch, photo, mask, name), 201)
    running.ok(add(running, batch, b"no picture", mask, "c.png"), 201)
    told = ended(running, batch)
    assert (told["done"], told["failed"]) == (3, 1)
    assert [item["name"] for item in told["items"]] == ["a.png", "a.png", "b.PNG", "c.png"]
    assert told["items"][3]["problem"]["code"] == "ImageError"
    assert told["items"][0]["known_changed"] == 0
    (tmp_path / "a.png").write_bytes(photo)
    (tmp_path / "m.png").write_bytes(mask)
    command(
        "inpaint", tmp_path / "a.png", "-m", tmp_path / "m.png", "--method", "telea", "--option", "radius=5",
        "-o", tmp_path / "out.png",
    )  # fmt: skip
    wanted = (tmp_path / "out.png").read_bytes()
    answer = running.ok(running.http.get(f"/batches/{batch}/items/0"))
    assert answer.content == wanted
    assert 'filename="a.filled.png"' in answer.headers["content-disposition"]
    packed = running.ok(running.http.get(f"/batches/{batch}/zip"))
    with zipfile.ZipFile(io.BytesIO(packed.content)) as pack:
        assert pack.namelist() == ["a.filled.png", "1-a.filled.png", "b.filled.PNG", "report.json"]
        assert pack.read("a.filled.png") == wanted
        report = json.loads(pack.read("report.json"))
    assert [item["file"] for item in report["items"]][3] is None
    failed = running.http.get(f"/batches/{batch}/items/3")
    assert (failed.status_code, failed.json()["code"]) == (422, "ImageError")
    running.ok(running.http.delete(f"/batches/{batch}"), 204)
    assert running.http.get(f"/batches/{batch}").status_code == 404


def test_events_of_a_batch_end_with_it(running: Any, photo: bytes, mask: bytes) -> None:
    batch = begin(running, method="telea")
    for _ in range(3):
        running.ok(add(running, batch, photo, mask, "a.png"), 201)
    with running.http.stream("GET", f"/batches/{batch}/events") as answer:
        lines = list(answer.iter_lines())
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names[-1] == "done"
    assert set(names[:-1]) <= {"progress"}
    assert ended(running, batch)["done"] == 3


def test_a_batch_has_a_limit(running: Any, photo: bytes, mask: bytes) -> None:
    assert running.http.post("/batches", json={"count": 10_000}).status_code == 413
    batch = begin(running, method="telea")
    for _ in range(running.settings.max_batch):
        running.ok(add(running, batch, photo, mask, "a.png"), 201)
    full = add(running, batch, photo, mask, "a.png")
    assert (full.status_code, full.json()["code"]) == (413, "LimitError")
    assert ended(running, batch)["done"] == running.settings.max_batch


def test_cancelling_a_batch_or_one_of_it(running: Any, large: bytes, photo: bytes, mask: bytes) -> None:
    batch = begin(running, **running.slow)
    for _ in range(3):
        runs = {"mask_rle": json.dumps(running.large_box)}
        running.ok(running.http.post(f"/batches/{batch}/items", files={"image": large}, data=runs), 201)
    assert running.ok(running.http.delete(f"/batches/{batch}/items/2")).json()["state"] == "cancelled"
    not_yet = running.http.get(f"/batches/{batch}/items/1")
    assert (not_yet.status_code, not_yet.json()["code"]) == (409, "NotReadyError")
    # Others get their turn although the batch has more to do.
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}, data={"wait": "0"}), 202)
    started = time.monotonic()
    running.ok(running.http.delete(f"/batches/{batch}"), 204)
    running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}), 200)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "settings", [{"method": "none"}, {"options": {"weights": "/etc/passwd"}}, {"sed": 1}]
)
def test_settings_are_looked_at_before_pictures_are_sent(running: Any, settings: dict[str, Any]) -> None:
    assert running.http.post("/batches", json={"settings": settings}).status_code == 422


def test_what_is_not_there(running: Any, photo: bytes, mask: bytes) -> None:
    batch = begin(running)
    assert running.http.get(f"/batches/{batch}/items/0").status_code == 404
    assert running.http.get(f"/batches/{batch}/items/-1").status_code == 404
    assert add(running, "0" * 32, photo, mask, "a").status_code == 404
    assert running.http.post(f"/batches/{batch}/items", files={"image": photo}).status_code == 422
    assert add(running, batch, b"", mask, "a").status_code == 422
    assert running.http.get(f"/batches/{batch}").json()["items"] == []
    packed = running.ok(running.http.get(f"/batches/{batch}/zip"))
    with zipfile.ZipFile(io.BytesIO(packed.content)) as pack:
        assert pack.namelist() == ["report.json"]

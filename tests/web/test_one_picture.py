"""The routes for programs: one picture in, one answer out."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_inpaint_answers_what_the_command_writes(
    running: Any, photo: bytes, mask: bytes, command: Callable[..., None], tmp_path: Path
) -> None:
    for name, data in (("a.png", photo), ("m.png", mask)):
        (tmp_path / name).write_bytes(data)
    how = {"method": "patchmatch", "options": {"patch": 7}, "seed": 3, "dilate": 1, "blend": "membrane"}
    answer = running.ok(
        running.http.post(
            "/inpaint", files={"image": photo, "mask": mask}, data={"settings": json.dumps(how)}
        ),
        200,
    )
    command(
        "inpaint", tmp_path / "a.png", "-m", tmp_path / "m.png", "--method", "patchmatch",
        "--option", "patch=7",
        "--seed", "3", "--dilate", "1", "--blend", "membrane", "-o", tmp_path / "out.png",
    )  # fmt: skip
    assert answer.content == (tmp_path / "out.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["lacuna-method"] == "patchmatch"
    assert answer.headers["lacuna-known-changed"] == "0"


def test_a_job_is_made_on_request_and_its_result_can_be_fetched(
    running: Any, photo: bytes, mask: bytes
) -> None:
    files = {"image": photo, "mask": mask}
    job = running.ended(running.http.post("/inpaint", files=files, data={"wait": "0"}))
    assert job["state"] == "done"
    assert job["kind"] == "inpaint"
    assert job["share"] == 1
    first = running.ok(running.http.get(f"/jobs/{job['id']}/result"))
    assert Image.open(io.BytesIO(first.content)).size == (128, 96)
    at_once = running.http.post("/inpaint", files=files)
    assert at_once.content == first.content


def test_nothing_is_kept_of_a_request_that_was_answered(running: Any, photo: bytes, mask: bytes) -> None:
    jobs = running.service.jobs
    before = {folder.name for folder in running.service.store.all("jobs")} | set(jobs._all)
    for _ in range(3):
        running.ok(running.http.post("/inpaint", files={"image": photo, "mask": mask}))
        running.ok(running.http.post("/masks/check", files={"image": photo, "mask": mask}))
        assert running.http.post("/inpaint", files={"image": b"no", "mask": mask}).status_code == 422
    until = time.monotonic() + 5
    while ({folder.name for folder in running.service.store.all("jobs")} | set(jobs._all)) - before:
        assert time.monotonic() < until  # what belongs to an answer is deleted just after it
        time.sleep(0.02)


def test_masks_can_be_runs_or_words(running: Any, photo: bytes, mask: bytes) -> None:
    answers = [
        running.ok(running.http.post("/inpaint", files={"image": photo, **files}, data=data)).content
        for files, data in (
            ({"mask": mask}, {}),
            ({}, {"mask_rle": json.dumps(running.box)}),
            ({}, {"expression": "box:50,40,20,16"}),
        )
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "words",
    [
        "/etc/passwd",
        "file:/etc/passwd",
        "coco:/etc/passwd#1",
        "strokes:/etc/passwd",
        "'/etc/passwd'",
        'box:1,1,9,9 + "file:/etc/passwd"',
        "(file:/etc/hostname) | dilate 2",
        "!mask.png",
        "fi'le':/etc/passwd",
        "box:1,1,9,9 & box",
        "../../original",
        "alpha.png",
    ],
)
def test_words_never_reach_the_file_system(running: Any, photo: bytes, words: str) -> None:
    answer = running.http.post("/inpaint", files={"image": photo}, data={"expression": words})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "MaskError"
    assert "root" not in answer.text


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"method": "no-such"}, "UnknownMethodError"),
        ({"method": "telea", "options": {"radios": 3}}, "OptionError"),
        ({"method": "telea", "options": {"radius": 3000}}, "OptionError"),
        ({"method": "onnx", "options": {"weights": "/etc/passwd"}}, "OptionError"),
        ({"method": "lama", "options": {"weights": "../x.safetensors"}}, "OptionError"),
        ({"method": "lama", "options": {"device": "cuda"}}, "OptionError"),
        ({"method": "latent", "options": {"download": True}}, "OptionError"),
        ({"method": "latent", "options": {"weights": "someone/a-model"}}, "OptionError"),
        ({"method": "latent", "options": {"revision": "main"}}, "OptionError"),
        ({"device": "cuda:7"}, "DeviceUnavailableError"),
        ({"prompt": "a dog"}, "OptionError"),
        ({"seed": -1}, "RequestError"),
        ({"feather": 1e999}, "RequestError"),
        ({"blend": "soft"}, "RequestError"),
        ({"sed": 1}, "RequestError"),
        ({"format": "GIF"}, "RequestError"),
        ({"quality": 50}, "OptionError"),
        ({"options": {"x": {"y": 1}}}, "RequestError"),
    ],
)
def test_settings_that_cannot_be(
    running: Any, photo: bytes, mask: bytes, settings: dict[str, Any], code: str
) -> None:
    answer = running.http.post(
        "/inpaint", files={"image": photo, "mask": mask}, data={"settings": json.dumps(settings)}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code


def test_a_method_that_is_not_installed_says_what_to_install(running: Any, photo: bytes, mask: bytes) -> None:
    missing = [m for m in running.http.get("/methods").json()["methods"] if m["family"] == "classical"]
    name = next(m["name"] for m in missing if not m["available"])
    answer = running.http.post(
        "/inpaint", files={"image": photo, "mask": mask}, data={"settings": json.dumps({"method": name})}
    )
    assert answer.status_code == 422
    assert answer.json()["code"] == "MissingDependencyError"


@pytest.mark.parametrize(
    "parts",
    [
        {"files": {}},
        {"files": {"image": b""}},
        {"files": {"mask": b"x"}},
        {"data": {"image": "text"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=y"}},
        {"content": b"{}", "headers": {"content-type": "application/json"}},
    ],
)
def test_bodies_that_are_not_what_was_asked_for(running: Any, parts: dict[str, Any]) -> None:
    answer = running.http.post("/inpaint", **parts)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_masks_that_do_not_fit(running: Any, photo: bytes, as_file: Callable[..., bytes]) -> None:
    small = as_file(np.full((10, 10), 255, np.uint8))
    full = as_file(np.full((96, 128), 255, np.uint8))
    turned = as_file(np.full((128, 96), 255, np.uint8))

    def code(**parts: Any) -> str:
        answer = running.http.post("/inpaint", files={"image": photo, **parts.pop("files", {})}, data=parts)
        assert answer.status_code == 422, answer.text
        return answer.json()["code"]

    assert code(files={"mask": small}) == "MaskError"
    assert code(files={"mask": full}) == "MaskError"
    assert code(files={"mask": turned}) == "MaskError"
    assert code() == "MaskError"
    assert code(files={"mask": small}, mask_rle=json.dumps(running.box)) == "MaskError"
    for runs in ("[]", "{", '{"left":0}', json.dumps(running.box | {"counts": [0, 319]}), "[" * 100_000):
        assert code(mask_rle=runs) == "MaskError"
    for change in ({"left": 120}, {"left": -1}, {"counts": [2**62, 2**62]}, {"width": 10**9}, {"top": True}):
        assert code(mask_rle=json.dumps(running.box | change)) == "MaskError"
    resized = {"settings": json.dumps({"resize_mask": True, "invert": True})}
    assert (
        running.http.post("/inpaint", files={"image": photo, "mask": small}, data=resized).status_code == 200
    )


def test_verify_counts_what_another_program_changed(
    running: Any, photo: bytes, picture: np.ndarray, mask: bytes, as_file: Callable[..., bytes]
) -> None:
    filled = running.http.post("/inpaint", files={"image": photo, "mask": mask}).content
    told = running.ok(
        running.http.post("/verify", files={"before": photo, "after": filled, "mask": mask})
    ).json()
    assert told["changed"] == 0
    assert told["known"] == 96 * 128 - 320
    touched = picture.copy()
    touched[0, :7] ^= 1
    told = running.http.post(
        "/verify", files={"before": photo, "after": as_file(touched), "mask": mask}
    ).json()
    assert told["changed"] == 7
    assert told["max_difference"] == 1
    other = as_file(np.zeros((5, 5, 3), np.uint8))
    assert (
        running.http.post("/verify", files={"before": photo, "after": other, "mask": mask}).status_code == 422
    )


def test_masks_from_detectors_and_clicks(
    running: Any, picture: np.ndarray, as_file: Callable[..., bytes]
) -> None:
    spotted = picture.copy()
    spotted[20:50, 30:70] = (250, 250, 10)
    files = {"image": as_file(spotted)}
    clicked = running.ok(
        running.http.post("/masks/click", files=files, data={"settings": json.dumps({"points": [[50, 35]]})})
    ).json()
    assert 900 < clicked["missing"] < 1600
    drawn = running.ok(
        running.http.post(
            "/masks/click", files=files, data={"settings": json.dumps({"points": [[50, 35]]}), "as": "png"}
        )
    )
    assert int((np.asarray(Image.open(io.BytesIO(drawn.content))) > 0).sum()) == clicked["missing"]
    found = running.ok(
        running.http.post("/masks/detect", files=files, data={"settings": json.dumps({"what": ["dust"]})})
    ).json()
    assert set(found["found"]) == {"dust"}
    bad = running.http.post("/masks/detect", files=files, data={"as": "gif"})
    assert bad.json()["code"] == "RequestError"


def test_a_fill_that_breaks_the_promise_is_not_kept(
    photo: bytes, mask: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lacuna.errors import MethodError
    from lacuna.web import tasks
    from lacuna.web.models import FillOnce

    monkeypatch.setattr("lacuna.inpainting.count_changed", lambda *_: 5)
    (tmp_path / "image").write_bytes(photo)
    (tmp_path / "mask").write_bytes(mask)
    args = {
        "image": str(tmp_path / "image"),
        "mask": {"kind": "file", "path": str(tmp_path / "mask")},
        "settings": FillOnce(method="telea").model_dump(),
        "target": str(tmp_path / "filled"),
        "max_pixels": None,
        "device": "cpu",
    }
    with pytest.raises(MethodError, match="5 known pixels changed"):
        tasks.inpaint(args, lambda share, words: None)
    assert not (tmp_path / "filled").exists()

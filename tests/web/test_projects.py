"""The editor's projects: open, fill, step back and forth, take home."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from lacuna.web.project import Project


def decoded(answer: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def files(picture: np.ndarray, as_file: Callable[..., bytes]) -> dict[str, bytes]:
    """Photos of several formats, with what is easily lost."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    return {
        "a.png": as_file(picture, dpi=(300, 300)),
        "grey16.png": as_file(picture[..., 0].astype(np.uint16) * 257),
        "turned.jpg": as_file(picture, "JPEG", quality=90, exif=exif),
        "b.webp": as_file(picture, "WEBP", lossless=True),
        "c.tif": as_file(picture, "TIFF", compression="tiff_lzw"),
        "alpha.png": as_file(np.dstack([picture, np.full(picture.shape[:2], 200, np.uint8)])),
    }


@pytest.mark.parametrize("name", ["a.png", "grey16.png", "turned.jpg", "b.webp", "c.tif", "alpha.png"])
def test_a_download_is_byte_for_byte_what_the_command_writes(
    running: Any,
    picture: np.ndarray,
    as_file: Callable[..., bytes],
    command: Callable[..., None],
    tmp_path: Path,
    name: str,
) -> None:
    data = files(picture, as_file)[name]
    source, drawn, target = tmp_path / name, tmp_path / "mask.png", tmp_path / f"out{Path(name).suffix}"
    source.write_bytes(data)
    project = running.open(data, name)
    width, height = project["photo"]["width"], project["photo"]["height"]
    assert (width, height) == ((96, 128) if name == "turned.jpg" else (128, 96))
    hole = np.zeros((height, width), dtype=np.uint8)
    hole[40:56, 50:70] = 255
    drawn.write_bytes(as_file(hole))
    running.done(running.fill(project["id"], running.box))
    answer = running.ok(running.http.get(f"/projects/{project['id']}/download"))
    command("inpaint", source, "-m", drawn, "-o", target)
    assert answer.content == target.read_bytes()
    assert answer.headers["content-disposition"] == f'attachment; filename="{name.replace(".", ".filled.")}"'
    assert answer.headers["lacuna-known-changed"] == "0"
    assert isinstance(json.loads(unquote(answer.headers["lacuna-notes"])), list)


def test_a_fill_becomes_a_step_and_changes_no_known_pixel(running: Any, photo: bytes, mask: bytes) -> None:
    opened = running.open(photo)
    assert opened["photo"]["format"] == "PNG"
    assert opened["photo"]["depth"] == "8-bit"
    assert opened["current"] == opened["original"]
    assert opened["steps"] == []
    result = running.done(running.fill(opened["id"], mask, method="telea", options={"radius": 4}))
    told = running.project(opened["id"])
    step = told["steps"][0]
    assert result["step"] == step["id"]
    assert told["current"] == step["version"] == result["version"] != told["original"]
    assert step["method"] == "telea"
    assert step["options"] == {"radius": 4}
    assert step["missing"] == 320
    assert step["box"] == [50, 40, 20, 16]
    assert told["changed_known"] == step["known_changed"] == 0
    assert told["known"] == 96 * 128 - 320
    left, top, width, height = told["versions"][told["current"]]["box"]
    assert 50 <= left < left + width <= 70
    assert 40 <= top < top + height <= 56
    assert told["versions"][told["current"]]["parent"] == told["original"]


def test_tiles_show_the_picture(running: Any, photo: bytes, picture: np.ndarray) -> None:
    project = running.open(photo)
    key = project["current"]
    answer = running.ok(running.http.get(f"/projects/{project['id']}/tiles/{key}/0/0/0"))
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    np.testing.assert_array_equal(decoded(answer), picture)
    current = running.http.get(f"/projects/{project['id']}/tiles/current/0/0/0")
    assert current.headers["cache-control"] == "no-store"
    running.done(running.fill(project["id"], running.box, method="biharmonic"))
    after = decoded(running.http.get(f"/projects/{project['id']}/tiles/current/0/0/0"))
    hole = np.zeros(picture.shape[:2], dtype=bool)
    hole[40:56, 50:70] = True
    np.testing.assert_array_equal(after[~hole], picture[~hole])
    assert (after[hole] != picture[hole]).any()
    downloaded = decoded(running.http.get(f"/projects/{project['id']}/download"))
    np.testing.assert_array_equal(after, downloaded)


@pytest.mark.parametrize(
    "place", ["original/1/0/0", "original/0/1/0", "original/0/-1/0", "original/-1/0/0", "f" * 24 + "/0/0/0"]
)
def test_there_is_no_tile_outside_of_the_picture(running: Any, photo: bytes, place: str) -> None:
    project = running.open(photo)
    answer = running.http.get(f"/projects/{project['id']}/tiles/{place}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NotFoundError"


def test_a_crop_is_reduced_to_its_size(running: Any, photo: bytes) -> None:
    project = running.open(photo)
    base = f"/projects/{project['id']}/crop/original"
    assert decoded(running.ok(running.http.get(base, params={"size": 32}))).shape == (24, 32, 3)
    part = running.http.get(base, params={"box": "10,20,40,30", "size": 384})
    assert decoded(part).shape == (30, 40, 3)
    for box in ("1,2,3", "a,b,c,d", "500,500,3,3", "0,0,0,0", "inf,0,1,1"):
        assert running.http.get(base, params={"box": box}).status_code == 422


def test_one_of_several_variants_becomes_the_step(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    job = running.ended(running.fill(project, running.box, method="patchmatch", variants=3, seed=5))
    variants = job["result"]["variants"]
    assert [one["seed"] for one in variants] == [5, 6, 7]
    assert len({one["version"] for one in variants}) == 3
    told = running.project(project)
    assert told["steps"] == []
    assert told["offers"] == {job["id"]: variants}
    for one in variants:
        running.ok(running.http.get(f"/projects/{project}/tiles/{one['version']}/0/0/0"))
    base = f"/projects/{project}/fills/{job['id']}"
    assert running.http.post(f"{base}/choose", json={"variant": 3}).status_code == 404
    chosen = running.ok(running.http.post(f"{base}/choose", json={"variant": 1})).json()
    assert chosen["current"] == variants[1]["version"]
    assert chosen["steps"][0]["seed"] == 6
    assert chosen["offers"] == {}
    assert running.http.post(f"{base}/choose", json={"variant": 1}).status_code == 404


def test_variants_can_be_dropped_and_a_sure_method_has_none(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    job = running.ended(running.fill(project, running.box, method="patchmatch", variants=2))
    running.ok(running.http.delete(f"/projects/{project}/fills/{job['id']}"), 204)
    assert running.project(project)["offers"] == {}
    assert running.http.delete(f"/projects/{project}/fills/{job['id']}").status_code == 404
    failed = running.ended(running.fill(project, running.box, method="telea", variants=2))
    assert failed["problem"]["code"] == "OptionError"
    assert running.fill(project, running.box, variants=9).status_code == 413


def test_switching_a_step_off_and_on_leads_back_to_the_same_picture(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    second = {"left": 10, "top": 10, "width": 8, "height": 8, "counts": [0, 64]}
    running.done(running.fill(project, running.box, method="telea"))
    running.done(running.fill(project, second, method="telea"))
    before = running.project(project)
    first, last = (step["id"] for step in before["steps"])
    off = running.ok(
        running.http.patch(f"/projects/{project}/steps/{last}", json={"enabled": False}), 200
    ).json()
    assert off["current"] == before["steps"][0]["version"]
    assert off["steps"][1]["version"] is None
    assert off["steps"][1]["missing"] == 64
    on = running.ok(
        running.http.patch(f"/projects/{project}/steps/{last}", json={"enabled": True}), 200
    ).json()
    assert on["current"] == before["current"]
    # Without the first step the second one has to be taken again; afterwards it is known.
    running.done(running.http.patch(f"/projects/{project}/steps/{first}", json={"enabled": False}))
    told = running.project(project)
    assert told["known"] == 96 * 128 - 64
    back = running.ok(running.http.patch(f"/projects/{project}/steps/{first}", json={"enabled": True}), 200)
    assert back.json()["current"] == before["current"]


def test_steps_can_be_reordered_changed_and_deleted(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    second = {"left": 60, "top": 45, "width": 30, "height": 8, "counts": [0, 240]}
    for runs in (running.box, second):
        running.done(running.fill(project, runs, method="telea"))
    before = running.project(project)
    first, last = (step["id"] for step in before["steps"])
    running.done(running.http.put(f"/projects/{project}/steps", json={"order": [last, first]}))
    told = running.project(project)
    assert [step["id"] for step in told["steps"]] == [last, first]
    assert told["current"] != before["current"]
    assert told["known"] == before["known"]
    running.done(running.http.patch(f"/projects/{project}/steps/{first}", json={"method": "biharmonic"}))
    assert running.project(project)["steps"][1]["method"] == "biharmonic"
    gone = running.ok(running.http.delete(f"/projects/{project}/steps/{first}"), 200).json()
    assert [step["id"] for step in gone["steps"]] == [last]
    for order in ([last, last], ["nothing"]):
        answer = running.http.put(f"/projects/{project}/steps", json={"order": order})
        assert answer.status_code in (404, 422)


def test_a_replay_that_fails_is_rolled_back(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box, method="telea"))
    before = running.project(project)
    step = before["steps"][0]["id"]
    answer = running.http.patch(f"/projects/{project}/steps/{step}", json={"options": {"radius": 1000}})
    assert running.ended(answer)["problem"]["code"] == "OptionError"
    after = running.project(project)
    assert after["steps"] == before["steps"]
    assert after["current"] == before["current"]


def test_a_mask_can_be_asked_for_again(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box, dilate=2))
    step = running.project(project)["steps"][0]["id"]
    told = running.ok(running.http.get(f"/projects/{project}/steps/{step}/mask")).json()
    assert told["missing"] > 320
    assert told["mask"]["left"] == 48
    drawn = decoded(
        running.ok(running.http.get(f"/projects/{project}/steps/{step}/mask", params={"as": "png"}))
    )
    assert int((drawn > 0).sum()) == told["missing"]


def test_outpainting_gives_what_the_command_gives(
    running: Any,
    picture: np.ndarray,
    as_file: Callable[..., bytes],
    command: Callable[..., None],
    tmp_path: Path,
) -> None:
    data = as_file(picture, "JPEG", quality=90)
    (tmp_path / "a.jpg").write_bytes(data)
    project = running.open(data, "a.jpg")["id"]
    running.done(running.http.post(f"/projects/{project}/outpaint", json={"right": 32, "aspect": "2:1"}))
    told = running.project(project)
    step = told["steps"][0]
    assert step["kind"] == "outpaint"
    assert step["margins"]["right"] >= 32
    version = told["versions"][told["current"]]
    assert version["width"] == 128 + step["margins"]["left"] + step["margins"]["right"]
    assert version["origin"] == [step["margins"]["left"], step["margins"]["top"]]
    assert version["box"] is None
    assert told["changed_known"] == 0
    command("outpaint", tmp_path / "a.jpg", "--right", "32", "--aspect", "2:1", "-o", tmp_path / "out.jpg")
    assert running.http.get(f"/projects/{project}/download").content == (tmp_path / "out.jpg").read_bytes()


def test_nothing_to_add_is_an_error_with_its_words(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    job = running.ended(running.http.post(f"/projects/{project}/outpaint", json={}))
    assert job["state"] == "failed"
    assert job["problem"]["status"] == 422
    assert "nothing to add" in job["problem"]["detail"]
    huge = running.ended(running.http.post(f"/projects/{project}/outpaint", json={"right": 90_000}))
    assert huge["problem"]["code"] == "LimitError"


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_fills_before_and_after_an_outpainting_are_in_the_file(
    running: Any,
    picture: np.ndarray,
    as_file: Callable[..., bytes],
    command: Callable[..., None],
    tmp_path: Path,
    format: str,
) -> None:
    data = as_file(picture, format, **({"quality": 95} if format == "JPEG" else {}))
    project = running.open(data, f"a.{format.lower()}")["id"]
    running.done(running.fill(project, running.box, method="telea"))
    running.done(running.http.post(f"/projects/{project}/outpaint", json={"left": 16, "top": 16}))
    inside = {"left": 116, "top": 56, "width": 10, "height": 10, "counts": [0, 100]}
    running.done(running.fill(project, inside, method="telea"))
    told = running.project(project)
    assert told["changed_known"] == 0
    shown = decoded(running.http.get(f"/projects/{project}/tiles/current/0/0/0")).astype(int)
    answer = running.ok(running.http.get(f"/projects/{project}/download"))
    saved = decoded(answer).astype(int)
    assert saved.shape == (112, 144, 3)
    # The old blocks of a JPEG that is moved must not bring back what was filled.
    assert np.abs(saved - shown).max() <= (0 if format == "PNG" else 40)
    assert np.abs(saved - shown)[56:72, 66:86].mean() < 3
    assert np.abs(saved - shown)[56:66, 116:126].mean() < 3
    packed = running.ok(running.http.get(f"/projects/{project}/file"))
    (tmp_path / "p.lacuna").write_bytes(packed.content)
    command("replay", tmp_path / "p.lacuna", "-o", tmp_path / f"out.{format.lower()}")
    assert (tmp_path / f"out.{format.lower()}").read_bytes() == answer.content
    # Without the outpainting, the mask that was drawn on the larger canvas still means the same pixels.
    grown = told["steps"][1]["id"]
    running.done(running.http.delete(f"/projects/{project}/steps/{grown}"))
    smaller = running.project(project)
    assert smaller["versions"][smaller["current"]]["width"] == 128
    assert smaller["steps"][1]["box"] == [100, 40, 10, 10]


def test_a_project_file_opens_again_as_the_same_project(running: Any, photo: bytes) -> None:
    project = running.open(photo, "Un dessin.png")["id"]
    running.done(running.fill(project, running.box, method="telea"))
    packed = running.ok(running.http.get(f"/projects/{project}/file"))
    assert packed.headers["content-disposition"] == 'attachment; filename="Un dessin.lacuna"'
    result = running.done(running.http.post("/projects/import", files={"file": packed.content}))
    assert result["project"] != project
    old, new = running.project(project), running.project(result["project"])
    assert new["name"] == "Un dessin.png"
    assert new["current"] == old["current"]
    assert [step["id"] for step in new["steps"]] == [step["id"] for step in old["steps"]]
    running.ok(running.http.get(f"/projects/{result['project']}/tiles/current/0/0/0"))
    again = running.http.get(f"/projects/{result['project']}/file").content
    assert again == packed.content


def test_nothing_is_lost_when_the_server_starts_again(running: Any, photo: bytes) -> None:
    opened = running.open(photo)["id"]
    running.done(running.fill(opened, running.box))
    folder = running.service.store.find("projects", opened)
    told, read = running.project(opened), Project.load(folder).described(1.0)
    for name in ("current", "steps", "versions", "revision", "changed_known"):
        assert read[name] == told[name]


def test_another_format_and_quality_can_be_had(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box))
    facts = running.ok(
        running.http.get(f"/projects/{project}/download/facts", params={"format": "JPEG", "quality": 80})
    ).json()
    assert facts["filename"] == "photo.filled.jpg"
    assert facts["format"] == "JPEG"
    assert facts["changed_known"] == 0
    assert facts["changed_in_file"] > 0
    answer = running.http.get(f"/projects/{project}/download", params={"format": "JPEG", "quality": 80})
    assert len(answer.content) == facts["bytes"]
    lossless = running.http.get(f"/projects/{project}/download", params={"quality": 80})
    assert lossless.json()["code"] == "OptionError"


def test_help_with_masks(
    running: Any, picture: np.ndarray, as_file: Callable[..., bytes], mask: bytes
) -> None:
    spotted = picture.copy()
    spotted[20:50, 30:70] = (250, 250, 10)
    project = running.open(as_file(spotted))["id"]
    clicked = running.ok(running.http.post(f"/projects/{project}/click", json={"points": [[50, 35]]})).json()
    assert 900 < clicked["missing"] < 1600
    found = running.ok(
        running.http.post(f"/projects/{project}/detect", json={"what": ["scratches", "dust"], "dilate": 1})
    ).json()
    assert set(found["found"]) == {"scratches", "dust"}
    checked = running.ok(running.http.post(f"/projects/{project}/check", files={"mask": mask})).json()
    assert checked["missing"] == 320
    full = {"left": 0, "top": 0, "width": 128, "height": 96, "counts": [0, 128 * 96]}
    warned = running.http.post(f"/projects/{project}/check", data={"mask_rle": json.dumps(full)}).json()
    assert warned["findings"][0]["code"] == "full"
    read = running.ok(running.http.post(f"/projects/{project}/mask", files={"mask": mask})).json()
    assert read["mask"] == running.box
    inverted = running.http.post(
        f"/projects/{project}/mask", files={"mask": mask}, data={"invert": "true"}
    ).json()
    assert inverted["missing"] == 96 * 128 - 320
    written = running.ok(
        running.http.post(f"/projects/{project}/mask.png", data={"mask_rle": json.dumps(running.box)})
    )
    assert int((decoded(written) > 0).sum()) == 320


@pytest.mark.parametrize(
    ("route", "body", "code"),
    [
        ("detect", {"what": ["logos"]}, "OptionError"),
        ("detect", {"what": []}, "RequestError"),
        ("detect", {"what": ["dust"], "sensitivity": 2}, "RequestError"),
        ("detect", {"what": ["dust"], "region": [500, 500, 10, 10]}, "MaskError"),
        ("detect", {"what": ["dust"], "region": [1, 1, 0, 0]}, "MaskError"),
        ("click", {"points": []}, "MaskError"),
        ("click", {"points": [[500, 3]]}, "MaskError"),
        ("click", {"points": [[1, 2, 3]]}, "RequestError"),
        ("click", {"points": [[1, 2]], "more": 1}, "RequestError"),
    ],
)
def test_help_says_what_is_wrong(
    running: Any, photo: bytes, route: str, body: dict[str, Any], code: str
) -> None:
    project = running.open(photo)["id"]
    answer = running.http.post(f"/projects/{project}/{route}", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["code"] == code
    assert told["detail"]


def test_only_one_job_changes_a_picture_at_a_time(running: Any, large: bytes) -> None:
    project = running.open(large)["id"]
    job = running.begun(running.fill(project, running.large_box, **running.slow))
    assert running.project(project)["pending"] == {"job": job["id"]}
    busy = running.fill(project, running.large_box)
    assert busy.status_code == 409
    assert busy.json()["code"] == "ConflictError"
    assert running.http.put(f"/projects/{project}/steps", json={"order": []}).status_code == 409
    # What does not change the picture goes on meanwhile.
    running.ok(running.http.get(f"/projects/{project}/tiles/current/0/0/0"))
    running.ok(
        running.http.post(f"/projects/{project}/check", data={"mask_rle": json.dumps(running.large_box)})
    )
    ended = running.ok(running.http.delete(f"/jobs/{job['id']}")).json()
    assert ended["state"] == "cancelled"
    told = running.project(project)
    assert told["pending"] is None
    assert told["steps"] == []


def test_a_deleted_project_is_gone(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    folder = running.service.store.find("projects", project)
    running.ok(running.http.delete(f"/projects/{project}"), 204)
    assert not folder.exists()
    for path in ("", "/download", "/tiles/original/0/0/0"):
        assert running.http.get(f"/projects/{project}{path}").status_code == 404
    assert running.http.delete(f"/projects/{project}").status_code == 404


def test_a_project_can_be_deleted_while_it_is_being_filled(running: Any, large: bytes) -> None:
    project = running.open(large)["id"]
    folder = running.service.store.find("projects", project)
    job = running.begun(running.fill(project, running.large_box, **running.slow))
    running.ok(running.http.delete(f"/projects/{project}"), 204)
    until = time.monotonic() + 10
    while running.http.get(f"/jobs/{job['id']}").json()["state"] == "running" or folder.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert running.http.get(f"/projects/{project}").status_code == 404


def test_states_that_were_lost_are_computed_again(running: Any, photo: bytes) -> None:
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box, method="telea"))
    before = running.http.get(f"/projects/{project}/download").content
    folder = running.service.store.find("projects", project)
    key = running.project(project)["current"]
    shutil.rmtree(folder / "states" / key)
    shutil.rmtree(folder / "downloads")
    assert running.ok(running.http.get(f"/projects/{project}/download")).content == before

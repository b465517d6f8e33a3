"""What people send who do not mean well: files that lie, zips with tricks, floods."""

from __future__ import annotations

import errno
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lacuna.web import bundle as bundles
from lacuna.web.problems import problem


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, data: bytes, extra: bytes = b"") -> bytes:
    """Return an RGB PNG that says one thing and holds another."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff(width: int, height: int) -> bytes:
    """Return a TIFF of 200 bytes that says it holds a picture of any size."""
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, 99),
    ]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + rows + bytes(4)


def bomb_exif() -> bytes:
    """Return an EXIF block whose directory points to itself, with counts of four billion."""
    rows = struct.pack("<HHII", 0x0112, 3, 1, 77) + struct.pack("<HHII", 0x8769, 4, 0xFFFFFFFF, 8)
    rows += struct.pack("<HHII", 0x0201, 4, 1, 0xFFFFFFF0) + struct.pack("<HHII", 0x0202, 4, 1, 0xFFFFFFF0)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 4) + rows + struct.pack("<I", 8)


@pytest.fixture(scope="module")
def whole(as_file: Callable[..., bytes], picture: np.ndarray) -> dict[str, bytes]:
    return {format: as_file(picture, format) for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files(running: Any, whole: dict[str, bytes], format: str, share: float) -> None:
    data = whole[format]
    answer = running.http.post("/projects", files={"image": data[: max(int(len(data) * share), 3)]})
    # A decoder may make something of a file that lacks its end; it may not make a fault of the server.
    assert answer.status_code in (201, 422), answer.text
    if answer.status_code == 422:
        assert answer.json()["code"] == "ImageError"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_files_with_wrong_bytes(running: Any, whole: dict[str, bytes], format: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(8):
        data = bytearray(whole[format])
        for place in rng.integers(4, len(data), 12):
            data[place] = rng.integers(256)
        answer = running.http.post("/projects", files={"image": bytes(data)})
        assert answer.status_code in (201, 413, 422), answer.text


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (png(60_000, 60_000, b"\0" * 1000), 413, "LimitError"),
        (png(2**31 - 1, 2**31 - 1, b""), 413, "LimitError"),
        (png(0, 5, b""), 422, "ImageError"),
        (png(2000, 2000, b"\0" * 10), 422, "ImageError"),
        (tiff(100_000, 100_000), 413, "LimitError"),
        (tiff(3000, 1000), 422, "ImageError"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 422, "ImageError"),
        (b"<!doctype html><script>alert(1)</script>", 422, "ImageError"),
        (b"%PDF-1.4", 422, "ImageError"),
        (b"PK\x03\x04" + bytes(100), 422, "ImageError"),
        (b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>", 422, "ImageError"),
        (b"P6 99999999 99999999 255\n", 413, "LimitError"),
        (b"GIF89a" + b"\xff" * 50, 422, "ImageError"),
        (b"\0" * 5000, 422, "ImageError"),
        (b"", 422, "ImageError"),
    ],
)
def test_files_that_lie(running: Any, data: bytes, status: int, code: str) -> None:
    for name in ("photo.png", "photo.svg", "../../x.html"):
        answer = running.http.post("/projects", files={"image": (name, data, "image/png")})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_decompression_bomb_costs_no_more_than_the_limit(running: Any) -> None:
    # 4 megapixels are allowed here: the header is honest, the data go on for 200 MB.
    answer = running.http.post("/projects", files={"image": png(64, 64, bytes(200_000_000))})
    assert answer.status_code in (201, 422)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))
    icc = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(100_000_000)))
    for extra in (text, icc):
        answer = running.http.post("/projects", files={"image": png(64, 64, b"\0" * 64 * 193, extra)})
        assert answer.status_code in (201, 413, 422, 503), answer.text
        assert running.http.get("/health").status_code == 200


def test_absurd_exif(running: Any, as_file: Callable[..., bytes], picture: np.ndarray, mask: bytes) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        data = as_file(picture, format, exif=b"Exif\0\0" + bomb_exif())
        project = running.open(data)
        assert project["photo"]["orientation"] in range(1, 9)
        running.done(running.fill(project["id"], running.box))
        running.ok(running.http.get(f"/projects/{project['id']}/download"))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x",
        "..\\..\\boot.ini",
        "/abs/olute.png",
        "a\0b.png",
        "con.png",
        "x" * 5000,
        "\u202egnp.exe",
        "",
    ],
)
def test_file_names_stay_names(running: Any, photo: bytes, name: str) -> None:
    answer = running.http.post("/projects", files={"image": (name, photo)})
    if answer.status_code != 201:  # without a name a part is no file
        assert answer.status_code in (400, 422)
        return
    told = answer.json()
    assert "/" not in told["name"]
    assert "\\" not in told["name"]
    assert len(told["name"]) <= 120
    folder = running.service.store.find("projects", told["id"])
    assert {path.name for path in folder.iterdir()} <= {
        "original",
        "project.json",
        "states",
        "blobs",
        "downloads",
    }
    offered = running.http.get(f"/projects/{told['id']}/download").headers["content-disposition"]
    assert ".." not in offered.replace(".filled.", "")
    assert "\n" not in offered


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "0" * 31, "0" * 33, "G" * 32, "a" * 32, "../projects", "..%2f..%2fetc", "%00" * 8],
)
def test_ids_are_looked_up_and_nothing_else(running: Any, name: str) -> None:
    for path in ("projects", "jobs", "batches"):
        answer = running.http.get(f"/{path}/{name}")
        assert answer.status_code == 404
        assert "passwd" not in answer.text


# --- project files ------------------------------------------------------------------------------------------


def packed(entries: dict[str, bytes], **how: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in entries.items():
            pack.writestr(how.get(name, name), data)
    return stream.getvalue()


@pytest.fixture(scope="module")
def bundle(running: Any, photo: bytes) -> dict[str, bytes]:
    """Return the entries of a good project file."""
    project = running.open(photo)["id"]
    running.done(running.fill(project, running.box, method="telea"))
    with zipfile.ZipFile(io.BytesIO(running.http.get(f"/projects/{project}/file").content)) as pack:
        return {name: pack.read(name) for name in pack.namelist()}


def refused(running: Any, data: bytes) -> dict[str, Any]:
    before = len(running.service.store.all("projects"))
    answer = running.http.post("/projects/import", files={"file": data})
    if answer.status_code == 202:
        problem = running.ended(answer)["problem"]
        assert problem is not None
    else:
        problem = answer.json()
    assert problem["status"] in (413, 422), problem
    assert len(running.service.store.all("projects")) == before
    return problem


def test_a_good_project_file_is_taken(running: Any, bundle: dict[str, bytes]) -> None:
    assert (
        running.ended(running.http.post("/projects/import", files={"file": packed(bundle)}))["state"]
        == "done"
    )


def test_a_full_disk_is_not_blamed_on_the_project_file(
    bundle: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.lacuna").write_bytes(packed(bundle))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        bundles.read(tmp_path / "p.lacuna", tmp_path, most=1 << 24, max_steps=9)
    assert problem(caught.value)["code"] == "LimitError"


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/x",
        "blobs/../../x",
        "blobs/" + "a" * 63,
        "C:\\x",
        "blobs",
        "blobs/",
        "project.json/",
        "a" * 65_000,
    ],
)
def test_entries_that_do_not_belong_there(running: Any, bundle: dict[str, bytes], name: str) -> None:
    assert refused(running, packed(bundle | {name: b"x"}))["code"] == "ConfigError"


def test_entries_that_are_links_twice_or_bombs(running: Any, bundle: dict[str, bytes]) -> None:
    link = zipfile.ZipInfo("original")
    link.external_attr = 0o120777 << 16
    data = packed(bundle | {"original": b"/etc/passwd"}, original=link)
    assert refused(running, data)["code"] == "ConfigError"  # its sha256 is another one; a link is never made
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for name in bundle:
            pack.writestr(name, bundle[name])
        with pytest.warns(UserWarning, match="Duplicate"):
            pack.writestr("original", bundle["original"])
    assert refused(running, stream.getvalue())["code"] == "ConfigError"
    assert refused(running, packed(bundle | {"blobs/" + "a" * 64: bytes(50_000_000)}))["code"] == "LimitError"
    lying = bytearray(packed(bundle | {"original": bytes(30_000_000)}))
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # say that it is small
        at = 0
        while (at := lying.find(mark, at)) >= 0:
            struct.pack_into("<I", lying, at + place, 100)
            at += 4
    assert refused(running, bytes(lying))["code"] == "ConfigError"
    many = {f"blobs/{i:064x}": b"" for i in range(200)}
    assert refused(running, packed(bundle | many))["code"] == "ConfigError"


def test_project_files_with_wrong_bytes(bundle: dict[str, bytes], tmp_path: Path) -> None:
    from lacuna.errors import LacunaError
    from lacuna.web import bundle as files

    good, rng = packed(bundle), np.random.default_rng(5)
    refusals = 0
    for i in range(150):
        data = bytearray(good)
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        (tmp_path / "p").write_bytes(data)
        try:
            files.read(tmp_path / "p", tmp_path / str(i), most=10**7, max_steps=20)
        except LacunaError:
            refusals += 1
    assert refusals > 100  # the others hit what nobody reads, a date for example


def test_broken_project_files(running: Any, bundle: dict[str, bytes], photo: bytes) -> None:
    good = packed(bundle)
    for data in (
        b"no zip",
        photo,
        good[: len(good) // 2],
        good[:80] + bytes(40) + good[120:],
        b"PK\x05\x06" + bytes(18),
    ):
        assert refused(running, data)["code"] in ("ConfigError", "ImageError")
    for part in ("original", "project.json"):
        assert (
            refused(running, packed({k: v for k, v in bundle.items() if k != part}))["code"] == "ConfigError"
        )
    without = {name: data for name, data in bundle.items() if not name.startswith("blobs/")}
    assert refused(running, packed(without))["code"] == "ConfigError"
    other = {name: (data + b"x" if name.startswith("blobs/") else data) for name, data in bundle.items()}
    assert refused(running, packed(other))["code"] == "ConfigError"


@pytest.mark.parametrize(
    "change",
    [
        {"steps": "x"},
        {"steps": [{}]},
        {"steps": [1]},
        {"format": "other"},
        {"version": 99},
        {"sha256": "../../x"},
        {"name": 5},
    ],
)
def test_contents_that_make_no_sense(running: Any, bundle: dict[str, bytes], change: dict[str, Any]) -> None:
    told = json.loads(bundle["project.json"]) | change
    assert (
        refused(running, packed(bundle | {"project.json": json.dumps(told).encode()}))["code"]
        == "ConfigError"
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mask": "../../etc/passwd"}, "ConfigError"),
        ({"mask": None}, "ConfigError"),
        ({"id": "../x"}, "ConfigError"),
        ({"kind": "shell"}, "ConfigError"),
        ({"seed": -1}, "ConfigError"),
        ({"seed": True}, "ConfigError"),
        ({"feather": 1e308}, "ConfigError"),
        ({"origin": [0, 1e9]}, "ConfigError"),
        ({"origin": [5]}, "ConfigError"),
        ({"options": {"a": []}}, "ConfigError"),
        ({"canvas": {"max_pixels": 1}}, "ConfigError"),
        ({"unknown": 1}, "ConfigError"),
        ({"method": "nothing"}, "UnknownMethodError"),
        ({"method": "onnx", "options": {"weights": "/etc/passwd"}}, "OptionError"),
        ({"options": {"radius": "x"}}, "OptionError"),
        ({"kind": "outpaint", "canvas": {"left": 99_999}}, "LimitError"),
        ({"kind": "outpaint", "canvas": {"left": True}}, "OptionError"),
        ({"kind": "outpaint", "canvas": {"anchor": "nowhere", "left": 5}}, "OptionError"),
    ],
)
def test_steps_that_cannot_be(
    running: Any, bundle: dict[str, bytes], change: dict[str, Any], code: str
) -> None:
    told = json.loads(bundle["project.json"])
    told["steps"][0] |= change
    assert refused(running, packed(bundle | {"project.json": json.dumps(told).encode()}))["code"] == code


def test_too_many_steps(running: Any, bundle: dict[str, bytes]) -> None:
    told = json.loads(bundle["project.json"])
    told["steps"] = [told["steps"][0] | {"id": f"s{i}"} for i in range(21)]
    assert (
        refused(running, packed(bundle | {"project.json": json.dumps(told).encode()}))["code"] == "LimitError"
    )
    told["steps"] = [told["steps"][0]] * 2
    assert (
        refused(running, packed(bundle | {"project.json": json.dumps(told).encode()}))["code"]
        == "ConfigError"
    )
    deep = b'{"format":' + b"[" * 200_000
    assert refused(running, packed(bundle | {"project.json": deep}))["code"] == "ConfigError"


# --- floods -------------------------------------------------------------------------------------------------


def test_ten_thousand_tiny_files_in_one_request(running: Any) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nx\r\n'
    body = part * 10_000 + b"--b--\r\n"
    answer = running.http.post(
        "/inpaint", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 400
    fields = b'--b\r\nContent-Disposition: form-data; name="wait"\r\n\r\n1\r\n' * 10_000 + b"--b--\r\n"
    answer = running.http.post(
        "/inpaint", content=fields, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 400


def test_a_body_beyond_the_limit(running: Any) -> None:
    answer = running.http.post("/projects", files={"image": bytes(running.settings.max_bytes + 1)})
    assert (answer.status_code, answer.json()["code"]) == (413, "LimitError")


def test_a_full_folder_says_so(
    running: Any, photo: bytes, mask: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = running.open(photo)["id"]
    monkeypatch.setattr(running.service.store, "limit", 10)
    for answer in (
        running.http.post("/projects", files={"image": photo}),
        running.http.post("/inpaint", files={"image": photo, "mask": mask}),
        running.fill(project, running.box),
    ):
        assert (answer.status_code, answer.json()["code"]) == (413, "LimitError")
        assert "full" in answer.json()["detail"]

"""Writing is all or nothing, and bad files are told apart."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lacuna.errors import DeviceOutOfMemoryError, ImageError, LimitError, OptionError, OutputError
from lacuna.image import Picture, Saved, open_image, png, save_image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
HOLE = np.zeros((12, 16), dtype=bool)
HOLE[3:6, 4:9] = True
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP"}


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "in.png"
    Image.fromarray(PIXELS).save(path)
    return open_image(path)


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_saved_says_what_was_written(picture: Picture, tmp_path: Path) -> None:
    saved = save_image(picture, str(tmp_path / "out.PNG"), hole=HOLE)
    assert saved == Saved(tmp_path / "out.PNG", "PNG", 0, ())
    assert files(tmp_path) == ["in.png", "out.PNG"]


def test_the_source_is_never_replaced_by_accident(picture: Picture, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    before = source.read_bytes()
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    for name in ("in.png", "link.png", "hard.png", "../" + tmp_path.name + "/in.png"):
        with pytest.raises(OutputError, match="picture that was read"):
            save_image(picture, tmp_path / name, hole=HOLE)
    assert source.read_bytes() == before


def test_other_files_are_not_replaced_by_accident(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "old.png").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        save_image(picture, tmp_path / "old.png", hole=HOLE)
    assert (tmp_path / "old.png").read_text() == "precious"
    save_image(picture, tmp_path / "old.png", hole=HOLE, overwrite=True)
    np.testing.assert_array_equal(open_image(tmp_path / "old.png").pixels, PIXELS)


def test_overwriting_the_source_works_through_a_link(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to("in.png")
    after = picture.composite(np.zeros((12, 16, 3), np.float32), HOLE)
    save_image(after, tmp_path / "link.png", hole=HOLE, overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(open_image(tmp_path / "in.png").pixels, after.pixels)


def test_permissions_of_the_old_file_are_kept(picture: Picture, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    target.touch()
    target.chmod(0o640)
    save_image(picture, target, hole=HOLE, overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_new_files_follow_the_umask(picture: Picture, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_image(picture, tmp_path / "out.png", hole=HOLE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="no /dev/null here")
def test_devices_are_written_to_and_not_replaced(picture: Picture, tmp_path: Path) -> None:
    (tmp_path / "null.png").symlink_to("/dev/null")
    save_image(picture, tmp_path / "null.png", hole=HOLE)
    assert Path("/dev/null").is_char_device()


def test_missing_folder_and_folder_as_target(picture: Picture, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_image(picture, tmp_path / "nowhere" / "out.png", hole=HOLE)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        save_image(picture, tmp_path / "folder.png", hole=HOLE)


@pytest.mark.parametrize("name", ["out", "out.gif", "out.xyz", "out.png.txt"])
def test_unknown_suffixes_are_refused_with_the_known_ones(
    picture: Picture, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError, match=r"\.png \.jpg"):
        save_image(picture, tmp_path / name, hole=HOLE)
    assert files(tmp_path) == ["in.png"]


def test_unknown_format_and_target(picture: Picture) -> None:
    with pytest.raises(OutputError, match="cannot write format 'gif'"):
        save_image(picture, io.BytesIO(), hole=HOLE, format="gif")
    with pytest.raises(OutputError, match="a target is"):
        save_image(picture, 3, hole=HOLE)


def test_a_format_may_contradict_no_suffix(picture: Picture, tmp_path: Path) -> None:
    assert save_image(picture, tmp_path / "out", hole=HOLE, format="jpg").format == "JPEG"
    assert (tmp_path / "out").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_failing_disk_leaves_the_old_file_and_nothing_else(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    (tmp_path / "out.png").write_text("old")

    def failing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OutputError, match=words):
        save_image(picture, tmp_path / "out.png", hole=HOLE, overwrite=True)
    assert files(tmp_path) == ["in.png", "out.png"]
    assert (tmp_path / "out.png").read_text() == "old"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "permission denied"), (errno.EROFS, "read-only")]
)
def test_a_folder_that_cannot_be_written(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("lacuna.image.delivery.tempfile.mkstemp", refused)
    with pytest.raises(OutputError, match=words):
        save_image(picture, tmp_path / "out.png", hole=HOLE)
    assert files(tmp_path) == ["in.png"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_ctrl_c_leaves_no_temporary_file(
    picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_image(picture, tmp_path / "out.png", hole=HOLE)
    assert files(tmp_path) == ["in.png"]


def test_a_kill_in_the_middle_of_writing_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out.png").write_text("old")
    program = """
import os, sys
import numpy as np
from lacuna.image import open_image, save_image
os.fsync = lambda handle: os.kill(os.getpid(), 9)
picture = open_image(np.zeros((9, 9), np.uint8))
save_image(picture, sys.argv[1], hole=np.zeros((9, 9), bool), overwrite=True)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out.png")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "out.png").read_text() == "old"


def test_a_failing_stream(picture: Picture) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="disk is full"):
        save_image(picture, Full(), hole=HOLE)
    with pytest.raises(OutputError, match="binary mode"):
        save_image(picture, io.StringIO(), hole=HOLE)
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(OutputError, match="closed"):
        save_image(picture, closed, hole=HOLE)


@pytest.mark.parametrize("quality", [0, 101, -1, 2.5, "90", True])
def test_qualities_out_of_range(picture: Picture, quality: object) -> None:
    with pytest.raises(OptionError, match="1 to 100"):
        save_image(picture, io.BytesIO(), hole=HOLE, format="jpg", quality=quality)


@pytest.mark.parametrize("name", ["png", "tif", "bmp"])
def test_lossless_formats_have_no_quality(picture: Picture, name: str) -> None:
    with pytest.raises(OptionError, match="lossless"):
        save_image(picture, io.BytesIO(), hole=HOLE, format=name, quality=90)


def test_memory_that_runs_out_while_encoding(picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lacuna.image.writing.encode", hungry)
    with pytest.raises(DeviceOutOfMemoryError):
        save_image(picture, io.BytesIO(), hole=HOLE)


def test_the_source_may_be_given(picture: Picture) -> None:
    brighter = open_image(np.clip(PIXELS.astype(int) + 1, 0, 255).astype(np.uint8))
    expected = int(((brighter.pixels != PIXELS).any(axis=2) & ~HOLE).sum())
    out = io.BytesIO()
    assert save_image(brighter, out, hole=HOLE).changed_in_file == 0
    saved = save_image(brighter, out, hole=HOLE, source=picture)
    assert saved.changed_in_file == expected
    assert any("known pixels differ" in note for note in saved.notes)


def test_webp_has_a_largest_size() -> None:
    wide = open_image(np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(OutputError, match="16383"):
        save_image(wide, io.BytesIO(), hole=np.zeros((1, 16384), bool), format="webp")


# Files that are no pictures


def encoded(name: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).resize((80, 60)).save(out, name)
    return out.getvalue()


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        open_image(tmp_path / "missing.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty \(0 bytes\)"):
        open_image(tmp_path / "empty.png")
    with pytest.raises(ImageError, match="is a folder"):
        open_image(tmp_path)
    with pytest.raises(ImageError, match="empty"):
        open_image(b"")
    with pytest.raises(ImageError, match="cannot be read"):
        open_image("a\0b.png")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, this is text", "not a picture"),
        (b"<svg xmlns='x'/>", "not a picture"),
        (b"%PDF-1.7 ...", "PDF is not supported"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC is not supported"),
        (b"8BPS\0\1", "PSD is not supported"),
        (b"\xff\x0a....", "JPEG XL is not supported"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff\xd9", "without data|truncated"),
        (b"\xff\xd8\xff\xe0garbage", "truncated|damaged"),
        (b"RIFF\x04\0\0\0WEBP", "empty"),
        (b"BM", "damaged"),
        (b"II*\0\x08\0\0\0", "damaged"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "no pixels"),
        (b"GIF89a", "damaged"),
    ],
)
def test_what_is_no_picture(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        open_image(data)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files(name: str, share: float, tmp_path: Path) -> None:
    data = encoded(name)
    path = tmp_path / "cut.dat"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match=r"cut\.dat: .*(truncated|damaged)"):
        open_image(path)


def test_a_damaged_file_is_told_once_and_in_our_words(capfd: pytest.CaptureFixture[str]) -> None:
    import tifffile

    rows, columns = np.indices((48, 64))
    deep = np.stack([rows * 900, columns * 900, rows * columns], axis=-1).astype(np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, deep, photometric="rgb")
    with pytest.raises(ImageError, match="truncated or damaged"):
        open_image(out.getvalue()[:9000])
    assert capfd.readouterr() == ("", "")  # OpenCV has a log of its own
    gif = io.BytesIO()
    Image.fromarray((rows * 4).astype(np.uint8)).save(gif, "GIF")
    with pytest.raises(ImageError, match="the GIF file is truncated or damaged") as caught:
        open_image(gif.getvalue()[:9])
    assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_truncated_deep_tiff(dtype: type) -> None:
    import tifffile

    out = io.BytesIO()
    tifffile.imwrite(out, np.random.default_rng(0).random((60, 80, 3)).astype(dtype), photometric="rgb")
    data = out.getvalue()
    with pytest.raises(ImageError, match="truncated or damaged"):
        open_image(data[: len(data) // 2])


def test_damaged_png_data() -> None:
    chunks = png._split(encoded("PNG"))
    broken = [(n, b"\0" * len(b) if n == b"IDAT" else b) for n, b in chunks]
    with pytest.raises(ImageError, match="damaged"):
        open_image(png._join(broken))
    deep = io.BytesIO()
    save_image(open_image(PIXELS.astype(np.uint16)), deep, hole=HOLE)
    chunks = png._split(deep.getvalue())
    broken = [(n, b"\0" * len(b) if n == b"IDAT" else b) for n, b in chunks]
    with pytest.raises(ImageError, match="damaged"):
        open_image(png._join(broken))
    with pytest.raises(ImageError, match="header"):
        open_image(png._join(chunks[1:]))


def test_a_png_whose_text_expands_without_end() -> None:
    bomb = b"Raw profile type exif\0\0" + zlib.compress(bytes(65 * 2**20), 1)
    chunks = png._split(encoded("PNG"))
    picture = open_image(png._join([chunks[0], (b"zTXt", bomb), *chunks[1:]]))
    assert picture.shape == (60, 80)


def bombs() -> dict[str, bytes]:
    """Return files that claim to be enormous."""
    side = 60_000
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    jpeg = encoded("JPEG")
    at = jpeg.index(b"\xff\xc0")
    bmp = bytearray(encoded("BMP"))
    struct.pack_into("<ii", bmp, 18, side, side)
    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\0" * 2
    gif = bytearray(encoded("GIF"))
    struct.pack_into("<HH", gif, 6, side, side)
    tiff = bytearray(b"II*\0\x08\0\0\0\x02\0")
    for tag in (256, 257):
        tiff += struct.pack("<HHII", tag, 4, 1, side)
    return {
        "PNG": png._join([(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]),
        "JPEG": jpeg[: at + 5] + struct.pack(">HH", side, side) + jpeg[at + 9 :],
        "BMP": bytes(bmp),
        "WEBP": b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp,
        "GIF": bytes(gif),
        "TIFF": bytes(tiff) + bytes(4),
    }


@pytest.mark.parametrize("name", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"])
def test_decompression_bombs_are_refused_before_decoding(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.dat"
    path.write_bytes(bombs()[name])
    with pytest.raises(LimitError, match=r"bomb\.dat: .*(limit)"):
        open_image(path)


def test_the_limit_can_be_moved(tmp_path: Path) -> None:
    data = encoded("PNG")
    with pytest.raises(LimitError, match="80x60"):
        open_image(data, max_pixels=4799)
    assert open_image(data, max_pixels=4800).shape == (60, 80)
    assert open_image(data, max_pixels=None).shape == (60, 80)
    with pytest.raises(LimitError, match="80x60"):
        open_image(encoded("GIF"), max_pixels=4799)


def test_pillows_own_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("PNG", "JPEG", "TIFF", "BMP"):
        assert open_image(encoded(name)).shape == (60, 80)
    for name in ("GIF", "WEBP"):  # here it does, but as our error
        with pytest.raises(LimitError, match="Pillow"):
            open_image(encoded(name))


def test_memory_that_runs_out_while_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lacuna.image.reading.decode", hungry)
    with pytest.raises(DeviceOutOfMemoryError):
        open_image(encoded("PNG"))


def test_text_mode_and_broken_streams() -> None:
    with pytest.raises(ImageError, match="binary mode"):
        open_image(io.StringIO("x"))
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ImageError, match="cannot be read"):
        open_image(closed)


def test_camera_raw_is_refused_with_advice() -> None:
    from lacuna.image import ifd

    entries = [ifd.entry(256, 4, [4], "<"), ifd.entry(257, 4, [4], "<"), ifd.Entry(50706, 1, 4, b"\1\4\0\0")]
    block, at = ifd.write_directory(entries, "<", 8)
    with pytest.raises(ImageError, match="developed"):
        open_image(b"II*\0" + struct.pack("<I", at) + block)


def test_tiff_with_too_many_channels() -> None:
    import tifffile

    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((8, 9, 6), np.uint8), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ImageError, match="6 channels"):
        open_image(out.getvalue())


def test_importing_the_doors_loads_no_heavy_library() -> None:
    program = "import sys, lacuna.image, lacuna.masks; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "lacuna" in loaded
    assert not loaded & {"PIL", "cv2", "tifffile", "jpeglib", "numba", "torch"}


@pytest.mark.parametrize(
    ("number", "most", "words"),
    [
        ((12, 16), 10, "= 192 pixels; the limit is 10 pixels; .*--max-pixels"),
        ((4000, 5000), 10**7, "= 20 million"),
    ],
)
def test_a_limit_is_told_in_numbers_that_can_be_read(number: tuple[int, int], most: int, words: str) -> None:
    out = io.BytesIO()
    Image.new("1", number[::-1]).save(out, "PNG")
    with pytest.raises(LimitError, match=words):
        open_image(out.getvalue(), max_pixels=most)


def test_a_jpeg_made_of_another_format_does_not_speak_of_blocks_of_the_hole(tmp_path: Path) -> None:
    picture = open_image(encoded("PNG"))
    saved = save_image(picture, tmp_path / "out.jpg", hole=np.zeros(picture.shape, dtype=bool))
    assert saved.changed_in_file > 0
    told = " ".join(saved.notes)
    assert "a .png or .tif keeps them" in told
    assert "block of the hole" not in told


def test_a_format_that_is_only_read_is_told_when_it_is_written(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(out, "GIF")
    picture = open_image(out.getvalue())
    assert not any("only read" in note for note in picture.notes)  # it may be a mask, or only looked at
    saved = save_image(picture, tmp_path / "out.png", hole=HOLE)
    assert "GIF is only read; it was written as PNG" in saved.notes

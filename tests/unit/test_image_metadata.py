"""Profiles, EXIF, resolution and XMP travel with the picture; previews of the unedited picture do not."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from lacuna.image import ifd, open_image, save_image
from lacuna.image.container import Meta
from lacuna.image.jpeg import _not_kept, join, parse
from lacuna.image.png import _itxt, _join, _split
from lacuna.image.previews import (
    blank_jpegs,
    clean_exif,
    clean_photoshop,
    clean_xmp,
    orientation_of,
    upright_xmp,
    with_orientation_1,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
HOLE = np.zeros((24, 40), dtype=bool)
HOLE[4:12, 9:20] = True
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:creator="me" tiff:Orientation="6"/></x:xmpmeta>'
)
THUMBNAIL = b"\xff\xd8\xff\xdb" + b"the removed object" * 20 + b"\xff\xd9"
SUFFIXES = [".jpg", ".png", ".webp", ".tif"]


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[274] = orientation
    block[271] = "Maker"
    block[306] = "2024:02:29 12:00:00"
    block.get_ifd(ifd.EXIF_IFD)[33434] = 0.004
    block.get_ifd(ifd.EXIF_IFD)[37500] = b"MakerNote" + bytes(range(200))
    block.get_ifd(34853)[1] = "N"
    return block


def written(path: Path, **options: object) -> Path:
    options = {"exif": exif().tobytes(), "icc_profile": PROFILE, **options}
    if path.suffix in (".png", ".jpg", ".tif"):
        options.setdefault("dpi", (300, 150))
    if path.suffix == ".webp":
        options |= {"lossless": True, "xmp": XMP}
    if path.suffix == ".jpg":
        options |= {"xmp": XMP}
    Image.fromarray(PIXELS).save(path, **options)
    return path


def opened(source: Path | bytes) -> Image.Image:
    return Image.open(io.BytesIO(source if isinstance(source, bytes) else source.read_bytes()))


def filled(path: Path | bytes) -> object:
    before = open_image(path)
    return before.composite(np.full((*before.shape, before.image.shape[2]), 0.5, np.float32), HOLE)


def saved(source: Path | bytes, format: str) -> tuple[bytes, tuple[str, ...]]:
    out = io.BytesIO()
    facts = save_image(filled(source), out, hole=HOLE, format=format)
    return out.getvalue(), facts.notes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_stays_in_the_same_format(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"in{suffix}")
    save_image(filled(path), tmp_path / f"out{suffix}", hole=HOLE)
    old, new = opened(path), opened(tmp_path / f"out{suffix}")
    assert new.info["icc_profile"] == PROFILE
    assert new.info.get("dpi") == old.info.get("dpi")
    assert_same_exif(old.getexif(), new.getexif())
    assert new.info.get("xmp") == old.info.get("xmp")


def assert_same_exif(old: Image.Exif, new: Image.Exif) -> None:
    assert new[271] == old[271] == "Maker"
    assert new[306] == old[306]
    for tag in (ifd.EXIF_IFD, 34853):
        assert new.get_ifd(tag) == old.get_ifd(tag)
        assert new.get_ifd(tag)


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(SUFFIXES, 2)))
def test_most_stays_in_another_format(tmp_path: Path, source: str, target: str) -> None:
    path = written(tmp_path / f"in{source}", exif=exif(6).tobytes())
    turned = open_image(path)
    assert turned.shape == (40, 24)
    hole = np.zeros(turned.shape, dtype=bool)
    save_image(turned, tmp_path / f"out{target}", hole=hole)
    new = opened(tmp_path / f"out{target}")
    # Another format is written upright, and says so.
    assert new.size == (24, 40)
    assert new.getexif().get(274, 1) == 1
    assert new.info["icc_profile"] == PROFILE
    assert_same_exif(opened(path).getexif(), new.getexif())
    if target != ".webp" and source != ".webp":
        assert new.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    if source in (".jpg", ".webp") and target != ".tif":
        assert new.info["xmp"] == upright_xmp(XMP)


def test_bmp_keeps_its_resolution(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "in.bmp", dpi=(200, 100))
    save_image(filled(tmp_path / "in.bmp"), tmp_path / "out.bmp", hole=HOLE)
    assert (tmp_path / "in.bmp").read_bytes()[:54] == (tmp_path / "out.bmp").read_bytes()[:54]
    save_image(open_image(tmp_path / "in.bmp"), tmp_path / "out.png", hole=HOLE)
    assert opened(tmp_path / "out.png").info["dpi"] == pytest.approx((200, 100), abs=0.1)


def test_png_chunks_stay_verbatim() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG", icc_profile=PROFILE, dpi=(72, 72))
    chunks = _split(out.getvalue())
    extra = [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"tEXt", b"Title\0a picture"),
        (b"iTXt", _itxt(XMP)),
        (b"sBIT", b"\x08\x08\x08"),
        (b"tIME", b"\x07\xe8\x02\x1d\x0c\0\0"),
    ]
    source = _join([chunks[0], *extra, *chunks[1:-1], (b"tEXt", b"After\0the data"), chunks[-1]])
    result, _ = saved(source, "PNG")
    names = [c for c in _split(result) if c[0] != b"IDAT"]
    assert names == [c for c in _split(source) if c[0] != b"IDAT"]
    assert opened(result).info["icc_profile"] == PROFILE


def test_tiff_tags_stay(tmp_path: Path) -> None:
    geo = (33550, 12, 3, (1.5, 2.5, 0.0), True)
    text = (270, 2, 0, "a description", True)
    tifffile.imwrite(
        tmp_path / "in.tif",
        PIXELS,
        photometric="rgb",
        byteorder=">",
        iccprofile=PROFILE,
        resolution=(11, 13),
        resolutionunit="CENTIMETER",
        software="a program",
        metadata=None,
        extratags=[geo, text],
    )
    save_image(filled(tmp_path / "in.tif"), tmp_path / "out.tif", hole=HOLE)
    with tifffile.TiffFile(tmp_path / "in.tif") as a, tifffile.TiffFile(tmp_path / "out.tif") as b:
        old, new = (
            {t.code: (t.dtype, t.count, t.value) for t in file.pages[0].tags if t.code not in (273, 278, 279)}
            for file in (a, b)
        )
    assert new == {**old, 339: new[339]}
    assert old.keys() >= {33550, 270, 34675, 282, 305}


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_profile_is_left_out_of_rgb(channels: int) -> None:
    out = io.BytesIO()
    grey = PIXELS[..., 0] if channels == 1 else PIXELS[..., :2]
    Image.fromarray(np.ascontiguousarray(grey)).save(out, "PNG", icc_profile=PROFILE)
    result, notes = saved(out.getvalue(), "WEBP")
    assert "icc_profile" not in opened(result).info
    assert any("profile" in note for note in notes)


def test_pil_metadata_goes_into_the_file(tmp_path: Path) -> None:
    image = opened(written(tmp_path / "in.jpg"))
    save_image(open_image(image), tmp_path / "out.png", hole=HOLE)
    new = opened(tmp_path / "out.png")
    assert new.info["icc_profile"] == PROFILE
    assert new.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    assert new.getexif()[271] == "Maker"


# Previews


def with_thumbnail(orientation: int = 6, jpeg: bytes = THUMBNAIL) -> bytes:
    """Return an EXIF block whose second directory holds a thumbnail."""
    order: ifd.Order = "<"
    first = [ifd.entry(274, 3, [orientation], order), ifd.Entry(271, 2, 6, b"Maker\0")]
    block, at = ifd.write_directory(first, order, 8)
    place = 8 + len(block)
    second = [ifd.entry(513, 4, [place], order), ifd.entry(514, 4, [len(jpeg)], order)]
    thumb, second_at = ifd.write_directory(second, order, place + len(jpeg))
    data = bytearray(b"II*\0" + struct.pack("<I", at) + block + jpeg + thumb)
    header = ifd.read_header(bytes(data))
    struct.pack_into("<I", data, ifd.next_place(header, at, bytes(data)), second_at)
    return bytes(data)


def test_exif_thumbnail_is_wiped_in_place() -> None:
    block = with_thumbnail()
    assert b"removed object" in block
    assert ifd.count_directories(block, ifd.read_header(block)) == 2
    cleaned, removed = clean_exif(block)
    assert removed
    assert len(cleaned) == len(block)
    assert b"removed object" not in cleaned
    assert ifd.count_directories(cleaned, ifd.read_header(cleaned)) == 1
    assert orientation_of(cleaned) == 6
    assert clean_exif(cleaned) == (cleaned, False)


def test_uncompressed_thumbnail_is_wiped() -> None:
    strips = b"pixels of the removed object"
    block = bytearray(with_thumbnail(jpeg=strips))
    # The same places under the tags of strips.
    block = block.replace(struct.pack("<HHI", 513, 4, 1), struct.pack("<HHI", 273, 4, 1))
    block = block.replace(struct.pack("<HHI", 514, 4, 1), struct.pack("<HHI", 279, 4, 1))
    cleaned, removed = clean_exif(bytes(block))
    assert removed
    assert b"removed object" not in cleaned


@pytest.mark.parametrize(
    "block", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"garbage of some length", b"MM\0*\0\0\0\x08"]
)
def test_damaged_exif_is_kept_but_never_with_a_picture(block: bytes) -> None:
    assert clean_exif(block) == (block, False)
    assert orientation_of(block) == 1
    assert with_orientation_1(block) == block
    assert b"removed" not in clean_exif(block + THUMBNAIL)[0]


def test_damaged_tags_do_not_hide_the_orientation() -> None:
    order: ifd.Order = ">"
    entries = [ifd.entry(274, 3, [8], order), ifd.Entry(37500, 7, 50, bytes(50))]
    block, at = ifd.write_directory(entries, order, 8)
    data = b"MM\0*" + struct.pack(">I", at) + block
    shifted = data.replace(struct.pack(">HHI", 37500, 7, 50), struct.pack(">HHI", 37500, 7, 50_000_000))
    assert shifted != data
    assert orientation_of(shifted) == 8
    assert orientation_of(with_orientation_1(shifted)) == 1


def test_jpegs_are_blanked_wherever_they_are() -> None:
    block = b"head" + THUMBNAIL + b"between" + THUMBNAIL[:-2]
    cleaned, removed = blank_jpegs(block)
    assert removed
    assert len(cleaned) == len(block)
    assert b"object" not in cleaned
    assert cleaned.startswith(b"head\0")
    assert b"between" in cleaned
    assert blank_jpegs(b"no picture \xff\xd8 here") == (b"no picture \xff\xd8 here", False)


def resource(kind: int, body: bytes) -> bytes:
    return (
        b"8BIM"
        + struct.pack(">H", kind)
        + b"\0\0"
        + struct.pack(">I", len(body))
        + body
        + b"\0" * (len(body) % 2)
    )


def test_photoshop_thumbnail_goes_and_iptc_stays() -> None:
    iptc = resource(1028, b"\x1c\x02\x05\0\x05title")
    block = resource(1036, bytes(28) + THUMBNAIL) + iptc + resource(1033, b"old")
    assert clean_photoshop(block) == (iptc, True)
    assert clean_photoshop(iptc) == (iptc, False)
    assert clean_photoshop(b"8BIMbroken") == (b"8BIMbroken", False)


def test_xmp_thumbnails_depth_and_gain_maps_go() -> None:
    text = (
        b'<rdf:Description dc:title="x" GDepth:Near="1" GDepth:Data="aaaa" hdrgm:Version="1.0" '
        b'xmpNote:HasExtendedXMP="0123">'
        b"<xmp:Thumbnails><rdf:Alt><xmpGImg:image>/9j/secret</xmpGImg:image></rdf:Alt></xmp:Thumbnails>"
        b"<Container:Directory><rdf:Seq>two pictures</rdf:Seq></Container:Directory>"
        b"<dc:creator>me</dc:creator></rdf:Description>"
    )
    cleaned, removed = clean_xmp(text)
    assert removed
    assert cleaned == b'<rdf:Description dc:title="x"><dc:creator>me</dc:creator></rdf:Description>'
    assert clean_xmp(XMP) == (XMP, False)


PREVIEWS = {
    "EXIF thumbnail": (0xE1, b"Exif\0\0" + with_thumbnail(1)),
    "JFXX thumbnail": (0xE0, b"JFXX\0\x10" + THUMBNAIL),
    "MPF": (0xE2, b"MPF\0" + with_thumbnail(1)),
    "gain map": (0xE2, b"urn:iso:std:iso:ts:21496:-1\0removed object"),
    "extended XMP": (0xE1, b"http://ns.adobe.com/xmp/extension/\0removed object"),
    "Photoshop": (0xED, b"Photoshop 3.0\0" + resource(1036, THUMBNAIL)),
    "content credentials": (0xEB, b"JP\0\x01 removed object"),
    "XMP thumbnail": (
        0xE1,
        b"http://ns.adobe.com/xap/1.0/\0<a><xmp:Thumbnails>removed object</xmp:Thumbnails></a>",
    ),
}


@pytest.mark.parametrize("segment", PREVIEWS.values(), ids=PREVIEWS.keys())
def test_previews_are_left_out_of_jpeg_and_said(segment: tuple[int, bytes]) -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG", quality=90)
    data = out.getvalue()
    source = data[:2] + join([segment]) + data[2:]
    assert b"removed object" in source
    result, notes = saved(source, "JPEG")
    assert b"removed object" not in result
    assert any(note.startswith("left out of the file: ") for note in notes)
    other, _ = saved(source, "PNG")
    assert b"removed object" not in other


def test_jfif_thumbnail_is_cut_off() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "JPEG")
    data = out.getvalue()
    jfif = b"JFIF\0\x01\x02\x01\0\x48\0\x48\x02\x02" + bytes(range(12))
    source = data[:2] + join([(0xE0, jfif)]) + data[2 + 18 :]
    result, notes = saved(source, "JPEG")
    assert parse(result).apps[0] == (0xE0, jfif[:12] + b"\0\0")
    assert any("thumbnail" in note for note in notes)


def test_multi_picture_jpeg_becomes_one_picture(tmp_path: Path) -> None:
    second = Image.fromarray(np.full_like(PIXELS, 9))
    Image.fromarray(PIXELS).save(tmp_path / "in.mpo", "MPO", save_all=True, append_images=[second])
    data = (tmp_path / "in.mpo").read_bytes()
    assert opened(data).n_frames == 2
    picture = open_image(data)
    assert picture.container.format == "JPEG"
    assert any("further pictures" in note for note in picture.notes)
    result, notes = saved(data, "JPEG")
    assert result.count(b"\xff\xd8\xff") == 1
    assert b"MPF\0" not in result
    assert any("further pictures" in note for note in notes)


def test_ordinary_segments_are_kept() -> None:
    assert _not_kept(0xE2, b"ICC_PROFILE\0\1\1abc") is None
    assert _not_kept(0xE5, b"anything") is None


def test_previews_are_left_out_of_png_and_said() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    chunks = _split(out.getvalue())
    hexed = b"Exif\0\0".hex().encode() + with_thumbnail(1).hex().encode()
    raw = b"\nexif\n%8d\n" % (len(hexed) // 2) + hexed + b"\n"
    for extra in (
        (b"eXIf", with_thumbnail(1)),
        (b"caBX", b"removed object"),
        (b"iTXt", _itxt(b"<a><xmp:Thumbnails>removed object</xmp:Thumbnails></a>")),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        (b"tEXt", b"Raw profile type APP1\0" + raw),
    ):
        source = _join([chunks[0], extra, *chunks[1:]])
        result, notes = saved(source, "PNG")
        joined = b"".join(_decompressed(name, body) for name, body in _split(result))
        assert b"removed object" not in joined
        assert b"removed object".hex().encode() not in joined
        assert any("left out" in note for note in notes)


def _decompressed(name: bytes, body: bytes) -> bytes:
    return zlib.decompress(body[body.find(b"\0") + 2 :]) if name == b"zTXt" else body


def test_exif_in_png_text_gives_the_orientation() -> None:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    chunks = _split(out.getvalue())
    hexed = (b"Exif\0\0" + with_orientation(exif().tobytes()[6:], 6)).hex().encode()
    raw = b"\nexif\n%8d\n" % (len(hexed) // 2) + hexed + b"\n"
    data = _join([chunks[0], (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)), *chunks[1:]])
    assert open_image(data).shape == (40, 24)


def with_orientation(block: bytes, orientation: int) -> bytes:
    changed = Image.Exif()
    changed.load(b"Exif\0\0" + block)
    changed[274] = orientation
    return changed.tobytes()[6:]


def test_webp_thumbnail_goes(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "in.webp", lossless=True, exif=with_thumbnail(1))
    result, notes = saved(tmp_path / "in.webp", "WEBP")
    assert b"removed object" not in result
    assert any("thumbnail" in note for note in notes)


def test_tiff_previews_and_layers_go(tmp_path: Path) -> None:
    extra = [
        (34377, 1, 0, resource(1036, THUMBNAIL) + resource(1028, b"iptc data"), True),
        (37724, 7, 0, b"Adobe Photoshop Document Data Block removed object", True),
        (700, 1, 0, b"<a><xmp:Thumbnails>removed object</xmp:Thumbnails></a>", True),
    ]
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        writer.write(PIXELS, photometric="rgb", subifds=1, metadata=None, extratags=extra)
        writer.write(np.full((6, 10), ord("Z"), np.uint8), metadata=None, subfiletype=1)
    assert b"ZZZZZZ" in (tmp_path / "in.tif").read_bytes()
    result, notes = saved(tmp_path / "in.tif", "TIFF")
    assert b"removed object" not in result
    assert b"ZZZZZZ" not in result
    assert b"iptc data" in result
    assert sum("left out" in note for note in notes) >= 3


def test_imagej_description_of_all_pages_goes_with_them(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((5, 24, 40), np.uint16), imagej=True)
    picture = open_image(tmp_path / "in.tif")
    assert picture.pixels.shape == (24, 40)
    save_image(picture, tmp_path / "out.tif", hole=HOLE)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), picture.pixels)


def test_a_cmyk_profile_is_used_and_left_out(tmp_path: Path) -> None:
    # A damaged profile is ignored; that it described CMYK is reason enough to drop it.
    cmyk = Image.fromarray(np.dstack([PIXELS, PIXELS[..., :1]]), "CMYK")
    cmyk.save(tmp_path / "in.jpg", icc_profile=b"not a profile" * 10)
    picture = open_image(tmp_path / "in.jpg")
    assert picture.icc == b""
    result, _ = saved(tmp_path / "in.jpg", "JPEG")
    assert "icc_profile" not in opened(result).info


def test_directory_round_trip_in_both_orders() -> None:
    for order in ("<", ">"):
        child = (ifd.entry(1, 3, [7], order), ifd.Entry(2, 5, 1, struct.pack(f"{order}2I", 1, 3)))
        entries = (
            ifd.entry(256, 4, [70000], order),
            ifd.entry(258, 3, [8, 8, 8], order),
            ifd.Entry(271, 2, 6, b"Maker\0"),
            ifd.Entry(ifd.EXIF_IFD, 4, 1, children=child),
        )
        block, at = ifd.write_directory(entries, order, 8)
        mark = b"II*\0" if order == "<" else b"MM\0*"
        data = mark + struct.pack(f"{order}I", at) + block
        header = ifd.read_header(data)
        found, following = ifd.read_directory(data, header, header.first, ifd.POINTERS)
        assert following == 0
        flat = [(e.tag, e.type, e.count, e.raw) for e in found if e.children is None]
        assert flat == [(e.tag, e.type, e.count, e.raw) for e in entries if e.children is None]
        assert [c.raw for c in found[-1].children] == [c.raw for c in child]


@pytest.mark.parametrize(
    "data",
    [b"", b"II*\0", b"XX*\0\0\0\0\0", b"II\x2b\0\x08\0\0\0", b"II\x11\0\0\0\0\0"],
)
def test_what_is_no_tiff_structure_is_refused(data: bytes) -> None:
    with pytest.raises(ifd.BadStructureError):
        ifd.read_header(data)


def test_directories_that_loop_or_lie_outside_end() -> None:
    looping = b"II*\0" + struct.pack("<IHI", 8, 0, 8)
    header = ifd.read_header(looping)
    assert ifd.count_directories(looping, header) == 1
    with pytest.raises(ifd.BadStructureError):
        ifd.read_directory(looping, header, 500)
    with pytest.raises(ifd.BadStructureError, match="entries"):
        ifd.read_directory(b"II*\0" + struct.pack("<IH", 8, 65000) + bytes(50), header, 8)
    nested = b"II*\0" + struct.pack("<IHHHII", 8, 1, ifd.EXIF_IFD, 4, 1, 8) + bytes(4)
    with pytest.raises(ifd.BadStructureError, match="nested"):
        ifd.read_directory(nested, header, 8, ifd.POINTERS)


def test_more_than_4_gib_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        ifd.write_directory([ifd.Entry(1, 16, 1, struct.pack("<Q", 2**32))], "<", 8)
    with pytest.raises(OverflowError):
        ifd.write_directory([ifd.Entry(1, 2, 6, b"Maker\0")], "<", 2**32)


def test_meta_is_empty_by_default() -> None:
    assert Meta() == Meta(b"", b"", b"", None)

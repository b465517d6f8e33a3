"""Text and watermarks laid over photographs, with the truth beside them.

Typefaces, photographs and seeds for tuning (``dev``) and for reporting (``eval``) are kept apart. All random
numbers are PCG64; letters are drawn by Pillow and OpenCV, so their rims depend a little on versions.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", str(Path.home() / ".fonts"))
DEV_FAMILIES = ("DejaVu", "Liberation")
NOT_TEXT = ("D050000L", "StandardSymbols", "DroidSansFallback", "DejaVuMath", "Z003")
HERSHEY = {
    "dev": {"hershey-simplex": cv2.FONT_HERSHEY_SIMPLEX, "hershey-plain": cv2.FONT_HERSHEY_PLAIN},
    "eval": {"hershey-complex": cv2.FONT_HERSHEY_COMPLEX, "hershey-triplex": cv2.FONT_HERSHEY_TRIPLEX},
}
"""OpenCV's fonts are strokes of a pen."""

WORDS = {
    "dev": (
        "We never left the harbour that night.",
        "Summer holiday, day three",
        "- Are you coming or not?",
        "photo by m.keller",
        "SAMPLE PICTURE",
        "Lake district, evening light",
        "www.example.org/album",
        "Breaking: storm reaches the coast",
    ),
    "eval": (
        "I told you to wait for me here!",
        "Grandmother's 80th birthday",
        "Quick brown foxes jump over dogs",
        "@wanderer_91",
        "LIVE FROM THE MARKET",
        "Mount Baker seen from the south",
        "example.net - all we saw",
        "Tomorrow: sunny, 23 degrees",
    ),
}
COLOURS = (
    (255, 255, 255),
    (0, 0, 0),
    (255, 221, 0),
    (255, 140, 26),
    (230, 30, 40),
    (60, 220, 240),
    (40, 70, 200),
)
DECORATIONS = ("plain", "plain", "outline", "shadow")
QUALITIES = (None, 95, 88, 75)
LEGIBLE = 60
"""Grey levels (of 255, in the most different channel) that plain letters differ from what they cover."""

VISIBLE = 0.05
"""Share of the overlay above which a pixel counts as covered."""

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]


@dataclass(frozen=True)
class Damaged:
    """A photograph with something on it: what was there, what is there now, and where (True)."""

    name: str
    clean: Pixels
    image: Pixels
    truth: Hole
    style: str


def find_fonts(split: str, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Return name → file of the text typefaces of a split that this machine has; Hershey's have no file.

    Parameters
    ----------
    split : ``dev``: DejaVu and Liberation; ``eval``: all others.
    extra : further folders.
    """
    found: dict[str, str] = {}
    for folder in (*FONT_FOLDERS, *extra):
        for file in sorted(Path(folder).rglob("*.[to]tf")):
            mine = file.stem.startswith(DEV_FAMILIES) == (split == "dev")
            if mine and not file.stem.startswith(NOT_TEXT):
                found.setdefault(file.stem, str(file))
    if split == "eval":
        found["Aileron"] = ""
    return found | dict.fromkeys(HERSHEY[split], "")


def burn_text(photo: Path, split: str, fonts: dict[str, str], seed: int) -> Damaged:
    """Return a photograph with one to three lines of text burnt in."""
    clean = np.asarray(Image.open(photo).convert("RGB"))
    random = np.random.Generator(np.random.PCG64([zlib.crc32(photo.stem.encode()), seed]))
    for _ in range(50):
        layer, style = _lettering(clean.shape[:2], split, fonts, random)
        quality = QUALITIES[random.integers(len(QUALITIES))]
        if layer is not None and (not style.startswith("plain") or _legible(clean, layer)):
            break
    cover = layer[..., 3:] / np.float32(255)
    mixed = clean + cover * (layer[..., :3].astype(np.float32) - clean)
    image = np.round(mixed).astype(np.uint8)
    style += f" q{quality or '-'}"
    return Damaged(photo.stem, clean, as_jpeg(image, quality), cover[..., 0] >= VISIBLE, style)


def as_jpeg(image: Pixels, quality: int | None) -> Pixels:
    """Return what is left of a picture after JPEG."""
    if quality is None:
        return image
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def _lettering(
    shape: tuple[int, int], split: str, fonts: dict[str, str], random: np.random.Generator
) -> tuple[Pixels, str]:
    """Return (H, W, 4): colour and cover of a random piece of text, and its style in words."""
    height, width = shape
    font = sorted(fonts)[random.integers(len(fonts))]
    size = max(11, round(min(shape) * float(np.exp(random.uniform(np.log(0.04), np.log(0.15))))))
    colour = COLOURS[random.choice(len(COLOURS), p=(0.36, 0.14, 0.14, 0.12, 0.08, 0.08, 0.08))]
    decoration = DECORATIONS[random.integers(len(DECORATIONS))]
    text = _text(split, random)
    ink = _draw(text, font, fonts[font], size)
    while ink.shape[1] > width * 0.94 and size > 11:
        size = max(11, int(size * 0.85))
        ink = _draw(text, font, fonts[font], size)
    ink = ink[:, : int(width * 0.94)]
    top, left = _place(shape, ink.shape, random)
    cover = np.zeros(shape, dtype=np.uint8)
    cover[top : top + ink.shape[0], left : left + ink.shape[1]] = ink[: height - top, : width - left]
    layer = _decorated(cover, colour, decoration, max(1, round(size / 18)), random)
    return layer, f"{decoration} {font} {size}px #{bytes(colour).hex()}"


def _text(split: str, random: np.random.Generator) -> str:
    if random.random() < 0.3:
        year, month, day, hour, minute = (
            int(random.integers(*r)) for r in ((1990, 2026), (1, 13), (1, 29), (0, 24), (0, 60))
        )
        stamps = (
            f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}",
            f"{day:02}.{month:02}.{year}",
            f"'{year % 100:02} {month:2} {day:2}",
            f"{month:02}/{day:02}/{year} {hour % 12}:{minute:02} PM",
        )
        return stamps[random.integers(len(stamps))]
    lines = 1 + int(random.random() < 0.3)
    return "\n".join(WORDS[split][i] for i in random.choice(len(WORDS[split]), lines, replace=False))


def _draw(text: str, font: str, file: str, size: int) -> Pixels:
    """Return the ink of a text, 0 to 255, cut to its box."""
    lines = text.split("\n")
    if font.startswith("hershey"):
        kind = {**HERSHEY["dev"], **HERSHEY["eval"]}[font]
        thick = max(1, round(size / 14))
        scale = cv2.getFontScaleFromHeight(kind, max(6, round(size * 0.7)), thick)
        canvas = np.zeros((int(size * 1.6 * (len(lines) + 1)), size * 40), dtype=np.uint8)
        for i, line in enumerate(lines):
            at = (size, int(size * (1.3 + 1.4 * i)))
            cv2.putText(canvas, line, at, kind, scale, 255, thick, cv2.LINE_AA)
    else:
        face = ImageFont.truetype(file, size) if file else ImageFont.load_default(size)
        canvas_image = Image.new("L", (size * 40, int(size * 1.6 * (len(lines) + 1))))
        ImageDraw.Draw(canvas_image).multiline_text((size, size // 2), text, fill=255, font=face)
        canvas = np.asarray(canvas_image)
    rows, columns = np.nonzero(canvas.any(axis=1))[0], np.nonzero(canvas.any(axis=0))[0]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(shape: tuple[int, int], ink: tuple[int, ...], random: np.random.Generator) -> tuple[int, int]:
    """Return (top, left): below in the middle as subtitles, in a corner as stamps, or anywhere."""
    room = [max(0, s - i) for s, i in zip(shape, ink, strict=True)]
    edge = min(round(min(shape) * 0.03) + 3, *room)
    where = random.random()
    if where < 0.35:
        return room[0] - edge, room[1] // 2
    if where < 0.65:
        return (edge, room[0] - edge)[random.integers(2)], (edge, room[1] - edge)[random.integers(2)]
    return int(random.integers(0, room[0] + 1)), int(random.integers(0, room[1] + 1))


def _decorated(
    cover: Pixels, colour: tuple[int, ...], decoration: str, width: int, random: np.random.Generator
) -> Pixels:
    """Return (H, W, 4): the letters with a line around them, with a shadow, or as they are."""
    dark = sum(colour) < 300
    behind = np.zeros_like(cover)
    if decoration == "outline":
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2)
        behind = cv2.dilate(cover, kernel)
    elif decoration == "shadow":
        moved = np.roll(cover, (width, width), axis=(0, 1))
        moved[:width], moved[:, :width] = 0, 0
        blur = float(random.choice((0, 0.6, 1.2)))
        soft = Image.fromarray(moved).filter(ImageFilter.GaussianBlur(blur))
        behind = (np.asarray(soft) * np.float32(0.75)).astype(np.uint8)
    front, back = cover / np.float32(255), behind / np.float32(255)
    total = front + back * (1 - front)
    level = 255.0 if dark else 0.0
    mixed = front[..., None] * np.float32(colour) + (back * (1 - front))[..., None] * np.float32(level)
    mixed /= np.maximum(total, 1e-6)[..., None]
    return np.dstack([np.round(mixed), np.round(total * 255)]).astype(np.uint8)


def _legible(clean: Pixels, layer: Pixels) -> bool:
    """Return whether plain letters stand out from what they cover, nearly everywhere."""
    ink = layer[..., 3] > 128
    away = np.abs(clean[ink].astype(int) - layer[ink][:, :3]).max(axis=1)
    return bool(np.percentile(away, 15) >= LEGIBLE)


WATERMARKS = ("tiles", "word", "logo", "stamp", "dust")


def watermark(
    kind: str, side: int, split: str, fonts: dict[str, str], seed: int
) -> tuple[NDArray[np.float32], Pixels]:
    """Return an overlay for square pictures: its cover (side, side), 0 to 1, and its colour.

    Parameters
    ----------
    kind : ``tiles`` a word all over, turned, 30 % · ``word`` a large one, turned, 40 % · ``logo`` a ring with
        a square, 50 % · ``stamp`` an opaque orange date · ``dust`` six soft dark specks.
    """
    random = np.random.Generator(np.random.PCG64([zlib.crc32(kind.encode()), seed]))
    font = sorted(fonts)[random.integers(len(fonts))]
    white = np.full(3, 255, np.uint8)
    cover = np.zeros((side, side), np.uint8)
    words = {"dev": "SAMPLE", "eval": "Preview only"}[split]
    if kind == "tiles":
        ink = Image.fromarray(_draw(words.upper(), font, fonts[font], side // 14))
        sheet = Image.new("L", (2 * side, 2 * side))
        for row, y in enumerate(range(0, 2 * side, side // 4)):
            for x in range(row % 2 * side // 8, 2 * side, int(1.5 * ink.width)):
                sheet.paste(ink, (x, y))
        half = side // 2
        turned = sheet.rotate(30, resample=Image.Resampling.BICUBIC)
        return np.asarray(turned.crop((half, half, half + side, half + side))) * np.float32(0.3 / 255), white
    if kind == "word":
        ink = Image.fromarray(_draw(words, font, fonts[font], side // (8 if split == "eval" else 6)))
        sheet = Image.new("L", (side, side))
        sheet.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
        return np.asarray(sheet.rotate(20, resample=Image.Resampling.BICUBIC)) * np.float32(0.4 / 255), white
    if kind == "logo":
        centre, radius = side - side // 5, side // 9
        cv2.circle(cover, (centre, centre), radius, 255, -1, cv2.LINE_AA)
        cv2.circle(cover, (centre, centre), radius // 2, 0, -1, cv2.LINE_AA)
        cv2.rectangle(cover, (centre - radius // 5,) * 2, (centre + radius // 5,) * 2, 255, -1)
        return cover * np.float32(0.5 / 255), white
    if kind == "stamp":
        ink_pixels = _draw("2019-07-04 18:22", font, fonts[font], side // 16)
        high, broad = ink_pixels.shape
        cover[side - high - 10 : side - 10, side - broad - 10 : side - 10] = ink_pixels
        return cover / np.float32(255), np.array([255, 140, 26], np.uint8)
    y, x = np.mgrid[:side, :side]
    specks = np.zeros((side, side), np.float32)
    for _ in range(6):
        top, left = random.uniform(0.06 * side, 0.94 * side, 2)
        far = np.hypot(y - top, x - left) / random.uniform(0.012 * side, 0.028 * side)
        specks = np.maximum(specks, 0.35 * np.clip(1.6 - far, 0, 1).astype(np.float32))
    return specks, np.zeros(3, np.uint8)


def marked_series(
    photos: list[Path], side: int, cover: NDArray[np.float32], colour: Pixels, seed: int
) -> list[Pixels]:
    """Return the middle of each photograph with an overlay, saved as JPEG or not."""
    random = np.random.Generator(np.random.PCG64(seed))
    marked = []
    for photo in photos:
        pixels = np.asarray(Image.open(photo).convert("RGB"))
        top, left = ((s - side) // 2 for s in pixels.shape[:2])
        clean = pixels[top : top + side, left : left + side]
        mixed = clean + cover[..., None] * (colour.astype(np.float32) - clean)
        quality = QUALITIES[random.integers(len(QUALITIES))]
        marked.append(as_jpeg(np.round(mixed).astype(np.uint8), quality))
    return marked

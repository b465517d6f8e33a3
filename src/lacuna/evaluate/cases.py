"""Which hole belongs to which picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lacuna.errors import ImageError, MaskError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
SHOWN = 12
"""Names that a message lists before it says how many more there are."""


@dataclass(frozen=True, order=True)
class Case:
    """One picture with one hole; paths relative to the two folders, with forward slashes.

    Parameters
    ----------
    kind : the mask's folder below the masks' folder, empty if there is none: ``narrow``, ``wide``, ….
    """

    kind: str
    image: str
    mask: str

    @property
    def fill(self) -> str:
        """Where the fill lies below a method's folder, without ending; unique."""
        return f"{self.image}/{Path(self.mask).with_suffix('').as_posix()}"


def find_cases(images: Path, masks: Path, *, allow_unmatched: bool = False) -> tuple[list[Case], list[str]]:
    """Return every picture with each of its masks, sorted, and notes on what was left out.

    The masks of ``photo.jpg`` are ``photo.png``, ``photo.mask.png`` and ``photo_mask….png``, whatever
    the suffix. Folders below ``masks`` are kinds of holes, each a set of its own; if the pictures lie in
    folders too, the end of the mask's folder must be the picture's. If both folders are the same, files named
    as masks are masks.

    Raises
    ------
    ImageError : no picture, or no such folder.
    MaskError : no mask, or names without a partner (listed) unless ``allow_unmatched``.
    """
    pictures = _files(images, "images", ImageError)
    drawn = _files(masks, "masks", MaskError)
    if images.resolve() == masks.resolve():
        drawn = [path for path in pictures if _is_mask_name(path)]
        pictures = [path for path in pictures if not _is_mask_name(path)]
    if not pictures:
        raise ImageError(f"no pictures in {images}; expected files that end in {', '.join(SUFFIXES)}")
    if not drawn:
        raise MaskError(f"no masks in {masks}; expected files that end in {', '.join(SUFFIXES)}")
    by_stem: dict[str, list[Path]] = {}
    for picture in pictures:
        by_stem.setdefault(picture.stem, []).append(picture)
    cases, lonely_masks = [], []
    for mask in drawn:
        partners = _partners(mask, by_stem)
        cases += [Case(_kind(mask, picture), picture.as_posix(), mask.as_posix()) for picture in partners]
        lonely_masks += [] if partners else [mask.as_posix()]
    matched = {case.image for case in cases}
    lonely = [path.as_posix() for path in pictures if path.as_posix() not in matched]
    notes = _told(lonely, "without a mask") + _told(lonely_masks, "without a picture")
    if notes and (not allow_unmatched or not cases):
        raise MaskError(
            f"pictures and masks do not match: {'; '.join(notes)}; a mask has the stem of its picture"
            + ("" if not cases else ", or leave them out with --allow-unmatched")
        )
    return sorted(cases), notes


def list_pictures(images: Path) -> list[Path]:
    """Return the pictures of a folder, relative to it, without files that are named as masks.

    Raises
    ------
    ImageError : no picture, or no such folder.
    """
    found = [path for path in _files(images, "images", ImageError) if not _is_mask_name(path)]
    if not found:
        raise ImageError(f"no pictures in {images}; expected files that end in {', '.join(SUFFIXES)}")
    return found


def _files(folder: Path, what: str, error: type[ImageError] | type[MaskError]) -> list[Path]:
    if not folder.is_dir():
        raise error(f"the folder of {what}, {folder}, does not exist")
    return sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def _is_mask_name(path: Path) -> bool:
    return path.stem.endswith(".mask") or "_mask" in path.stem


def _partners(mask: Path, by_stem: dict[str, list[Path]]) -> list[Path]:
    stem = mask.stem
    candidates = by_stem.get(stem) or by_stem.get(stem.removesuffix(".mask"))
    if not candidates and "_mask" in stem:
        candidates = by_stem.get(stem.rpartition("_mask")[0])
    return [c for c in candidates or [] if _ends_with(mask.parent.parts, c.parent.parts)]


def _ends_with(parts: Sequence[str], end: Sequence[str]) -> bool:
    return not end or tuple(parts[-len(end) :]) == tuple(end)


def _kind(mask: Path, picture: Path) -> str:
    parts = mask.parent.parts
    return "/".join(parts[: len(parts) - len(picture.parent.parts)])


def _told(names: Iterable[str], what: str) -> list[str]:
    names = list(names)
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}"]

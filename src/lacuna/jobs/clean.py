"""Clean pictures: captions and stamps laid over one, or the overlay that a whole folder has in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lacuna.detect.detection import Detection, Region, check_sensitivity, region_mask
from lacuna.detect.repeated import FEWEST, find_repeated
from lacuna.detect.text import find_text
from lacuna.errors import ImageError, LimitError, MaskError, MethodError, OptionError, OutputError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, Saved, open_image
from lacuna.image.writing import SUFFIXES
from lacuna.inpainting import Inpainter, Result
from lacuna.jobs.found import Found
from lacuna.progress import report, scaled
from lacuna.task import Blend
from lacuna.types import Hole, OnStep

KINDS = ("text", "repeated")
"""What can be looked for."""

MOST = 0.5
"""More than this share of a picture is no overlay: what would be left is mostly invention."""

READABLE = (*SUFFIXES, ".gif", ".ppm", ".pgm", ".avif")
"""Endings of the files that are taken from a folder."""


def clean(
    image: Any,
    *,
    what: Sequence[str] = ("text",),
    overlay: Detection | None = None,
    sensitivity: float = 0.5,
    region: Region = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
) -> Found:
    """Find what was laid over a picture.

    Marks of ownership may only be removed by those who have the right to.

    Parameters
    ----------
    image : whatever `lacuna.image.open_image` takes.
    what : ``"text"``, ``"repeated"`` or both.
    overlay : what `learn` found in the series that the picture is from; needed for ``"repeated"``.
    sensitivity : 0 (only what is certain) to 1 (whatever looks like it), for text.
    region : bool (H, W) or a box (top, left, bottom, right); where to look.
    max_pixels : refuse larger files.

    Returns
    -------
    What was found; empty where nothing was.

    Raises
    ------
    ImageError : the picture is unreadable, or not of the overlay's size.
    MaskError : the region does not fit, or nearly everything was found.
    OptionError : a setting that cannot be used.

    Examples
    --------
    >>> clean(np.full((60, 80), 90, dtype=np.uint8)).words
    ('found no text',)
    """
    kinds = _kinds(what)
    check_sensitivity(sensitivity)
    if "repeated" in kinds and overlay is None:
        raise OptionError(
            f"what repeats shows only in {FEWEST} or more pictures; learn an overlay from them first, or "
            "look for text alone"
        )
    picture = open_image(image, max_pixels=max_pixels)
    inside = _inside(picture, region)
    found: dict[str, Detection] = {}
    if "text" in kinds:
        found["text"] = find_text(picture.image, sensitivity=sensitivity, region=inside)
    if "repeated" in kinds and overlay is not None:
        found["repeated"] = _fitting(overlay, picture, inside)
    hole = _together(found, picture)
    words = tuple(describe(kind, one) for kind, one in found.items())
    facts = {kind: facts_of(one) for kind, one in found.items()}
    return Found(job="clean", picture=picture, hole=hole, words=words, facts=facts)


def learn(
    images: Sequence[Any],
    *,
    sensitivity: float = 0.5,
    region: Region = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_step: OnStep | None = None,
) -> Detection:
    """Find the overlay that a series of pictures has in common; see `lacuna.detect.find_repeated`.

    Raises
    ------
    MaskError : nearly everything is the same in all of them.
    """
    overlay = find_repeated(
        images, sensitivity=sensitivity, region=region, max_pixels=max_pixels, on_step=on_step
    )
    if overlay.share > MOST:
        raise MaskError(
            f"{100 * overlay.share:.0f} % of these pictures is the same in all of them, and at most "
            f"{100 * MOST:.0f} % can be an overlay: they show one scene, or the sensitivity is too high"
        )
    return overlay


@dataclass(frozen=True, eq=False)
class Cleaned:
    """One picture of a series.

    Parameters
    ----------
    source, target : its file, and the one that was written (None: nothing was).
    found : what was found in it; None if it could not be read.
    result, saved : the fill; None for a dry run, or with an error.
    error : why it was left out.
    """

    source: Path
    target: Path | None
    found: Found | None = None
    result: Result | None = None
    saved: Saved | None = None
    error: ImageError | LimitError | MaskError | None = None


def clean_series(
    sources: Sequence[Path],
    folder: Path | None,
    *,
    filler: Inpainter | None = None,
    what: Sequence[str] = ("repeated",),
    overlay: Detection | None = None,
    sensitivity: float = 0.5,
    region: Region = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    overwrite: bool = False,
    quality: int | None = None,
    seed: int = 0,
    blend: Blend = "hard",
    context: float = 0.5,
    on_step: OnStep | None = None,
) -> Iterator[Cleaned]:
    """Clean one picture after the other and write each into a folder, under its own name.

    A picture that cannot be read, or in which nearly everything was found, is reported and the others go on.

    Parameters
    ----------
    sources : files, with different names.
    folder : where results go, made if it does not exist; None: only look.
    filler : the method; None is ``auto``.
    what, overlay, sensitivity, region, max_pixels : see `clean`.
    overwrite, quality : see `lacuna.Result.save`.
    seed, blend, context, on_step : see `lacuna.inpaint`.

    Raises
    ------
    OptionError : two files of one name.
    OutputError : the folder or a file cannot be written; what was written before stays.
    """
    targets = None if folder is None else names_in(folder, sources)
    filler = filler or Inpainter()
    for i, source in enumerate(sources):
        step = scaled(on_step, i / len(sources), (i + 1) / len(sources))
        report(step, 0.0, f"cleaning {source.name}")
        target = None if targets is None else targets[i]
        try:
            found = clean(
                source,
                what=what,
                overlay=overlay,
                sensitivity=sensitivity,
                region=region,
                max_pixels=max_pixels,
            )
        except (ImageError, LimitError, MaskError) as error:
            yield Cleaned(source, None, error=error)
            continue
        if target is None:
            yield Cleaned(source, None, found)
            continue
        result = found.fill(filler, seed=seed, blend=blend, context=context, on_step=scaled(step, 0.3, 1.0))
        if result.changed_outside:
            raise MethodError(
                f"method {result.method!r} changed {result.changed_outside} known pixels of {source.name}; "
                "it was not written"
            )
        _make(target.parent)
        saved = result.save(target, overwrite=overwrite, quality=quality)
        yield Cleaned(source, target, found, result, saved)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror or error}") from error


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name; folders in it are not entered.

    Raises
    ------
    ImageError : not a folder, or no pictures in it.
    """
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix.lower() in READABLE and one.is_file())
    except OSError as error:
        raise ImageError(f"{folder} cannot be read: {error.strerror or error}") from error
    if not files:
        raise ImageError(f"no pictures in {folder}; looked for {' '.join(SUFFIXES)} and others")
    return files


def names_in(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """Return where each picture goes: its own name in a folder; formats that are only read become PNG.

    Raises
    ------
    OptionError : two of them would have one name.
    """
    targets = [
        folder / (one.name if one.suffix.lower() in SUFFIXES else f"{one.stem}.png") for one in sources
    ]
    seen: dict[Path, Path] = {}
    for source, target in zip(sources, targets, strict=True):
        if target in seen:
            raise OptionError(
                f"{seen[target]} and {source} would both be written as {target}; clean them apart"
            )
        seen[target] = source
    return targets


def _kinds(what: Sequence[str]) -> list[str]:
    kinds = list(dict.fromkeys([what] if isinstance(what, str) else what))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        seen = repr(unknown[0]) if unknown else "nothing"
        raise OptionError(f"what to clean is {seen}; expected {' or '.join(map(repr, KINDS))}, or both")
    return kinds


def _inside(picture: Picture, region: Region) -> Hole | None:
    """Return where to look: in the region, and never at what is fully transparent."""
    inside = region_mask(region, picture.shape)
    if picture.known.all():
        return inside
    if not picture.known.any():
        raise ImageError("the picture is fully transparent: there is nothing in it to look at")
    return picture.known if inside is None else inside & picture.known


def _fitting(overlay: Detection, picture: Picture, inside: Hole | None) -> Detection:
    if overlay.mask.shape != picture.shape:
        height, width = overlay.mask.shape
        raise ImageError(f"the picture is {picture.size}, the overlay was learned from {width}x{height}")
    return overlay if inside is None else overlay.within(inside)


def _together(found: Mapping[str, Detection], picture: Picture) -> Hole:
    """Return everything that was found.

    Raises
    ------
    MaskError : it is nearly everything.
    """
    masks = [one.mask for one in found.values()]
    hole = masks[0].copy()
    for mask in masks[1:]:
        hole |= mask
    share = float(hole.mean())
    if share > MOST:
        raise MaskError(
            f"{100 * share:.0f} % of the picture would be replaced, and {100 * MOST:.0f} % at most can be an "
            "overlay; lower the sensitivity, or give a region"
        )
    return hole


_NOTHING = {"text": "found no text", "repeated": "found nothing that repeats"}


def describe(kind: str, found: Detection) -> str:
    """Return what was found of a kind, for people."""
    if not found.mask.any():
        return _NOTHING[kind]
    rows, columns = (np.flatnonzero(found.mask.any(axis=axis)) for axis in (1, 0))
    where = f"x {columns[0]} to {columns[-1] + 1}, y {rows[0]} to {rows[-1] + 1}"
    name = "text" if kind == "text" else "an overlay that repeats"
    sure = float(found.confidence[found.mask].mean())
    return f"found {name}: {100 * found.share:.2f} % of the picture, {where}, confidence {sure:.2f}"


def facts_of(found: Detection) -> dict[str, Any]:
    """Return what was found, fit for JSON."""
    pixels = int(found.mask.sum())
    sure = float(found.confidence[found.mask].mean()) if pixels else 0.0
    return {
        "pieces": found.pieces,
        "pixels": pixels,
        "share": round(found.share, 6),
        "confidence": round(sure, 4),
        "notes": list(found.notes),
    }

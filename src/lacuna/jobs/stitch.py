"""Stitch: overlapping pictures become one, and the empty border is filled instead of cut away."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import DeviceOutOfMemoryError, ImageError, LimitError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, on_canvas, open_image
from lacuna.image.container import pixels_in_words
from lacuna.image.depth import full_scale
from lacuna.jobs.found import Found
from lacuna.progress import report, run_interruptible, scaled
from lacuna.types import Hole, OnStep

Mode = Literal["panorama", "scans"]

MOST = 4.0
"""A panorama of more than so many times the pixels of its pictures is a mistake."""

SMALLEST = 32
"""Pixels a side: in less there is nothing to recognise, and OpenCV fails."""

TOO_SMALL = 0.5
"""So is one of less than this share of the smallest of them: that would be an angle of view beyond 110°."""

LEAST = 0.97
"""One of less than this share was seen by a wide lens, or is made up of pictures that hardly differ."""

FLAT, NEAR, ALIKE = 0.75, 2.0, 20
"""Pictures are flat if this share of the places that fit a homography, within so many pixels, fit an affine
map too. Copies and shifts have 0.83 and more, views of a camera that turned by 2° and more at most 0.64. With
fewer places than the last two pictures do not overlap."""

_SEED = 20240229
_Rgb = NDArray[np.uint8]
_Points = NDArray[np.float32]


def stitch(
    images: Iterable[Any],
    *,
    mode: Mode = "panorama",
    crop: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_step: OnStep | None = None,
) -> Found:
    """Put overlapping pictures together on a canvas, whose empty border is the hole.

    Parameters
    ----------
    images : two or more, in any order; whatever `lacuna.image.open_image` takes, opaque.
    mode : ``"panorama"`` for a camera that turned, ``"scans"`` for flat things that were moved.
    crop : cut the largest full rectangle out instead; nothing is missing then.
    max_pixels : refuse larger files, and a larger canvas.
    on_step : progress out, cancellation in.

    Returns
    -------
    The canvas, with the file format, profile and metadata of the first picture.

    Raises
    ------
    OptionError : fewer than two pictures, or no such mode.
    ImageError : pictures that do not overlap, by name; one that is partly transparent or too small.
    LimitError : a canvas of more than ``max_pixels``.

    Notes
    -----
    The work is OpenCV's, which follows [1]_ and blends in 8 bits: deeper pictures come out with 256 levels,
    and that is said. Pictures that are nearly the same do not tell the camera's angle of view: OpenCV then
    refuses, or takes one that shrinks everything, to a single pixel even. Where a panorama fails or comes
    out smaller than its pictures, and a shift explains them as well as a turn does, they are put together as
    ``"scans"``, and that is said too.

    References
    ----------
    .. [1] Brown & Lowe, Automatic Panoramic Image Stitching using Invariant Features, Int. J. Comput. Vis.
       74(1), 2007, doi:10.1007/s11263-006-0002-3.
    """
    if mode not in get_args(Mode):
        raise OptionError(f"mode is {mode!r}; expected {' or '.join(map(repr, get_args(Mode)))}")
    one = isinstance(images, str | bytes | os.PathLike | np.ndarray)
    images = [images] if one else list(images)
    if len(images) < 2:
        raise OptionError("stitching takes two pictures or more; one is a panorama already")
    pictures = [open_image(image, max_pixels=max_pixels) for image in images]
    names = [_name(picture, number) for number, picture in enumerate(pictures, 1)]
    for picture, name in zip(pictures, names, strict=True):
        if not _is_opaque(picture):
            raise ImageError(f"{name} is partly transparent; stitching takes opaque pictures")
        if min(picture.shape) < SMALLEST:
            raise ImageError(
                f"{name} is {picture.size}; stitching takes pictures of {SMALLEST} pixels a side or more"
            )
    shots = [_eight_bits(one) for one in pictures]
    pixels, empty, used = _put_together(shots, names, mode, max_pixels, on_step)
    return _delivered(pictures, names, pixels, empty, used, crop=crop, instead=used != mode)


def _put_together(
    images: list[_Rgb], names: list[str], mode: Mode, max_pixels: int | None, on_step: OnStep | None
) -> tuple[_Rgb, Hole, Mode]:
    """Return the canvas, where it has nothing, and the mode, which may turn out to be another than wanted."""
    made: tuple[_Rgb, Hole] | ImageError
    try:
        made = _composed(images, names, mode, max_pixels, on_step)
    except ImageError as error:
        made = error
    least = LEAST * min(image[..., 0].size for image in images)
    doubtful = isinstance(made, ImageError) or made[1].size < least
    if mode == "panorama" and doubtful and _are_flat(images):
        with contextlib.suppress(ImageError):
            return *_composed(images, names, "scans", max_pixels, scaled(on_step, 0.8, 1.0)), "scans"
    if isinstance(made, ImageError):  # why it is no panorama: that is what was asked for
        raise made
    return *made, mode


def _are_flat(images: list[_Rgb]) -> bool:
    """Say whether pictures differ as flat things do that were moved, so that no camera need have turned.

    A turn that is seen moves the middle of a picture less than its edges. Where it is not seen, nothing tells
    the angle of view, which a panorama is drawn by.
    """
    features = [_features(image) for image in images]
    shares = [_flat_share(a, b) for a, b in itertools.combinations(features, 2)]
    seen = [share for share in shares if share is not None]
    return bool(seen) and min(seen) >= FLAT


def _features(image: _Rgb) -> tuple[_Points, Any]:
    """Return places (N, 2), and what is there, (N, 32); of a large picture made smaller."""
    import cv2

    scale = min(1.0, (5e5 / image[..., 0].size) ** 0.5)
    if scale < 1:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = small.astype(np.uint8, copy=False)
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    orb: Any = cv2.ORB.create(1500)
    found, what = orb.detectAndCompute(grey, None)
    return np.array([one.pt for one in found], dtype=np.float32).reshape(-1, 2), what


def _flat_share(a: tuple[_Points, Any], b: tuple[_Points, Any]) -> float | None:
    """Return how many of the places that fit a homography fit an affine map; None: the two do not overlap."""
    import cv2

    if min(len(a[0]), len(b[0])) < ALIKE:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(a[1], b[1])
    first, second = a[0][[m.queryIdx for m in pairs]], b[0][[m.trainIdx for m in pairs]]
    if len(pairs) < ALIKE:
        return None
    _, seen = cv2.findHomography(first, second, cv2.RANSAC, NEAR)
    _, flat = cv2.estimateAffine2D(first, second, method=cv2.RANSAC, ransacReprojThreshold=NEAR)
    if seen is None or flat is None or seen.sum() < ALIKE:
        return None
    return float(flat.sum() / seen.sum())


def _name(picture: Picture, number: int) -> str:
    path = picture.container.path if picture.container is not None else None
    return str(path) if path is not None else f"picture {number}"


def _is_opaque(picture: Picture) -> bool:
    return picture.alpha is None or bool((picture.alpha == full_scale(picture.alpha.dtype)).all())


def _eight_bits(picture: Picture) -> _Rgb:
    """Return (H, W, 3), the only thing that the stitcher takes."""
    rgb = np.repeat(picture.image, 3 // picture.image.shape[2], axis=2)
    return np.ascontiguousarray(np.rint(rgb * 255).astype(np.uint8))


def _composed(
    images: list[_Rgb], names: list[str], mode: Mode, max_pixels: int | None, on_step: OnStep | None
) -> tuple[_Rgb, Hole]:
    """Return the panorama and where it has nothing."""
    import cv2

    kind = cv2.Stitcher_PANORAMA if mode == "panorama" else cv2.Stitcher_SCANS
    stitcher = cv2.Stitcher.create(kind)

    def call(work: Any, start: float, stop: float, words: str) -> Any:
        report(on_step, start, words)
        try:
            return run_interruptible(work, scaled(on_step, start, stop), words)
        except cv2.error as error:
            if error.code == cv2.Error.StsNoMem:
                raise DeviceOutOfMemoryError("memory ran out while the pictures were put together") from error
            raise ImageError(f"the pictures cannot be put together: {error.err}") from error

    status = call(lambda: _fit(stitcher, images), 0.0, 0.4, "looking for overlap")
    used = sorted(int(i) for i in np.ravel(stitcher.component())) if status == 0 else []
    if status != 0 or len(used) < len(images):
        raise ImageError(_apart(images, names, used, mode, status))
    status, pixels = call(stitcher.composePanorama, 0.4, 0.8, "blending")
    if status != 0:
        raise ImageError(f"the pictures overlap, but cannot be put together (OpenCV says {status})")
    area = pixels.shape[0] * pixels.shape[1]
    areas = [image.shape[0] * image.shape[1] for image in images]
    if not TOO_SMALL * min(areas) <= area <= MOST * sum(areas):
        raise ImageError(
            f"{_listed(names)} do not fit together: they would make a canvas of "
            f"{pixels.shape[1]}x{pixels.shape[0]}; do they overlap, and is the mode right?"
        )
    if max_pixels is not None and area > max_pixels:
        raise LimitError(
            f"the canvas is {pixels.shape[1]}x{pixels.shape[0]}; the limit is {pixels_in_words(max_pixels)}"
        )
    # OpenCV does not tell where it painted; white pictures in the same places do.
    white = [np.full_like(image, 255) for image in images]
    status, painted = call(lambda: stitcher.composePanorama(white), 0.8, 1.0, "finding the border")
    if status != 0 or painted.shape != pixels.shape:
        raise ImageError("OpenCV lost the border of the panorama")
    return np.ascontiguousarray(pixels), np.asarray(painted.min(axis=-1) < 250)


def _fit(stitcher: Any, images: list[_Rgb]) -> int:
    """Look for overlap; return OpenCV's status, 0 if all is well."""
    import cv2

    # It looks for agreement among random matches, and every thread has a generator of its own.
    cv2.setRNGSeed(_SEED)
    return int(stitcher.estimateTransform(images))


def _apart(images: list[_Rgb], names: list[str], used: list[int], mode: Mode, status: int) -> str:
    """Return which pictures have no overlap with any other one."""
    import cv2

    kinds = [cv2.Stitcher_SCANS] if mode == "scans" else [cv2.Stitcher_PANORAMA, cv2.Stitcher_SCANS]
    lonely = [i for i in range(len(images)) if i not in used]
    if not used and len(images) > 2:
        touching: set[int] = set()
        for i in range(len(images)):
            for j in range(i + 1, len(images)):
                pair = [images[i], images[j]]
                if any(_fit(cv2.Stitcher.create(kind), pair) == 0 for kind in kinds):
                    touching |= {i, j}
        lonely = [i for i in lonely if i not in touching] or lonely
    if len(lonely) == len(images) and status == cv2.Stitcher_ERR_NEED_MORE_IMGS:
        return (
            f"no overlap is found between {_listed(names)}; about a third of each picture should show the "
            "same things as the next one"
        )
    if len(lonely) == len(images):
        if mode == "scans":
            return f"{_listed(names)} overlap, but do not fit together as flat things; try --mode panorama"
        return f"{_listed(names)} overlap, but fit together neither as a panorama nor as flat things"
    verb = "overlaps" if len(lonely) == 1 else "overlap"
    return f"{_listed([names[i] for i in lonely])} {verb} with none of the other pictures; leave it out"


def _listed(names: list[str]) -> str:
    """Return names in words.

    Examples
    --------
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _delivered(
    pictures: list[Picture],
    names: list[str],
    pixels: _Rgb,
    empty: Hole,
    mode: Mode,
    *,
    crop: bool,
    instead: bool = False,
) -> Found:
    """Return the canvas and what is to be said of it; ``instead``: a panorama was asked for."""
    if crop:
        from lacuna.jobs.resample import largest_rectangle  # its kernel takes numba

        top, left, bottom, right = largest_rectangle(~empty)
        if not bottom:
            raise ImageError("nothing of the panorama is left to be cut out")
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        empty = np.zeros(pixels.shape[:2], dtype=np.bool_)
    first = pictures[0]
    notes = (
        ["they make no panorama, so they were put together as flat pictures (mode scans)"] if instead else []
    )
    if any(picture.pixels.dtype != np.uint8 for picture in pictures):
        notes.append("OpenCV stitches in 8 bits: the finer levels are lost")
    if any(picture.icc != first.icc for picture in pictures):
        notes.append(f"the pictures have different colour profiles; that of {names[0]} was kept")
    if all(picture.colour.shape[2] == 1 for picture in pictures):
        pixels = np.ascontiguousarray(pixels[..., 0])
    if len({name for name in names}) < len(names):
        notes.append("a picture was given twice")
    canvas = on_canvas(first, pixels, tuple(notes))
    how = "cut to the largest full rectangle" if crop else f"{100 * empty.mean():.1f} % of it is empty"
    words = f"{len(pictures)} pictures fit together: {canvas.size}, {how}"
    facts = {"pictures": [Path(name).name for name in names], "mode": mode, "crop": crop}
    return Found("stitch", canvas, empty, (words,), facts)

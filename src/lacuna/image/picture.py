"""A picture between the doors: native pixels, upright, with everything that is needed to give them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from lacuna.errors import MaskError, MethodError
from lacuna.image import depth
from lacuna.image.container import Container, Pixels, has_alpha
from lacuna.types import Box, FloatImage, Hole

Kind = Literal["file", "pil", "array"]


@dataclass(frozen=True, eq=False)
class Picture:
    """Native pixels, upright, and the way back to what was given.

    Parameters
    ----------
    pixels : (H, W) or (H, W, C), alpha included, in the type that was given. Read-only.
    kind : where it came from, hence what `native` returns.
    notes : what was converted on the way in.
    container : the file's other contents; None for arrays and PIL images.
    info : a PIL image's ``info``; None for others.
    original : the pixels before `composite`; None for a picture that was only opened.
    """

    pixels: Pixels
    kind: Kind
    notes: tuple[str, ...] = ()
    container: Container | None = None
    info: Mapping[Any, Any] | None = field(default=None, repr=False)
    original: Pixels | None = field(default=None, repr=False)
    _scales: dict[int, depth.Scale] = field(default_factory=dict, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def size(self) -> str:
        """``WIDTHxHEIGHT``, as messages say it."""
        return f"{self.pixels.shape[1]}x{self.pixels.shape[0]}"

    @property
    def colour(self) -> Pixels:
        """(H, W, C), C = 1 or 3: a view of the pixels without alpha."""
        return colour_of(self.pixels)

    @property
    def alpha(self) -> Pixels | None:
        """(H, W), native, or None: a view."""
        return self.pixels[..., -1] if has_alpha(self.pixels) else None

    @property
    def icc(self) -> bytes:
        """The colour profile, or nothing."""
        if self.container is not None:
            return self.container.meta.icc
        return bytes((self.info or {}).get("icc_profile") or b"")

    @cached_property
    def known(self) -> Hole:
        """(H, W). False where the picture is fully transparent: never a source."""
        alpha = self.alpha
        known = np.ones(self.shape, dtype=np.bool_) if alpha is None else alpha != 0
        known.setflags(write=False)
        return known

    @cached_property
    def image(self) -> FloatImage:
        """(H, W, 1 or 3), canon, read-only, without a hole: for showing. NaN comes out as 0."""
        if self.pixels.dtype.kind != "f":
            return self.canon()
        finite = np.isfinite(self.colour)
        return self.canon(np.asarray(~finite.all(axis=-1)))

    def alpha_hole(self) -> Hole:
        """Return the hole that full transparency makes: True where alpha is 0.

        Raises
        ------
        MaskError : the picture has no alpha.
        """
        if self.alpha is None:
            raise MaskError("the picture has no alpha channel to take the mask from; give a mask")
        return ~self.known

    def canon(self, hole: Hole | None = None, box: Box | None = None) -> FloatImage:
        """Return the picture, or one box of it, as canon.

        The scale of floats beyond [0, 1] and of signed integers is that of the known pixels of the whole
        picture, which is why the hole has to be given; see `lacuna.image.depth`.

        Parameters
        ----------
        hole : (H, W). True is missing; what lies under it may be anything, NaN included.
        box : the part wanted. None: everything.

        Returns
        -------
        (h, w, 1 or 3), [0, 1], new and read-only.

        Raises
        ------
        ImageError : a known pixel is NaN or infinite.
        """
        top, left, bottom, right = box or (0, 0, *self.shape)
        canon = depth.decode(self.colour[top:bottom, left:right], self._scale(hole))
        canon.setflags(write=False)
        return canon

    def composite(
        self, fill: FloatImage, hole: Hole, *, weight: FloatImage | None = None, opaque: bool = False
    ) -> Picture:
        """Return a new picture: the hole from the fill, every other pixel copied bit for bit.

        Parameters
        ----------
        fill : (H, W, 1 or 3), [0, 1], canon as `canon` gave it.
        hole : (H, W). True is missing.
        weight : (H, W), [0, 1]. Share of the fill in known pixels near the rim (feather); inside the hole it
            counts as 1. None: known pixels stay exactly as they are.
        opaque : make the hole opaque where the picture has alpha; otherwise alpha stays as it is.
        """
        return self.paste([((0, 0, *self.shape), fill)], hole, weight=weight, opaque=opaque)

    def paste(
        self,
        parts: Iterable[tuple[Box, FloatImage]],
        hole: Hole,
        *,
        weight: FloatImage | None = None,
        opaque: bool = False,
    ) -> Picture:
        """Return a new picture with several boxes filled; see `composite`. Each fill is as large as its box.

        Raises
        ------
        MethodError : a fill has the wrong shape, or NaN or infinity inside the hole.
        """
        hole = self.check_hole(hole)
        scale = self._scale(hole)
        out = self.pixels.copy(order="C")
        for box, fill in parts:
            _paste(colour_of(out), box, fill, hole, weight, scale)
        if opaque and has_alpha(out):
            out[..., -1][hole] = depth.full_scale(out.dtype)
        out.setflags(write=False)
        before = self.pixels if self.original is None else self.original
        return replace(self, pixels=out, original=before)

    def native(self) -> Any:
        """Return the picture as the kind that was given.

        An array for arrays (same shape and type, new, writable) and for files (upright); a PIL image with the
        same mode and info for PIL images.
        """
        if self.kind == "pil":
            from lacuna.image.pil import to_pil

            return to_pil(self.pixels, self.info or {})
        return self.pixels.copy(order="C")

    def check_hole(self, hole: Hole) -> Hole:
        """Return the hole if it fits.

        Raises
        ------
        MaskError : wrong shape or type.
        """
        if hole.dtype != np.bool_ or hole.shape != self.shape:
            raise MaskError(f"a hole is bool {self.shape}, True = missing; got {hole.dtype} {hole.shape}")
        return hole

    def _scale(self, hole: Hole | None) -> depth.Scale:
        if depth.is_fixed(self.pixels.dtype):
            return depth.Scale(0.0, depth.full_scale(self.pixels.dtype))
        known = self.known if hole is None else self.known & ~self.check_hole(hole)
        # One look at all pixels serves every box of the same hole.
        key = hash(np.packbits(known).tobytes())
        if key not in self._scales:
            self._scales[key] = depth.scale_for(self.colour, known)
        return self._scales[key]


def colour_of(pixels: Pixels) -> Pixels:
    """Return (H, W, 1 or 3): a view of the pixels without alpha."""
    if pixels.ndim == 2:
        return pixels[..., np.newaxis]
    return pixels[..., :-1] if has_alpha(pixels) else pixels


def _paste(
    colour: Pixels, box: Box, fill: FloatImage, hole: Hole, weight: FloatImage | None, scale: depth.Scale
) -> None:
    top, left, bottom, right = box
    target = colour[top:bottom, left:right]
    if fill.shape != target.shape:
        raise MethodError(f"a fill of shape {fill.shape} was given for a box of shape {target.shape}")
    missing = hole[top:bottom, left:right]
    values = fill[missing]
    if not np.isfinite(values).all():
        raise MethodError("the fill holds NaN or infinite values inside the hole")
    target[missing] = depth.encode(values, scale, colour.dtype)
    if weight is None:
        return
    share = np.where(missing, 0.0, weight[top:bottom, left:right])
    rim = share > 0
    mixed = depth.decode(target[rim], scale)
    mixed += share[rim][:, np.newaxis].astype(np.float32) * (fill[rim] - mixed)
    target[rim] = depth.encode(mixed, scale, colour.dtype)

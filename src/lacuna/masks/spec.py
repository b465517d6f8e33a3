"""Masks for many pictures in one text: a kind of random mask, or an expression."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from lacuna.errors import MaskError, OptionError
from lacuna.image import Picture
from lacuna.masks.grammar import is_expression, parse
from lacuna.masks.random import KINDS, draw
from lacuna.masks.values import Mask
from lacuna.types import Hole

_RANDOM = re.compile(r"([a-z]+)(?::(\d*\.?\d+)-(\d*\.?\d+))?")


@dataclass(frozen=True)
class RandomMasks:
    """Random masks of a kind.

    Parameters
    ----------
    kind : one of `lacuna.masks.random.KINDS`.
    area : (low, high], share of the picture that is to be missing. None: as it comes.
    """

    kind: str
    area: tuple[float, float] | None = None

    def __str__(self) -> str:
        return self.kind if self.area is None else f"{self.kind}:{self.area[0]:g}-{self.area[1]:g}"

    def hole(self, picture: Picture, seed: int) -> Hole:
        """Return the hole for a picture; another seed gives another one."""
        return draw(self.kind, picture.shape, seed=seed, area=self.area)


@dataclass(frozen=True)
class SameMask:
    """An expression, drawn anew for every picture."""

    mask: Mask

    def __str__(self) -> str:
        return str(self.mask)

    def hole(self, picture: Picture, seed: int) -> Hole:
        """Return the hole for a picture; the seed makes no difference."""
        return self.mask.hole(picture.shape, picture)


MaskSpec = RandomMasks | SameMask


def is_spec(text: str) -> bool:
    """Say whether a text that names no file is meant as masks for many pictures."""
    found = _RANDOM.fullmatch(text.partition(",")[0].strip())
    return (found is not None and found[1] in KINDS) or is_expression(text)


def parse_specs(text: str) -> list[MaskSpec]:
    """Return the masks that a text names.

    Parameters
    ----------
    text : kinds of random masks with commas between them, each with a share if wanted
        (``"narrow,wide:.2-.4"``), or one mask expression.

    Raises
    ------
    OptionError : no such kind, or shares that are none.
    MaskError : an expression that cannot be read, or one that fades out.

    Examples
    --------
    >>> [str(spec) for spec in parse_specs("irregular:.1-.2, blobs")]
    ['irregular:0.1-0.2', 'blobs']
    >>> [str(spec) for spec in parse_specs("box:0,0,9,9 | dilate 2")]
    ['box:0,0,9,9 | dilate 2']
    """
    first = _RANDOM.fullmatch(text.partition(",")[0].strip())
    if first is None or (is_expression(text) and first[1] not in KINDS):
        mask = parse(text)
        if mask.softness:
            raise MaskError(f"the mask {text} fades out; masks for many pictures are hard")
        return [SameMask(mask)]
    found = []
    for word in text.split(","):
        match = _RANDOM.fullmatch(word.strip())
        if match is None or match[1] not in KINDS:
            raise OptionError(
                f"{word.strip()!r} is no kind of random mask; expected {', '.join(KINDS)}, with a share if "
                "wanted, as in irregular:.1-.3"
            )
        area = None if match[2] is None else (float(match[2]), float(match[3]))
        if area is not None:
            _check_area(match[1], area)
        found.append(RandomMasks(match[1], area))
    return list[MaskSpec](found)


def _check_area(kind: str, area: tuple[float, float]) -> None:
    if not 0 <= area[0] < area[1] <= 1:
        raise OptionError(
            f"{kind}:{area[0]:g}-{area[1]:g}: expected two shares, 0 to 1, the smaller one first"
        )
    if kind in ("centre", "half", "expand", "lines", "grid"):
        raise OptionError(f"{kind!r} is a fixed pattern; it has no share to choose")


def seed_for(*parts: object) -> int:
    """Return a seed that belongs to some names and numbers, whatever else there is beside them.

    Examples
    --------
    >>> seed_for(0, "photo.jpg", 3) == seed_for(0, "photo.jpg", 3) != seed_for(0, "photo.jpg", 4)
    True
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1

"""What was done to a picture: an original and steps, never a changed file.

A state (what the picture looks like after some steps) is named by a key that follows from the original's
bytes and all the steps before it. The same steps lead to the same key, so what is known under a key never has
to be computed again, and never changes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from lacuna.errors import ConfigError

KINDS = ("fill", "outpaint")
SIDES = ("left", "top", "right", "bottom")
BLOBS = ("mask", "sources", "sketch", "guide")
"""The fields of a step that name a file kept beside it, by its sha256."""

CANVAS = ("left", "top", "right", "bottom", "aspect", "size", "anchor")
"""The keywords of `lacuna.jobs.outpaint` that a step may hold."""

MOST_OPTIONS, LONGEST = 64, 4000
"""Options of one step, and characters of one text: more is nobody's wish."""

_ID = re.compile(r"[0-9a-z]{1,40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Step:
    """One thing that was done.

    Parameters
    ----------
    id : small letters and digits; names it in its project.
    kind : ``fill`` or ``outpaint``.
    method, options, prompt, seed, blend, feather, context, dilate : how it is filled, as in `lacuna.inpaint`.
    mask, sources, sketch, guide : sha256 of the files kept beside it; a fill has a mask.
    origin : (x, y) of the original's corner on the canvas on which the masks were drawn.
    canvas : for ``outpaint``: keywords of `lacuna.jobs.outpaint`.
    enabled : whether it counts.
    """

    id: str
    kind: str = "fill"
    method: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    prompt: str | None = None
    seed: int = 0
    blend: Literal["hard", "membrane"] = "hard"
    feather: float = 0.0
    context: float = 0.5
    dilate: int = 0
    mask: str | None = None
    sources: str | None = None
    sketch: str | None = None
    guide: str | None = None
    origin: tuple[int, int] = (0, 0)
    canvas: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True

    @property
    def blobs(self) -> tuple[str, ...]:
        """The sha256 of all files that belong to it."""
        return tuple(name for name in (getattr(self, part) for part in BLOBS) if name is not None)

    def settings(self) -> dict[str, Any]:
        """Return the options with which its method is made, the prompt among them."""
        return {**self.options, **({} if self.prompt is None else {"prompt": self.prompt})}

    def described(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        told = asdict(self)
        told["options"], told["canvas"], told["origin"] = (
            dict(self.options),
            dict(self.canvas),
            list(self.origin),
        )
        return told


def digest(data: bytes) -> str:
    """Return the sha256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def first_key(sha256: str) -> str:
    """Return the key of an original."""
    return digest(f"original {sha256}".encode())[:24]


def next_key(before: str, step: Step) -> str:
    """Return the key of the state to which a step leads.

    Examples
    --------
    >>> from dataclasses import replace
    >>> step = Step("a", mask="0" * 64)
    >>> next_key("k", step) == next_key("k", replace(step, id="b", enabled=False))
    True
    >>> next_key("k", step) == next_key("k", replace(step, seed=1))
    False
    """
    told = {key: value for key, value in step.described().items() if key not in ("id", "enabled")}
    return digest(f"{before} {json.dumps(told, sort_keys=True)}".encode())[:24]


def chain(original: str, steps: Iterable[Step]) -> list[tuple[str, Step]]:
    """Return the enabled steps, each with the key of the state after it.

    Parameters
    ----------
    original : sha256 of the original file.
    """
    key, linked = first_key(original), []
    for step in steps:
        if step.enabled:
            key = next_key(key, step)
            linked.append((key, step))
    return linked


def read(told: Any) -> Step:
    """Return the step that JSON tells of; it may come from anybody.

    Raises
    ------
    ConfigError : unknown or missing keys, or a value that no step has.
    """
    names = {f.name for f in fields(Step)}
    if not isinstance(told, dict) or set(told) - names or not {"id", "kind"} <= set(told):
        raise ConfigError("a step of the project is not one; was the file made by a newer version of Lacuna?")
    for name, good in _CHECKS.items():
        if name in told and not good(told[name]):
            raise ConfigError(f"a step of the project has {name} {str(told[name])[:60]!r}, which cannot be")
    if told["kind"] == "fill" and told.get("mask") is None:
        raise ConfigError("a fill of the project has no mask")
    if set(told.get("canvas", {})) - set(CANVAS):
        raise ConfigError(f"an outpainting of the project has other words than {', '.join(CANVAS)}")
    if "origin" in told:
        told = {**told, "origin": tuple(told["origin"])}
    return Step(**told)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _whole(value: Any, least: int = 0, most: int = 2**63 - 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e6


def _plain(value: Any) -> bool:
    """Say whether it is a mapping of short names to plain values."""
    return (
        isinstance(value, dict)
        and len(value) <= MOST_OPTIONS
        and all(_text(key) for key in value)
        and all(one is None or _text(one) or isinstance(one, bool | int | float) for one in value.values())
    )


def _blob(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _DIGEST.fullmatch(value) is not None)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "id": lambda value: isinstance(value, str) and _ID.fullmatch(value) is not None,
    "kind": lambda value: value in KINDS,
    "method": _text,
    "options": _plain,
    "prompt": lambda value: value is None or _text(value),
    "seed": _whole,
    "blend": lambda value: value in ("hard", "membrane"),
    "feather": _number,
    "context": _number,
    "dilate": lambda value: _whole(value, 0, 100_000),
    **dict.fromkeys(BLOBS, _blob),
    "origin": lambda value: (
        isinstance(value, list | tuple) and len(value) == 2 and all(_whole(n, -(10**6), 10**6) for n in value)
    ),
    "canvas": _plain,
    "enabled": lambda value: isinstance(value, bool),
}

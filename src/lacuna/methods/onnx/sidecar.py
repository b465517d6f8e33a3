"""What a model takes and gives: facts that an .onnx file does not hold, read from a TOML file beside it."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from lacuna.errors import ConfigError

SUFFIX = ".toml"

Range = tuple[float, float]
Order = Literal["image-mask", "mask-image"]


@dataclass(frozen=True)
class Facts:
    """What a model takes and gives. docs/onnx.md has the same list for people.

    Parameters
    ----------
    image : name of the input that takes the picture.
    mask : name of the input that takes the mask; None if the mask comes with the picture, or not at all.
    joined : the picture's input has four channels: the picture's and the mask, in this order.
    output : name of the output that is the filled picture; None is the first one.
    layout : ``nchw`` (channels first) or ``nhwc``.
    colours : ``rgb`` or ``bgr``.
    range : what black and white are in the input.
    output_range : what black and white are in the output.
    missing, known : what missing and known pixels are in the mask.
    under : what the picture holds where it is missing, in the input's range.
    size : (height, width) if the model takes no other; None takes any.
    multiple : sides must be multiples of this.
    least : no side may be shorter.
    largest : pixels at most, so that memory suffices; 0 is any number.
    guessed : nobody has said these facts; Lacuna guessed them.
    """

    image: str
    mask: str | None = None
    joined: Order | None = None
    output: str | None = None
    layout: Literal["nchw", "nhwc"] = "nchw"
    colours: Literal["rgb", "bgr"] = "rgb"
    range: Range = (0.0, 1.0)
    output_range: Range = (0.0, 1.0)
    missing: float = 1.0
    known: float = 0.0
    under: float = 0.0
    size: tuple[int, int] | None = None
    multiple: int = 1
    least: int = 1
    largest: int = 0
    guessed: bool = False

    def __post_init__(self) -> None:
        if self.mask is not None and self.joined is not None:
            raise ConfigError("mask names an input of its own and joined says that there is none; keep one")
        if self.missing == self.known:
            raise ConfigError(f"missing and known are both {self.known:g}; the mask would say nothing")


def read(path: str | Path) -> Facts:
    """Read a sidecar.

    Raises
    ------
    ConfigError : no such file, no TOML, an unknown key, a value of the wrong kind; all are named.
    """
    path = Path(path).expanduser()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no sidecar: {error}; docs/onnx.md shows some") from error
    try:
        return parse(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(table: dict[str, Any]) -> Facts:
    """Return the facts that a TOML table says.

    Raises
    ------
    ConfigError : see `read`.

    Examples
    --------
    >>> parse({"image": "image", "mask": "mask", "range": [-1, 1]}).range
    (-1.0, 1.0)
    """
    for key, value in table.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(f"unknown key {key!r}; {hint}there are: {', '.join(_KEYS)}")
        _, wanted = _KEYS[key]
        if _value(key, value) is None:
            raise ConfigError(f"{key} is {value!r}; expected {wanted}")
    if "image" not in table:
        raise ConfigError("the key 'image' is missing; it names the input that takes the picture")
    return Facts(**{key: _value(key, value) for key, value in table.items()})


def write(facts: Facts, comment: str = "") -> str:
    """Return the text of a sidecar with all facts that are set.

    Examples
    --------
    >>> print(write(Facts("image", size=(512, 512), multiple=8)).splitlines()[0])
    image = "image"
    """
    lines = [f"# {line}" for line in comment.splitlines()]
    for one in fields(facts):
        value = getattr(facts, one.name)
        if value is not None and (one.name != "guessed" or value):
            lines.append(f"{one.name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def _value(key: str, value: Any) -> Any:
    """Return a value as its key wants it, or None."""
    return _KEYS[key][0](value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _one_of(*choices: str) -> tuple[Callable[[Any], Any], str]:
    return (lambda value: value if value in choices else None), " or ".join(map(repr, choices))


def _number(value: Any) -> float | None:
    real = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if real else None


def _whole(least: int) -> tuple[Callable[[Any], Any], str]:
    def check(value: Any) -> int | None:
        return value if type(value) is int and least <= value < 2**31 else None

    return check, f"a whole number of {least} or more"


def _ends(value: Any) -> Range | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = map(_number, value)
    return (low, high) if low is not None and high is not None and low < high else None


def _sides(value: Any) -> tuple[int, int] | None:
    sides = [value, value] if type(value) is int else value
    right = isinstance(sides, list) and len(sides) == 2 and all(type(s) is int and s > 0 for s in sides)
    return (sides[0], sides[1]) if right else None


_NAME = (_text, "a name in quotes")
_KEYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "image": _NAME,
    "mask": _NAME,
    "joined": _one_of("image-mask", "mask-image"),
    "output": _NAME,
    "layout": _one_of("nchw", "nhwc"),
    "colours": _one_of("rgb", "bgr"),
    "range": (_ends, "two numbers, black and white, such as [0, 1], [-1, 1] or [0, 255]"),
    "output_range": (_ends, "two numbers, black and white, such as [0, 1], [-1, 1] or [0, 255]"),
    "missing": (_number, "a number"),
    "known": (_number, "a number"),
    "under": (_number, "a number in the input's range"),
    "size": (_sides, "one side of a square or [height, width], in pixels"),
    "multiple": _whole(1),
    "least": _whole(1),
    "largest": _whole(0),
    "guessed": ((lambda value: value if isinstance(value, bool) else None), "true or false"),
}

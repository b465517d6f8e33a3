"""The menus of the page: methods and detectors in plain words, with their options."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any

from lacuna import registry, weights
from lacuna.errors import DeviceUnavailableError, LacunaError, OptionError
from lacuna.registry import MethodSpec, OptionSpec

SPEED = {
    "telea": "milliseconds",
    "navier-stokes": "milliseconds",
    "biharmonic": "milliseconds",
    "auto": "seconds",
    "patchmatch": "seconds",
    "opencv-fsr": "a minute",
    "opencv-shiftmap": "a minute",
    "gmic": "minutes",
    "ddpm": "a minute",
    "repaint": "minutes",
}
"""For a hole of a tenth of a photo of one megapixel, on a CPU, as measured in docs/benchmarks.md."""

_RANGE = re.compile(r"(?<![\d.])(-?\d+(?:\.\d+)?) to (-?\d+(?:\.\d+)?)")
OWN_TEXT = ("prompt", "negative")
"""Options that take any text; other texts could name files of the server."""

OWNERS = ("device", "download", "revision")
"""Options that only the server's owner decides: where to work, and whether anything is fetched."""

DETECTORS = {
    "text": "letters, captions, date stamps and logos laid over the picture",
    "scratches": "thin lines: scratches and hairs of scanned film and prints",
    "dust": "specks of dust",
    "torn-corners": "torn or cut-off corners and edges",
    "dead-pixels": "single pixels of the sensor that are stuck or hot",
    "borders": "frames and bars around the picture",
}


@lru_cache(maxsize=1)
def methods() -> list[dict[str, Any]]:
    """Return all methods, ``auto`` first."""
    specs = registry.list_methods()
    return [_method(spec) for spec in sorted(specs, key=lambda spec: spec.name != "auto")]


def detectors() -> list[dict[str, Any]]:
    """Return all detectors."""
    from lacuna.detect import DETECTORS as KNOWN

    sensitivity = {
        "name": "sensitivity", "label": "sensitivity", "type": "float", "nullable": False, "default": 0.5,
        "minimum": 0.0, "maximum": 1.0, "choices": None,
        "help": "0 takes only what is certain, 1 whatever looks like it",
    }  # fmt: skip
    return [
        {
            "name": name,
            "label": name.replace("-", " "),
            "help": DETECTORS.get(name, ""),
            "options": [sensitivity],
        }
        for name in KNOWN
    ]


def has_segment_anything() -> bool:
    """Say whether clicks use a network of the server's owner."""
    from lacuna.masks import sam

    named = all(os.environ.get(name, "").strip() for name in (sam.ENCODER_VARIABLE, sam.DECODER_VARIABLE))
    return named or bool(_weights_of(sam.ENCODER) and _weights_of(sam.DECODER))


def options_for(method: str, options: dict[str, Any], device: str) -> dict[str, Any]:
    """Return the options of a request as a method may have them.

    Raises
    ------
    UnknownMethodError, OptionError : no such method or option, or a text that could name a file of the
    server.
    """
    known = {option.name: option for option in registry.options_of(method)}
    out = {}
    for key, value in options.items():
        option = known.get(key.replace("-", "_"))
        if option is None:
            hint = ", ".join(name for name in known if name not in OWNERS) or "none"
            raise OptionError(f"method {method!r} has no option {key[:60]!r}; its options: {hint}")
        if option.name in OWNERS:
            raise OptionError(f"option {option.name!r} is the server's to choose; leave it out")
        if isinstance(value, str) and _is_text(option) and option.name not in OWN_TEXT:
            value = _weights(method, option.name, value)
        out[option.name] = value
    return out


def device_for(wanted: str | None, devices: tuple[str, ...]) -> str:
    """Return the device of a request.

    Raises
    ------
    DeviceUnavailableError : this server does not work on it.
    """
    if wanted in (None, "auto"):
        return devices[0]
    if wanted not in devices:
        raise DeviceUnavailableError(
            f"this server works on {', '.join(devices)}; leave the device out or name one of them"
        )
    return str(wanted)


def _weights(method: str, name: str, value: str) -> str:
    """Return the name of weights that the server's owner has added; a path is none."""
    if value.strip().lower() in ("auto", "none"):
        return value
    names = _weights_of(method) if name == "weights" else []
    if value not in names:
        there = (
            f"there are: {', '.join(names)}"
            if names
            else "none were added on this server (lacuna weights add)"
        )
        raise OptionError(
            f"option {name!r} of method {method!r} names what the server does not have; {there}"
        )
    return value


def _weights_of(method: str) -> list[str]:
    try:
        return [entry.name for entry in weights.entries() if entry.method == method]
    except LacunaError:
        return []


def _is_text(option: OptionSpec) -> bool:
    return "str" in option.type.split(" | ")


def _method(spec: MethodSpec) -> dict[str, Any]:
    try:
        missing = spec.missing()
        options = registry.options_of(spec.name)
    except Exception as error:  # a plug-in of somebody else must not take the menu away
        missing, options = f"it cannot be loaded: {type(error).__name__}", []
    if missing is None and spec.weights and not _weights_of(spec.name):
        missing = "it needs weights, and none were added on this server: lacuna weights add NAME FILE"
    names = {option.name for option in options}
    return {
        "name": spec.name,
        "family": spec.family,
        "summary": spec.summary,
        "good_at": spec.summary,
        "reference": spec.reference,
        "available": missing is None,
        "missing": missing,
        "needs": "weights" if spec.weights else "nothing else" if spec.probe is None else "another program",
        "speed": SPEED.get(spec.name) or ("minutes" if spec.family == "diffusion" else "seconds"),
        "takes_prompt": "prompt" in names,
        **{f"takes_{name}": name in spec.aux for name in ("sources", "sketch", "guide")},
        "random": spec.random,
        "deterministic": spec.deterministic,
        "device_choice": spec.accelerated,
        "options": [_option(spec, option) for option in options if option.name not in (*OWNERS, "prompt")],
    }


def _option(spec: MethodSpec, option: OptionSpec) -> dict[str, Any]:
    kinds = option.type.split(" | ")
    nullable = "auto" in kinds and option.default is None
    kinds = [kind for kind in kinds if kind != "auto" or not nullable]
    plain = kinds[0] if len(kinds) == 1 and kinds[0] in ("int", "float", "bool", "str") else "choice"
    choices = kinds if plain == "choice" else _weights_of(spec.name) if option.name == "weights" else None
    bounds = _RANGE.search(option.help) if plain in ("int", "float") else None
    number = int if plain == "int" else float
    return {
        "name": option.name,
        "label": option.name.replace("_", " "),
        "type": "choice" if choices is not None else plain,
        "nullable": nullable,
        "default": option.default,
        "minimum": number(float(bounds[1])) if bounds else None,
        "maximum": number(float(bounds[2])) if bounds else None,
        "choices": choices,
        "help": option.help,
    }

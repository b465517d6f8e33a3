"""What methods there are, and how a name becomes a method.

The catalogue (`lacuna.methods.catalogue`) holds facts only; code is imported when a method is made. Packages
add methods with an entry point in the group ``lacuna.methods`` that names a `MethodSpec`.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import math
import threading
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

from lacuna.errors import MissingDependencyError, OptionError, UnknownMethodError
from lacuna.types import Method

CATALOGUE = "lacuna.methods.catalogue:SPECS"
ENTRY_POINTS = "lacuna.methods"
MANY = 4
"""An option that more methods than this have is too common for a message to list them."""


@dataclass(frozen=True)
class MethodSpec:
    """The facts about a method, without its code.

    Parameters
    ----------
    name : what users type.
    family : ``classical``, ``onnx``, ``cnn``, ``diffusion`` or ``meta``.
    summary : one line, in plain words.
    factory : ``"module:Class"``; the class is a frozen dataclass whose fields are the method's options.
    reference : the paper or program.
    aux : the spatial inputs that `fill` takes: any of ``guide``, ``sources``, ``sketch``.
    random : another seed gives another plausible answer.
    deterministic : same input, seed and version give the same bytes.
    from_nothing : can fill a picture without any known pixel.
    whole_image : wants the whole picture, not the hole's neighbourhood.
    probe : ``"module:function"``; returns None when the method can run here, else what to install.
    weights : needs weights, which the option of that name gives.
    accelerated : has an option ``device`` and can run on other devices than the CPU.
    slow : takes many seconds for a small hole on a CPU; comparisons of everything leave it out.
    """

    name: str
    family: str
    summary: str
    factory: str
    reference: str = ""
    aux: frozenset[str] = frozenset()
    random: bool = False
    deterministic: bool = True
    from_nothing: bool = False
    whole_image: bool = False
    probe: str | None = None
    weights: bool = False
    accelerated: bool = False
    slow: bool = False

    def missing(self) -> str | None:
        """Return None when the method can run here, else a line that says what to install."""
        if self.probe is None:
            return None
        reason: str | None = load_factory(self.probe)()
        return reason


@dataclass(frozen=True)
class OptionSpec:
    """One option of a method, as `lacuna methods` and editors show it."""

    name: str
    type: str
    default: Any
    help: str


_specs: dict[str, MethodSpec] = {}
_loaded = False
_lock = threading.RLock()


def register(spec: MethodSpec) -> None:
    """Add a method under a new name.

    Raises
    ------
    ValueError : the name is taken by another spec.
    """
    _load()
    _add(spec)


def list_methods(family: str | None = None) -> list[MethodSpec]:
    """Return the registered methods in catalogue order, of one family if named.

    Examples
    --------
    >>> "patchmatch" in [spec.name for spec in list_methods("classical")]
    True
    """
    _load()
    return [spec for spec in _specs.values() if family in (None, spec.family)]


def get(name: str) -> MethodSpec:
    """Return the spec of a method.

    Raises
    ------
    UnknownMethodError : no such method; the message names the nearest ones.
    """
    _load()
    spec = _specs.get(name) if isinstance(name, str) else None
    if spec is not None:
        return spec
    near = difflib.get_close_matches(str(name), _specs, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(_specs)}"
    raise UnknownMethodError(f"unknown method {name!r}; {hint}")


def create(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """Make a method with typed options.

    Parameters
    ----------
    options : values of the right type, or strings as they come from a command line.

    Raises
    ------
    UnknownMethodError, MissingDependencyError
    OptionError : unknown option, or a value of the wrong type or range.
    """
    spec = get(name)
    cls = load_factory(spec.factory)
    parsed = parse_options(cls, options or {}, owner=name)
    reason = spec.missing()
    if reason is not None:
        raise MissingDependencyError(f"method {name!r} cannot run here: {reason}")
    method: Method = cls(**parsed)
    return method


def options_of(name: str) -> list[OptionSpec]:
    """Return a method's options with types, defaults and help."""
    cls = load_factory(get(name).factory)
    hints = typing.get_type_hints(cls)
    return [
        OptionSpec(f.name, _type_name(hints[f.name]), f.default, f.metadata.get("help", ""))
        for f in _fields(cls)
    ]


def load_factory(path: str) -> Callable[..., Any]:
    """Import ``"module:attribute"``: the only dynamic import in Lacuna."""
    module, _, attribute = path.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def parse_options(cls: Any, options: Mapping[str, Any], *, owner: str) -> dict[str, Any]:
    """Check names and types of options against the fields of a dataclass.

    Raises
    ------
    OptionError : names the option, what was given and what was expected.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in _fields(cls)]
    parsed: dict[str, Any] = {}
    for key, value in options.items():
        name = str(key).replace("-", "_")
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(names) if names else "none"
            able = "" if near else _able(name)
            raise OptionError(f"method {owner!r} has no option {key!r}; {hint}{able}its options: {known}")
        parsed[name] = _coerce(value, hints[name], f"option {name!r} of method {owner!r}")
    return parsed


def _able(option: str) -> str:
    """Return which methods have an option that another one has not, as part of a sentence."""
    found = [
        spec.name
        for spec in list_methods()
        if option in {f.name for f in _fields(load_factory(spec.factory))}
    ]
    return f"methods that have it: {', '.join(found)}; " if 0 < len(found) <= MANY else ""


def _fields(cls: Any) -> list[dataclasses.Field[Any]]:
    """Return the fields that are options: those that the constructor takes."""
    return [f for f in dataclasses.fields(cls) if f.init]


def _coerce(value: Any, hint: Any, what: str) -> Any:
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for kind in kinds:
        try:
            return _as_kind(value, kind)
        except ValueError:
            continue
    raise OptionError(f"{what} is {value!r}; expected {_type_name(hint)}")


def _as_kind(value: Any, kind: Any) -> Any:
    """Return value as kind or raise ValueError; strings are read, numbers are never cut."""
    text = value.strip() if isinstance(value, str) else None
    if kind is types.NoneType:
        if value is None or (text is not None and text.lower() in ("none", "auto")):
            return None
    elif typing.get_origin(kind) is Literal:
        for choice in typing.get_args(kind):
            if text == str(choice) or (type(value) is type(choice) and value == choice):
                return choice
    elif kind is bool:
        return _as_bool(value, text)
    elif kind is int:
        return _as_int(value, text)
    elif kind is float:
        return _as_float(value, text)
    elif kind is str and isinstance(value, str):
        return value
    raise ValueError(value)


def _as_bool(value: Any, text: str | None) -> bool:
    if text is not None and text.lower() in ("true", "yes", "on", "1"):
        return True
    if text is not None and text.lower() in ("false", "no", "off", "0"):
        return False
    if isinstance(value, bool):
        return value
    raise ValueError(value)


def _as_int(value: Any, text: str | None) -> int:
    if text is not None:
        return int(text)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(value)
    return int(value)


def _as_float(value: Any, text: str | None) -> float:
    if text is None and (isinstance(value, bool) or not hasattr(value, "__float__")):
        raise ValueError(value)
    number = float(value)
    if not math.isfinite(number):  # no option means anything at infinity, and NaN passes every range check
        raise ValueError(value)
    return number


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(_type_name(kind) for kind in typing.get_args(hint))
    if hint is types.NoneType:
        return "auto"
    return str(getattr(hint, "__name__", hint))


def _add(spec: MethodSpec) -> None:
    if not isinstance(spec, MethodSpec):
        raise TypeError(f"a method is registered by a MethodSpec, not by {spec!r}")
    if _specs.setdefault(spec.name, spec) != spec:
        raise ValueError(f"a method named {spec.name!r} is registered already")


def _load() -> None:
    """Read the catalogue and the plug-ins, once, when somebody asks."""
    global _loaded
    with _lock:  # a second thread waits; a plug-in that calls `register` while it is imported does not
        if _loaded:
            return
        _loaded = True
        for spec in typing.cast("typing.Iterable[MethodSpec]", load_factory(CATALOGUE)):
            _add(spec)
        for entry in metadata.entry_points(group=ENTRY_POINTS):
            try:
                _add(entry.load())
            except Exception as error:  # somebody else's package must not take all the other methods away
                warnings.warn(f"plug-in {entry.value!r} is left out: {error!r}", RuntimeWarning, stacklevel=3)

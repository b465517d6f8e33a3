"""Weights that users have added: a folder of files and an index with their sha256. No torch here.

Some are shipped and lie beside this file. The folder of the users' own is ``LACUNA_WEIGHTS``, else
``lacuna/weights`` in the user's cache folder. Nothing is downloaded.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from lacuna.errors import ChecksumMismatchError, OptionError, OutputError, WeightsError, WeightsNotFoundError

VARIABLE = "LACUNA_WEIGHTS"
INDEX = "index.json"
SIDECAR = ".toml"
SHIPPED = {"ddpm": "ddpm-64.safetensors", "guided": "guide.onnx"}
"""What Lacuna brings along: file names by method; other methods may use the same file."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Entry:
    """Weights in the folder.

    Parameters
    ----------
    name : what users type.
    method : the method that they are for.
    file : name of the file in the folder.
    sha256 : of that file.
    size : bytes.
    origin : the file that was added.
    origin_sha256 : of that file; compare it with what its publisher states.
    """

    name: str
    method: str
    file: str
    sha256: str
    size: int
    origin: str
    origin_sha256: str


def folder() -> Path:
    """Return where weights are kept; it need not exist."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "lacuna" / "weights"


def entries() -> list[Entry]:
    """Return what was added, by name.

    Raises
    ------
    WeightsError : the index is damaged.
    """
    path = folder() / INDEX
    try:
        return [Entry(**item) for item in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is damaged: {error}; delete it and add the weights again") from error


def add(
    name: str,
    data: bytes,
    *,
    method: str,
    origin: str | Path,
    suffix: str = ".safetensors",
    sidecar: str | None = None,
) -> Entry:
    """Keep weights under a name; an entry of the same name is replaced.

    Parameters
    ----------
    name : small letters, digits, dots and dashes.
    data : the file's content.
    origin : the file that it was made from.
    sidecar : text that is kept beside the file, under its name with `SIDECAR` as its ending.

    Raises
    ------
    OptionError : not a name.
    OutputError : the folder cannot be written to.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} is no name for weights; expected small letters, digits, '.', '_' and '-'"
        )
    before = entries()
    entry = Entry(
        name=name,
        method=method,
        file=name + suffix,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        origin=str(origin),
        origin_sha256=sha256_of(origin),
    )
    _write(folder() / entry.file, data)
    if sidecar is not None:
        _write((folder() / entry.file).with_suffix(SIDECAR), sidecar.encode())
    _write_index([*(old for old in before if old.name != name), entry])
    for old in before:
        if old.name == name and old.file != entry.file:
            _forget(old)
    return entry


def remove(name: str) -> Entry:
    """Forget weights and delete their file.

    Raises
    ------
    WeightsNotFoundError : no weights of that name.
    """
    entry = _get(name)
    _write_index([other for other in entries() if other.name != name])
    _forget(entry)
    return entry


def find(reference: str | Path, *, method: str | None = None) -> Path:
    """Return the file of weights that are given by name or by path.

    Parameters
    ----------
    method : what they must be for, if an entry says it.

    Raises
    ------
    WeightsNotFoundError : neither a file nor a name.
    WeightsError : added for another method.
    ChecksumMismatchError : the file has changed since it was added.
    """
    path = Path(reference).expanduser()
    if path.is_file():
        return path
    entry = _get(str(reference))
    if method is not None and entry.method != method:
        raise WeightsError(f"weights {entry.name!r} are for method {entry.method!r}, not for {method!r}")
    path = folder() / entry.file
    if not path.is_file():
        raise WeightsNotFoundError(f"{path} is gone; add the weights {entry.name!r} again")
    if sha256_of(path) != entry.sha256:
        raise ChecksumMismatchError(f"{path} has changed since it was added; add the weights again")
    return path


def shipped(name: str, *, method: str | None = None) -> Path:
    """Return a file that Lacuna brings along.

    Parameters
    ----------
    name : of `SHIPPED`. method : that asks for it, for the message.

    Raises
    ------
    WeightsNotFoundError : this copy of Lacuna was installed without it.
    """
    path = Path(__file__).parent / SHIPPED[name]
    if not path.is_file():
        raise WeightsNotFoundError(
            f"method {method or name!r} finds no {path.name}, which Lacuna brings along; install Lacuna "
            "again, or name weights of your own: --option weights=FILE"
        )
    return path


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _get(name: str) -> Entry:
    known = {entry.name: entry for entry in entries()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none yet'}"
    raise WeightsNotFoundError(
        f"no weights named {name!r} and no such file; {hint} Add a file by: lacuna weights add NAME FILE"
    )


def _forget(entry: Entry) -> None:
    """Delete the files of an entry, but never those of another one of the same name."""
    path = folder() / entry.file
    path.unlink(missing_ok=True)
    if path.suffix == ".onnx":
        path.with_suffix(SIDECAR).unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write beside, then rename, so that no half-written file stands under the name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=".", dir=path.parent)
    except OSError as error:
        raise OutputError(f"cannot keep weights in {path.parent}: {error}; set {VARIABLE}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(beside).replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}; set {VARIABLE} to another folder") from error
    finally:
        Path(beside).unlink(missing_ok=True)


def _write_index(kept: list[Entry]) -> None:
    ordered = sorted((asdict(entry) for entry in kept), key=lambda item: item["name"])
    _write(folder() / INDEX, json.dumps(ordered, indent=1).encode())

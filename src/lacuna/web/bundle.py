"""Project files: a zip of the original, the masks and the steps, with nothing in it that has to be believed.

Names in it are looked up, never used as paths; sizes are counted while they are read, and every file must
have the sha256 that it is called by.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import ConfigError, LacunaError, LimitError
from lacuna.web.problems import disk_is_full
from lacuna.web.steps import Step, digest
from lacuna.web.steps import read as read_step

FORMAT, VERSION = "lacuna-project", 1
CONTENTS, ORIGINAL, BLOBS = "project.json", "original", "blobs/"
_BLOB = re.compile(r"blobs/[0-9a-f]{64}")
_MOST_TEXT = 16 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """What a project file says.

    Parameters
    ----------
    name : of the photo, as it was called; not to be trusted.
    sha256 : of the original.
    """

    name: str
    sha256: str
    steps: tuple[Step, ...]


def write(path: Path, folder: Path, name: str, sha256: str, steps: Sequence[Step]) -> None:
    """Write a project file.

    Parameters
    ----------
    path : where to.
    folder : that holds ``original`` and ``blobs/``.
    """
    told = {
        "format": FORMAT, "version": VERSION, "name": name, "sha256": sha256,
        "steps": [step.described() for step in steps],
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr(_entry(CONTENTS), json.dumps(told, indent=1), zipfile.ZIP_DEFLATED)
        _add(pack, ORIGINAL, folder)  # compressed by its own format, as a rule
        for blob in sorted({blob for step in steps for blob in step.blobs}):
            _add(pack, BLOBS + blob, folder)


def read(path: Path, folder: Path, *, most: int, max_steps: int) -> Bundle:
    """Take a project file apart: ``original`` and ``blobs/`` are written into a folder.

    Parameters
    ----------
    most : bytes that all of it may hold, unpacked.
    max_steps : that it may have.

    Raises
    ------
    ConfigError : not a project file, damaged, or something in it that does not belong there.
    LimitError : larger than the limits.
    OSError : the disk is full; that is not the file's fault.
    """
    try:
        with zipfile.ZipFile(path) as pack:
            return _read(pack, folder, most, max_steps)
    except (LacunaError, MemoryError):
        raise
    except Exception as error:
        if disk_is_full(error):
            raise
        # The one boundary: damaged zips raise nearly everything, from zlib's errors to KeyError.
        raise ConfigError(
            f"this is not a project file of Lacuna, or it is damaged ({error}); export it again"
        ) from error


def _read(pack: zipfile.ZipFile, folder: Path, most: int, max_steps: int) -> Bundle:
    entries = {entry.filename: entry for entry in pack.infolist()}
    if len(entries) != len(pack.infolist()) or len(entries) > 4 * max_steps + 2:
        raise ConfigError("the project file holds an entry twice, or far too many; export it again")
    strange = [name for name in entries if name not in (CONTENTS, ORIGINAL) and not _BLOB.fullmatch(name)]
    if strange or CONTENTS not in entries or ORIGINAL not in entries:
        seen = f"holds {strange[0][:60]!r}" if strange else "lacks its parts"
        raise ConfigError(f"this is not a project file of Lacuna: it {seen}")
    if sum(entry.file_size for entry in entries.values()) > most:
        raise _too_large(most)
    bundle = _contents(_bytes(pack, CONTENTS, min(most, _MOST_TEXT)), max_steps)
    left = most
    (folder / BLOBS).mkdir(parents=True, exist_ok=True)
    wanted = {ORIGINAL: bundle.sha256} | {BLOBS + blob: blob for step in bundle.steps for blob in step.blobs}
    for name, sha256 in wanted.items():
        if name not in entries:
            raise ConfigError("the project file lacks a mask or guide of its steps; export it again")
        data = _bytes(pack, name, left)
        left -= len(data)
        if digest(data) != sha256:
            raise ConfigError("a file in the project is not the one that it says; export it again")
        (folder / name).write_bytes(data)
    return bundle


def _contents(text: bytes, max_steps: int) -> Bundle:
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError("the project file's list of steps is damaged; export it again") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT or told.get("version") != VERSION:
        raise ConfigError("the project file was made by another version of Lacuna; update this one")
    name, sha256, steps = told.get("name"), told.get("sha256"), told.get("steps")
    good = isinstance(name, str) and isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256)
    if not good or not isinstance(steps, list):
        raise ConfigError("the project file's list of steps is damaged; export it again")
    if len(steps) > max_steps:
        raise LimitError(f"the project has {len(steps)} steps; {max_steps} is the limit")
    read = tuple(read_step(step) for step in steps)
    if len({step.id for step in read}) != len(read):
        raise ConfigError("two steps of the project have the same id; export it again")
    return Bundle(str(name), str(sha256), read)


def _bytes(pack: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return an entry's bytes, counted while they are unpacked."""
    out = bytearray()
    with pack.open(name) as file:
        while chunk := file.read(_CHUNK):
            out += chunk
            if len(out) > most:
                raise _too_large(most)
    return bytes(out)


def _add(pack: zipfile.ZipFile, name: str, folder: Path) -> None:
    with (folder / name).open("rb") as source, pack.open(_entry(name), "w", force_zip64=True) as target:
        shutil.copyfileobj(source, target, _CHUNK)


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the same project gives the same file


def _too_large(most: int) -> LimitError:
    return LimitError(
        f"the project file holds more than {most / 1e6:.0f} MB, the limit; open its photo instead"
    )

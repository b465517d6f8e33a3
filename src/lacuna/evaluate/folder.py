"""The folder of a run: what was asked (run.json), and one line per picture, hole and method (rows.jsonl)."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lacuna.errors import ConfigError, OutputError

HEADER, ROWS, FILLS, MASKS, FEATURES = "run.json", "rows.jsonl", "fills", "masks", "features"
TABLES = ("rows.csv", "summary.csv", "sets.csv", "tables.md", "report.html")
MUST_AGREE = ("version", "images", "masks", "cases", "seed", "figures", "lpips", "options", "mask_spec")
"""What two parts of one run have in common; methods may be added."""

Row = dict[str, Any]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Run:
    """A run, read back.

    Parameters
    ----------
    path : its folder.
    header : what was asked, and where it ran.
    rows : in the order of the cases and of the methods.
    """

    path: Path
    header: Mapping[str, Any]
    rows: list[Row]


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what makes a row unique."""
    return row["image"], row["mask"], row["method"]


def load_run(path: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    ConfigError : not the folder of a run, or its files are broken.
    """
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        rows = _read_rows(path / ROWS)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not the folder of an evaluation: {error}") from error
    order = {method: i for i, method in enumerate(header["methods"])}
    rows = [row for row in rows if row["method"] in order]
    rows.sort(key=lambda row: (row["kind"], row["image"], row["mask"], order[row["method"]]))
    return Run(path, header, rows)


@dataclass
class Ledger:
    """Rows on their way to the disk: each is there, whole, before the next one is asked for."""

    path: Path
    done: dict[Key, Row] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, row: Row) -> None:
        """Append a row.

        Raises
        ------
        OutputError : the disk is full, or the file cannot be written; what was written before is kept.
        """
        line = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode()
        with self._lock:
            try:
                with self.path.open("ab") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise OutputError(
                    f"{self.path} cannot be written: {error.strerror or error}; what is done is kept: "
                    "make room and go on with --resume"
                ) from error
            self.done[key_of(row)] = row


def open_ledger(path: Path, header: Mapping[str, Any], *, resume: bool, overwrite: bool) -> Ledger:
    """Make the folder of a run, or go on with it, and write its header.

    Rows of methods that were not installed are forgotten when these are asked for again on resume, and so are
    rows that met a lower limit of time or memory than the present one.

    Raises
    ------
    OutputError : the folder is in use by another run, or holds something else; it cannot be written.
    """
    exists = (path / HEADER).exists()
    if not exists and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} is not empty and not the folder of an evaluation; name another one")
    if exists and not (resume or overwrite):
        raise OutputError(f"{path} holds an evaluation; --resume goes on with it, --overwrite starts anew")
    rows: list[Row] = []
    try:
        if exists and overwrite and not resume:
            _clear(path)
        elif exists:
            rows, header = _resumed(path, header)
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / HEADER, json.dumps(header, indent=1, ensure_ascii=False))
        write_text(path / ROWS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    return Ledger(path / ROWS, {key_of(row): row for row in rows})


def write_text(path: Path, text: str) -> None:
    """Write a file beside its target and rename it.

    Raises
    ------
    OutputError : it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _resumed(path: Path, header: Mapping[str, Any]) -> tuple[list[Row], Mapping[str, Any]]:
    run = load_run(path)
    other = [name for name in MUST_AGREE if run.header.get(name) != header.get(name) and name != "options"]
    ours, theirs = header["options"], run.header.get("options", {})
    nets, before = header.get("features", {}), run.header.get("features", {})
    other += [f"weights of {name}" for name in nets if name in before and before[name] != nets[name]]
    other += [f"options of {m}" for m in header["methods"] if m in theirs and theirs[m] != ours[m]]
    if other:
        raise OutputError(
            f"{path} holds another evaluation: {', '.join(other)} differ; name another folder, or start anew "
            "with --overwrite"
        )
    methods = [*run.header["methods"], *(m for m in header["methods"] if m not in run.header["methods"])]
    merged = {
        **header,
        "methods": methods,
        "options": {**theirs, **ours},
        "features": {**before, **nets},
        "started": run.header["started"],
    }
    again = set(header["methods"])
    kept = [row for row in run.rows if row["method"] not in again or not _may_do_better(row, header)]
    return kept, merged


def _may_do_better(row: Row, header: Mapping[str, Any]) -> bool:
    """Return whether a row without a fill says nothing about what is asked now."""
    if row["status"] == "missing":
        return True
    name = {"TimeLimit": "time_limit", "MemoryLimit": "memory_limit"}.get(row.get("type", ""))
    if name is None or row.get("limit") is None:
        return False
    return header[name] is None or bool(header[name] > row["limit"])


def _read_rows(path: Path) -> list[Row]:
    """Return the whole rows; a last line that a kill tore off is left out."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else [""]
    return [json.loads(line) for line in lines[:-1] if line]


def _clear(path: Path) -> None:
    for name in (HEADER, ROWS, *TABLES):
        (path / name).unlink(missing_ok=True)
    for name in (FILLS, MASKS, FEATURES):
        if (path / name).is_dir() and not (path / name).is_symlink():
            shutil.rmtree(path / name)

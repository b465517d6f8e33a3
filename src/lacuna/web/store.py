"""The folder in which a server keeps projects, jobs and batches: limited in size, and emptied by time."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lacuna.errors import LimitError, NotFoundError, OutputError
from lacuna.web.work import new_id

KINDS = ("projects", "jobs", "batches")
_ID = re.compile(r"[0-9a-f]{32}")
_RECOUNT = 30.0
"""Seconds after which the folder's size is measured again."""


class Store:
    """Folders under one root, each with a name that the server made up.

    Parameters
    ----------
    root : made if it is not there, for its owner's eyes only.
    limit : bytes that all of it may take.

    Raises
    ------
    OutputError : the folder cannot be used.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit = root, limit
        self._size, self._counted = 0, 0.0
        self._lock = threading.Lock()
        try:
            for name in (*KINDS, "empty"):
                (root / name).mkdir(parents=True, exist_ok=True)
            root.chmod(0o700)
        except OSError as error:
            raise OutputError(
                f"{root} cannot be used to keep projects: {error.strerror}; set LACUNA_PROJECTS"
            ) from error
        # Nothing asks for the jobs and batches of an earlier run any more.
        for kind in ("jobs", "batches"):
            for folder in self.all(kind):
                self.remove(folder)

    @property
    def empty(self) -> Path:
        """A folder with nothing in it: where workers run."""
        return self.root / "empty"

    def new(self, kind: str, size: int = 0) -> tuple[str, Path]:
        """Make a folder and return its id and path.

        Parameters
        ----------
        kind : one of `KINDS`.
        size : bytes that are about to be put there.

        Raises
        ------
        LimitError : the store is full.
        """
        self.check_room(size)
        name = new_id()
        path = self.root / kind / name
        path.mkdir()
        return name, path

    def find(self, kind: str, name: str) -> Path:
        """Return the folder of an id that a client gave.

        Raises
        ------
        NotFoundError : not an id, never there, or deleted.
        """
        if _ID.fullmatch(name):
            path = self.root / kind / name
            if path.is_dir():
                return path
        raise NotFoundError(
            f"there is no such {kind.rstrip('s')}, or its time is over; open the picture again"
        )

    def all(self, kind: str) -> list[Path]:
        """Return the folders of a kind."""
        return [path for path in (self.root / kind).iterdir() if _ID.fullmatch(path.name) and path.is_dir()]

    def remove(self, path: Path) -> None:
        """Delete a folder of the store, whole."""
        if path.parent.parent == self.root:
            shutil.rmtree(path, ignore_errors=True)
            self._counted = 0.0

    def touch(self, path: Path) -> None:
        """Say that a folder is still in use."""
        try:
            os.utime(path)
        except OSError:  # just deleted
            return

    def expired(self, kind: str, seconds: float) -> list[Path]:
        """Return the folders of a kind that nobody used for so long."""
        then = time.time() - seconds
        return [path for path in self.all(kind) if _used(path) < then]

    def check_room(self, size: int = 0) -> None:
        """Refuse more than the store may hold.

        Raises
        ------
        LimitError
        """
        if self.size() + size > self.limit:
            raise LimitError(
                f"the server's folder is full ({self.limit / 1e9:.1f} GB); delete projects that are done, "
                "or wait until old ones expire"
            )

    def size(self) -> int:
        """Return the bytes that the store takes, measured now and then."""
        with self._lock:
            if time.monotonic() - self._counted > _RECOUNT or not self._counted:
                self._size, self._counted = size_of(self.root), time.monotonic()
            return self._size

    def added(self, size: int) -> None:
        """Count what was written since the last measurement."""
        with self._lock:
            self._size += size


def size_of(path: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(_sizes(path))


def _sizes(path: Path) -> Iterator[int]:
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name)).st_size
            except OSError:  # deleted meanwhile
                continue


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()

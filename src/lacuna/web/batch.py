"""Batches: many pictures that are filled in the same way, a few at a time, so that others get their turn."""

from __future__ import annotations

import json
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError, LimitError, NotFoundError
from lacuna.web.lanes import Lane
from lacuna.web.project import filled_name
from lacuna.web.work import Job

AT_ONCE = 2
"""Pictures of one batch that wait in the lane; the others wait outside of it."""
AGAIN = 1.0
"""Seconds until a full lane is asked again."""


@dataclass(eq=False)
class Item:
    """One picture of a batch."""

    index: int
    name: str
    job: Job
    fed: bool = False

    def described(self) -> dict[str, Any]:
        """Return it as clients see it."""
        told = self.job.result or {}
        return {
            "index": self.index, "name": self.name, "state": self.job.state, "share": self.job.share,
            "words": self.job.words, "problem": self.job.problem, "known_changed": told.get("known_changed"),
            "elapsed": told.get("elapsed"), "bytes": told.get("bytes"), "notes": told.get("notes", []),
        }  # fmt: skip


class Batch:
    """Pictures, and how they are filled.

    Parameters
    ----------
    name : its id.
    folder : of its files.
    settings : how all of it is filled.
    most : pictures that it may have.
    """

    def __init__(self, name: str, folder: Path, settings: dict[str, Any], most: int) -> None:
        self.id, self.folder, self.settings, self.most = name, folder, settings, most
        self.created = time.time()
        self.items: list[Item] = []
        self._lock = threading.RLock()
        self._cancelled = False

    def add(self, name: str, job: Job) -> Item:
        """Add a picture.

        Raises
        ------
        LimitError : there are too many.
        """
        with self._lock:
            if len(self.items) >= self.most:
                raise LimitError(
                    f"the batch has {self.most} pictures, the limit of this server; begin another one"
                )
            item = Item(len(self.items), name, job)
            self.items.append(item)
            return item

    def check_room(self) -> None:
        """Raise `LimitError` if no further picture may be added."""
        if len(self.items) >= self.most:
            raise LimitError(
                f"the batch has {self.most} pictures, the limit of this server; begin another one"
            )

    def feed(self, lane: Lane) -> None:
        """Let pictures wait in the lane, if there is room; else try again a little later."""
        with self._lock:
            inside = sum(item.fed and not item.job.ended for item in self.items)
            for item in self.items:
                if inside >= AT_ONCE or self._cancelled:
                    return
                if item.fed or item.job.ended:
                    continue
                try:
                    lane.submit(item.job)
                except LacunaError:
                    again = threading.Timer(AGAIN, self.feed, (lane,))
                    again.daemon = True
                    again.start()
                    return
                item.fed = True
                inside += 1

    def item(self, index: int) -> Item:
        """Return a picture.

        Raises
        ------
        NotFoundError
        """
        if not 0 <= index < len(self.items):
            raise NotFoundError("there is no such picture in the batch; ask for the batch again")
        return self.items[index]

    def cancel(self) -> None:
        """Stop all that is not done."""
        with self._lock:
            self._cancelled = True
            for item in self.items:
                if not item.job.ended:
                    item.job.cancel()

    @property
    def busy(self) -> bool:
        """Whether a picture waits or is being filled."""
        return any(not item.job.ended for item in self.items)

    def described(self, expiry: float) -> dict[str, Any]:
        """Return it as clients see it."""
        items = [item.described() for item in list(self.items)]
        states = [item["state"] for item in items]
        return {
            "id": self.id, "created": self.created, "expires": time.time() + expiry,
            "settings": self.settings,
            **{state: states.count(state) for state in ("waiting", "running", "done", "failed", "cancelled")},
            "items": items,
        }  # fmt: skip

    def done(self) -> Iterator[tuple[Item, Path, str]]:
        """Yield the filled pictures with their files and names, each name once."""
        taken: set[str] = set()
        for item in self.items:
            if item.job.state != "done" or item.job.result is None:
                continue
            name = filled_name(item.name, item.job.result["format"])
            if name.lower() in taken:
                name = f"{item.index}-{name}"
            taken.add(name.lower())
            yield item, Path(item.job.args["target"]), name

    def pack(self, path: Path) -> None:
        """Write a zip of what is done, and a report of all."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:  # pictures are compressed already
            names = {}
            for item, file, name in self.done():
                pack.write(file, name)
                names[item.index] = name
            report = [item.described() | {"file": names.get(item.index)} for item in self.items]
            told = {"settings": self.settings, "items": report}
            pack.writestr("report.json", json.dumps(told, indent=1, ensure_ascii=False), zipfile.ZIP_DEFLATED)


class Batches:
    """All batches that may still be asked about."""

    def __init__(self) -> None:
        self._all: dict[str, Batch] = {}
        self._by_job: dict[str, Batch] = {}

    def add(self, batch: Batch) -> None:
        """Remember a batch."""
        self._all[batch.id] = batch

    def link(self, job: Job, batch: Batch) -> None:
        """Remember to which batch a job belongs."""
        self._by_job[job.id] = batch

    def of(self, job: Job) -> Batch | None:
        """Return the batch of a job that has ended, if it belongs to one."""
        return self._by_job.pop(job.id, None)

    def get(self, name: str) -> Batch:
        """Return a batch.

        Raises
        ------
        NotFoundError
        """
        batch = self._all.get(name)
        if batch is None:
            raise NotFoundError("there is no such batch, or its time is over; begin another one")
        return batch

    def forget(self, name: str) -> Batch | None:
        """Remove a batch."""
        batch = self._all.pop(name, None)
        for item in batch.items if batch is not None else ():
            self._by_job.pop(item.job.id, None)
        return batch

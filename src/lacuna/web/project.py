"""A project: the original, the steps and what is known of the states; one JSON file, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lacuna.errors import ConfigError, ConflictError, LimitError, NotFoundError
from lacuna.web.settings import TILE
from lacuna.web.steps import Step, chain, digest, first_key, next_key, read
from lacuna.web.work import Job, new_id

FILE = "project.json"
VERSION = 1

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}


class Project:
    """What is being done to one picture. Every change is one `edit`, which is saved before it is seen.

    Parameters
    ----------
    folder : of the project.
    told : the content of its file.
    """

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.name: str = told["name"]
        self.sha256: str = told["sha256"]
        self.created: float = told["created"]
        self.revision: int = told["revision"]
        self.steps = [read(step) for step in told["steps"]]
        self.states: dict[str, dict[str, Any]] = told["states"]
        self.offers: dict[str, dict[str, Any]] = told.get("offers", {})
        self.job: Job | None = None

    @classmethod
    def make(cls, folder: Path, name: str, sha256: str, steps: Iterable[Step] = ()) -> Project:
        """Begin a project in a folder that holds the original."""
        told = {
            "name": name, "sha256": sha256, "created": time.time(), "revision": 0,
            "steps": [step.described() for step in steps], "states": {},
        }  # fmt: skip
        (folder / "blobs").mkdir(exist_ok=True)
        return cls(folder, told)

    @classmethod
    def load(cls, folder: Path) -> Project:
        """Read a project that was saved.

        Raises
        ------
        NotFoundError : it was never finished, or is damaged.
        """
        try:
            return cls(folder, json.loads((folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise NotFoundError(
                "there is no such project, or its files are damaged; open the picture again"
            ) from error

    def save(self) -> None:
        """Write it: beside, then renamed."""
        told = {
            "version": VERSION, "name": self.name, "sha256": self.sha256, "created": self.created,
            "revision": self.revision, "steps": [step.described() for step in self.steps],
            "states": self.states, "offers": self.offers,
        }  # fmt: skip
        part = self.folder / f"{FILE}.part"
        part.write_text(json.dumps(told), encoding="utf-8")
        os.replace(part, self.folder / FILE)

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    def keep_blob(self, data: bytes) -> str:
        """Keep a mask or guide and return its sha256."""
        name = digest(data)
        path = self.folder / "blobs" / name
        if not path.exists():
            part = path.with_name(f"{new_id()}.part")
            part.write_bytes(data)
            os.replace(part, path)
        return name

    def linked(self) -> list[tuple[str, Step]]:
        """Return the enabled steps with the keys after them."""
        return chain(self.sha256, self.steps)

    def reached(self) -> list[tuple[str, Step]]:
        """Return the enabled steps up to the last whose state is known."""
        done = []
        for key, step in self.linked():
            if key not in self.states:
                break
            done.append((key, step))
        return done

    @property
    def current(self) -> str:
        """The key of the picture as it stands."""
        reached = self.reached()
        return reached[-1][0] if reached else first_key(self.sha256)

    def key_of(self, version: str) -> str:
        """Return the key that a client's word means.

        Raises
        ------
        NotFoundError : no such version.
        """
        if version == "original":
            return first_key(self.sha256)
        if version == "current":
            return self.current
        if version in self.states:
            return version
        raise NotFoundError("there is no such version of the picture; ask for the project again")

    def facts(self) -> dict[str, Any]:
        """Return what is known of the current picture."""
        return self.states[self.current]

    def step(self, name: str) -> Step:
        """Return a step by its id.

        Raises
        ------
        NotFoundError
        """
        for step in self.steps:
            if step.id == name:
                return step
        raise NotFoundError("there is no such step in the project; ask for the project again")

    def begin(self, job: Job) -> None:
        """Let a job change the project: one at a time.

        Raises
        ------
        ConflictError : another one does.
        """
        with self.lock:
            if self.job is not None and not self.job.ended:
                raise ConflictError(
                    "the picture is being changed already; wait until that is done, or cancel it"
                )
            self.job = job

    def append(self, step: Step, facts: dict[str, Any], most: int) -> None:
        """Add a step that was taken.

        Raises
        ------
        LimitError : there are too many.
        """
        with self.lock:
            if len(self.steps) >= most:
                raise LimitError(
                    f"the project has {most} steps, the limit of this server; download it and open that"
                )
            self.states[facts["key"]] = facts
            self.steps.append(step)
            self._changed()

    def know(self, states: Iterable[dict[str, Any]]) -> None:
        """Take what was computed."""
        with self.lock:
            for facts in states:
                self.states[facts["key"]] = facts
            self._changed()

    def change(self, steps: list[Step]) -> list[Step]:
        """Replace the steps, and return what they were."""
        with self.lock:
            before, self.steps = self.steps, steps
            self._changed()
            return before

    def offer(self, job: str, step: Step, states: list[dict[str, Any]]) -> None:
        """Keep variants until one is chosen."""
        with self.lock:
            for facts in states:
                self.states[facts["key"]] = facts
            before = self.current
            self.offers = {
                job: {"before": before, "step": step.described(), "keys": [one["key"] for one in states]}
            }
            self._changed()

    def choose(self, job: str, index: int, most: int) -> None:
        """Append the step of a variant.

        Raises
        ------
        NotFoundError : no such offer or variant, or the picture is another one by now.
        """
        with self.lock:
            offer = self.offers.get(job)
            if offer is None or not 0 <= index < len(offer["keys"]):
                raise NotFoundError("there is no such variant on offer; fill again")
            if offer["before"] != self.current:
                raise ConflictError("the picture was changed since these variants were made; fill again")
            step = read(offer["step"])
            step = replace(step, seed=step.seed + index)
            del self.offers[job]
            self.append(step, self.states[offer["keys"][index]], most)

    def withdraw(self, job: str) -> None:
        """Drop the variants on offer."""
        with self.lock:
            if self.offers.pop(job, None) is None:
                raise NotFoundError("there are no such variants on offer; fill again")
            self._changed()

    def _changed(self) -> None:
        self.revision += 1
        self.save()

    def described(self, expiry: float) -> dict[str, Any]:
        """Return it as clients see it."""
        with self.lock:
            first, current = first_key(self.sha256), self.current
            keys = dict(
                zip([step.id for _, step in self.linked()], [key for key, _ in self.linked()], strict=True)
            )
            offered = [key for offer in self.offers.values() for key in offer["keys"]]
            known = {key for key in (first, current, *keys.values(), *offered) if key in self.states}
            facts = self.states[current]
            return {
                "id": self.id,
                "name": self.name,
                "revision": self.revision,
                "created": self.created,
                "expires": time.time() + expiry,
                "photo": self.states[first]["photo"],
                "original": first,
                "current": current,
                "versions": {key: self._version(key) for key in known},
                "steps": [self._step(step, keys.get(step.id)) for step in self.steps],
                "offers": {job: self.variants(job) for job in self.offers},
                "changed_known": facts["changed_known"],
                "known": facts["known"],
                "pending": {"job": self.job.id} if self.job is not None and not self.job.ended else None,
            }

    def variants(self, job: str) -> list[dict[str, Any]]:
        """Return the variants on offer as clients see them."""
        keys = self.offers[job]["keys"] if job in self.offers else []
        return [
            {"index": i, "version": key}
            | {name: self.states[key][name] for name in ("seed", "elapsed", "known_changed", "notes")}
            for i, key in enumerate(keys)
        ]

    def _version(self, key: str) -> dict[str, Any]:
        from lacuna.web.preview import levels_of

        facts = self.states[key]
        told = {name: facts[name] for name in ("key", "parent", "width", "height", "box", "origin")}
        return told | {"levels": levels_of(facts["height"], facts["width"]), "tile": TILE}

    def _step(self, step: Step, key: str | None) -> dict[str, Any]:
        facts = self.states.get(key or "", {})
        if not facts:  # disabled: what it was when it was last taken is still worth showing
            facts = self._last(step)
            key = None
        return {
            "id": step.id, "kind": step.kind, "method": step.method, "chosen": facts.get("chosen"),
            "options": dict(step.options), "seed": step.seed, "prompt": step.prompt, "blend": step.blend,
            "feather": step.feather, "context": step.context, "dilate": step.dilate,
            "has_sources": step.sources is not None, "margins": facts.get("margins"), "enabled": step.enabled,
            "version": key, "missing": facts.get("missing"), "known_changed": facts.get("known_changed"),
            "elapsed": facts.get("elapsed"), "notes": facts.get("notes", []), "box": facts.get("hole_box"),
        }  # fmt: skip

    def _last(self, step: Step) -> dict[str, Any]:
        """Return what is known of a disabled step, if it was taken after the steps that stand before it."""
        before = first_key(self.sha256)
        for other in self.steps:
            if other.id == step.id:
                return self.states.get(next_key(before, step), {})
            if other.enabled:
                before = next_key(before, other)
        return {}


def file_name(name: str | None) -> str:
    """Return a client's file name as it may be shown and offered for download; it never becomes a path.

    Examples
    --------
    >>> file_name("../../etc/pass" + chr(0) + "wd.png"), file_name("C:" + chr(92) + "a.jpg"), file_name(None)
    ('passwd.png', 'a.jpg', 'picture')
    """
    last = re.split(r"[/\\]", name or "")[-1]
    clean = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(". ")
    return clean[-120:] or "picture"


def filled_name(name: str, format: str) -> str:
    """Return under which name a filled picture is offered.

    Examples
    --------
    >>> filled_name("photo.JPG", "JPEG"), filled_name("photo.gif", "PNG"), filled_name("scan", "TIFF")
    ('photo.filled.JPG', 'photo.filled.png', 'scan.filled.tif')
    """
    from lacuna.image.writing import SUFFIXES as KNOWN

    stem, dot, suffix = name.rpartition(".")
    if dot and KNOWN.get(f".{suffix.lower()}") == format:
        return f"{stem}.filled.{suffix}"
    return f"{stem if dot and len(suffix) < 6 else name}.filled{SUFFIXES[format]}"

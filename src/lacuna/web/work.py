"""Jobs: what was asked for, how far it is, and what came of it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lacuna import errors
from lacuna.errors import NotFoundError
from lacuna.web.problems import problem

ENDED = ("done", "failed", "cancelled")


def new_id() -> str:
    """Return a name that nobody can guess."""
    return secrets.token_hex(16)


@dataclass(eq=False)
class Job:
    """A task on its way. Its fields change under its own lock; whoever waits is told.

    Parameters
    ----------
    kind : what people call it: inpaint, fill, outpaint, replay, …
    task, args : what the worker is asked.
    project : the id of the project that it changes, if any.
    finish : called with what the worker returned, in the thread that got it, before the job is done; returns
        the job's result.
    undo : called if it fails or is cancelled.
    folder : of the files that belong to it; deleted with it.
    """

    kind: str
    task: str
    args: dict[str, Any]
    project: str | None = None
    finish: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    undo: Callable[[], None] | None = None
    folder: Path | None = None
    id: str = field(default_factory=new_id)
    state: str = "waiting"
    share: float = 0.0
    words: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    result: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    asked_to_stop: bool = False
    pid: int | None = None
    _version: int = 0
    _ending: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)
    _waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=set, repr=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDED

    def described(self, position: int = 0) -> dict[str, Any]:
        """Return it as clients see it."""
        base = f"/api/v1/jobs/{self.id}"
        until = self.finished or time.time()
        return {
            "id": self.id, "kind": self.kind, "state": self.state, "share": self.share, "words": self.words,
            "position": position, "created": self.created, "started": self.started, "finished": self.finished,
            "elapsed": round(until - self.started, 3) if self.started else 0.0, "project": self.project,
            "result": self.result, "problem": self.problem,
            "links": {"self": base, "events": f"{base}/events", "result": f"{base}/result"},
        }  # fmt: skip

    def begin(self, pid: int) -> bool:
        """Say that a worker has it; False if it is not wanted any more."""
        with self._lock:
            if self._ending or self.asked_to_stop:
                return False
            self.state, self.started, self.pid = "running", time.time(), pid
        self._tell()
        return True

    def progress(self, share: float, words: str) -> None:
        """Say how far it is."""
        self.share, self.words = max(self.share, share), words or self.words
        self._tell()

    def succeed(self, told: dict[str, Any]) -> None:
        """Take the worker's answer."""
        try:
            result = self.finish(told) if self.finish is not None else told
        except Exception as error:  # what the answer is kept in may be gone, or full
            if not isinstance(error, errors.LacunaError):
                traceback.print_exc()  # what was not raised on purpose is for the server's log
            self.fail(problem(error))
            return
        self._end("done", result=result)

    def fail(self, told: dict[str, Any]) -> None:
        """Take the problem that ended it."""
        self._end("cancelled" if told["code"] == "Cancelled" else "failed", told=told)

    def cancel(self) -> None:
        """Ask it to stop; what has not begun ends at once."""
        with self._lock:
            self.asked_to_stop = True
            waiting = self.state == "waiting"
        if waiting:
            self.fail(problem(errors.Cancelled("stopped on request; nothing was changed")))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended; False if it has not."""
        return self._ended.wait(seconds)

    async def changed(self, since: int, seconds: float) -> int:
        """Wait until it has changed since a version, and return the version that it has now."""
        mark = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(mark)
        try:
            if self._version == since and not self.ended:
                await asyncio.wait_for(mark[1].wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(mark)
        return self._version

    def _end(
        self, state: str, result: dict[str, Any] | None = None, told: dict[str, Any] | None = None
    ) -> None:
        with self._lock:
            if self._ending:
                return
            self._ending = True
        if state != "done" and self.undo is not None:
            self.undo()  # before anybody can see that it has ended
        with self._lock:
            self.result, self.problem, self.finished = result, told, time.time()
            if state == "done":
                self.share, self.words = 1.0, "done"
            self.state = state
        self._ended.set()
        self._tell()

    def _tell(self) -> None:
        self._version += 1
        for loop, event in list(self._waiting):
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # the loop has ended
                self._waiting.discard((loop, event))


class Jobs:
    """All jobs that may still be asked about."""

    def __init__(self) -> None:
        self._all: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, job: Job) -> Job:
        """Remember a job."""
        with self._lock:
            self._all[job.id] = job
        return job

    def get(self, name: str) -> Job:
        """Return a job.

        Raises
        ------
        NotFoundError : never there, or expired.
        """
        job = self._all.get(name)
        if job is None:
            raise NotFoundError("there is no such job, or its time is over; start it again")
        return job

    def forget(self, name: str) -> Job | None:
        """Remove a job that has ended."""
        with self._lock:
            return self._all.pop(name, None)

    def expired(self, seconds: float) -> list[Job]:
        """Return the jobs that ended so long ago."""
        then = time.time() - seconds
        with self._lock:
            return [job for job in self._all.values() if job.finished is not None and job.finished < then]

    def __len__(self) -> int:
        return len(self._all)

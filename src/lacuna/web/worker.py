"""The process that opens what clients sent, and fills it: tasks in and answers out, as JSON lines.

Started as ``python -m lacuna.web.worker``. A file that crashes a decoder, or eats memory, takes down this
process only. The first line in says what it may take; each further one is a task, or asks to stop the one
that runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

SPOILED = ("DeviceOutOfMemoryError", "InternalError")
"""After these nobody knows what is left in memory: the process ends, and the next task gets a new one."""

PROGRESS_EVERY = 0.05
"""Seconds between two reports of progress."""


def main() -> None:
    """Answer tasks until stdin ends."""
    # A method may print: only we write to the pipe, and its words go to stderr.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    inbox = Inbox()
    setup = json.loads(sys.stdin.readline())
    threading.Thread(target=inbox.listen, daemon=True).start()

    from lacuna.web.problems import problem
    from lacuna.web.tasks import TASKS

    def answer(fields: dict[str, Any]) -> None:
        pipe.write(json.dumps(fields, ensure_ascii=False) + "\n")
        pipe.flush()

    _load()
    limit_memory(setup["memory"])
    answer({"ready": os.getpid()})
    while (asked := inbox.next()) is not None:
        name = asked["id"]
        answer({"id": name, "begun": True})
        try:
            told = {"result": TASKS[asked["task"]](asked["args"], Reporter(name, inbox, answer))}
        except Exception as error:  # whatever a method does is an answer; bugs go to the log as well
            told = {"problem": problem(_explained(error))}
        answer({"id": name, **told})
        inbox.stopped.discard(name)
        if told.get("problem", {}).get("code") in SPOILED:
            return


class Inbox:
    """What the server says, read by a thread of its own so that a task can be stopped."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.stopped: set[str] = set()

    def listen(self) -> None:
        """Read until the server closes the pipe; without a server there is nothing left to do."""
        for line in sys.stdin:
            told = json.loads(line)
            if "stop" in told:
                self.stopped.add(told["stop"])
            else:
                self._tasks.put(told)
        os._exit(0)

    def next(self) -> dict[str, Any] | None:
        """Wait for the next task."""
        return self._tasks.get()


class Reporter:
    """An `OnStep` that tells the server, and hears from it that the work is to stop."""

    def __init__(self, name: str, inbox: Inbox, answer: Any) -> None:
        self._name, self._inbox, self._answer = name, inbox, answer
        self._told = 0.0

    def __call__(self, share: float, words: str) -> None:
        """Report progress.

        Raises
        ------
        Cancelled : the server asked to stop.
        """
        if self._name in self._inbox.stopped:
            from lacuna.errors import Cancelled

            raise Cancelled("stopped on request; nothing was changed")
        now = time.monotonic()
        if now - self._told >= PROGRESS_EVERY:
            self._told = now
            self._answer({"id": self._name, "share": round(share, 4), "words": words})


def _load() -> None:
    """Import what tasks need before memory is limited: libraries reserve address space once."""
    import cv2
    import numba
    from PIL import Image

    from lacuna.web.replay import Workshop

    Image.init()
    del cv2, numba, Workshop


def _explained(error: Exception) -> Exception:
    """Return an error that tells what happened; what was not raised on purpose is for the server's log."""
    from lacuna.errors import DeviceOutOfMemoryError, LacunaError

    if isinstance(error, LacunaError | MemoryError):
        return error
    traceback.print_exc()
    if "memory" in str(error).lower() or "allocate" in str(error).lower():  # as OpenCV and ONNX say it
        return DeviceOutOfMemoryError("memory ran out; give a smaller picture, or choose a smaller hole")
    return error


def limit_memory(most: int | None) -> None:
    """Let the process take so many more bytes of address space than it has, where the system can say so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    status = Path("/proc/self/statm")
    if most is None or not status.exists():
        return
    now = int(status.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ValueError, OSError):  # a container may allow less already
        resource.setrlimit(resource.RLIMIT_AS, (now + most, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    main()

"""Workers: each thread keeps one process for one method, and starts another when it dies."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lacuna.errors import MethodError

POLL = 0.1
START_LIMIT = 300.0
"""Seconds that importing, compiling and loading a method may take."""


class _Stopped(Exception):  # noqa: N818 - no fault: another thread has one, or the user wants no more
    """The run is being stopped."""


@dataclass(frozen=True)
class Job:
    """What a worker is asked: a label, the method with its options, and the fields that it is sent."""

    label: str
    method: str
    options: dict[str, str]
    fields: dict[str, Any]


class Worker:
    """A process that runs one method. Use as a context manager: leaving kills it."""

    def __init__(self, method: str, options: dict[str, str], threads: int, stop: threading.Event) -> None:
        self._stop = stop
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        environment = {"LACUNA_THREADS": str(threads), **os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lacuna.evaluate.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.problem: dict[str, Any] | None = None
        ready = self._ask({"method": method, "options": options}, START_LIMIT)
        if ready["status"] != "ready":
            self.problem = ready

    def run(self, fields: dict[str, Any], limit: float) -> dict[str, Any]:
        """Return the worker's answer to a job; its death or silence is an answer too."""
        return self.problem or self._ask(fields, limit)

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return self.problem is not None or self._process.poll() is None

    def close(self) -> None:
        """Kill the process and wait for it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what it never read cannot be flushed any more
                    continue
        self._said.close()

    def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise MethodError("the worker has no stdout")
        try:
            for line in stdout:
                self._lines.put(line)
        except ValueError:  # closed while reading
            pass
        self._lines.put("")

    def _ask(self, fields: dict[str, Any], limit: float) -> dict[str, Any]:
        stdin = self._process.stdin
        if stdin is None:
            raise MethodError("the worker has no stdin")
        try:
            stdin.write(json.dumps(fields) + "\n")
            stdin.flush()
        except OSError:
            return self._death()
        end = time.monotonic() + limit
        while True:
            if self._stop.is_set():
                raise _Stopped
            if time.monotonic() > end:
                self._process.kill()
                self._process.wait()
                return {"status": "error", "type": "TimeLimit", "error": f"stopped after {limit:g} s"}
            try:
                line = self._lines.get(timeout=POLL)
            except queue.Empty:
                continue
            answer: dict[str, Any] = json.loads(line) if line else self._death()
            return answer

    def _death(self) -> dict[str, Any]:
        code = self._process.wait()
        self._said.seek(0)
        said = [line for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        words = f"; its last words: {said[-1].strip()}" if said and code > 0 else ""
        return {"status": "error", "type": "WorkerDied", "error": f"the method's process died: {how}{words}"}


def run_jobs(
    jobs: Sequence[Job],
    on_answer: Callable[[Job, dict[str, Any]], None],
    *,
    workers: int,
    time_limit: float,
) -> None:
    """Run jobs in as many processes as asked for; each answer is handed over from the thread that got it.

    Whatever ``on_answer`` raises arrives here, after all processes were stopped; KeyboardInterrupt likewise.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    stop, failures = threading.Event(), queue.SimpleQueue[BaseException]()
    share = max(1, (os.cpu_count() or 1) // workers)

    def serve() -> None:
        try:
            _serve(waiting, on_answer, share, time_limit, stop)
        except _Stopped:
            return
        except BaseException as error:
            failures.put(error)
            stop.set()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(workers, len(jobs)))]
    try:
        _until_all_end(threads)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if not failures.empty():
        raise failures.get()


def _until_all_end(threads: Sequence[threading.Thread]) -> None:
    """Start threads and wait in short naps, so that Ctrl-C is heard."""
    for thread in threads:
        thread.start()
    while alive := [thread for thread in threads if thread.is_alive()]:
        alive[0].join(POLL)


def _serve(
    waiting: queue.SimpleQueue[Job],
    on_answer: Callable[[Job, dict[str, Any]], None],
    share: int,
    time_limit: float,
    stop: threading.Event,
) -> None:
    worker, label = None, None
    try:
        while not stop.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            if worker is None or label != job.label or not worker.alive:
                if worker is not None:
                    worker.close()
                worker, label = None, job.label
                worker = Worker(job.method, job.options, share, stop)
            on_answer(job, worker.run(job.fields, time_limit))
    finally:
        if worker is not None:
            worker.close()

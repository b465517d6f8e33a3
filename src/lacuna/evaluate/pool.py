"""Workers: each thread keeps one process for one method, and starts another when it dies."""

from __future__ import annotations

import contextlib
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
from lacuna.evaluate.memory import session_memory, spoken

POLL = 0.1
LOOK = 0.25
"""Seconds between two looks at the memory: a look reads /proc, which costs milliseconds."""
MEBI = 1 << 20
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


@dataclass(frozen=True)
class Limits:
    """What one fill may take.

    Parameters
    ----------
    seconds : beyond it the worker is killed.
    memory : bytes that the worker and all that it starts may hold together; None sets no limit.
    """

    seconds: float
    memory: int | None = None

    def exceeded_memory(self) -> dict[str, Any]:
        """Return the answer of a worker that held too much."""
        words = f"stopped beyond {spoken(self.memory or 0)} of memory"
        return {"status": "error", "type": "MemoryLimit", "error": words, "limit": self.memory}

    def exceeded_seconds(self, seconds: float) -> dict[str, Any]:
        """Return the answer of a worker that took too long."""
        words = f"stopped after {seconds:g} s"
        return {"status": "error", "type": "TimeLimit", "error": words, "limit": seconds}


WORKER = (sys.executable, "-m", "lacuna.evaluate.worker")


class Worker:
    """A process that runs one method, and is killed with all that it started by `close`.

    Parameters
    ----------
    setup : the first line that it is sent; for `lacuna.evaluate.worker` the method and its options.
    threads : for kernels.
    stop : when set, waiting ends.
    limits : for each job; the memory limit holds while it starts, too.
    command : the program; it speaks as `lacuna.evaluate.worker` does.

    Attributes
    ----------
    problem : why it cannot work, or None.
    """

    def __init__(
        self,
        setup: dict[str, Any],
        threads: int,
        stop: threading.Event,
        limits: Limits,
        command: Sequence[str] = WORKER,
    ) -> None:
        self._stop, self._limits = stop, limits
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        environment = {"LACUNA_THREADS": str(threads), **os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a session to weigh and a group to kill: peers run programs of their own
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.problem: dict[str, Any] | None = None
        ready = self._ask(setup, START_LIMIT)
        if ready["status"] != "ready":
            self.problem = ready

    def run(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the worker's answer to a job; its death or silence is an answer too."""
        if self.problem:
            return self.problem
        answer, most = self._ask(fields, self._limits.seconds), self._limits.memory
        if most is not None and answer.get("memory_mb", 0) * MEBI > most:  # a peak between two looks
            return self._limits.exceeded_memory()
        return answer

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return self.problem is not None or self._process.poll() is None

    def close(self) -> None:
        """Kill the process and what it started, and wait for it."""
        self._kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what it never read cannot be flushed any more
                    continue
        self._said.close()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            # All of them have ended, or (macOS says it so) wait to be buried.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

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
        start = looked = time.monotonic()
        while True:
            if self._stop.is_set():
                raise _Stopped
            now = time.monotonic()
            if now - start > limit:
                self._kill()
                return self._limits.exceeded_seconds(limit)
            if now - looked > LOOK:
                looked = now
                if self._too_large():
                    self._kill()
                    return self._limits.exceeded_memory()
            try:
                line = self._lines.get(timeout=POLL)
            except queue.Empty:
                continue
            answer: dict[str, Any] = json.loads(line) if line else self._death()
            return answer

    def _too_large(self) -> bool:
        most = self._limits.memory
        return most is not None and (session_memory(self._process.pid) or 0) > most

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
    limits: Limits,
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
            _serve(waiting, on_answer, share, limits, stop)
        except _Stopped:
            return
        except BaseException as error:  # raised again below, in the thread that waits for all
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
    limits: Limits,
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
                worker = Worker({"method": job.method, "options": job.options}, share, stop, limits)
            on_answer(job, worker.run(job.fields))
    finally:
        if worker is not None:
            worker.close()

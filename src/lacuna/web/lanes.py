"""Lanes: a bounded queue and the processes that empty it. One for each device, one for looking at files."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lacuna.errors import Cancelled, LacunaError, LimitError, QueueFullError, WorkerLostError
from lacuna.web.problems import problem
from lacuna.web.work import Job

COMMAND = (sys.executable, "-m", "lacuna.web.worker")
POLL = 0.05
GRACE = 1.0
"""Seconds that a task has to stop on request; then its process is killed."""
START_LIMIT = 120.0


class Worker:
    """A process that does one task after the other, and is killed with all that it started.

    Parameters
    ----------
    folder : where it runs; an empty one, so that no name is a file there.
    memory : bytes that it may take beyond what the program takes; None sets no limit.
    """

    def __init__(self, folder: Path, memory: int | None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_absolute_path())},
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the server; and a group to kill
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._begun = False
        threading.Thread(target=self._listen, daemon=True).start()
        self._say({"memory": memory})
        if "ready" not in self._next(START_LIMIT):
            self.close()
            raise WorkerLostError("a worker did not start; see the server's log")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def run(self, job: Job, seconds: float) -> bool:
        """Do a job to its end, whichever that is; False if the process was dead before it began."""
        self._begun = False
        try:
            self._say({"id": job.id, "task": job.task, "args": job.args})
            told = self._until_end(job, time.monotonic() + seconds, seconds)
        except LacunaError as error:
            self.close()
            if isinstance(error, WorkerLostError) and not self._begun:
                return False
            told = {"problem": problem(error)}
        if "problem" in told and job.asked_to_stop:  # its files may be gone already
            told = {"problem": problem(Cancelled("stopped on request; nothing was changed"))}
        if "problem" in told:
            job.fail(told["problem"])
        else:
            job.succeed(told["result"])
        return True

    def _until_end(self, job: Job, deadline: float, seconds: float) -> dict[str, Any]:
        asked: float | None = None
        while True:
            told = self._next(POLL)
            if told.get("id") == job.id:
                self._begun = True
                if "begun" in told:
                    continue
                if "share" not in told:
                    return self._late(told, seconds) if asked and not job.asked_to_stop else told
                job.progress(told["share"], told["words"])
            now = time.monotonic()
            if asked is None and (job.asked_to_stop or now > deadline):
                asked = now
                self._say({"stop": job.id})
            if asked is not None and now - asked > GRACE:
                self.close()
                if job.asked_to_stop:
                    raise Cancelled("stopped on request; nothing was changed")
                return self._late({}, seconds)

    def _late(self, told: dict[str, Any], seconds: float) -> dict[str, Any]:
        if "result" in told:
            return told
        late = LimitError(
            f"stopped after {seconds:g} seconds, the limit of this server; choose a quicker method or a "
            "smaller hole"
        )
        return {"problem": problem(late)}

    def close(self) -> None:
        """Kill the process and what it started, and wait for it."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError, ValueError):
                    stream.close()

    def _say(self, fields: dict[str, Any]) -> None:
        stdin = self._process.stdin
        try:
            if stdin is None:
                raise BrokenPipeError
            stdin.write(json.dumps(fields) + "\n")
            stdin.flush()
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def _next(self, seconds: float) -> dict[str, Any]:
        """Return what it says next, or nothing if it says nothing.

        Raises
        ------
        WorkerLostError : it died.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return {}
        if not line:
            raise self._lost()
        told: dict[str, Any] = json.loads(line)
        return told

    def _lost(self) -> WorkerLostError:
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerLostError(
            f"the process that worked on this died ({how}) and nothing was changed; try again, or with a "
            "smaller hole or another method"
        )

    def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is not None:
            with contextlib.suppress(ValueError, OSError):  # closed while reading
                for line in stdout:
                    self._lines.put(line)
        self._lines.put("")


class Lane:
    """Jobs wait in one bounded queue; each of its threads keeps one worker and starts another when it dies.

    Parameters
    ----------
    name : of the device, or of what it is for.
    limit : jobs that may wait.
    seconds : that one may take.
    start : makes a worker.
    warm : a task that a new worker does first, if any.
    on_end : called with each job that has ended here.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        seconds: float,
        start: Callable[[], Worker],
        workers: int = 1,
        warm: Callable[[], Job] | None = None,
        on_end: Callable[[Job], None] | None = None,
    ) -> None:
        self.name, self.limit, self.seconds = name, limit, seconds
        self._start, self._warm, self._on_end = start, warm, on_end
        self._waiting: deque[Job] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        self._running: dict[int, Job | None] = {}
        self._took: deque[float] = deque([1.0], maxlen=20)
        self._threads = [threading.Thread(target=self._serve, args=(i,), daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job, *, extra: int = 0) -> Job:
        """Let a job wait for its turn.

        Parameters
        ----------
        extra : how many more than the limit may wait; for work that was accepted as a whole before.

        Raises
        ------
        QueueFullError : too many wait already.
        """
        with self._condition:
            if self._stopping:
                raise WorkerLostError("the server is stopping")
            if self.waiting >= self.limit + extra:
                raise QueueFullError(
                    f"{self.limit} requests are waiting for {self.name} already; try again in "
                    f"{self.delay()} seconds"
                )
            self._waiting.append(job)
            self._condition.notify()
        return job

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return sum(not job.ended for job in list(self._waiting))

    @property
    def running(self) -> int:
        """How many jobs are being done."""
        return sum(job is not None for job in list(self._running.values()))

    def delay(self) -> int:
        """Return a guess of the seconds until there is room again."""
        return max(1, min(60, round(sum(self._took) / len(self._took))))

    def position(self, job: Job) -> int:
        """Return how many jobs come before one that waits; 0 for others."""
        with self._condition:
            ahead = 0
            for other in self._waiting:
                if other is job:
                    return ahead + self.running
                ahead += not other.ended
        return 0

    def close(self) -> None:
        """Stop all work and end all processes."""
        with self._condition:
            self._stopping = True
            jobs = [*self._waiting, *(job for job in self._running.values() if job is not None)]
            self._waiting.clear()
            self._condition.notify_all()
        for job in jobs:
            job.cancel()
        for thread in self._threads:
            thread.join(START_LIMIT)

    def _serve(self, number: int) -> None:
        worker: Worker | None = None
        try:
            while not self._stopping:
                if worker is None or not worker.alive:
                    worker = self._new(worker)
                    continue
                job = self._next(worker)
                if job is None:
                    continue
                self._running[number] = job
                begun = time.monotonic()
                if job.begin(worker.pid):
                    worker = self._do(worker, job)
                    self._took.append(time.monotonic() - begun)
                self._running[number] = None
                if self._on_end is not None:
                    self._on_end(job)
        finally:
            if worker is not None:
                worker.close()

    def _do(self, worker: Worker, job: Job) -> Worker:
        """Do a job; where its worker had died while it was idle, with a new one."""
        if worker.run(job, self.seconds):
            return worker
        fresh = self._new(worker)
        if fresh is not None:
            job.pid = fresh.pid
        if fresh is None or not fresh.run(job, self.seconds):
            job.fail(problem(WorkerLostError("the workers die before they begin; see the server's log")))
        return fresh or worker

    def _new(self, old: Worker | None) -> Worker | None:
        """Start a worker, and let it warm up."""
        if old is not None:
            old.close()
        try:
            worker = self._start()
        except (LacunaError, OSError) as error:
            sys.stderr.write(f"lacuna web: {error}\n")
            with self._condition:
                jobs = [*self._waiting]
                self._waiting.clear()
            for job in jobs:
                job.fail(problem(WorkerLostError("no worker can be started; see the server's log")))
            time.sleep(1.0)
            return None
        if self._warm is not None:
            worker.run(self._warm(), START_LIMIT)
        return worker

    def _next(self, worker: Worker) -> Job | None:
        """Wait for a job; in between, notice when the worker dies of itself."""
        with self._condition:
            if not self._waiting:
                self._condition.wait(0.5)
            return self._waiting.popleft() if self._waiting and not self._stopping and worker.alive else None


def _absolute_path() -> list[str]:
    """Return where this process looks for modules: a worker in another folder finds the same Lacuna there."""
    return [os.path.abspath(entry) if entry else os.getcwd() for entry in sys.path]

"""What the routes call: the store, the lanes, the projects, and how they belong together."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request

from lacuna.errors import LacunaError, NotFoundError
from lacuna.web import metrics
from lacuna.web.batch import Batch, Batches
from lacuna.web.lanes import Lane, Worker
from lacuna.web.problems import error_of
from lacuna.web.project import Project
from lacuna.web.settings import Settings
from lacuna.web.store import Store, size_of
from lacuna.web.work import Job, Jobs

VIEWS = "looking at files"
_SWEEP = 30.0
_TOUCH = 60.0


class Service:
    """A server without its HTTP."""

    def __init__(self, settings: Settings, counts: metrics.Counts) -> None:
        self.settings, self.counts = settings, counts
        self.started = time.time()
        self.store = Store(settings.folder, settings.project_bytes)
        self.jobs = Jobs()
        self.batches = Batches()
        self._projects: dict[str, Project] = {}
        self._deleted: set[str] = set()
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()
        self.lanes = {
            name: self._lane(name, settings.workers, ["patchmatch", "biharmonic"])
            for name in settings.devices
        }
        self.views = self._lane(VIEWS, 1, [])

    def _lane(self, name: str, workers: int, methods: list[str]) -> Lane:
        limited = name in (
            "cpu",
            VIEWS,
        )  # a GPU's driver reserves far more address space than there is memory

        def start() -> Worker:
            return Worker(self.store.empty, self.settings.max_memory if limited else None)

        def warm() -> Job:
            return Job("warm", "warm", {"methods": methods})

        return Lane(
            name,
            limit=self.settings.queue,
            seconds=self.settings.max_seconds,
            start=start,
            workers=workers,
            warm=warm if methods else None,
            on_end=self._ended,
        )

    def _ended(self, job: Job) -> None:
        begun = job.started or job.finished or 0.0
        self.counts.job(job.kind, job.state, (job.finished or begun) - begun)
        if job.project in self._deleted:  # its worker may have written there until now
            self.store.remove(self.store.root / "projects" / job.project)
        batch = self.batches.of(job)
        if batch is not None:
            self.feed(batch)

    def feed(self, batch: Batch) -> None:
        """Let the next pictures of a batch wait in the lane."""
        batch.feed(self.lanes[self.settings.devices[0]])

    def close(self) -> None:
        """Stop all work."""
        for lane in (*self.lanes.values(), self.views):
            lane.close()

    # --- jobs -----------------------------------------------------------------------------------------------

    def submit(self, job: Job, lane: Lane, *, extra: int = 0) -> Job:
        """Remember a job and let it wait for its turn.

        Raises
        ------
        QueueFullError : the lane is full; the job is forgotten.
        """
        self.jobs.add(job)
        try:
            return lane.submit(job, extra=extra)
        except LacunaError:
            self.drop(job)
            raise

    def drop(self, job: Job) -> None:
        """Forget a job and delete its files."""
        self.jobs.forget(job.id)
        if job.folder is not None:
            self.store.remove(job.folder)

    def describe(self, job: Job) -> dict[str, Any]:
        """Return a job as clients see it."""
        position = 0
        if job.state == "waiting":
            position = max(lane.position(job) for lane in (*self.lanes.values(), self.views))
        return job.described(position)

    async def answer(self, request: Request, job: Job) -> dict[str, Any]:
        """Wait for a job that is as short as a request; a client that goes away stops it.

        Raises
        ------
        LacunaError : what the job ended with.
        """
        version = 0
        while not job.ended:
            version = await job.changed(version, 0.5)
            if not job.ended and await request.is_disconnected():
                job.cancel()
        if job.problem is not None:
            raise error_of(job.problem)
        return job.result or {}

    async def look(self, request: Request, task: str, args: dict[str, Any]) -> dict[str, Any]:
        """Ask the worker that looks at files, and wait.

        Raises
        ------
        LacunaError
        """
        job = self.views.submit(Job(task, task, args))
        return await self.answer(request, job)

    # --- projects -------------------------------------------------------------------------------------------

    def project(self, name: str) -> Project:
        """Return a project.

        Raises
        ------
        NotFoundError
        """
        folder = self.store.find("projects", name)
        with self._lock:
            project = self._projects.get(name)
            if project is None:
                project = self._projects[name] = Project.load(folder)
        now = time.monotonic()
        if now - self._touched.get(name, 0.0) > _TOUCH:
            self._touched[name] = now
            self.store.touch(folder)
        return project

    def adopt(self, project: Project) -> None:
        """Take a project that was just made."""
        project.save()
        with self._lock:
            self._projects[project.id] = project

    def delete(self, name: str) -> None:
        """Delete a project, whatever is being done to it.

        Raises
        ------
        NotFoundError
        """
        folder = self.store.find("projects", name)
        with self._lock:
            project = self._projects.pop(name, None)
            self._deleted.add(name)
            self._touched.pop(name, None)
        if project is not None and project.job is not None:
            project.job.cancel()
        self.store.remove(folder)

    def shop(self, project: Project, steps: list[Any] | None = None) -> dict[str, Any]:
        """Return what a worker needs to know to work on a project."""
        chosen = [step for _, step in project.reached()] if steps is None else steps
        return {
            "folder": str(project.folder),
            "sha256": project.sha256,
            "steps": [step.described() for step in chosen],
            "max_pixels": self.settings.max_pixels,
        }

    def bytes_of(self, project: Project) -> int:
        """Return how much a project takes on the disk."""
        return size_of(project.folder)

    def describe_project(self, project: Project) -> dict[str, Any]:
        """Return a project as clients see it."""
        return project.described(self.settings.expiry) | {"bytes": self.bytes_of(project)}

    def alive(self, project: Project) -> None:
        """Raise unless a project is still there.

        Raises
        ------
        NotFoundError
        """
        self.store.find("projects", project.id)
        if project.id in self._deleted:
            raise NotFoundError("the project was deleted meanwhile")

    # --- time -----------------------------------------------------------------------------------------------

    async def sweep_for_ever(self) -> None:
        """Delete what has expired, now and then."""
        while True:
            await asyncio.sleep(_SWEEP)
            await asyncio.to_thread(self.sweep)

    def sweep(self) -> None:
        """Delete what has expired."""
        for job in self.jobs.expired(self.settings.job_expiry):
            self.drop(job)
        known = {job.folder.name for job in list(self.jobs._all.values()) if job.folder is not None}
        for folder in self.store.expired("jobs", self.settings.job_expiry):
            if folder.name not in known:
                self.store.remove(folder)
        for folder in self.store.expired("batches", self.settings.job_expiry):
            batch = self.batches.forget(folder.name)
            if batch is not None:
                batch.cancel()
            self.store.remove(folder)
        for folder in self.store.expired("projects", self.settings.expiry):
            project = self._projects.get(folder.name)
            if project is None or project.job is None or project.job.ended:
                try:
                    self.delete(folder.name)
                except NotFoundError:  # somebody was quicker
                    continue

    def gauges(self) -> list[tuple[str, str, dict[metrics.Labels, float]]]:
        """Return what is measured when metrics are asked for."""
        lanes = {**self.lanes, "views": self.views}

        def by(of: Callable[[Lane], int]) -> dict[metrics.Labels, float]:
            return {(("queue", name),): float(of(lane)) for name, lane in lanes.items()}

        rows: list[tuple[str, str, Callable[[Lane], int]]] = [
            ("lacuna_queue_waiting", "Jobs that wait.", lambda lane: lane.waiting),
            ("lacuna_queue_running", "Jobs that are being done.", lambda lane: lane.running),
            ("lacuna_queue_limit", "Jobs that may wait.", lambda lane: lane.limit),
        ]
        return [
            *((name, words, by(of)) for name, words, of in rows),
            ("lacuna_folder_bytes", "Bytes that projects and jobs take.", {(): float(self.store.size())}),
            ("lacuna_projects", "Projects that are kept.", {(): float(len(self.store.all("projects")))}),
            ("lacuna_uptime_seconds", "Seconds since the start.", {(): time.time() - self.started}),
        ]


def read_json(path: Path) -> Any:
    """Return what a file holds, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

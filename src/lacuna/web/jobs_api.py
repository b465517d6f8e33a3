"""Routes of jobs: how far, what came of it, and stop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from lacuna.errors import NotReadyError
from lacuna.web.parts import Server, header_words, problems
from lacuna.web.problems import error_of
from lacuna.web.work import Job

router = APIRouter(prefix="/jobs", tags=["jobs"])

KEEP_ALIVE = 10.0
UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Tells nginx to pass events on one by one."""

PAUSE = 0.1
"""Seconds between two events, so that a quick method does not flood a slow connection."""


@router.get("/{job}", responses=problems(404, 422))
def show_job(server: Server, job: str) -> dict[str, Any]:
    """Return how far a job is."""
    return server.describe(server.jobs.get(job))


@router.delete("/{job}", responses=problems(404, 422))
async def cancel_job(server: Server, job: str) -> dict[str, Any]:
    """Stop a job; its process is killed if it does not stop within a second."""
    found = server.jobs.get(job)
    found.cancel()
    version, tries = 0, 0
    while not found.ended and tries < 60:
        version, tries = await found.changed(version, 0.1), tries + 1
    return server.describe(found)


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **problems(404, 422)},
)
async def job_events(request: Request, server: Server, job: str) -> Response:
    """Tell how far a job is, whenever that changes (server-sent events)."""
    found = server.jobs.get(job)
    return StreamingResponse(
        events(request, found, lambda: server.describe(found)),
        media_type="text/event-stream",
        headers=UNBUFFERED,
    )


async def events(request: Request, job: Job, describe: Callable[[], dict[str, Any]]) -> AsyncIterator[bytes]:
    """Yield an event for each change, until the job has ended or the client has gone."""
    import asyncio

    version, quiet = -1, 0.0
    while True:
        ended = job.ended
        told = describe()
        if version != job._version:
            version, quiet = job._version, 0.0
            yield event(job.state if ended else "progress", told)
        if ended:
            return
        before = version
        await asyncio.sleep(PAUSE)
        await job.changed(version, 1.0)
        quiet += 1.0
        if before == job._version and quiet >= KEEP_ALIVE:
            quiet = 0.0
            yield b": keep-alive\n\n"
        if await request.is_disconnected():
            return


def event(name: str, data: Any) -> bytes:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@router.get(
    "/{job}/result",
    responses={
        200: {"content": {"image/*": {}, "application/json": {}}},
        **problems(404, 409, 413, 422, 503),
    },
)
def job_result(server: Server, job: str) -> Response:
    """Return what came of a job: a picture, or facts."""
    found = server.jobs.get(job)
    if not found.ended:
        raise NotReadyError("the job is not done; wait for it, its events tell when")
    if found.problem is not None:
        raise error_of(found.problem)
    return picture_of(found) if found.kind == "inpaint" else JSONResponse(found.result)


def picture_of(job: Job) -> Response:
    """Return the picture that a job without a project has filled."""
    told = job.result or {}
    return FileResponse(
        job.args["target"], media_type=f"image/{told['format'].lower()}", headers=headers_of(told)
    )


def headers_of(told: dict[str, Any]) -> dict[str, str]:
    """Return what is known of a filled picture, as headers."""
    return {
        "Lacuna-Method": told["method"],
        "Lacuna-Seed": str(told["seed"]),
        "Lacuna-Seconds": f"{told['elapsed']:.4f}",
        "Lacuna-Missing": str(told["missing"]),
        "Lacuna-Known-Changed": str(told["known_changed"]),
        "Lacuna-Changed-In-File": str(told["changed_in_file"]),
        "Lacuna-Notes": header_words(told["notes"]),
    }

"""Routes of batches: a folder of pictures, filled in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.background import BackgroundTask

from lacuna.errors import LimitError, NotReadyError
from lacuna.web import menu, models
from lacuna.web.batch import Batch
from lacuna.web.jobs_api import UNBUFFERED, event, headers_of
from lacuna.web.parts import FileMask, RunsMask, Server, attachment, keep, mask_for_worker, needed, problems
from lacuna.web.problems import error_of
from lacuna.web.project import file_name, filled_name
from lacuna.web.work import Job, new_id

router = APIRouter(prefix="/batches", tags=["batches"])

_PAUSE = 0.3


@router.post("", status_code=201, responses=problems(413, 422))
def begin_batch(server: Server, body: models.Batch) -> JSONResponse:
    """Begin a batch; its pictures follow one by one."""
    most = server.settings.max_batch
    if body.count is not None and body.count > most:
        raise LimitError(
            f"{body.count} pictures are more than {most}, the limit of this server; send fewer at a time"
        )
    settings = body.settings.model_dump()
    settings["options"] = menu.options_for(body.settings.method, body.settings.all_options, "")
    name, folder = server.store.new("batches")
    batch = Batch(name, folder, settings, most)
    server.batches.add(batch)
    told = batch.described(server.settings.job_expiry)
    return JSONResponse(told, 201, headers={"Location": f"/api/v1/batches/{name}"})


@router.post("/{batch}/items", status_code=201, responses=problems(400, 404, 408, 413, 422))
async def add_item(
    server: Server,
    batch: str,
    image: Annotated[UploadFile, File(description="The picture.")],
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    name: Annotated[
        str | None, Form(max_length=300, description="What to call it; else the file's name.")
    ] = None,
) -> dict[str, Any]:
    """Add a picture with its mask; it is filled as soon as it is its turn."""
    found = server.batches.get(batch)
    found.check_room()
    server.store.check_room(image.size or 0)
    server.store.touch(found.folder)
    folder = found.folder / new_id()
    folder.mkdir()
    server.store.added(await keep(image, folder / "image"))
    how = found.settings
    args = {
        "image": str(folder / "image"),
        "mask": needed(await mask_for_worker(folder, "mask", mask, mask_rle)),
        "settings": {**models.FillOnce().model_dump(), **how},
        "target": str(folder / "filled"),
        "max_pixels": server.settings.max_pixels,
        "device": server.settings.devices[0],
    }
    job = Job("batch", "inpaint", args)
    server.batches.link(job, found)
    item = found.add(file_name(name or image.filename), job)
    server.feed(found)
    return item.described()


@router.get("/{batch}", responses=problems(404, 422))
def show_batch(server: Server, batch: str) -> dict[str, Any]:
    """Return how far all pictures are."""
    found = server.batches.get(batch)
    server.store.touch(found.folder)
    return found.described(server.settings.job_expiry)


@router.delete("/{batch}", status_code=204, responses=problems(404, 422))
def delete_batch(server: Server, batch: str) -> None:
    """Stop a batch and delete its pictures."""
    found = server.batches.get(batch)
    found.cancel()
    server.batches.forget(batch)
    server.store.remove(found.folder)


@router.get(
    "/{batch}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **problems(404, 422)},
)
async def batch_events(request: Request, server: Server, batch: str) -> Response:
    """Tell how far all pictures are, whenever that changes (server-sent events)."""
    found = server.batches.get(batch)
    return StreamingResponse(
        _events(request, found, server.settings.job_expiry),
        media_type="text/event-stream",
        headers=UNBUFFERED,
    )


async def _events(request: Request, batch: Batch, expiry: float) -> AsyncIterator[bytes]:
    before: list[Any] | None = None
    quiet = 0.0
    while not await request.is_disconnected():
        busy = batch.busy
        told = batch.described(expiry)
        if told["items"] != before or not busy:
            before, quiet = told["items"], 0.0
            yield event("progress" if busy else "done", told)
        if not busy:
            return
        await asyncio.sleep(_PAUSE)
        quiet += _PAUSE
        if quiet > 10:
            quiet = 0.0
            yield b": keep-alive\n\n"


@router.get(
    "/{batch}/items/{index}",
    response_class=FileResponse,
    responses={200: {"content": {"image/*": {}}}, **problems(404, 409, 413, 422, 503)},
)
def show_item(server: Server, batch: str, index: int) -> Response:
    """Return a filled picture."""
    item = server.batches.get(batch).item(index)
    if not item.job.ended:
        raise NotReadyError("the picture is not done; wait for it, the batch's events tell when")
    if item.job.problem is not None:
        raise error_of(item.job.problem)
    told = item.job.result or {}
    headers = {"Content-Disposition": attachment(filled_name(item.name, told["format"])), **headers_of(told)}
    return FileResponse(
        item.job.args["target"], media_type=f"image/{told['format'].lower()}", headers=headers
    )


@router.delete("/{batch}/items/{index}", responses=problems(404, 422))
def cancel_item(server: Server, batch: str, index: int) -> dict[str, Any]:
    """Stop one picture; its place stays."""
    item = server.batches.get(batch).item(index)
    item.job.cancel()
    return item.described()


@router.get(
    "/{batch}/zip",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}, **problems(404, 413, 422)},
)
def batch_zip(server: Server, batch: str) -> Response:
    """Return all filled pictures, and a report, as a zip."""
    found = server.batches.get(batch)
    server.store.check_room()
    server.store.touch(found.folder)
    path = found.folder / f"{new_id()}.zip"
    found.pack(path)
    return FileResponse(
        path,
        media_type="application/zip",
        headers={"Content-Disposition": attachment("filled.zip")},
        background=BackgroundTask(path.unlink, missing_ok=True),
    )

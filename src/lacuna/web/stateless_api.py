"""Routes for programs: one picture in, one picture or answer out, nothing kept."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from lacuna.web import menu
from lacuna.web.jobs_api import picture_of
from lacuna.web.models import Click, Detect, FillOnce
from lacuna.web.parts import (
    ExpressionMask,
    FileMask,
    RunsMask,
    Server,
    SettingsText,
    attachment,
    keep,
    mask_for_worker,
    needed,
    problems,
    settings_of,
)
from lacuna.web.problems import error_of
from lacuna.web.service import Service
from lacuna.web.work import Job

router = APIRouter(tags=["one picture"])

Picture = Annotated[UploadFile, File(description="The picture.")]
Form_ = Annotated[Literal["json", "png"], Form(alias="as", description="How the mask is returned.")]


@router.post(
    "/inpaint",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}, "description": "The filled picture."},
        202: {"description": "A job: it takes longer than `wait`."},
        **problems(400, 408, 409, 413, 422, 429, 503),
    },
)
async def inpaint(
    request: Request,
    server: Server,
    image: Picture,
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    expression: ExpressionMask = None,
    sources: FileMask = None,
    sources_rle: RunsMask = None,
    sketch: FileMask = None,
    guide: Annotated[UploadFile | None, File(description="What the hole may look like.")] = None,
    settings: SettingsText = "{}",
    wait: Annotated[
        float, Form(ge=0, le=600, description="Seconds to wait for the picture; 0 asks for a job.")
    ] = 30.0,
) -> Response:
    """Fill the missing part of a picture; every known pixel stays as it is."""
    how = settings_of(FillOnce, settings)
    device = menu.device_for(how.device, server.settings.devices)
    options = menu.options_for(how.method, how.all_options, device)
    _, folder = server.store.new("jobs", image.size or 0)
    try:
        server.store.added(await keep(image, folder / "image"))
        args = {
            "image": str(folder / "image"),
            "mask": needed(await mask_for_worker(folder, "mask", mask, mask_rle, expression)),
            "sources": await mask_for_worker(folder, "sources", sources, sources_rle),
            "sketch": await mask_for_worker(folder, "sketch", sketch, None),
            "guide": str(folder / "guide") if guide is not None else None,
            "settings": {**how.model_dump(), "options": options},
            "target": str(folder / "filled"),
            "max_pixels": server.settings.max_pixels,
            "device": device,
        }
        if guide is not None:
            await keep(guide, folder / "guide")
        job = server.submit(Job("inpaint", "inpaint", args, folder=folder), server.lanes[device])
    except BaseException:  # a client that goes away cancels us, and leaves no folder behind either
        server.store.remove(folder)
        raise
    return await _waited(request, server, job, wait)


async def _waited(request: Request, server: Service, job: Job, seconds: float) -> Response:
    """Return the picture if it comes in time, else the job."""
    version, until = 0, time.monotonic() + seconds
    while not job.ended and (left := until - time.monotonic()) > 0:
        version = await job.changed(version, min(left, 0.5))
        if not job.ended and await request.is_disconnected():
            job.cancel()
    if not job.ended:
        return JSONResponse(server.describe(job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})
    if job.problem is not None:
        server.drop(job)
        raise error_of(job.problem)
    answer = picture_of(job)
    answer.background = BackgroundTask(server.drop, job)  # delivered: nobody will ask for it again
    return answer


@asynccontextmanager
async def _desk(server: Service, **uploads: UploadFile) -> AsyncIterator[tuple[Path, dict[str, Any]]]:
    """Put uploads into a folder that is gone afterwards; give it and what a worker has to know."""
    _, folder = server.store.new("jobs", sum(upload.size or 0 for upload in uploads.values()))
    try:
        args: dict[str, Any] = {"max_pixels": server.settings.max_pixels}
        for name, upload in uploads.items():
            await keep(upload, folder / name)
            args[name] = str(folder / name)
        yield folder, args
    finally:
        server.store.remove(folder)


@router.post("/masks/check", responses=problems(400, 408, 413, 422, 429, 503))
async def check_mask(
    request: Request,
    server: Server,
    image: Picture,
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    expression: ExpressionMask = None,
) -> dict[str, Any]:
    """Say what is probably wrong with a mask."""
    async with _desk(server, image=image) as (folder, args):
        args["mask"] = needed(await mask_for_worker(folder, "mask", mask, mask_rle, expression))
        return await server.look(request, "check", args)


@router.post(
    "/masks/detect", responses={200: {"content": {"image/png": {}}}, **problems(400, 408, 413, 422, 429, 503)}
)
async def detect_mask(
    request: Request,
    server: Server,
    image: Picture,
    settings: SettingsText = '{"what": ["text"]}',
    form: Form_ = "json",
) -> Response:
    """Find text, scratches and the like; the answer is a mask."""
    how = settings_of(Detect, settings)
    return await _mask(request, server, image, "detect", how.model_dump(), form)


@router.post(
    "/masks/click", responses={200: {"content": {"image/png": {}}}, **problems(400, 408, 413, 422, 429, 503)}
)
async def click_mask(
    request: Request, server: Server, image: Picture, settings: SettingsText = "{}", form: Form_ = "json"
) -> Response:
    """Select the object under some points; the answer is a mask."""
    how = settings_of(Click, settings)
    return await _mask(request, server, image, "click", how.model_dump(), form)


async def _mask(
    request: Request, server: Service, image: UploadFile, task: str, how: dict[str, Any], form: str
) -> Response:
    async with _desk(server, image=image) as (folder, args):
        if form == "json":
            return JSONResponse(await server.look(request, task, args | how))
        target = folder / "mask.png"
        await server.look(request, task, args | how | {"target": str(target)})
        return Response(
            target.read_bytes(),
            media_type="image/png",
            headers={"Content-Disposition": attachment("mask.png")},
        )


@router.post("/verify", responses=problems(400, 408, 413, 422, 429, 503))
async def verify(
    request: Request,
    server: Server,
    before: Annotated[UploadFile, File(description="The picture as it was.")],
    after: Annotated[UploadFile, File(description="The picture as any program returned it.")],
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    expression: ExpressionMask = None,
) -> dict[str, Any]:
    """Count the known pixels that differ between two files."""
    async with _desk(server, before=before, after=after) as (folder, args):
        args["mask"] = needed(await mask_for_worker(folder, "mask", mask, mask_rle, expression))
        return await server.look(request, "verify", args)

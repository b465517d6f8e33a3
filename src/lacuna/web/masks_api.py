"""Routes that help with masks, on the picture of a project as it stands."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import JSONResponse

from lacuna.errors import NotFoundError
from lacuna.web.models import Click, Detect
from lacuna.web.parts import (
    MOST_RUNS,
    FileMask,
    Opened,
    RunsMask,
    Server,
    attachment,
    mask_for_worker,
    needed,
    problems,
)
from lacuna.web.service import Service

router = APIRouter(prefix="/projects", tags=["projects"])


@router.post("/{project}/detect", responses=problems(404, 413, 422, 429, 503))
async def detect(request: Request, server: Server, opened: Opened, how: Detect) -> dict[str, Any]:
    """Find text, scratches and the like in the picture as it stands."""
    return await server.look(request, "detect", server.shop(opened) | how.model_dump())


@router.post("/{project}/click", responses=problems(404, 413, 422, 429, 503))
async def click(request: Request, server: Server, opened: Opened, how: Click) -> dict[str, Any]:
    """Select the object under some points."""
    return await server.look(request, "click", server.shop(opened) | how.model_dump())


@router.post("/{project}/check", responses=problems(400, 404, 408, 413, 422, 429, 503))
async def check(
    request: Request, server: Server, opened: Opened, mask: FileMask = None, mask_rle: RunsMask = None
) -> dict[str, Any]:
    """Say what is probably wrong with a mask."""
    _, folder = server.store.new("jobs")
    try:
        told = needed(await mask_for_worker(folder, "mask", mask, mask_rle))
        return await server.look(request, "check", {**server.shop(opened), "mask": told})
    finally:
        server.store.remove(folder)


@router.post("/{project}/mask", responses=problems(400, 404, 408, 413, 422, 429, 503))
async def import_mask(
    request: Request,
    server: Server,
    opened: Opened,
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    invert: Annotated[bool, Form()] = False,
    dilate: Annotated[int, Form(ge=0, le=100_000)] = 0,
    resize: Annotated[bool, Form()] = False,
) -> dict[str, Any]:
    """Read a mask file for the picture as it stands."""
    _, folder = server.store.new("jobs")
    try:
        told = needed(await mask_for_worker(folder, "mask", mask, mask_rle))
        how = {"mask": told, "invert": invert, "dilate": dilate, "resize": resize}
        return await server.look(request, "mask", {**server.shop(opened), **how})
    finally:
        server.store.remove(folder)


@router.post(
    "/{project}/mask.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(400, 404, 408, 413, 422, 429, 503)},
)
async def export_mask(
    request: Request, server: Server, opened: Opened, mask_rle: Annotated[str, Form(max_length=MOST_RUNS)]
) -> Response:
    """Write a mask as a file, white on black."""
    _, folder = server.store.new("jobs")
    try:
        told = await mask_for_worker(folder, "mask", None, mask_rle)
        how = {"mask": told, "invert": False, "dilate": 0, "resize": False}
        return await _masked(request, server, "mask", {**server.shop(opened), **how}, "png")
    finally:
        server.store.remove(folder)


@router.get(
    "/{project}/steps/{step}/mask", responses={200: {"content": {"image/png": {}}}, **problems(404, 422, 429)}
)
async def step_mask(
    request: Request,
    server: Server,
    opened: Opened,
    step: str,
    form: Annotated[Literal["json", "png"], Query(alias="as")] = "json",
) -> Response:
    """Return what a step fills, after growing, as runs or as a PNG."""
    wanted = opened.step(step)
    key = next((key for key, one in opened.linked() if one.id == wanted.id), None)
    if key is None or key not in opened.states:
        raise NotFoundError("the step is switched off; switch it on to see its mask")
    return await _masked(request, server, "step-mask", {**server.shop(opened), "key": key}, form)


async def _masked(request: Request, server: Service, task: str, args: dict[str, Any], form: str) -> Response:
    if form == "json":
        return JSONResponse(await server.look(request, task, args))
    _, folder = server.store.new("jobs")
    try:
        await server.look(request, task, {**args, "target": str(folder / "mask.png")})
        body = await asyncio.to_thread((folder / "mask.png").read_bytes)
        return Response(body, media_type="image/png", headers={"Content-Disposition": attachment("mask.png")})
    finally:
        server.store.remove(folder)

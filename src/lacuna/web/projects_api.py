"""Routes of projects: open a photo, and look at any version of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from lacuna.errors import NotFoundError, OptionError
from lacuna.web import preview
from lacuna.web.parts import (
    Opened,
    Server,
    keep,
    problems,
)
from lacuna.web.project import Project, file_name

router = APIRouter(prefix="/projects", tags=["projects"])

FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.post("", status_code=201, responses=problems(400, 408, 413, 422, 429, 503))
async def open_photo(
    request: Request, server: Server, image: Annotated[UploadFile, File(description="The photo.")]
) -> JSONResponse:
    """Open a photo: the beginning of a project."""
    _, folder = server.store.new("projects", image.size or 0)
    try:
        server.store.added(await keep(image, folder / "original"))
        sha256 = await asyncio.to_thread(_digest_of, folder / "original")
        project = Project.make(folder, file_name(image.filename), sha256)
        facts = await server.look(request, "open", server.shop(project, []))
        project.know([facts])
        server.adopt(project)
    except BaseException:  # a client that goes away cancels us, and leaves no folder behind either
        server.store.remove(folder)
        raise
    told = server.describe_project(project)
    return JSONResponse(told, 201, headers={"Location": f"/api/v1/projects/{project.id}"})


@router.get("/{project}", responses=problems(404, 422))
def show_project(server: Server, opened: Opened) -> dict[str, Any]:
    """Return the photo's facts, the steps and the versions."""
    return server.describe_project(opened)


@router.delete("/{project}", status_code=204, responses=problems(404, 422))
def delete_project(server: Server, project: str) -> None:
    """Delete a project and all that belongs to it."""
    server.delete(project)


@router.get(
    "/{project}/tiles/{version}/{level}/{x}/{y}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/webp": {}}}, **problems(404, 422)},
)
def tile(opened: Opened, version: str, level: int, x: int, y: int) -> Response:
    """Return a tile of 512 pixels, 8-bit sRGB; level 0 is the full resolution."""
    key = opened.key_of(version)
    facts = opened.states[key]
    levels = preview.levels_of(facts["height"], facts["width"])
    box = preview.tile_box(facts["height"], facts["width"], level, x, y) if 0 <= level < levels else None
    if box is None:
        raise NotFoundError(f"there is no tile {x},{y} in level {level}; ask for the project's versions")
    body, kind = preview.encoded(_cut(opened, key, level, box), lossless=level == 0)
    return Response(body, media_type=kind, headers=FOR_EVER if version == key else {})


@router.get(
    "/{project}/crop/{version}",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}, **problems(404, 422)},
)
def crop(
    opened: Opened,
    version: str,
    box: Annotated[str | None, Query(description="left,top,width,height", max_length=100)] = None,
    size: Annotated[int, Query(ge=1, le=2048)] = 384,
) -> Response:
    """Return a part of a version, reduced until it fits a square."""
    from PIL import Image

    key = opened.key_of(version)
    facts = opened.states[key]
    height, width = facts["height"], facts["width"]
    left, top, wide, high = _box(box, width, height)
    level, levels = 0, preview.levels_of(height, width)
    while level + 1 < levels and max(wide, high) >> (level + 1) >= size:
        level += 1
    rows, columns = preview.size_at(height, width, level)
    part = (
        min(top >> level, rows - 1),
        min(left >> level, columns - 1),
        min(-(-(top + high) >> level), rows),
        min(-(-(left + wide) >> level), columns),
    )
    pixels = _cut(opened, key, level, part)
    scale = min(1.0, size / max(pixels.shape[:2]))
    if scale < 1:
        reduced = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        import numpy as np

        pixels = np.asarray(Image.fromarray(pixels).resize(reduced, Image.Resampling.BOX))
    body, kind = preview.encoded(pixels, lossless=False)
    return Response(body, media_type=kind, headers=FOR_EVER if version == key else {})


def _cut(project: Project, key: str, level: int, box: tuple[int, int, int, int]) -> Any:
    try:
        return preview.cut(project.folder / "states" / key / "preview", level, box)
    except (OSError, LookupError, ValueError) as error:
        raise NotFoundError("this version is not there any more; ask for the project again") from error


def _box(text: str | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, width, height inside the picture."""
    if text is None:
        return 0, 0, width, height
    try:
        left, top, wide, high = (int(float(part)) for part in text.split(","))
    except (ValueError, OverflowError) as error:
        raise OptionError(f"box is {text!r}; expected left,top,width,height") from error
    right, bottom = min(left + wide, width), min(top + high, height)
    left, top = max(left, 0), max(top, 0)
    if right <= left or bottom <= top:
        raise OptionError(
            f"box {text} holds no pixel of the {width}x{height} picture; give left,top,width,height"
        )
    return left, top, right - left, bottom - top


def _digest_of(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

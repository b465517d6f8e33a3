"""Routes of the editor: open, fill, look, step back and forth, take home."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse

from lacuna.errors import LimitError, NotFoundError, OptionError
from lacuna.web import menu, preview
from lacuna.web.models import Choice, Click, Detect, Fill, FillVariants, Order, Outpaint, StepChange
from lacuna.web.parts import (
    FileMask,
    Opened,
    RunsMask,
    Server,
    SettingsText,
    attachment,
    header_words,
    keep,
    mask_for_project,
    mask_for_worker,
    needed,
    problems,
    settings_of,
)
from lacuna.web.project import Project, file_name, filled_name
from lacuna.web.service import Service, read_json
from lacuna.web.steps import Step, chain, digest, next_key
from lacuna.web.steps import read as read_step
from lacuna.web.work import Job, new_id

router = APIRouter(prefix="/projects", tags=["projects"])

Format = Annotated[
    Literal["PNG", "JPEG", "WEBP", "TIFF", "BMP"] | None, Query(description="None: the original's.")
]
Quality = Annotated[int | None, Query(ge=1, le=100, description="For JPEG and WebP: encode all anew.")]

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
    except BaseException:
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


# --- pictures -----------------------------------------------------------------------------------------------


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


# --- fills --------------------------------------------------------------------------------------------------


@router.post("/{project}/fills", status_code=202, responses=problems(400, 404, 408, 409, 413, 422, 429))
async def fill(
    server: Server,
    opened: Opened,
    mask: FileMask = None,
    mask_rle: RunsMask = None,
    sources: FileMask = None,
    sources_rle: RunsMask = None,
    sketch: FileMask = None,
    sketch_rle: RunsMask = None,
    guide: Annotated[UploadFile | None, File(description="What the hole may look like.")] = None,
    settings: SettingsText = "{}",
) -> JSONResponse:
    """Fill a hole: a step, or several variants to choose from."""
    how = settings_of(FillVariants, settings)
    if how.variants > server.settings.max_variants:
        raise LimitError(
            f"{how.variants} variants are more than {server.settings.max_variants}, the limit; ask for fewer"
        )
    server.store.check_room()
    blobs = {
        "mask": needed(await mask_for_project(opened, mask, mask_rle)),
        "sources": await mask_for_project(opened, sources, sources_rle, "sources"),
        "sketch": await mask_for_project(opened, sketch, sketch_rle, "sketch"),
        "guide": await mask_for_project(opened, guide, None, "guide"),
    }
    step = _step(
        server, how, origin=opened.facts()["origin"], dilate=how.dilate, feather=how.feather, **blobs
    )
    return _taken(server, opened, step, how.variants)


@router.post("/{project}/outpaint", status_code=202, responses=problems(404, 409, 413, 422, 429))
def outpaint(server: Server, opened: Opened, how: Outpaint) -> JSONResponse:
    """Let the canvas grow, and fill the new part."""
    canvas = {
        name: getattr(how, name)
        for name in ("left", "top", "right", "bottom", "aspect", "size")
        if getattr(how, name) not in (0, None)
    }
    step = _step(server, how, kind="outpaint", canvas={**canvas, "anchor": how.anchor})
    return _taken(server, opened, step, 1)


@router.post("/{project}/fills/{job}/choose", responses=problems(404, 409, 413, 422))
def choose(server: Server, opened: Opened, job: str, choice: Choice) -> dict[str, Any]:
    """Keep one of the variants as a step."""
    opened.choose(job, choice.variant, server.settings.max_steps)
    return server.describe_project(opened)


@router.delete("/{project}/fills/{job}", status_code=204, responses=problems(404, 422))
def withdraw(opened: Opened, job: str) -> None:
    """Drop the variants on offer."""
    opened.withdraw(job)


def _step(server: Service, how: Fill | Outpaint, **more: Any) -> Step:
    origin = more.pop("origin", (0, 0))
    return Step(
        id=f"s{secrets.token_hex(6)}",
        method=how.method,
        options=menu.options_for(how.method, dict(how.options), server.settings.devices[0]),
        prompt=_prompt(how.method, how.prompt),
        seed=how.seed,
        blend=how.blend,
        context=how.context,
        origin=(origin[0], origin[1]),
        **more,
    )


def _prompt(method: str, prompt: str | None) -> str | None:
    if prompt is not None:
        menu.options_for(method, {"prompt": prompt}, "")
    return prompt


def _taken(server: Service, project: Project, step: Step, variants: int) -> JSONResponse:
    """Let a worker take a step, and append it when it is done."""
    before = project.current
    keys = [next_key(before, replace(step, seed=step.seed + i)) for i in range(variants)]
    args = {
        **server.shop(project),
        "step": step.described(),
        "keys": keys,
        "device": server.settings.devices[0],
    }

    def finish(told: dict[str, Any]) -> dict[str, Any]:
        server.alive(project)
        states = told["states"]
        server.store.added(sum(1000 for _ in states))
        if variants == 1:
            project.append(step, states[0], server.settings.max_steps)
        else:
            project.offer(job.id, step, states)
        return {
            "project": project.id,
            "revision": project.revision,
            "step": step.id if variants == 1 else None,
            "version": project.current,
            "variants": None if variants == 1 else project.variants(job.id),
        }

    job = Job("fill" if step.kind == "fill" else "outpaint", "take", args, project.id, finish)
    return _started(server, project, job)


def _started(server: Service, project: Project, job: Job) -> JSONResponse:
    with project.lock:
        project.begin(job)
        try:
            server.submit(job, server.lanes[server.settings.devices[0]])
        except BaseException:
            project.job = None
            raise
    return JSONResponse(server.describe(job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})


# --- steps --------------------------------------------------------------------------------------------------


@router.patch(
    "/{project}/steps/{step}",
    responses={202: {"description": "A job replays the steps."}, **problems(404, 409, 422, 429)},
)
def change_step(server: Server, opened: Opened, step: str, change: StepChange) -> JSONResponse:
    """Switch a step off or on, or do it differently."""
    old = opened.step(step)
    given = change.model_dump(exclude_unset=True)
    if any(value is None for name, value in given.items() if name != "prompt"):
        raise OptionError("a change of a step holds null; leave out what is not to change")
    new = replace(old, **given)
    if {"method", "options", "prompt"} & set(given):
        new = replace(
            new,
            options=menu.options_for(new.method, dict(new.options), ""),
            prompt=_prompt(new.method, new.prompt),
        )
    return _changed(server, opened, [new if one.id == step else one for one in opened.steps])


@router.delete(
    "/{project}/steps/{step}",
    responses={202: {"description": "A job replays the steps."}, **problems(404, 409, 422, 429)},
)
def delete_step(server: Server, opened: Opened, step: str) -> JSONResponse:
    """Take a step out of the history."""
    opened.step(step)
    return _changed(server, opened, [one for one in opened.steps if one.id != step])


@router.put(
    "/{project}/steps",
    responses={202: {"description": "A job replays the steps."}, **problems(404, 409, 422, 429)},
)
def order_steps(server: Server, opened: Opened, order: Order) -> JSONResponse:
    """Put the steps in another order; those that are left out are deleted."""
    if len(set(order.order)) != len(order.order):
        raise OptionError("the order names a step twice; name each once")
    return _changed(server, opened, [opened.step(name) for name in order.order])


def _changed(server: Service, project: Project, steps: list[Step]) -> JSONResponse:
    """Take other steps; replay them where their states are not known."""
    linked = chain(project.sha256, steps)
    with project.lock:
        if project.job is not None and not project.job.ended:
            project.begin(project.job)  # says that it is busy
        if all(key in project.states for key, _ in linked):
            project.change(steps)
            return JSONResponse(server.describe_project(project))
        before = list(project.steps)

        def finish(told: dict[str, Any]) -> dict[str, Any]:
            server.alive(project)
            project.know(told["states"])
            return {
                "project": project.id, "revision": project.revision, "step": None, "version": project.current,
                "variants": None,
            }  # fmt: skip

        args = {**server.shop(project, [step for _, step in linked]), "device": server.settings.devices[0]}
        job = Job("replay", "advance", args, project.id, finish, undo=lambda: _undone(project, before))
        answer = _started(server, project, job)
        project.change(steps)
        return answer


def _undone(project: Project, before: list[Step]) -> None:
    if project.folder.is_dir():
        project.change(before)


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


# --- help with masks ----------------------------------------------------------------------------------------


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
    request: Request, server: Server, opened: Opened, mask_rle: Annotated[str, Form(max_length=40_000_000)]
) -> Response:
    """Write a mask as a file, white on black."""
    _, folder = server.store.new("jobs")
    try:
        told = await mask_for_worker(folder, "mask", None, mask_rle)
        how = {"mask": told, "invert": False, "dilate": 0, "resize": False}
        return await _masked(request, server, "mask", {**server.shop(opened), **how}, "png")
    finally:
        server.store.remove(folder)


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


# --- out ----------------------------------------------------------------------------------------------------


@router.get(
    "/{project}/download",
    response_class=FileResponse,
    responses={200: {"content": {"image/*": {}}}, **problems(404, 409, 413, 422, 429, 503)},
)
async def download(
    request: Request, server: Server, opened: Opened, format: Format = None, quality: Quality = None
) -> Response:
    """Return the file that the command line would write: format, depth, profile and metadata as they were."""
    path, facts = await _encoded(request, server, opened, format, quality)
    return FileResponse(
        path,
        media_type=f"image/{facts['format'].lower()}",
        headers={
            "Content-Disposition": attachment(filled_name(opened.name, facts["format"])),
            "Lacuna-Changed-In-File": str(facts["changed_in_file"]),
            "Lacuna-Known-Changed": str(facts["changed_known"]),
            "Lacuna-Notes": header_words(facts["notes"]),
        },
    )


@router.get("/{project}/download/facts", responses=problems(404, 409, 413, 422, 429, 503))
async def download_facts(
    request: Request, server: Server, opened: Opened, format: Format = None, quality: Quality = None
) -> dict[str, Any]:
    """Say what a download would hold."""
    _, facts = await _encoded(request, server, opened, format, quality)
    return {**facts, "filename": filled_name(opened.name, facts["format"])}


async def _encoded(
    request: Request, server: Service, project: Project, format: str | None, quality: int | None
) -> tuple[Path, dict[str, Any]]:
    """Return the file of the current picture, written now or before, and what is known about it."""
    name = digest(f"{project.current} {format} {quality}".encode())[:24]
    folder = project.folder / "downloads"
    path = folder / f"{name}.bin"
    facts = await asyncio.to_thread(read_json, path.with_suffix(".json"))
    if facts is None or not path.exists():
        server.store.check_room()
        folder.mkdir(exist_ok=True)
        args = {**server.shop(project), "format": format, "quality": quality, "target": str(path)}
        facts = await server.look(request, "encode", args)
        server.store.added(facts["bytes"])
    return path, facts


@router.get(
    "/{project}/file",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}, **problems(404, 413, 422)},
)
def project_file(server: Server, opened: Opened) -> Response:
    """Return the project as a file: the original, the masks and the steps."""
    from lacuna.web import bundle

    server.store.check_room()
    path = opened.folder / "downloads" / f"{opened.revision}-{new_id()[:8]}.lacuna"
    path.parent.mkdir(exist_ok=True)
    with opened.lock:
        bundle.write(path, opened.folder, opened.name, opened.sha256, opened.steps)
    name = f"{opened.name.rpartition('.')[0] or opened.name}.lacuna"
    return FileResponse(
        path,
        media_type="application/zip",
        headers={"Content-Disposition": attachment(name)},
        background=_later(path),
    )


@router.post("/import", status_code=202, responses=problems(400, 408, 413, 422, 429))
async def import_project(
    request: Request,
    server: Server,
    file: Annotated[UploadFile, File(description="A project file (.lacuna).")],
) -> JSONResponse:
    """Open a project file; a job replays its steps."""
    _, folder = server.store.new("projects", file.size or 0)
    try:
        server.store.added(await keep(file, folder / "upload"))
        limits = {"most": server.settings.max_bytes, "max_steps": server.settings.max_steps}
        read = await server.look(
            request, "unpack", {"upload": str(folder / "upload"), "folder": str(folder), **limits}
        )
        (folder / "upload").unlink()
        steps = [read_step(step) for step in read["steps"]]
        for step in steps:
            menu.options_for(step.method, dict(step.options), "")
        project = Project.make(folder, file_name(read["name"]), read["sha256"], steps)

        def finish(told: dict[str, Any]) -> dict[str, Any]:
            project.know([told["original"], *told["states"]])
            server.adopt(project)
            return {"project": project.id}

        linked = [step for _, step in project.linked()]
        args = {**server.shop(project, linked), "device": server.settings.devices[0]}
        job = Job("import", "advance", args, project.id, finish, undo=lambda: server.store.remove(folder))
        server.submit(job, server.lanes[server.settings.devices[0]])
    except BaseException:
        server.store.remove(folder)
        raise
    return JSONResponse(server.describe(job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})


def _later(path: Path) -> Any:
    from starlette.background import BackgroundTask

    return BackgroundTask(path.unlink, missing_ok=True)


def _digest_of(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

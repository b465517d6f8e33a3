"""Routes of files: take the picture home, or the whole project, and bring it back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse

from lacuna.web import menu
from lacuna.web.parts import (
    Opened,
    Server,
    attachment,
    header_words,
    keep,
    problems,
)
from lacuna.web.project import Project, file_name, filled_name
from lacuna.web.service import Service, read_json
from lacuna.web.steps import digest
from lacuna.web.steps import read as read_step
from lacuna.web.work import Job, new_id

router = APIRouter(prefix="/projects", tags=["projects"])

Format = Annotated[
    Literal["PNG", "JPEG", "WEBP", "TIFF", "BMP"] | None, Query(description="None: the original's.")
]
Quality = Annotated[int | None, Query(ge=1, le=100, description="For JPEG and WebP: encode all anew.")]


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
        await asyncio.to_thread(_keep_newest, folder)
    return path, facts


def _keep_newest(folder: Path, count: int = 4) -> None:
    """Delete all but the last few downloads; whoever is reading one can go on."""
    files = sorted(folder.glob("*.bin"), key=lambda path: path.stat().st_mtime)
    for path in files[:-count]:
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


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
    except BaseException:  # a client that goes away cancels us, and leaves no folder behind either
        server.store.remove(folder)
        raise
    return JSONResponse(server.describe(job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})


def _later(path: Path) -> Any:
    from starlette.background import BackgroundTask

    return BackgroundTask(path.unlink, missing_ok=True)

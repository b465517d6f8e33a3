"""What the routes share: parts of bodies put where the server wants them, and documented answers."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar
from urllib.parse import quote

from fastapi import Depends, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from lacuna.errors import ImageError, MaskError
from lacuna.web import runs
from lacuna.web.problems import MEDIA_TYPE
from lacuna.web.project import Project
from lacuna.web.service import Service
from lacuna.web.steps import first_key

MOST_RUNS = 8_000_000
"""Characters of a mask as runs: two million of them. What is more intricate is smaller as a PNG."""

Model = TypeVar("Model", bound=BaseModel)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Server = Annotated[Service, Depends(_service)]


async def _opened(request: Request, project: str) -> Project:
    server = _service(request)
    found = await asyncio.to_thread(server.project, project)
    if first_key(found.sha256) not in found.states:  # begun on the command line: nobody has looked at it yet
        found.know([await server.look(request, "open", server.shop(found, []))])
    return found


Opened = Annotated[Project, Depends(_opened)]
"""The project that the path names."""

FileMask = Annotated[
    UploadFile | None, File(description="A picture of the mask: white (128 or more, or opaque) is missing.")
]
RunsMask = Annotated[
    str | None,
    Form(
        description="Or the mask as runs: JSON with left, top, width, height, counts.", max_length=MOST_RUNS
    ),
]
ExpressionMask = Annotated[
    str | None,
    Form(description="Or an expression such as box:10,10,200,80 | dilate 2 (no files).", max_length=100_000),
]
SettingsText = Annotated[
    str, Form(description="JSON; see the schemas Fill, FillOnce and FillVariants.", max_length=100_000)
]

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the errors that a route may answer with, those of every route included."""
    words = {
        400: "The body cannot be parsed.",
        401: "The token is missing or wrong.",
        403: "Another site sent the request.",
        404: "Not there, deleted or expired.",
        405: "Not that method.",
        408: "The upload was too slow.",
        409: "Not now.",
        413: "Larger or longer than the limits.",
        421: "Another host is meant.",
        422: "What was sent cannot be used.",
        429: "Too much is waiting; Retry-After says for how long.",
        503: "The worker died or ran out of memory.",
    }
    return {
        status: {"description": words[status], **_PROBLEM} for status in sorted({401, 403, 421, *statuses})
    }


def settings_of(model: type[Model], text: str) -> Model:
    """Return the settings that a form carries as JSON.

    Raises
    ------
    RequestValidationError
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", "settings", *one["loc"])} for one in error.errors(include_url=False)]
        ) from error


async def keep(upload: UploadFile, path: Path) -> int:
    """Copy an upload to the server's own path and return its size.

    Raises
    ------
    ImageError : it is empty.
    """

    def copy(source: BinaryIO) -> None:
        with path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    await asyncio.to_thread(copy, upload.file)
    size = path.stat().st_size
    if not size:
        raise ImageError("the upload is empty (0 bytes); choose another file")
    return size


async def mask_for_worker(
    folder: Path, name: str, file: UploadFile | None, text: str | None, expression: str | None = None
) -> dict[str, Any] | None:
    """Put a mask where a worker can read it, and return how; None if there is none.

    Raises
    ------
    MaskError : given in two ways.
    """
    if sum(one is not None for one in (file, text, expression)) > 1:
        raise MaskError(f"{name} was sent in two ways; send one of them")
    if file is not None:
        await keep(file, folder / name)
        return {"kind": "file", "path": str(folder / name)}
    if text is not None:
        path = folder / f"{name}.json"
        await asyncio.to_thread(path.write_text, text, "utf-8", "replace")
        return {"kind": "runs", "path": str(path)}
    return None if expression is None else {"kind": "expression", "text": expression}


async def mask_for_project(
    project: Project, file: UploadFile | None, text: str | None, name: str = "mask"
) -> str | None:
    """Keep a mask with a project, as a file; runs are drawn at the size of the picture. Return its sha256."""
    if file is not None and text is not None:
        raise MaskError(f"{name} was sent in two ways; send one of them")
    if file is not None:
        data = await file.read()
        if not data:
            raise MaskError(f"the {name} is empty (0 bytes); draw something")
        return await asyncio.to_thread(project.keep_blob, data)
    if text is None:
        return None
    facts = project.facts()

    def drawn() -> str:
        return project.keep_blob(
            runs.as_png(runs.decode(runs.parse(text), (facts["height"], facts["width"])))
        )

    return await asyncio.to_thread(drawn)


def needed(mask: Any) -> Any:
    """Return a mask that was sent.

    Raises
    ------
    MaskError : none was.
    """
    if mask is None:
        raise MaskError(
            "there is no mask; send what is missing as the part 'mask' (a picture) or 'mask_rle' (runs)"
        )
    return mask


def header_words(notes: list[str]) -> str:
    """Return notes as a header can hold them: a JSON array, percent-encoded."""
    return quote(json.dumps(notes, ensure_ascii=False), safe="")[:7000]


def attachment(name: str) -> str:
    """Return the header that offers a file under a name.

    Examples
    --------
    >>> print(attachment("Übung.png"))
    attachment; filename="_bung.png"; filename*=UTF-8''%C3%9Cbung.png
    """
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\\\%;' else "_" for c in name)
    extended = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return f'attachment; filename="{plain}"{extended}'

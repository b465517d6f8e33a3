"""The application: routes, guard, error handlers and the built page, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from lacuna import __version__
from lacuna.errors import LacunaError, QueueFullError
from lacuna.web import (
    batches_api,
    files_api,
    guard,
    jobs_api,
    masks_api,
    meta_api,
    metrics,
    models,
    projects_api,
    reference,
    stateless_api,
    steps_api,
)
from lacuna.web.problems import MEDIA_TYPE, TYPE, document, problem
from lacuna.web.service import Service
from lacuna.web.settings import Settings

MOST_TEXT = 9_000_000
"""Bytes of one text in a form: the runs of an intricate mask in a large photo."""

NO_PAGE = (
    "The editor's page is not part of this installation; run 'make web' in a checkout of Lacuna.\n"
    "The HTTP API is there: /api/v1/docs\n"
)
_WORDS = {
    404: ("NotFoundError", "there is nothing at this address; see /api/v1/docs"),
    405: ("RequestError", "this address does not take that method; see /api/v1/docs"),
}


def create_app(settings: Settings) -> FastAPI:
    """Return the application; workers start with it and end with it.

    Parameters
    ----------
    settings : its folder is made if it is not there.

    Raises
    ------
    OutputError : the folder cannot be used.
    """
    counts = metrics.Counts()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = await asyncio.to_thread(Service, settings, counts)
        sweeping = asyncio.create_task(app.state.service.sweep_for_ever())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.to_thread(app.state.service.close)

    app = FastAPI(
        title="Lacuna",
        version=__version__,
        description="Fill the missing parts of images, and leave every known pixel exactly as it was.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        form_limits={"max_files": 16, "max_fields": 64, "max_part_size": MOST_TEXT},
        telemetry={"tracing": False, "metrics": False},
    )
    for routes in (
        meta_api,
        stateless_api,
        jobs_api,
        projects_api,
        steps_api,
        masks_api,
        files_api,
        batches_api,
    ):
        app.include_router(routes.router, prefix=guard.API)
    app.add_middleware(guard.Guard, settings=settings, counts=counts)
    _add_handlers(app)
    _add_page(app)
    _document(app)
    return app


def _add_handlers(app: FastAPI) -> None:
    def answer(request: Request, told: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
        told = told | {"instance": request.url.path}
        return JSONResponse(told, told["status"], headers=headers, media_type=MEDIA_TYPE)

    async def known(request: Request, error: Exception) -> Response:
        told, headers = problem(error), {}
        if isinstance(error, QueueFullError):
            headers["Retry-After"] = "".join(c for c in str(error).rpartition("in ")[2] if c.isdigit()) or "1"
        if told["status"] == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="lacuna"'
        return answer(request, told, headers)

    async def invalid(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        listed = [{"loc": [str(part) for part in one["loc"]], "msg": one["msg"]} for one in found]
        first = f"{'.'.join(listed[0]['loc'])}: {listed[0]['msg']}" if listed else "it is not as expected"
        told = document("RequestError", f"the request cannot be understood ({first}); see /api/v1/docs")
        title = "The request is not what the API expects."
        return answer(request, told | {"status": 422, "title": title, "errors": listed})

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code, words = _WORDS.get(
            status, ("RequestError", str(getattr(error, "detail", "")) or "it cannot be answered")
        )
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        title = "The request is not what the API expects."
        told = document(code, words) | {"status": status}
        return answer(request, told if code != "RequestError" else told | {"title": title}, headers)

    async def bug(request: Request, error: Exception) -> Response:
        return answer(request, problem(error))

    app.add_exception_handler(LacunaError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)


def static_folder() -> Path:
    """Return where the built page is, if it is there."""
    return Path(str(resources.files("lacuna.web"))) / "static"


def _add_page(app: FastAPI) -> None:
    """Serve the built page: files that were there when the server started, by their names and no others."""
    folder = static_folder()
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

    async def css() -> Response:
        return Response(reference.CSS, media_type="text/css")

    async def page(request: Request) -> Response:
        name = request.url.path
        if name == "/":
            name = "/index.html"
            if name not in files:
                return PlainTextResponse(NO_PAGE)
        if name not in files:
            raise HTTPException(404)
        lasting = (
            {"Cache-Control": "public, max-age=31536000, immutable"} if name.startswith("/assets/") else {}
        )
        return FileResponse(files[name], headers={"Cache-Control": "no-cache", **lasting})

    app.add_api_route(reference.STYLESHEET, css, include_in_schema=False)
    app.add_api_route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)


def _document(app: FastAPI) -> None:
    """Add to the OpenAPI document what the routes cannot say themselves."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        told = plain()
        schemas = told.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schemas["Problem"] = _PROBLEM
            for model in (models.Fill, models.FillOnce, models.FillVariants, models.Detect, models.Click):
                described = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.setdefault(model.__name__, described)
            told["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            told["security"] = [{}, {"token": []}]
        return told

    app.openapi = openapi  # type: ignore[method-assign]


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457; the codes are the classes of docs/errors.md.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": [f"{TYPE}maskerror"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was seen, what was expected and what to do."},
        "code": {"type": "string"},
        "fix": {"type": "string", "description": "What to do."},
        "instance": {"type": "string"},
    },
}

"""Routes about the server itself."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from lacuna import __version__
from lacuna.errors import AccessError
from lacuna.web import guard, menu, metrics, reference
from lacuna.web.models import Token
from lacuna.web.parts import Server, problems
from lacuna.web.settings import TILE

router = APIRouter(tags=["the server"])


@router.get("/health", responses=problems())
def health(request: Request, server: Server) -> dict[str, Any]:
    """Say that the server is there, and how busy it is."""
    gate = guard.Guard(request.app, server.settings, server.counts)
    lanes = {**server.lanes, "views": server.views}
    return {
        "status": "ok",
        "version": __version__,
        "token_required": server.settings.token is not None,
        "authorized": gate.authorized(request.headers),
        "devices": list(server.settings.devices),
        "queue": {
            name: {"waiting": lane.waiting, "running": lane.running, "limit": lane.limit}
            for name, lane in lanes.items()
        },
        "uptime": round(time.time() - server.started, 1),
    }


@router.post("/session", status_code=204, responses=problems(422))
def session(request: Request, server: Server, body: Token) -> Response:
    """Exchange the token for a cookie that scripts cannot read."""
    token = server.settings.token
    if token is not None and not guard.same(body.token, token):
        raise AccessError("the token is wrong; it was printed when the server was started")
    answer = Response(status_code=204)
    if token is not None:
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        answer.set_cookie(guard.COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


@router.get("/limits", responses=problems())
def limits(server: Server) -> dict[str, Any]:
    """Return what one request may take."""
    names = (
        "max_pixels", "max_bytes", "max_seconds", "max_memory", "queue", "max_batch", "max_steps",
        "max_variants", "project_bytes",
    )  # fmt: skip
    told = {name: getattr(server.settings, name) for name in names}
    return told | {
        "expiry_seconds": server.settings.expiry,
        "job_expiry_seconds": server.settings.job_expiry,
        "tile": TILE,
    }


@router.get("/methods", responses=problems())
def methods() -> dict[str, Any]:
    """List the methods in plain words, with their options."""
    return {"methods": menu.methods()}


@router.get("/detectors", responses=problems())
def detectors() -> dict[str, Any]:
    """List what can be found in a picture."""
    return {"detectors": menu.detectors(), "click": {"segment_anything": menu.has_segment_anything()}}


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}}, **problems()},
)
def show_metrics(server: Server) -> Response:
    """Return counts and gauges for Prometheus."""
    return Response(server.counts.text(server.gauges()), media_type=metrics.MEDIA_TYPE)


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """Show this API to people; made from the OpenAPI document, without scripts."""
    return HTMLResponse(reference.page(request.app.openapi()))

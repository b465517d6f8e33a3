"""Routes of steps: fill, extend, choose, and go back and forth."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import JSONResponse

from lacuna.errors import LimitError, OptionError
from lacuna.web import menu
from lacuna.web.models import Choice, Fill, FillVariants, Order, Outpaint, StepChange
from lacuna.web.parts import (
    FileMask,
    Opened,
    RunsMask,
    Server,
    SettingsText,
    mask_for_project,
    needed,
    problems,
    settings_of,
)
from lacuna.web.project import Project
from lacuna.web.service import Service
from lacuna.web.steps import Step, chain, next_key
from lacuna.web.work import Job

router = APIRouter(prefix="/projects", tags=["projects"])


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
        except BaseException:  # whatever it was, a project must not wait for a job that never came
            project.job = None
            raise
    return JSONResponse(server.describe(job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})


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

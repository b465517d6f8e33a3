"""What a worker can be asked to do. Each task takes plain values and paths, and returns plain values.

The paths are the server's own: nothing in them comes from a client.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.errors import MaskError, OptionError
from lacuna.types import Hole, OnStep
from lacuna.web import runs
from lacuna.web.steps import Step, chain, read

if TYPE_CHECKING:
    from lacuna.image import Picture
    from lacuna.web.replay import Workshop

Task = Callable[[dict[str, Any], OnStep], dict[str, Any]]


def warm(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Load and compile what most fills need, so that the first one is quick."""
    from lacuna.web.replay import filler

    picture = np.tile(np.arange(160, dtype=np.uint8), (160, 1))[..., None].repeat(3, 2)
    hole = np.zeros((160, 160), dtype=np.bool_)
    hole[60:100, 60:100] = hole[10:12, 20:90] = True
    for method in args["methods"]:
        filler(method, {}).run(picture, hole)
    return {}


def inpaint(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Fill one picture that belongs to no project, and write the file."""
    from lacuna.image import open_image
    from lacuna.web.replay import check_sacred, filler

    how = args["settings"]
    picture = open_image(Path(args["image"]).read_bytes(), max_pixels=args["max_pixels"])
    fill = filler(how["method"], how["options"], args["device"])
    more: dict[str, Any] = {}
    for name in ("sources", "sketch"):
        if args.get(name) is not None:
            more[name] = _mask(args[name], picture)
    if args.get("guide") is not None:
        more["guide"] = Path(args["guide"]).read_bytes()
    mask = _mask(args["mask"], picture)
    if hasattr(mask, "softness") and not how["feather"]:
        how["feather"] = mask.softness
    result = fill.run(
        picture, mask, seed=how["seed"], blend=how["blend"], feather=how["feather"], context=how["context"],
        dilate=how["dilate"], invert=how["invert"], resize_mask=how["resize_mask"],
        max_pixels=args["max_pixels"], on_step=on_step, **more,
    )  # fmt: skip
    check_sacred(result, how["feather"])
    stream = io.BytesIO()
    saved = result.save(stream, format=how["format"], quality=how["quality"])
    Path(args["target"]).write_bytes(stream.getvalue())
    return {
        "method": result.method, "seed": result.seed, "elapsed": round(result.seconds, 4),
        "format": saved.format, "bytes": stream.tell(), "missing": int(result.hole.sum()),
        "known_changed": result.changed_outside, "changed_in_file": saved.changed_in_file,
        "notes": [*result.notes, *saved.notes],
    }  # fmt: skip


def open_project(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Open the original of a project for the first time."""
    return _workshop(args).open()


def unpack(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Take a project file apart."""
    from lacuna.web import bundle

    read = bundle.read(
        Path(args["upload"]), Path(args["folder"]), most=args["most"], max_steps=args["max_steps"]
    )
    return {"name": read.name, "sha256": read.sha256, "steps": [step.described() for step in read.steps]}


def take(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Take a step, once or with several seeds, after whatever is missing before it."""
    shop = _workshop(args)
    before = chain(args["sha256"], _steps(args))
    shop.advance(before, None)
    told = shop.take(before, read(args["step"]), args["keys"], on_step)
    return {"states": told}


def advance(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Compute the states of steps that are missing."""
    shop = _workshop(args)
    if not shop.has(shop.first):
        shop.open()
    linked = chain(args["sha256"], _steps(args))
    shop.advance(linked, on_step)
    return {"original": shop.facts(shop.first), "states": [shop.facts(key) for key, _ in linked]}


def encode(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Write the file that a person takes home."""
    from lacuna.web import download

    shop = _workshop(args)
    linked = chain(args["sha256"], _steps(args))
    shop.advance(linked, on_step)
    data, facts = download.file(shop, linked, args["format"], args["quality"])
    target = Path(args["target"])
    part = target.with_name(target.name + ".part")
    part.write_bytes(data)
    part.replace(target)
    target.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    return facts


def detect(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Look for what detectors find."""
    from lacuna.detect import DETECTORS
    from lacuna.masks.shape import dilated

    picture = _picture(args)
    names = list(dict.fromkeys(args["what"]))
    if not names or any(name not in DETECTORS for name in names):
        raise OptionError(
            f"what is {', '.join(map(str, names)) or 'empty'}; expected some of {', '.join(DETECTORS)}"
        )
    inside = _region(picture, args["region"])
    found = {}
    for i, name in enumerate(names):
        on_step(i / len(names), f"looking for {name}")
        found[name] = DETECTORS[name](picture.image, sensitivity=args["sensitivity"], region=inside)
    hole = dilated(np.logical_or.reduce([one.mask for one in found.values()]), args["dilate"])
    facts = {
        name: {
            "pieces": one.pieces, "pixels": int(one.mask.sum()), "share": round(one.share, 6),
            "notes": list(one.notes),
        }
        for name, one in found.items()
    }  # fmt: skip
    return _told(hole, args) | {"found": facts}


def click(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Select what lies under points."""
    from lacuna import masks

    picture = _picture(args)
    points, without = ([(float(x), float(y)) for x, y in args[name]] for name in ("points", "without"))
    box = tuple(map(float, args["box"])) if args["box"] is not None else None
    hole, notes = masks.click(*points, without=without, within=box).draw(picture.shape, picture)  # type: ignore[arg-type]
    return _told(hole, args) | {"notes": list(notes)}


def check(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Say what is probably wrong with a mask."""
    from lacuna.masks import doctor

    picture = _picture(args)
    hole, findings, notes = doctor.check(picture, _mask(args["mask"], picture))
    return {
        "missing": int(hole.sum()), "share": float(hole.mean()), "notes": list(notes),
        "findings": [dataclasses.asdict(finding) for finding in findings],
    }  # fmt: skip


def read_mask(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Read a mask file for a picture."""
    from lacuna.masks import to_hole

    picture = _picture(args)
    hole, notes = to_hole(
        _mask(args["mask"], picture), picture.shape, picture=picture, dilate=args["dilate"],
        invert=args["invert"], resize=args["resize"],
    )  # fmt: skip
    return _told(hole, args) | {"notes": list(notes)}


def step_mask(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Return what a step filled."""
    return _told(_workshop(args).hole(args["key"]), args)


def verify(args: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    """Compare the known pixels of two files."""
    from lacuna.image import open_image, verify_files
    from lacuna.masks import to_hole

    before, after = (
        open_image(Path(args[name]).read_bytes(), max_pixels=args["max_pixels"])
        for name in ("before", "after")
    )
    hole, notes = to_hole(_mask(args["mask"], before), before.shape, picture=before)
    found = verify_files(before, after, hole, max_pixels=args["max_pixels"])
    told = dict.fromkeys((*before.notes, *after.notes, *notes, *found.notes))
    return dataclasses.asdict(found) | {"notes": list(told)}


TASKS: dict[str, Task] = {
    "warm": warm,
    "inpaint": inpaint,
    "open": open_project,
    "unpack": unpack,
    "take": take,
    "advance": advance,
    "encode": encode,
    "detect": detect,
    "click": click,
    "check": check,
    "mask": read_mask,
    "step-mask": step_mask,
    "verify": verify,
}


def _workshop(args: dict[str, Any]) -> Workshop:
    from lacuna.web.replay import Workshop

    return Workshop(
        Path(args["folder"]), args["sha256"], device=args.get("device", "auto"),
        max_pixels=args["max_pixels"], previews=True,
    )  # fmt: skip


def _steps(args: dict[str, Any]) -> list[Step]:
    return [read(step) for step in args["steps"]]


def _picture(args: dict[str, Any]) -> Picture:
    """Return the picture of a project as it stands, or one that was sent."""
    if "folder" in args:
        shop, linked = _workshop(args), chain(args["sha256"], _steps(args))
        shop.advance(linked)  # as a rule all of it is there
        return shop.after(linked).picture
    from lacuna.image import open_image

    return open_image(Path(args["image"]).read_bytes(), max_pixels=args["max_pixels"])


def _mask(told: dict[str, Any], picture: Picture) -> Any:
    """Return a mask as `to_hole` takes it: a file's bytes, an array from runs, or a harmless expression."""
    if told["kind"] == "file":
        return Path(told["path"]).read_bytes()
    if told["kind"] == "runs":
        return runs.decode(runs.parse(Path(told["path"]).read_text(encoding="utf-8")), picture.shape)
    return harmless(told["text"])


def harmless(text: str) -> Any:
    """Return the mask of an expression that names no file.

    Raises
    ------
    MaskError : it names one; a client's words never reach the file system.
    """
    from lacuna.masks import grammar
    from lacuna.masks.detected import is_named

    class _Reader(grammar._Reader):
        def term(self, depth: int) -> Any:
            word = grammar.unquoted(self.token or "") if self.is_word else ""
            kind = word.partition(":")[0]
            if self.is_word and word != "alpha" and not is_named(word) and kind not in HARMLESS:
                raise MaskError(
                    f"{word[:60]!r} would be a file, and none of the server is read; send the mask itself, "
                    f"or use {', '.join(f'{name}:' for name in HARMLESS)}, alpha or a detector"
                )
            return super().term(depth)

    reader = _Reader(text)
    mask = reader.mask(0)
    if reader.token is not None:
        raise reader.error("a sign (+ - & |) between two masks")
    return mask


HARMLESS = ("box", "ellipse", "polygon", "svg", "color", "colour", "click")
"""Kinds of masks in an expression that read no file."""


def _region(picture: Picture, box: list[float] | None) -> Any:
    """Return where to look: a box, or everything that is not fully transparent."""
    known: Hole = picture.known
    if box is None:
        return None if known.all() else known
    left, top, width, height = (int(value) for value in box)
    if width <= 0 or height <= 0:
        raise MaskError("the region has no area; expected left, top, width, height")
    if known.all():
        return top, left, top + height, left + width
    inside = np.zeros_like(known)
    inside[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = True
    return inside & known


def _told(hole: Hole, args: dict[str, Any]) -> dict[str, Any]:
    """Return a hole as runs, or write it as a file if one was asked for."""
    if args.get("target") is not None:
        Path(args["target"]).write_bytes(runs.as_png(hole))
        return {"missing": int(hole.sum())}
    return {"mask": runs.encode(hole), "missing": int(hole.sum())}

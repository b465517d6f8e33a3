"""Taking steps: from one state to the next."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from lacuna.errors import ConfigError, MethodError
from lacuna.image import Picture, open_image
from lacuna.inpainting import Inpainter, Result
from lacuna.progress import brief, scaled
from lacuna.types import Hole, OnStep
from lacuna.web.states import Linked, State, States, placed
from lacuna.web.steps import SIDES, Step

_CHOSEN = re.compile(r"auto chose ([a-z0-9-]+):")
_fillers: OrderedDict[str, Inpainter] = OrderedDict()


class Workshop(States):
    """States, and how those that are missing come about; parameters as of `States`."""

    def advance(self, linked: Linked, on_step: OnStep | None = None) -> None:
        """Compute the states that are missing.

        Raises
        ------
        LacunaError : a step cannot be done; the states before it are there.
        """
        missing = [i for i, (key, _) in enumerate(linked) if not self.has(key)]
        for count, i in enumerate(missing):
            share = scaled(on_step, count / len(missing), (count + 1) / len(missing))
            self.take(linked[:i], linked[i][1], [linked[i][0]], share)

    def take(
        self, before: Linked, step: Step, keys: Sequence[str], on_step: OnStep | None = None
    ) -> list[dict[str, Any]]:
        """Take a step, with as many seeds as there are keys, and write where it leads.

        Parameters
        ----------
        before : the steps before it, whose states are there.
        keys : of the states after it, for the seeds ``step.seed``, ``step.seed + 1``, ….

        Returns
        -------
        What is to be known about each.
        """
        state = self.after(before)
        filler = _filler(step, self.device)
        if step.kind == "outpaint":
            canvas, origin, hole, results, more = self._outpainted(state, step, filler, len(keys), on_step)
        else:
            canvas, origin, more = state.picture, state.origin, {}
            results = self._filled(state, step, filler, len(keys), on_step)
            hole = results[0].hole
        told = []
        for key, result in zip(keys, results, strict=True):
            facts = self._facts(state, key, step, result, origin) | more
            self.keep(before, state, State(key, result.picture, origin), canvas, hole, facts)
            told.append(facts)
        return told

    def _filled(
        self, state: State, step: Step, filler: Inpainter, n: int, on_step: OnStep | None
    ) -> list[Result]:
        shift = state.origin[0] - step.origin[0], state.origin[1] - step.origin[1]
        how: dict[str, Any] = {
            "seed": step.seed, "blend": step.blend, "feather": step.feather, "context": step.context,
            "dilate": step.dilate, "max_pixels": self.max_pixels, "on_step": on_step,
        }  # fmt: skip
        for name in ("sources", "sketch"):
            if getattr(step, name) is not None:
                how[name] = self._mask(getattr(step, name), state, shift)
        if step.guide is not None:
            how["guide"] = self.blob(step.guide)
        if step.mask is None:
            raise ConfigError("a fill of the project has no mask")
        mask = self._mask(step.mask, state, shift)
        results = filler.sample(state.picture, mask, n, **how)
        for result in results:
            check_sacred(result, step.feather)
        return results

    def _outpainted(
        self, state: State, step: Step, filler: Inpainter, n: int, on_step: OnStep | None
    ) -> tuple[Picture, tuple[int, int], Hole, list[Result], dict[str, Any]]:
        from lacuna import jobs

        found = jobs.outpaint(state.picture, **step.canvas, max_pixels=self.max_pixels)
        margins = {side: int(found.facts["margins"][side]) for side in SIDES}
        results = [
            found.fill(
                filler,
                seed=step.seed + i,
                blend=step.blend,
                context=step.context,
                on_step=scaled(on_step, i / n, (i + 1) / n),
            )
            for i in range(n)
        ]
        for result in results:
            check_sacred(result, 0.0)
        origin = state.origin[0] + margins["left"], state.origin[1] + margins["top"]
        return found.picture, origin, found.hole, results, {"margins": margins, "box": None}

    def blob(self, name: str) -> bytes:
        """Return a mask or the like by its sha256.

        Raises
        ------
        ConfigError : it is not there.
        """
        try:
            return (self.folder / "blobs" / name).read_bytes()
        except OSError as error:
            raise ConfigError(f"the project lacks a mask or guide of its steps ({name[:12]}…)") from error

    def _mask(self, name: str, state: State, shift: tuple[int, int]) -> Any:
        """Return a mask for the canvas of a state; the canvas may have grown or shrunk since it was drawn."""
        data = self.blob(name)
        if shift == (0, 0):
            return data
        from lacuna.masks.hole import read_mask

        drawn = open_image(data, max_pixels=self.max_pixels).shape
        hole, _ = read_mask(data, drawn)
        return placed(hole, state.picture.shape, shift)

    def _facts(
        self, before: State, key: str, step: Step, result: Result, origin: tuple[int, int]
    ) -> dict[str, Any]:
        height, width = result.picture.shape
        notes = brief(result.notes)
        chosen = next((found[1] for note in notes if (found := _CHOSEN.match(note))), None)
        return {
            "key": key, "parent": before.key, "width": width, "height": height, "origin": list(origin),
            "seed": result.seed, "method": step.method, "chosen": chosen, "missing": int(result.hole.sum()),
            "known_changed": result.changed_outside, "elapsed": round(result.seconds, 3), "notes": notes,
            "margins": None,
        }  # fmt: skip


def check_sacred(result: Result, feather: float) -> None:
    """Refuse a fill that changed known pixels without being asked to.

    Raises
    ------
    MethodError : nothing is written then.
    """
    if result.changed_outside and not feather:
        raise MethodError(
            f"method {result.method!r} broke the promise: {result.changed_outside} known pixels changed, so "
            "nothing was kept; please report this"
        )


def _filler(step: Step, device: str) -> Inpainter:
    return filler(step.method, step.settings(), device)


def filler(method: str, options: dict[str, Any], device: str = "auto") -> Inpainter:
    """Return a method, loaded; the last two are kept."""
    name = json.dumps([method, device, options], sort_keys=True, default=str)
    if name not in _fillers:
        from lacuna import registry

        device = device if registry.get(method).accelerated else "auto"
        _fillers[name] = Inpainter(method, device=device, options=options)
        while len(_fillers) > 2:
            _fillers.popitem(last=False)
    _fillers.move_to_end(name)
    return _fillers[name]

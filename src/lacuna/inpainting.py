"""The public call: picture and mask in, the same kind of picture out.

Three hops lead to the mathematics: `inpaint` → `Inpainter.run` → ``Method.fill``. Everything that a method
need not know happens here, once for all of them: doors, hole, frames, checks, blending, and the proof that no
known pixel changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from lacuna import registry
from lacuna.blend import membrane
from lacuna.errors import DeviceOutOfMemoryError, DeviceUnavailableError, MethodError, OptionError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, Saved, count_changed, save_image
from lacuna.progress import collect_notes, report, scaled
from lacuna.task import Blend, Settings, Task, prepare, whole_number
from lacuna.types import Box, Explainable, Explanation, FloatImage, Hole, Manifold, OnStep

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage


FillMany = Callable[..., list[FloatImage]]
"""See `Manifold.fill_many`."""


class RunOptions(TypedDict, total=False):
    """The keywords of `Inpainter.run`, for type checkers."""

    seed: int
    blend: Blend
    feather: float
    context: float
    sources: Any
    sketch: Any
    guide: Any
    dilate: int
    invert: bool
    resize_mask: bool
    max_pixels: int | None
    on_step: OnStep | None


class InpaintOptions(RunOptions, total=False):
    """The keywords of `inpaint`, for type checkers."""

    device: str
    options: Mapping[str, Any] | None


@overload
def inpaint(image: PilImage, mask: Any, method: str = ..., **how: Unpack[InpaintOptions]) -> PilImage: ...
@overload
def inpaint(image: Any, mask: Any, method: str = ..., **how: Unpack[InpaintOptions]) -> NDArray[Any]: ...
def inpaint(
    image: Any,
    mask: Any,
    method: str = "auto",
    *,
    seed: int = 0,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    blend: Blend = "hard",
    feather: float = 0,
    context: float = 0.5,
    sources: Any = None,
    sketch: Any = None,
    guide: Any = None,
    dilate: int = 0,
    invert: bool = False,
    resize_mask: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    on_step: OnStep | None = None,
) -> Any:
    """Fill the missing part of a picture.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array with C = 1 … 4, PIL image, path, bytes, open binary file, or the picture
        of an earlier `Result`. Integers span their type's range; floats are display-encoded, usually in
        [0, 1]. With 2 or 4 channels the last one is alpha. Never written to.
    mask : (H, W) array, PIL image, path, bytes or open binary file; a `lacuna.masks.Mask`, or an expression
        such as ``"box:10,10,200,80 | dilate 2"``. **True is missing**; 8-bit masks are cut at 128.
        ``"alpha"`` takes the fully transparent pixels of the image, which become opaque.
    method : a name from `list_methods`. ``"auto"`` chooses by the hole and says why in `Result.notes`.
    seed : 0 or more. The same seed gives the same bytes; another one another fill where a method is random.
    device : ``"auto"`` or ``"cpu"``; for networks also ``"cuda"``, ``"cuda:1"`` … or ``"mps"``.
    options : settings of the method by name; see ``lacuna methods``.
    blend : how the fill meets the rim. ``"hard"`` takes it as the method made it; ``"membrane"`` removes a
        step in brightness or colour by a smooth correction of the fill. Known pixels stay as they are.
    feather : pixels outside the hole, 0 or more, over which the fill fades out. The method fills that band
        too. **Anything above 0 changes known pixels**, and `Result.changed_outside` counts them.
    context : how much of the surroundings a method sees on each side, as a share of the hole's size; at
        least 64 pixels, and more where little is known.
    sources : like ``mask``: True where the method may copy from. Only for methods whose spec names it.
    sketch : like ``mask``: True on lines that the fill should follow. Only for methods whose spec names it.
    guide : a picture, of any size, of what the hole may look like; blurred or rough is fine, and only what
        lies in the hole counts. Only for methods whose spec names it.
    dilate : grow the hole by so many pixels.
    invert : True is *known* in this mask.
    resize_mask : accept a mask of another size and resize it.
    max_pixels : refuse larger files; None for no limit.
    on_step : called with the share of the work done, 0 to 1, and a few words. Raising `errors.Cancelled` (or
        anything else) from it stops the work.

    Returns
    -------
    A new object of the kind that was given: an array of the same shape and dtype, or a PIL image of the same
    mode. A path, bytes or a file give the upright pixels as an array in the file's own depth (16-bit RGB has
    no PIL mode); `Inpainter.run` and `Result.save` write a file that keeps format, profile and metadata.
    Pixels outside the hole are bit-identical unless ``feather`` is set.

    Raises
    ------
    ImageError : the picture is unreadable or not finite.
    MaskError : the mask does not fit, or leaves nothing known.
    OptionError : a setting out of range, or one that the method does not have.
    UnknownMethodError, MissingDependencyError, DeviceError
    MethodError : the method returned something other than a picture.

    See Also
    --------
    Inpainter : the same with the method loaded once, and with more to tell.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (20, 1))
    >>> hole = np.zeros(ramp.shape, dtype=bool)
    >>> hole[8:12, 8:12] = True
    >>> damaged = np.where(hole, 255, ramp).astype(np.uint8)
    >>> bool((inpaint(damaged, hole, "biharmonic") == ramp).all())
    True
    """
    return (
        Inpainter(method, device=device, options=options)
        .run(
            image,
            mask,
            seed=seed,
            blend=blend,
            feather=feather,
            context=context,
            sources=sources,
            sketch=sketch,
            guide=guide,
            dilate=dilate,
            invert=invert,
            resize_mask=resize_mask,
            max_pixels=max_pixels,
            on_step=on_step,
        )
        .image
    )


@dataclass(frozen=True, eq=False)
class Result:
    """A filled picture and what is to be known about it.

    Parameters
    ----------
    image : the picture, of the kind that was given to `Inpainter.run`.
    hole : (H, W), read-only. True where pixels were replaced; after dilation, before feathering.
    method : name of the method that was asked for.
    options : all of its options, defaults included.
    seed : what was given; `Inpainter.sample` counts up from it.
    seconds : wall time of the call, without loading the method and without writing.
    changed_outside : known pixels that differ from the original in any channel, counted by comparing the two
        arrays. 0 unless ``feather`` was set.
    notes : sentences for people: what was converted at the door, what the method chose, what fell short.
    picture : the filled picture with all that its file format needs.
    original : the picture as it was opened.
    """

    image: Any
    hole: Hole
    method: str
    options: Mapping[str, Any]
    seed: int
    seconds: float
    changed_outside: int
    notes: tuple[str, ...]
    picture: Picture
    original: Picture

    def save(
        self, target: Any, *, format: str | None = None, overwrite: bool = False, quality: int | None = None
    ) -> Saved:
        """Write the picture to a file that keeps the original's profile, metadata and orientation.

        Parameters
        ----------
        target : path, ``"-"`` (stdout) or binary file.
        format : ``PNG``, ``JPEG``, ``WEBP``, ``TIFF`` or ``BMP``; None goes by the path's suffix.
        overwrite : replace a file that exists.
        quality : 1 to 100, for JPEG and WebP; None keeps what can be kept.

        Raises
        ------
        OutputError : unknown suffix, exists already, read-only, disk full. No partial file is left.
        """
        return save_image(
            self.picture,
            target,
            hole=self.hole,
            source=self.original,
            format=format,
            overwrite=overwrite,
            quality=quality,
        )


class Inpainter:
    """A method, loaded once and ready to fill any number of pictures, from any thread.

    Parameters
    ----------
    method : a name from `list_methods`.
    device : ``"auto"`` or ``"cpu"``; for networks also ``"cuda"``, ``"cuda:1"`` … or ``"mps"``.
    options : settings of the method by name.

    Attributes
    ----------
    spec : `MethodSpec`, the facts about the method.
    options : dict, the method's options, defaults included.

    Raises
    ------
    UnknownMethodError, MissingDependencyError, OptionError, DeviceUnavailableError

    Examples
    --------
    >>> import numpy as np
    >>> fill = Inpainter("telea", options={"radius": 3})
    >>> picture, hole = np.full((9, 9), 7, dtype=np.uint8), np.eye(9, dtype=bool)
    >>> result = fill.run(picture, hole)
    >>> result.method, result.changed_outside, int(result.image.max())
    ('telea', 0, 7)
    """

    def __init__(
        self, method: str = "auto", *, device: str = "auto", options: Mapping[str, Any] | None = None
    ) -> None:
        self.spec = registry.get(method)
        if self.spec.accelerated:
            options = {"device": device, **(options or {})}
        elif device not in ("auto", "cpu"):
            raise DeviceUnavailableError(
                f"device {device!r}: method {method!r} runs on the CPU; use device='cpu' or 'auto'"
            )
        self._method = registry.create(method, options)
        self.options: dict[str, Any] = {
            f.name: getattr(self._method, f.name)
            for f in fields(self._method)  # type: ignore[arg-type]
        }

    def __repr__(self) -> str:
        return f"Inpainter({self.spec.name!r}, options={self.options!r})"

    @overload
    def __call__(self, image: PilImage, mask: Any, **how: Unpack[RunOptions]) -> PilImage: ...
    @overload
    def __call__(self, image: Any, mask: Any, **how: Unpack[RunOptions]) -> NDArray[Any]: ...
    def __call__(self, image: Any, mask: Any, **how: Unpack[RunOptions]) -> Any:
        """Fill the missing part of a picture and return the same kind; keywords as in `inpaint`."""
        return self.run(image, mask, **how).image

    def run(
        self,
        image: Any,
        mask: Any,
        *,
        seed: int = 0,
        blend: Blend = "hard",
        feather: float = 0,
        context: float = 0.5,
        sources: Any = None,
        sketch: Any = None,
        guide: Any = None,
        dilate: int = 0,
        invert: bool = False,
        resize_mask: bool = False,
        max_pixels: int | None = DEFAULT_MAX_PIXELS,
        on_step: OnStep | None = None,
    ) -> Result:
        """Fill the missing part of a picture and tell all about it.

        The parameters and errors are those of `inpaint`.
        """
        how = Settings(
            seed,
            blend,
            feather,
            context,
            sources,
            dilate,
            invert,
            resize_mask,
            max_pixels,
            on_step,
            sketch,
            guide,
        )
        return self._run(self._prepared(image, mask, how), how, [how.seed])[0]

    def sample(self, image: Any, mask: Any, n: int, **how: Unpack[RunOptions]) -> list[Result]:
        """Fill the same hole ``n`` times, with the seeds ``seed``, ``seed + 1``, ….

        Keywords as in `inpaint`; the picture is opened once. Methods that draw from noise make their samples
        in batches, and each `Result.seconds` is then its share of the time.

        Raises
        ------
        OptionError : ``n`` is not 1 or more, or is more than 1 and the method is not random.
        """
        n = whole_number("n", n, 1)
        if n > 1 and not self.spec.random:
            able = ", ".join(spec.name for spec in registry.list_methods() if spec.random)
            raise OptionError(
                f"method {self.spec.name!r} knows one answer only and cannot give {n} different ones; "
                f"methods that can: {able}"
            )
        settings = Settings(**how)
        task, seeds = self._prepared(image, mask, settings), range(settings.seed, settings.seed + n)
        if n > 1 and isinstance(self._method, Manifold):
            return self._run(task, settings, seeds, self._method.fill_many)
        steps = [scaled(settings.on_step, i / n, (i + 1) / n) for i in range(n)]
        return [
            self._run(task, replace(settings, on_step=step), [seed])[0]
            for seed, step in zip(seeds, steps, strict=True)
        ]

    def explain(
        self, image: Any, mask: Any, **how: Unpack[RunOptions]
    ) -> tuple[Result, list[tuple[Box, Explanation]]]:
        """Fill the missing part and tell how the method came to it; keywords as in `inpaint`.

        Returns
        -------
        What `run` returns, and for each frame its box and what the method tells about it.

        Raises
        ------
        OptionError : the method cannot tell; the message names those that can.
        """
        method = self._method
        if not isinstance(method, Explainable):
            able = [
                s.name
                for s in registry.list_methods()
                if hasattr(registry.load_factory(s.factory), "explain")
            ]
            raise OptionError(
                f"method {self.spec.name!r} cannot tell what it did; methods that can: {', '.join(able)}"
            )
        told: list[Explanation] = []

        def fill(*given: Any, seeds: Sequence[int], **rest: Any) -> list[FloatImage]:
            told.append(method.explain(*given, seed=seeds[0], **rest))
            return [told[-1].fill]

        settings = Settings(**how)
        task = self._prepared(image, mask, settings)
        result = self._run(task, settings, [settings.seed], fill)[0]
        return result, [(frame.box, one) for frame, one in zip(task.frames, told, strict=True)]

    def _prepared(self, image: Any, mask: Any, how: Settings) -> Task:
        with _memory_errors(self.spec.name):
            return prepare(self.spec, image, mask, how)

    def _run(
        self, task: Task, how: Settings, seeds: Sequence[int], fill: FillMany | None = None
    ) -> list[Result]:
        """Fill every frame with each seed, put the pictures together and compare them with the original."""
        started = time.perf_counter()
        with _memory_errors(self.spec.name), collect_notes() as notes:
            parts = self._parts(task, how, seeds, fill or self._fill_one)
            # One seed needs one frame in memory at a time; several seeds share the work, and all frames wait.
            pasted = parts if len(seeds) == 1 else list(parts)
            afters = [
                task.picture.paste(
                    ((box, made[i]) for box, made in pasted),
                    task.hole,
                    weight=task.weight,
                    opaque=task.opaque,
                )
                for i in range(len(seeds))
            ]
        results = [self._result(task, after, s, notes) for after, s in zip(afters, seeds, strict=True)]
        report(how.on_step, 1.0, "done")
        seconds = task.seconds + (time.perf_counter() - started) / len(seeds)
        return [replace(result, seconds=seconds) for result in results]

    def _result(self, task: Task, after: Picture, seed: int, notes: Sequence[str]) -> Result:
        """Compare a filled picture with the original, and tell all about it."""
        changed = count_changed(task.picture, after, task.hole)
        if task.weight is not None:
            notes = [*notes, f"feather mixed {changed} known pixels with the fill"]
        return Result(
            image=after.native(),
            hole=task.hole,
            method=self.spec.name,
            options=dict(self.options),
            seed=seed,
            seconds=0.0,
            changed_outside=changed,
            notes=(*task.notes, *notes),
            picture=after,
            original=task.picture,
        )

    def _fill_one(self, *given: Any, seeds: Sequence[int], **rest: Any) -> list[FloatImage]:
        return [self._method.fill(*given, seed=seeds[0], **rest)]

    def _parts(
        self, task: Task, how: Settings, seeds: Sequence[int], fill: FillMany
    ) -> Iterator[tuple[Box, list[FloatImage]]]:
        """Fill one frame after the other, so that no more than one is in memory; progress by area."""
        total, done = sum(frame.area for frame in task.frames), 0
        for frame in task.frames:
            share = scaled(how.on_step, done / total, (done + frame.area) / total)
            report(share, 0.0, "filling")
            image, missing, aux = task.cut(frame)
            until = 0.9 if how.blend == "membrane" else 1.0
            made = fill(image, missing, aux=aux, seeds=seeds, on_step=scaled(share, 0.0, until))
            if len(made) != len(seeds):
                raise MethodError(
                    f"method {self.spec.name!r} returned {len(made)} fills; expected {len(seeds)}"
                )
            made = [_checked(one, image, missing, self.spec.name) for one in made]
            if how.blend == "membrane":
                made = [membrane(image, one, missing, on_step=scaled(share, until, 1.0)) for one in made]
            yield frame.box, made
            done += frame.area


@contextmanager
def _memory_errors(method: str) -> Iterator[None]:
    """Say what to do when memory runs out."""
    try:
        yield
    except MemoryError as error:
        raise DeviceOutOfMemoryError(
            f"memory ran out in method {method!r}; close other programs, or give a smaller "
            "picture, a smaller hole or a smaller context"
        ) from error


def _checked(fill: Any, image: FloatImage, hole: Hole, name: str) -> FloatImage:
    """Return what a method made, with values in [0, 1], if it is what its contract says."""
    if not isinstance(fill, np.ndarray) or fill.dtype.kind != "f" or fill.shape != image.shape:
        seen = f"{fill.dtype} {fill.shape}" if isinstance(fill, np.ndarray) else type(fill).__name__
        raise MethodError(f"method {name!r} returned {seen}; expected a float array of shape {image.shape}")
    broken = int(np.count_nonzero(~np.isfinite(fill[hole])))
    if broken:
        raise MethodError(f"method {name!r} returned {broken} values that are not finite; please report this")
    return np.clip(fill, 0.0, 1.0).astype(np.float32, copy=False)

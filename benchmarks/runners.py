"""One way to run our methods and the rivals on an example, and to keep what they made."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from metrics import Image, score
from numpy.typing import NDArray
from PIL import Image as PilImage
from rivals import RIVALS, SLOW_RIVALS, TIME_LIMIT, Pixels, Rival, RivalError
from splits import Example

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "src" / "lacuna"
OURS = (
    "blend.py",
    "devices.py",
    "diffusion",
    "exemplar",
    "frame.py",
    "image/depth.py",
    "image/picture.py",
    "inpainting.py",
    "jit.py",
    "methods",
    "metrics",  # `auto` goes by them
    "multigrid",
    "nets",
    "onnx_io.py",
    "sizing.py",
    "task.py",
    "torch_io.py",
    "weights",  # those that are shipped lie beside the code
)
"""Parts of the package that decide what a fill looks like."""
KNOWN_RIVALS = {**RIVALS, **SLOW_RIVALS}
"""Those that run when they are named; the slow ones never run otherwise."""

Hole = NDArray[np.bool_]
Work = Callable[[Image, Hole], Image]


@dataclass(frozen=True)
class Runner:
    """One column of a comparison: a method of ours or a rival, with its options.

    Parameters
    ----------
    label : ``name`` or ``name@label``, as given on the command line.
    options : of the method; rivals take none.
    seed : for methods of ours that are random.
    door : ``fill`` calls the method on the whole picture, ``inpainter`` goes through `lacuna.Inpainter`.
    constants : of the package, that have other values while this runner fills; see `replaced`.
    clock : that the seconds of our methods are read from.
    """

    label: str
    options: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    door: str = "inpainter"
    constants: Mapping[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.perf_counter

    @property
    def name(self) -> str:
        """The method's name, without the label."""
        return self.label.partition("@")[0]

    @property
    def rival(self) -> Rival | None:
        """The rival of that name, or None: the method is ours."""
        return KNOWN_RIVALS.get(self.name)

    def key(self, example: Example) -> str:
        """Return a name for the fill that changes with everything that the fill depends on."""
        if self.rival is not None:
            code = _version(self.name)
        else:
            code = f"{code_hash()} {sorted(self.options.items())} {self.seed} {self.door}"
            if self.constants:
                code += f" {sorted(self.constants.items())}"
        digest = hashlib.sha256(f"{self.name} {code}".encode())
        digest.update(to_bytes(example.truth).tobytes() + np.packbits(example.hole).tobytes())
        return f"{example.split}-{example.kind}-{example.name}-{digest.hexdigest()[:12]}"

    def fill(self, example: Example, limit: float) -> tuple[NDArray[np.uint8], float]:
        """Return the filled picture in 8 bits and the seconds it took.

        Raises
        ------
        RivalError : a rival failed or needed more than `limit` seconds.
        """
        if self.name in SLOW_RIVALS:
            return _in_time(self.name, to_bytes(example.image), example.hole, limit)
        if self.rival is not None:
            return self.rival.run(to_bytes(example.image), example.hole, limit)
        with replaced(self.constants):
            work = self.work()
            image, hole = example.image, example.hole
            _warm(self, work)
            start = self.clock()
            out = work(image, hole)
            return to_bytes(out), self.clock() - start

    def work(self) -> Work:
        """Return a function from canon image and hole to the filled image; only for methods of ours."""
        if self.door == "inpainter":
            from lacuna.inpainting import Inpainter

            inpainter = Inpainter(self.name, options=dict(self.options))
            return lambda image, hole: inpainter.run(image, hole, seed=self.seed).image
        from lacuna import registry
        from lacuna.types import Aux

        method = registry.create(self.name, dict(self.options))
        return lambda image, hole: method.fill(image, hole, aux=Aux(), seed=self.seed)


@contextmanager
def replaced(constants: Mapping[str, Any]) -> Iterator[None]:
    """Give constants of the package other values, and put theirs back in the end.

    Parameters
    ----------
    constants : ``"module:NAME"`` or, for the default of a dataclass's field, ``"module:Class.field"``.

    Raises
    ------
    AttributeError : there is no such constant.
    """
    with ExitStack() as stack:
        for name, value in constants.items():
            module, cls, last = _place(name)
            before = constant(name)
            put = functools.partial(setattr, module, last) if cls is None else _default_setter(cls, last)
            stack.callback(put, before)
            put(value)
        yield


def constant(name: str) -> Any:
    """Return what a constant, named as in `replaced`, is now."""
    module, cls, last = _place(name)
    if cls is None:
        return getattr(module, last)
    return inspect.signature(cls).parameters[last].default


def _place(name: str) -> tuple[ModuleType, Any, str]:
    """Return module, dataclass or None, and the last part of a constant's name."""
    path, _, attribute = name.partition(":")
    module = importlib.import_module(path)
    owner, dot, last = attribute.rpartition(".")
    cls = getattr(module, owner) if dot else None
    if not hasattr(module if cls is None else cls, last):
        raise AttributeError(f"no constant {name!r}")
    return module, cls, last


def _default_setter(cls: Any, field_name: str) -> Callable[[Any], None]:
    """Return what changes the default with which a dataclass is made from now on, wherever it is made."""
    names = [p.name for p in inspect.signature(cls).parameters.values() if p.default is not p.empty]

    def put(value: Any) -> None:
        kept = zip(names, cls.__init__.__defaults__, strict=True)
        cls.__init__.__defaults__ = tuple(value if name == field_name else old for name, old in kept)

    return put


@dataclass
class Outcome:
    """What is kept of one fill: its figures, or why there are none, and where the picture lies."""

    method: str
    figures: dict[str, float] | None
    seconds: float
    failure: str | None = None
    picture: str = ""


def evaluate(runner: Runner, example: Example, folder: Path, limit: float = TIME_LIMIT) -> Outcome:
    """Return the figures of one fill, from the cache if it was made before.

    Parameters
    ----------
    folder : the picture is kept in ``folder/cache/<method>/<key>.png``, the figures beside it in JSON.
    limit : seconds that a rival may take; a rival that fails is remembered as failed, until it is
        given more than it had.
    """
    stem = folder / "cache" / runner.name / runner.key(example)
    record, picture_path = stem.with_suffix(".json"), stem.with_suffix(".png")
    if record.is_file():
        kept = json.loads(record.read_text())
        if kept["figures"] is not None or kept["seconds"] >= limit:
            return Outcome(runner.label, kept["figures"], kept["seconds"], kept["failure"], str(picture_path))
    record.parent.mkdir(parents=True, exist_ok=True)
    try:
        fill, seconds = runner.fill(example, limit)
    except RivalError as error:
        outcome = Outcome(runner.label, None, limit, failure=str(error))
    else:
        picture = np.where(example.hole[..., None], fill, to_bytes(example.truth))
        PilImage.fromarray(picture).save(picture_path)
        figures = score(picture.astype(np.float32) / np.float32(255), example.truth, example.hole)
        outcome = Outcome(runner.label, figures, seconds, picture=str(picture_path))
    partial = stem.with_suffix(".part")
    partial.write_text(json.dumps(asdict(outcome), indent=1))
    partial.replace(record)
    return outcome


def default_door() -> str:
    """Return ``inpainter``, what users call, as soon as the package has it; else ``fill``."""
    return "inpainter" if (PACKAGE / "inpainting.py").is_file() else "fill"


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """Return a canon image in 8 bits."""
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


_warmed: set[tuple[str, str]] = set()


def _warm(runner: Runner, work: Work) -> None:
    """Let kernels compile on a small picture, outside the seconds."""
    key = (runner.label, runner.door)
    if key in _warmed:
        return
    image = np.random.Generator(np.random.PCG64(0)).random((96, 96, 3), dtype=np.float32)
    hole = np.zeros((96, 96), dtype=bool)
    hole[36:60, 36:60] = True
    work(image, hole)
    _warmed.add(key)


def _in_time(name: str, image: Pixels, hole: Hole, limit: float) -> tuple[Pixels, float]:
    """Run a rival that knows no limit in a process that is ended when its time is over.

    Raises
    ------
    RivalError : it needed more, or its process ended without a picture.
    """
    # Spawned, not forked: threads of libraries that are loaded here would be missing in a fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, name, image, hole, limit), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            raise RivalError(f"took more than {limit:.0f} s")
        answer: tuple[Pixels, float] = ours.recv()
    except EOFError:
        process.join()
        raise RivalError(f"exit {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    return answer


def _answer(connection: Connection, name: str, image: Pixels, hole: Hole, limit: float) -> None:
    connection.send(KNOWN_RIVALS[name].run(image, hole, limit))


@functools.cache
def _version(name: str) -> str:
    return str(KNOWN_RIVALS[name].version())


@functools.cache
def code_hash() -> str:
    """Return a hash of the sources and shipped weights that decide what our fills look like."""
    digest = hashlib.sha256()
    for part in OURS:
        path = PACKAGE / part
        for file in sorted(path.rglob("*.*")) if path.is_dir() else [path]:
            if file.suffix != ".pyc":
                digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]

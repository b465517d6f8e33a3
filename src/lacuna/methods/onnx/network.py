"""`onnx`: any inpainting model in the ONNX format."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from lacuna import onnx_io, weights
from lacuna.errors import ConfigError, WeightsNotFoundError
from lacuna.methods.onnx import guessing, running, sidecar
from lacuna.methods.onnx.sidecar import Facts
from lacuna.onnx_io import Model
from lacuna.progress import note
from lacuna.types import Aux, FloatImage, Hole, OnStep

NAME = "onnx"


@dataclass(frozen=True)
class Onnx:
    """Fill the hole by a model of yours, whatever it takes.

    A sidecar beside the file (``model.toml`` beside ``model.onnx``) says what that is; without one it is
    guessed, and a note says so.

    Raises
    ------
    WeightsNotFoundError : no model is named, or it is not there.
    WeightsError : not a model that fills pictures.
    ConfigError : a sidecar that is wrong or does not fit.
    """

    weights: str | None = field(
        default=None, metadata={"help": "an .onnx file, or a name from `lacuna weights list`; needed"}
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1 … or coreml"})

    def __post_init__(self) -> None:
        if self.weights is None:
            raise WeightsNotFoundError(
                f"method {NAME!r} needs a model and Lacuna brings none: pass --option weights=FILE.onnx, or "
                "lacuna weights add NAME FILE.onnx and then --option weights=NAME"
            )
        self._opened()  # let errors come now

    def fill(
        self, image: FloatImage, hole: Hole, *, aux: Aux, seed: int, on_step: OnStep | None = None
    ) -> FloatImage:
        """See `lacuna.types.Method`."""
        model, facts, words = self._opened()
        if facts.guessed:
            note(
                f"onnx: what {model.path.name} takes was guessed; {words}. A sidecar would say it for certain"
            )
        colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        out, scale = running.predict(model, facts, colours, hole, on_step)
        if scale < 1:
            height, width = hole.shape
            note(
                f"onnx filled {width}×{height} pixels at {scale:.0%} of their size: more does not fit into "
                f"{model.path.name}"
            )
        if image.shape[2] == 1:
            out = out.mean(axis=2, keepdims=True)
        return np.where(hole[..., None], out, image)

    @cached_property
    def _path(self) -> Path:
        """The file; looked for, and its checksum compared, once."""
        return weights.find(self.weights or "", method=NAME)

    def _opened(self) -> tuple[Model, Facts, str]:
        return open_model(self._path, device=self.device)


def open_model(
    path: str | Path, *, device: str = "auto", beside: str | Path | None = None
) -> tuple[Model, Facts, str]:
    """Load a model and what it takes: from its sidecar, else by guessing.

    Parameters
    ----------
    beside : the sidecar; None is the file of the model's name that ends in .toml, if there is one.

    Returns
    -------
    Model, facts, and how sure they are if they were guessed.

    Raises
    ------
    WeightsError, WeightsNotFoundError, ConfigError, DeviceUnavailableError
    """
    model = onnx_io.load(path, device)
    told = Path(beside).expanduser() if beside is not None else model.path.with_suffix(sidecar.SUFFIX)
    if beside is None and not told.is_file():
        return model, *_guessed(model)
    facts = sidecar.read(told)
    try:
        running.check(model, facts)
    except ConfigError as error:
        raise ConfigError(f"{told}: {error}") from error
    return model, facts, f"see {told.name}"


def pack(path: str | Path, beside: str | Path | None = None) -> tuple[bytes, str, Facts, str]:
    """Return what `lacuna weights add` keeps of a model: its bytes and the text of its sidecar.

    Returns
    -------
    Bytes, text, and what `open_model` says.

    Raises
    ------
    WeightsError : also if the model's tensors lie in other files.
    """
    model, facts, words = open_model(path, device="cpu", beside=beside)
    data = model.path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / model.path.name
        alone.write_bytes(data)
        onnx_io.load(alone, "cpu")  # fails if it cannot stand alone
    comment = f"What {model.path.name} takes."
    if facts.guessed:
        comment += f"\nGuessed by Lacuna; {words}.\nSet guessed = false when you have checked it."
    return data, sidecar.write(facts, comment), facts, words


@lru_cache(maxsize=onnx_io.KEPT)
def _guessed(model: Model) -> tuple[Facts, str]:
    """Guess once for each loaded model: the trial runs take a few seconds with a large one."""
    return guessing.guess(model)

"""Segment Anything behind a click: an encoder and a decoder, ONNX files that the user has.

The files follow the export conventions of the paper's authors. What an encoder takes differs from export to
export (SAM, MobileSAM, with or without its own preparation) and is read off what the file declares.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lacuna import weights
from lacuna.errors import MaskError, WeightsError
from lacuna.image import Picture
from lacuna.types import Hole

if TYPE_CHECKING:
    from lacuna.onnx_io import Model, Port

ENCODER_VARIABLE, DECODER_VARIABLE = "LACUNA_SAM_ENCODER", "LACUNA_SAM_DECODER"

ENCODER, DECODER = "sam-encoder", "sam-decoder"
"""What such files are for, in the list of weights."""

SIDE = 1024
"""Longest side of what an encoder looks at, unless it declares another one."""

_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_NEEDED = ("image_embeddings", "point_coords", "point_labels")
_KNOWN = (*_NEEDED, "mask_input", "has_mask_input", "orig_im_size")
_ON, _OFF, _TOP_LEFT, _BOTTOM_RIGHT, _PADDING = 1, 0, 2, 3, -1

Point = tuple[float, float]


@dataclass(eq=False)
class Sam:
    """An encoder and a decoder, loaded; see `load_sam`. The last picture's embedding is kept.

    Parameters
    ----------
    encoder, decoder : as `lacuna.onnx_io.load` gives them.
    """

    encoder: Model
    decoder: Model
    _last: tuple[Picture, NDArray[Any]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_encoder(self.encoder)
        _check_decoder(self.decoder)

    @property
    def side(self) -> int:
        """Longest side of what the encoder looks at."""
        shape = self.encoder.inputs[0].shape
        fixed = [n for n in shape[-3:] if n is not None and n > 4]
        return max(fixed, default=SIDE)

    def select(
        self,
        picture: Picture,
        points: Sequence[Point],
        without: Sequence[Point] = (),
        within: tuple[float, float, float, float] | None = None,
    ) -> tuple[Hole, float]:
        """Return what lies under some points, and how sure the decoder is of it, about 0 to 1.

        Parameters
        ----------
        points, without : (x, y) on the object and beside it.
        within : x, y, width, height of a box around it.

        Raises
        ------
        WeightsError : the decoder gives something else than masks and predictions.
        MethodError, DeviceOutOfMemoryError : the models fail.
        """
        coordinates, labels = _prompt(points, without, within)
        height, width = picture.shape
        small = _small(picture.shape, self.side)
        coordinates *= np.array([small[1] / width, small[0] / height])
        given = {
            "image_embeddings": self._embedding(picture),
            "point_coords": coordinates[np.newaxis],
            "point_labels": labels[np.newaxis],
            "mask_input": np.zeros((1, 1, self.side // 4, self.side // 4)),
            "has_mask_input": np.zeros(1),
            "orig_im_size": np.array([height, width]),
        }
        found = self.decoder({p.name: given[p.name].astype(p.dtype) for p in self.decoder.inputs})
        logits, sure = _best(found, len(labels), self.decoder.path)
        return _full_size(logits, picture.shape, small, self.side) > 0, sure

    def _embedding(self, picture: Picture) -> NDArray[Any]:
        last = self._last  # another thread may replace it meanwhile
        if last is None or last[0] is not picture:
            port = self.encoder.inputs[0]
            answer = self.encoder({port.name: _prepared(picture, port, self.side)})
            self._last = last = (picture, next(iter(answer.values())))
        return last[1]


def load_sam(encoder: str | Path, decoder: str | Path, *, device: str = "auto") -> Sam:
    """Load Segment Anything.

    Parameters
    ----------
    encoder, decoder : ONNX files, or names of weights that were added.
    device : see `lacuna.onnx_io.load`.

    Raises
    ------
    MissingDependencyError : onnxruntime is not installed.
    WeightsNotFoundError : no such file.
    WeightsError : not an encoder, or not a decoder, of Segment Anything.

    References
    ----------
    .. [1] Kirillov et al., Segment Anything, 2023, arXiv:2304.02643.
    .. [2] Zhang et al., Faster Segment Anything: Towards Lightweight SAM for Mobile Applications, 2023,
       arXiv:2306.14289.
    """
    from lacuna import onnx_io

    first, second = (onnx_io.load(weights.find(name), device) for name in (encoder, decoder))
    return Sam(first, second)


_chosen: ContextVar[Sam | None] = ContextVar("lacuna_sam", default=None)


@contextmanager
def using(model: Sam | None) -> Iterator[None]:
    """Let every click inside the ``with`` block use a model; None changes nothing."""
    token = _chosen.set(model or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


_loaded: dict[tuple[str, str], Sam] = {}


def current() -> Sam | None:
    """Return the model that clicks use: of `using`, else of the environment, else the one that was added.

    Raises
    ------
    WeightsError : only one of the two variables is set, several encoders or decoders were added and none is
        named, or a file is not what it should be.
    """
    model = _chosen.get()
    if model is not None:
        return model
    names = tuple(os.environ.get(name, "").strip() for name in (ENCODER_VARIABLE, DECODER_VARIABLE))
    pair = both(*names) if any(names) else _added()
    if pair is None:
        return None
    if pair not in _loaded:
        _loaded.clear()
        _loaded[pair] = load_sam(*pair)
    return _loaded[pair]


def _added() -> tuple[str, str] | None:
    """Return the names of the encoder and the decoder that were added, if both were."""
    known = weights.entries()
    found = [[entry.name for entry in known if entry.method == role] for role in (ENCODER, DECODER)]
    if not all(found):
        return None
    for names, option in zip(found, ("--sam-encoder", "--sam-decoder"), strict=True):
        if len(names) > 1:
            raise WeightsError(
                f"several files of Segment Anything were added: {', '.join(names)}; say {option} NAME"
            )
    return found[0][0], found[1][0]


def role_of(path: Path) -> str | None:
    """Return whether an ONNX file is an `ENCODER` or a `DECODER` of Segment Anything, or None.

    Raises
    ------
    MissingDependencyError, WeightsError : it cannot be loaded.
    """
    from lacuna import onnx_io

    model = onnx_io.load(path, "cpu")
    if all(name in [port.name for port in model.inputs] for name in _NEEDED):
        return DECODER
    answers = len(model.outputs) == 1 and "embedding" in model.outputs[0].name
    return ENCODER if len(model.inputs) == 1 and _layout(model.inputs[0]) and answers else None


def both(encoder: str | None, decoder: str | None) -> tuple[str, str]:
    """Return both names.

    Raises
    ------
    WeightsError : one of them is missing.
    """
    if encoder and decoder:
        return encoder, decoder
    absent = "decoder" if encoder else "encoder"
    raise WeightsError(
        f"Segment Anything is two files and the {absent} is missing; give --sam-encoder and --sam-decoder, "
        f"or set {ENCODER_VARIABLE} and {DECODER_VARIABLE}"
    )


def _check_encoder(model: Model) -> None:
    if len(model.inputs) == 1 and _layout(model.inputs[0]) and model.inputs[0].dtype in _TYPES:
        return
    raise WeightsError(
        f"{model.path.name} is no encoder of Segment Anything: it takes {', '.join(map(str, model.inputs))}; "
        "expected one picture, (1, 3, H, W), (1, H, W, 3) or (H, W, 3), floats or uint8"
    )


def _check_decoder(model: Model) -> None:
    names = [port.name for port in model.inputs]
    if all(name in names for name in _NEEDED) and all(name in _KNOWN for name in names):
        return
    raise WeightsError(
        f"{model.path.name} is no decoder of Segment Anything: it takes {', '.join(names) or 'nothing'}; "
        f"expected {', '.join(_KNOWN)}"
    )


_TYPES = ("float32", "float16", "uint8")


def _layout(port: Port) -> str:
    """Return ``nchw``, ``nhwc``, ``hwc``, or nothing for what is no picture."""
    shape = port.shape
    if len(shape) == 4 and shape[0] in (1, None):
        return "nchw" if shape[1] == 3 else "nhwc" if shape[3] == 3 else ""
    return "hwc" if len(shape) == 3 and shape[2] in (3, None) else ""


def _small(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the (H, W) of a picture whose longest side is `side`."""
    scale = side / max(shape)
    return max(int(shape[0] * scale + 0.5), 1), max(int(shape[1] * scale + 0.5), 1)


def _prepared(picture: Picture, port: Port, side: int) -> NDArray[Any]:
    """Return a picture as an encoder wants it.

    An export that takes a single picture without a batch axis, or bytes, prepares it itself: it gets values
    from 0 to 255. All others get what the network was trained on: standardised, and zeros to a square.
    """
    import cv2

    small = _small(picture.shape, side)
    rgb: Any = np.repeat(picture.image, 3 // picture.image.shape[2], axis=2)
    how = cv2.INTER_AREA if small[0] < rgb.shape[0] else cv2.INTER_LINEAR
    pixels: Any = cv2.resize(np.ascontiguousarray(rgb), small[::-1], interpolation=how) * np.float32(255)
    layout = _layout(port)
    if layout != "hwc":
        if port.dtype != "uint8":
            pixels = (pixels - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
        pixels = np.pad(pixels, ((0, side - small[0]), (0, side - small[1]), (0, 0)))
        pixels = pixels[np.newaxis]
        if layout == "nchw":
            pixels = pixels.transpose(0, 3, 1, 2)
    if port.dtype == "uint8":
        pixels = np.rint(pixels)
    return np.ascontiguousarray(pixels.astype(port.dtype))


def _prompt(
    points: Sequence[Point], without: Sequence[Point], within: tuple[float, float, float, float] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (N, 2) positions and (N,) labels as the decoder wants them; a box is two points."""
    places = [*points, *without]
    labels = [_ON] * len(points) + [_OFF] * len(without)
    if within is None:
        places.append((0.0, 0.0))
        labels.append(_PADDING)
    else:
        x, y, width, height = within
        places += [(x, y), (x + width, y + height)]
        labels += [_TOP_LEFT, _BOTTOM_RIGHT]
    return np.array(places, dtype=np.float64), np.array(labels, dtype=np.float64)


def _best(found: dict[str, NDArray[Any]], count: int, path: Path) -> tuple[NDArray[Any], float]:
    """Return the (h, w) logits of the best mask, and how good the decoder thinks it is.

    Of four masks the first answers prompts that leave no doubt, the others are part, object and whole of a
    prompt of one or two points: the authors' export chooses in the same way.
    """
    masks, scores = found.get("masks"), found.get("iou_predictions")
    fits = masks is not None and scores is not None and masks.ndim == 4 and masks.shape[1] == scores.size
    if masks is None or scores is None or not fits or not np.isfinite(scores).all():
        raise WeightsError(
            f"{path.name} gives {', '.join(f'{name} {array.shape}' for name, array in found.items())}; "
            "expected masks (1, N, H, W) and iou_predictions (1, N)"
        )
    scores = scores.reshape(-1).astype(np.float64)
    preferred = np.zeros(len(scores))
    if len(scores) == 4:
        preferred[0] = 1000 * (count - 2.5)
    best = int((scores + preferred).argmax())
    return masks[0, best], float(scores[best])


def _full_size(
    logits: NDArray[Any], shape: tuple[int, int], small: tuple[int, int], side: int
) -> NDArray[Any]:
    """Return logits at the picture's size; a decoder that does not do so gives the padded square, reduced."""
    import cv2

    if logits.shape == shape:
        return logits
    square: Any = cv2.resize(logits.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    part = np.ascontiguousarray(square[: small[0], : small[1]])
    return np.asarray(cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR))


def check_found(hole: Hole, name: object) -> None:
    """Refuse an empty answer.

    Raises
    ------
    MaskError
    """
    if not hole.any():
        raise MaskError(
            f"{name}: Segment Anything finds nothing there; click elsewhere, or put a box around it"
        )

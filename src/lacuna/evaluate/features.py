"""What a net sees in every fill and photograph, kept as small files for the figures of whole sets."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import ImageError, OutputError
from lacuna.evaluate.folder import FEATURES, Row
from lacuna.types import FloatImage


class Extractor(Protocol):
    """A net that turns a picture into a row of features, as `lacuna.metrics.Inception` does."""

    def features(self, image: FloatImage) -> NDArray[np.float64]:
        """Return the features of a picture ``(H, W, C)``, ``(D,)``; ImageError where it is too small."""
        ...


@dataclass(frozen=True)
class FeatureStore:
    """The features of a run's fills, and once of each photograph, in ``features/NET/``.

    Parameters
    ----------
    output : the run's folder.
    nets : by the names of their folders.
    """

    output: Path
    nets: Mapping[str, Extractor]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def lacks(self, row: Row) -> bool:
        """Return whether a row with a fill has no features of one of the nets."""
        return row["status"] == "ok" and any(
            not fill_file(self.output, net, row).is_file() for net in self.nets
        )

    def keep(self, row: Row, filled: FloatImage, truth: FloatImage) -> None:
        """Compute and write what is not there yet; of pictures too small for a net nothing is.

        Raises
        ------
        OutputError : the disk is full; what was written before is kept.
        """
        for name, net in self.nets.items():
            files = (truth_file(self.output, name, row["image"]), fill_file(self.output, name, row))
            with self._lock:  # torch brings threads of its own, and two fills share a truth
                for path, picture in zip(files, (truth, filled), strict=True):
                    if path.is_file():
                        continue
                    try:
                        found = net.features(picture)
                    except ImageError:
                        break
                    _write(path, found.astype(np.float32))


def fill_file(output: Path, net: str, row: Mapping[str, Any]) -> Path:
    """Return where the features of a row's fill lie."""
    return output / FEATURES / net / f"{row['fill']}.npy"


def truth_file(output: Path, net: str, image: str) -> Path:
    """Return where the features of a photograph lie."""
    return output / FEATURES / net / "truth" / f"{image}.npy"


def _write(path: Path, values: NDArray[np.float32]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            np.save(stream, values)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; what is done is kept: make room and go on "
            "with --resume"
        ) from error

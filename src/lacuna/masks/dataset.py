"""Test sets of masks: exactly as many in every bucket, a manifest, the same bytes for the same seed."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lacuna.errors import OptionError, OutputError
from lacuna.masks.bitmap import encode
from lacuna.masks.random import KINDS, draw
from lacuna.progress import report
from lacuna.types import OnStep

Bucket = tuple[float, float]
Border = Literal["both", "free", "touching", "any"]

BUCKETS: tuple[Bucket, ...] = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
"""The six of Liu et al.: (low, high], share of the picture that is missing."""

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Plan:
    """What a set of masks is to hold.

    Parameters
    ----------
    count : masks in all; the same number for each bucket and each side of the border rule.
    kind : of `lacuna.masks.random.KINDS`; one that is random.
    height, width : of every mask.
    buckets : (low, high], share of the picture that is missing.
    border : ``"both"``: half of the masks keep away from the picture's edge, the other half reach it;
        ``"free"``, ``"touching"``: only the former or the latter; ``"any"``: as it comes.
    border_width : how far from the edge they keep away, in pixels.
    seed : another seed, another set.
    """

    count: int = 12000
    kind: str = "irregular"
    height: int = 512
    width: int = 512
    buckets: Sequence[Bucket] = BUCKETS
    border: Border = "both"
    border_width: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            raise OptionError(f"a mask of {self.width}x{self.height} pixels has none")
        if self.kind not in KINDS:
            raise OptionError(f"there is no kind of mask called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.border not in get_args(Border):
            raise OptionError(f"border is {self.border!r}; expected {', '.join(get_args(Border))}")
        if not self.buckets or not all(0 <= low < high <= 1 for low, high in self.buckets):
            raise OptionError(
                f"buckets are {self.buckets!r}; expected pairs of shares, the smaller one first"
            )
        cells = len(self.buckets) * len(self.borders)
        if self.count < 1 or self.count % cells:
            near = max(round(self.count / cells), 1) * cells
            raise OptionError(
                f"{self.count} masks cannot be spread evenly over {len(self.buckets)} buckets"
                f"{' × 2 borders' if len(self.borders) == 2 else ''}; {near} can"
            )
        self._check_room()

    def _check_room(self) -> None:
        if "free" not in self.borders:
            return
        inner = max(self.height - 2 * self.border_width, 0) * max(self.width - 2 * self.border_width, 0)
        most = inner / (self.height * self.width)
        if most < max(high for _, high in self.buckets):
            raise OptionError(
                f"with {self.border_width} pixels of border at most {100 * most:.0f} % of a "
                f"{self.width}x{self.height} picture can be missing; choose a narrower border or "
                "smaller buckets"
            )

    @property
    def borders(self) -> tuple[str, ...]:
        """The sides of the border rule that the set has."""
        return ("free", "touching") if self.border == "both" else (self.border,)


def write(plan: Plan, folder: str | os.PathLike[str], *, on_step: OnStep | None = None) -> dict[str, Any]:
    """Write a set of masks and its manifest into a new folder.

    The folder appears when it is complete; until then the files lie in a temporary one beside it.

    Parameters
    ----------
    folder : must not exist, or be empty.

    Returns
    -------
    The manifest: the plan, and for each mask its file, sha256, missing pixels, bucket, border and index.

    Raises
    ------
    OutputError : the folder holds something, or cannot be written.
    MaskError : the kind cannot reach a bucket.
    """
    target = Path(folder)
    _check_target(target)
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target} cannot be made: {error.strerror or error}") from error
    try:
        manifest = {"missing": "white", **asdict(plan), "masks": list(_masks(plan, beside, on_step))}
        text = json.dumps(manifest, indent=1) + "\n"
        (beside / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
        beside.chmod(0o755)
        if target.exists():
            target.rmdir()
        beside.rename(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _check_target(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()):
        raise OutputError(f"{target} exists already and is not empty; choose another folder")
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; give the name of a new folder")
    if not target.parent.is_dir():
        raise OutputError(f"the folder {target.parent} does not exist; create it or choose another one")


def _masks(plan: Plan, folder: Path, on_step: OnStep | None) -> Iterator[dict[str, Any]]:
    """Write one mask after the other; each has an index, and hence a random stream, of its own."""
    cells = list(itertools.product(plan.buckets, plan.borders))
    each = plan.count // len(cells)
    digits = max(5, len(str(plan.count - 1)))
    for index in range(plan.count):
        bucket, border = cells[index // each]
        hole = draw(
            plan.kind,
            (plan.height, plan.width),
            seed=plan.seed,
            index=index,
            area=bucket,
            border=0 if border == "any" else plan.border_width,
            touching=border == "touching",
        )
        name, data = f"{index:0{digits}d}.png", encode(hole)
        (folder / name).write_bytes(data)
        yield {
            "file": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "missing": int(hole.sum()),
            "bucket": list(bucket),
            "border": border,
            "index": index,
        }
        if index % 16 == 0:
            report(on_step, index / plan.count, "drawing masks")

"""Augment: variations of training pictures, each with random parts filled anew."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lacuna import __version__, registry
from lacuna.errors import Cancelled, ImageError, LacunaError, OptionError, OutputError
from lacuna.image import DEFAULT_MAX_PIXELS, Picture, open_image
from lacuna.image.delivery import write_file
from lacuna.image.writing import SUFFIXES
from lacuna.inpainting import Inpainter
from lacuna.jobs.annotations import Annotations, read_annotations, surviving
from lacuna.masks.bitmap import encode
from lacuna.masks.spec import MaskSpec, parse_specs, seed_for
from lacuna.progress import report
from lacuna.task import whole_number
from lacuna.types import Hole, OnStep

ROWS, MANIFEST, ANNOTATIONS = "rows.jsonl", "manifest.json", "annotations.json"
PICTURES, MASKS = "images", "masks"

Row = dict[str, Any]


@dataclass(frozen=True)
class AugmentPlan:
    """What is to be made of a folder of pictures; two runs of the same plan give the same bytes.

    Parameters
    ----------
    count : variations of each picture.
    masks : kinds of random masks, or an expression; see `lacuna.masks.spec.parse_specs`. Of several kinds
        the variations take turns.
    method, options : how holes are filled.
    seed : another seed, other holes and other fills.
    drop : an object that lost more than this share of its pixels loses its annotation, 0 to 1.
    max_pixels : larger files are rows with an error.
    """

    count: int = 5
    masks: str = "blobs:.02-.25"
    method: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    drop: float = 0.5
    max_pixels: int | None = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        whole_number("count", self.count, 1)
        whole_number("seed", self.seed, 0)
        if isinstance(self.drop, bool) or not 0 <= self.drop <= 1:
            raise OptionError(f"drop is {self.drop!r}; expected a share from 0 to 1")
        parse_specs(self.masks)

    def specs(self) -> list[MaskSpec]:
        """Return the masks, read."""
        return parse_specs(self.masks)

    def hole(self, picture: Picture, name: str, index: int) -> Hole:
        """Return the hole of a variation; it depends on nothing but the plan, the name and the index."""
        specs = self.specs()
        return specs[index % len(specs)].hole(picture, self.seed_of(name, index))

    def seed_of(self, name: str, index: int) -> int:
        """Return the seed of a variation, for its hole and its fill."""
        return seed_for(self.seed, name, index)


@dataclass(frozen=True)
class Augmented:
    """What came of it.

    Parameters
    ----------
    folder : with ``images/``, ``masks/``, ``manifest.json`` and, with annotations, ``annotations.json``.
    rows : one for each picture and index, in order: names, seeds, sha256, missing pixels; or an error.
    counts : how many are ``made``, ``failed``, and ``kept``, ``cut`` and ``dropped`` annotations.
    """

    folder: Path
    rows: tuple[Row, ...]
    counts: Mapping[str, int]


def find_pictures(folder: str | os.PathLike[str]) -> list[str]:
    """Return the pictures below a folder, sorted: paths relative to it, with forward slashes.

    Raises
    ------
    ImageError : no such folder, or no picture in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ImageError(f"{root} is not a folder of pictures")
    found = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise ImageError(f"no pictures in {root}; expected files that end in {', '.join(SUFFIXES)}")
    return found


def augment(
    pictures: str | os.PathLike[str],
    output: str | os.PathLike[str],
    plan: AugmentPlan | None = None,
    *,
    annotations: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> Augmented:
    """Write variations of pictures in which random parts were taken out and filled.

    Every variation is on the disk, whole, before the next one starts. A picture that cannot be used is a row
    with an error, not the end.

    Parameters
    ----------
    pictures : a folder; folders in it too.
    output : a new folder, outside of ``pictures``.
    plan : None is `AugmentPlan` as it is.
    annotations : a COCO file of those pictures; `lacuna.jobs.annotations.surviving` says what stays of them.
    resume : go on with a run of the same plan.
    overwrite : throw an earlier run away.
    on_step : progress out, cancellation in.

    Raises
    ------
    ImageError : no such folder, no picture in it, or none that can be used.
    ConfigError : annotations that cannot be read.
    OptionError, UnknownMethodError : a plan that cannot be carried out.
    OutputError : the folder holds something else or another run, or cannot be written.
    """
    plan = plan or AugmentPlan()
    root, target = Path(pictures), Path(output)
    names = find_pictures(root)
    if target.resolve() == root.resolve() or root.resolve() in target.resolve().parents:
        raise OptionError(
            f"the output {target} lies in the folder of pictures; choose a folder outside of it"
        )
    notes = read_annotations(annotations) if annotations is not None else None
    filler = Inpainter(plan.method, options=plan.options)
    header = _header(plan, filler, annotations)
    rows = _opened(target, header, resume=resume, overwrite=overwrite)
    wanted = [(name, index) for name in names for index in range(plan.count)]
    run = _Run(root, target, plan, filler, notes, rows)
    for number, (name, index) in enumerate(wanted):
        report(on_step, number / len(wanted), name)
        if not run.is_done(name, index):
            run.make(name, index)
    ordered = tuple(rows[name, index] for name, index in wanted)
    return _closed(target, header, ordered, notes)


@dataclass(frozen=True)
class _Run:
    """Makes one variation after the other."""

    root: Path
    target: Path
    plan: AugmentPlan
    filler: Inpainter
    notes: Annotations | None
    rows: dict[tuple[str, int], Row]

    def is_done(self, name: str, index: int) -> bool:
        """Say whether a variation is on the disk as its row says, made of the picture that is there now."""
        row = self.rows.get((name, index))
        if row is None or row["status"] != "ok":
            return False
        files = ((self.root, "source"), (self.target, "output"), (self.target, "mask"))
        return all(_sha256(where / row[key]) == row[f"{key}_sha256"] for where, key in files)

    def make(self, name: str, index: int) -> None:
        """Make a variation and append its row.

        Raises
        ------
        OutputError : it cannot be written.
        """
        row: Row = {"source": name, "index": index, "seed": self.plan.seed_of(name, index)}
        try:
            row |= self._made(name, index)
        except (OutputError, Cancelled):
            raise
        except LacunaError as error:
            # Without the folder's own name, so that the manifest is the same wherever it lies.
            words = " ".join(str(error).replace(f"{self.root / name}", name).split())
            row |= {"status": "error", "type": type(error).__name__, "error": words}
        self.rows[name, index] = row
        _append(self.target / ROWS, row)

    def _made(self, name: str, index: int) -> Row:
        source = self.root / name
        picture = open_image(source, max_pixels=self.plan.max_pixels)
        hole = self.plan.hole(picture, name, index)
        result = self.filler.run(picture, hole, seed=self.plan.seed_of(name, index))
        # The suffix stays in the name: photo.jpg and photo.png are two pictures.
        stem = f"{name}.{index}"
        out = f"{PICTURES}/{stem}{source.suffix.lower()}"
        mask = f"{MASKS}/{stem}.png"
        for path in (self.target / out, self.target / mask):
            _make_folder(path.parent)
        saved = result.save(self.target / out, overwrite=True)
        write_file(self.target / mask, encode(hole))
        row: Row = {
            "status": "ok",
            "source_sha256": _sha256(source),
            "output": out,
            "output_sha256": _sha256(self.target / out),
            "mask": mask,
            "mask_sha256": _sha256(self.target / mask),
            "width": hole.shape[1],
            "height": hole.shape[0],
            "missing": int(hole.sum()),
            "changed_outside": result.changed_outside,
            "changed_in_file": saved.changed_in_file,
        }
        entry = None if self.notes is None else self.notes.image(name)
        if self.notes is not None and entry is not None:
            left, counts = surviving(self.notes.of_image.get(entry["id"], []), hole, most=self.plan.drop)
            row |= {"image_id": entry["id"], "counts": dict(counts), "annotations": left}
        return row


def _header(
    plan: AugmentPlan, filler: Inpainter, annotations: str | os.PathLike[str] | None
) -> dict[str, Any]:
    facts = asdict(plan) | {"options": {key: str(value) for key, value in filler.options.items()}}
    deterministic = registry.get(plan.method).deterministic
    noted = None if annotations is None else _sha256(Path(annotations))
    return {
        "version": __version__,
        **facts,
        "deterministic": deterministic,
        "annotations_sha256": noted,
        "rule": f"objects that lost more than {100 * plan.drop:g} % of their pixels are dropped, "
        "others are cut to what is left",
    }


def _opened(
    target: Path, header: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> dict[tuple[str, int], Row]:
    """Make the folder, or go on with it; return the rows that are there."""
    ledger = target / ROWS
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; give the name of a new folder")
    if not ledger.exists() and target.is_dir() and any(target.iterdir()):
        raise OutputError(f"{target} is not empty, and not of an earlier run; choose another folder")
    if ledger.exists() and not (resume or overwrite):
        raise OutputError(f"{target} holds an earlier run; --resume goes on with it, --overwrite starts anew")
    rows = _resumed(ledger, header) if ledger.exists() and resume else {}
    if ledger.exists() and not resume:
        _clear(target)
    _make_folder(target)
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in (header, *rows.values())]
    write_file(ledger, "".join(lines).encode())
    return rows


def _clear(target: Path) -> None:
    """Delete what an earlier run wrote, and nothing else."""
    try:
        for name in (MANIFEST, ANNOTATIONS, ROWS):
            (target / name).unlink(missing_ok=True)
        for name in (PICTURES, MASKS):
            if (target / name).is_dir() and not (target / name).is_symlink():
                shutil.rmtree(target / name)
    except OSError as error:
        raise OutputError(f"{target} cannot be cleared: {error.strerror or error}") from error


def _resumed(ledger: Path, header: Mapping[str, Any]) -> dict[tuple[str, int], Row]:
    lines = ledger.read_text(encoding="utf-8").split("\n")[:-1]  # a kill may tear the last one off
    try:
        before, *rows = (json.loads(line) for line in lines)
        found = {(row["source"], row["index"]): row for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{ledger} is damaged: {error}; start anew with --overwrite") from error
    # More variations of each picture do not change those that are there.
    other = [key for key in header if key != "count" and before.get(key) != header[key]]
    if other:
        raise OutputError(
            f"{ledger.parent} holds another run: {', '.join(other)} differ; name another folder, or start "
            "anew with --overwrite"
        )
    return found


def _closed(
    target: Path, header: Mapping[str, Any], rows: tuple[Row, ...], notes: Annotations | None
) -> Augmented:
    """Write the manifest and the annotations, and return what came of it."""
    good = [row for row in rows if row["status"] == "ok"]
    counts = Counter(made=len(good), failed=len(rows) - len(good))
    for row in good:
        counts.update(row.get("counts", {}))
    if notes is not None:
        _write_json(target / ANNOTATIONS, _data_set(notes, good))
    plain = [{key: value for key, value in row.items() if key != "annotations"} for row in rows]
    _write_json(target / MANIFEST, {**header, "counts": dict(counts), "rows": plain})
    if not good:
        raise ImageError(f"none of {len(rows)} variations could be made; the first: {rows[0]['error']}")
    return Augmented(target, tuple(plain), dict(counts))


def _data_set(notes: Annotations, rows: list[Row]) -> dict[str, Any]:
    """Return the variations as a COCO data set, with ids of its own."""
    entries = {one["id"]: one for one in notes.data["images"]}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for row in rows:
        if "image_id" not in row:
            continue
        number = len(images) + 1
        name = row["output"].removeprefix(f"{PICTURES}/")
        made = {
            "source": row["source"],
            "source_id": row["image_id"],
            "seed": row["seed"],
            "index": row["index"],
        }
        images.append(
            {
                **entries[row["image_id"]],
                "id": number,
                "file_name": name,
                "width": row["width"],
                "height": row["height"],
                "lacuna": made,
            }
        )
        for one in row["annotations"]:
            annotations.append(
                {**one, "id": len(annotations) + 1, "image_id": number, "source_id": one.get("id")}
            )
    rest = {key: value for key, value in notes.data.items() if key not in ("images", "annotations")}
    return {**rest, "images": images, "annotations": annotations}


def _write_json(path: Path, data: Any) -> None:
    write_file(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _append(path: Path, row: Row) -> None:
    try:
        with path.open("ab") as stream:
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; what is done is kept: go on with --resume"
        ) from error


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror or error}") from error


def _sha256(path: Path) -> str:
    """Return the sha256 of a file, or nothing if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""

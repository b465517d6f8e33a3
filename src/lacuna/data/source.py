"""Where photos come from: a folder, a zip, a tar, here or wherever fsspec reaches."""

from __future__ import annotations

import os
import tarfile
import threading
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO

from lacuna.errors import ImageError, MissingDependencyError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif")
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Source(ABC):
    """Pictures under sorted names.

    Attributes
    ----------
    where : as it was given.
    names : of the pictures, sorted.
    """

    where: str
    names: list[str]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a picture; an `OSError` or `ImageError` where that fails."""


class _Folder(Source):
    def __init__(self, where: str) -> None:
        self.where, self._root = where, Path(where)
        found = (Path(folder) / name for folder, _, names in os.walk(self._root) for name in names)
        self.names = sorted(p.relative_to(self._root).as_posix() for p in found if _wanted(p.name))

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Remote(Source):
    """A folder behind a url."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._files, root = _fsspec().core.url_to_fs(where)
        self._root = root.rstrip("/")
        found = self._files.find(self._root)
        self.names = sorted(p[len(self._root) + 1 :] for p in found if _wanted(p.rpartition("/")[2]))

    def read(self, name: str) -> bytes:
        return bytes(self._files.cat_file(f"{self._root}/{name}"))


class _Zip(Source):
    def __init__(self, where: str) -> None:
        # A file that ZipFile opened itself is closed with it.
        self.where, self._zip = where, zipfile.ZipFile(_open(where) if "://" in where else where)
        self._lock = threading.Lock()
        names = self._zip.namelist()
        self.names = sorted(n for n in names if not n.endswith("/") and _wanted(n.rpartition("/")[2]))

    def read(self, name: str) -> bytes:
        with self._lock:  # one file position for all threads
            return self._zip.read(name)


class _Tar(Source):
    """A tar, WebDataset shards included: each picture is a member; its siblings (.txt, .json) are left out.

    An index is made once; a compressed tar cannot be read at a place, so its pictures are kept in memory.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._places: dict[str, tuple[int, int]] = {}
        self._kept: dict[str, bytes] = {}
        with _open(where) as file, tarfile.open(fileobj=file, mode="r:*") as tar:
            plain = where.lower().endswith(".tar")
            for member in tar:
                if not member.isfile() or not _wanted(member.name.rpartition("/")[2]):
                    continue
                self._places[member.name] = (member.offset_data, member.size)
                if not plain:
                    extracted = tar.extractfile(member)
                    self._kept[member.name] = extracted.read() if extracted else b""
        self.names = sorted(self._places)

    def read(self, name: str) -> bytes:
        if name in self._kept:
            return self._kept[name]
        offset, size = self._places[name]
        if "://" in self.where:
            files, path = _fsspec().core.url_to_fs(self.where)
            return bytes(files.cat_file(path, start=offset, end=offset + size))
        with open(self.where, "rb") as file:
            file.seek(offset)
            return file.read(size)


class _Several(Source):
    """Several sources, one after the other: the shards of a set."""

    def __init__(self, where: str, parts: list[Source]) -> None:
        self.where = where
        self._home = {f"{part.where}/{name}": (part, name) for part in parts for name in part.names}
        self.names = sorted(self._home)

    def read(self, name: str) -> bytes:
        part, inner = self._home[name]
        return part.read(inner)


def open_source(where: str | os.PathLike[str]) -> Source:
    """Open a set of photos.

    Parameters
    ----------
    where : a folder (read with all its folders), a ``.zip``, a ``.tar`` (also compressed), or a url of one of
        these for fsspec; ``*`` in it stands for several files, the shards of a WebDataset.

    Raises
    ------
    ImageError : nothing there, unreadable, or no picture in it.
    MissingDependencyError : a url, and fsspec or its backend is not installed.
    """
    name = os.fspath(where)
    try:
        source = _opened(name)
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist; expected a folder, zip or tar of photos") from error
    except (OSError, zipfile.BadZipFile, tarfile.TarError, ValueError) as error:
        raise ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs {error.name or error}; pip install 'lacuna[train]'"
        ) from error
    if not source.names:
        raise ImageError(f"{name} holds no photo; looked for {', '.join(SUFFIXES)} in it and its folders")
    return source


def _opened(name: str) -> Source:
    if "*" in name:
        shards = sorted(str(file.full_name) for file in _fsspec().open_files(name))
        if not shards:
            raise FileNotFoundError(name)
        return _Several(name, [_opened(shard) for shard in shards])
    if name.lower().endswith(".zip"):
        return _Zip(name)
    if name.lower().endswith(_TAR):
        return _Tar(name)
    if "://" in name:
        return _Remote(name)
    if not Path(name).is_dir():
        if Path(name).exists():
            raise ValueError("it is neither a folder nor a .zip or .tar")
        raise FileNotFoundError(name)
    if not os.access(name, os.R_OK | os.X_OK):
        raise PermissionError(13, "permission denied")
    return _Folder(name)


def _open(name: str) -> BinaryIO:
    if "://" not in name:
        return open(name, "rb")
    file: BinaryIO = _fsspec().open(name, "rb").open()
    return file


def _fsspec() -> Any:
    import fsspec

    return fsspec


def _wanted(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")

"""What a server may spend, and where it listens."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from lacuna.errors import ConfigError

FOLDER_VARIABLE = "LACUNA_PROJECTS"

MEBI, GIBI = 1 << 20, 1 << 30
DAY = 86_400.0

TILE = 512
"""Side of the tiles in which the page asks for a picture."""


_DEVICE = re.compile(r"cpu|mps|coreml|cuda(:\d{1,3})?")


def default_folder() -> Path:
    """Return where projects are kept: ``LACUNA_PROJECTS``, else a place in the user's cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "lacuna" / "projects"


@dataclass(frozen=True)
class Settings:
    """How a server is run.

    Parameters
    ----------
    folder : where projects, jobs and batches are kept; used by one server at a time.
    host, port : where it listens.
    token : what requests must show; required on any address but the machine's own.
    allowed_hosts : further names under which the server may be asked (the ``Host`` header); a proxy's, say.
    devices : one bounded queue each; requests that name none get the first.
    workers : processes per device.
    max_pixels, max_bytes, max_seconds, max_memory : of one request. Bytes are those of the whole body; memory
        is what a worker may take beyond what the loaded program takes (where the system can limit it).
    upload_seconds : the time that a body may take to arrive.
    queue : jobs that may wait for a device, and small ones that may wait for the worker that looks at files.
    max_steps : of one project.
    max_variants : of one fill.
    max_batch : pictures in one batch.
    project_bytes : of the whole folder.
    expiry, job_expiry : seconds since a project, a job or batch was last touched, after which it is deleted.
    """

    folder: Path = field(default_factory=default_folder)
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    workers: int = 1
    max_pixels: int = 100_000_000
    max_bytes: int = 256 * MEBI
    max_seconds: float = 300.0
    max_memory: int = 4 * GIBI
    upload_seconds: float = 120.0
    queue: int = 32
    max_steps: int = 1000
    max_variants: int = 8
    max_batch: int = 1000
    project_bytes: int = 10 * GIBI
    expiry: float = 7 * DAY
    job_expiry: float = 3600.0

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.token:
            raise ConfigError(
                f"host {self.host} can be reached by others, so a token is needed: give --token SECRET (16 "
                "characters or more) or set LACUNA_TOKEN"
            )
        if self.token is not None and len(self.token) < 16:
            raise ConfigError(
                "the token is shorter than 16 characters and could be guessed; give a longer one"
            )
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}; expected 0 to 65535 (0 takes a free one)")
        if not self.devices or len(set(self.devices)) != len(self.devices):
            raise ConfigError(f"devices are {self.devices}; expected at least one, each once")
        strange = [name for name in self.devices if not _DEVICE.fullmatch(name)]
        if strange:
            raise ConfigError(
                f"there is no kind of device {strange[0]!r}; expected cpu, cuda, cuda:1 …, mps or coreml"
            )
        positive = (
            "workers", "max_pixels", "max_bytes", "max_seconds", "max_memory", "upload_seconds", "queue",
            "max_steps", "max_variants", "max_batch", "project_bytes", "expiry", "job_expiry",
        )  # fmt: skip
        for name in positive:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected more than 0")

    @property
    def address(self) -> str:
        """The server's own URL, as a browser on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("::1")
    (True, True, False, True)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

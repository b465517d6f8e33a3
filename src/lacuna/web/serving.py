"""Run a server: uvicorn around the application."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvicorn

from lacuna.errors import OutputError
from lacuna.web.app import create_app
from lacuna.web.project import Project, file_name
from lacuna.web.settings import Settings
from lacuna.web.steps import digest
from lacuna.web.store import Store


class Server(uvicorn.Server):
    """A server that says when it is there.

    Parameters
    ----------
    settings : port 0 takes a free one.
    on_ready : called with the settings, the real port among them, when connections are accepted.

    Raises
    ------
    OutputError : the address is taken, or the folder cannot be used.
    """

    def __init__(self, settings: Settings, on_ready: Callable[[Settings], None]) -> None:
        self._listener = _listener(settings)
        self.running = replace(settings, port=self._listener.getsockname()[1])
        self._on_ready = on_ready
        super().__init__(
            uvicorn.Config(
                create_app(self.running),
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=3,
                limit_concurrency=1000,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready(self.running)

    def run_here(self) -> None:
        """Serve until Ctrl-C, SIGTERM or ``should_exit``."""
        try:
            self.run(sockets=[self._listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again after it has ended everything in order
            return


def begin_with(store: Store, photo: Path) -> str:
    """Put a photo of this machine into a new project, to be opened by the server, and return its id."""
    data = photo.read_bytes()
    _, folder = store.new("projects", len(data))
    (folder / "original").write_bytes(data)
    project = Project.make(folder, file_name(photo.name), digest(data))
    project.save()
    return project.id


def _listener(settings: Settings) -> socket.socket:
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except OSError as error:
        if listener is not None:
            listener.close()
        why = error.strerror or str(error)
        raise OutputError(
            f"cannot listen on {settings.host} port {settings.port}: {why}; choose another with --port, or 0 "
            "for any"
        ) from error
    return listener

"""Serves a central over HTTPS until it is asked to stop: gunicorn, with the settings that stand beside."""

import contextlib
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http import wsgi as gunicorn_wsgi

from appliance.central import exposure, places
from appliance.model.errors import ListenError
from appliance.services.central import settings
from appliance.services.central.wsgi import CentralApplication

Ready = Callable[[str, str, int], None]
"""Told the name of the central, and the address and port that are open."""


class _Master(Arbiter):  # type: ignore[misc]
    """gunicorn's first process; Ctrl-C is as good a way to end it as SIGTERM."""

    def handle_int(self) -> None:
        """Finish what is under way, then end."""
        self.handle_term()


class _Serving(BaseApplication):  # type: ignore[misc]
    """gunicorn, given its settings as values: no file and no environment variable changes them."""

    def __init__(self, folder: Path, given: dict[str, Any]) -> None:
        self._folder = folder
        self._given = given
        super().__init__()

    def load_config(self) -> None:
        ours = {name: value for name, value in vars(settings).items() if name in self.cfg.settings}
        for name, value in (ours | self._given).items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Ends by SystemExit."""
        _Master(self).run()

    def load(self) -> CentralApplication:
        """In each process, after it was forked."""
        return CentralApplication(self._folder)


def serve(
    folder: Path, address: str, port: int, workers: int, ready: Ready, threads: int = settings.threads
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. Ends by SystemExit, as gunicorn does.

    `port` 0 takes any that is free. Raises ListenError, and CentralError for a folder that is not a central.
    """
    central = places.open(folder)
    name = central.identity.name
    central.close()  # every process opens it for itself: no connection survives a fork
    for secret, what in exposure.exposed(folder):
        sys.stderr.write(f"greffier: warning: {secret} {what}\n")
    _allow_files()
    listener = _listen(address, port)
    at, open_port = listener.getsockname()[:2]
    gunicorn_wsgi.SERVER = "greffier"  # what answers call themselves: no program, no version
    given = {
        "bind": [f"fd://{listener.fileno()}"],
        "workers": workers,
        "threads": threads,
        "certfile": str(folder / "tls" / "server.pem"),
        "keyfile": str(folder / "tls" / "server.key"),
        "when_ready": lambda arbiter: ready(name, at, open_port),
        "worker_exit": lambda arbiter, worker: worker.app.wsgi().close(),
    }
    _Serving(folder, given).run()


def _allow_files() -> None:
    """As many open files as this account may have: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * settings.worker_connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _listen(address: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        with contextlib.ExitStack() as unless_open:
            listener = unless_open.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(settings.backlog)
            unless_open.pop_all()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ListenError(
            f"cannot listen at {address} port {port}: {why}; choose another --listen"
        ) from error
    return listener

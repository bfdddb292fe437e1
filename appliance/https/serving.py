"""gunicorn as a value: given its settings and an application, it serves until it is asked to stop."""

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.http import wsgi as gunicorn_wsgi

from appliance.model.errors import ListenError


class _Master(Arbiter):  # type: ignore[misc]
    """gunicorn's first process; Ctrl-C is as good a way to end it as SIGTERM."""

    def handle_int(self) -> None:
        """Finish what is under way, then end."""
        self.handle_term()


class _Serving(BaseApplication):  # type: ignore[misc]
    """gunicorn, given its settings as values: no file and no environment variable changes them."""

    def __init__(self, load: Callable[[], Any], given: Mapping[str, Any]) -> None:
        self._load = load
        self._given = given
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._given.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Ends by SystemExit."""
        _Master(self).run()

    def load(self) -> Any:
        """In each process, after it was forked."""
        return self._load()


def serve(load: Callable[[], Any], settings: Any, given: Mapping[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. Ends by SystemExit, as gunicorn does.

    `settings` is a module with gunicorn's settings by their own names, `given` counts before it. `load` makes
    the application in each process.
    """
    gunicorn_wsgi.SERVER = "greffier"  # what answers call themselves: no program, no version
    known = Config().settings
    ours = {name: value for name, value in vars(settings).items() if name in known}
    allow_files(int(ours["worker_connections"]))
    _Serving(load, ours | dict(given)).run()


def allow_files(connections: int) -> None:
    """As many open files as so many connections need, if this account may have them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * connections
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def listen(address: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket; `port` 0 takes any that is free. Raises ListenError."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        with contextlib.ExitStack() as unless_open:
            listener = unless_open.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(backlog)
            unless_open.pop_all()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ListenError(
            f"cannot listen at {address} port {port}: {why}; choose another --listen"
        ) from error
    return listener

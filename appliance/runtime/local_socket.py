"""Sockets that lie in the file system (unix(7)), wherever: a path may be longer than their 108 bytes."""

import os
import socket
import time
from pathlib import Path

_QUEUE = 256
_PAUSE_S = 0.01


def connect(path: Path, patience_s: float) -> socket.socket:
    """A connection to whoever listens there; each of its steps takes `patience_s` at most. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(patience_s)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _connect(connection, f"/proc/self/fd/{folder}/{path.name}", patience_s)
        finally:
            os.close(folder)
    except OSError:
        connection.close()
        raise
    return connection


def _connect(connection: socket.socket, name: str, patience_s: float) -> None:
    """A listener with its queue full refuses at once whoever waits with a limit of time; so wait here."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return connection.connect(name)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)


def listen(path: Path, mode: int) -> socket.socket:
    """Listen there in place of what a dead process left; `mode` are the socket's rights. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            name = f"/proc/self/fd/{folder}/{path.name}"
            path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                listener.bind(name)
            finally:
                os.umask(before)
            os.chmod(name, mode)
            listener.listen(_QUEUE)
        finally:
            os.close(folder)
    except OSError:
        listener.close()
        raise
    return listener

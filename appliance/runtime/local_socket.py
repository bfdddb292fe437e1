"""Sockets that lie in the file system (unix(7)), wherever: a path may be longer than their 108 bytes."""

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

_QUEUE = 256
_PAUSE_S = 0.01
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


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


def user_of(connection: socket.socket) -> int:
    """Whose process connected, for which the kernel vouches (unix(7), SO_PEERCRED). Raises OSError."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[1])


def answer_each(listener: socket.socket, patience_s: float, answer: Callable[[socket.socket], None]) -> None:
    """Answer whoever of this process's user, or root, connects, one after another, until it is shut down.

    Each step of an answer takes `patience_s` at most; who does not fetch his own goes without.
    """
    with listener:
        while True:
            try:
                asking, _ = listener.accept()
            except OSError:
                return
            with asking, contextlib.suppress(OSError):
                asking.settimeout(patience_s)
                if user_of(asking) in (0, os.geteuid()):
                    answer(asking)

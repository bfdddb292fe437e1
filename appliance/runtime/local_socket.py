"""Sockets that lie in the file system (unix(7)), wherever: a path may be longer than their 108 bytes."""

import os
import socket
from pathlib import Path


def connect(path: Path, patience_s: float) -> socket.socket:
    """A connection to whoever listens there; each of its steps takes `patience_s` at most. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(patience_s)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
    except OSError:
        connection.close()
        raise
    return connection


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
            listener.listen(64)
        finally:
            os.close(folder)
    except OSError:
        listener.close()
        raise
    return listener

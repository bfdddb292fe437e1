"""What a listening process shows to the commands of this machine: over a local socket, out of its memory.

Who is quarantined is an address, and an address of whoever sends: none of it may lie on the disk. The
socket's file lies in the home, so that whoever may open the home may read; it holds nothing itself.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PATIENCE_S = 2.0
SIZE_LIMIT_BYTES = 64 << 20
NAME = "listen.socket"


class Noticeboard:
    """Shows what was last posted to everyone who connects, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, Any] = {}
        self._content = b"{}"
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Begin to show; not where another process of this home already does, or the disk refuses."""
        if self._listener is not None or read(self._folder) is not None:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with _at(self._folder) as folder, contextlib.suppress(FileNotFoundError):
                os.unlink(f"{folder}/{NAME}")
            with _at(self._folder) as folder:
                listener.bind(f"{folder}/{NAME}")
                os.chmod(f"{folder}/{NAME}", 0o600)
            listener.listen(8)
        except OSError:
            listener.close()
            return
        self._listener = listener
        threading.Thread(target=self._show, args=(listener,), name="noticeboard", daemon=True).start()

    def post(self, part: str, content: Any) -> None:
        """Show this from now on, under this name."""
        self._parts[part] = content
        self._content = json.dumps(self._parts).encode()

    def close(self) -> None:
        """Show no more."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closes it
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink()

    def _show(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    asking, _ = listener.accept()
                except OSError:
                    return
                with asking, contextlib.suppress(OSError):
                    asking.settimeout(PATIENCE_S)
                    asking.sendall(self._content)


def read(folder: Path) -> Mapping[str, Any] | None:
    """What the listening process of a home shows; None where none listens, or it does not answer."""
    content = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asking:
        asking.settimeout(PATIENCE_S)
        try:
            with _at(folder) as here:
                asking.connect(f"{here}/{NAME}")
            while piece := asking.recv(1 << 16):
                content += piece
                if len(content) > SIZE_LIMIT_BYTES:
                    return None
            shown = json.loads(content)
        except (OSError, ValueError):
            return None
    return shown if isinstance(shown, dict) else None


@contextlib.contextmanager
def _at(folder: Path) -> Iterator[str]:
    """A short name of a folder: a socket's has room for 107 bytes (unix(7))."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)

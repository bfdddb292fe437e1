"""What a listening process shows to the commands of this machine: over a local socket, out of its memory.

Who is quarantined is an address, and an address of whoever sends: none of it may lie on the disk. The
socket's file lies in the home, so that whoever may open the home may read; it holds nothing itself.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.runtime import local_socket

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
        try:
            listener = local_socket.listen(self._folder / NAME, 0o600)
        except OSError:
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
        local_socket.answer_each(listener, PATIENCE_S, lambda asking: asking.sendall(self._content))


def read(folder: Path) -> Mapping[str, Any] | None:
    """What the listening process of a home shows; None where none listens, or it does not answer."""
    content = b""
    try:
        with local_socket.connect(folder / NAME, PATIENCE_S) as asking:
            while piece := asking.recv(1 << 16):
                content += piece
                if len(content) > SIZE_LIMIT_BYTES:
                    return None
        shown = json.loads(content)
    except (OSError, ValueError):
        return None
    return shown if isinstance(shown, dict) else None

"""gunicorn's threads with bounds: no peer holds one longer than what it sends may take.

A connection has a thread only while it says something: before its first byte and between two requests it
waits in the poller. From then on it has a deadline - for the handshake and the head, then for the body by its
length - and is cut when it is over, whatever it trickles.
"""

import contextlib
import errno
import selectors
import socket
import ssl
import threading
import time
from functools import partial
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from appliance.central.tallies import Reason

HEAD_S = 15.0
"""For handshake and head, and for the answer beyond the time that the body takes."""

SLOWEST_BYTES_S = 2_000
"""What a line brings at least: 16 kbit/s, an eighth of what boxes hold themselves back to at worst."""

LONGEST_S = 4 * 3600.0

FIRST_BYTE_S = 10.0
"""For a new connection to say anything."""

_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)
_EMPTY = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedWorker(ThreadWorker):  # type: ignore[misc]
    """One process of a central."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()
        self._deadlines: dict[TConn, float] = {}
        self._overdue: set[TConn] = set()

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection a thread; a new one only when it has said something."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + FIRST_BYTE_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def notify(self) -> None:
        """About once a second: tell the arbiter that we live, and cut who takes too long."""
        super().notify()
        now = time.monotonic()
        with self._lock:
            late = [conn for conn, deadline in self._deadlines.items() if deadline < now]
            for conn in late:
                self._deadlines[conn] = float("inf")
                self._overdue.add(conn)
                with contextlib.suppress(OSError):
                    # Not by the TLS socket's own way, which would go on in clear. The reader sees the end.
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)

    def handle(self, conn: TConn) -> Any:
        """One request on a connection, in a thread."""
        self._allow(conn, HEAD_S)
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                self._deadlines.pop(conn, None)
                if conn in self._overdue:
                    self._overdue.discard(conn)
                    self._count(Reason.TOO_SLOW)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """The head has come: there is time for the body."""
        lengths = [value for name, value in req.headers if name == "CONTENT-LENGTH"]
        size = int(lengths[0]) if lengths else 0
        self._allow(conn, min(HEAD_S + size / SLOWEST_BYTES_S, LONGEST_S))
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Bytes that are no request: a status and no word; to what speaks no TLS, nothing at all."""
        if isinstance(exc, ssl.SSLError):
            self._count(Reason.NO_TLS)
            return
        if isinstance(exc, OSError) and exc.errno in _GONE:
            self._count(Reason.BROKEN_OFF)
            return
        if isinstance(exc, ParseException):
            self._count(Reason.NOT_HTTP)
            status = b"400 Bad Request"
        else:
            self._count(Reason.DEFECT)
            self.log.error("greffier: unexpected %s", type(exc).__name__)
            status = b"500 Internal Server Error"
        with contextlib.suppress(OSError, ValueError):
            client.sendall(_EMPTY % status)

    def _allow(self, conn: TConn, seconds: float) -> None:
        with self._lock:
            self._deadlines[conn] = time.monotonic() + seconds

    def _count(self, reason: Reason) -> None:
        tallies = getattr(self.wsgi, "tallies", None)
        if tallies is not None:
            tallies.count(reason)

"""gunicorn's threads with bounds: no peer holds one longer than what it sends may take.

A connection has a thread only for a request whose head has come whole. From then on it has a deadline, by the
length of its body, and is cut when that is over, whatever it trickles.
"""

import contextlib
import errno
import selectors
import signal
import ssl
import threading
import time
from functools import partial
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers import gthread

from appliance.https.connections import Connection, State, cut
from appliance.https.mishaps import Mishap

ANSWER_S = 60.0
"""For everything but the bytes of the body: a catalogue that is busy makes a request wait for 30."""

SLOWEST_BYTES_S = 1_000
"""What a line brings at least: 8 kbit/s, the lowest floor that a box may be given."""

LONGEST_S = 24 * 3600.0

_LENGTH_DIGITS = 15
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)
_EMPTY = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """One process of a server. Its application may have `count_mishap`, its logger `sum_up`."""

    connection = Connection
    """What a connection is before it has a thread."""

    most_of_one = 0
    """Connections without a request that one address may have; of more its oldest goes. 0: any number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()
        self._deadlines: dict[Connection, float] = {}
        self._overdue: set[Connection] = set()
        self._looked_at_s = 0.0

    def init_signals(self) -> None:
        """Ctrl-C reaches every process of a terminal: the first one says what is to be done."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Until it is stopped; what was refused until then is logged."""
        try:
            super().run()
        finally:
            self.log.sum_up(float("inf"))

    def accept(self, listener: Any) -> None:
        """Take a connection; it waits in the poller until something comes of it."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        if self.most_of_one:
            self._make_room(client)
        self.nr_conns += 1
        self._wait(self.connection(self.cfg, accepted, client, listener.getsockname()))

    def notify(self) -> None:
        """About once a second: tell the arbiter that we live, and let go who takes too long."""
        super().notify()
        now_s = time.monotonic()
        self.log.sum_up(now_s)
        if now_s - self._looked_at_s >= 1:
            self._looked_at_s = now_s
            self._end_waiting(now_s if self.alive else float("inf"))
            self._end_requests(now_s)

    def handle(self, conn: Connection) -> Any:
        """In a thread: what has come of a connection, and one request, if its head is whole."""
        try:
            if conn.collect():
                if kept := self._within_deadline(conn):
                    return kept
                conn.linger()
            elif (
                conn.ends_at_s < time.monotonic()
            ):  # whoever trickles may be here whenever `_end_waiting` looks
                self._count_ended(conn)
                return False
        except NoMoreData:
            return False
        except (OSError, ParseException) as error:
            self.handle_error(None, conn.sock, conn.client, error)
            conn.linger()
        return gthread._DEFER if self.alive else False

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """The head was read: there is time for the body."""
        length = next((value for name, value in req.headers if name == "CONTENT-LENGTH"), "0")
        size = int(length) if len(length) <= _LENGTH_DIGITS else 0  # refused unread
        self._allow(conn, min(ANSWER_S + size / SLOWEST_BYTES_S, LONGEST_S))
        conn.sock.settimeout(ANSWER_S)  # who says nothing for so long is gone, however long the body
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Bytes that are no request: a status and no word; to what speaks no TLS, nothing at all."""
        if isinstance(exc, ssl.SSLError):
            self._count(Mishap.NO_TLS)
            return
        if isinstance(exc, OSError) and exc.errno in _GONE:
            self._count(Mishap.BROKEN_OFF)
            return
        if isinstance(exc, ParseException):
            self._count(Mishap.NOT_HTTP)
            status = b"400 Bad Request"
        else:
            self._count(Mishap.DEFECT)
            self.log.error("greffier: unexpected %s", type(exc).__name__)
            status = b"500 Internal Server Error"
        with contextlib.suppress(OSError, ValueError):
            client.sendall(_EMPTY % status)

    def _within_deadline(self, conn: Connection) -> Any:
        self._allow(conn, ANSWER_S)
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                self._deadlines.pop(conn, None)
                late = conn in self._overdue
                self._overdue.discard(conn)
            if late:
                self._count(Mishap.TOO_SLOW)

    def _wait(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        conn.timeout = conn.ends_at_s
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _end_waiting(self, now_s: float) -> None:
        """Close what waits in the poller and has not become a request in its time."""
        for conn in [one for one in self.pending_conns if one.ends_at_s < now_s]:
            self._let_go(conn)

    def _make_room(self, client: Any) -> None:
        """Whoever opens one connection after the other drives out his own, and nobody else's."""
        whose = _network(client)
        waiting = [one for one in self.pending_conns if _network(one.client) == whose]
        if len(waiting) >= self.most_of_one:
            self._let_go(waiting[0])

    def _let_go(self, conn: Connection) -> None:
        self.pending_conns.remove(conn)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
        self._count_ended(conn)

    def _count_ended(self, conn: Connection) -> None:
        if conn.state in (State.HANDSHAKE, State.HEAD):
            self._count(Mishap.TOO_SLOW)

    def _end_requests(self, now_s: float) -> None:
        """Cut what has a thread for too long: who reads there finds the end of the connection."""
        with self._lock:
            for conn in [one for one, deadline in self._deadlines.items() if deadline < now_s]:
                self._deadlines[conn] = float("inf")
                self._overdue.add(conn)
                with contextlib.suppress(OSError):
                    cut(conn.sock)

    def _allow(self, conn: Connection, seconds: float) -> None:
        with self._lock:
            self._deadlines[conn] = time.monotonic() + seconds

    def _count(self, mishap: Mishap) -> None:
        counting = getattr(self.wsgi, "count_mishap", None)
        if counting is not None:
            counting(mishap)


def _network(client: Any) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one host has at its will."""
    text = str(client[0]) if isinstance(client, tuple) else ""
    if ":" not in text or text.startswith("::ffff:"):
        return text
    return ":".join(text.split("::")[0].split(":")[:4])

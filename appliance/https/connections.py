"""A connection before it has a thread: handshake and head come in without anybody waiting for them.

So does the body of everything but a PUT, if it is small: it is read before anybody has proved who he is. A
PUT proves that in its head, and nothing of its body is read before.

Whoever connects and says nothing, or trickles, costs a file descriptor until its time is over, and no thread.
"""

import contextlib
import re
import socket
import ssl
import time
from enum import Enum
from typing import Any, cast

from gunicorn import http, sock
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.workers.gthread import TConn

HEAD_BYTES = 8192
"""A head with a claim has about 1,000; the claim is 2 KiB at most."""

_LINGER_BYTES, _READ_BYTES = 1 << 20, 4096
_DROPPED_BYTES = 1 << 16
_END_OF_HEAD = b"\r\n\r\n"
_AUTHORISED_BY_ITS_HEAD = b"PUT "
_LENGTH = re.compile(rb"^content-length:[ \t]*0*([0-9]{1,7})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)


class State(Enum):
    """What a connection is doing while it has no thread."""

    HANDSHAKE, IDLE, HEAD, LINGER = range(4)


ALLOWED_S = {State.HANDSHAKE: 15.0, State.IDLE: 75.0, State.HEAD: 15.0, State.LINGER: 2.0}
"""Seconds from its beginning on; IDLE is between two requests, and before the first."""


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's, but it collects the head of a request by itself. `ends_at_s` is when its time is over."""

    body_limit = 4096
    """Bytes of a body that are collected with its head at most; a longer one is refused unread."""

    def __init__(self, cfg: Any, plain: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, plain, client, server)
        self.sock: socket.socket = plain
        self.initialized: bool = False
        self._dropped_bytes = 0
        self._enter(State.HANDSHAKE if cfg.is_ssl else State.IDLE)

    def collect(self) -> bool:
        """Take what has come; whether there is enough of a request to read it without waiting for a stranger.

        Raises NoMoreData at the end of the connection, ParseException for a head without end, OSError.
        """
        try:
            self.sock.setblocking(False)
            if self.state is State.LINGER:
                return self._drop()
            self._begin()
            if self.state is State.HANDSHAKE:
                cast(ssl.SSLSocket, self.sock).do_handshake()
                self._enter(State.IDLE)
            while not self._is_whole():
                self._take(self.sock.recv(_READ_BYTES))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return False
        self._enter(State.IDLE)
        return True

    def close(self, graceful: bool = False) -> None:
        """At once: whoever was answered has had its time in the thread that answered, see `linger`."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def linger(self) -> None:
        """Say that nothing more comes; what the peer still sends is read and dropped until its time is over.

        Closed at once while something unread is on its way, the connection would break before the peer has
        read its answer (RFC 9112 section 9.6).
        """
        self._enter(State.LINGER)
        with contextlib.suppress(OSError):
            cut(self.sock, socket.SHUT_WR)

    def _drop(self) -> bool:
        while self._dropped_bytes < _LINGER_BYTES:
            received = socket.socket.recv(self.sock, _READ_BYTES)  # whatever it means: not by way of TLS
            self._dropped_bytes += len(received)
            if not received:
                break
        raise NoMoreData

    def _begin(self) -> None:
        """What `TConn.init` does, without waiting for a handshake."""
        if not self.initialized:
            self.initialized = True
            if self.cfg.is_ssl:
                self.sock = sock.ssl_wrap_socket(self.sock, self.cfg)
            self.parser = http.get_parser(self.cfg, self.sock, self.client)
            self.parser.mesg_class = _Request

    def _take(self, received: bytes) -> None:
        if not received:
            raise NoMoreData
        self.parser.unreader.unread(self.parser.unreader.take_buffered() + received)
        if self.state is not State.HEAD:
            self._enter(State.HEAD)

    def _is_whole(self) -> bool:
        held: bytes = self.parser.unreader.buf.getvalue()
        end = held.find(_END_OF_HEAD)
        if end >= 0:
            return len(held) >= end + len(_END_OF_HEAD) + _body_bytes(held[: end + 2], self.body_limit)
        if len(held) > HEAD_BYTES:
            raise LimitRequestHeaders("a head without end")
        return False

    def _enter(self, state: State) -> None:
        self.state = state
        self.ends_at_s = time.monotonic() + ALLOWED_S[state]


class _Request(http.Request):  # type: ignore[misc]
    """gunicorn's, but its connection ends with the answer if there is a body that nobody wanted.

    Nobody waits for the rest of such a body: what has come is dropped, so that a box which sent all of it
    keeps its connection; else the answer says `Connection: close`, and is read while the connection lingers.
    """

    must_close: bool

    def should_close(self) -> bool:
        """Asked when the answer begins: the application has read by then what it wanted."""
        if not self.must_close and not self._has_come():
            self.must_close = True
        return bool(super().should_close())

    def _has_come(self) -> bool:
        """Drop what is there of the body without waiting; whether that was all."""
        rest = self.body.reader
        if not isinstance(rest, LengthReader):
            return False  # in pieces: refused unread, and its end is anywhere
        peer, dropped_bytes = self.unreader.sock, 0
        before = peer.gettimeout()
        try:
            peer.settimeout(0)
            while rest.length and dropped_bytes < _DROPPED_BYTES:
                dropped_bytes += len(self.body.read(min(rest.length, _READ_BYTES)))
        except OSError:  # nothing more now, or never
            return False
        finally:
            with contextlib.suppress(OSError):
                peer.settimeout(before)
        return not rest.length


def _body_bytes(head: bytes, limit: int) -> int:
    """How much of a body is to come with its head; what is no length, or a long one, is refused unread."""
    if head.startswith(_AUTHORISED_BY_ITS_HEAD):
        return 0
    size_bytes = max((int(text) for text in _LENGTH.findall(head)), default=0)
    return size_bytes if size_bytes <= limit else 0


def cut(connection: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Shut the TCP connection down. Not by the TLS socket's own way, which would go on in clear. OSError."""
    socket.socket.shutdown(connection, how)

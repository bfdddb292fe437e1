"""One request and its answer over a connection that is there: HTTP/1.1 as h11 reads it, in bounds.

Of an answer nothing counts but its status, Retry-After, and with status 200 a body whose length was said and
is as short as it may be. Anything else is Untrusted, and the connection is not used again.
"""

import select
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import h11

from appliance.replication.connecting import HEAD_BYTES, Patience
from appliance.replication.targets import Unreachable, Untrusted

_HEADERS = 32
_INTERIM = 4
"""How many answers of 100 and something may come before the one that counts."""

_RECEIVED_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` without Host and Content-Length; `body_limit` is the most that an answer may bring."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    size_bytes: int
    body_limit: int = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty but with status 200. `reusable`: the connection is good for another request."""

    status: int
    body: bytes
    retry_after_s: float | None
    reusable: bool


class Silent(Exception):
    """The connection ended before a byte of an answer: what was idle may have been closed meanwhile."""


Send = Callable[[bytes], None]


class Exchange:
    """Asks once over `connection`, which is `host`'s."""

    def __init__(self, connection: ssl.SSLSocket, host: str, patience: Patience) -> None:
        self._connection = connection
        self._host = host
        self._patience = patience
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._heard = False
        self._interim = 0

    def ask(self, request: Request, pieces: Iterator[bytes], send: Send) -> Answer:
        """Send head and body, each piece when `pieces` gives it, and read the answer.

        Raises Silent, Unreachable, Untrusted, and what `pieces` raises.
        """
        headers = [("Host", self._host), ("Content-Length", str(request.size_bytes)), *request.headers]
        head = (
            self._http.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
        )
        early = self._send(request, head, pieces, send)
        if early is None:
            self._http.send(h11.EndOfMessage())
            early = self._await()
        return self._judge(early, request.body_limit)

    def _send(
        self, request: Request, head: bytes, pieces: Iterator[bytes], send: Send
    ) -> h11.Response | None:
        """The answer, if it came before everything was sent: then the rest is not sent."""
        self._connection.settimeout(self._patience.quiet_s)
        left = request.size_bytes
        for piece in pieces:
            if early := self._early():
                return early
            for part in self._http.send_with_data_passthrough(h11.Data(data=piece)) or ():
                head += part
            left -= len(piece)
            if failed := self._deliver(send, head):
                return failed
            head = b""
        if head:
            return self._deliver(send, head)
        return None

    def _deliver(self, send: Send, content: bytes) -> h11.Response | None:
        """Send; a peer that no longer listens may have said why."""
        try:
            send(content)
        except OSError as error:
            if early := self._early():
                return early
            raise self._ended(error) from None
        return None

    def _early(self) -> h11.Response | None:
        """An answer that is there already, without waiting for one."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        while self._connection.pending() or poll.poll(0):
            self._connection.settimeout(0)
            try:
                received = self._connection.recv(_RECEIVED_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None  # a session ticket, not an answer
            except OSError as error:
                raise self._ended(error) from None
            finally:
                self._connection.settimeout(self._patience.quiet_s)
            if response := self._hear(received):
                return response
        return None

    def _await(self) -> h11.Response:
        until_s = time.monotonic() + self._patience.answer_s
        while True:
            if response := self._hear(self._receive(until_s)):
                return response

    def _receive(self, until_s: float) -> bytes:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise Unreachable("central did not answer in time; it is tried again later")
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv(_RECEIVED_BYTES)
        except TimeoutError:
            raise Unreachable("central did not answer in time; it is tried again later") from None
        except OSError as error:
            raise self._ended(error) from None

    def _ended(self, error: OSError | None) -> Exception:
        if not self._heard and not isinstance(error, TimeoutError):
            return Silent()
        return Unreachable(
            f"central ended the connection in the middle ({error or 'closed'}); it is tried again later"
        )

    def _hear(self, received: bytes) -> h11.Response | None:
        """Take bytes; the answer that counts, once its head is whole. Raises Untrusted."""
        if not received:
            raise self._ended(None)
        self._heard = True
        try:
            self._http.receive_data(received)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    return event
                if not isinstance(event, h11.InformationalResponse):
                    return None
                self._interim += 1
                if self._interim > _INTERIM:
                    raise _untrusted("speaks without end")
        except h11.RemoteProtocolError:
            raise _untrusted("does not answer as HTTP") from None

    def _judge(self, response: h11.Response, limit: int) -> Answer:
        """The answer in its parts, its body read if there may be one."""
        names = [name for name, _ in response.headers]
        if (
            len(names) > _HEADERS
            or sum(len(name) + len(value) for name, value in response.headers) > HEAD_BYTES
        ):
            raise _untrusted("says more than an answer may")
        length = _length(response)
        if response.status_code != 200:
            ended = length == 0 and self._is_over(b"")
            return Answer(response.status_code, b"", _retry_after(response), ended)
        if b"transfer-encoding" in names or b"content-encoding" in names or length is None:
            raise _untrusted("answers without a length, or encoded")
        if not 0 < length <= limit:
            raise _untrusted(f"answers with {length} bytes, where 1 to {limit} may come")
        body = self._body(length)
        return Answer(200, body, None, self._is_over(body))

    def _body(self, length: int) -> bytes:
        """So many bytes."""
        until_s = time.monotonic() + self._patience.answer_s
        body = b""
        while len(body) < length:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif event is h11.NEED_DATA:
                received = self._receive(until_s)
                if not received:
                    raise Unreachable("central's answer was cut short; it is tried again later")
                self._http.receive_data(received)
            else:
                raise _untrusted("answers with less than it says")
        return body

    def _is_over(self, body: bytes) -> bool:
        """Whether both sides have said everything, and the connection stays."""
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            return False
        both = isinstance(event, h11.EndOfMessage) and self._http.our_state is h11.DONE
        return both and self._http.their_state is h11.DONE and not self._http.trailing_data[0]


def _untrusted(what: str) -> Untrusted:
    return Untrusted(
        f"what answered {what}; nothing of it is used: check the address of central, and what stands between"
    )


def _length(response: h11.Response) -> int | None:
    """Content-Length as said; h11 has checked that it is a number, and one."""
    said = [value for name, value in response.headers if name == b"content-length"]
    return int(said[0]) if said and len(said[0]) <= 19 else None


def _retry_after(response: h11.Response) -> float | None:
    """Seconds that were asked for; a date would be a time from outside, and is not read."""
    said = [value for name, value in response.headers if name == b"retry-after"]
    return float(said[0]) if said and len(said[0]) <= 6 and said[0].isdigit() else None

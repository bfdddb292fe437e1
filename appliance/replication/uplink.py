"""The way out of the box to one central: a connection kept open, marked, paced and measured.

It says what a connection must be, and never what an object is; nothing of an answer is believed here.
"""

import contextlib
import io
import math
import select
import ssl
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.replication import addresses, connecting, pacing, tcp_info
from appliance.replication.connecting import CS1, LE, UNMARKED, Patience
from appliance.replication.exchange import Answer, Exchange, Request, Silent
from appliance.replication.pacing import KBIT, Limits, Line, Pace
from appliance.replication.targets import Unreachable
from appliance.replication.trains import Train

Pause = Callable[[float], object]
"""Waits so many seconds. What it returns is true if sending is to stop, as threading.Event.wait says."""

MARKINGS = {"auto": (LE, CS1), "LE": (LE,), "CS1": (CS1,), "none": (UNMARKED,)}

LE_AGAIN_S = 86_400.0
"""A line that refused LE is asked again after a day."""

IDLE_S = 120.0
"""Routers forget an idle connection after minutes, and then say nothing: it is not used again."""

_CONNECTING_BYTES = 4096
_READ_BYTES = 64 << 10
"""What is encrypted by one call without a pace: larger ones are no quicker."""

_DEAF_S = 1.0
"""After a train its own queue is no sign of anybody else's traffic."""


def limits(config: ReplicationConfig) -> Limits:
    """The rates of box.toml."""
    fixed = config.rate_kbit * KBIT if config.rate_kbit else None
    floor_kbit = min(config.floor_kbit, config.rate_kbit or config.floor_kbit)
    return Limits(fixed=fixed, floor=floor_kbit * KBIT)


UNLIMITED = Limits(fixed=math.inf)


class Uplink:
    """Requests to one central, one at a time. `authority` None: whoever answers, see `connecting.trusting`.

    `line` is shared by all uplinks of a box; without it this one has its own. Raises ReplicationError for a
    URL or an authority that cannot be one.
    """

    def __init__(
        self,
        url: str,
        authority: str | None,
        config: ReplicationConfig | None = None,
        line: Line | None = None,
        pause: Pause = time.sleep,
        patience: Patience | None = None,
    ) -> None:
        config = config or ReplicationConfig()
        self._place = addresses.central(url)
        self._proxy = addresses.proxy(config.proxy)
        self._context = connecting.trusting(authority)
        self._markings = MARKINGS[config.dscp]
        self._refused_at_s: float | None = None
        self.line = line or Line(limits(config))
        self.pace = Pace(self.line)
        self._pause = pause
        self._patience = patience or Patience()
        self._connection: ssl.SSLSocket | None = None
        self._used_at_s = self._deaf_until_s = 0.0

    def ask(self, request: Request, content: BinaryIO | None = None) -> Answer:
        """Send a request with the bytes of `content` from where it stands; the answer, of whatever status.

        A connection that was closed while idle is made anew, once. Raises Unreachable, Untrusted, and
        ReplicationError if the content is shorter than was said.
        """
        content = content if content is not None else io.BytesIO()
        start = content.tell()
        if self._connection is not None and self._is_fresh(self._connection):
            with contextlib.suppress(Silent):
                return self._ask(self._connection, request, content)
            content.seek(start)
        self.close()
        try:
            return self._ask(self._connect(), request, content)
        except Silent:
            raise Unreachable(
                f"central {self._place} ended the connection without an answer; it is tried again later"
            ) from None

    def close(self) -> None:
        """Let the connection go; the next request makes another."""
        if self._connection is not None:
            connecting.part(self._connection)
            self._connection = None

    def _ask(self, connection: ssl.SSLSocket, request: Request, content: BinaryIO) -> Answer:
        exchange = Exchange(connection, str(self._place), self._patience)
        reusable = False
        try:
            pieces = self._pieces(connection, content, request.size_bytes)
            answer = exchange.ask(request, pieces, connection.sendall)
            reusable = answer.reusable
            self._sample(connection)
            return answer
        finally:
            self._used_at_s = time.monotonic()
            if not reusable:
                self.close()

    def _is_fresh(self, connection: ssl.SSLSocket) -> bool:
        """Whether an idle connection is still there, and has said nothing unasked."""
        if time.monotonic() - self._used_at_s > IDLE_S:
            return False
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if not connection.pending() and not poll.poll(0):
            return True
        connection.settimeout(0)
        try:
            connection.recv(1)
        except ssl.SSLWantReadError:
            return True  # a session ticket
        except OSError:
            return False
        return False

    def _connect(self) -> ssl.SSLSocket:
        """With the first marking that a line lets through."""
        now_s = time.monotonic()
        markings = self._markings
        if self._refused_at_s is not None and now_s - self._refused_at_s < LE_AGAIN_S:
            markings = markings[1:]
        failure: Unreachable | None = None
        for marking in markings:
            self._wait(self.pace.wait_s(now_s, _CONNECTING_BYTES))
            try:
                made = connecting.connect(self._place, self._proxy, self._context, self._patience, marking)
            except Unreachable as error:
                failure = failure or error
                continue
            if len(markings) > 1:
                self._refused_at_s = None if marking == markings[0] else now_s
            self._connection = made
            return made
        raise failure or Unreachable("no way to central was tried")

    def _pieces(self, connection: ssl.SSLSocket, content: BinaryIO, size_bytes: int) -> Iterator[bytes]:
        """The content, each piece when it may leave."""
        left = size_bytes
        while left:
            if train := self._train(connection, left):
                yield from train.pieces(content)
                left -= train.sent_bytes
                self._measured(train)
                continue
            most = _READ_BYTES if math.isinf(self.pace.rate) else self.pace.chunk_bytes
            piece = content.read(min(most, left))
            if not piece:
                raise ReplicationError(
                    f"what was to be sent has become {left:,} bytes shorter; see 'greffier verify'"
                )
            left -= len(piece)
            if not math.isinf(self.pace.rate):
                self._wait(self.pace.wait_s(time.monotonic(), pacing.wire_bytes(len(piece))))
            yield piece
            self._sample(connection)

    def _train(self, connection: ssl.SSLSocket, left: int) -> Train | None:
        """A train, where one is due, there is enough for it, and nobody else seems to send.

        None through a proxy: what the kernel knows ends there, and the site's uplink lies behind it.
        """
        now_s = time.monotonic()
        if self._proxy or left < pacing.TRAIN_LEAST or self.pace.rate < self.line.rate:
            return None
        size_bytes = min(left, self.line.train_bytes(now_s))
        if not size_bytes:
            return None
        if self.line.uplink is not None:  # what leaves at once is paid for before and after
            self.pace.wait_s(now_s, pacing.wire_bytes(size_bytes))
        self._wait(self.pace.wait_s(now_s, 0))
        return Train(connection, size_bytes)

    def _measured(self, train: Train) -> None:
        now_s = time.monotonic()
        self._deaf_until_s = now_s + _DEAF_S
        self.line.measured(now_s, pacing.wire_bytes(train.sent_bytes), train.rate)

    def _sample(self, connection: ssl.SSLSocket) -> None:
        if time.monotonic() < self._deaf_until_s:
            return
        with contextlib.suppress(OSError):
            info = tcp_info.read(connection)
            self.pace.sampled(time.monotonic(), info.rtt_us, info.retransmitted)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._pause(seconds):
            raise Unreachable("sending was stopped; what is missing goes the next time")

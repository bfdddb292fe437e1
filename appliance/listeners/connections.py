"""One connection that messages come by: read as far as there is room, answered when they are durable."""

import contextlib
import hashlib
import selectors
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from appliance.feeds.told import Messages
from appliance.listeners.arrivals import OBJECT_BYTES, Arrival
from appliance.listeners.conversation import Conversation
from appliance.model.feeds import FeedKind
from appliance.model.reasons import Refusal

READ_BYTES, READS = 1 << 16, 16
"""At a time, and in one turn: a TLS record gives 16 KiB at most."""

EACH_BYTES = 1 << 20
"""Of one connection: beyond, it is not read until the journal has what it said."""

ALL_BYTES = 8 << 20
"""Of all connections together."""

HANDSHAKE_S = 15.0
STRANGER_IDLE_S, STRANGER_S = 60.0, 600.0
"""How long one that may not speak may say nothing, and how long it may stay in all, whatever it dribbles:
every connection costs a file descriptor. What it said is kept apart; it may connect again."""

_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)

Take = Callable[[Arrival], None]


@dataclass
class Tally:
    """What all connections share: bytes that are read and not settled, and what made no message.

    `impatient`: a connection is not read any more before its messages are settled.
    """

    unsettled_bytes: int = 0
    impatient: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    settled: "set[Connection]" = field(default_factory=set)

    @property
    def is_crowded(self) -> bool:
        return self.unsettled_bytes >= ALL_BYTES


class Connection:
    """A connection, of its acceptance to its end. `wanted` are the selectors' events it waits for."""

    def __init__(
        self,
        made: socket.socket,
        kind: FeedKind,
        sender: str,
        channel: str,
        conversation: Conversation,
        tally: Tally,
    ) -> None:
        self.kind = kind
        self.sender = sender
        self.certificate: str | None = None
        self.trusted = False
        self.closed = False
        self.heard = self.begun = time.monotonic()
        self._socket = made
        self._number = made.fileno()
        self._channel = channel
        self._conversation = conversation
        self._tally = tally
        self._shaking = isinstance(made, ssl.SSLSocket)
        self._shake_wants = selectors.EVENT_READ
        self._alone = kind is FeedKind.CLOUDTRAX
        self._sizes: deque[int] = deque()
        self._unsettled_bytes = 0
        self._late: list[bytes] = []
        self._unsent = b""
        self._ended = False

    def fileno(self) -> int:
        """The number of its socket, also after it was closed."""
        return self._number

    @property
    def shaking(self) -> bool:
        """Whether its handshake goes on."""
        return self._shaking

    @property
    def standing(self) -> int:
        """Of a stranger, where there is no more room: 2 may turn out to be declared, 1 has TLS, 0 nothing."""
        return 2 if self._shaking else int(self.certificate is not None)

    @property
    def wanted(self) -> int:
        if self._shaking:
            return self._shake_wants
        reads = selectors.EVENT_READ if self._may_read else 0
        return reads | (selectors.EVENT_WRITE if self._unsent else 0)

    @property
    def _may_read(self) -> bool:
        if self._ended or self._conversation.closing or self._tally.is_crowded:
            return False
        return not self._sizes if self._alone else self._unsettled_bytes < EACH_BYTES

    def ready(self, take: Take) -> bool:
        """Do what the socket is ready for (`closed` if that was its end); whether there is more to read."""
        more = False
        try:
            if self._shaking:
                self._shake()
            else:
                for _ in range(READS):
                    more = self._may_read and self._read(take)
                    if not more:
                        break
            self._flush()
        except (OSError, ValueError) as error:  # ssl raises both
            if isinstance(error, ssl.SSLError):
                self._tally.noted["tls_failed"] += 1
            self._end(take)
        self._close_if_over(take)
        return more and not self.closed

    def hand_on(self, take: Take) -> None:
        """Hand on messages that had waited for the answer to the one before, and send what is to be sent."""
        late, self._late = self._late, []
        if late:
            self._tell(late, take)
        with contextlib.suppress(OSError, ValueError):
            self._flush()
        self._close_if_over(take)

    def settle(self, count: int, answers: Sequence[bytes]) -> None:
        """The oldest messages are durable, or refused: answer them, and go on reading."""
        for _ in range(min(count, len(self._sizes))):
            size = self._sizes.popleft()
            self._unsettled_bytes -= size
            self._tally.unsettled_bytes -= size
        self._tally.settled.add(self)
        if self._alone and not self.closed:
            for answer in answers:
                self._late += self._conversation.answer(answer, time.monotonic())

    def overdue(self, now_s: float) -> bool:
        """Whether the peer has had its time: for the handshake, for what it began, for saying anything."""
        if self._shaking:
            return now_s - self.begun > HANDSHAKE_S
        if now_s > self._conversation.deadline_s:
            return True
        if self.trusted:
            return False
        return now_s - self.heard > STRANGER_IDLE_S or now_s - self.begun > STRANGER_S

    def close(self, take: Take) -> None:
        """End it now; what was whole is told, what was not is counted."""
        with contextlib.suppress(OSError, ValueError):
            self._flush()
        self._end(take)
        self._shut()

    def _shake(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._shake_wants = selectors.EVENT_READ
            return
        except ssl.SSLWantWriteError:
            self._shake_wants = selectors.EVENT_WRITE
            return
        self._shaking = False
        shown = self._socket.getpeercert(binary_form=True)
        self.certificate = hashlib.sha256(shown).hexdigest() if shown else ""

    def _read(self, take: Take) -> bool:
        """Take what has come; whether there may be more."""
        try:
            data = self._socket.recv(READ_BYTES)
        except _WANTS:
            return False
        self.heard = time.monotonic()
        if not data:
            self._end(take, by_peer=True)
            return False
        self._tell(self._conversation.feed(data, self.heard), take)
        return True

    def _tell(self, payloads: list[bytes], take: Take, last: bool = False) -> None:
        self._tally.refused.update(self._conversation.refused)
        self._conversation.refused.clear()
        if not payloads and not last:
            return
        sizes = [len(payload) + OBJECT_BYTES for payload in payloads]
        self._sizes.extend(sizes)
        self._unsettled_bytes += sum(sizes)
        self._tally.unsettled_bytes += sum(sizes)
        self._tally.impatient |= self._unsettled_bytes >= EACH_BYTES
        messages = Messages(np.full(len(payloads), time.time_ns(), np.int64), payloads)
        take(
            Arrival(
                self.kind,
                self.sender,
                self._channel,
                messages,
                self,
                self.certificate,
                stream=True,
                last=last,
            )
        )

    def _end(self, take: Take, by_peer: bool = False) -> None:
        """Nothing more will be read. A last line without an end is one only if its sender ended there."""
        if not self._ended:
            self._ended = True
            rest = [] if self._shaking else self._conversation.feed(b"", time.monotonic())
            self._shaking = False
            if rest and not by_peer and not self._alone:
                self._tally.refused[Refusal.CUT_SHORT] += len(rest)
                rest = []
            self._tell(rest, take, last=True)

    def _flush(self) -> None:
        self._unsent += self._conversation.outgoing()
        while self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except _WANTS:
                return

    def _close_if_over(self, take: Take) -> None:
        waits = self._alone and (self._sizes or self._late)
        if (self._ended or self._conversation.closing) and not self._unsent and not waits:
            self._end(take)
            self._shut()

    def _shut(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.close()

"""TCP and TLS ports: connections are accepted, bounded in number, read in turn, and ended when due."""

import contextlib
import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from appliance.listeners.arrivals import address_text
from appliance.listeners.connections import Connection, Take, Tally
from appliance.listeners.conversation import Conversation
from appliance.listeners.datagrams import bound
from appliance.model.errors import ListenError
from appliance.model.feeds import FeedKind

ACCEPT_AT_ONCE = 64
_BACKLOG = 1024
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
"""A device that lost its power ends no connection: after four minutes of its silence the kernel does."""

MayStay = Callable[[FeedKind, str, str | None], bool]
"""Whether whoever speaks this, from this address, with this certificate, is somebody declared."""


@dataclass(frozen=True)
class Port:
    """A port that is listened to; `context` where it speaks TLS."""

    kind: FeedKind
    number: int
    conversation: Callable[[], Conversation]
    context: ssl.SSLContext | None
    socket: socket.socket

    def fileno(self) -> int:
        return self.socket.fileno()


class Streams:
    """All connections. `most` in all, `most_each` of an address; a stranger makes way for a newcomer."""

    def __init__(self, most: int, most_each: int, may_stay: MayStay) -> None:
        self.tally = Tally()
        self._most = most
        self._most_each = most_each
        self._may_stay = may_stay
        self._selector = selectors.DefaultSelector()
        self._ports: list[Port] = []
        self._connections: dict[Connection, int] = {}
        self._by_sender: Counter[str] = Counter()
        self._number = 0
        self._crowded = False

    def __len__(self) -> int:
        return len(self._connections)

    def fileno(self) -> int:
        """Readable when any of these sockets is ready."""
        return self._selector.fileno()

    def listen(
        self,
        kind: FeedKind,
        address: str,
        number: int,
        conversation: Callable[[], Conversation],
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Listen to a port. Raises ListenError."""
        made = bound(socket.SOCK_STREAM, address, number)
        try:
            made.listen(_BACKLOG)
        except OSError as error:
            made.close()
            raise ListenError(f"TCP port {number} is taken by another program; see 'ss -lntp'") from error
        self._ports.append(Port(kind, number, conversation, context, made))
        self._selector.register(self._ports[-1], selectors.EVENT_READ)

    def ready(self, take: Take) -> bool:
        """Serve every socket that is ready; whether there may be more at once."""
        more = False
        for key, _ in self._selector.select(0):
            if isinstance(key.fileobj, Port):
                self._accept(key.fileobj)
            elif isinstance(key.fileobj, Connection) and not key.fileobj.closed:
                shaking = key.fileobj.shaking
                more |= key.fileobj.ready(take)
                if shaking and not key.fileobj.shaking:
                    self._judge(key.fileobj)  # its certificate is known only now
                self._follow(key.fileobj)
        if self.tally.is_crowded and not self._crowded:
            self._crowded = True
            for connection in list(self._connections):
                self._follow(connection)
        return more

    def resume(self, take: Take) -> None:
        """After messages were settled: send the answers, and read again what had to wait."""
        settled, self.tally.settled = self.tally.settled, set()
        self.tally.impatient &= not settled
        was_crowded, self._crowded = self._crowded, self.tally.is_crowded
        for connection in list(self._connections) if was_crowded and not self._crowded else settled:
            if not connection.closed:
                connection.hand_on(take)
            self._follow(connection)

    def tend(self, take: Take) -> None:
        """About once a second: end what is overdue."""
        now_s = time.monotonic()
        for connection in list(self._connections):
            self._judge(connection)
            if connection.overdue(now_s):
                self.tally.noted["connections_overdue"] += 1
                connection.close(take)
                self._follow(connection)
        for port in self._ports:  # one that had no file descriptor left is listened to again
            with contextlib.suppress(KeyError):
                self._selector.get_key(port)
                continue
            self._selector.register(port, selectors.EVENT_READ)

    def cease(self) -> None:
        """Accept nobody any more."""
        for port in self._ports:
            with contextlib.suppress(KeyError):
                self._selector.unregister(port)
            port.socket.close()
        self._ports = []

    def close(self, take: Take) -> None:
        """End every connection."""
        self.cease()
        for connection in list(self._connections):
            connection.close(take)
            self._follow(connection)
        self._selector.close()

    def _accept(self, port: Port) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                made, address = port.socket.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # no file descriptor left: the port would stay ready, and be asked in vain
                self._selector.unregister(port)
                self.tally.noted["connections_refused"] += 1
                return
            sender = address_text(address[0])
            if self._has_room(port, sender):
                self._begin(port, made, sender)
            else:
                self.tally.noted["connections_refused"] += 1
                made.close()

    def _has_room(self, port: Port, sender: str) -> bool:
        """Whether a newcomer finds room, or is made room for: a stranger gives way, the oldest first.

        Who speaks TLS may be known by its certificate, and only after the handshake: it is somebody until
        then. So who shakes hands gives way last, and only to others who do, or are declared.
        """
        crowded = self._by_sender[sender] >= self._most_each
        if not crowded and len(self._connections) < self._most:
            return True
        declared = self._may_stay(port.kind, sender, None)
        standing = 2 if declared or port.context is not None else 0
        strangers = [
            one
            for one in self._connections
            if not one.trusted and one.standing <= standing and (one.sender == sender or not crowded)
        ]
        if not strangers:
            return False
        gone = min(strangers, key=lambda one: (one.standing, one.begun))
        self.tally.noted["connections_refused"] += 1
        gone.close(lambda arrival: None)
        self._follow(gone)
        return True

    def _begin(self, port: Port, made: socket.socket, sender: str) -> None:
        made.setblocking(False)
        for option in _KEEPALIVE:
            made.setsockopt(*option)
        if port.context is not None:
            made = port.context.wrap_socket(
                made, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        self._number += 1
        channel = f"tcp {port.number} {self._number}"
        connection = Connection(made, port.kind, sender, channel, port.conversation(), self.tally)
        self._judge(connection)
        self._connections[connection] = 0
        self._by_sender[sender] += 1
        self._follow(connection)

    def _judge(self, connection: Connection) -> None:
        connection.trusted = self._may_stay(connection.kind, connection.sender, connection.certificate)

    def _follow(self, connection: Connection) -> None:
        """Let the selector wait for what a connection wants now; forget one that is closed."""
        if connection not in self._connections:
            return
        watched = self._connections[connection]
        wanted = 0 if connection.closed else connection.wanted
        if connection.closed:
            del self._connections[connection]
            self._by_sender -= Counter({connection.sender: 1})  # none left: no entry left
        else:
            self._connections[connection] = wanted
        if watched and not wanted:
            self._selector.unregister(connection)
        elif wanted and not watched:
            self._selector.register(connection, wanted)
        elif wanted != watched:
            self._selector.modify(connection, wanted)

"""All that is listened to, in one place: every ready socket is read, and what came is handed on."""

import selectors
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from appliance.config.listen import ListenConfig
from appliance.listeners.arrivals import Arrival
from appliance.listeners.datagrams import DatagramSocket
from appliance.model.feeds import FeedKind

_UDP = (
    (FeedKind.NETFLOW, "netflow_ports"),
    (FeedKind.SFLOW, "sflow_ports"),
    (FeedKind.SYSLOG, "syslog_udp_ports"),
    (FeedKind.RADIUS, "radius_ports"),
)


class Inlets:
    """The ports of the settings, with the certificate in `folder`. `open` before use, `close` at the end."""

    def __init__(self, folder: Path, config: ListenConfig) -> None:
        self._folder = folder
        self._config = config
        self._refused: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._datagrams: list[DatagramSocket] = []

    def open(self) -> None:
        """Bind every port. Raises ListenError; then none is left bound."""
        config = self._config
        try:
            for kind, name in _UDP:
                for port in getattr(config, name):
                    made = DatagramSocket(kind, config.address, port, config.receive_buffer_mib << 20)
                    self._datagrams.append(made)
                    self._selector.register(made, selectors.EVENT_READ, made)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening."""
        for made in self._datagrams:
            made.close()
        self._datagrams = []
        self._selector.close()

    def cease(self) -> None:
        """Let nobody new in; what has come is still to be polled."""

    def rest(self, take: Callable[[Arrival], None]) -> None:
        """Hand on what is left over of connections that are open still."""

    @property
    def is_crowded(self) -> bool:
        """Whether streams may not go on before what they said is durable."""
        return False

    @property
    def least_buffer_bytes(self) -> int | None:
        """The kernel's memory for the UDP port that was given least; None without such ports."""
        return min((made.buffer_bytes for made in self._datagrams), default=None)

    def refused(self) -> Counter[str]:
        """What came over connections and made no message, since the last call."""
        refused, self._refused = self._refused, Counter()
        return refused

    def drops(self) -> int:
        """Datagrams that the kernel had no room for, since the last call."""
        return sum(made.drops() for made in self._datagrams)

    def poll(self, timeout_s: float, take: Callable[[Arrival], None]) -> bool:
        """Wait for something to come and hand it on; whether there may be more at once."""
        more = False
        for key, _ in self._selector.select(timeout_s):
            arrivals, full = key.data.receive()
            more |= full
            for arrival in arrivals:
                take(arrival)
        return more

"""All that is listened to, in one place: every ready socket is read, and what came is handed on."""

import resource
import selectors
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from appliance.config.listen import ListenConfig
from appliance.listeners import asking, certificate
from appliance.listeners.arrivals import Arrival
from appliance.listeners.conversation import Conversation, Monologue
from appliance.listeners.datagrams import DatagramSocket
from appliance.listeners.framings import framing_of
from appliance.listeners.streams import MayStay, Streams
from appliance.listeners.web import WebConnection
from appliance.model.feeds import FeedKind

Take = Callable[[Arrival], None]

_UDP = (
    (FeedKind.NETFLOW, "netflow_ports"),
    (FeedKind.SFLOW, "sflow_ports"),
    (FeedKind.SYSLOG, "syslog_udp_ports"),
    (FeedKind.RADIUS, "radius_ports"),
)
_SPARE_FILES = 256
"""File descriptors beside the connections: of the vaults, of the ports."""


def _conversation(kind: FeedKind) -> Conversation:
    """Who reports presence waits for answers; all others only speak."""
    if kind is FeedKind.CLOUDTRAX:
        return WebConnection()
    framing = framing_of(kind)
    assert framing is not None, kind
    return Monologue(framing)


class Inlets:
    """The ports of the settings. `open` before use, `close` at the end. The certificate is in `folder`.

    `asks_peers`: whether peers of TLS ports are asked for theirs.
    """

    def __init__(self, folder: Path, config: ListenConfig, may_stay: MayStay) -> None:
        self.asks_peers = False
        self._folder = folder
        self._config = config
        self._selector = selectors.DefaultSelector()
        self._datagrams: list[DatagramSocket] = []
        self._streams = Streams(config.connections, config.connections_each, may_stay)

    def open(self) -> None:
        """Bind every port. Raises ListenError, StorageError; then none is left bound."""
        config = self._config
        try:
            for kind, name in _UDP:
                for port in getattr(config, name):
                    made = DatagramSocket(kind, config.address, port, config.receive_buffer_mib << 20)
                    self._datagrams.append(made)
                    self._selector.register(made, selectors.EVENT_READ, made)
            self._open_streams()
        except BaseException:  # an interrupt too: what is bound already must not stay bound
            self.close()
            raise

    def _open_streams(self) -> None:
        config = self._config
        _allow_files(config.connections + _SPARE_FILES)
        for port in config.ipfix_tcp_ports:
            self._listen(FeedKind.NETFLOW, port)
        for port in config.syslog_tcp_ports:
            self._listen(FeedKind.SYSLOG, port)
        context: ssl.SSLContext | None = None
        if config.syslog_tls_ports or config.cloudtrax_ports:
            context = certificate.context(self._folder)
            self.asks_peers = asking.ask(context)
        for port in config.syslog_tls_ports:
            self._listen(FeedKind.SYSLOG, port, context)
        for port in config.cloudtrax_ports:
            self._listen(FeedKind.CLOUDTRAX, port, context)
        self._selector.register(self._streams, selectors.EVENT_READ, self._streams)

    def _listen(self, kind: FeedKind, port: int, context: ssl.SSLContext | None = None) -> None:
        self._streams.listen(kind, self._config.address, port, partial(_conversation, kind), context)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that TLS ports show, "" without one."""
        return certificate.fingerprint(self._folder)

    @property
    def least_buffer_bytes(self) -> int | None:
        """The kernel's memory for the UDP port that was given least; None without such ports."""
        return min((made.buffer_bytes for made in self._datagrams), default=None)

    @property
    def is_crowded(self) -> bool:
        """Whether a connection may not go on before what it said is durable."""
        return self._streams.tally.is_crowded or self._streams.tally.impatient

    def poll(self, timeout_s: float, take: Take) -> bool:
        """Wait for something to come and hand it on; whether there may be more at once."""
        more = False
        for key, _ in self._selector.select(timeout_s):
            more |= key.data.ready(take)
        return more

    def resume(self, take: Take) -> None:
        """After messages were settled: send answers, read on."""
        self._streams.resume(take)

    def tend(self, take: Take) -> None:
        """About once a second: end connections that are overdue."""
        self._streams.tend(take)

    def drops(self) -> int:
        """Datagrams that the kernel had no room for, since the last call."""
        return sum(made.drops() for made in self._datagrams)

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """What made no message of what connections said, and what befell them, since the last call."""
        tally = self._streams.tally
        counted = tally.refused, tally.noted
        tally.refused, tally.noted = Counter(), Counter()
        return counted

    def cease(self) -> None:
        """Let nobody new in; what has come is still to be polled."""
        self._streams.cease()

    def rest(self, take: Take) -> None:
        """End every connection, and hand on what is left over of it."""
        self._streams.close(take)

    def close(self) -> None:
        """Stop listening."""
        for made in self._datagrams:
            made.close()
        self._datagrams = []
        self._streams.close(lambda arrival: None)
        self._selector.close()


def _allow_files(count: int) -> None:
    """Raise the soft limit of open files, as far as the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

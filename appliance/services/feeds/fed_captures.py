"""Captures of feeds: the payloads of datagrams and of connections, at the time of their frames."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from appliance.capture.files import CaptureFile
from appliance.config.listen import ListenConfig
from appliance.listeners.framings import Framing, framing_of
from appliance.model.feeds import FeedKind
from appliance.model.reasons import Note, Refusal
from appliance.model.source_names import of_fed_file
from appliance.services.feeds.fed import FedMessages
from appliance.services.feeds.intake import Channel
from appliance.wire.cargo import TCP, UDP, Cargo, cargoes, reassembled
from appliance.wire.decode import Decoder
from appliance.wire.reassembly import Reassembly
from appliance.wire.streams import Stream

CONNECTION_LIMIT = 2048
"""Connections that are followed at once: beyond, the one that was quiet longest is taken to have ended."""


@dataclass
class CapturedStream:
    """One direction of a TCP connection in a capture."""

    channel: Channel
    stream: Stream
    framing: Framing
    last_ns: int = 0


class Captures:
    """Reads captures of one kind of feed."""

    def __init__(self, feed: FedMessages, config: ListenConfig) -> None:
        self._feed = feed
        self._kind = feed.order.kind
        self._config = config
        self._connections: dict[Hashable, CapturedStream] = {}

    def read(self, path: Path) -> None:
        """Feed one."""
        decoder, reassembly = Decoder(), Reassembly()
        with CaptureFile(path) as capture:
            for frames in capture:
                packets = decoder.decode(frames).packets
                datagrams = cargoes(packets, UDP, self.ports(UDP))
                datagrams += reassembled(reassembly.take(packets), self.ports(UDP))
                self._datagrams(path.name, datagrams, capture.read_bytes)
                for segment in cargoes(packets, TCP, self.ports(TCP)):
                    self._segment(path.name, segment, capture.read_bytes)
                if self._feed.is_stopping:
                    return
            for key, connection in list(self._connections.items()):
                self._end(key, connection)
        self._give_up(path.name, reassembly.finish())
        if capture.damaged:
            self._feed.number(of_fed_file(path.name), Refusal.CAPTURE_DAMAGED)
            self._feed.note(f"{path} is damaged or cut off: {capture.unread_bytes} bytes could not be read")

    def _give_up(self, file_name: str, datagrams: int) -> None:
        """Nobody knows to which ports they went."""
        if datagrams and self.ports(UDP):
            source = self._feed.number(of_fed_file(file_name))
            self._feed.count(source, Note.FRAGMENT_UNFINISHED, datagrams)

    def ports(self, protocol: int) -> frozenset[int]:
        """To which ports this kind is looked for."""
        if self._feed.order.port is not None:
            return frozenset({self._feed.order.port})
        return usual_ports(self._config, protocol)[self._kind]

    def _datagrams(self, file_name: str, found: Sequence[Cargo], read_bytes: int) -> None:
        """Datagrams of one batch, those of each sender together; of flow feeds, of each of its ports."""
        by_port = self._kind in (FeedKind.NETFLOW, FeedKind.SFLOW)
        senders: dict[Hashable, list[Cargo]] = {}
        for cargo in found:
            key: Hashable = (
                (cargo.sender, cargo.sender_port, cargo.receiver_port) if by_port else cargo.sender
            )
            senders.setdefault(key, []).append(cargo)
        for key, sent in senders.items():
            channel = self._feed.channel(key, partial(self._feed.sender, file_name, sent[0].sender))
            short = sum(not cargo.whole for cargo in sent)
            if short:
                self._feed.refuse(channel, Counter({Refusal.CUT_SHORT: short}))
                self._feed.outcome.messages += short
            whole = [cargo for cargo in sent if cargo.whole]
            self._feed.take(
                channel, [cargo.payload for cargo in whole], [c.time_ns for c in whole], read_bytes
            )

    def _segment(self, file_name: str, segment: Cargo, read_bytes: int) -> None:
        ends = (segment.sender, segment.sender_port, segment.receiver, segment.receiver_port)
        connection = self._connections.pop(ends, None)
        if connection and segment.begins:
            self._end(ends, connection)
            connection = None
        connection = connection or self._connection(ends, file_name, segment)
        if connection is None:
            return
        self._connections[ends] = connection  # at the end: the one that spoke last
        connection.last_ns = segment.time_ns
        for piece, missing in connection.stream.take(segment.number, segment.begins, segment.payload):
            self._piece(connection, piece, missing, read_bytes)
        if segment.ends:
            self._end(ends, connection)

    def _connection(self, ends: Hashable, file_name: str, segment: Cargo) -> CapturedStream | None:
        framing = framing_of(self._kind)
        if framing is None or not (segment.begins or segment.payload):
            return None
        if len(self._connections) >= CONNECTION_LIMIT:
            self._end(*next(iter(self._connections.items())))
        channel = self._feed.channel(ends, partial(self._feed.sender, file_name, segment.sender))
        return CapturedStream(channel, Stream(), framing)

    def _piece(self, connection: CapturedStream, piece: bytes, missing: bool, read_bytes: int) -> None:
        if missing:
            connection.channel.source.noted[Note.STREAM_GAP] += 1
            self._feed.refuse(connection.channel, connection.framing.refused)
            connection.framing = framing_of(self._kind) or connection.framing
            if self._kind is FeedKind.SYSLOG:
                piece = piece.partition(b"\n")[2]  # nobody knows how this line began
        messages = connection.framing.feed(piece)
        self._feed.take(connection.channel, messages, [connection.last_ns] * len(messages), read_bytes)

    def _end(self, ends: Hashable, connection: CapturedStream) -> None:
        self._connections.pop(ends, None)
        for piece, missing in connection.stream.rest():
            self._piece(connection, piece, missing, 0)
        rest = connection.framing.rest()
        self._feed.take(connection.channel, [rest] if rest else [], [connection.last_ns] * bool(rest), 0)
        self._feed.refuse(connection.channel, connection.framing.refused)
        self._feed.let_go(ends)


def usual_ports(config: ListenConfig, protocol: int) -> Mapping[FeedKind, frozenset[int]]:
    """Where a kind of feed is sent to: the box's own ports, and those that devices come with."""
    if protocol == UDP:
        ports = {
            FeedKind.NETFLOW: {*config.netflow_ports, 2055, 4739, 9995, 9996},
            FeedKind.SFLOW: {*config.sflow_ports, 6343},
            FeedKind.SYSLOG: {*config.syslog_udp_ports, 514},
            FeedKind.RADIUS: {*config.radius_ports, 1813, 1646},
        }
    else:
        ports = {
            FeedKind.NETFLOW: {*config.ipfix_tcp_ports, 4739},
            FeedKind.SYSLOG: {*config.syslog_tcp_ports, 514, 601},
            FeedKind.CLOUDTRAX: {*config.cloudtrax_ports, 80},
        }
    return {kind: frozenset(ports.get(kind, ())) for kind in FeedKind}

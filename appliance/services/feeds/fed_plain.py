"""Plain files of feeds: logs, datagrams of one file each, IPFIX files. When they came nobody knows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from appliance.listeners.framings import Framing, framing_of
from appliance.model.feeds import FeedKind
from appliance.model.reasons import Refusal
from appliance.model.source_names import of_fed, of_fed_file
from appliance.services.feeds.fed import FedMessages
from appliance.services.feeds.fed_file import FedFile
from appliance.services.feeds.intake import Channel
from appliance.services.feeds.lines import lines

LINES_AT_A_TIME = 8192
LONGEST_DATAGRAM = 65_535


class PlainFiles:
    """All plain files of an order are of one sender, in the order in which they are given."""

    def __init__(self, feed: FedMessages, paths: Sequence[Path]) -> None:
        self._feed = feed
        source, first, last = feed.order.source, paths[0].name, paths[-1].name
        several = f" to {last}" if len(paths) > 1 else ""
        self._name = of_fed(source.label) if source else of_fed_file(first + several)

    def read(self, file: FedFile) -> None:
        """Feed one."""
        settings = self._feed.order.settings(None)
        channel = self._feed.channel("plain files", lambda: (self._name, settings))
        if self._feed.order.kind is FeedKind.SYSLOG:
            self._lines(channel, file)
            return
        framing = self._framing(file)
        if framing is None:
            self._datagram(channel, file)
            return
        for piece in file.pieces():
            self._take(channel, framing.feed(piece), file)
        rest = framing.rest()
        self._take(channel, [rest] if rest else [], file)
        self._feed.refuse(channel, framing.refused)

    def _lines(self, channel: Channel, file: FedFile) -> None:
        self._feed.written_ns = file.written_ns
        for batch in lines(file.pieces(), LINES_AT_A_TIME):
            self._take(channel, batch, file)
            if self._feed.is_stopping:
                return

    def _framing(self, file: FedFile) -> Framing | None:
        """IPFIX files are messages one after the other (RFC 5655), requests stand as they were sent."""
        if self._feed.order.kind is FeedKind.NETFLOW and file.start[:2] != b"\0\x0a":
            return None
        return framing_of(self._feed.order.kind)

    def _datagram(self, channel: Channel, file: FedFile) -> None:
        datagram = b""
        for piece in file.pieces():
            datagram += piece
            if len(datagram) > LONGEST_DATAGRAM:
                self._feed.refuse(channel, Counter({Refusal.BAD_LENGTH: 1}))
                self._feed.outcome.messages += 1
                return
        if datagram:
            self._take(channel, [datagram], file)

    def _take(self, channel: Channel, payloads: Sequence[bytes], file: FedFile) -> None:
        self._feed.take(channel, payloads, [0] * len(payloads), file.read_bytes)

"""Those who may speak, as they are recorded: a source each, and a decoder for each of their channels."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.feeds.decoders import decoder_of
from appliance.feeds.heads import has_head
from appliance.feeds.told import Told
from appliance.listeners.arrivals import Arrival
from appliance.model.addresses import mac_number
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import NS
from appliance.model.reasons import Refusal
from appliance.model.source_names import of_feed
from appliance.services.feeds.guarded import Guarded, defect
from appliance.services.feeds.intake import Channel, Intake
from appliance.services.recording.counts import SourceCounts

MOST_CHANNELS, MOST_OF_ADDRESS = 256, 32
"""Of one source, and of one address of it: beyond, the one that has told least is forgotten, with the
templates it had learnt. Whoever forges a sender's address can draw any port: each would have a decoder."""

FORGOTTEN_NS = 1800 * NS
"""Whoever was silent for so long is forgotten first, whatever it has told: an exporter that begins anew draws
another port."""

MOST_FOREIGN = 65_536
"""Access points that are remembered as counted."""

Key = tuple[str, FeedKind, str, str]


@dataclass
class _Open:
    channel: Channel
    declared: DeclaredSource
    stream: bool
    heard_ns: int = 0
    worth: int = 0  # rows that it told, and messages that were not refused


class Speakers:
    """Sources by label, channels by (label, kind, sender, channel)."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._numbers: dict[str, int] = {}
        self._open: dict[str, dict[Key, _Open]] = {}
        self._declared: dict[str, DeclaredSource] = {}
        self._access_points: set[int] = set()
        self._foreign: set[int] = set()

    def declare(self, declared: Iterable[DeclaredSource], now_ns: int) -> None:
        """These may speak from now on, and no others: what others had open is closed."""
        self._declared = {one.label: one for one in declared}
        self._access_points = {mac_number(text) for one in self._declared.values() for text in one.ap_macs}
        for label in self._declared:
            self.source(label).listen(now_ns)
        for label in list(self._numbers):
            if label not in self._declared:
                self._close_all(label, now_ns)
                self.source(label).cease(now_ns)

    def source(self, label: str) -> SourceCounts:
        """The counters of a source."""
        if label not in self._numbers:
            self._numbers[label] = self._intake.number_source(of_feed(label), live=True)
        return self._intake.sources[self._numbers[label]]

    def sources(self) -> list[SourceCounts]:
        """Those that may speak now."""
        return [self.source(label) for label in self._declared]

    def channel(self, declared: DeclaredSource, arrival: Arrival, now_ns: int) -> Channel:
        """The channel of an arrival, a new one if its source was declared otherwise before."""
        channels = self._open.setdefault(declared.label, {})
        key = (declared.label, arrival.kind, arrival.sender, arrival.channel)
        found = channels.pop(key, None)
        if found is not None and found.declared is not declared:
            self._close(found, now_ns)
            found = None
        if found is None:
            self.source(declared.label)
            make = functools.partial(decoder_of, arrival.kind, self._intake.texts, declared)
            decoder = Guarded(make, self._complain)
            found = _Open(self._intake.open(self._numbers[declared.label], decoder), declared, arrival.stream)
            if not arrival.stream:
                self._make_room(channels, arrival.sender, now_ns)
        found.heard_ns = now_ns
        channels[key] = found  # at the end: those silent longest stand first
        return found.channel

    def refuses(self, declared: DeclaredSource, arrival: Arrival) -> bool:
        """Whether this comes from a new port and not one of its datagrams begins as its feed does: counted.

        Nothing is made for such a port: twenty thousand forged ones a second cost little.
        """
        key = (declared.label, arrival.kind, arrival.sender, arrival.channel)
        if arrival.stream or key in self._open.get(declared.label, ()):
            return False
        if any(has_head(arrival.kind, payload) for payload in arrival.messages.payloads):
            return False
        source = self.source(declared.label)
        source.hear(arrival.messages)
        source.refused[Refusal.BAD_MESSAGE] += len(arrival.messages)
        return True

    def credit(self, declared: DeclaredSource, arrival: Arrival, told: Told) -> None:
        """What a channel told is to its credit where others want its place."""
        one = self._open[declared.label][declared.label, arrival.kind, arrival.sender, arrival.channel]
        one.worth += len(told.flows) + len(told.claims) + len(told.translations)
        one.worth += max(0, len(arrival.messages) - told.refused.total())

    def _make_room(self, channels: dict[Key, _Open], sender: str, now_ns: int) -> None:
        """Connections are bounded where they are accepted, and learn their templates but once: they stay."""
        ports = [key for key, one in channels.items() if not one.stream]
        of_sender = [key for key in ports if key[2] == sender]
        if len(of_sender) >= MOST_OF_ADDRESS:
            ports = of_sender
        elif len(ports) < MOST_CHANNELS:
            return

        def standing(key: Key) -> tuple[bool, int]:
            return now_ns - channels[key].heard_ns < FORGOTTEN_NS, channels[key].worth

        gone = min(ports, key=standing)  # of equals, the one that was silent longest
        self.source(gone[0]).noted["channels_forgotten"] += 1
        self._close(channels.pop(gone), now_ns)

    def end(self, label: str, arrival: Arrival, now_ns: int) -> None:
        """Nothing will come by this channel any more."""
        found = self._open.get(label, {}).pop((label, arrival.kind, arrival.sender, arrival.channel), None)
        if found is not None:
            self._close(found, now_ns)

    def note_access_points(self, declared: DeclaredSource, spoken_by: frozenset[int]) -> None:
        """Count, once each, access points that a source speaks for and nobody declared."""
        for mac in spoken_by - self._access_points - self._foreign:
            if len(self._foreign) < MOST_FOREIGN:
                self._foreign.add(mac)
                self.source(declared.label).noted["undeclared_access_points"] += 1

    def expire(self, now_ns: int) -> None:
        """Let every channel give up what it waits for in vain."""
        for channels in self._open.values():
            for one in channels.values():
                self._intake.expire(one.channel, now_ns)

    def jump(self, before_ns: int, now_ns: int) -> None:
        """The clock was set: what was heard ends by the old clock, and begins by the new one."""
        for source in self.sources():
            source.cease(before_ns)
            source.listen(now_ns)

    def finish(self, now_ns: int) -> None:
        """Listening ends."""
        for label in self._numbers:
            self._close_all(label, now_ns)
            self.source(label).cease(now_ns)

    def _complain(self, error: Exception) -> None:
        self._intake.register.alarms.rise("defect", defect(error))

    def _close_all(self, label: str, now_ns: int) -> None:
        for one in self._open.pop(label, {}).values():
            self._close(one, now_ns)

    def _close(self, one: _Open, now_ns: int) -> None:
        """What a channel still waits for is given up, and counted."""
        self._intake.close(one.channel, now_ns)

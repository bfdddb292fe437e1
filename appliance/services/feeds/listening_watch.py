"""Everything beside the messages that makes listening incomplete, looked at once a second and said."""

import time
from collections import Counter
from collections.abc import Sequence

from appliance.listeners.arrivals import Arrival
from appliance.listeners.inlets import Inlets
from appliance.model.feeds import DeclaredSource
from appliance.model.reasons import Refusal
from appliance.model.source_names import FEEDS
from appliance.services.feeds.gate import Gate
from appliance.services.feeds.inbox import Inbox
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.quarantine import Released
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.feeds.speakers import Speakers
from appliance.services.recording.clock_watch import ClockWatch
from appliance.services.recording.counts import SourceCounts

EXPIRE_EVERY_S = 5.0
LOSS_REMEMBERED_S = 600.0
"""A loss stays an alarm for so long: nobody looks every second."""

ROOM_BYTES = 4 << 20
"""Less memory of the kernel than this holds less than a second of a busy exporter."""

_STANDING = (
    "sources",
    "certificates_not_asked",
    "receive_buffer",
    "feeds_lost",
    "connections_refused",
    "clock_unsynchronised",
)


class ListeningWatch:
    """Attends what is listened to: who may speak, what is lost, the clock."""

    def __init__(
        self, intake: Intake, gate: Gate, rhythms: Rhythms, inlets: Inlets, speakers: Speakers, inbox: Inbox
    ) -> None:
        self._intake = intake
        self._alarms = intake.register.alarms
        self._gate = gate
        self._rhythms = rhythms
        self._inlets = inlets
        self._speakers = speakers
        self._inbox = inbox
        self._clock = ClockWatch()
        self._expired = time.monotonic()
        self._lost_at: float | None = None
        self._refused_at: float | None = None
        self._common: SourceCounts

    def begin(self) -> None:
        """Listening begins."""
        now_ns = time.time_ns()
        self._common = self._intake.sources[self._intake.number_source(FEEDS, live=True)]
        self._common.listen(now_ns)
        self._refresh(now_ns, anyway=True)
        room = self._inlets.least_buffer_bytes
        if room is not None and room < ROOM_BYTES:
            self._common.measure("receive_buffer_short", 1)
            self._alarms.rise(
                "receive_buffer",
                f"the kernel keeps only {room >> 10:,} KiB for each UDP port, and will drop datagrams while "
                "a segment is sealed; run as root, or set net.core.rmem_max to 67108864 with sysctl",
            )

    def speaker(self, arrival: Arrival) -> DeclaredSource | None:
        """Who sent this, if he may; else the gate has kept it, or it is counted."""
        if arrival.certificate:
            declared = self._gate.by_certificate(arrival.certificate)
            if declared is not None and (not declared.kinds or arrival.kind in declared.kinds):
                return declared
        declared = self._gate.admit(arrival.kind, arrival.sender, arrival.messages, arrival.channel)
        if declared is None or not declared.must_show_certificate(arrival.kind):
            return declared
        self._speakers.source(declared.label).refused[Refusal.BAD_CERTIFICATE] += len(arrival.messages)
        return None

    def look(self) -> Sequence[Released]:
        """Say how things stand; what has come out of quarantine is returned."""
        now_ns = time.time_ns()
        jump_us = self._clock.look([self._common, *self._speakers.sources()], self._alarms)
        if jump_us:
            self._common.cease(now_ns - jump_us * 1000)
            self._common.listen(now_ns)
            self._speakers.jump(now_ns - jump_us * 1000, now_ns)
        self._refresh(now_ns)
        self._rhythms.look(now_ns, self._gate.declared)
        if time.monotonic() - self._expired > EXPIRE_EVERY_S:
            self._expired = time.monotonic()
            self._speakers.expire(now_ns)
        self._count_losses()
        released = self._gate.released()
        for one in released:
            self._speakers.source(one.declared.label).heard_since(int(one.messages.received_ns.min()))
        self._common.kept_apart = self._gate.kept_apart
        return released

    def leave(self) -> None:
        """Listening ends in order: the last counts, and nothing left to complain of."""
        now_ns = time.time_ns()
        self._count_losses()
        self._common.lost += Counter({"quarantined": self._gate.close()})
        self._common.kept_apart = 0
        self._rhythms.close(now_ns)
        self._speakers.finish(now_ns)
        self._common.cease(now_ns)
        for kind in _STANDING:
            self._alarms.lower(kind)

    def _refresh(self, now_ns: int, anyway: bool = False) -> None:
        if self._gate.refresh(now_ns) or anyway:
            self._speakers.declare(self._gate.declared, now_ns)
        if self._gate.fault:
            self._alarms.rise("sources", self._gate.fault)
        else:
            self._alarms.lower("sources")
        self._say_who_is_not_heard()

    def _say_who_is_not_heard(self) -> None:
        """Where no peer is asked for its certificate, who has to show one is refused all that it says."""
        bound = [one.label for one in self._gate.declared if one.certificate]
        if bound and not self._inlets.asks_peers:
            self._alarms.rise(
                "certificates_not_asked",
                f"{', '.join(bound)}: declared with a certificate, for which this box cannot ask: no port "
                "speaks TLS, or this Python has its OpenSSL closed up; what must come with one is refused",
            )
        else:
            self._alarms.lower("certificates_not_asked")

    def _count_losses(self) -> None:
        """What the kernel, the queue and the quarantine had no room for."""
        drops = self._inlets.drops()
        self._common.lost += Counter({"socket": drops, "quarantined": self._gate.dropped()})
        refused, noted = self._inlets.counts()
        self._common.refused += refused
        self._common.noted += noted
        self._say_refused(noted["connections_refused"])
        given_up, self._inbox.given_up = self._inbox.given_up, Counter()
        for label, count in given_up.items():
            self._speakers.source(label).lost["overload"] += count
        self._say_losses(drops + given_up.total())

    def _say_refused(self, count: int) -> None:
        moment = time.monotonic()
        if count:
            self._refused_at = moment
            self._alarms.rise(
                "connections_refused",
                f"there was no room for {count:,} more connections within a second; see 'greffier sources' "
                "for who connects, and [listen] in box.toml for how many may",
            )
        elif self._refused_at is not None and moment - self._refused_at > LOSS_REMEMBERED_S:
            self._alarms.lower("connections_refused")
            self._refused_at = None

    def _say_losses(self, lost: int) -> None:
        moment = time.monotonic()
        if lost:
            self._lost_at = moment
            self._alarms.rise(
                "feeds_lost",
                f"more messages came than can be decoded, {lost:,} of them were lost within a second; see "
                "'greffier coverage' for whose, and let that device send less",
            )
        elif self._lost_at is not None and moment - self._lost_at > LOSS_REMEMBERED_S:
            self._alarms.lower("feeds_lost")
            self._lost_at = None

"""Everything that can make a live capture incomplete or wrong, looked at once a second and said.

Counts go into the source's coverage, what a person must do something about becomes an alarm.
"""

import time

from appliance.capture import bpf, netlink
from appliance.capture.interface import Link
from appliance.capture.own_traffic import Own, own_addresses
from appliance.capture.ring import SNAPLEN_BYTES, Ring, RingCounts
from appliance.capture.silence import Standing
from appliance.config.capture import CaptureConfig
from appliance.model.frames import ETHERNET, Frames
from appliance.runtime.recorder_state import InterfaceState
from appliance.services.mirror.observer import Beside, Observation, Observer
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.clock_watch import ClockWatch
from appliance.services.recording.counts import SourceCounts
from appliance.wire.ports import tunnel_ports

LOSS_REMEMBERED_S = 600.0
"""A loss stays an alarm for so long: nobody looks every second."""

_HEADERS_BYTES = 14 + 3 * 4
"""An Ethernet header and three tags: what a frame may have beyond the MTU."""

_STANDING = ("interface_down", "mirror_silent", "packets_lost", "interface_merges_packets",
             "interface_can_send", "clock_unsynchronised")  # fmt: skip


class Attendance:
    """Attends one interface while it is recorded. `look` about once a second, `count` for every batch."""

    def __init__(self, interface: str, config: CaptureConfig, source: SourceCounts, alarms: Alarms) -> None:
        self._interface = interface
        self._config = config
        self._source = source
        self._alarms = alarms
        self._observer = Observer(interface)
        self._beside = Beside(self._observer.observe)
        self._standing = Standing(False, "")
        self._own = Own()
        self._seen: Observation | None = None
        self._device: netlink.Device | None = None
        self._speed_mbps: int | None = None
        self._counted = RingCounts(0, 0, 0, 0)
        self._clock = ClockWatch()
        self._seen_ns = 0
        self._down_since: float | None = None
        self._heard = time.monotonic()
        self._packets = 0
        self._lost_at: float | None = None
        self._deaf = False
        self._look_at_network()

    @property
    def program(self) -> bytes:
        """What the kernel is to keep of a frame, as the box is addressed now."""
        return bpf.program(SNAPLEN_BYTES, tunnel_ports(self._config.vxlan_ports), self._own)

    def hurry(self) -> None:
        """The link has changed: the next look is to know more."""
        self._beside.hurry()

    def count(self, frames: Frames) -> None:
        """Note frames that no wire can have carried: the card or the kernel has merged several."""
        if self._device is not None and frames.link_type == ETHERNET:
            long = int((frames.length > self._device.mtu + _HEADERS_BYTES).sum())
            if long:
                self._source.noted["longer_than_mtu"] += long

    def look(self, ring: Ring) -> None:
        """Say how the interface, its counters and the clock stand."""
        now_ns, lost = time.time_ns(), self._source.lost.total()
        counts = ring.statistics()
        self._count_ring(counts)
        jump_us = self._clock.look([self._source], self._alarms)
        if jump_us:
            # What was seen ends by the old clock and begins by the new one.
            self._source.cease(now_ns - jump_us * 1000)
            self._seen_ns = now_ns
        if not ring.is_interrupted:
            self._follow_link(ring.link, now_ns)
        if self._look_at_network():
            ring.filter(self.program)
        self._say_losses(self._source.lost.total() - lost)
        self._say_silence(ring.link)
        self._say_standing(ring.link)

    def leave(self, ring: Ring) -> None:
        """Recording ends in order: the last counts, and nothing left to complain of."""
        self._count_ring(ring.statistics())
        self._beside.end()
        self._look_at_network()
        self._source.cease(time.time_ns())
        self._count_down()
        for kind in _STANDING:
            self._alarms.lower(kind)

    def _count_ring(self, now: RingCounts) -> None:
        before, self._counted = self._counted, now
        for counter, name, more in (
            (self._source.lost, "kernel", now.drops - before.drops),
            (self._source.lost, "ring", now.unread - before.unread),
            (self._source.noted, "ring_full", now.freezes - before.freezes),
            (self._source.noted, "interface_interrupted", now.interruptions - before.interruptions),
        ):
            if more:
                counter[name] += more

    def _follow_link(self, link: Link, now_ns: int) -> None:
        """What passes while there is no link is seen by nobody: a gap, from the last time all was well."""
        moment = time.monotonic()
        if link is Link.UP:
            self._count_down()
            self._source.listen(now_ns)
            self._seen_ns = now_ns
            self._alarms.lower("interface_down")
            return
        if self._down_since is None:
            self._down_since = moment
            if not self._seen_ns:  # the gap begins with the recording
                self._source.listen(now_ns)
                self._seen_ns = now_ns
            self._source.cease(max(self._seen_ns, min(self._source.last_ns or 0, now_ns)))
        gone = "is not there: plug it in, or mend its name" if link is Link.ABSENT else (
            "has no link: look at its cable, and whether the switch's mirror port is on"
        )  # fmt: skip
        self._alarms.rise("interface_down", f"'{self._interface}' {gone}; nothing is recorded until then")

    def _count_down(self) -> None:
        if self._down_since is not None:
            self._source.noted["interface_down_s"] += round(time.monotonic() - self._down_since)
            self._down_since = None

    def _look_at_network(self) -> bool:
        """The interface's own counters, its silence, the box's addresses; whether those have changed."""
        seen = self._beside.latest()
        if seen is None or seen is self._seen:
            return False
        self._seen = seen
        own = Own() if self._config.record_own_traffic else own_addresses(seen.devices, seen.addresses)
        device = netlink.find(seen.devices, self._interface)
        self._count_losses(device, self._deaf and seen.standing.deaf)
        self._device, self._deaf = device, seen.standing.deaf
        self._standing = seen.standing
        changed, self._own = own != self._own, own
        return changed

    def _count_losses(self, device: netlink.Device | None, deaf: bool) -> None:
        """What the card lost before the ring; a card that came back counts from zero.

        What an interface that is not `deaf` counts as dropped may be frames that only the ring wanted.
        """
        if device is None or self._device is None or device.index != self._device.index:
            return
        before, now = self._device.losses, device.losses
        for counter, name, more in (
            (self._source.lost, "interface", now.missed - before.missed),
            (self._source.lost, "interface", now.overrun - before.overrun),
            (self._source.noted, "damaged_on_the_wire", now.damaged - before.damaged),
            (self._source.lost, "interface", now.dropped - before.dropped if deaf else 0),
            (self._source.noted, "dropped_or_unclaimed", 0 if deaf else now.dropped - before.dropped),
        ):
            if more > 0:
                counter[name] += more

    def _say_losses(self, lost: int) -> None:
        moment = time.monotonic()
        if lost:
            self._lost_at = moment
            places = ", ".join(f"{count:,} at {place}" for place, count in sorted(self._source.lost.items()))
            self._alarms.rise(
                "packets_lost",
                f"packets of '{self._interface}' were lost since the start: {places}; "
                "mirror less, or give the box a faster processor and disk",
            )
        elif self._lost_at is not None and moment - self._lost_at > LOSS_REMEMBERED_S:
            self._alarms.lower("packets_lost")
            self._lost_at = None

    def _say_silence(self, link: Link) -> None:
        """A mirror that gives nothing looks like a night without guests: only its length tells."""
        if self._source.packets != self._packets or link is not Link.UP:
            self._packets, self._heard = self._source.packets, time.monotonic()
            self._alarms.lower("mirror_silent")
        elif time.monotonic() - self._heard > 60 * self._config.silent_alarm_minutes:
            self._alarms.rise(
                "mirror_silent",
                f"no frame on '{self._interface}' for {self._config.silent_alarm_minutes} minutes: "
                "is the mirror still configured on the switch?",
            )

    def _say_standing(self, link: Link) -> None:
        if link is Link.ABSENT or self._device is None:
            self._source.interface = InterfaceState(str(link.value), None, 0, False, 0)
            return
        merges, speed = (self._seen.merges, self._seen.speed_mbps) if self._seen else (False, None)
        for kind, doubt in (
            ("interface_can_send", self._standing.doubt),
            ("interface_merges_packets", merges and (
                f"'{self._interface}' puts packets together before they are counted (GRO or LRO); "
                f"switch that off: ethtool -K {self._interface} gro off lro off"
            )),
        ):  # fmt: skip
            if doubt:
                self._source.measure(kind, 1)
                self._alarms.rise(kind, doubt)
            else:
                self._alarms.lower(kind)
        if self._speed_mbps and speed and speed != self._speed_mbps:
            self._source.noted["speed_changed"] += 1
        self._speed_mbps = speed or self._speed_mbps
        left_out = len(self._own.ipv4) + len(self._own.ipv6) if self._own else 0
        self._source.measure("own_addresses_left_out", left_out)
        self._source.interface = InterfaceState(
            str(link.value), speed, self._device.mtu, self._standing.silent, left_out
        )

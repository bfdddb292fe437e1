"""What makes a live capture incomplete is counted, stated and becomes an alarm; and ceases to be one."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from appliance.capture import netlink
from appliance.capture.ring import Ring
from appliance.config.capture import CaptureConfig
from appliance.model.frames import ETHERNET, Frames
from appliance.model.instants import NS
from appliance.runtime import timekeeping
from appliance.runtime.timekeeping import ClockState, Jumps
from appliance.services.mirror import attendance as attendances
from appliance.services.mirror.attendance import Attendance
from appliance.services.mirror.observer import Observation
from appliance.services.recording import clock_watch
from appliance.services.recording.alarms import Alarms
from appliance.services.recording.counts import SourceCounts
from tests.system.networks import Network, may_make

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


def frames_of(lengths: list[int]) -> Frames:
    empty = np.zeros(len(lengths), np.int64)
    return Frames(np.zeros(64, np.uint8), empty, empty, np.array(lengths), empty, ETHERNET)


class AtOnce:
    """Asks when it is asked, instead of beside."""

    def __init__(self, observe: Callable[[], Observation | None]) -> None:
        self.latest = observe

    def end(self) -> None:
        pass


class Scene:
    """A mirror under attendance, whose machine can be told how it stands."""

    def __init__(self, network: Network, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
        self.network = network
        self.later_s = 0.0
        self.clock = ClockState(True, 40, 900)
        self.device: Callable[[netlink.Device], netlink.Device] = lambda device: device
        self.difference_ns = 0
        real = netlink.devices
        monkeypatch.setattr(
            attendances,
            "time",
            SimpleNamespace(time_ns=time.time_ns, monotonic=lambda: time.monotonic() + self.later_s),
        )
        monkeypatch.setattr(clock_watch, "clock_state", lambda: self.clock)
        monkeypatch.setattr(timekeeping, "_difference_ns", lambda: self.difference_ns)
        monkeypatch.setattr(netlink, "devices", lambda: [self._told(device) for device in real()])
        self.source, self.alarms = SourceCounts("interface:mirror", live=True), Alarms()
        monkeypatch.setattr(attendances, "Beside", AtOnce)
        self.attendance = Attendance("mirror", CaptureConfig(), self.source, self.alarms)
        self.ring = ring
        self.look()

    def _told(self, device: netlink.Device) -> netlink.Device:
        return self.device(device) if device.name == "mirror" else device

    def look(self) -> None:
        self.attendance.look(self.ring)

    def stands(self, kind: str) -> str:
        return next((alarm.message for alarm in self.alarms if alarm.kind == kind), "")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with Network() as network:
        network.cable("switch", "mirror")
        with network.inside(), Ring("mirror") as ring:
            yield Scene(network, ring, monkeypatch)


def test_a_healthy_mirror_raises_nothing_and_states_its_clock(scene: Scene) -> None:
    scene.look()
    assert list(scene.alarms) == []
    assert scene.source.measured == {"clock_offset_us": 40, "clock_error_us": 900}
    (part,) = scene.source.coverage(time.time_ns())
    assert (part.packets, part.lost, part.noted) == (0, {}, {})
    stands = scene.source.interface
    assert stands is not None
    assert (stands.link, stands.speed_mbps, stands.mtu, stands.silent) == ("up", 10_000, 9000, True)


def test_what_the_card_lost_is_lost_at_the_interface(scene: Scene) -> None:
    scene.device = lambda one: replace(
        one, losses=netlink.Losses(dropped=one.losses.dropped + 3, missed=4, overrun=5, damaged=2)
    )
    scene.look()
    assert scene.source.lost == {"interface": 12}
    assert scene.source.noted == {"damaged_on_the_wire": 2}
    assert "12 at interface" in scene.stands("packets_lost")
    scene.later_s = attendances.LOSS_REMEMBERED_S + 1
    scene.look()
    assert not scene.stands("packets_lost")
    scene.device = lambda one: replace(one, index=999, losses=netlink.Losses(dropped=7))
    scene.look()  # another card of that name: it counts from its own zero
    assert scene.source.lost == {"interface": 12}


def test_frames_that_only_the_ring_wanted_are_not_called_lost(scene: Scene) -> None:
    """They are told from losses as long as the kernel drops what arrives behind the ring."""
    dropped = 0
    scene.device = lambda one: replace(one, losses=netlink.Losses(dropped=dropped, missed=4))
    scene.look()
    dropped = 3
    scene.look()
    assert scene.source.lost == {"interface": 7}
    scene.network.run("tc", "filter", "del", "dev", "mirror", "ingress")
    dropped = 8  # nobody knows of what kind these were
    scene.look()
    assert scene.source.lost == {"interface": 7}
    assert scene.source.noted == {"dropped_or_unclaimed": 5}
    assert "bytecode '1,6 0 0 2'" in scene.network.run("tc", "filter", "show", "dev", "mirror", "ingress")
    scene.look()
    dropped = 10
    scene.attendance.leave(scene.ring)
    assert scene.source.lost == {"interface": 9}
    assert scene.source.noted == {"dropped_or_unclaimed": 5}


def test_what_an_interface_in_use_dropped_may_have_been_unwanted(scene: Scene) -> None:
    scene.network.run("ip", "addr", "add", "192.0.2.1/24", "dev", "mirror")
    scene.look()
    scene.device = lambda one: replace(one, losses=netlink.Losses(dropped=one.losses.dropped + 3))
    scene.look()
    assert scene.source.lost == {}
    assert scene.source.noted == {"dropped_or_unclaimed": 3}


def test_a_mirror_that_is_silent_for_long_is_an_alarm(scene: Scene) -> None:
    scene.later_s = 14 * 60
    scene.look()
    assert not scene.stands("mirror_silent")
    scene.later_s = 16 * 60
    scene.look()
    assert scene.stands("mirror_silent") == (
        "no frame on 'mirror' for 15 minutes: is the mirror still configured on the switch?"
    )
    scene.source.packets += 1
    scene.look()
    assert not scene.stands("mirror_silent")


def test_a_clock_that_nothing_keeps_right_is_said(scene: Scene) -> None:
    scene.clock = ClockState(False, 0, 16_000_000)
    scene.look()
    assert "not" not in scene.source.noted
    assert scene.source.measured["clock_error_us"] == 16_000_000
    assert scene.source.measured["clock_unsynchronised"] == 1
    assert "install chrony" in scene.stands("clock_unsynchronised")
    scene.clock = ClockState(True, 0, 5)
    scene.look()
    assert not scene.stands("clock_unsynchronised")
    scene.source.sealed()
    scene.look()
    assert scene.source.measured == {"clock_error_us": 5}, "the worst of this period, not of the last"


@pytest.mark.parametrize(("jump_s", "noted"), [(3600, "clock_stepped_forward"), (-0.4, "clock_stepped_back")])
def test_a_clock_that_is_set_ends_what_was_seen_by_the_old_one(
    scene: Scene, jump_s: float, noted: str
) -> None:
    scene.difference_ns += round(jump_s * NS)
    scene.look()
    assert scene.source.noted == {noted: 1}
    now_ns = time.time_ns()
    by_old, by_new = scene.source.coverage(now_ns)
    assert by_old.measured["clock_step_us"] == abs(round(jump_s * 1e6))
    assert (by_old.noted, by_new.noted) == ({noted: 1}, {})
    before, after = scene.source.spells(now_ns)
    assert abs(before[1] - (now_ns - round(jump_s * NS))) < NS
    assert abs(after[0] - now_ns) < NS


def test_slewing_is_no_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    difference_ns = iter([0, 500_000, 90_000_000, -20_000_000, NS])
    monkeypatch.setattr(timekeeping, "_difference_ns", lambda: next(difference_ns))
    jumps = Jumps()
    assert [jumps.since_last() for _ in range(4)] == [0, 0, -110_000, 1_020_000]


def test_frames_that_were_merged_are_noted(scene: Scene) -> None:
    scene.attendance.count(frames_of([60, 9014, 9026, 9027, 64_000]))
    assert scene.source.noted == {"longer_than_mtu": 2}


def test_offloads_and_addresses_are_said_and_heeded(scene: Scene) -> None:
    scene.network.run("ip", "addr", "add", "192.0.2.1/24", "dev", "mirror")
    scene.network.run("ethtool", "-K", "mirror", "gro", "on")
    scene.look()
    assert "ethtool -K mirror gro off" in scene.stands("interface_merges_packets")
    assert "has an address" in scene.stands("interface_can_send")
    assert "gro: on" not in scene.network.run("ethtool", "-k", "mirror")
    assert scene.source.measured["interface_can_send"] == 1
    assert scene.source.measured["own_addresses_left_out"] == 1
    scene.network.run("ip", "addr", "del", "192.0.2.1/24", "dev", "mirror")
    scene.network.run("ethtool", "-K", "mirror", "gro", "off")
    scene.look()
    assert list(scene.alarms) == []


def test_at_the_end_in_order_nothing_is_left_to_complain_of(scene: Scene) -> None:
    scene.clock = ClockState(False, 0, 16_000_000)
    scene.look()
    assert list(scene.alarms)
    scene.attendance.leave(scene.ring)
    assert list(scene.alarms) == []
    assert len(scene.source.coverage(time.time_ns())) == 1


def test_the_kernel_is_asked_for_the_clock() -> None:
    state = timekeeping.clock_state()
    assert state.offset_us >= 0
    assert 0 <= state.error_us <= 16_000_000 or not state.synchronised

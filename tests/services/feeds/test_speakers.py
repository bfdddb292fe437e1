"""Who may speak, as recorded: a source each, bounded decoders, and what a changed declaration does."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.feeds.heads import has_head
from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import NS
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.speakers import FORGOTTEN_NS, MOST_CHANNELS, MOST_OF_ADDRESS, Speakers
from appliance.services.recording.recording import recording
from tests.system.boxes import make_box

NOW_NS = 1_790_000_000 * NS
GATEWAY = DeclaredSource("gateway", addresses=("192.0.2.0/24",))


class Nobody:
    def settle(self, count: int, answers: object) -> None:
        pass


def arrival(sender: str, channel: str, payload: bytes = b"", stream: bool = False) -> Arrival:
    messages = Messages(np.array([NOW_NS]), [payload])
    return Arrival(FeedKind.NETFLOW, sender, channel, messages, Nobody(), stream=stream)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    box = make_box(tmp_path, ["10.0.0.0/8"])
    with recording(box.home, Intake) as at_work:
        yield at_work.recorder


def test_a_sender_that_varies_its_port_displaces_itself(intake: Intake) -> None:
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    other = speakers.channel(GATEWAY, arrival("192.0.2.2", "udp 2055 1"), NOW_NS)
    kept = speakers.channel(GATEWAY, arrival("192.0.2.1", "tcp 4739 1", stream=True), NOW_NS)
    for port in range(3 * MOST_OF_ADDRESS):
        speakers.channel(GATEWAY, arrival("192.0.2.1", f"udp 2055 {port}"), NOW_NS)
    source = speakers.source("gateway")
    assert source.noted["channels_forgotten"] == 2 * MOST_OF_ADDRESS
    assert speakers.channel(GATEWAY, arrival("192.0.2.2", "udp 2055 1"), NOW_NS) is other
    assert speakers.channel(GATEWAY, arrival("192.0.2.1", "tcp 4739 1", stream=True), NOW_NS) is kept


def test_many_senders_of_one_source_are_bounded(intake: Intake) -> None:
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    for number in range(MOST_CHANNELS + 10):
        sender = socket.inet_ntoa(struct.pack("!I", 0xC0000200 + number))
        speakers.channel(GATEWAY, arrival(sender, "udp 2055 1"), NOW_NS)
    assert speakers.source("gateway").noted["channels_forgotten"] == 10


def test_a_changed_declaration_begins_anew_and_one_that_is_gone_ceases(intake: Intake) -> None:
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    before = speakers.channel(GATEWAY, arrival("192.0.2.1", "udp"), NOW_NS)
    assert speakers.channel(GATEWAY, arrival("192.0.2.1", "udp"), NOW_NS) is before
    changed = DeclaredSource("gateway", addresses=("192.0.2.0/24",), secret="new")
    speakers.declare([changed], NOW_NS + NS)
    after = speakers.channel(changed, arrival("192.0.2.1", "udp"), NOW_NS)
    assert after.decoder is not before.decoder
    assert after.source is before.source, "the same label is the same source"
    speakers.declare([], NOW_NS + 2 * NS)
    assert speakers.source("gateway").spells(NOW_NS + 9 * NS) == [(NOW_NS, NOW_NS + 2 * NS)]
    assert speakers.sources() == []


def test_what_waits_for_a_template_is_counted_when_its_channel_ends(intake: Intake) -> None:
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    data = struct.pack("!HH", 300, 24) + bytes(20)
    message = struct.pack("!HHIII", 10, 16 + len(data), NOW_NS // NS, 0, 0) + data
    came = arrival("192.0.2.1", "tcp 4739 1", message, stream=True)
    intake.take(speakers.channel(GATEWAY, came, NOW_NS), came.messages)
    source = speakers.source("gateway")
    assert not source.refused
    speakers.end("gateway", came, NOW_NS)
    assert source.refused == {"no_template": 1}


def test_access_points_that_nobody_declared_are_counted_once(intake: Intake) -> None:
    controller = DeclaredSource("controller", ap_macs=("02:00:00:00:00:01",))
    speakers = Speakers(intake)
    speakers.declare([controller], NOW_NS)
    for spoken in ({0x020000000001}, {0x020000000002, 0x020000000003}, {0x020000000002}):
        speakers.note_access_points(controller, frozenset(spoken))
    assert speakers.source("controller").noted == {"undeclared_access_points": 2}


def v9(sets: bytes = b"", sequence: int = 0) -> bytes:
    return struct.pack("!HHIIII", 9, 1, 0, NOW_NS // NS, sequence, 0) + sets


TEMPLATE = struct.pack("!HHHH", 0, 16, 300, 2) + struct.pack("!HHHH", 8, 4, 12, 4)
DATA = struct.pack("!HH", 300, 12) + bytes((192, 0, 2, 7, 198, 51, 100, 7))


def test_an_exporter_keeps_its_templates_whatever_is_forged_beside_it(intake: Intake) -> None:
    """Of its address: octets that are nothing, heads without content, and other ports' own templates."""
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    forged = (b"\0\x09", v9(), v9(DATA), v9(TEMPLATE), b"x" * 40)
    port = 0

    def say(payload: bytes, channel: str, now_ns: int) -> int:
        came = arrival("192.0.2.1", channel, payload)
        if speakers.refuses(GATEWAY, came):
            return 0
        told = intake.take(speakers.channel(GATEWAY, came, now_ns), came.messages)
        speakers.credit(GATEWAY, came, told)
        return len(told.flows)

    say(v9(TEMPLATE), "udp 2055 4000", NOW_NS)
    flows = 0
    for second in range(8):
        flows += say(v9(DATA, second + 1), "udp 2055 4000", NOW_NS + second * NS)
        for _ in range(2 * MOST_OF_ADDRESS):
            port += 1
            say(forged[port % len(forged)], f"udp 2055 {port}", NOW_NS + second * NS)
    assert flows == 8
    source = speakers.source("gateway")
    assert source.packets == port + 9
    assert source.refused["bad_message"] == sum(
        forged[each % 5] in forged[::4] for each in range(1, port + 1)
    )


def test_what_has_no_head_costs_no_decoder(intake: Intake) -> None:
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    before = time.process_time()
    for port in range(20_000):
        assert speakers.refuses(GATEWAY, arrival("192.0.2.1", f"udp 2055 {port}", b"x" * 100))
    assert time.process_time() - before < 3
    source = speakers.source("gateway")
    assert (source.packets, source.refused, source.noted) == (20_000, {"bad_message": 20_000}, {})
    for shortest in (struct.pack("!II", 5, 1).ljust(28), struct.pack("!II", 5, 2).ljust(40)):
        assert has_head(FeedKind.SFLOW, shortest)
        assert not has_head(FeedKind.SFLOW, shortest[:-1])
    assert not has_head(FeedKind.SFLOW, b"")
    assert has_head(FeedKind.RADIUS, b"")


def test_who_has_been_silent_for_long_gives_way_first(intake: Intake) -> None:
    """An exporter that begins anew draws another port each time."""
    speakers = Speakers(intake)
    speakers.declare([GATEWAY], NOW_NS)
    channels = []
    for port in range(MOST_OF_ADDRESS + 1):
        now_ns = NOW_NS + port * FORGOTTEN_NS // MOST_OF_ADDRESS
        for payload in (v9(TEMPLATE), v9(DATA), v9(DATA)):
            came = arrival("192.0.2.1", f"udp 2055 {port}", payload)
            channels.append(speakers.channel(GATEWAY, came, now_ns))
            speakers.credit(GATEWAY, came, intake.take(channels[-1], came.messages))
    now_ns = NOW_NS + 2 * FORGOTTEN_NS
    came = arrival("192.0.2.1", "udp 2055 new", v9())
    new = speakers.channel(GATEWAY, came, now_ns)
    other = speakers.channel(GATEWAY, arrival("192.0.2.1", "udp 2055 newer", v9()), now_ns)
    assert speakers.channel(GATEWAY, came, now_ns) is new
    assert other is not new
    assert speakers.source("gateway").noted["channels_forgotten"] == 3

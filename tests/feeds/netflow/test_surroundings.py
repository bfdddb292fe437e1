"""What an exporter's records show of itself: bounded, of a whole call at once, changed by what follows."""

import struct

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.netflow.surroundings import _SEEN_LIMIT, _SENDERS_LIMIT
from appliance.feeds.told import Rows
from appliance.model.texts import Texts
from tests.feeds.netflow.forms import FLOW, a_set, messages, record, template, v9

BOTH_WAYS = (*FLOW, (23, 4), (24, 4))
WITH_MACS = (*FLOW, (56, 6), (80, 6))


class Exporter:
    """One exporter's stream: each call is one message of records."""

    def __init__(self, fields: tuple[tuple[int, int], ...]) -> None:
        self.decoder = NetflowDecoder(Texts())
        self._sequence = 0
        self._send(a_set(0, template(256, fields)))

    def _send(self, octets: bytes, domain: int = 1) -> Rows:
        told = self.decoder.decode(messages(v9(octets, sequence=self._sequence, domain=domain)))
        self._sequence += 1
        return told.flows

    def counted(self, *out: tuple[int, int]) -> list[int]:
        """Octets back of records of 100 octets and 2 packets, given what each states in OUT."""
        rows = self._send(a_set(256, b"".join(record() + struct.pack("!II", *each) for each in out)))
        return rows["octets_back"].tolist()

    def framed(self, *macs: tuple[int, int]) -> list[int]:
        """Destinations told of records, given (source, destination) of the frames."""
        each = (record() + source.to_bytes(6) + to.to_bytes(6) for source, to in macs)
        return self._send(a_set(256, b"".join(each)))["dst_mac"].tolist()


def test_out_is_a_way_back_from_the_first_that_differs() -> None:
    exporter = Exporter(BOTH_WAYS)
    assert exporter.counted((100, 2), (0, 0)) == [0, 0]
    assert exporter.counted((100, 2), (77, 2)) == [100, 77]
    assert exporter.counted((100, 2), (0, 0)) == [100, 0]


def test_what_a_policer_dropped_makes_no_way_back() -> None:
    exporter = Exporter(BOTH_WAYS)
    assert exporter.counted(*[(100, 2)] * 20, (50, 1)) == [0] * 21


def test_nothing_counted_back_says_nothing() -> None:
    exporter = Exporter(BOTH_WAYS)
    exporter.counted(*[(0, 0)] * 50)
    assert exporter.counted((100, 2)) == [0]


def test_a_new_firmware_is_believed_soon() -> None:
    exporter = Exporter(BOTH_WAYS)
    for _ in range(4 * _SEEN_LIMIT // 1000):
        exporter.counted(*[(100, 2)] * 1000)
    for _ in range(_SEEN_LIMIT // 4 // 1000):
        exporter.counted(*[(77, 2)] * 1000)
    assert exporter.counted((77, 2)) == [77]


def test_only_who_sent_a_frame_is_a_destination() -> None:
    exporter = Exporter(WITH_MACS)
    assert exporter.framed((0x0200_0000_0001, 0x0200_0000_00FE)) == [0]
    assert exporter.framed((0x0200_0000_0002, 0x0200_0000_0001)) == [0x0200_0000_0001]
    assert exporter.framed((0x0200_0000_0003, 0x0200_0000_0004), (0x0200_0000_0004, 0xFFFF_FFFF_FFFF)) == [
        0x0200_0000_0004,
        0,
    ]


def test_senders_are_bounded() -> None:
    exporter = Exporter(WITH_MACS)
    for start in range(1, 2 * _SENDERS_LIMIT, 1000):
        exporter.framed(*((0x0200_0000_0000 + mac, 0) for mac in range(start, start + 1000)))
    assert len(exporter.decoder._domains.senders) == _SENDERS_LIMIT
    assert exporter.framed((0x0200_0100_0000, 0x0200_0000_0001)) == [0]

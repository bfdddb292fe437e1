"""What must hold for whole batches of any bytes: the promises of `invariants`, checked in columns."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import Frames
from appliance.wire.careful import LONGEST_PACKET_OCTETS
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from tests.fuzz.invariants import check_one

OTHER_CANARY = 0x08
"""Another filling: bytes that would mean something if they were read."""


def check_batch(frames: Frames, decoder: Decoder) -> int:
    """Decode and look at every column; returns how many packets. The buffer must stay as it was."""
    before = frames.data.copy()
    decoded = decoder.decode(frames)
    assert np.array_equal(before, frames.data), "the buffer was written to"
    for packets in decoded.packets:
        _check_packets(frames, packets)
    _check_claims(frames, decoded)
    return sum(map(len, decoded.packets))


def check_accounts(frames: Frames) -> None:
    """Every frame that cannot be ARP gives a packet or a refusal."""
    where = np.flatnonzero((frames.data[:-1] == 0x08) & (frames.data[1:] == 0x06))
    may_be_arp = np.zeros(len(frames) + 1, np.bool_)
    may_be_arp[np.searchsorted(frames.offsets, where, side="right")] = True
    rows = np.flatnonzero(~may_be_arp[1:])
    columns = (frames.offsets[rows], frames.captured[rows], frames.length[rows], frames.time[rows])
    vlan = None if frames.vlan is None else frames.vlan[rows]
    decoded = Decoder().decode(Frames(frames.data, *columns, frames.link_type, vlan))
    told = np.zeros(len(rows), np.bool_)
    for packets in decoded.packets:
        told[packets.at] = True
    silent = len(rows) - int(np.count_nonzero(told)) - sum(decoded.refused.values())
    assert silent <= 0, "frames that gave neither packets nor refusals"


def _check_packets(frames: Frames, packets: Packets) -> None:
    shortest = 20 if packets.family == 4 else 40
    start = frames.offsets[packets.at]
    captured = start + frames.captured[packets.at]
    everything = np.arange(len(packets))
    ends = packets.ends(everything)
    assert packets.frames is frames, "packets of another batch"
    assert (packets.network >= start).all(), "an IP header before its frame"
    assert (packets.network + shortest <= captured).all(), "addresses that were not captured"
    assert (ends <= captured).all(), "bytes behind the captured ones"
    assert (frames.data[packets.network] >> 4 == packets.family).all(), "another IP version"
    assert ((packets.octets >= shortest) & (packets.octets <= LONGEST_PACKET_OCTETS)).all(), "octets"
    assert (packets.time == frames.time[packets.at]).all(), "another frame's time"
    at, size = (12, 8) if packets.family == 4 else (8, 32)
    lies = frames.window(packets.network + at, size).view("<u8").reshape(len(packets), -1)
    for word, column in enumerate(packets.addresses):
        assert (lies[:, word] == column).all(), "addresses that no byte says"
    _check_transport(frames, packets, ends)
    for macs in (packets.source_mac, packets.destination_mac, packets.ap_mac):
        assert macs is None or (macs >> np.uint64(48) == 0).all(), "a MAC of more than six bytes"
    if packets.vlan is not None:
        assert ((packets.vlan >= -1) & (packets.vlan < 4096)).all(), "a VLAN"


def _check_transport(frames: Frames, packets: Packets, ends: NDArray[np.int64]) -> None:
    rows = np.flatnonzero(packets.transport >= 0)
    assert (packets.transport[rows] > packets.network[rows]).all(), "a transport header before its IP header"
    assert (packets.transport[rows] <= ends[rows]).all(), "a transport header behind the captured bytes"
    with_ports = rows[packets.shape[rows] & PORTS_UNKNOWN == 0]
    assert (packets.transport[with_ports] + 4 <= ends[with_ports]).all(), "ports that were not captured"
    lies = frames.window(packets.transport[with_ports], 4).view("<u4")
    assert (lies == packets.ports[with_ports]).all(), "ports that no bytes say"


def _check_claims(frames: Frames, decoded: Decoded) -> None:
    times = frames.time
    assert np.isin(decoded.claims["seen"], times).all(), "a claim of no frame's time"
    assert (decoded.claims["mac"] >> np.uint64(48) == 0).all()
    assert ((decoded.claims["vlan"] >= -1) & (decoded.claims["vlan"] < 4096)).all()


def check_canary(frames: Frames) -> None:
    """What is said must not change with the bytes that lie between the frames."""
    one = Decoder().decode(frames)
    within = np.zeros(len(frames.data) + 1, np.int64)
    np.add.at(within, frames.offsets, 1)
    np.add.at(within, frames.offsets + frames.captured, -1)
    data = np.where(np.cumsum(within)[:-1] > 0, frames.data, np.uint8(OTHER_CANARY))
    again = Frames(
        data, frames.offsets, frames.captured, frames.length, frames.time, frames.link_type, frames.vlan
    )
    other = Decoder().decode(again)
    assert dict(one.refused) == dict(other.refused), "bytes between frames change what is refused"
    assert dict(one.noted) == dict(other.noted), "bytes between frames change what is noted"
    assert np.array_equal(one.claims, other.claims), "bytes between frames change a claim"
    assert len(one.packets) == len(other.packets), "bytes between frames change packets"
    for some, others in zip(one.packets, other.packets, strict=True):
        for name in ("at", "network", "transport", "shape", "ports", "octets", "tcp_flags", "source_mac"):
            same = np.array_equal(getattr(some, name), getattr(others, name))
            assert same, f"bytes between frames change {name}"
        for name in ("destination_mac", "vlan", "ap_mac", "hidden_mac", "stop"):
            mine, theirs = getattr(some, name), getattr(others, name)
            same = (mine is None and theirs is None) or np.array_equal(mine, theirs)
            assert same, f"bytes between frames change {name}"


def check_alone(frames: Frames, rows: NDArray[np.int64]) -> None:
    """Some frames once more, each by itself: one packet, ARP, or one refusal, and nothing invented."""
    for row in rows.tolist():
        at = int(frames.offsets[row])
        content = frames.data[at : at + int(frames.captured[row])].tobytes()
        check_one(content, frames.link_type)

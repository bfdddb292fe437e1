"""Samples to STATED rows: headers are decoded as frames are, a batch of them at once."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.sflow.samples import Sample
from appliance.model.addresses import MAPPED_V4
from appliance.model.frames import PADDING_BYTES, Frames
from appliance.model.reasons import Refusal
from appliance.model.rows import STATED
from appliance.wire.decode import Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets

Rows = NDArray[np.void]
U64 = NDArray[np.uint64]

_ENDS = ("src_ip_hi", "src_ip_lo", "dst_ip_hi", "dst_ip_lo")


def stated(samples: Sequence[Sample], wire: Decoder, refused: Counter[str], noted: Counter[str]) -> Rows:
    """A row of each packet that a sample names; of what it does not name IP in, the refusal is counted."""
    rows = [_by_ends([sample for sample in samples if sample.link_type == -1], refused)]
    refused[Refusal.LINK_TYPE] += sum(sample.link_type == -2 for sample in samples)
    for link_type in sorted({sample.link_type for sample in samples if sample.link_type >= 0}):
        alike = [sample for sample in samples if sample.link_type == link_type]
        decoded = wire.decode(_frames(alike, link_type))
        for counter, counts in ((refused, decoded.refused), (noted, decoded.noted)):
            for reason, count in counts.items():
                counter[reason.value] += count
        refused[Refusal.NOTHING_TO_KEEP] += len(decoded.claims)  # ARP: no evidence if it is sampled
        rows += [_by_header(packets, alike) for packets in decoded.packets]
    return np.concatenate(rows)


def _frames(samples: Sequence[Sample], link_type: int) -> Frames:
    captured = np.array([len(sample.header) for sample in samples], np.int64)
    data = b"".join(sample.header for sample in samples) + bytes(PADDING_BYTES)
    return Frames(
        np.frombuffer(data, np.uint8),
        np.cumsum(captured) - captured,
        captured,
        np.maximum([sample.frame_octets for sample in samples], captured),
        np.array([sample.received_ns for sample in samples], np.int64),
        link_type,
    )


def _by_header(packets: Packets, samples: Sequence[Sample]) -> Rows:
    rows = _about([samples[at] for at in packets.at.tolist()])
    for name, column in zip(_ENDS, _addresses(packets), strict=True):
        rows[name] = column
    rows["protocol"] = packets.shape & np.uint16(0xFF)
    portless = packets.shape >= PORTS_UNKNOWN
    for name, ports in (("src_port", packets.ports), ("dst_port", packets.ports >> np.uint32(16))):
        rows[name] = np.where(portless, -1, ports.astype(np.uint16).byteswap().astype(np.int32))
    rows["octets"] = packets.octets
    for name, macs in (("src_mac", packets.source_mac), ("dst_mac", packets.destination_mac)):
        hidden = np.zeros(len(rows), np.bool_) if packets.hidden_mac is None else packets.hidden_mac
        rows[name] = np.where(hidden, np.uint64(0), macs.byteswap() >> np.uint64(16))
    if packets.vlan is not None:
        rows["vlan"] = np.where(packets.vlan >= 0, packets.vlan, rows["vlan"])
    if packets.ap_mac is not None:
        seen = packets.ap_mac.byteswap() >> np.uint64(16)
        rows["ap_mac"] = np.where(seen > 0, seen, rows["ap_mac"])
    return rows


def _addresses(packets: Packets) -> tuple[U64, ...]:
    if packets.family == 6:
        return tuple(word.byteswap() for word in packets.addresses)
    pair, none = packets.addresses[0], np.zeros(len(packets), np.uint64)
    source, destination = (
        half.astype(np.uint32).byteswap().astype(np.uint64) | np.uint64(MAPPED_V4)
        for half in (pair, pair >> np.uint64(32))
    )
    return none, source, none, destination


def _by_ends(samples: Sequence[Sample], refused: Counter[str]) -> Rows:
    known = [sample for sample in samples if sample.ends is not None]
    refused[Refusal.NO_ADDRESSES] += len(samples) - len(known)
    rows = _about(known)
    for row, sample in zip(rows, known, strict=True):
        ends = sample.ends
        assert ends is not None
        for name, half in zip(_ENDS, (*ends.source, *ends.destination), strict=True):
            row[name] = half
        row["octets"], row["protocol"] = ends.octets, ends.protocol
        row["src_port"], row["dst_port"] = ends.ports
        row["src_mac"], row["dst_mac"] = sample.macs
    return rows


def _about(samples: Sequence[Sample]) -> Rows:
    """Rows with everything that is not in a packet's header. The instant is that of receipt."""
    rows = np.zeros(len(samples), STATED)
    received = [sample.received_ns for sample in samples]
    for name in ("first", "last", "received"):
        rows[name] = received
    rows["packets"] = 1
    rows["by_receipt"] = True
    for name in ("vlan", "ap_mac"):
        rows[name] = [getattr(sample, name) for sample in samples]
    rows["sampling"] = [sample.rate for sample in samples]
    for at, sample in enumerate(samples):
        if sample.nat[0] != (0, 0) or sample.nat[1] != (0, 0):
            for side, address, port in zip(("src", "dst"), sample.nat, sample.nat_ports, strict=True):
                rows[f"nat_{side}_ip_hi"][at], rows[f"nat_{side}_ip_lo"][at] = address
                rows[f"nat_{side}_port"][at] = port
    return rows

# SPDX-License-Identifier: GPL-2.0-only
"""What access points send their controllers (CAPWAP, LWAPP, Aruba's GRE), made by scapy, and what it is.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/access_point_frames.py` prints one
JSON object a line: {"name", "frame" (hex), "inner": where the inner frame begins, "packets": [[source,
destination, source port, destination port, octets, source MAC, destination MAC, access point]], "refused":
{reason: count}, "noted": {note: count}}.
"""

import json
import struct
from collections.abc import Iterator

from scapy.fields import BitField, ShortField
from scapy.layers.dot11 import Dot11, Dot11Beacon, Dot11QoS
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import GRE, LLC, SNAP, Ether
from scapy.packet import Packet, Raw

STATION, GATEWAY, BSSID = "02:11:22:33:44:55", "02:aa:bb:cc:dd:ee", "06:10:20:30:40:50"
RADIO, NOBODY = "06:10:20:30:40:00", "00:00:00:00:00:00"
ACCESS_POINT, CONTROLLER = "10.0.0.5", "10.0.0.1"
CLIENT, PEER = "192.0.2.10", "198.51.100.7"
AP_MAC, CONTROLLER_MAC = "02:05:05:05:05:05", "02:01:01:01:01:01"
INSIDE = IP(src=CLIENT, dst=PEER) / UDP(sport=40001, dport=50001) / Raw(b"\x99" * 30)
STRAY = [ACCESS_POINT, CONTROLLER, 40002, 5247]
AP_MACS = [AP_MAC, CONTROLLER_MAC, NOBODY]


class Capwap(Packet):
    """RFC 5415, 4.3. The optional parts are payload here, `length` counts them."""

    name = "CAPWAP"
    fields_desc = [  # noqa: RUF012
        BitField("version", 0, 4),
        BitField("type", 0, 4),
        BitField("length", 2, 5),
        BitField("radio", 1, 5),
        BitField("binding", 1, 5),
        *(BitField(flag, 0, 1) for flag in ("native", "fragment", "last", "wireless", "mac", "alive")),
        BitField("flags", 0, 3),
        ShortField("identification", 0),
        BitField("offset", 0, 13),
        BitField("reserved", 0, 3),
    ]


def wire(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def station(encrypted: bool = False) -> bytes:
    flags = "to_DS+protected" if encrypted else "to_DS"
    header = Dot11(type=2, subtype=8, FCfield=flags, addr1=BSSID, addr2=STATION, addr3=GATEWAY) / Dot11QoS()
    if encrypted:
        return bytes(header) + bytes(range(200))
    return bytes(header / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / INSIDE)


def exchanged(frame: bytes) -> bytes:
    return frame[1::-1] + frame[2:]


ETHERNET = bytes(Ether(src=STATION, dst=GATEWAY) / INSIDE)
BEACON = bytes(Dot11(type=0, subtype=8, addr1="ff:" * 5 + "ff", addr2=BSSID, addr3=BSSID) / Dot11Beacon())


def told(through: str = BSSID) -> list[list[object]]:
    return [[CLIENT, PEER, 40001, 50001, len(INSIDE), STATION, GATEWAY, through]]


def outer(below: Packet, payload: bytes) -> bytes:
    frame = (
        Ether(src=AP_MAC, dst=CONTROLLER_MAC) / IP(src=ACCESS_POINT, dst=CONTROLLER) / below / Raw(payload)
    )
    return bytes(frame)


def case(
    name: str,
    frame: bytes,
    inner: bytes,
    packets: list[list[object]],
    refused: dict[str, int] | None = None,
    noted: dict[str, int] | None = None,
) -> dict[str, object]:
    return {
        "name": name,
        "frame": frame.hex(),
        "inner": len(frame) - len(inner),
        "packets": packets,
        "refused": refused or {},
        "noted": noted or {},
    }


def capwap(
    name: str, inner: bytes, through: str | None = BSSID, optional: bytes = b"", **fields: int
) -> dict[str, object]:
    """`through` is the access point to be told; None where nothing inside may be read."""
    fields = {"native": 1, "length": 2 + len(optional) // 4, **fields}
    frame = outer(UDP(sport=40002, dport=5247), bytes(Capwap(**fields)) + optional + inner)
    if through is not None:
        return case(f"CAPWAP: {name}", frame, inner, told(through))
    stray = [[*STRAY, len(frame) - 14, *AP_MACS]]
    return case(f"CAPWAP: {name}", frame, inner, stray, noted={"unknown_inner": 1})


def capwaps() -> Iterator[dict[str, object]]:
    data, swapped = station(), exchanged(station())
    mac = b"\x06" + wire(RADIO) + b"\0"
    long_mac = b"\x08" + wire(RADIO) + b"\xff\xfe" + b"\0\0\0"
    wireless = b"\x04\xd0\x1e\0\x0c\0\0\0"
    yield capwap("802.11", data)
    yield capwap("802.11 with its control exchanged", swapped)
    yield capwap("radio MAC", data, optional=mac, mac=1)
    yield capwap("radio EUI-64", data, optional=long_mac, mac=1)
    yield capwap("wireless information", data, optional=wireless, wireless=1)
    yield capwap("radio MAC and wireless information", swapped, optional=mac + wireless, mac=1, wireless=1)
    older = b"\x01\x04\xd0\x1e\0\x0c\0\0"
    yield capwap("wireless information of an older controller", swapped, optional=older, wireless=1)
    yield capwap("Ethernet", ETHERNET, NOBODY, native=0)
    yield capwap("Ethernet with radio MAC", ETHERNET, RADIO, optional=mac, mac=1, native=0)
    yield capwap("first fragment", data, fragment=1, identification=7)
    yield capwap("keep-alive", bytes(16), None, alive=1)
    yield capwap("DTLS", data, None, type=1)
    yield capwap("version 1", data, None, version=1)
    yield capwap("binding 0", data, binding=0)
    yield capwap("binding 0, exchanged", swapped, binding=0)
    yield capwap("binding 0, encrypted", station(encrypted=True), None, binding=0)
    yield capwap("binding 0, management", BEACON, None, binding=0)
    yield capwap("binding 0, garbage", bytes(range(80)), None, binding=0)
    yield capwap("binding 3", data, None, binding=3)
    yield capwap("header of one word", data, None, length=1)
    yield capwap("header longer than its parts", data, None, optional=bytes(4))
    yield capwap("header longer than the packet", data, None, length=31)
    yield capwap("radio MAC that does not fit", data, None, mac=1)
    yield capwap("radio MAC of another length", data, None, optional=b"\x05" + bytes(7), mac=1)
    yield capwap(
        "wireless information that does not fit", data, None, optional=b"\x09" + bytes(7), wireless=1
    )
    yield capwap("reserved flags", data, None, flags=1)
    yield capwap("reserved bits", data, None, reserved=1)
    yield capwap("an offset without the fragment bit", data, None, offset=3)
    for name, inner, fields, refused in (
        ("encrypted", station(encrypted=True), {}, "wifi_encrypted"),
        ("beacon", BEACON, {}, "wifi_no_data"),
    ):
        frame = outer(UDP(sport=5247, dport=40002), bytes(Capwap(native=1, **fields)) + inner)
        yield case(f"CAPWAP: {name}", frame, inner, [], {refused: 1})
    later = {"fragment": 1, "last": 1, "offset": 20}
    yield capwap("later fragment", data[8:], None, identification=7, **later)
    yield capwap("later fragment of another frame", data[8:], None, identification=8, **later)


def lwapps() -> Iterator[dict[str, object]]:
    for name, inner in (("802.11", station()), ("802.11 with its control exchanged", exchanged(station()))):
        header = struct.pack(">BBHBB", 0x08, 1, len(inner), 0xE3, 0x42)
        yield case(f"LWAPP: {name}", outer(UDP(sport=40002, dport=12222), header + inner), inner, told())
    first = struct.pack(">BBHBB", 0x02, 1, len(station()), 0xE3, 0x42)
    frame = outer(UDP(sport=40002, dport=12222), first + station())
    yield case("LWAPP: first fragment", frame, station(), told())
    for name, flags, more in (
        *(("control", 0x04, 0), ("version 1", 0x40, 0)),
        *(("another length", 0x00, 1), ("later fragment", 0x03, 0)),
    ):
        header = struct.pack(">BBHBB", flags, 1, len(station()) + more, 0, 0)
        frame = outer(UDP(sport=40002, dport=12222), header + station())
        stray = [[ACCESS_POINT, CONTROLLER, 40002, 12222, len(frame) - 14, *AP_MACS]]
        yield case(f"LWAPP: {name}", frame, station(), stray, noted={"unknown_inner": 1})


def arubas() -> Iterator[dict[str, object]]:
    for protocol in (0x8200, 0x82F0, 0x8300, 0x8370):
        frame = outer(GRE(proto=protocol), station())
        yield case(f"Aruba: {protocol:x}", frame, station(), told())
    frame = outer(GRE(proto=0x8200), station(encrypted=True))
    yield case("Aruba: encrypted", frame, station(encrypted=True), [], {"wifi_encrypted": 1})
    for protocol in (0x8201, 0x8380, 0x9000):
        frame = outer(GRE(proto=protocol), station())
        stray = [[ACCESS_POINT, CONTROLLER, -1, -1, len(frame) - 14, *AP_MACS]]
        yield case(f"Aruba: {protocol:x}", frame, station(), stray, noted={"unknown_inner": 1})


def main() -> None:
    for cases in (capwaps, lwapps, arubas):
        for one in cases():
            print(json.dumps(one))


if __name__ == "__main__":
    main()

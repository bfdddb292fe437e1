# SPDX-License-Identifier: GPL-2.0-only
"""802.11 frames of all kinds made by scapy, each with what it must be taken for.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/wifi_frames.py` prints one JSON
object a line: {"name", "link" (link type), "frame" (hex), "layers": [[source, destination, access point,
ethertype, where the network layer begins, where it ends]], "refused": {reason: count}}.
"""

import json
import struct
from collections.abc import Iterator

from scapy.layers.dot11 import Dot11, Dot11Beacon, Dot11FCS, Dot11QoS, RadioTap
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, LLC, SNAP, STP, Ether
from scapy.layers.ppi import PPI
from scapy.packet import Packet, Raw

STATION, GATEWAY, BSSID = "02:11:22:33:44:55", "02:aa:bb:cc:dd:ee", "06:10:20:30:40:50"
RELAY, OTHER, GROUP, NOBODY = "06:66:66:66:66:66", "02:77:77:77:77:77", "01:00:5e:00:00:fb", "00:" * 5 + "00"
BARE, PRISM, RADIOTAP, AVS, PPI_LINK, SWAPPED = 105, 119, 127, 163, 192, 1 << 16 | 105
UDP4 = IP(src="192.0.2.10", dst="198.51.100.7") / UDP(sport=40001, dport=50001) / Raw(b"\x99" * 30)
TCP6 = IPv6(src="2001:db8::10", dst="2001:db9::7") / TCP(sport=40001, dport=50001, flags="S")
WHO_HAS = ARP(hwsrc=STATION, psrc="192.0.2.10", pdst="192.0.2.1")
IP4, IP6, ARP_KIND = 0x0800, 0x86DD, 0x0806
UP = {"FCfield": "to_DS", "addr1": BSSID, "addr2": STATION, "addr3": GATEWAY}
Told = list[list[object]]


def snap(kind: int, packet: Packet, oui: int = 0) -> Packet:
    return LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=oui, code=kind) / packet


def made(
    name: str,
    frame: Packet | bytes,
    layers: Told | None = None,
    link: int = BARE,
    **refused: int,
) -> dict[str, object]:
    told = layers or []
    return {"name": name, "link": link, "frame": bytes(frame).hex(), "layers": told, "refused": refused}


def one(
    header: Packet | bytes,
    packet: Packet = UDP4,
    kind: int = IP4,
    source: str = STATION,
    destination: str = GATEWAY,
    through: str = BSSID,
    before: bytes = b"",
    after: bytes = b"",
    oui: int = 0,
) -> tuple[bytes, Told]:
    """A frame of one payload and what it is; `before` lies between header and LLC."""
    begin = len(bytes(header)) + len(before)
    body = bytes(snap(kind, packet, oui))
    told = [source, destination, through, kind, begin + 8, begin + len(body) + len(after)]
    return bytes(header) + before + body + after, [told]


def data(**fields: object) -> Packet:
    return Dot11(type=2, subtype=0, **{**UP, **fields})


def quality(**fields: object) -> Packet:
    """A QoS data header; fields in capitals go to the QoS control."""
    control = {name: fields.pop(name) for name in list(fields) if name in ("A_MSDU_Present", "TXOP", "TID")}
    return Dot11(type=2, subtype=8, **{**UP, **fields}) / Dot11QoS(**control)


def directions() -> Iterator[dict[str, object]]:
    yield made("to the DS", *one(data()))
    yield made("to the DS, QoS", *one(quality(TID=5)))
    down = {"FCfield": "from_DS", "addr1": STATION, "addr2": BSSID, "addr3": GATEWAY}
    yield made("from the DS", *one(data(**down), source=GATEWAY, destination=STATION))
    yield made("from the DS, QoS", *one(quality(**down), source=GATEWAY, destination=STATION))
    group = {**down, "addr1": GROUP}
    yield made("from the DS to a group", *one(data(**group), source=GATEWAY, destination=GROUP))
    direct = {"FCfield": 0, "addr1": OTHER, "addr2": STATION, "addr3": BSSID}
    yield made("between stations", *one(data(**direct), destination=OTHER))
    beside = {**direct, "addr3": "ff:ff:ff:ff:ff:ff"}
    yield made("outside any BSS", *one(data(**beside), destination=OTHER, through=NOBODY))
    relayed = {"FCfield": "to_DS+from_DS", "addr1": RELAY, "addr2": BSSID, "addr3": GATEWAY, "addr4": STATION}
    yield made("four addresses", *one(data(**relayed), through=NOBODY))
    yield made("four addresses, QoS", *one(quality(**relayed), through=NOBODY))
    yield made("IPv6", *one(quality(), TCP6, IP6))
    yield made("ARP", *one(quality(), WHO_HAS, ARP_KIND))
    yield made("EAPOL", *one(quality(), Raw(b"\x02\x03\0\x04abcd"), 0x888E))
    yield made("retry, power save, more data", *one(data(FCfield="to_DS+retry+pw_mgt+MD", SC=0x7770)))
    yield made("bridged SNAP", *one(data(), kind=0x8137, oui=0xF8))
    yield made("HT control", *one(bytes(quality(FCfield="to_DS+order")) + b"\x03\0\0\0"))
    yield made("strictly ordered, without QoS", *one(data(FCfield="to_DS+order")))
    swapped, told = one(data())
    yield made("exchanged control", swapped[1::-1] + swapped[2:], told, SWAPPED)


def meshes() -> Iterator[dict[str, object]]:
    relayed = {"FCfield": "to_DS+from_DS", "addr1": RELAY, "addr2": OTHER, "addr3": GATEWAY, "addr4": STATION}
    control = struct.pack("<BBI", 0, 31, 7)
    yield made("mesh", *one(quality(**relayed, TXOP=1), through=NOBODY, before=control))
    beyond = {**relayed, "addr3": RELAY, "addr4": OTHER}
    ends = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (GATEWAY, STATION))
    before = b"\x02" + control[1:] + ends
    yield made("mesh between others", *one(quality(**beyond, TXOP=1), through=NOBODY, before=before))
    group = {"FCfield": "from_DS", "addr1": GROUP, "addr2": RELAY, "addr3": OTHER}
    before = b"\x01" + control[1:] + ends[6:]
    told = {"destination": GROUP, "through": NOBODY}
    yield made("mesh to a group", *one(quality(**group, TXOP=1), before=before, **told))
    yield made(
        "buffered at the AP, no mesh",
        *one(quality(**{**group, "addr2": BSSID}, TXOP=1), source=OTHER, destination=GROUP),
    )


def subframe(body: bytes, source: str = STATION, destination: str = GATEWAY, size: int = -1) -> bytes:
    macs = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (destination, source))
    return macs + struct.pack(">H", len(body) if size < 0 else size) + body


def aggregates() -> Iterator[dict[str, object]]:
    header = bytes(quality(A_MSDU_Present=1, addr3=BSSID))
    packets = [(UDP4, IP4), (TCP6, IP6), (IP(src="192.0.2.10", dst="192.0.2.1") / ICMP() / Raw(b"123"), IP4)]
    frame, told = header, []
    for number, (packet, kind) in enumerate(packets):
        frame += bytes(-(len(frame) - len(header)) % 4)
        body = bytes(snap(kind, packet))
        target = f"02:00:00:00:00:{number:02x}"
        told.append([STATION, target, BSSID, kind, len(frame) + 22, len(frame) + 14 + len(body)])
        frame += subframe(body, destination=target)
    yield made("A-MSDU", frame, told)
    yield made("A-MSDU with a checksum that nobody told of", frame + b"\xfc\xfc\xfc\xfc", told)
    pad = -(len(frame) - len(header)) % 4
    beyond = subframe(bytes(snap(IP4, UDP4)), size=999)
    yield made("A-MSDU beyond its frame", frame + bytes(pad) + beyond, told, bad_length=1)
    spanning = subframe(b"\x42\x42\x03" + b"\0" * 35)
    yield made("A-MSDU with another LLC", frame + bytes(pad) + spanning, told, not_ip=1)
    yield made("A-MSDU of nothing", header + bytes(40), bad_length=1)
    small = subframe(bytes(snap(IP4, IP(src="192.0.2.10", dst="192.0.2.1", proto=59))))
    size = -(-len(small) // 4) * 4
    small = small.ljust(size, b"\0")
    many = [
        [STATION, GATEWAY, BSSID, IP4, len(header) + size * k + 22, len(header) + size * k + 42]
        for k in range(192)
    ]
    yield made("A-MSDU of very many", header + small * 192, many)
    yield made("A-MSDU of too many", header + small * 200, many, bad_length=1)
    yield made("A-MSDU in name only", *one(quality(A_MSDU_Present=1)))


def protected() -> Iterator[dict[str, object]]:
    flags = {"FCfield": "to_DS+protected"}
    cipher = bytes(range(7, 250, 3))
    yield made("encrypted", bytes(quality(**flags)) + b"\x01\0\0\x20\0\0\0\0" + cipher, wifi_encrypted=1)
    yield made("encrypted, no QoS", bytes(data(**flags)) + cipher, wifi_encrypted=1)
    later = bytes(data(**flags, SC=0x12)) + cipher
    yield made("encrypted later fragment", later, wifi_encrypted=1)
    for name, cut in (("no cipher header", b""), ("CCMP", b"\x01\0\0\x20\0\0\0\0"), ("WEP", b"\x01\2\3\0")):
        yield made(
            f"in clear although protected, {name}", *one(quality(**flags), before=cut, after=b"MIC?MIC?")
        )
        yield made(f"IPv6 in clear, {name}", *one(data(**flags), TCP6, IP6, before=cut))
        yield made(f"ARP in clear, {name}", *one(data(**flags), WHO_HAS, ARP_KIND, before=cut))
    body = bytes(snap(IP4, UDP4))
    header = bytes(quality(**flags, A_MSDU_Present=1, addr3=BSSID)) + b"\x01\0\0\x20\0\0\0\0"
    told = [[STATION, GATEWAY, BSSID, IP4, len(header) + 22, len(header) + 14 + len(body)]]
    yield made("A-MSDU in clear", header + subframe(body), told)
    yield made("clear, but of no known kind", one(data(**flags), kind=0x1234)[0], wifi_encrypted=1)
    yield made("clear, but not what it says", one(data(**flags), TCP6)[0], wifi_encrypted=1)


def empty() -> Iterator[dict[str, object]]:
    yield made("null", Dot11(type=2, subtype=4, **UP), wifi_no_data=1)
    yield made("QoS null", Dot11(type=2, subtype=12, **UP) / Dot11QoS(), wifi_no_data=1)
    beacon = Dot11(type=0, subtype=8, addr1="ff:ff:ff:ff:ff:ff", addr2=BSSID, addr3=BSSID) / Dot11Beacon()
    yield made("beacon", beacon, wifi_no_data=1)
    yield made("acknowledgement", Dot11(type=1, subtype=13, addr1=BSSID), wifi_no_data=1)
    yield made("extension", Dot11(type=3, subtype=0, addr1=BSSID), wifi_no_data=1)
    yield made("version 1", bytes([bytes(data())[0] | 1]) + one(data())[0][1:], bad_version=1)
    yield made("first fragment", *one(data(FCfield="to_DS+MF", SC=0x10)))
    yield made("later fragment", bytes(data(SC=0x11)) + b"\x99" * 60, wifi_fragment=1)
    yield made("later fragment that looks like a first", one(data(SC=0x11))[0], wifi_fragment=1)
    yield made("spanning tree", data() / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(), not_ip=1)
    yield made("SNAP of a vendor", one(data(), oui=0x00000C)[0], not_ip=1)


def radios() -> Iterator[dict[str, object]]:
    """The same frame behind every header; offsets move by its size."""
    bare, told = one(quality())

    def behind(name: str, header: bytes, link: int, frame: bytes = bare, by: int = 0) -> dict[str, object]:
        moved = [[*row[:4], row[4] + len(header) + by, row[5] + len(header) + by] for row in told]
        return made(name, header + frame, moved, link)

    fcs = bytes(Dot11FCS(bytes(bare)))[len(bytes(Dot11FCS(bytes(bare)))) - 4 :]
    yield behind("radiotap", bytes(RadioTap(present=0)), RADIOTAP)
    yield behind("radiotap, rate", bytes(RadioTap(present="Rate", Rate=6)), RADIOTAP)
    with_fcs = bytes(RadioTap(present="TSFT+Flags", mac_timestamp=1, Flags="FCS"))
    yield behind("radiotap with FCS", with_fcs, RADIOTAP, bare + fcs)
    yield behind(
        "radiotap with FCS, no time", bytes(RadioTap(present="Flags", Flags="FCS")), RADIOTAP, bare + fcs
    )
    # Two words more of presence, then time and flags: the time is aligned to eight bytes.
    words = struct.pack("<III", 0xA000_0003, 0xA000_0000, 0)
    chain = struct.pack("<BBH", 0, 0, 25) + words + struct.pack("<QB", 5, 0x10)
    yield behind("radiotap, three presence words", chain, RADIOTAP, bare + fcs)
    words = struct.pack("<II", 0x8000_0003, 0)
    chain = struct.pack("<BBH", 0, 0, 25) + words + bytes(4) + struct.pack("<QB", 5, 0x10)
    yield behind("radiotap, two presence words, aligned", chain, RADIOTAP, bare + fcs)
    endless = struct.pack("<BBH", 0, 0, 80) + b"\xff" * 76
    yield behind("radiotap, endless presence", endless, RADIOTAP)
    padded = bare[:26] + b"\0\0" + bare[26:]
    flags = bytes(RadioTap(present="Flags", Flags="pad"))
    yield behind("radiotap, padded header", flags, RADIOTAP, padded, by=2)
    damaged = bytes(RadioTap(present="Flags", Flags="FCS+badFCS"))
    yield made("radiotap, wrong FCS", damaged + bare + fcs, link=RADIOTAP, wifi_damaged=1)
    yield made("radiotap, version 1", b"\x01\0\x08\0\0\0\0\0" + bare, link=RADIOTAP, bad_version=1)
    yield made("radiotap, too short a length", b"\0\0\x07\0\0\0\0\0" + bare, link=RADIOTAP, bad_length=1)
    yield made("radiotap, longer than its frame", b"\0\0\xff\x7f\0\0\0\0" + bare, link=RADIOTAP, cut_short=1)
    for flag, tail in ((0, b""), (1, fcs)):
        common = struct.pack("<HHQHHHHBBbb", 2, 20, 1, flag, 12, 2412, 0, 0, 0, -50, -90)
        header = struct.pack("<BBHI", 0, 0, 8 + len(common), 105) + common
        yield behind(f"PPI, FCS {flag}", header, PPI_LINK, bare + tail)
        odd = struct.pack("<HH3sx", 29999, 3, b"any")
        header = struct.pack("<BBHI", 0, 1, 8 + len(odd) + len(common), 105) + odd + common
        yield behind(f"PPI, aligned, FCS {flag}", header, PPI_LINK, bare + tail)
    common = struct.pack("<HHQHHHHBBbb", 2, 20, 1, 5, 12, 2412, 0, 0, 0, -50, -90)
    wrong = struct.pack("<BBHI", 0, 0, 32, 105) + common + bare + fcs
    yield made("PPI, wrong FCS", wrong, link=PPI_LINK, wifi_damaged=1)
    ethernet = Ether(src=STATION, dst=GATEWAY) / UDP4
    end = 8 + len(ethernet)
    wired = struct.pack("<BBHI", 0, 0, 8, 1) + bytes(ethernet)
    yield made("PPI of Ethernet", wired, [[STATION, GATEWAY, NOBODY, IP4, 22, end]], PPI_LINK)
    yield made("PPI of PPP", struct.pack("<BBHI", 0, 0, 8, 9) + bare, link=PPI_LINK, link_type=1)
    plain = PPI(dlt=105)
    yield behind("PPI of scapy", bytes(plain), PPI_LINK)
    for order in "<>":
        prism = struct.pack(f"{order}II16s", 0x44, 144, b"wlan0").ljust(144, b"\0")
        yield behind(f"Prism {order}", prism, PRISM)
    avs = struct.pack(">II", 0x80211001, 64).ljust(64, b"\0")
    yield behind("AVS", avs, AVS)
    yield behind("AVS in place of Prism", avs, PRISM)
    yield made("neither Prism nor AVS", bytes(144) + bare, link=PRISM, bad_version=1)
    yield made(
        "Prism where AVS is told", struct.pack("<II", 0x44, 144) + bytes(136) + bare, link=AVS, bad_version=1
    )


def main() -> None:
    for cases in (directions, meshes, aggregates, protected, empty, radios):
        for case in cases():
            print(json.dumps(case))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-only
"""Exports that no public capture has: stations, translations, biflows; made by scapy, and what they say.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/netflow_exports.py` prints one JSON
object a line: {"name", "messages": [hex], "flows": [{column: value}], "claims": [...], "translations":
[...]}: of each row the columns that matter, addresses and MACs as text.
"""

import json
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from scapy.layers.netflow import (
    NetflowDataflowsetV9,
    NetflowFlowsetV9,
    NetflowHeader,
    NetflowHeaderV9,
    NetflowHeaderV10,
    NetflowRecordV9,
    NetflowTemplateFieldV9,
    NetflowTemplateV9,
)

EXPORTED_S = 1_790_000_000
EXPORTED_MS = EXPORTED_S * 1000
UPTIME_MS = 86_400_000
Field = tuple[int, Any] | tuple[int, Any, int]
STATION, AP, NEXT_HOP = "02:11:22:33:44:55", "06:10:20:30:40:50", "02:aa:bb:cc:dd:ee"
WIDTHS = {
    1: 8,
    2: 8,
    4: 1,
    7: 2,
    11: 2,
    21: 4,
    22: 4,
    23: 4,
    24: 4,
    61: 1,
    58: 2,
    136: 1,
    150: 4,
    151: 4,
    158: 4,
    159: 4,
    161: 4,
    243: 2,
    352: 8,
}
WIDTHS |= {
    227: 2,
    228: 2,
    229: 1,
    230: 1,
    233: 1,
    361: 2,
    362: 2,
    363: 2,
    364: 2,
    40003: 2,
    40004: 2,
    40005: 1,
}
REVERSE = 29305


def octets(element: int, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and value.count(":") == 5 and len(value) == 17:
        return bytes.fromhex(value.replace(":", ""))
    if isinstance(value, str):
        return ip_address(value).packed
    return value.to_bytes(WIDTHS.get(element, 8), "big")


def variable(text: bytes) -> bytes:
    """RFC 7011 section 7: an octet of length, or 255 and two."""
    return bytes([len(text)]) + text if len(text) < 255 else b"\xff" + struct.pack("!H", len(text)) + text


def export(version: int, *records: list[Field], enterprises: dict[int, int] | None = None) -> list[str]:
    """Messages: a template of the first record's fields, and the records. Bytes in a tuple vary in length."""
    enterprises = enterprises or {}
    fields, data = [], []
    for place, (element, value, *_) in enumerate(records[0]):
        length = 65535 if isinstance(value, tuple) else len(octets(element, value))
        if place in enterprises:
            fields.append(
                NetflowTemplateFieldV9(
                    enterpriseBit=1,
                    fieldType=element,
                    fieldLength=length,
                    enterpriseNumber=enterprises[place],
                )
            )
        else:
            high, low = divmod(element, 1 << 15)
            fields.append(NetflowTemplateFieldV9(enterpriseBit=0, fieldType=low, fieldLength=length))
            if high:  # v9 has no enterprise bit: the number goes on there
                fields[-1] = NetflowRecordV9(fieldValue=struct.pack("!HH", element, length))
    for record in records:
        for element, value, *_ in record:
            data.append(variable(value[0]) if isinstance(value, tuple) else octets(element, value))
    template = NetflowFlowsetV9(templates=[NetflowTemplateV9(templateID=300, template_fields=fields)])
    template.flowSetID = 0 if version == 9 else 2
    sets = template / NetflowDataflowsetV9(
        templateID=300, records=[NetflowRecordV9(fieldValue=b"".join(data))]
    )
    if version == 9:
        header = NetflowHeaderV9(
            count=2, sysUptime=UPTIME_MS, unixSecs=EXPORTED_S, packageSequence=1, SourceID=1
        )
    else:
        # scapy leaves the version's two octets out of the length.
        whole = 16 + len(bytes(sets))
        header = NetflowHeaderV10(length=whole, ExportTime=EXPORTED_S, flowSequence=0, ObservationDomainID=1)
    return [bytes(NetflowHeader(version=version) / header / sets).hex()]


def case(name: str, messages: list[str], **told: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "messages": messages, "flows": [], "claims": [], "translations": [], **told}


def ends(src: str, dst: str, sport: int, dport: int, protocol: int = 6) -> tuple[list[Field], dict[str, Any]]:
    v6 = ":" in src
    fields: list[Field] = [
        (27 if v6 else 8, src),
        (28 if v6 else 12, dst),
        (7, sport),
        (11, dport),
        (4, protocol),
    ]
    return fields, {
        "src_ip": src, "dst_ip": dst, "src_port": sport, "dst_port": dport, "protocol": protocol
    }  # fmt: skip


UP, UP_TOLD = ends("192.0.2.10", "198.51.100.7", 40001, 443)
DOWN, DOWN_TOLD = ends("198.51.100.7", "192.0.2.10", 443, 40001)
SIX, SIX_TOLD = ends("2001:db8::10", "2001:db8:1::7", 40001, 443, 17)
COUNTED: list[Field] = [(1, 1234), (2, 5)]
COUNTED_TOLD = {"octets": 1234, "packets": 5}


def stations() -> Iterator[dict[str, Any]]:
    ssid = b"Caf\xc3\xa9"
    wireless: list[Field] = [(365, STATION), (367, AP), (147, ssid + bytes(33 - len(ssid)))]
    for direction, record, told, side in ((0, UP, UP_TOLD, "src_mac"), (1, DOWN, DOWN_TOLD, "dst_mac")):
        yield case(
            f"station by direction {direction}",
            export(9, [*record, *COUNTED, *wireless, (61, direction)]),
            flows=[{**told, **COUNTED_TOLD, side: STATION, "ap_mac": AP, "ssid": "Café"}],
        )
    yield case(
        "station by its address",
        export(10, [*DOWN, *COUNTED, *wireless[:2], (366, "192.0.2.10"), (147, (ssid,)), (371, (b"alice",))]),
        flows=[{**DOWN_TOLD, "dst_mac": STATION, "ap_mac": AP, "ssid": "Café", "user": "alice"}],
        claims=[{"ip": "192.0.2.10", "mac": STATION, "ap_mac": AP, "ssid": "Café", "user": "alice"}],
    )
    controller: list[Field] = [(366, "192.0.2.10"), *wireless, (61, 0), (1, 999), (2, 3)]
    other: list[Field] = [(366, "192.0.2.11"), (365, "02:11:22:33:44:56"), *controller[2:]]
    yield case(
        "a controller that names no peers",
        export(9, controller, other, controller),
        claims=[
            {"ip": "192.0.2.11", "mac": "02:11:22:33:44:56", "ap_mac": AP, "ssid": "Café"},
            {"ip": "192.0.2.10", "mac": STATION, "ap_mac": AP, "ssid": "Café"},
        ],
    )
    router: list[Field] = [(56, STATION), (80, NEXT_HOP), (81, NEXT_HOP), (57, "02:00:00:00:00:09"), (58, 12)]
    yield case(
        "MACs of a router",
        export(9, [*UP, *COUNTED, *router]),
        flows=[{**UP_TOLD, "src_mac": STATION, "dst_mac": "02:00:00:00:00:09", "vlan": 12}],
    )
    yield case(
        "MACs of a bridge",
        export(
            9,
            [*UP, *COUNTED, *router[:2], (243, 13)],
            [*DOWN, *COUNTED, (56, NEXT_HOP), (80, STATION), (243, 13)],
        ),
        flows=[
            {**UP_TOLD, "src_mac": STATION, "dst_mac": NEXT_HOP, "vlan": 13},
            {**DOWN_TOLD, "src_mac": NEXT_HOP, "dst_mac": STATION, "vlan": 13},
        ],
    )
    own = "02:00:00:00:00:01"
    yield case(
        "MACs of what comes into a router",
        export(9, [*UP, *COUNTED, (56, STATION), (80, own)], [*DOWN, *COUNTED, (56, NEXT_HOP), (80, own)]),
        flows=[
            {**UP_TOLD, "src_mac": STATION, "dst_mac": "00:00:00:00:00:00"},
            {**DOWN_TOLD, "src_mac": NEXT_HOP, "dst_mac": "00:00:00:00:00:00"},
        ],
    )


def counters() -> Iterator[dict[str, Any]]:
    back = {"octets_back": 77, "packets_back": 2, "biflow": True}
    yield case(
        "biflow with reverse elements",
        export(10, [*UP, *COUNTED, (1, 77), (2, 2)], enterprises={7: REVERSE, 8: REVERSE}),
        flows=[{**UP_TOLD, **COUNTED_TOLD, **back}],
    )
    yield case(
        "initiator and responder",
        export(10, [*SIX, (231, 1234), (298, 5), (232, 77), (299, 2)]),
        flows=[{**SIX_TOLD, **COUNTED_TOLD, **back}],
    )
    yield case(
        "OUT_BYTES beside IN_BYTES in v9",
        export(9, [*UP, *COUNTED, (23, 77), (24, 2)]),
        flows=[{**UP_TOLD, **COUNTED_TOLD, **back}],
    )
    echo: list[Field] = [(1, 77), (2, 2), (23, 77), (24, 2)]
    yield case(
        "an equal way back among others",
        export(9, [*UP, *COUNTED, (23, 77), (24, 2)], [*DOWN, *echo]),
        flows=[{**UP_TOLD, **COUNTED_TOLD, **back}, {**DOWN_TOLD, "octets": 77, "packets": 2, **back}],
    )
    same_way = {"octets_back": 0, "packets_back": 0, "biflow": False}
    yield case(
        "OUT_BYTES that only repeats IN_BYTES",
        export(9, [*UP, *echo], [*DOWN, *echo]),
        flows=[{**told, "octets": 77, "packets": 2, **same_way} for told in (UP_TOLD, DOWN_TOLD)],
    )
    yield case(
        "postOctetDeltaCount beside octetDeltaCount in IPFIX",
        export(10, [*UP, *COUNTED, (23, 77), (24, 2)]),
        flows=[{**UP_TOLD, **COUNTED_TOLD, **same_way}],
    )
    yield case("totals only", export(10, [*UP, (85, 1234), (86, 5)]), flows=[{**UP_TOLD, **COUNTED_TOLD}])
    yield case(
        "frames' octets only where IP's are not said",
        export(10, [*UP, (352, 1234), (2, 5)], [*DOWN, (352, 999), (2, 4)]),
        flows=[{**UP_TOLD, **COUNTED_TOLD}, {**DOWN_TOLD, "octets": 999, "packets": 4}],
    )
    odd: list[Field] = [(1, (1234).to_bytes(3, "big")), (2, (5).to_bytes(5, "big"))]
    yield case(
        "counters of three and five octets", export(10, [*UP, *odd]), flows=[{**UP_TOLD, **COUNTED_TOLD}]
    )


def translated() -> Iterator[dict[str, Any]]:
    outside: list[Field] = [(225, "203.0.113.5"), (227, 61001)]
    nat = {"nat_src_ip": "203.0.113.5", "nat_src_port": 61001}
    yield case(
        "a flow with its translation", export(10, [*UP, *COUNTED, *outside]), flows=[{**UP_TOLD, **nat}]
    )
    old: list[Field] = [(40001, "203.0.113.5"), (40003, 61001), (40002, "198.51.100.9"), (40004, 8443)]
    yield case(
        "a firewall's fields before they were IANA's",
        export(9, [*UP, (40005, 2), (85, 1234), *old]),
        flows=[
            {
                **UP_TOLD,
                **nat,
                "nat_dst_ip": "198.51.100.9",
                "nat_dst_port": 8443,
                "octets": 1234,
                "end_reason": 3,
            }
        ],
    )
    session = {
        "ip": "192.0.2.10", "port": 40001, "nat_ip": "203.0.113.5", "nat_port": 61001, "nat_port_last": 61001,
        "peer_ip": "198.51.100.7", "peer_port": 443, "protocol": 6,
    }  # fmt: skip
    when: Field = (323, EXPORTED_MS - 1500)
    seen = {"seen": (EXPORTED_MS - 1500) * 1_000_000}
    for event, released in ((1, False), (2, True), (4, False), (5, True)):
        yield case(
            f"session, natEvent {event}",
            export(10, [*UP, *outside, (230, event), when]),
            translations=[{**session, **seen, "released": released}],
        )
    six, _ = ends("2001:db8::10", "64:ff9b::c633:6407", 40001, 443)
    yield case(
        "NAT64 session",
        export(10, [*six, *outside, (226, "198.51.100.7"), (228, 443), (230, 6), when]),
        translations=[
            {**session, "ip": "2001:db8::10", "peer_ip": "64:ff9b::c633:6407", **seen, "released": False}
        ],
    )
    from_outside, _ = ends("198.51.100.7", "203.0.113.5", 443, 61001)
    yield case(
        "session that began outside",
        export(10, [*from_outside, (226, "192.0.2.10"), (228, 40001), (229, 2), (230, 4), when]),
        translations=[{**session, **seen, "released": False}],
    )
    block = {
        "ip": "192.0.2.10", "nat_ip": "203.0.113.5", "nat_port": 1024, "nat_port_last": 1535, "protocol": 0,
        "peer_ip": "::", "port": 0, **seen,
    }  # fmt: skip
    holder: list[Field] = [(8, "192.0.2.10"), (225, "203.0.113.5")]
    ways: tuple[list[Field], ...] = (
        [(361, 1024), (362, 1535)],
        [(361, 1024), (363, 1), (364, 512)],
        [(361, 1024), (364, 512)],
    )
    for number, way in enumerate(ways):
        for event, released in ((16, False), (17, True)):
            yield case(
                f"block of ports {number}, natEvent {event}",
                export(10, [*holder, *way, (230, event), when]),
                translations=[{**block, "released": released}],
            )
    yield case("addresses exhausted", export(10, [(283, 7), (230, 3), when]))
    yield case("address binding", export(10, [*holder, (230, 14), when]), translations=[
        {**block, "nat_port": 0, "nat_port_last": 0, "released": False}
    ])  # fmt: skip


def dated() -> Iterator[dict[str, Any]]:
    def ntp(seconds: int, fraction: int) -> int:
        return (seconds + 2_208_988_800) << 32 | fraction

    first, last = (EXPORTED_MS - 9000) * 1_000_000, (EXPORTED_MS - 2500) * 1_000_000
    told = {**UP_TOLD, "first": first, "last": last}
    forms: dict[str, list[Field]] = {
        "milliseconds": [(152, EXPORTED_MS - 9000), (153, EXPORTED_MS - 2500)],
        "microseconds": [(154, ntp(EXPORTED_S - 9, 0)), (155, ntp(EXPORTED_S - 3, 1 << 31))],
        "nanoseconds": [(156, ntp(EXPORTED_S - 9, 0)), (157, ntp(EXPORTED_S - 3, 1 << 31))],
        "differences": [(158, (9_000_000).to_bytes(4, "big")), (159, (2_500_000).to_bytes(4, "big"))],
        "start of the device": [
            (160, EXPORTED_MS - 100_000), (22, (91_000).to_bytes(4, "big")), (21, (97_500).to_bytes(4, "big"))
        ],
        "a start and how long": [(152, EXPORTED_MS - 9000), (161, 6500)],
        "an end and how long": [(153, EXPORTED_MS - 2500), (161, 6500)],
    }  # fmt: skip
    for name, fields in forms.items():
        yield case(f"IPFIX dated by {name}", export(10, [*UP, *COUNTED, *fields]), flows=[told])
    uptime: list[Field] = [
        (22, (UPTIME_MS - 9000).to_bytes(4, "big")), (21, (UPTIME_MS - 2500).to_bytes(4, "big"))
    ]  # fmt: skip
    yield case("v9 dated by sysUpTime", export(9, [*UP, *COUNTED, *uptime]), flows=[told])
    wrapped: list[Field] = [((22), ((UPTIME_MS - 90_000_000) % 2**32).to_bytes(4, "big")), (21, uptime[1][1])]
    before = {**told, "first": (EXPORTED_MS - 90_000_000) * 1_000_000}
    yield case("v9 begun before sysUpTime wrapped", export(9, [*UP, *COUNTED, *wrapped]), flows=[before])
    seconds: list[Field] = [
        (150, (EXPORTED_S - 9).to_bytes(4, "big")),
        (151, (EXPORTED_S - 2).to_bytes(4, "big")),
    ]
    yield case(
        "seconds", export(10, [*UP, *COUNTED, *seconds]), flows=[{**told, "last": (EXPORTED_S - 2) * 10**9}]
    )
    yield case("no instants", export(10, [*UP, *COUNTED]), flows=[
        {**UP_TOLD, "first": EXPORTED_S * 10**9, "last": EXPORTED_S * 10**9}
    ])  # fmt: skip


def both_dated() -> Iterator[dict[str, Any]]:
    """RFC 5103: each direction has instants of its own; what is told of both spans them."""

    def ntp(seconds: int, half: int) -> int:
        return (seconds + 2_208_988_800) << 32 | half << 31

    at = EXPORTED_MS
    init: Field = (160, at - 100_000)
    forms: dict[str, tuple[list[Field], list[Field]]] = {
        "seconds": (
            [(150, EXPORTED_S - 60), (151, EXPORTED_S - 59)], [(150, EXPORTED_S - 61), (151, EXPORTED_S - 10)]
        ),
        "milliseconds": ([(152, at - 60_000), (153, at - 59_000)], [(152, at - 61_000), (153, at - 10_000)]),
        "differences": ([(158, 60_000_000), (159, 59_000_000)], [(158, 61_000_000), (159, 10_000_000)]),
        "start of the device": ([init, (22, 40_000), (21, 41_000)], [(22, 39_000), (21, 90_000)]),
    }  # fmt: skip
    told = {**UP_TOLD, **COUNTED_TOLD, "octets_back": 77, "packets_back": 2, "biflow": True}
    span = {"first": (EXPORTED_S - 61) * 10**9, "last": (EXPORTED_S - 10) * 10**9}
    counted: list[Field] = [*UP, *COUNTED, (1, 77), (2, 2)]
    for name, (forth, back) in forms.items():
        record = [*counted, *forth, *back]
        places = (7, 8, len(record) - 2, len(record) - 1)
        yield case(
            f"biflow, back dated by {name}",
            export(10, record, enterprises=dict.fromkeys(places, REVERSE)),
            flows=[{**told, **span}],
        )
    for name, start, end in (("microseconds", 154, 155), ("nanoseconds", 156, 157)):
        forth = [(start, ntp(EXPORTED_S - 60, 0)), (end, ntp(EXPORTED_S - 59, 0))]
        record = [*counted, *forth, (start, ntp(EXPORTED_S - 60, 1)), (end, ntp(EXPORTED_S - 11, 1))]
        yield case(
            f"biflow, back dated by {name}",
            export(10, record, enterprises=dict.fromkeys((7, 8, 11, 12), REVERSE)),
            flows=[{**told, "first": (EXPORTED_S - 60) * 10**9, "last": EXPORTED_S * 10**9 - 10_500_000_000}],
        )
    forth = [(152, EXPORTED_MS - 60_000), (153, EXPORTED_MS - 59_000)]
    silent: list[Field] = [*UP, *COUNTED, (1, 0), (2, 0), *forth, (152, 0), (153, 0)]
    yield case(
        "nothing came back",
        export(10, silent, enterprises=dict.fromkeys((7, 8, 11, 12), REVERSE)),
        flows=[{"first": (EXPORTED_S - 60) * 10**9, "last": (EXPORTED_S - 59) * 10**9, "octets_back": 0}],
    )


def summed() -> Iterator[dict[str, Any]]:
    """RFC 7012: octetTotalCount and packetTotalCount are of all of a flow so far."""

    def report(counts: list[Field], last: int, reason: int, start: int = 300_000) -> list[Field]:
        return [*UP, *counts, (152, EXPORTED_MS - start), (153, EXPORTED_MS - last), (136, reason)]

    def told(octets: int, packets: int, last: int, reason: int) -> dict[str, Any]:
        row = {**UP_TOLD, "octets": octets, "packets": packets, "end_reason": reason}
        return {**row, "last": (EXPORTED_MS - last) * 1_000_000}

    growing = [(1000, 10, 240_000, 2), (2000, 20, 180_000, 2), (3500, 30, 120_000, 2), (3600, 31, 90_000, 3)]
    records = [report([(85, octets), (86, packets)], *rest) for octets, packets, *rest in growing]
    steps = [(1000, 10), (1000, 10), (1500, 10), (100, 1)]
    flows = [told(*step, *rest) for step, (_, _, *rest) in zip(steps, growing, strict=True)]
    yield case("totals of a flow that goes on", export(10, *records), flows=flows)
    yield case("totals stated twice", export(10, records[0], *records, records[1]), flows=flows)
    late = [flows[0], told(2500, 20, 120_000, 2), flows[3]]
    yield case("totals out of order", export(10, records[0], records[2], records[1], records[3]), flows=late)
    anew = report([(85, 3600), (86, 31)], 20_000, 3, 80_000)
    yield case(
        "the next flow of the same ends",
        export(10, *records, anew),
        flows=[*flows, told(3600, 31, 20_000, 3)],
    )
    both = [
        report([(1, octets), (2, packets), (85, total), (86, count)], last, 2)
        for octets, packets, total, count, last in (
            (1000, 10, 1000, 10, 240_000), (0, 0, 1000, 10, 180_000), (500, 5, 1500, 15, 120_000),
        )
    ]  # fmt: skip
    yield case(
        "totals beside counters of each part",
        export(10, *both),
        flows=[told(1000, 10, 240_000, 2), told(500, 5, 120_000, 2)],
    )
    ways = [
        report([(85, 1000 * n), (86, 10 * n), (85, 3000 * n), (86, 20 * n)], 300_000 - 60_000 * n, 2)
        for n in (1, 2, 3)
    ]
    yield case(
        "totals of both ways",
        export(10, *ways, enterprises={7: REVERSE, 8: REVERSE}),
        flows=[
            {
                **told(1000, 10, 300_000 - 60_000 * n, 2),
                "octets_back": 3000,
                "packets_back": 20,
                "biflow": True,
            }
            for n in (1, 2, 3)
        ],
    )


def odd() -> Iterator[dict[str, Any]]:
    both: list[Field] = [(27, "::"), (28, "::"), *UP]
    yield case(
        "IPv4 in a template for both", export(9, [*both, *COUNTED]), flows=[{**UP_TOLD, **COUNTED_TOLD}]
    )
    lists: list[Field] = [(291, (bytes(300),)), *UP, (292, (b"\0\1\2",)), *COUNTED, (82, (b"eth0",))]
    yield case("lists are passed over", export(10, lists, lists), flows=[{**UP_TOLD, **COUNTED_TOLD}] * 2)
    icmp, told = ends("192.0.2.10", "198.51.100.7", 0, 2048, 1)
    yield case(
        "ICMP has no ports", export(9, [*icmp, *COUNTED]), flows=[{**told, "src_port": -1, "dst_port": -1}]
    )
    for reason in range(1, 6):
        yield case(
            f"end reason {reason}", export(10, [*UP, *COUNTED, (136, reason)]), flows=[{"end_reason": reason}]
        )
    yield case("denied, nothing passed", export(9, [*UP, (233, 3), (1, 0)]))
    yield case("denied, and sent", export(9, [*UP, (233, 3), (1, 60)]), flows=[{**UP_TOLD, "octets": 60}])


if __name__ == "__main__":
    for make in (stations, counters, translated, dated, both_dated, summed, odd):
        for each in make():
            print(json.dumps(each))

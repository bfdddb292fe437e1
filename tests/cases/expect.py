"""What tshark says about a capture, in the form our own answers are compared with.

Rewrites `expected.json` of the cases named, of all without names: `python -m tests.cases.expect [NAME ...]`.
Nothing of the product is imported here: the judge must not share its mistakes.
"""

import ipaddress
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent
CAPTURES = (".pcap", ".pcapng", ".gz", ".zst")
TCP, UDP, SCTP, DCCP = 6, 17, 132, 33
EXTENSIONS = {
    0: "ipv6.hopopts.nxt",
    43: "ipv6.routing.nxt",
    44: "ipv6.fraghdr.nxt",
    51: "ah.next_header",
    60: "ipv6.dstopts.nxt",
}
OUTERMOST = (
    *(
        "eth.src",
        "eth.dst",
        "ip.src",
        "ip.dst",
        "ip.proto",
        "ip.len",
        "ip.id",
        "ip.frag_offset",
        "ip.flags.mf",
    ),
    *("ipv6.src", "ipv6.dst", "ipv6.nxt", "ipv6.plen"),
    *("ipv6.fraghdr.offset", "ipv6.fraghdr.more", "ipv6.fraghdr.ident", *EXTENSIONS.values()),
    *("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tcp.flags.syn", "tcp.flags.ack"),
)
CONTROL = (
    *("eth.src", "eth.dst", "arp.opcode", "arp.hw.type", "arp.proto.type"),
    *("arp.src.hw_mac", "arp.src.proto_ipv4", "ipv6.src", "ipv6.hlim", "icmpv6.type"),
    *("icmpv6.nd.na.target_address", "icmpv6.opt.src_linkaddr", "icmpv6.opt.target_linkaddr"),
    *("dhcp.option.dhcp", "dhcp.ip.client", "dhcp.ip.your", "dhcp.hw.mac_addr"),
    *("dhcpv6.msgtype", "dhcpv6.iaaddr.ip", "dhcpv6.iaaddr.valid_lifetime"),
    *("dhcpv6.duidllt.link_layer_addr", "dhcpv6.duidll.link_layer_addr"),
)


def capture_of(case: Path) -> Path:
    """The one capture file in a case's folder."""
    (found,) = [path for path in case.iterdir() if path.suffix in CAPTURES]
    return found


def _tshark(capture: Path, fields: tuple[str, ...], occurrence: str, *more: str) -> Iterator[dict[str, str]]:
    """One dict a frame; with occurrence `a`, several values of a field are joined by blanks."""
    arguments = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", f"occurrence={occurrence}"]
    arguments += ["-E", "separator=/t", "-E", "aggregator=/s", *more]
    # Every packet speaks for itself: no datagram is put together, no TCP state changes what is printed.
    arguments += ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    for field in fields:
        arguments += ["-e", field]
    done = subprocess.run(arguments, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        yield dict(zip(fields, line.split("\t"), strict=True))


def _is_station(mac: str) -> bool:
    return bool(mac) and int(mac.replace(":", ""), 16) != 0 and not int(mac[:2], 16) & 1


@dataclass(frozen=True)
class Packet:
    """One IP packet in tshark's words; ports are -1 where it has none."""

    source_mac: str
    destination_mac: str
    source: str
    destination: str
    protocol: int
    octets: int
    source_port: int
    destination_port: int
    starts_answer: bool  # SYN and ACK: its sender answers


def _ipv6_protocol(row: dict[str, str]) -> int:
    following = int(row["ipv6.nxt"])
    for _ in EXTENSIONS:
        if not row.get(EXTENSIONS.get(following, ""), ""):
            break
        following = int(row[EXTENSIONS[following]])
    return following


def _ports(row: dict[str, str], protocol: int) -> tuple[int, int]:
    name = {TCP: "tcp", UDP: "udp"}.get(protocol, "")
    if not name or not row[f"{name}.srcport"]:
        return -1, -1
    return int(row[f"{name}.srcport"]), int(row[f"{name}.dstport"])


def packets(capture: Path) -> list[Packet]:
    """The outermost IP packet of every frame; later fragments get the ports of their datagram's first."""
    found = []
    first_fragments: dict[tuple[str, ...], tuple[int, int]] = {}
    for row in _tshark(capture, OUTERMOST, "f"):
        is_v4 = bool(row["ip.src"]) and not row["ipv6.src"]
        if not row["ip.src"] and not row["ipv6.src"]:
            continue
        # An IPv4 header may follow an IPv6 one (a tunnel, an ICMP error) and the reverse: outermost wins.
        if row["ip.src"] and row["ipv6.src"]:
            is_v4 = row["ip.proto"] == "41"
        family = "ip" if is_v4 else "ipv6"
        protocol = int(row["ip.proto"]) if is_v4 else _ipv6_protocol(row)
        octets = int(row["ip.len"]) if is_v4 else int(row["ipv6.plen"]) + 40
        ports = _ports(row, protocol)
        offset = row["ip.frag_offset"] if is_v4 else row["ipv6.fraghdr.offset"]
        more = row["ip.flags.mf"] if is_v4 else row["ipv6.fraghdr.more"]
        ident = row["ip.id"] if is_v4 else row["ipv6.fraghdr.ident"]
        datagram = (row[f"{family}.src"], row[f"{family}.dst"], str(protocol), ident)
        if offset not in ("", "0"):
            ports = first_fragments.get(datagram, (-1, -1))
        elif more == "1":
            first_fragments[datagram] = ports
        answers = row["tcp.flags.syn"] == "1" and row["tcp.flags.ack"] == "1"
        found.append(
            Packet(
                row["eth.src"], row["eth.dst"], row[f"{family}.src"], row[f"{family}.dst"], protocol, octets,
                *ports, answers,
            )
        )  # fmt: skip
    return found


def conversations(found: list[Packet]) -> list[list[object]]:
    """[address, address, protocol, packets and bytes from the first to the second, and back], sorted."""
    totals: Counter[tuple[str, str, int, str]] = Counter()
    for packet in found:
        totals[packet.source, packet.destination, packet.protocol, "packets"] += 1
        totals[packet.source, packet.destination, packet.protocol, "bytes"] += packet.octets
    pairs = {(min(a, b), max(a, b), protocol) for a, b, protocol, _ in totals}
    return sorted(
        [a, b, protocol]
        + [
            totals[one, other, protocol, what]
            for one, other in ((a, b), (b, a))
            for what in ("packets", "bytes")
        ]
        if a != b
        else [a, b, protocol, totals[a, a, protocol, "packets"], totals[a, a, protocol, "bytes"], 0, 0]
        for a, b, protocol in pairs
    )


def connections(found: list[Packet], networks: list[str]) -> tuple[list[list[object]], list[list[object]]]:
    """(clients, connections) by the rule of who is the client.

    The client is the side inside the networks; where both or none are, the one who began.
    A client is [MAC, address], the MAC empty where it is none of a device; a connection is [client address,
    port, peer address, port, protocol, packets out, bytes out, packets in, bytes in].
    """
    inside = [ipaddress.ip_network(network) for network in networks]
    sides: dict[tuple[object, ...], tuple[str, int]] = {}
    totals: Counter[tuple[str, int, str, int, int, int]] = Counter()
    octets: Counter[tuple[str, int, str, int, int, int]] = Counter()
    clients = set()

    def is_inside(address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in inside)

    for packet in found:
        source, target = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
        # The same addresses between other MACs are other devices: another connection, with its own beginner.
        ends = sorted(((*source, packet.source_mac), (*target, packet.destination_mac)))
        key = (*ends, packet.protocol)
        if key not in sides:
            if is_inside(source[0]) != is_inside(target[0]):
                sides[key] = source if is_inside(source[0]) else target
            else:
                sides[key] = target if packet.starts_answer else source
        is_out = sides[key] == source
        client, peer = (source, target) if is_out else (target, source)
        flow = (*client, *peer, packet.protocol, int(is_out))
        totals[flow] += 1
        octets[flow] += packet.octets
        mac = packet.source_mac if is_out else packet.destination_mac
        clients.add((mac if _is_station(mac) else "", client[0]))
    whole = sorted({flow[:5] for flow in totals})
    rows = [
        [*flow, *(counter[(*flow, way)] for way in (1, 0) for counter in (totals, octets))] for flow in whole
    ]
    return [list(client) for client in sorted(clients)], [list(row) for row in rows]


def _arp(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    if row["arp.opcode"] in ("1", "2") and row["arp.hw.type"] == "1" and row["arp.proto.type"] == "0x0800":
        yield row["arp.src.proto_ipv4"], row["arp.src.hw_mac"], "arp"


def _nd(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    if row["ipv6.hlim"].split(" ")[0] != "255":
        return
    source_mac, target_mac = row["icmpv6.opt.src_linkaddr"], row["icmpv6.opt.target_linkaddr"]
    source = row["ipv6.src"].split(" ")[0]
    if row["icmpv6.type"] in ("133", "134", "135") and source_mac:
        yield source, source_mac.split(" ")[0], "nd"
    target = row["icmpv6.nd.na.target_address"]
    if row["icmpv6.type"] == "136" and target_mac:
        yield target, target_mac.split(" ")[0], "nd"
    elif row["icmpv6.type"] == "136" and target == source:
        yield target, row["eth.src"], "nd"


def _dhcp(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    if row["dhcp.option.dhcp"] == "5":
        address = row["dhcp.ip.your"] if row["dhcp.ip.your"] != "0.0.0.0" else row["dhcp.ip.client"]
        yield address, row["dhcp.hw.mac_addr"], "dhcp"


def _dhcpv6(row: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    kinds = row["dhcpv6.msgtype"].split(" ")
    if kinds[-1] != "7":
        return
    mac = row["eth.dst"] if kinds == ["7"] else ""
    if not _is_station(mac):
        duid = row["dhcpv6.duidllt.link_layer_addr"] or row["dhcpv6.duidll.link_layer_addr"]
        mac = duid.split(" ")[0]
    lifetimes = row["dhcpv6.iaaddr.valid_lifetime"].split()
    for address, lifetime in zip(row["dhcpv6.iaaddr.ip"].split(), lifetimes, strict=True):
        if lifetime != "0":
            yield address, mac, "dhcpv6"


def bindings(capture: Path) -> list[list[str]]:
    """[address, MAC, evidence] of everything ARP, ND, DHCP and DHCPv6 say, sorted, each once."""
    held = set()
    for row in _tshark(capture, CONTROL, "a", "-Y", "arp || icmpv6.type in {133..136} || dhcp || dhcpv6"):
        for said in (_arp(row), _nd(row), _dhcp(row), _dhcpv6(row)):
            for address, mac, evidence in said:
                number = ipaddress.ip_address(address)
                if _is_station(mac) and not number.is_unspecified and not number.is_multicast:
                    held.add((address, mac, evidence))
    return [list(binding) for binding in sorted(held)]


def judge(case: Path) -> dict[str, list[list[object]]]:
    """All that is expected of a case, ready for JSON."""
    capture = capture_of(case)
    settings = tomllib.loads((case / "case.toml").read_text())
    found = packets(capture)
    clients, whole = connections(found, settings["client_networks"])
    answer = {
        "clients": clients,
        "conversations": conversations(found),
        "connections": whole,
        "bindings": bindings(capture),
    }
    again: dict[str, list[list[object]]] = json.loads(json.dumps(answer))
    return again


def dump(expected: dict[str, list[list[object]]]) -> str:
    """JSON with one row a line, so that a difference can be read."""
    blocks = []
    for name, rows in expected.items():
        lines = ",\n".join("    " + json.dumps(row) for row in rows)
        blocks.append(f'  "{name}": [\n{lines}\n  ]' if rows else f'  "{name}": []')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def main(names: list[str]) -> None:
    """Judge the cases named, or all, and store what is expected."""
    for case in sorted(path.parent for path in CASES.glob("*/case.toml")):
        if not names or case.name in names:
            (case / "expected.json").write_text(dump(judge(case)))
            print(case.name)


if __name__ == "__main__":
    main(sys.argv[1:])

"""What tshark says about a capture, in the form our own answers are compared with.

Rewrites `expected.json` of the cases named, of all without names: `python -m tests.cases.expect [NAME ...]`.
Nothing of the product is imported here: the judge must not share its mistakes.
"""

import ipaddress
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cases.packets import Heard, Packet, once, testify

CASES = Path(__file__).parent
CAPTURES = (".pcap", ".pcapng", ".gz", ".zst")


def capture_of(case: Path) -> Path:
    """The one capture file in a case's folder."""
    (found,) = [path for path in case.iterdir() if path.suffix in CAPTURES]
    return found


def _is_station(mac: str) -> bool:
    return bool(mac) and int(mac.replace(":", ""), 16) != 0 and not int(mac[:2], 16) & 1


def _station(mac: str) -> str:
    return mac if _is_station(mac) else ""


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


def connections(found: list[Packet], is_inside: Callable[[str], bool]) -> dict[str, list[list[object]]]:
    """Clients, connections, records and places, each sorted, by the rule of who is the client.

    The client is the side inside the networks; where both or none are, the one who began.
    A client is [MAC, address], the MAC empty where it is none of a device; a connection is [client address,
    port, peer address, port, protocol, packets out, bytes out, packets in, bytes in]; records is how many
    connections there are if those of other client MACs are others; a place is where a connection began:
    [client address, VLAN or -1, AP or empty]. Where a link does not name both sides' MACs, the client's is
    the one that it had when it first sent something.
    """
    sides: dict[tuple[object, ...], tuple[str, int]] = {}
    totals: Counter[tuple[str, int, str, int, int, int]] = Counter()
    octets: Counter[tuple[str, int, str, int, int, int]] = Counter()
    places, records = set(), set()
    first_sent: dict[tuple[object, ...], str] = {}
    unnamed: dict[tuple[object, ...], tuple[object, ...]] = {}

    for packet in found:
        source, target = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
        # The same addresses between other MACs are other devices: another connection, with its own beginner.
        macs = ("", "") if packet.names_no_sides else (packet.source_mac, packet.destination_mac)
        ends = sorted(((*source, macs[0]), (*target, macs[1])))
        key = (*ends, packet.protocol)
        if key not in sides:
            if is_inside(source[0]) != is_inside(target[0]):
                sides[key] = source if is_inside(source[0]) else target
            else:
                sides[key] = target if packet.starts_answer else source
            places.add((sides[key][0], packet.vlan, packet.ap))
        is_out = sides[key] == source
        client, peer = (source, target) if is_out else (target, source)
        flow = (*client, *peer, packet.protocol, int(is_out))
        totals[flow] += 1
        octets[flow] += packet.octets
        mac = packet.source_mac if is_out else packet.destination_mac
        if packet.names_no_sides:
            unnamed[key] = flow[:5]
            if is_out:
                first_sent.setdefault(key, mac)
        else:
            records.add((*flow[:5], _station(mac)))
    records |= {(*flow, _station(first_sent.get(key, ""))) for key, flow in unnamed.items()}
    clients = {(record[5], record[0]) for record in records}
    rows = [
        [*flow, *(counter[(*flow, way)] for way in (1, 0) for counter in (totals, octets))]
        for flow in {flow[:5] for flow in totals}
    ]
    named = {"clients": clients, "connections": rows, "records": [[len(records)]], "places": places}
    return {name: sorted(list(row) for row in said) for name, said in named.items()}


def _arp(said: Heard) -> Iterator[tuple[str, str, str]]:
    layer = said.layer
    is_ours = layer.number("arp.hw.type") == 1 and layer.number("arp.proto.type") == 0x0800
    if layer.first("arp.opcode") in ("1", "2") and is_ours:
        yield layer.first("arp.src.proto_ipv4"), layer.first("arp.src.hw_mac"), "arp"


def _nd(said: Heard) -> Iterator[tuple[str, str, str]]:
    layer = said.layer
    source_mac, target_mac = layer.first("icmpv6.opt.src_linkaddr"), layer.first("icmpv6.opt.target_linkaddr")
    if said.hops != 255:
        return
    if layer.first("icmpv6.type") in ("133", "134", "135") and source_mac:
        yield said.source, source_mac, "nd"
    target = layer.first("icmpv6.nd.na.target_address")
    if layer.first("icmpv6.type") == "136" and target_mac:
        yield target, target_mac, "nd"
    elif layer.first("icmpv6.type") == "136" and target == said.source:
        yield target, said.source_mac, "nd"


def _dhcp(said: Heard) -> Iterator[tuple[str, str, str]]:
    layer = said.layer
    if layer.first("dhcp.option.dhcp") == "5":
        yours = layer.first("dhcp.ip.your")
        address = yours if yours != "0.0.0.0" else layer.first("dhcp.ip.client")
        yield address, layer.first("dhcp.hw.mac_addr"), "dhcp"


def _dhcpv6(said: Heard) -> Iterator[tuple[str, str, str]]:
    layer = said.layer
    kinds = layer.fields.get("dhcpv6.msgtype", [""])
    if kinds[-1] != "7":
        return
    mac = said.destination_mac if len(kinds) == 1 else ""
    if not _is_station(mac):
        mac = layer.first("dhcpv6.duidllt.link_layer_addr") or layer.first("dhcpv6.duidll.link_layer_addr")
    addresses = layer.fields.get("dhcpv6.iaaddr.ip", [])
    lifetimes = layer.fields.get("dhcpv6.iaaddr.valid_lifetime", [])
    for address, lifetime in zip(addresses, lifetimes, strict=False):
        if lifetime != "0":
            yield address, mac, "dhcpv6"


_READERS = {"arp": _arp, "icmpv6": _nd, "dhcp": _dhcp, "dhcpv6": _dhcpv6}


def bindings(heard: list[Heard]) -> list[list[str]]:
    """[address, MAC, evidence] of everything ARP, ND, DHCP and DHCPv6 say, sorted, each once."""
    held = set()
    for said in heard:
        reader = _READERS.get(said.layer.name)
        for address, mac, evidence in reader(said) if reader else ():
            if not address or not _is_station(mac):
                continue
            number = ipaddress.ip_address(address)
            if not number.is_unspecified and not number.is_multicast:
                held.add((address, mac, evidence))
    return [list(binding) for binding in sorted(held)]


def judge(case: Path) -> dict[str, list[list[object]]]:
    """All that is expected of a case, ready for JSON."""
    capture = capture_of(case)
    settings = tomllib.loads((case / "case.toml").read_text())
    inside = [ipaddress.ip_network(network) for network in settings["client_networks"]]

    def is_inside(address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in inside)

    said = testify(capture, *settings.get("tshark", []))
    found = once(said.packets, is_inside)
    answer = {
        **connections(found, is_inside),
        "conversations": conversations(found),
        "bindings": bindings(said.heard),
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

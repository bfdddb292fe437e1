"""What is counted of packets that were seen more than once, in the plainest words: one dictionary."""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

from tests.flows.model import SYN, Packet, S

WINDOW, AT_ONCE, ENOUGH = 20 * S // 1000, S // 1000, 8
TCP = 6


@dataclass
class Run:
    """Sightings of one packet, in order of time, or packets that cannot be told from each other."""

    seen: list[Packet] = field(default_factory=list)

    @property
    def second(self) -> int:
        return self.seen[0].time // S

    def nearest(self, networks: list[str]) -> Packet:
        """The sighting nearest the client (nearest the lower address where nobody knows who that is)."""
        inward = is_inward(self.seen[0], networks)

        def rank(place: int) -> tuple[bool, int, int]:
            packet = self.seen[place]
            return packet.ap_mac == 0, packet.hops if inward else -packet.hops, -place if inward else place

        return self.seen[min(range(len(self.seen)), key=rank)]


def is_inward(packet: Packet, networks: list[str]) -> bool:
    def own(ip: str) -> bool:
        return any(ipaddress.ip_address(ip) in ipaddress.ip_network(network) for network in networks)

    def words(ip: str) -> list[int]:
        packed = ipaddress.ip_address(ip).packed
        return [int.from_bytes(packed[at : at + 8], "little") for at in range(0, len(packed), 8)]

    source, destination = packet.source, packet.destination
    if own(source.ip) != own(destination.ip):
        return own(destination.ip)
    key = (words(destination.ip), destination.port.to_bytes(2, "big")[::-1])
    return key < (words(source.ip), source.port.to_bytes(2, "big")[::-1])


def is_numbered(packet: Packet) -> bool:
    return packet.identified and ":" not in packet.source.ip


def tells(packet: Packet) -> bool:
    return is_numbered(packet) or (packet.protocol == TCP and packet.octets > 120)


def is_sure(packet: Packet, first: Packet) -> bool:
    """Whether its sender did not send this twice."""
    headers = 60 if ":" in packet.source.ip else 40
    carries = packet.protocol == TCP and (packet.octets > headers or bool(packet.flags & SYN))
    return is_numbered(packet) or (carries and packet.time - first.time <= AT_ONCE)


def _where(packet: Packet) -> tuple[object, ...]:
    return packet.source.mac, packet.destination.mac, packet.vlan, packet.ap_mac, packet.hops


def counted(packets: list[Packet], networks: list[str]) -> list[Packet]:
    """Those that count, of packets in order of time."""
    runs: list[Run] = []
    latest: dict[object, Run] = {}
    for packet in packets:
        ends = [(side.ip, side.port) for side in (packet.source, packet.destination)]
        key = (*ends, packet.protocol, packet.octets, packet.number, is_numbered(packet), packet.flags)
        run = latest.get(key)
        if run is None or packet.time - run.seen[0].time > WINDOW:
            run = latest[key] = Run()
            runs.append(run)
        run.seen.append(packet)
    told: Counter[int] = Counter()
    copies: Counter[int] = Counter()
    for run in runs:
        nearest = run.nearest(networks)
        for packet in run.seen:
            told[run.second] += tells(packet)
            same = packet is not nearest and _where(packet) == _where(nearest)
            copies[run.second] += tells(packet) and same and is_sure(packet, run.seen[0])
    kept = []
    for run in runs:
        nearest, before = run.nearest(networks), run.second - 1
        doubles = copies[before] > 0 and copies[before] * ENOUGH >= told[before]
        kept += [
            packet
            for packet in run.seen
            if packet is nearest
            or (_where(packet) == _where(nearest) and not doubles and not is_sure(packet, run.seen[0]))
        ]
    return sorted(kept, key=lambda packet: packet.time)

"""Every capture of a folder through the decoder and the meter, packet by packet against tshark.

    python -m tests.cases.sweep FOLDER [-v] [--only PART-OF-NAME]

Prints how many captures agree in packets (addresses, protocol, octets, ports, MACs, VLAN, AP), in what the
network says of itself, and in what the meter adds up; lists the rest by the stack of the first packet that
differs. tshark's words are kept in build/sweep/ until the capture or the judge changes.
"""

import argparse
import hashlib
import ipaddress
import os
import pickle
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from appliance.capture.files import CaptureFile
from appliance.flows.meter import MULTIPLIERS, Meter
from appliance.flows.table import Limits
from appliance.model.addresses import ip_text, mac_text
from appliance.model.errors import GreffierError
from appliance.model.networks import Networks
from appliance.model.reasons import EVIDENCE_NAMES, Evidence
from appliance.wire.decode import Decoded, Decoder
from appliance.wire.packets import PORTS_UNKNOWN, Packets
from tests.cases import dissection
from tests.cases import packets as judge
from tests.cases.expect import bindings

CACHE = Path(__file__).parents[2] / "build" / "sweep"
SUFFIXES = (".pcap", ".pcapng", ".cap", ".gz")
NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"]
SECOND_NS = 10**9
ROOMY = Limits(3600 * SECOND_NS, 36000 * SECOND_NS, 1 << 20)
Row = tuple[object, ...]
BIG = "tshark does not read the length that BIG TCP leaves at 0"
NO_ROOM = "a payload length of 0 leaves no room for the extension header that tshark reads on in"
CUT = "of an extension header that was not captured whole, tshark believes the first byte"
CONTROL_WORD = "tshark guesses that there is no control word before the inner Ethernet frame"
BIG_TCP = [f"bigtcp-ipv{a}-{tunnel}-ipv{b}" for a in "46" for tunnel in ("geneve", "vxlan") for b in "46"]
DIFFERS = {
    **dict.fromkeys((*BIG_TCP, "bigtcp-ipv6", "ipv6_missing_jumbo_payload_option"), BIG),
    **dict.fromkeys(("ipv6-too-long-jumbo", "quic_32_bit_pointer_overflow"), NO_ROOM),
    **dict.fromkeys(("ipv6-rthdr-oobr", "hoobr_rt6_print"), CUT),
    **dict.fromkeys(("testdata-mpls-eompls-cw", "testdata-mpls-eompls-invalid-cw"), CONTROL_WORD),
    "ipv6_mobility_1": "a mobility header is an extension header (RFC 7045): what follows is the protocol",
    "ieee802.11_rx-stbc": "deciphered by the card: tshark wants to be told (as wlan-clear-protected does)",
    "LINKTYPE_IPV4_invalid": "IPv6 under a link type that is IPv4 only: tshark goes by the version",
}
"""Captures in which tshark and a rule of ours are known to differ, by name, with the reason."""

FIELDS = ("source", "destination", "protocol", "octets", "ports", "macs", "vlan", "ap")


@dataclass
class Verdict:
    """One capture; `missing` and `invented` are packets, with how often."""

    path: Path
    packets: int = 0
    missing: Counter[Row] = field(default_factory=Counter)
    invented: Counter[Row] = field(default_factory=Counter)
    stacks: dict[Row, str] = field(default_factory=dict)
    claims_missing: list[list[str]] = field(default_factory=list)
    claims_invented: list[list[str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    metered_wrong: str = ""
    link_types: set[int] = field(default_factory=set)
    seconds: float = 0.0
    failed: str = ""

    @property
    def agrees(self) -> bool:
        wrong = self.missing or self.invented or self.claims_missing or self.claims_invented
        return not (wrong or self.metered_wrong or self.failed)

    @property
    def reason(self) -> str:
        """The class of the difference: what failed, and the stack of the first packet it is about."""
        if self.path.stem in DIFFERS and not self.failed:
            return f"(known) {DIFFERS[self.path.stem]}"
        if self.failed or self.metered_wrong:
            return self.failed or self.metered_wrong
        for row in (*self.missing, *self.invented):
            near = [other for other in self.invented if row[:2] == other[:2]]
            if row in self.missing and near:
                names = [name for name, a, b in zip(FIELDS, row, near[0], strict=True) if a != b]
                return f"{'+'.join(names)} differ: {self.stacks[row]}"
            return f"missing: {self.stacks[row]}" if row in self.missing else "invented"
        return "claims"


def expected(capture: Path) -> tuple[list[judge.Packet], list[list[str]]]:
    """Tshark's packets and claims; kept, since asking takes a quarter of a second."""
    key = hashlib.sha256(capture.read_bytes())
    for module in (dissection, judge):
        key.update(Path(str(module.__file__)).read_bytes())
    kept = CACHE / key.hexdigest()
    if not kept.exists():
        said = judge.testify(capture)
        CACHE.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps((said.packets, bindings(said.heard))))
        part.rename(kept)
    found: tuple[list[judge.Packet], list[list[str]]] = pickle.loads(kept.read_bytes())
    return found


def decoded(capture: Path) -> Iterator[tuple[int, Decoded]]:
    """(frames, what they said) of each batch."""
    decoder = Decoder()
    with CaptureFile(capture) as batches:
        for frames in batches:
            yield frames.link_type, decoder.decode(frames)


def rows_of(packets: Packets) -> Iterator[Row]:
    """A batch's packets in the judge's form."""
    vlans = np.full(len(packets), -1) if packets.vlan is None else packets.vlan
    aps = np.zeros(len(packets), np.uint64) if packets.ap_mac is None else packets.ap_mac
    for row in range(len(packets)):
        wire = b"".join(column[row].tobytes() for column in packets.addresses)
        half = len(wire) // 2
        ports = packets.ports[row].tobytes()
        unknown = bool(packets.shape[row] & PORTS_UNKNOWN)
        yield (
            *(_address(wire[:half]), _address(wire[half:])),
            int(packets.shape[row]) & 0xFF,
            int(packets.octets[row]),
            (-1, -1) if unknown else (int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")),
            (_mac(packets.source_mac[row]), _mac(packets.destination_mac[row])),
            int(vlans[row]),
            _mac(aps[row]),
        )


def _address(wire: bytes) -> str:
    if len(wire) == 4:
        wire = bytes(10) + b"\xff\xff" + wire
    return ip_text(int.from_bytes(wire[:8], "big"), int.from_bytes(wire[8:], "big"))


def _mac(on_wire: np.uint64) -> str:
    octets = on_wire.tobytes()[:6]
    return octets.hex(":") if any(octets) else ""


def _row(packet: judge.Packet) -> Row:
    macs = tuple(
        "" if mac == "00:00:00:00:00:00" else mac for mac in (packet.source_mac, packet.destination_mac)
    )
    return (
        *(_canonical(packet.source), _canonical(packet.destination), packet.protocol, packet.octets),
        *((packet.source_port, packet.destination_port), macs, packet.vlan, packet.ap),
    )


def _canonical(address: str) -> str:
    """Tshark writes ::1.2.3.4 where we write hexadecimal, and the reverse."""
    return _address(ipaddress.ip_address(address).packed)


def look(capture: Path) -> Verdict:
    """The verdict on one capture; whatever the product raises is one too."""
    verdict = Verdict(capture)
    packets, claims = expected(capture)
    begun = time.monotonic()
    try:
        _compare(verdict, packets, claims)
    except GreffierError as error:
        verdict.failed = f"{type(error).__name__}" if packets else ""
    except Exception as error:  # noqa: BLE001 (the sweep goes on: defects are what it is for)
        verdict.failed = f"{type(error).__name__}: {error}"
    verdict.seconds = time.monotonic() - begun
    return verdict


def _compare(verdict: Verdict, packets: list[judge.Packet], claims: list[list[str]]) -> None:
    verdict.packets = len(packets)
    wanted = Counter(map(_row, packets))
    verdict.stacks = {_row(packet): packet.stack for packet in reversed(packets)}
    found: Counter[Row] = Counter()
    held: set[tuple[str, str, str]] = set()
    meter = Meter(Networks.of(NETWORKS), ROOMY, np.arange(1, 2 * MULTIPLIERS, 2).astype(np.uint64))
    metered = []
    for link_type, said in decoded(verdict.path):
        verdict.link_types.add(link_type)
        verdict.refused.update({str(reason): count for reason, count in said.refused.items()})
        for batch in said.packets:
            found.update(rows_of(batch))
        for claim in said.claims[~said.claims["released"]]:
            address = ip_text(int(claim["ip_hi"]), int(claim["ip_lo"]))
            held.add((address, mac_text(int(claim["mac"])), EVIDENCE_NAMES[Evidence(int(claim["evidence"]))]))
        metered.append(meter.add(said.packets, 0, 0))
    metered.append(meter.finish())
    verdict.missing, verdict.invented = wanted - found, found - wanted
    stated = {(_canonical(address), mac, evidence) for address, mac, evidence in claims}
    verdict.claims_missing = [list(claim) for claim in sorted(stated - held)]
    verdict.claims_invented = [list(claim) for claim in sorted(held - stated)]
    rows = np.concatenate(metered)
    duplicates = getattr(meter, "duplicates", 0)
    counted = int(rows["packets_out"].sum() + rows["packets_in"].sum()) + duplicates
    if counted != found.total():
        verdict.metered_wrong = f"the meter counts {counted} of {found.total()} packets"
    elif duplicates:
        verdict.refused["(duplicate)"] += duplicates


def report(verdicts: list[Verdict], verbose: bool) -> None:
    """The table: how many agree, and the others by reason."""
    agreeing = [verdict for verdict in verdicts if verdict.agrees]
    with_packets = sum(bool(verdict.packets) for verdict in agreeing)
    print(
        f"{len(verdicts)} captures, {sum(verdict.packets for verdict in verdicts)} packets in tshark's eyes"
    )
    print(f"{len(agreeing)} agree in every packet and claim ({with_packets} of them hold IP packets)")
    classes = defaultdict(list)
    for verdict in verdicts:
        if not verdict.agrees:
            classes[verdict.reason].append(verdict)
    for reason, members in sorted(classes.items(), key=lambda item: -len(item[1])):
        print(f"\n{len(members)}  {reason}")
        for verdict in members if verbose else members[:4]:
            wrong = f"-{verdict.missing.total()} +{verdict.invented.total()}"
            said = ", ".join(f"{name} {count}" for name, count in sorted(verdict.refused.items()))
            links = ",".join(map(str, sorted(verdict.link_types)))
            print(f"   {verdict.path.name} ({verdict.packets} packets, {wrong}; link {links}; {said})")
            if verbose:
                for sign, rows in (("-", verdict.missing), ("+", verdict.invented)):
                    for row, count in list(rows.items())[:3]:
                        print(f"      {sign}{count} {row} {verdict.stacks.get(row, '')}")
                for sign, said_claims in (("-", verdict.claims_missing), ("+", verdict.claims_invented)):
                    for claim in said_claims[:3]:
                        print(f"      {sign} claim {claim}")
    slowest = max(verdicts, key=lambda verdict: verdict.seconds)
    print(f"\nslowest: {slowest.path.name}, {slowest.seconds:.2f} s")


def main(arguments: list[str]) -> int:
    """0 if all agree, else 1."""
    parser = argparse.ArgumentParser(prog="tests.cases.sweep")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args(arguments)
    captures = sorted(
        path for path in given.folder.rglob("*") if path.suffix in SUFFIXES and given.only in path.name
    )
    if not captures:
        parser.error(f"{given.folder} holds no capture")
    with ProcessPoolExecutor(2) as pool:
        verdicts = list(pool.map(partial(look), captures, chunksize=8))
    report(verdicts, given.verbose)
    return 0 if all(verdict.agrees or verdict.path.stem in DIFFERS for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

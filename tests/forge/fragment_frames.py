# SPDX-License-Identifier: GPL-2.0-only
"""Fragments as evaders and broken senders make them, by scapy, and what is to be said of them.

A process of its own, because scapy is GPL-2.0-only: `python tests/forge/fragment_frames.py` prints one JSON
object a line: {"name", "frames": [[ms, hex]], "ports": [[source, destination] or null, one a frame], "notes":
{note: count}, "protocols": [one a frame], "odd": tshark's word for it or ""}.
"""

import json
from collections.abc import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet, Raw

A, B, C = "192.0.2.10", "198.51.100.7", "192.0.2.99"
A6, B6, C6 = "2001:db8::10", "2001:db8:ffff::7", "2001:db8::99"
LINK = Ether(src="02:11:22:33:44:55", dst="02:aa:bb:cc:dd:ee")
WEB, DNS = {"sport": 1234, "dport": 443}, {"sport": 1234, "dport": 53}
OVERLAP, ERROR, LONG = "overlap", "error", "toolongfragment"


def piece(offset: int, size: int, more: bool, load: bytes = b"", **fields: object) -> Packet:
    """One IPv4 fragment of `size` bytes that begin with `load`."""
    header = {"src": A, "dst": B, "id": 7, "proto": 17, **fields}
    return IP(**header, frag=offset // 8, flags="MF" if more else 0) / Raw(load.ljust(size, b"."))


def piece6(offset: int, size: int, more: bool, load: bytes = b"", kind: int = 17, **fields: object) -> Packet:
    header = IPv6(**{"src": A6, "dst": B6, **fields})
    split = IPv6ExtHdrFragment(nh=kind, id=7, offset=offset // 8, m=int(more))
    return header / split / Raw(load.ljust(size, b"."))


def case(
    name: str,
    packets: list[Packet],
    ports: list[dict[str, int] | None],
    notes: dict[str, int] | None = None,
    times: list[int] | None = None,
    protocols: list[int] | None = None,
    odd: str = "",
) -> dict[str, object]:
    frames = [bytes(LINK / packet).hex() for packet in packets]
    return {
        "name": name,
        "frames": list(zip(times or range(len(packets)), frames, strict=True)),
        "ports": [list(pair.values()) if pair else None for pair in ports],
        "notes": notes or {},
        "protocols": protocols or [17] * len(packets),
        "odd": odd,
    }


def honest() -> Iterator[dict[str, object]]:
    udp = bytes(UDP(**DNS, len=3008)) + b"x" * 1000
    v4 = fragment(IP(src=A, dst=B, id=7) / UDP(**DNS) / Raw(b"x" * 3000), fragsize=1000)
    v6 = fragment6(IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(id=7) / UDP(**DNS) / Raw(b"x" * 3000), 1000)
    for family, parts in (("IPv4", v4), ("IPv6", v6)):
        known = [DNS] * len(parts)
        yield case(f"{family}: in order", parts, known)
        yield case(f"{family}: in reverse", parts[::-1], known)
        yield case(f"{family}: each twice", [part for part in parts for _ in range(2)], known * 2)
        missing = {"fragment_without_first": len(parts) - 1}
        yield case(f"{family}: no first", parts[1:], [None] * (len(parts) - 1), missing)
        late = [0, *(40_000 + n for n in range(len(parts) - 1))]
        yield case(f"{family}: the rest too late", parts, [DNS, *[None] * (len(parts) - 1)], missing, late)
    stranger = piece(1000, 500, False, src=C)
    yield case("IPv4: of another sender", [v4[0], stranger], [DNS, None], {"fragment_without_first": 1})
    stranger = piece(1000, 500, False, proto=6)
    notes = {"fragment_without_first": 1}
    yield case("IPv4: of another protocol", [v4[0], stranger], [DNS, None], notes, protocols=[17, 6])
    stranger = piece6(1000, 500, False, src=C6)
    yield case("IPv6: of another sender", [v6[0], stranger], [DNS, None], {"fragment_without_first": 1})
    atomic = IPv6(src=A6, dst=B6) / IPv6ExtHdrFragment(id=7) / UDP(**WEB) / Raw(b"whole")
    yield case("IPv6: atomic", [atomic, *v6], [WEB, *[DNS] * len(v6)])
    echo = fragment(IP(src=A, dst=B, id=7) / ICMP() / Raw(b"x" * 2000), fragsize=1000)
    yield case("IPv4: without ports", echo, [None] * len(echo), protocols=[1] * len(echo))
    again = [*v4[:1], *v4[:1], *v4[1:], *v4[1:]]
    again[1] = piece(0, 1000, True, bytes(UDP(**WEB, len=3008)))
    times = [0, 2000, 1, 2, 3, 2001, 2002, 2003][: len(again)]
    order = sorted(range(len(again)), key=lambda at: times[at])
    owners = [WEB if times[at] >= 2000 else DNS for at in order]
    yield case("IPv4: the identification again", [again[at] for at in order], owners, times=sorted(times))
    reverse = [v4[-1], v4[0], piece(2000, 400, False), piece(0, 1000, True, bytes(UDP(**WEB, len=3008)))]
    times = [0, 1, 900, 901]
    yield case("IPv4: the identification again, in reverse", reverse, [DNS, DNS, WEB, WEB], times=times)
    options = bytes(IPv6ExtHdrDestOpt(nh=17)) + udp[:992]
    ext = [piece6(0, 1000, True, options, 60), piece6(1000, 200, False, kind=60)]
    yield case("IPv6: options behind the fragment header", ext, [DNS, DNS])


def evasions() -> Iterator[dict[str, object]]:
    udp, tcp = bytes(UDP(**DNS, len=2008)), bytes(TCP(**WEB, flags="S"))
    both = [DNS, DNS]
    tiny = [piece(0, 8, True, tcp[:8], proto=6), piece(8, 40, False, tcp[8:], proto=6)]
    yield case("tiny TCP", tiny, [WEB, WEB], {"fragment_tiny": 2}, protocols=[6, 6])
    first = piece(0, 24, True, tcp, proto=6)
    rewrite = [first, piece(8, 40, False, b"\0" * 5 + b"\x02", proto=6)]
    notes = {"fragment_tiny": 1, "fragment_overlapping": 1}
    yield case("flags rewritten", rewrite, [WEB, WEB], notes, protocols=[6, 6], odd=OVERLAP)
    cut = [piece(0, 4, True, udp[:4]), piece(8, 40, False)]
    yield case("half a UDP header", cut, both, {"fragment_tiny": 1})
    nothing = [piece(0, 0, True), piece(0, 40, False, udp)]
    yield case("nothing at all, then all", nothing[:1], [None], {"fragment_tiny": 1})
    teardrop = [piece(0, 40, True, udp), piece(24, 8, False)]
    yield case("teardrop", teardrop, both, {"fragment_overlapping": 1}, odd=OVERLAP)
    partly = [piece(0, 40, True, udp), piece(32, 40, False)]
    yield case("overlap in part", partly, both, {"fragment_overlapping": 1}, odd=OVERLAP)
    yield case("overlap in part, in reverse", partly[::-1], both, {"fragment_overlapping": 1}, odd=OVERLAP)
    hidden = [piece(0, 400, True, udp), piece(80, 8, True), piece(160, 8, True), piece(400, 8, False)]
    yield case("overlaps inside", hidden, [DNS] * 4, {"fragment_overlapping": 2}, odd=OVERLAP)
    other = [piece(0, 40, True, udp), piece(0, 40, True, bytes(UDP(**WEB))), piece(40, 8, False)]
    yield case("two first fragments", other, [DNS, WEB, WEB], {"fragment_overlapping": 1}, odd=OVERLAP)
    six = [piece6(0, 40, True, udp), piece6(32, 40, False)]
    yield case("IPv6 overlap", six, both, {"fragment_overlapping": 1}, odd=OVERLAP)
    death = [piece(0, 1000, True, udp), piece(65_528, 1000, False)]
    yield case("ping of death", death, both, {"fragment_beyond_end": 1})
    death6 = [piece6(0, 1000, True, udp), piece6(65_528, 1000, False)]
    yield case("IPv6 ping of death", death6, both, {"fragment_beyond_end": 1})
    edge = [piece(0, 1000, True, udp), piece(65_512, 3, False)]
    yield case("as long as can be", edge, both)
    chain = [piece6(0, 0, True, kind=60), piece6(8, 40, False, bytes(8) + udp, kind=60)]
    yield case("IPv6 without all headers", chain, [None, None], {"fragment_tiny": 1}, protocols=[60, 60])


def tunnels() -> Iterator[dict[str, object]]:
    """The first fragment is peeled: the inner ports; the others are no packets."""
    inside = LINK / IP(src="10.1.1.1", dst="10.2.2.2") / UDP(sport=5, dport=6) / Raw(b"x" * 1400)
    v4 = fragment(IP(src=A, dst=B, id=7) / GRE(proto=0x6558) / inside, fragsize=600)
    yield case("tunnel", v4, [{"s": 5, "d": 6}])
    yield case("tunnel, in reverse", v4[::-1], [{"s": 5, "d": 6}])


def main() -> None:
    for kind, cases in (("honest", honest), ("evasion", evasions), ("tunnel", tunnels)):
        for one in cases():
            print(json.dumps({**one, "kind": kind}))


if __name__ == "__main__":
    main()

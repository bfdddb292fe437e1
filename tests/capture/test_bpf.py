"""The ring's program, run by the kernel itself: a datagram socket takes the same filter and cuts alike.

What tshark understands of two phones' real traffic is the judge of what is kept whole; that the box's own
packets, and only those, are left out is judged by tcpdump's own filters.
"""

import random
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.capture import bpf
from appliance.capture.assembler import Op, assemble
from appliance.capture.own_traffic import MOST_OWN, Own
from appliance.wire.ports import tunnel_ports
from demo.replay import read_capture

CAPTURES = Path(__file__).parents[2] / "demo" / "captures"
SNAPLEN = 128
PORTS = tunnel_ports((4789, 8472))
BOX_MAC, PHONE_MAC = bytes.fromhex("0200000000b0"), bytes.fromhex("02000000000a")
BOX, PHONE = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.77")
BOX6, PHONE6 = (socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "2001:db8::77"))
OWN = Own((bytes.fromhex("0200000000c0"), BOX_MAC), (socket.inet_aton("10.0.0.1"), BOX), (BOX6,))


class Kernel:
    """A program at work on frames: how many bytes of each the kernel keeps, 0 where it leaves it out."""

    def __init__(self, program: bytes) -> None:
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        where = struct.pack("@HP", len(program) // 8, np.frombuffer(program, np.uint8).ctypes.data)
        self._out.setsockopt(socket.SOL_SOCKET, 26, where)  # SO_ATTACH_FILTER
        self._out.setblocking(False)

    def keeps(self, frame: bytes) -> int:
        self._in.send(frame)
        try:
            kept = self._out.recv(70_000)
        except BlockingIOError:
            return 0
        assert frame.startswith(kept)
        return len(kept)

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._out.close()


def ethernet(
    kind: int, payload: bytes, tags: int = 0, source: bytes = PHONE_MAC, to: bytes = BOX_MAC
) -> bytes:
    return to + source + struct.pack("!HH", 0x8100, 7) * tags + struct.pack("!H", kind) + payload


def ipv4(protocol: int, payload: bytes, source: bytes = PHONE, to: bytes = BOX, words: int = 5) -> bytes:
    size = words * 4 + len(payload)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, size, 1, 0, 64, protocol, 0, source, to)
    return header + bytes(words * 4 - 20) + payload


def ipv6(protocol: int, payload: bytes, source: bytes = PHONE6, to: bytes = BOX6) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + to + payload


def udp(source: int, to: int, payload: bytes = bytes(200)) -> bytes:
    return struct.pack("!HHHH", source, to, 8 + len(payload), 0) + payload


def tcp(source: int, to: int, payload: bytes = bytes(200), words: int = 5, flags: int = 24) -> bytes:
    return (
        struct.pack("!HHIIBBHHH", source, to, 1, 1, words << 4, flags, 100, 0, 0)
        + bytes(words * 4 - 20)
        + payload
    )


HELLO = bytes.fromhex("160301010001") + bytes(200)
WHOLE = {
    "DHCP": (17, udp(68, 67)),
    "DNS answer": (17, udp(53, 5000)),
    "VXLAN": (17, udp(5000, 4789)),
    "VXLAN on Linux' port": (17, udp(5000, 8472)),
    "Geneve": (17, udp(5000, 6081)),
    "TZSP": (17, udp(5000, 37008)),
    "GTP-U": (17, udp(2152, 2152)),
    "CAPWAP to the AP": (17, udp(5247, 5000)),
    "a port of the settings": (17, udp(5000, 14789)),
    "QUIC handshake": (17, udp(5000, 443, b"\xc3" + bytes(200))),
    "GRE": (47, bytes(200)),
    "IP in IP": (4, bytes(200)),
    "6in4": (41, bytes(200)),
    "EtherIP": (97, bytes(200)),
    "LWAPP": (17, udp(12222, 12222)),
    "L2TP": (17, udp(1701, 1701)),
    "ClientHello": (6, tcp(5000, 443, HELLO)),
    "ClientHello behind options, elsewhere": (6, tcp(5000, 993, HELLO, words=15)),
    "ClientHello, its second segment": (6, tcp(5000, 443, b"\x9a\x03" + bytes(200))),
    "HTTP GET": (6, tcp(5000, 80, b"GET / HTTP/1.1" + bytes(200))),
    "HTTP POST": (6, tcp(5000, 8080, b"POST / HTTP/1.1" + bytes(200), words=8)),
}
CUT = {
    "DNS question": (17, udp(5000, 53)),
    "QUIC data": (17, udp(5000, 443, b"\x43" + bytes(200))),
    "QUIC from the server": (17, udp(443, 5000, b"\xc3" + bytes(200))),
    "ServerHello": (6, tcp(443, 5000, bytes.fromhex("160303010002") + bytes(200))),
    "TLS data": (6, tcp(5000, 443, bytes.fromhex("170303010001") + bytes(200))),
    "the middle of an upload": (6, tcp(5000, 443, b"\x9a\x03" + bytes(200), flags=16)),
    "TLS data's second segment, from the server": (6, tcp(443, 5000, b"\x9a\x03" + bytes(200))),
    "HTTP elsewhere": (6, tcp(5000, 81, b"GET / HTTP/1.1" + bytes(200))),
    "HTTP data": (6, tcp(5000, 80, b"xGET / HTTP/1.1" + bytes(200))),
    "ESP": (50, bytes(200)),
}


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel(bpf.program(SNAPLEN, tunnel_ports((4789, 8472, 14789)))) as kernel:
        yield kernel


def frames_of(protocol: int, payload: bytes) -> dict[str, bytes]:
    """The same packet in every clothing the headers may wear."""
    return {
        "IPv4": ethernet(0x0800, ipv4(protocol, payload)),
        "IPv4 with options, two tags": ethernet(0x0800, ipv4(protocol, payload, words=15), tags=2),
        "IPv6": ethernet(0x86DD, ipv6(protocol, payload)),
        "IPv6 tagged": ethernet(0x86DD, ipv6(protocol, payload), tags=1),
    }


@pytest.mark.parametrize("name", WHOLE)
def test_what_tells_more_than_its_headers_is_kept_whole(kernel: Kernel, name: str) -> None:
    for clothing, frame in frames_of(*WHOLE[name]).items():
        if (name, clothing[:4]) != ("DHCP", "IPv6"):
            assert kernel.keeps(frame) == len(frame), clothing


@pytest.mark.parametrize("name", CUT)
def test_what_tells_no_more_is_cut(kernel: Kernel, name: str) -> None:
    for clothing, frame in frames_of(*CUT[name]).items():
        assert kernel.keeps(frame) == SNAPLEN, clothing


def test_deep_links_and_extensions_are_kept_whole(kernel: Kernel) -> None:
    for kind in (0x8847, 0x8848, 0x8864, 0x8100, 0x88A8):
        for tags in (0, 1, 2):
            frame = ethernet(kind, bytes(300), tags=tags)
            assert kernel.keeps(frame) == (SNAPLEN if kind in (0x8100, 0x88A8) and tags < 2 else len(frame))
    for extension in (0, 43, 44, 60):
        frame = ethernet(0x86DD, ipv6(extension, bytes(300)))
        assert kernel.keeps(frame) == len(frame)


def tshark(capture: Path, wanted: str) -> list[int]:
    """Numbers from 0 of the frames that a display filter selects, no frame put together with others."""
    alone = (
        "-o",
        "tcp.desegment_tcp_streams:FALSE",
        "-o",
        "ip.defragment:FALSE",
        "-o",
        "ipv6.defragment:FALSE",
    )
    told = subprocess.run(
        ["tshark", "-r", capture, *alone, "-Y", wanted, "-T", "fields", "-e", "frame.number"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [int(number) - 1 for number in told.split()]


@pytest.mark.parametrize("name", ["iphone", "android"])
def test_of_real_phones_what_tshark_understands_is_kept_whole(kernel: Kernel, name: str) -> None:
    capture = CAPTURES / f"{name}.pcap"
    frames = [frame.content for frame in read_capture(capture)]
    wanted = set(
        tshark(
            capture,
            "dhcp || dhcpv6 || icmpv6.type in {133..137} || (dns.flags.response == 1 && udp.srcport == 53)"
            " || tls.handshake.type == 1 || (http.request && tcp.dstport in {80, 8080})"
            " || (quic.header_form == 1 && udp.dstport == 443)",
        )
    )
    kept = [kernel.keeps(frame) for frame in frames]
    long = {number for number, frame in enumerate(frames) if len(frame) > SNAPLEN}
    whole = {number for number in long if kept[number] == len(frames[number])}
    assert len(wanted & long) > 10
    assert whole >= wanted & long
    besides = "ipv6.hopopts || ipv6.fraghdr || ipv6.nxt == 0 || (tcp.dstport == 443 && tcp.flags.push == 1)"
    extra = whole - wanted - set(tshark(capture, besides))
    assert not extra
    assert {kept[number] for number in long - whole} == {SNAPLEN}


def test_no_length_makes_a_frame_vanish() -> None:
    """A load beyond the end would: every packet above is tried at each length."""
    with Kernel(bpf.program(bpf.SHORTEST_SNAPLEN, PORTS, OWN)) as kernel:
        stranger = {"source": bytes.fromhex("0200000000c0"), "to": PHONE_MAC}
        for protocol, payload in (*WHOLE.values(), *CUT.values(), (58, b"\x88" + bytes(200))):
            for version in (4, 6):
                for tags in (0, 2):
                    for words in (5, 15):
                        inner = (
                            ipv4(protocol, payload, words=words, source=PHONE, to=PHONE)
                            if version == 4
                            else ipv6(protocol, payload, source=PHONE6, to=PHONE6)
                        )
                        frame = ethernet(0x0800 if version == 4 else 0x86DD, inner, tags, **stranger)
                        for size in range(14, 180):
                            kept = kernel.keeps(frame[:size])
                            assert kept in (size, bpf.SHORTEST_SNAPLEN), (
                                protocol,
                                version,
                                tags,
                                words,
                                size,
                            )
                            assert kept >= min(size, bpf.SHORTEST_SNAPLEN)


def own_frames() -> dict[str, tuple[bytes, bool]]:
    """(frame, left out) of what the box sends and receives, and of what only resembles it."""
    out = {"source": BOX_MAC, "to": PHONE_MAC}
    sent4, sent6 = {"source": BOX, "to": PHONE}, {"source": BOX6, "to": PHONE6}
    return {
        "TCP sent": (ethernet(0x0800, ipv4(6, tcp(443, 5000), **sent4), **out), True),
        "TCP received": (ethernet(0x0800, ipv4(6, tcp(5000, 443))), True),
        "TCP sent, tagged": (ethernet(0x0800, ipv4(6, tcp(443, 5000), **sent4), tags=1, **out), True),
        "an empty acknowledgement": (ethernet(0x0800, ipv4(6, tcp(443, 5000, b""), **sent4), **out), True),
        "TCP over IPv6": (ethernet(0x86DD, ipv6(6, tcp(443, 5000, b""), **sent6), **out), True),
        "UDP received": (ethernet(0x0800, ipv4(17, udp(5000, 2055))), True),
        "UDP over IPv6": (ethernet(0x86DD, ipv6(17, udp(5000, 514))), True),
        "an echo": (ethernet(0x0800, ipv4(1, b"\x08" + bytes(60))), True),
        "an echo over IPv6": (ethernet(0x86DD, ipv6(58, b"\x80" + bytes(60))), True),
        "VXLAN to the box": (ethernet(0x0800, ipv4(17, udp(5000, 4789))), False),
        "TZSP to the box": (ethernet(0x0800, ipv4(17, udp(5000, 37008))), False),
        "GRE to the box": (ethernet(0x0800, ipv4(47, bytes(200))), False),
        "GRE to the box over IPv6": (ethernet(0x86DD, ipv6(47, bytes(200))), False),
        "6in4 to the box": (ethernet(0x0800, ipv4(41, bytes(200))), False),
        "DHCP to the box": (ethernet(0x0800, ipv4(17, udp(68, 67))), False),
        "a neighbour's answer": (ethernet(0x86DD, ipv6(58, b"\x88" + bytes(60))), False),
        "ARP": (ethernet(0x0806, bytes(46), **out), False),
        "its MAC, another IP": (
            ethernet(0x0800, ipv4(6, tcp(443, 5000), source=PHONE, to=PHONE), **out),
            False,
        ),
        "its IP, another MAC": (ethernet(0x0800, ipv4(6, tcp(5000, 443)), to=PHONE_MAC), False),
        "routed by the box": (ethernet(0x0800, ipv4(6, tcp(5000, 443), source=PHONE, to=PHONE)), False),
        "sides mixed": (ethernet(0x0800, ipv4(6, tcp(443, 5000), **sent4)), False),
        "a later fragment": (
            ethernet(0x0800, ipv4(17, udp(5000, 2055)).replace(b"\0\1\0\0\x40", b"\0\1\0\5\x40", 1)),
            False,
        ),
    }


@pytest.mark.parametrize("name", own_frames())
def test_the_box_s_own_packets_are_left_out_and_nothing_else(name: str) -> None:
    frame, left_out = own_frames()[name]
    with (
        Kernel(bpf.program(SNAPLEN, PORTS, own=OWN)) as kernel,
        Kernel(bpf.program(SNAPLEN, PORTS)) as without,
    ):
        assert (kernel.keeps(frame) == 0) is left_out
        assert without.keeps(frame) > 0


def test_tcpdump_calls_the_same_packets_the_box_s_own(tmp_path: Path) -> None:
    """Two MACs and two addresses of the phone's own capture taken for the box's."""
    capture = CAPTURES / "android.pcap"
    frames = [frame.content for frame in read_capture(capture)]
    first = next(frame for frame in frames if frame[12:14] == b"\x08\x00" and frame[23] == 6)
    mac, address = first[6:12], first[26:30]
    said = mac.hex(":"), socket.inet_ntoa(address)
    judge = (
        f"((ether src {said[0]} and ip src {said[1]}) or (ether dst {said[0]} and ip dst {said[1]}))"
        " and (tcp or (udp and not port 67 and not port 68) or icmp)"
    )
    told = subprocess.run(
        ["tcpdump", "-r", capture, "--count", judge], capture_output=True, text=True, check=True
    ).stdout
    with Kernel(bpf.program(SNAPLEN, PORTS, own=Own((mac,), (address,)))) as kernel:
        left_out = sum(kernel.keeps(frame) == 0 for frame in frames)
    assert left_out == int(told.split()[0])
    assert 0 < left_out < len(frames)


def test_many_addresses_still_make_a_program_the_kernel_takes() -> None:
    """Jumps then become longer than a condition can say."""
    chance = random.Random(1)
    many = Own(
        (*(chance.randbytes(6) for _ in range(MOST_OWN - 1)), BOX_MAC),
        (*(chance.randbytes(4) for _ in range(MOST_OWN - 1)), BOX),
        (*(chance.randbytes(16) for _ in range(MOST_OWN - 1)), BOX6),
    )
    with Kernel(bpf.program(SNAPLEN, PORTS, own=many)) as kernel:
        for name, (frame, left_out) in own_frames().items():
            assert (kernel.keeps(frame) == 0) is left_out, name
        for name, packet in WHOLE.items():
            if name != "a port of the settings":
                frame = ethernet(0x0800, ipv4(*packet, to=PHONE), to=PHONE_MAC)
                assert kernel.keeps(frame) == len(frame), name


def test_a_program_too_long_for_the_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="instructions"):
        assemble([(Op.RETURN, "", "", 0)] * 4097)

"""The ring against real virtual cables: what tcpdump sees at the same end is what must come out."""

import fcntl
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.capture import block, bpf
from appliance.capture.interface import Link
from appliance.capture.ring import SNAPLEN_BYTES, Ring
from appliance.model.errors import CaptureError
from appliance.model.frames import PADDING_BYTES, Frames
from demo.replay import read_capture
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for

needs_root = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

CAPTURES = Path(__file__).parents[2] / "demo" / "captures"
DHCP_LENGTH = 342
SMALL_RING_BYTES = 2 << 20
BLOCK_BYTES = 1 << 20


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        network.cable("mirror", "recorder")
        yield network


def ethernet(kind: int, payload: bytes, tags: tuple[int, ...] = ()) -> bytes:
    tagged = b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return bytes.fromhex("02000000000a02000000000b") + tagged + struct.pack("!H", kind) + payload


def udp4(source: int, destination: int, size: int, words: int = 5, fragment: int = 0) -> bytes:
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | words, 0, size, 1, fragment, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
    )
    header += bytes(words * 4 - 20)
    return (header + struct.pack("!HHHH", source, destination, size - words * 4, 0)).ljust(size, b"\xaa")


def ipv6(next_header: int, payload: bytes, size: int) -> bytes:
    header = (
        struct.pack("!IHBB", 6 << 28, size - 40, next_header, 255) + bytes(15) + b"\1" + bytes(15) + b"\2"
    )
    return (header + payload).ljust(size, b"\xbb")


def copies(frames: Frames) -> list[bytes]:
    return [
        frames.data[at : at + size].tobytes()
        for at, size in zip(frames.offsets, frames.captured, strict=True)
    ]


def read_all(ring: Ring, count: int, patience_s: float = 5.0) -> list[tuple[bytes, int, int, int]]:
    """(content, length, time, vlan) of the next `count` frames."""
    seen: list[tuple[bytes, int, int, int]] = []
    until = time.monotonic() + patience_s
    while len(seen) < count and time.monotonic() < until:
        frames = ring.read(0.2)
        if frames is not None:
            assert frames.vlan is not None
            assert int(frames.offsets[-1] + frames.captured[-1]) + PADDING_BYTES <= len(frames.data)
            columns = (frames.length.tolist(), frames.time.tolist(), frames.vlan.tolist())
            seen += zip(copies(frames), *columns, strict=True)
    return seen


def sender(network: Network, end: str = "mirror") -> socket.socket:
    with network.inside():
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        opened.bind((end, 0))
    return opened


@needs_root
def test_a_real_capture_comes_out_as_it_went_in(network: Network) -> None:
    sent = [frame.content for frame in read_capture(CAPTURES / "iphone.pcap")]
    before = time.time_ns()
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for frame in sent:
            wire.send(frame)
        seen = read_all(ring, len(sent))
        counts = ring.statistics()
    after = time.time_ns()
    assert [length for _, length, _, _ in seen] == [len(frame) for frame in sent]
    times = [instant for _, _, instant, _ in seen]
    assert before <= times[0]
    assert times == sorted(times)
    assert times[-1] <= after
    for (content, _, _, vlan), frame in zip(seen, sent, strict=True):
        assert vlan == -1
        assert content == frame[: len(content)]
        assert len(content) >= min(len(frame), SNAPLEN_BYTES)
    assert (counts.packets, counts.drops, counts.freezes, counts.interruptions) == (len(sent), 0, 0, 0)


@needs_root
def test_times_and_lengths_are_those_tcpdump_sees(network: Network, tmp_path: Path) -> None:
    witness = tmp_path / "witness.pcap"
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        command = f"tcpdump -i recorder -c 300 -s 2000 -B 32768 --immediate-mode --nano -Z root -w {witness}"
        tcpdump = subprocess.Popen(command.split(), stderr=subprocess.PIPE)
        try:
            assert tcpdump.stderr is not None
            assert any(b"listening on" in line for line in iter(tcpdump.stderr.readline, b""))
            for number in range(300):
                wire.send(ethernet(0x0800, udp4(1000 + number, 53, 60 + number)))
            seen = read_all(ring, 300)
            tcpdump.communicate(timeout=10)
        finally:
            tcpdump.kill()
            tcpdump.communicate()
    told = subprocess.run(
        ["tshark", "-r", witness, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(seen) == 300
    ours = [(f"{instant // 10**9}.{instant % 10**9:09d}", str(length)) for _, length, instant, _ in seen]
    assert ours == list(zip(told[::2], told[1::2], strict=True))


@needs_root
def test_control_frames_are_kept_whole_and_others_are_cut(network: Network) -> None:
    whole = [
        ethernet(0x0800, udp4(68, 67, DHCP_LENGTH)),
        ethernet(0x0800, udp4(67, 68, DHCP_LENGTH, words=15)),
        ethernet(0x0800, udp4(67, 68, DHCP_LENGTH), tags=(7, 8)),
        ethernet(0x0800, udp4(67, 68, DHCP_LENGTH), tags=(7, 8, 9)),
        ethernet(0x86DD, ipv6(17, struct.pack("!HHHH", 546, 547, 200, 0), 240)),
        ethernet(0x86DD, ipv6(17, struct.pack("!HHHH", 547, 546, 200, 0), 240), tags=(5, 6)),
        ethernet(0x86DD, ipv6(58, b"\x86\0\0\0", 240)),
        ethernet(0x86DD, ipv6(58, b"\x88\0\0\0", 240)),
    ]
    cut = [
        ethernet(0x0800, udp4(5000, 53, 600)),
        ethernet(0x0800, udp4(67, 68, 600, fragment=0x00B9)),
        ethernet(0x86DD, ipv6(17, struct.pack("!HHHH", 5000, 443, 200, 0), 900)),
        ethernet(0x86DD, ipv6(58, b"\x80\0\0\0", 240)),
        ethernet(0x88B5, b"\xcc" * 700),
    ]
    short = [
        ethernet(0x0800, b""),
        ethernet(0x0800, b"\x4f\0"),
        ethernet(0x86DD, b"\x60"),
    ]
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for frame in whole + cut + short:
            wire.send(frame)
        seen = read_all(ring, len(whole + cut + short))
    wholly = [len(content) == length for content, length, _, _ in seen]
    assert wholly == [True] * len(whole) + [False] * len(cut) + [True] * len(short)
    assert {len(content) for content, _, _, _ in seen[len(whole) : -len(short)]} == {SNAPLEN_BYTES}


@needs_root
def test_the_tag_the_kernel_takes_out_is_not_lost(network: Network) -> None:
    tags = [(), (1,), (4094,), (100, 200), (0,)]
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for stack in tags:
            wire.send(ethernet(0x0800, udp4(1, 2, 60), tags=stack))
        seen = read_all(ring, len(tags))
    assert [vlan for _, _, _, vlan in seen] == [stack[0] if stack else -1 for stack in tags]
    assert seen[3][0][12:18] == struct.pack("!HHH", 0x8100, 200, 0x0800)
    assert seen[1][0][12:14] == b"\x08\x00"


@needs_root
def test_what_is_lost_while_nobody_reads_is_counted_to_the_frame(network: Network) -> None:
    sent = 30_000
    frame = ethernet(0x0800, udp4(1, 2, 200))
    with network.inside(), Ring("recorder", ring_bytes=SMALL_RING_BYTES) as ring, sender(network) as wire:
        for _ in range(sent):
            wire.send(frame)
        wait_for(lambda: ring.statistics().packets == sent, 20, "every frame to be read or counted as lost")
        counts = ring.statistics()
        seen = len(read_all(ring, counts.packets - counts.drops))
        for _ in range(1000):
            wire.send(frame)
        seen += len(read_all(ring, 1000))
        counts = ring.statistics()
    assert counts.packets == sent + 1000
    assert 0 < counts.drops < sent
    assert counts.freezes > 0
    assert seen == sent + 1000 - counts.drops


@needs_root
def test_every_block_of_a_long_run_is_read_once(network: Network) -> None:
    """Numbered frames of changing sizes through a small ring, several times around."""
    total, sizes = 60_000, (60, 61, 90, 128, 700)
    numbers: list[int] = []
    frames_of_size = [bytearray(ethernet(0x88B5, bytes(size))) for size in sizes]
    with network.inside(), Ring("recorder", ring_bytes=SMALL_RING_BYTES) as ring, sender(network) as wire:
        for number in range(total):
            frame = frames_of_size[number % len(sizes)]
            frame[14:18] = struct.pack("!I", number)
            wire.send(frame)
            if number % 2000 == 1999:
                while (frames := ring.read(0.0)) is not None:
                    assert int(frames.offsets[-1] + frames.captured[-1]) + PADDING_BYTES <= len(frames.data)
                    numbers += frames.window(frames.offsets + 14, 4).view(">u4").tolist()
        while (frames := ring.read(0.3)) is not None:
            assert int(frames.offsets[-1] + frames.captured[-1]) + PADDING_BYTES <= len(frames.data)
            numbers += frames.window(frames.offsets + 14, 4).view(">u4").tolist()
        assert ring.statistics().drops == 0
    assert numbers == list(range(total))


@needs_root
def test_bytes_that_look_like_ring_headers_do_not_mislead(network: Network) -> None:
    """Frames that repeat the current second and a copied header in their payload."""
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        second = int(time.time())
        sent = []
        for number in range(400):
            forged = struct.pack("=8I", 128, second + number % 2, 5, 60, 60, 1, 96 << 16 | 82, 0) * 3
            sent.append(ethernet(0x88B5, bytes(2 + number % 8) + forged)[:SNAPLEN_BYTES])
            wire.send(sent[-1])
        seen = read_all(ring, len(sent))
    assert [content for content, _, _, _ in seen] == sent


@needs_root
def test_it_listens_to_everybody_and_says_nothing(network: Network, tmp_path: Path) -> None:
    with network.inside():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with tap, network.inside(), Ring("recorder") as ring:
        tap.bind(("mirror", 3))
        tap.settimeout(0.3)
        assert "promiscuity 1" in network.run("ip", "-d", "link", "show", "recorder")
        for _ in range(3):
            ring.read(0.1)
            ring.statistics()
        with pytest.raises(TimeoutError):
            tap.recv(65535)
        with sender(network, "recorder") as own:  # what the box sends on that port is not recorded
            own.send(ethernet(0x0800, udp4(1, 2, 60)))
        assert tap.recv(65535)
        assert ring.read(0.3) is None
    assert "promiscuity 0" in network.run("ip", "-d", "link", "show", "recorder")


def until_link_is(ring: Ring, link: Link) -> None:
    """Read until the ring has seen it: the kernel may take a second to tell of a cable."""
    until = time.monotonic() + 5
    while ring.link is not link:
        assert time.monotonic() < until, f"the link is {ring.link}, not {link}"
        assert ring.read(0.1) is None
        ring.statistics()


@needs_root
def test_a_link_that_goes_and_comes_back_is_listened_to_again(network: Network) -> None:
    frame = ethernet(0x0800, udp4(1, 2, 60))
    with network.inside(), Ring("recorder") as ring:
        until_link_is(ring, Link.UP)
        network.run("ip", "link", "set", "recorder", "down")
        until_link_is(ring, Link.DOWN)
        network.run("ip", "link", "set", "recorder", "up")
        until_link_is(ring, Link.UP)
        with sender(network) as wire:
            wire.send(frame)
        assert len(read_all(ring, 1)) == 1

        network.run("ip", "link", "del", "recorder")
        until_link_is(ring, Link.ABSENT)
        network.cable("mirror", "recorder")
        until_link_is(ring, Link.UP)
        with sender(network) as wire:
            wire.send(frame)
        assert len(read_all(ring, 1)) == 1
        counts = ring.statistics()
    assert (counts.packets, counts.interruptions) == (2, 2)


@needs_root
def test_a_cable_that_is_pulled_is_seen(network: Network) -> None:
    with network.inside(), Ring("recorder") as ring:
        until_link_is(ring, Link.UP)
        network.run("ip", "link", "set", "mirror", "down")
        until_link_is(ring, Link.DOWN)
        assert ring.statistics().interruptions == 1


@needs_root
def test_after_ceasing_what_had_come_is_still_read_and_nothing_more(network: Network) -> None:
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for number in range(20):
            wire.send(ethernet(0x0800, udp4(number, 2, 60)))
        ring.cease()
        for number in range(20):
            wire.send(ethernet(0x0800, udp4(number, 2, 60)))
        assert len(read_all(ring, 21, patience_s=0.5)) == 20
        assert ring.statistics().packets == 20


@needs_root
@pytest.mark.parametrize("going", ["del", "down"])
def test_what_came_just_before_the_interface_went_is_read(network: Network, going: str) -> None:
    """The kernel still holds it in a block that is not full."""
    sent = 2000
    frame = ethernet(0x0800, udp4(1, 2, 60))
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for _ in range(sent):
            wire.send(frame)
        network.run("ip", "link", *(["del", "recorder"] if going == "del" else ["set", "recorder", going]))
        seen = len(read_all(ring, sent, patience_s=2))
        assert ring.link is Link.UP
        until_link_is(ring, Link.ABSENT if going == "del" else Link.DOWN)
        counts = ring.statistics()
    assert (seen, counts.packets, counts.unread, counts.interruptions) == (sent, sent, 0, 1)


@needs_root
def test_what_a_ring_takes_with_it_is_counted(network: Network) -> None:
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for number in range(50):
            wire.send(ethernet(0x0800, udp4(number, 2, 60)))
        ring.close()
        assert ring.statistics().unread == 50


@needs_root
def test_the_rest_ends_as_soon_as_nothing_is_missing(network: Network) -> None:
    with network.inside(), Ring("recorder") as ring, sender(network) as wire:
        for number in range(50):
            wire.send(ethernet(0x0800, udp4(number, 2, 60)))
        ring.cease()
        begun = time.monotonic()
        assert sum(map(len, ring.rest())) == 50
        assert list(ring.rest()) == []
        assert time.monotonic() - begun < 1
        ring.close()
        assert ring.statistics().unread == 0


@needs_root
def test_an_interface_that_is_not_there_is_one_sentence(network: Network) -> None:
    with network.inside(), pytest.raises(CaptureError, match="no such interface"):
        Ring("nowhere").open()


@needs_root
def test_an_interface_without_ethernet_is_refused(network: Network) -> None:
    network.run("ip", "tuntap", "add", "dev", "tunnel", "mode", "tun")
    with network.inside(), pytest.raises(CaptureError, match="does not carry Ethernet"):
        Ring("tunnel").open()


@needs_root
@pytest.mark.parametrize(("hardware", "link_type"), [(801, 105), (803, 127)])
def test_a_monitor_interface_gives_whole_frames_of_its_link_type(
    network: Network, hardware: int, link_type: int
) -> None:
    """A tap that calls itself a Wi-Fi monitor: the numbers are those of if_arp.h and of libpcap."""
    sent = [bytes([number]) * (60 + 40 * number) for number in range(30)]
    with network.inside(), open("/dev/net/tun", "r+b", buffering=0) as tap:
        fcntl.ioctl(tap, 0x400454CA, struct.pack("=16sH22x", b"monitor", 0x1002))  # TUNSETIFF: tap, no PI
        fcntl.ioctl(tap, 0x400454CD, hardware)  # TUNSETLINK
        with Ring("monitor") as ring:
            network.run("ip", "link", "set", "monitor", "up")
            ring.filter(bpf.program(SNAPLEN_BYTES, ()))
            until_link_is(ring, Link.UP)
            for frame in sent:
                os.write(tap.fileno(), frame)
            ring.cease()
            seen = [(frames.link_type, copies(frames)) for frames in ring.rest()]
    assert {number for number, _ in seen} == {link_type}
    assert [frame for _, frames in seen for frame in frames] == sent


@needs_root
def test_without_the_right_to_listen_it_says_what_to_do() -> None:
    code = "from appliance.capture.ring import Ring; Ring('lo').open()"
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--clear-groups",
            "--bounding-set=-all",
            "--",
            os.sys.executable,
            "-c",
            code,
        ],
        capture_output=True,
        text=True,
    )
    if "ModuleNotFoundError" in done.stderr or "can't open" in done.stderr:
        pytest.skip("the user nobody cannot read this checkout")
    assert "CaptureError: may not listen on 'lo'; run as root or give the process CAP_NET_RAW" in done.stderr


def test_a_snaplen_that_would_cut_headers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 96"):
        bpf.program(60, ())


def test_the_search_and_the_walk_find_the_same_frames() -> None:
    """A block laid out by hand after linux/if_packet.h, read both ways."""
    generator = np.random.default_rng(7)
    ring = np.zeros(BLOCK_BYTES, np.uint8)
    words = ring.view(np.uint32)
    at, contents = 48, []
    for number in range(500):
        size = int(generator.integers(14, 300))
        following = (82 + size + 7) & ~7
        struct.pack_into(
            "=6I2H2I", ring.data, at, following, 1000 + number // 250, number, size, size, 1, 82, 96, 0, 0
        )
        contents.append(generator.bytes(size))
        ring.data[at + 82 : at + 82 + size] = contents[-1]
        at += following
    struct.pack_into("=7I", ring.data, 8, 1, 500, 48, at, 0, 0, 1000)
    struct.pack_into("=I", ring.data, 40, 1001)
    assert block._search(words, 500) is not None
    frames = block.frames_of(ring, 0, BLOCK_BYTES)
    assert copies(frames) == contents
    words[(48 + 82 + 40) // 4 & ~1 | 1] = 1000  # something that looks like a header at first sight
    assert np.array_equal(block._follow(words, 500)[0] * 8, frames.offsets - 82)


def test_headers_left_over_from_the_last_filling_are_no_frames() -> None:
    """The kernel does not write between an address and its frame: an old header may stand there."""
    ring = np.zeros(BLOCK_BYTES, np.uint8)
    ends = [48 + 200 * number for number in range(101)]
    for number, at in enumerate(ends[:-1]):
        struct.pack_into("=6I2H2I", ring.data, at, 200, 1000, number, 118, 118, 1, 82, 96, 0, 0)
        struct.pack_into("=6I2H", ring.data, at + 72, 160, 1000, 7, 118, 118, 1, 82, 96)
    struct.pack_into("=7I", ring.data, 8, 1, 100, 48, ends[-1], 0, 0, 1000)
    struct.pack_into("=I", ring.data, 40, 1000)
    found = block._search(ring.view(np.uint32), 100)
    assert found is not None
    assert (found[0] * 8).tolist() == ends[:-1]

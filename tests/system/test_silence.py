"""A mirror interface never transmits, whatever asks it to: a tap on the other end hears nothing."""

import contextlib
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.capture import netlink
from appliance.capture.ring import Ring
from appliance.capture.silence import Silence, Standing
from tests.system.boxes import Box, make_box
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

ALL_NODES, ALL_HOSTS = "ff02::1", "224.0.0.1"
SWITCH_MAC = bytes.fromhex("020000000001")
_OUTGOING = 4  # PACKET_OUTGOING, linux/if_packet.h


@pytest.fixture
def network() -> Iterator[Network]:
    """A cable whose mirror end is as the kernel makes it: IPv6 with autoconfiguration, ARP, down."""
    with Network() as network:
        network.run("ip", "link", "add", "name", "switch", "type", "veth", "peer", "name", "mirror")
        with network.inside(), open("/proc/sys/net/ipv6/conf/switch/disable_ipv6", "w") as setting:
            setting.write("1")
        network.run("ip", "link", "set", "switch", "address", SWITCH_MAC.hex(":"), "arp", "off", "up")
        network.run("ip", "link", "set", "lo", "up")
        yield network


class Tap:
    """Everything that comes out of the cable's other end."""

    def __init__(self, network: Network) -> None:
        with network.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind(("switch", 3))
        self._socket.setblocking(False)

    def heard(self) -> list[bytes]:
        frames = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, _, _) = self._socket.recvfrom(65535)
                if kind != _OUTGOING:
                    frames.append(frame)
        return frames

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def __enter__(self) -> "Tap":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def checksum(content: bytes) -> int:
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmpv6(message: bytes, destination: str) -> bytes:
    source, to = (socket.inet_pton(socket.AF_INET6, text) for text in ("fe80::1", destination))
    pseudo = source + to + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + to
    return bytes.fromhex("333300000001") + SWITCH_MAC + b"\x86\xdd" + header + message


def questions(mac: bytes) -> list[bytes]:
    """What a network says that a host would answer."""
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 7200, 3600, 0) + socket.inet_pton(
        socket.AF_INET6, "2001:db8::"
    )
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    local = b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    solicitation = struct.pack("!BBHI", 135, 0, 0, 0) + local + b"\1\1" + SWITCH_MAC
    echo = struct.pack("!BBHHH", 128, 0, 0, 7, 1) + bytes(8)
    listener_query = struct.pack("!BBHHH", 130, 0, 0, 100, 0) + bytes(16)
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + SWITCH_MAC + socket.inet_aton("192.0.2.9") + bytes(6)
    ping = struct.pack("!BBHHH", 8, 0, 0xF7F8, 7, 0) + bytes(8)
    ipv4 = struct.pack("!BBHHHBBH", 0x45, 0, 36, 1, 0, 64, 1, 0)
    ipv4 += socket.inet_aton("192.0.2.9") + socket.inet_aton(ALL_HOSTS)
    ipv4 = ipv4[:10] + struct.pack("!H", checksum(ipv4)) + ipv4[12:]
    return [
        icmpv6(advertisement, ALL_NODES),
        icmpv6(solicitation, ALL_NODES),
        icmpv6(echo, ALL_NODES),
        icmpv6(listener_query, ALL_NODES),
        b"\xff" * 6 + SWITCH_MAC + b"\x08\x06" + arp + socket.inet_aton("192.0.2.1"),
        bytes.fromhex("01005e000001") + SWITCH_MAC + b"\x08\x00" + ipv4 + ping,
    ]


def provoke(network: Network, tap: Tap, seconds: float) -> list[bytes]:
    """Ask the mirror end everything, join groups on it and send from it; what came out."""
    with network.inside(), contextlib.ExitStack() as stack:
        index = socket.if_nametoindex("mirror")
        mac = next(one.mac for one in netlink.devices() if one.name == "mirror")
        joined6 = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        joined4 = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        lldp = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        with contextlib.suppress(OSError):
            joined6.setsockopt(
                socket.IPPROTO_IPV6,
                socket.IPV6_JOIN_GROUP,
                socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("=I", index),
            )
        with contextlib.suppress(OSError):
            joined4.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton("224.0.0.251") + bytes(4) + struct.pack("=i", index),
            )
        joined4.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"mirror")
        joined4.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        lldp.bind(("mirror", 0))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for frame in questions(mac):
                tap.send(frame)
            for say in (
                lambda: joined4.sendto(b"hello", ("255.255.255.255", 67)),
                lambda: lldp.send(bytes.fromhex("0180c200000e") + mac + b"\x88\xcc" + bytes(50)),
            ):
                with contextlib.suppress(OSError):
                    say()
            time.sleep(0.1)
        return tap.heard()


def stand(network: Network, silence: Silence) -> Standing:
    with network.inside():
        return silence.keep(netlink.devices(), netlink.addresses())


def test_the_tap_would_hear_an_interface_as_the_kernel_makes_it(network: Network) -> None:
    """Else the silence below would prove nothing: each kind of frame is heard from an ordinary interface."""
    with Tap(network) as tap:
        network.run("ip", "link", "set", "mirror", "up")
        heard = provoke(network, tap, 3.0)
    kinds = {frame[12:14] for frame in heard}
    assert b"\x88\xcc" in kinds
    icmp_types = {frame[54] for frame in heard if frame[12:14] == b"\x86\xdd" and frame[20] == 58}
    reports = [frame for frame in heard if frame[12:14] == b"\x86\xdd" and frame[20] == 0]
    assert reports, "multicast reports are heard"
    assert icmp_types & {133, 135, 136, 129}, "neighbour discovery is heard"


def test_a_recorded_mirror_sends_nothing(network: Network, tmp_path: Path) -> None:
    box = make_box(tmp_path, ["192.0.2.0/24"])
    with Tap(network) as tap, network.inside(), Warm() as warm:
        recorder = warm.start(
            ["record", "--home", str(box.home), "--interface", "mirror"], tmp_path / "recorder"
        )
        wait_for(lambda: is_listening(box), 20, "the recorder to listen")
        heard = provoke(network, tap, 3.0)
        assert heard == []
        network.run("ip", "link", "set", "mirror", "down")
        network.run("ip", "link", "set", "mirror", "promisc", "on", "up")
        heard = provoke(network, tap, 1.5)
        said = box.json("status")["recorders"][-1]["sources"][0]
        warm.end(recorder, 15)
        heard += provoke(network, tap, 1.0)  # nor when nobody records
    assert heard == []
    assert said["packets"] > 100
    assert said["interface"]["silent"] is True
    assert "interface_can_send" not in said["measured"]


def is_listening(box: Box) -> bool:
    sources = box.recorder().get("sources")
    return bool(sources and sources[0]["interface"] and sources[0]["interface"]["link"] == "up")


def test_what_is_undone_by_others_is_done_again(network: Network) -> None:
    silence = Silence("mirror")
    with Tap(network) as tap:
        assert stand(network, silence) == Standing(True, "")
        with network.inside(), open("/proc/sys/net/ipv6/conf/mirror/disable_ipv6", "w") as setting:
            setting.write("0")
        network.run("ip", "link", "set", "mirror", "arp", "on")
        assert stand(network, silence).silent
        assert "NOARP" in network.run("ip", "link", "show", "mirror")
        assert tap.heard() == []
        network.run("ip", "link", "del", "mirror")
        assert stand(network, silence) == Standing(False, "")
        network.run("ip", "link", "add", "name", "mirror", "type", "veth", "peer", "name", "switch2")
        assert stand(network, silence).silent
        assert "bytecode '1,6 0 0 2'" in network.run("tc", "filter", "show", "dev", "mirror", "egress")


def test_a_drop_that_somebody_took_away_is_put_back(network: Network) -> None:
    """Within thirty looks: nothing but asking tc tells that it is gone."""
    silence = Silence("mirror")
    stand(network, silence)
    network.run("tc", "qdisc", "del", "dev", "mirror", "clsact")
    assert network.run("tc", "filter", "show", "dev", "mirror", "egress") == ""
    for _ in range(30):
        assert stand(network, silence).silent
    assert "bytecode" in network.run("tc", "filter", "show", "dev", "mirror", "egress")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (["ip addr add 192.0.2.1/24 dev mirror"], "has an address"),
        (["ip addr add 2001:db8::1/64 dev mirror"], "has an address"),
        (["ip addr add 169.254.7.1/16 dev mirror"], "has an address"),
        (["ip link add bridge type bridge", "ip link set mirror master bridge"], "port of a bridge"),
        (["ip link add link mirror name guests type vlan id 7"], "carries other interfaces"),
        (["ip link add link mirror name guests type macvlan"], "carries other interfaces"),
    ],
)
def test_an_interface_in_use_is_left_alone_and_said_to_be(
    network: Network, use: list[str], words: str
) -> None:
    """Whoever names his way into the box must not cut himself off."""
    for command in use:
        try:
            network.run(*command.split())
        except AssertionError as error:
            if "Unknown device type" not in str(error):
                raise
            pytest.skip("the kernel knows no such interface")
    before = network.run("ip", "-d", "link", "show", "mirror")
    standing = stand(network, Silence("mirror"))
    assert not standing.ours
    assert words in standing.doubt
    assert "can send" in standing.doubt
    assert network.run("ip", "-d", "link", "show", "mirror") == before
    assert network.run("tc", "qdisc", "show", "dev", "mirror", "clsact") == ""


def test_a_use_that_begins_after_the_silence_is_told_what_holds_it_up(network: Network) -> None:
    silence = Silence("mirror")
    assert stand(network, silence) == Standing(True, "")
    network.run("ip", "addr", "add", "192.0.2.1/24", "dev", "mirror")
    for one in (silence, Silence("mirror")):  # a later recorder as well
        doubt = stand(network, one).doubt
        assert "has an address, and nothing of that gets out" in doubt
        assert "tc qdisc del dev mirror clsact" in doubt
    network.run("tc", "qdisc", "del", "dev", "mirror", "clsact")
    assert "can send" in stand(network, silence).doubt


def test_a_link_local_address_alone_is_no_use(network: Network) -> None:
    network.run("ip", "link", "set", "mirror", "up")
    network.run("ip", "addr", "replace", "fe80::7/64", "dev", "mirror")
    assert stand(network, Silence("mirror")) == Standing(True, "")
    assert "fe80" not in network.run("ip", "addr", "show", "mirror")


def test_merging_of_frames_is_switched_off(network: Network) -> None:
    network.run("ethtool", "-K", "mirror", "gro", "on")
    stand(network, Silence("mirror"))
    assert "generic-receive-offload: off" in network.run("ethtool", "-k", "mirror")


def dropped(network: Network) -> int:
    with network.inside():
        return next(one.losses.dropped for one in netlink.devices() if one.name == "mirror")


UNCLAIMED = {
    "tagged": SWITCH_MAC + b"\x81\0\0\7\x88\xb5" + bytes(50),
    "LLDP": SWITCH_MAC + b"\x88\xcc" + bytes(50),
    "MPLS": SWITCH_MAC + b"\x88\x47" + bytes(50),
    "PPPoE": SWITCH_MAC + b"\x88\x64" + bytes(50),
}


@pytest.mark.parametrize("frame", UNCLAIMED.values(), ids=UNCLAIMED)
def test_frames_that_only_the_ring_wants_are_not_dropped_ones(network: Network, frame: bytes) -> None:
    """The kernel counts what nobody else takes as dropped, though the ring has it; not once it is deaf."""
    network.run("ip", "link", "set", "mirror", "up")
    silence = Silence("mirror")
    assert not stand(network, silence).deaf, "not yet when the counts were taken"
    assert stand(network, silence).deaf
    for deaf in (True, False):
        if not deaf:  # as it would be with the drop at egress alone
            network.run("tc", "filter", "del", "dev", "mirror", "ingress")
        with Tap(network) as tap, network.inside(), Ring("mirror") as ring:
            before = dropped(network)
            for _ in range(25):
                tap.send(bytes.fromhex("0180c2000002") + frame)
            time.sleep(0.3)
            assert ring.statistics().packets >= 25
            assert dropped(network) - before == (0 if deaf else 25)
    assert not stand(network, silence).deaf
    assert stand(network, silence).deaf, "somebody took it away: it is put back"


def test_a_container_s_macvlan_is_a_use(network: Network) -> None:
    """It lies in a network namespace of its own, where nobody but the interface knows of it."""
    with Network() as container:
        try:
            network.run("ip", "link", "add", "guest", "link", "mirror", "type", "macvlan", "mode", "bridge")
        except AssertionError as error:
            if "Unknown device type" not in str(error):
                raise
            pytest.skip("the kernel knows no macvlan")
        handle = container._handle
        with network.inside():
            done = subprocess.run(
                ["ip", "link", "set", "guest", "netns", f"/proc/{os.getpid()}/fd/{handle}"],
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, done.stderr
        network.run("ip", "link", "set", "mirror", "up")
        container.run("ip", "link", "set", "guest", "up")
        standing = stand(network, Silence("mirror"))
        assert "takes frames for another MAC" in standing.doubt
        assert not standing.ours
        assert network.run("tc", "qdisc", "show", "dev", "mirror", "clsact") == ""


def test_an_interface_is_known_by_its_alternative_name(network: Network) -> None:
    network.run("ip", "link", "property", "add", "dev", "mirror", "altname", "enp9s0")
    assert stand(network, Silence("enp9s0")) == Standing(True, "")
    assert "bytecode '1,6 0 0 2'" in network.run("tc", "filter", "show", "dev", "mirror", "egress")
    assert "NOARP" in network.run("ip", "link", "show", "mirror")

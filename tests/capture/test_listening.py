"""Which networks are proposed as the clients', and whether a client is heard: batches of made frames."""

import ipaddress
import struct

import numpy as np
import pytest

from appliance.capture.listening import Heard, hear
from appliance.config.values import is_private
from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from appliance.model.networks import Networks
from appliance.wire.decode import Decoder

ROUTER, APPLE = "02:00:00:00:00:99", "17.248.185.19"
PHONES = ("02:00:00:00:01:01", "02:00:00:00:01:02")


def frame(mac: str, address: str, to_address: str, tag: int = 0) -> bytes:
    """An Ethernet frame (with an 802.1Q tag) around UDP, by RFC 791 or RFC 8200."""
    source, target = ipaddress.ip_address(address).packed, ipaddress.ip_address(to_address).packed
    udp = struct.pack("!HHHH", 5000, 443, 28, 0) + bytes(20)
    if len(source) == 4:
        inner = b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 48, 1, 0, 64, 17, 0) + source + target + udp
    else:
        inner = b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 28, 17, 64) + source + target + udp
    tagged = struct.pack("!HH", 0x8100, tag) if tag else b""
    return bytes.fromhex(("020000000098" + mac).replace(":", "")) + tagged + inner


def arp(mac: str, address: str) -> bytes:
    """Somebody asks who has .254 (RFC 826)."""
    sender, asked = ipaddress.ip_address(address).packed, ipaddress.ip_address(address).packed[:3] + b"\xfe"
    own = bytes.fromhex(mac.replace(":", ""))
    said = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + sender + bytes(6) + asked
    return b"\xff" * 6 + own + b"\x08\x06" + said + bytes(18)


def heard(frames: list[bytes], clients: tuple[str, ...] = ()) -> Heard:
    sizes = np.array([len(one) for one in frames], np.int64)
    data = np.frombuffer(b"".join(frames) + bytes(PADDING_BYTES), np.uint8)
    batch = Frames(data, np.cumsum(sizes) - sizes, sizes, sizes, np.arange(len(frames)), ETHERNET)
    found = Heard(1.0)
    hear(found, batch, b"", Decoder(), Networks.of(clients) if clients else None)
    return found


def test_what_one_server_answers_on_a_quiet_link_is_no_network_of_the_clients() -> None:
    assert heard([frame(ROUTER, APPLE, "192.168.2.40")]).networks() == ()
    both = [frame(ROUTER, APPLE, "192.168.2.40"), frame(PHONES[0], "192.168.2.40", APPLE)]
    assert heard(both).networks() == ("192.168.2.0/24",)


def test_two_routers_do_not_make_the_internet_a_network_of_a_site_that_translates() -> None:
    servers = [frame(mac, APPLE, "10.2.0.9") for mac in (ROUTER, "02:00:00:00:00:9a")]
    assert heard([*servers, frame(PHONES[0], "10.2.0.9", APPLE)]).networks() == ("10.2.0.0/24",)


def test_a_site_that_gives_out_public_addresses_is_proposed_with_them() -> None:
    phones = [frame(mac, f"198.51.100.{number}", APPLE) for number, mac in enumerate(PHONES, 7)]
    assert heard(phones).networks() == ("198.51.100.0/24",)
    assert heard(phones[:1]).networks() == ()


def test_public_ipv6_beside_private_ipv4_is_the_rule_and_is_proposed() -> None:
    frames = [frame(PHONES[0], "192.168.2.40", APPLE), frame(ROUTER, "2a00:1450::7", "2001:db8:7::1")]
    frames += [frame(mac, f"2001:db8:7::{number}", "2a00:1450::7") for number, mac in enumerate(PHONES, 1)]
    assert set(heard(frames).networks()) == {"192.168.2.0/24", "2001:db8:7::/64"}


def test_behind_tags_and_by_arp_networks_are_heard_too() -> None:
    assert heard([frame(PHONES[0], "172.20.1.5", APPLE, tag=30)]).networks() == ("172.20.1.0/24",)
    assert heard([arp(PHONES[0], "100.70.3.9")]).networks() == ("100.70.3.0/24",)


def test_a_router_that_sends_for_many_is_none_of_the_devices() -> None:
    assert heard([frame(ROUTER, f"10.{number}.0.1", "10.99.0.1") for number in range(12)]).networks() == ()


@pytest.mark.parametrize(
    ("networks", "count"),
    [(("192.168.2.0/24",), 2), (("17.248.185.0/24",), 2), (("10.0.0.0/8",), 0), (("2001:db8:7::/48",), 1)],
)
def test_packets_of_clients_are_counted_both_ways(networks: tuple[str, ...], count: int) -> None:
    frames = [frame(ROUTER, APPLE, "192.168.2.40"), frame(PHONES[0], "192.168.2.40", APPLE)]
    frames += [frame(PHONES[1], "2001:db8:7::1", "2a00:1450::7"), arp(PHONES[0], "192.168.2.40")]
    assert heard(frames, networks).of_clients == count


@pytest.mark.parametrize(
    ("network", "private"),
    [
        ("10.0.0.0/8", True), ("172.31.0.0/16", True), ("172.32.0.0/16", False), ("192.168.1.7/24", True),
        ("100.64.0.0/10", True), ("fd00:1::/48", True), ("0.0.0.0/0", False), ("17.248.185.0/24", False),
        ("192.0.0.0/8", False), ("2001:db8::/32", False), ("::/0", False),
    ],
)  # fmt: skip
def test_what_no_provider_hands_out_is_private(network: str, private: bool) -> None:
    assert is_private(network) is private

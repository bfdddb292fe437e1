"""What the kernel is asked over netlink and ethtool is what iproute2 and ethtool say."""

import json
from collections.abc import Iterator

import pytest

from appliance.capture import ethtool, netlink
from appliance.capture.own_traffic import own_addresses
from tests.system.networks import Network, may_make

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        network.cable("switch", "mirror")
        network.run("ip", "link", "add", "bridge", "type", "bridge")
        network.run("ip", "link", "set", "switch", "master", "bridge", "mtu", "1400")
        network.run("ip", "link", "set", "lo", "up")
        for address in ("192.0.2.1/24", "2001:db8::1/64"):
            network.run("ip", "addr", "add", address, "dev", "bridge")
        yield network


def test_interfaces_are_those_of_iproute2(network: Network) -> None:
    said = json.loads(network.run("ip", "-j", "-d", "-s", "-s", "link"))
    with network.inside():
        found = netlink.devices()
    numbers = {one["ifname"]: one["ifindex"] for one in said} | {"": 0}
    assert len(said) == 4
    for one, device in zip(said, found, strict=True):
        kind = one.get("linkinfo", {}).get("info_kind", "")
        assert (device.index, device.name, device.kind) == (one["ifindex"], one["ifname"], kind)
        assert (device.mtu, device.mac.hex(":")) == (one["mtu"], one["address"])
        assert device.lower == numbers[one.get("link") or ""]
        assert device.master == numbers[one.get("master") or ""]
        assert bool(device.flags & netlink.IFF_NOARP) is ("NOARP" in one["flags"])
        received = one["stats64"]["rx"]
        assert device.losses.dropped == received["dropped"]
        assert device.losses.overrun == received["over_errors"] + received["fifo_errors"]
        assert device.losses.missed == received["missed_errors"]


def test_addresses_are_those_of_iproute2(network: Network) -> None:
    said = json.loads(network.run("ip", "-j", "addr"))
    with network.inside():
        found = netlink.addresses()
        own = own_addresses(netlink.devices(), found)
    expected = {(one["ifindex"], info["local"]) for one in said for info in one["addr_info"]}
    assert {(index, str(address)) for index, address in found} == expected
    bridge = next(one for one in said if one["ifname"] == "bridge")
    assert [mac.hex(":") for mac in own.macs] == [bridge["address"]]
    assert own.ipv4 == (bytes([192, 0, 2, 1]),)
    assert bytes.fromhex("20010db8000000000000000000000001") in own.ipv6


def test_speed_and_merging_are_ethtool_s(network: Network) -> None:
    with network.inside():
        assert ethtool.speed_mbps("mirror") == 10_000
        assert "Speed: 10000Mb/s" in network.run("ethtool", "mirror")
        assert ethtool.speed_mbps("lo") is None
        for state in ("on", "off"):
            network.run("ethtool", "-K", "mirror", "gro", state)
            assert ethtool.merges_frames("mirror") is (state == "on")
        network.run("ethtool", "-K", "mirror", "gro", "on")
        ethtool.stop_merging("mirror")
        assert not ethtool.merges_frames("mirror")
        assert not ethtool.merges_frames("nowhere")

"""Statistics of real captures against tshark: octets of a category by its ports, clients by their MACs."""

import ipaddress
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.boxes import Box, make_box

ROOT = Path(__file__).parents[2]
CAPTURES = {name: ROOT / "demo" / "captures" / f"{name}.pcap" for name in ("iphone", "android")}
NETWORKS = ["192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "169.254.0.0/16", "fe80::/10"]
NAME_SERVICE = "dns || mdns || llmnr || nbns"


def tshark(capture: Path, only: str, *fields: str) -> Iterator[list[str]]:
    """The outermost of each field, of the frames that a filter lets through."""
    arguments = ["tshark", "-n", "-r", str(capture), "-Y", only, "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        arguments += ["-e", field]
    for line in subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines():
        yield line.split("\t")


def octets(capture: Path, only: str) -> int:
    sizes = tshark(capture, only, "ip.len", "ipv6.plen")
    return sum(int(four or 0) + (int(six) + 40 if six else 0) for four, six in sizes)


def is_public(text: str) -> bool:
    return ipaddress.ip_address(text).is_global and not ipaddress.ip_address(text).is_multicast


def devices(captures: list[Path]) -> set[str]:
    """Stations that sent from the site's networks, but for those that also stood for public addresses."""
    networks = [ipaddress.ip_network(text) for text in NETWORKS]
    senders, routers = set(), set()
    for capture in captures:
        fields = ("eth.src", "eth.dst", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst")
        for source, destination, four, four_to, six, six_to in tshark(capture, "ip || ipv6", *fields):
            if any(ipaddress.ip_address(four or six) in network for network in networks):
                senders.add(source)
            routers |= {
                mac
                for mac, text in ((source, four or six), (destination, four_to or six_to))
                if is_public(text)
            }
    return senders - routers


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """All captures in one home: two telephones, a router and what else was in the air, within one hour."""
    box = make_box(tmp_path_factory.mktemp("statistics"), NETWORKS)
    box.run("record", *CAPTURES.values())
    return box


@pytest.fixture(scope="module")
def period(box: Box) -> dict[str, Any]:
    [period] = box.json("statistics", "--by", "hour")["periods"]
    return dict(period)


def test_octets_are_those_that_tshark_counts(period: dict[str, Any]) -> None:
    assert period["bytes"] == sum(octets(capture, "ip || ipv6") for capture in CAPTURES.values())
    expected = sum(octets(capture, f"({NAME_SERVICE}) && !icmp") for capture in CAPTURES.values())
    assert period["uses"]["name_service"]["bytes"] == expected > 0


def test_users_are_the_devices_that_tshark_saw(period: dict[str, Any]) -> None:
    seen = devices(list(CAPTURES.values()))
    assert period["users"] == {"least": len(seen), "most": len(seen)}
    assert len(seen) >= 3


def test_hours_and_days_of_a_long_recording_stand_apart(tmp_path: Path) -> None:
    """The same people on three evenings, their files given out of order."""
    together = tmp_path / "together.pcap"
    subprocess.run(["mergecap", "-F", "pcap", "-w", together, *CAPTURES.values()], check=True)
    parts = {}
    for hours in (30, 0, 5):
        parts[hours] = tmp_path / f"{hours}.pcap"
        shift = ["editcap", "-t", str(hours * 3600), together, parts[hours]]
        subprocess.run(shift, check=True, capture_output=True)
    box = make_box(tmp_path, NETWORKS)
    box.run("record", *parts.values())
    by_hour = box.json("statistics", "--by", "hour")["periods"]
    assert [period["start"] for period in by_hour] == [
        "2020-02-23T10:00Z",
        "2020-02-23T15:00Z",
        "2020-02-24T16:00Z",
    ]
    assert {period["bytes"] for period in by_hour} == {octets(together, "ip || ipv6")}
    users = {"least": len(devices([together])), "most": len(devices([together]))}
    assert [period["users"] for period in by_hour] == [users] * 3
    by_day = box.json("statistics")["periods"]
    assert [(period["start"], period["users"]) for period in by_day] == [
        ("2020-02-23", users),
        ("2020-02-24", users),
    ]
    assert by_day[0]["bytes"] == 2 * by_day[1]["bytes"]

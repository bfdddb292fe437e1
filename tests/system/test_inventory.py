"""The inventory, against net-snmp's agent: what is read, what goes over the wire, and what is kept."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.feeds.snmp.objects import ASKED
from tests.system import agents
from tests.system.boxes import Box, make_box
from tests.system.networks import Network, may_make

pytestmark = pytest.mark.skipif(
    not may_make() or not Path(agents.SNMPD).exists() or not shutil.which("tshark"),
    reason="needs root, snmpd and tshark",
)

AP_MAC, RADIO_STATION, WIRED_STATION = "06:11:22:33:44:55", "02:00:00:00:aa:01", "02:00:00:00:aa:02"
CLIENTS = {
    "10.9.1.20": "02:00:00:00:00:20",
    "10.9.1.21": "8c:00:00:00:00:21",
    "2001:db8:9::20": "02:00:00:00:00:20",
}
STRANGERS = {"192.0.2.9": "02:00:00:00:00:99"}


def decimal(mac: str) -> str:
    return ".".join(str(int(octet, 16)) for octet in mac.split(":"))


BRIDGE = {
    # Two ports: a radio (ieee80211) and a cable, with a station learned at each.
    ".1.3.6.1.2.1.17.1.4.1.2.1": ("integer", "901"),
    ".1.3.6.1.2.1.17.1.4.1.2.2": ("integer", "902"),
    f".1.3.6.1.2.1.17.4.3.1.2.{decimal(RADIO_STATION)}": ("integer", "1"),
    f".1.3.6.1.2.1.17.4.3.1.2.{decimal(WIRED_STATION)}": ("integer", "2"),
    f".1.3.6.1.2.1.17.7.1.2.2.1.2.7.{decimal(WIRED_STATION)}": ("integer", "2"),
    f".1.3.6.1.2.1.17.4.3.1.2.{decimal(AP_MAC)}": ("integer", "1"),
    ".1.3.6.1.2.1.2.2.1.2.901": ("string", "wlan0"),
    ".1.3.6.1.2.1.2.2.1.2.902": ("string", "lan1"),
    ".1.3.6.1.2.1.2.2.1.3.901": ("integer", "71"),
    ".1.3.6.1.2.1.2.2.1.3.902": ("integer", "6"),
    ".1.3.6.1.2.1.2.2.1.6.901": ("octet", " ".join(AP_MAC.split(":"))),
    ".1.3.6.1.2.1.2.2.1.8.901": ("integer", "1"),
    ".1.3.6.1.2.1.2.2.1.8.902": ("integer", "2"),
}


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Scene:
    """A LAN of one network namespace: the box asks 10.9.0.0/29, where an agent is at .2 and at .3 another."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.box = make_box(folder, ["10.9.1.0/24", "2001:db8:9::/64"])
        self.network = stack.enter_context(Network())
        run = self.network.run
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "nobody")
        run("ip", "link", "set", "lan", "up")
        run("ip", "link", "set", "nobody", "up")
        for address in ("10.9.0.1/16", "10.9.0.2/16", "10.9.0.3/16", "192.0.2.1/24"):
            run("ip", "address", "add", address, "dev", "lan")
        run("ip", "-6", "address", "add", "2001:db8:9::1/64", "dev", "lan", "nodad")
        absent = {f"10.9.0.{host}": f"02:00:00:00:01:0{host}" for host in (4, 5, 6)}
        for address, mac in {**CLIENTS, **STRANGERS, **absent}.items():
            run("ip", "neigh", "add", address, "lladdr", mac, "dev", "lan", "nud", "permanent")
        with self.network.inside():
            stack.enter_context(agents.agent(folder / "one", "10.9.0.2", BRIDGE))
            stack.enter_context(agents.agent(folder / "two", "10.9.0.3", {}))

    def set(self, **values: str) -> None:
        path = self.box.home / "box.toml"
        text = path.read_text()
        for name, value in values.items():
            text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert count == 1
        path.write_text(text)

    def inventory(self) -> dict[str, object]:
        with self.network.inside():
            return self.box.json("inventory")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        made = Scene(tmp_path, stack)
        made.set(ranges='["10.9.0.0/29"]', community='"lan"', requests_per_second="200")
        yield made


def bindings(box: Box) -> list[dict[str, object]]:
    said = box.run("bindings", *box.identities, "--format", "jsonl").splitlines()
    return [json.loads(line) for line in said]


def test_what_is_read_is_what_net_snmp_reads_and_what_the_kernel_knows(scene: Scene) -> None:
    shown = scene.inventory()
    assert [each["address"] for each in shown["devices"]] == ["10.9.0.2", "10.9.0.3"]
    for device in shown["devices"]:
        with scene.network.inside():
            system = agents.walked(device["address"], "1.3.6.1.2.1.1")
            interfaces = agents.walked(device["address"], "1.3.6.1.2.1.2.2.1")
        assert device["name"] == text(system["1.3.6.1.2.1.1.5.0"]) == "stairs"
        assert device["description"] == text(system["1.3.6.1.2.1.1.1.0"])
        assert device["location"] == "first floor"
        told = {each["index"]: each for each in device["interfaces"]}
        for oid, value in interfaces.items():
            column, index = map(int, oid.rsplit(".", 2)[1:])
            if column == 3:
                assert told[index]["type"] == int(text(value))
            if column == 8:
                assert told[index]["up"] == (value == "1")
            if column == 6 and value:
                assert isinstance(value, bytes)
                assert told[index]["mac"] == value.hex(":")
    bridge = {each["index"]: each for each in shown["devices"][0]["interfaces"]}
    assert (bridge[901]["stations"], bridge[902]["stations"]) == (2, 1)
    assert "lan" in {each["name"] for each in shown["devices"][1]["interfaces"]}

    found = bindings(scene.box)
    held = {(row["ip"], row["mac"]) for row in found if row["ip"]}
    assert held == set(CLIENTS.items())
    assert {row["evidence"] for row in found} == {"snmp"}
    assert [(row["mac"], row["ap_mac"]) for row in found if not row["ip"]] == [(RADIO_STATION, AP_MAC)]
    scene.box.run("verify")


def test_no_client_stands_in_clear(scene: Scene) -> None:
    scene.inventory()
    names = [*CLIENTS, *CLIENTS.values(), RADIO_STATION, WIRED_STATION]
    for path, content in scene.box.bytes_kept().items():
        for name in names:
            assert name.encode() not in content, path
    assert (scene.box.home / "inventory/devices.json").stat().st_mode & 0o77 == 0


def test_only_the_published_objects_are_asked_one_address_at_a_time(scene: Scene) -> None:
    capture = scene.folder / "wire.pcap"
    with scene.network.inside():
        witness = subprocess.Popen(
            ["tcpdump", "-i", "any", "-U", "-w", str(capture), "not arp"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert witness.stderr is not None
        assert "listening" in witness.stderr.readline() + witness.stderr.readline()
    scene.set(requests_per_second="40")
    begun = time.monotonic()
    scene.inventory()
    took_s = time.monotonic() - begun
    time.sleep(0.5)
    witness.terminate()
    witness.communicate(timeout=10)

    def fields(display: str, *names: str) -> list[list[str]]:
        wanted = [word for name in names for word in ("-e", name)]
        command = ["tshark", "-r", str(capture), "-n", "-Y", display, "-T", "fields", *wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    sent = fields("snmp && udp.dstport == 161 && !icmp", "ip.dst", "snmp.name", "snmp.data")
    assert {row[0] for row in sent} == {f"10.9.0.{host}" for host in range(1, 7)}
    published = [managed.text for managed in ASKED]
    for _, names, kind in sent:
        assert kind in ("0", "5")  # get and getbulk: nothing is ever set
        for name in names.split(","):
            assert any(name == oid or name.startswith(f"{oid}.") for oid in published), name
    assert len(sent) / took_s <= 42
    from_box = fields("ip.src == 10.9.0.1 && udp && !(udp.srcport == 161)", "udp.dstport")
    assert {row[0] for row in from_box} <= {"161"}


def test_version_3_with_privacy(scene: Scene) -> None:
    scene.set(
        user=f'"{agents.V3_USER}"',
        authentication_passphrase=f'"{agents.V3_AUTHENTICATION}"',
        privacy_passphrase=f'"{agents.V3_PRIVACY}"',
    )
    shown = scene.inventory()
    assert [each["name"] for each in shown["devices"]] == ["stairs", "stairs"]
    scene.set(privacy_passphrase='"not that secret"')
    assert scene.inventory()["devices"] == []


def test_a_wrong_community_and_nobody_there_are_said(scene: Scene) -> None:
    scene.set(community='"other"')
    with scene.network.inside():
        assert "nobody answered" in scene.box.run("inventory")
    scene.set(ranges="[]")
    scene.box.run("inventory", expect=2)

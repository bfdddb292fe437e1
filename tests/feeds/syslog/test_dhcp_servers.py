"""Real DHCP servers log what they lease to a real client; the client's own lease files say what is right."""

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.runtime.clock import now_ns
from tests.feeds.syslog.reading import claims, tell
from tests.system.networks import Network, may_make

pytestmark = pytest.mark.skipif(not may_make(), reason="only root may make a network")

MAC = "a4:bb:cc:dd:ee:01"
SECRET = "secret-phone"
LEASE_S = 3600

_SCRIPT = """#!/bin/sh
case "$reason" in
BOUND|REBOOT) ip addr add "$new_ip_address/24" dev "$interface" ;;
BOUND6|REBIND6|RENEW6) ip addr add "$new_ip6_address/64" dev "$interface" nodad ;;
esac
exit 0
"""


@dataclass
class Site:
    """A network of the server, with `srv`, and one of the client, with `cli`: the ends of one cable."""

    server: Network
    client: Network
    folder: Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Network() as server, Network() as client:
        server.run("ip", "link", "add", "srv", "type", "veth", "peer", "name", "cli")
        server.run("ip", "link", "set", "cli", "address", MAC)
        server.run("ip", "link", "set", "cli", "netns", f"/proc/{os.getpid()}/fd/{client.handle}")
        for network, name in ((server, "srv"), (client, "cli")):
            network.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{name}/accept_dad")
            network.run("ip", "link", "set", "lo", "up")
            network.run("ip", "link", "set", name, "up")
        server.run("ip", "addr", "add", "10.9.0.1/24", "dev", "srv")
        server.run("ip", "addr", "add", "fd09::1/64", "dev", "srv", "nodad")
        yield Site(server, client, tmp_path)


@contextlib.contextmanager
def running(network: Network, folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program inside, until the block ends; what it prints goes to `folder`."""
    with network.inside(), open(folder / f"{Path(command[0]).name}.out", "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def until(true: Callable[[], object], what: str, seconds: float = 12) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.05)


def lease(site: Site, family: int, duid: str = "") -> str:
    """Let the client (with this DUID, of its own making if "") get an address and give it back; which."""
    folder = site.folder
    script, leases, settings = folder / "script", folder / f"leases{family}", folder / "dhclient.conf"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    leases.write_text(f'default-duid "{duid}";\n' if duid else "")
    settings.write_text(f'send host-name "{SECRET}";\nsend fqdn.fqdn "{SECRET}.example.";\n')
    common = (
        "dhclient", f"-{family}", "-D", "LL", "-cf", str(settings), "-lf", str(leases),
        "-pf", str(folder / f"pid{family}"), "-sf", str(script),
    )  # fmt: skip
    address = re.compile(r"(?:fixed-address|iaaddr) ([0-9a-f.:]+)[ ;]")
    with running(site.client, folder, *common, "-1", "-d", "cli"):
        until(lambda: address.search(leases.read_text()), "a lease")
    (folder / f"pid{family}").unlink(missing_ok=True)
    site.client.run("timeout", "10", *common, "-r", "cli")
    found = address.search(leases.read_text())
    assert found is not None
    return found[1]


def said(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text() if path.exists() else ""


def log(folder: Path, name: str) -> list[str]:
    return said(folder, name).splitlines()


@pytest.mark.parametrize("chatty", [(), ("--log-dhcp",)], ids=["brief", "chatty"])
def test_dnsmasq(site: Site, tmp_path: Path, chatty: tuple[str, ...]) -> None:
    command = (
        "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=srv", "--bind-interfaces",
        "--dhcp-range=10.9.0.50,10.9.0.99,1h", "--dhcp-range=fd09::50,fd09::99,64,1h", "--dhcp-authoritative",
        f"--log-facility={tmp_path}/log", f"--dhcp-leasefile={tmp_path}/leases", "--user=root", "--no-ping",
    )  # fmt: skip
    with running(site.server, tmp_path, *command, *chatty):
        until(lambda: "sockets bound" in said(tmp_path, "log"), "dnsmasq's start")
        # A DUID of a UUID (RFC 6355) holds no MAC: only what --log-dhcp says beside it does.
        v4, v6 = lease(site, 4), lease(site, 6, "\\000\\004" + "\\021" * 16 if chatty else "")
        until(lambda: said(tmp_path, "log").count("RELEASE") >= 2, "the releases")
    told = tell(log(tmp_path, "log"), reference_ns=now_ns(), time_zone="UTC")
    mine = claims(told)
    # When an address of IPv6 is given back dnsmasq does not name it.
    given = {(v4, MAC, 0, False), (v4, MAC, 0, True), (v6, MAC, 0, False)}
    leased = {(v4, MAC, LEASE_S, False), (v6, MAC, LEASE_S, False)} if chatty else set()
    assert given | leased == set(mine)
    assert abs(int(told.claims["seen"].min()) - now_ns()) < 120 * 10**9
    assert not told.refused["not_understood"]


def test_isc_dhcpd(site: Site, tmp_path: Path) -> None:
    pools = {4: "subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.50 10.9.0.99; }",
             6: "subnet6 fd09::/64 { range6 fd09::50 fd09::99; }"}  # fmt: skip
    addresses = {}
    for family, pool in pools.items():
        settings, leases = tmp_path / f"dhcpd{family}.conf", tmp_path / f"dhcpd{family}.leases"
        settings.write_text(
            f"authoritative; default-lease-time {LEASE_S}; max-lease-time {LEASE_S};\n{pool}\n"
        )
        leases.touch()
        command = (
            "dhcpd", f"-{family}", "-d", "-f", "-cf", str(settings), "-lf", str(leases), "--no-pid", "srv",
        )  # fmt: skip
        with running(site.server, tmp_path, *command):
            until(lambda: "Server starting service" in said(tmp_path, "dhcpd.out"), "dhcpd's start")
            addresses[family] = lease(site, family)
            word = "RELEASE" if family == 4 else "release"
            until(lambda word=word: word in said(tmp_path, "dhcpd.out"), "the release")
            time.sleep(0.2)
        (tmp_path / "dhcpd.out").rename(tmp_path / f"log{family}")
    # On its standard error dhcpd writes no header: as syslog would receive it, now.
    lines = [f"<30>dhcpd[7]: {line}" for family in (4, 6) for line in log(tmp_path, f"log{family}")]
    told = tell(lines, received_ns=now_ns())
    mine = set(claims(told))
    assert {(addresses[4], MAC, 0, False), (addresses[4], MAC, 0, True)} <= mine
    assert {(addresses[6], MAC, LEASE_S, False), (addresses[6], MAC, 0, True)} <= mine
    assert {ip for ip, *_ in mine} == set(addresses.values())
    assert not told.refused["not_understood"]


def test_kea(site: Site, tmp_path: Path) -> None:
    addresses = {}
    for family, subnet, pool in (
        (4, "10.9.0.0/24", "10.9.0.50-10.9.0.99"),
        (6, "fd09::/64", "fd09::50-fd09::99"),
    ):
        settings = tmp_path / f"kea{family}.json"
        server = {
            "interfaces-config": {"interfaces": ["srv"]},
            "valid-lifetime": LEASE_S,
            "lease-database": {"type": "memfile", "persist": False},
            f"subnet{family}": [{"subnet": subnet, "interface": "srv", "pools": [{"pool": pool}]}],
            "loggers": [
                {
                    "name": f"kea-dhcp{family}",
                    "severity": "INFO",
                    "output_options": [{"output": f"{tmp_path}/log{family}"}],
                }
            ],
        }
        if family == 6:
            server["server-id"] = {"type": "LL", "persist": False}
        settings.write_text(json.dumps({f"Dhcp{family}": server}))
        with running(
            site.server, tmp_path, "env", f"KEA_PIDFILE_DIR={tmp_path}", f"KEA_LOCKFILE_DIR={tmp_path}",
            f"kea-dhcp{family}", "-c", str(settings),
        ):  # fmt: skip
            until(lambda name=f"log{family}": "_STARTED" in said(tmp_path, name), "Kea's start")
            addresses[family] = lease(site, family)
            until(lambda name=f"log{family}": "RELEASE" in said(tmp_path, name), "the release")
            time.sleep(0.2)
    told = tell(log(tmp_path, "log4") + log(tmp_path, "log6"), reference_ns=now_ns(), time_zone="UTC")
    mine = set(claims(told))
    for family in (4, 6):
        assert (addresses[family], MAC, LEASE_S, False) in mine
        assert (addresses[family], MAC, 0, True) in mine
    assert {ip for ip, *_ in mine} == set(addresses.values())

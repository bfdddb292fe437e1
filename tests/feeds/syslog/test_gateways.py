"""A real Linux gateway translates real connections; what conntrack and ulogd log must agree with both ends.

The client says from which address and port it spoke, the server whom it saw: that is the translation. How
many packets of how many octets went is what tcpdump saw on the client's cable.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.model.addresses import mac_text
from appliance.runtime.clock import now_ns
from tests.feeds.syslog.reading import flows, ips, tell
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="only root may make a network")

CLIENT_MAC = "a4:bb:cc:dd:ee:01"
RULES = """
table ip t {
    chain out { type nat hook postrouting priority 100;
        oifname "wan" meta l4proto {tcp,udp} masquerade to :20000-20999; }
    chain in { type nat hook prerouting priority -100; iifname "wan" tcp dport 8080 dnat to 10.9.0.2:80; }
    chain through { type filter hook forward priority 0; log prefix "FORWARD " group 5; }
}
"""
ULOGD = """
[global]
logfile="{folder}/ulogd.log"
stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,mac2str1:HWHDR,print1:PRINTPKT,emu1:LOGEMU
stack=ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu2:LOGEMU
[log1]
group=5
[emu1]
file="{folder}/packets.log"
sync=1
[emu2]
file="{folder}/flows.log"
sync=1
[ct1]
hash_enable=0
"""


@dataclass
class Spoken:
    """What both ends say: (protocol, inside port, outside address, outside port) of each connection."""

    outward: list[tuple[int, int, str, int]] = field(default_factory=list)
    inward: list[tuple[int, str, int]] = field(default_factory=list)


@dataclass
class Site:
    """A client at 10.9.0.2, a gateway with `lan` and `wan` = 198.51.100.1, a server at 198.51.100.9."""

    client: Network
    gateway: Network
    server: Network
    folder: Path


def _connect(one: Network, end: str, other: Network, far: str) -> None:
    one.run("ip", "link", "add", end, "type", "veth", "peer", "name", far)
    one.run("ip", "link", "set", far, "netns", f"/proc/{os.getpid()}/fd/{other.handle}")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Network() as client, Network() as gateway, Network() as server:
        _connect(gateway, "lan", client, "eth0")
        _connect(gateway, "wan", server, "eth0")
        client.run("ip", "link", "set", "eth0", "address", CLIENT_MAC)
        for network, name, address in (
            (gateway, "lan", "10.9.0.1/24"),
            (gateway, "wan", "198.51.100.1/24"),
            (client, "eth0", "10.9.0.2/24"),
            (server, "eth0", "198.51.100.9/24"),
        ):
            network.run("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            network.run("ip", "addr", "add", address, "dev", name)
            network.run("ip", "link", "set", name, "up")
        client.run("ip", "route", "add", "default", "via", "10.9.0.1")
        for key in ("ipv4/ip_forward", "netfilter/nf_conntrack_acct", "netfilter/nf_conntrack_timestamp"):
            gateway.run("sh", "-c", f"echo 1 > /proc/sys/net/{key}")
        (tmp_path / "rules").write_text(RULES)
        gateway.run("nft", "-f", str(tmp_path / "rules"))
        yield Site(client, gateway, server, tmp_path)


@contextlib.contextmanager
def running(network: Network, out: Path, *command: str) -> Iterator[None]:
    with network.inside(), open(out, "ab") as log, open(f"{out}.err", "ab") as errors:
        process = subprocess.Popen(command, stdout=log, stderr=errors)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def bound(network: Network, kind: socket.SocketKind, address: tuple[str, int]) -> socket.socket:
    with network.inside():
        made = socket.socket(socket.AF_INET, kind)
    made.settimeout(5)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    return made


def speak(site: Site) -> Spoken:
    """Three TCP connections and two UDP exchanges outwards, one TCP connection inwards."""
    spoken = Spoken()
    listening = bound(site.server, socket.SOCK_STREAM, ("198.51.100.9", 443))
    listening.listen()
    for number in range(3):
        with bound(site.client, socket.SOCK_STREAM, ("10.9.0.2", 0)) as client:
            client.connect(("198.51.100.9", 443))
            there, seen = listening.accept()
            with there:
                client.sendall(b"x" * (100 + number))
                there.recv(999)
                there.sendall(b"y" * 5000)
                client.recv(99999)
                spoken.outward.append((6, client.getsockname()[1], *seen))
    listening.close()
    with bound(site.server, socket.SOCK_DGRAM, ("198.51.100.9", 53)) as server:
        for _ in range(2):
            with bound(site.client, socket.SOCK_DGRAM, ("10.9.0.2", 0)) as client:
                client.sendto(b"q" * 40, ("198.51.100.9", 53))
                _, seen = server.recvfrom(999)
                server.sendto(b"a" * 90, seen)
                client.recv(999)
                spoken.outward.append((17, client.getsockname()[1], *seen))
    with bound(site.client, socket.SOCK_STREAM, ("10.9.0.2", 80)) as listening:
        listening.listen()
        with bound(site.server, socket.SOCK_STREAM, ("198.51.100.9", 0)) as stranger:
            stranger.connect(("198.51.100.1", 8080))
            there, seen = listening.accept()
            there.close()
            spoken.inward.append((6, *seen))
    return spoken


def on_the_cable(capture: Path) -> tuple[Counter[tuple[str, str]], list[tuple[object, ...]]]:
    """(client's port, what) to how many, and each packet as `flows` gives it: as tshark reads the file."""
    fields = (
        "ip.src",
        "ip.dst",
        "ip.len",
        "ip.proto",
        "tcp.srcport",
        "udp.srcport",
        "tcp.dstport",
        "udp.dstport",
    )
    done = subprocess.run(
        ["tshark", "-r", str(capture), "-Tfields", "-Eseparator=,", *(f"-e{name}" for name in fields)],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    totals: Counter[tuple[str, str]] = Counter()
    packets = []
    for row in done.stdout.splitlines():
        src, dst, length, protocol, tcp_src, udp_src, tcp_dst, udp_dst = row.split(",")
        if not src:
            continue
        src_port, dst_port = int(tcp_src or udp_src), int(tcp_dst or udp_dst)
        packets.append((src, src_port, dst, dst_port, int(protocol), 1, int(length)))
        inside = f"{src_port if src == '10.9.0.2' else dst_port}"
        way = "out" if src == "10.9.0.2" else "in"
        totals[inside, f"packets {way}"] += 1
        totals[inside, f"octets {way}"] += int(length)
    return totals, packets


def listeners(site: Site) -> list[str]:
    """The gateway's netlink sockets that asked for events of netfilter (12 in <linux/netlink.h>)."""
    sockets = (line.split() for line in site.gateway.run("cat", "/proc/thread-self/net/netlink").splitlines())
    return [fields[2] for fields in sockets if fields[1] == "12" and int(fields[3], 16)]


def kept_back(site: Site) -> list[str]:
    """How many packets of group 5 the kernel has not yet handed over, for each reader."""
    groups = site.gateway.run("cat", "/proc/thread-self/net/netfilter/nfnetlink_log").splitlines()
    return [fields[2] for fields in map(str.split, groups) if fields[0] == "5"]


def packets_logged(folder: Path) -> int:
    return len((folder / "packets.log").read_text().splitlines())


@pytest.fixture
def logged(site: Site) -> tuple[Site, Spoken]:
    """Everything that is logged and captured while both ends speak, to the end of every connection."""
    folder = site.folder
    (folder / "ulogd.conf").write_text(ULOGD.format(folder=folder))
    tcpdump = ("tcpdump", "-U", "--immediate-mode", "-s2000", "-i", "eth0", "-w", f"{folder}/pcap", "ip")
    with (
        running(site.client, folder / "tcpdump", *tcpdump),
        running(site.gateway, folder / "events", "conntrack", "-E", "-o", "timestamp,extended,id"),
        running(site.gateway, folder / "ulogd", "ulogd", "-c", f"{folder}/ulogd.conf", "-p", f"{folder}/pid"),
    ):
        wait_for(lambda: "listening on" in (folder / "tcpdump.err").read_text(), 20, "tcpdump to listen")
        wait_for(lambda: len(listeners(site)) == 2, 20, "conntrack and ulogd to hear of connections")
        wait_for(lambda: kept_back(site), 20, "ulogd to hear of packets")
        spoken = speak(site)
        time.sleep(0.5)
        site.gateway.run("conntrack", "-F")
        for log in ("events", "flows.log"):
            wait_for(
                lambda log=log: (folder / log).read_text().count("DESTROY") == 6, 20, "every end to be logged"
            )
        # The kernel keeps packets for a reader back for up to a second.
        wait_for(lambda: kept_back(site) == ["0"], 20, "the kernel to hand over every packet")
        wait_for(lambda: len(on_the_cable(folder / "pcap")[1]) == packets_logged(folder), 20, "every packet")
    return site, spoken


def test_conntrack_and_ulogd(logged: tuple[Site, Spoken]) -> None:
    site, spoken = logged
    totals, packets = on_the_cable(site.folder / "pcap")
    events = tell((site.folder / "events").read_text().splitlines(), reference_ns=now_ns())
    assert not events.refused
    _agree_on_flows(events.flows[events.flows["end_reason"] != 0], totals, spoken)
    _agree_on_translations(events.translations, spoken)
    ended = [line for line in (site.folder / "flows.log").read_text().splitlines() if "DESTROY" in line]
    told = tell(ended, reference_ns=now_ns(), time_zone="UTC")
    assert not told.refused
    _agree_on_flows(told.flows, totals, spoken)
    logged_packets = tell((site.folder / "packets.log").read_text().splitlines(), reference_ns=now_ns())
    assert not logged_packets.refused
    mine = Counter(flows(logged_packets, "packets", "octets"))
    assert mine == Counter(packets)
    outward = logged_packets.flows[[ip == "10.9.0.2" for ip in ips(logged_packets.flows, "src_ip")]]
    assert {mac_text(int(mac)) for mac in outward["src_mac"]} == {CLIENT_MAC}


def _agree_on_flows(rows, totals: Counter[tuple[str, str]], spoken: Spoken) -> None:  # type: ignore[no-untyped-def]
    src, dst, nat_src, nat_dst = (
        ips(rows, name) for name in ("src_ip", "dst_ip", "nat_src_ip", "nat_dst_ip")
    )
    outward, inward = [], []
    for index, row in enumerate(rows):
        is_outward = src[index] == "10.9.0.2"
        inside = str(int(row["src_port"] if is_outward else row["nat_dst_port"]))
        there, back = ("out", "in") if is_outward else ("in", "out")
        for column, what in (("", there), ("_back", back)):
            assert int(row[f"packets{column}"]) == totals[inside, f"packets {what}"]
            assert int(row[f"octets{column}"]) == totals[inside, f"octets {what}"]
        if is_outward:
            assert (dst[index], int(row["dst_port"])) in (("198.51.100.9", 443), ("198.51.100.9", 53))
            outward.append(
                (int(row["protocol"]), int(row["src_port"]), nat_src[index], int(row["nat_src_port"]))
            )
        else:
            assert (dst[index], int(row["dst_port"])) == ("198.51.100.1", 8080)
            assert (nat_dst[index], int(row["nat_dst_port"])) == ("10.9.0.2", 80)
            inward.append((int(row["protocol"]), src[index], int(row["src_port"])))
    assert sorted(outward) == sorted(spoken.outward)
    assert inward == spoken.inward


def _agree_on_translations(rows, spoken: Spoken) -> None:  # type: ignore[no-untyped-def]
    for is_over in (False, True):
        some = rows[rows["released"] == is_over]
        mine = {
            (int(row["protocol"]), ip, int(row["port"]), nat_ip, int(row["nat_port"]))
            for row, ip, nat_ip in zip(some, ips(some, "ip"), ips(some, "nat_ip"), strict=True)
        }
        theirs = {(protocol, "10.9.0.2", *rest) for protocol, *rest in spoken.outward}
        assert mine == theirs | {(6, "10.9.0.2", 80, "198.51.100.1", 8080)}

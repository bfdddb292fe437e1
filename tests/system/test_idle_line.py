"""The idle line, on the wire: a box and a central in networks of their own, a narrow uplink between them.

Everything is judged by what tcpdump saw leave the box, read by tshark; nothing by our own counters.
"""

import contextlib
import io
import os
import re
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.config.replication import ReplicationConfig
from appliance.replication.connecting import Patience
from appliance.replication.https_target import HttpsTarget
from appliance.replication.targets import Unreachable
from appliance.vault import signing
from tests.replication.made_centrals import Central, claimed, served
from tests.system.networks import Network, may_make

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

BOX, CENTRAL = "10.9.0.1", "10.9.0.2"
BOX_6, CENTRAL_6 = "fd09::1", "fd09::2"
_SO_SNDBUFFORCE = 32
SIGNER = signing.signer(signing.generate())
LE, CS1 = 1, 8
FLOOR, CEILING = 256_000, 2_000_000
PATIENCE = Patience(connect_s=1.0, quiet_s=10.0, answer_s=10.0)


@dataclass(frozen=True)
class Cable:
    """Two networks with a cable between them, which ends in wan0 at the box."""

    box: Network
    central: Network

    def shape(self, rate: str) -> None:
        """The uplink's rate, behind a buffer of 400 ms as modems have."""
        self.box.run("tc", "qdisc", "add", "dev", "wan0", "root", "tbf", "rate", rate, "burst", "5kb",
                     "latency", "400ms")  # fmt: skip

    def reject(self, what: str) -> None:
        """A line that refuses LE: its router drops such packets, or answers with a reset."""
        self.central.run("nft", "add", "table", "inet", "router")
        self.central.run("nft", "add chain inet router before { type filter hook input priority 0; }")
        for family in ("ip", "ip6"):
            rule = f"add rule inet router before meta l4proto tcp {family} dscp {LE} {what}"
            self.central.run("nft", rule)


@pytest.fixture
def cable() -> Iterator[Cable]:
    with Network() as box, Network() as central:
        box.run("ip", "link", "add", "name", "wan0", "type", "veth", "peer", "name", "far0")
        box.run("ip", "link", "set", "far0", "netns", f"/proc/{os.getpid()}/fd/{central.handle}")
        for network, end, address, address_6 in (
            (box, "wan0", BOX, BOX_6),
            (central, "far0", CENTRAL, CENTRAL_6),
        ):
            network.run("ethtool", "-K", end, "tso", "off", "gso", "off", "gro", "off")
            network.run("ip", "address", "add", f"{address}/24", "dev", end)
            network.run("ip", "-6", "address", "add", f"{address_6}/64", "dev", end, "nodad")
            network.run("ip", "link", "set", end, "up")
        yield Cable(box, central)


@contextlib.contextmanager
def _captured(cable: Cable, folder: Path) -> Iterator[Path]:
    """What leaves and enters the box by its uplink, heads of packets only."""
    path = folder / "up.pcap"
    command = ["tcpdump", "-i", "wan0", "-s", "128", "-B", "8192", "--immediate-mode", "-U", "-w", str(path)]
    with cable.box.inside():
        running = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        assert running.stderr is not None
        while b"listening on" not in (said := running.stderr.readline()):
            assert said
        yield path
    finally:
        time.sleep(0.3)
        running.terminate()
        running.communicate(timeout=10)


def _fields(path: Path, chosen: str, *names: str) -> list[list[str]]:
    """What tshark reads of the packets chosen."""
    command = ["tshark", "-n", "-r", str(path), "-Y", chosen, "-T", "fields", "-E", "separator=,"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split(",") for line in done.stdout.splitlines()]


def _sent(path: Path) -> list[tuple[float, int]]:
    """(instant, bits on the wire) of every packet of the box's connections."""
    return [
        (float(at), 8 * int(size))
        for at, size in _fields(path, f"tcp && ip.src == {BOX}", "frame.time_epoch", "frame.len")
    ]


def _rate(sent: list[tuple[float, int]], begin: float, end: float) -> float:
    """Bits a second between two instants."""
    return sum(bits for at, bits in sent if begin <= at < end) / (end - begin)


def _highest(sent: list[tuple[float, int]], seconds: float) -> float:
    """The highest rate over any span of so many seconds."""
    return max(_rate(sent, at, at + seconds) for at, _ in sent)


@contextlib.contextmanager
def _central(cable: Cable, folder: Path, host: str = CENTRAL) -> Iterator[tuple[Central, str]]:
    central = Central()
    with contextlib.ExitStack() as stack:
        with cable.central.inside():
            server = stack.enter_context(served(central, central.authority.issue(folder, [host]), host=host))
        yield central, server.url


@contextlib.contextmanager
def _target(
    cable: Cable, central: Central, url: str, config: ReplicationConfig | None = None
) -> Iterator[HttpsTarget]:
    """A box's target, for use inside its network."""
    with cable.box.inside():
        target = HttpsTarget(url, central.identity, config, patience=PATIENCE)
        with contextlib.closing(target):
            yield target


def _deposit(target: HttpsTarget, size: int) -> None:
    content = os.urandom(size)
    target.deposit(claimed(SIGNER, content), io.BytesIO(content))


def _marks(path: Path) -> list[int]:
    """The DSCP of every TCP packet of the box, in order."""
    fields = _fields(
        path, f"tcp && (ip.src == {BOX} || ipv6.src == {BOX_6})", "ip.dsfield.dscp", "ipv6.tclass.dscp"
    )
    return [int(four or six) for four, six in fields]


@pytest.mark.parametrize("host", [CENTRAL, CENTRAL_6])
@pytest.mark.parametrize(("dscp", "mark"), [("auto", LE), ("CS1", CS1), ("none", 0)])
def test_every_packet_that_leaves_is_marked(
    cable: Cable, tmp_path: Path, host: str, dscp: str, mark: int
) -> None:
    """From the first SYN to the last FIN, TLS and acknowledgements included."""
    config = ReplicationConfig(dscp=dscp, rate_kbit=100_000)
    with _central(cable, tmp_path, host) as (central, url), _captured(cable, tmp_path) as path:
        with _target(cable, central, url, config) as target:
            for _ in range(2):
                _deposit(target, 100_000)
        time.sleep(0.2)
    marks = _marks(path)
    assert len(marks) > 50
    assert set(marks) == {mark}


@pytest.mark.parametrize("host", [CENTRAL, CENTRAL_6])
@pytest.mark.parametrize("what", ["drop", "reject with tcp reset"])
def test_where_le_is_refused_cs1_is_taken_and_remembered(
    cable: Cable, tmp_path: Path, host: str, what: str
) -> None:
    cable.reject(what)
    config = ReplicationConfig(rate_kbit=100_000)
    with _central(cable, tmp_path, host) as (central, url), _captured(cable, tmp_path) as path:
        with _target(cable, central, url, config) as target:
            _deposit(target, 50_000)
            first = len(central.taken)
            target.close()  # as after an outage: another connection
            _deposit(target, 50_000)
        time.sleep(0.2)
    assert (first, len(central.taken)) == (1, 2)
    marks = _marks(path)
    tried = marks.index(CS1)
    assert set(marks[:tried]) == {LE}  # it was tried,
    assert set(marks[tried:]) == {CS1}  # and never again


def test_where_only_le_is_wanted_nothing_else_is_tried(cable: Cable, tmp_path: Path) -> None:
    cable.reject("reject with tcp reset")
    with _central(cable, tmp_path) as (central, url), _captured(cable, tmp_path) as path:
        only = ReplicationConfig(dscp="LE")
        with _target(cable, central, url, only) as target, pytest.raises(Unreachable):
            _deposit(target, 1_000)
        time.sleep(0.2)
    assert set(_marks(path)) == {LE}


@pytest.mark.parametrize(("rate", "size"), [("10mbit", 900_000), ("4mbit", 450_000)])
def test_a_transfer_takes_less_than_a_fifth_of_the_uplink_and_less_than_two_megabits(
    cable: Cable, tmp_path: Path, rate: str, size: int
) -> None:
    """It measures, rises to its share, and stays there; nobody else's packets wait for it."""
    cable.shape(rate)
    line = int(rate.removesuffix("mbit")) * 1_000_000
    delays = []
    with contextlib.ExitStack() as stack:
        central, url = stack.enter_context(_central(cable, tmp_path))
        path = stack.enter_context(_captured(cable, tmp_path))
        target = stack.enter_context(_target(cable, central, url))
        sending = _deposited(cable, target, size)
        time.sleep(3)
        while sending.is_alive():
            with contextlib.suppress(ValueError):  # it has just ended
                delays.append(_delay(cable))
            sending.join(0.5)
    sent = _sent(path)
    assert len(central.taken) == 1
    assert sum(bits for _, bits in sent) > 8 * size  # everything was seen
    mean = _rate(sent, sent[0][0], sent[-1][0])
    assert FLOOR < mean < min(CEILING, line / 5)
    assert _highest(sent, 1.0) <= min(CEILING, line / 5)
    # and it is used, too, as far as this machine is not too busy
    assert _rate(sent, sent[-1][0] - 1.5, sent[-1][0] - 0.2) > 0.5 * min(CEILING, line / 5)
    assert sent[-1][0] - sent[0][0] < 20
    assert statistics.median(delays) < 0.04  # nothing queues but our own 50 ms of the rate


def _delay(cable: Cable) -> float:
    """Seconds that the connection's packets wait for their acknowledgements now, as `ss` prints it."""
    told = cable.box.run("ss", "-tinH", "dst", CENTRAL)
    (found,) = re.findall(r"\brtt:([0-9.]+)/", told)
    return float(found) / 1_000


def _deposited(cable: Cable, target: HttpsTarget, size: int) -> threading.Thread:
    """A deposit under way."""

    def deposit() -> None:
        with cable.box.inside():
            _deposit(target, size)

    thread = threading.Thread(target=deposit)
    thread.start()
    return thread


@contextlib.contextmanager
def _guests(cable: Cable, bits: float) -> Iterator[tuple[float, list[float]]]:
    """The clients' own datagrams on the same uplink, so many bits a second; when they began, and ended."""
    ended = threading.Event()
    size = 1_200
    with cable.box.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 4 << 20)
        sending.setblocking(False)  # what finds no room is lost, as with any guest

        def send() -> None:
            begun_s, count = time.monotonic(), 0
            while not ended.wait(0.002):
                while count < (time.monotonic() - begun_s) * bits / (8 * (size + 42)):
                    count += 1
                    with contextlib.suppress(OSError):
                        sending.sendto(bytes(size), (CENTRAL, 9))

        thread = threading.Thread(target=send)
        over: list[float] = []
        begun = time.time()
        thread.start()
        try:
            yield begun, over
        finally:
            ended.set()
            thread.join()
            over.append(time.time())


def test_it_gives_way_to_the_clients_and_comes_back(cable: Cable, tmp_path: Path) -> None:
    """Guests fill the line: the delay rises, the rate falls to the floor; they go, and it rises again."""
    cable.shape("10mbit")
    with contextlib.ExitStack() as stack:
        stack.enter_context(cable.central.inside())
        sink = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sink.bind((CENTRAL, 9))  # so that nobody answers the guests' datagrams with errors
        central, url = stack.enter_context(_central(cable, tmp_path))
        path = stack.enter_context(_captured(cable, tmp_path))
        target = stack.enter_context(_target(cable, central, url))
        sending = _deposited(cable, target, 2_000_000)
        time.sleep(7)
        with _guests(cable, 9_900_000) as (begun, over):
            time.sleep(5)
            delay = _delay(cable)
        sending.join(40)
        assert not sending.is_alive()
    assert len(central.taken) == 1  # it finishes
    sent = _sent(path)
    assert delay > 0.1  # the line was full
    before, during = _rate(sent, begun - 1.5, begun), _rate(sent, begun + 2.5, over[0])
    assert before > 2.5 * FLOOR
    assert 0.3 * FLOOR < during < 1.25 * FLOOR
    assert _rate(sent, over[0] + 5, over[0] + 7) > 2 * FLOOR

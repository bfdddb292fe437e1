"""Exporters that others wrote, against `greffier listen`: what they tell of a capture is what tshark sees.

Each reads the same capture, moved to another hour of the day before this, and exports it over loopback. The
judge is tshark's dissection of the capture; and softflowd's own closing statistics.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cases import expect
from tests.cases import packets as judge
from tests.system.boxes import ROOT, Box
from tests.system.listening import feed_box, listening

TOOLS = ("softflowd", "pmacctd", "editcap", "tshark")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason="needs softflowd, pmacct and tshark"
)

CAPTURE = ROOT / "tests" / "cases" / "android" / "android.pcap"
NETWORKS = ["192.168.0.0/16", "fe80::/10"]
SOURCES = '[[source]]\nlabel = "exporter"\naddresses = ["127.0.0.1"]\n'
HOUR_S = 3600
ENDS = ("client_ip", "client_port", "peer_ip", "peer_port", "protocol")
COUNTED = ("packets_out", "bytes_out", "packets_in", "bytes_in")


@dataclass(frozen=True)
class Exporter:
    """One exporter at work: `moved_s` is by how much its capture was moved."""

    name: str
    moved_s: int
    process: "subprocess.Popen[str]"

    def said(self) -> str:
        """Everything it printed until it was done."""
        said, _ = self.process.communicate(timeout=60)
        # pmacctd's core and its plugin race to end: whichever is second finds the other gone, and says 1.
        assert self.process.returncode in (0, int("probe" in self.name)), said
        return said


def softflowd(capture: Path, *options: str) -> list[str]:
    return ["softflowd", "-d", "-r", str(capture), "-A", "milli", *options]


def pmacctd(folder: Path, capture: Path, plugin: str, receiver: str, **settings: object) -> list[str]:
    lines = {
        "daemonize": "false",
        "pcap_savefile": capture,
        "plugins": plugin,
        f"{plugin}_receiver": receiver,
    }
    lines["aggregate"] = "src_host, dst_host, src_port, dst_port, proto, tos"
    configuration = folder / "pmacctd.conf"
    configuration.write_text("".join(f"{key}: {value}\n" for key, value in {**lines, **settings}.items()))
    return ["pmacctd", "-f", str(configuration)]


def commands(folder: Path, capture: Path, name: str, ports: dict[str, int]) -> list[str]:
    netflow, stream = f"127.0.0.1:{ports['netflow']}", f"127.0.0.1:{ports['ipfix_tcp']}"
    match name.split():
        case ["softflowd", "tcp"]:
            return softflowd(capture, "-v", "10", "-P", "tcp", "-n", stream)
        case ["softflowd", version, *options]:
            return softflowd(capture, "-v", version, "-n", netflow, *options)
        case ["nfprobe", version]:
            return pmacctd(folder, capture, "nfprobe", netflow, nfprobe_version=version)
    return pmacctd(folder, capture, "sfprobe", f"127.0.0.1:{ports['sflow']}", sampling_rate=1)


NAMES = (
    *("softflowd 5", "softflowd 9 -T ether", "softflowd 10", "softflowd 10 -b", "softflowd tcp"),
    *("nfprobe 5", "nfprobe 9", "nfprobe 10", "sfprobe"),
)


@dataclass(frozen=True)
class Scene:
    """What was recorded, by exporter, and what each of them said."""

    box: Box
    report: dict[str, Any]
    said: dict[str, str]
    rows: dict[str, list[dict[str, Any]]]
    moved_s: dict[str, int]


@pytest.fixture(scope="module")
def packets() -> list[judge.Packet]:
    return judge.testify(CAPTURE).packets


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, packets: list[judge.Packet]) -> Scene:
    folder = tmp_path_factory.mktemp("exporters")
    box, ports = feed_box(folder, NETWORKS, SOURCES)
    with listening(box, ports) as listener, ExitStack() as stack:
        exporters = list(start_all(folder, ports, packets[0].time, stack))
        said = {exporter.name: exporter.said() for exporter in exporters}
        report = listener.end()
    moved = {exporter.name: exporter.moved_s for exporter in exporters}
    found = box.search()
    rows = {name: [row for row in found if is_of(row, packets, moved[name])] for name in NAMES}
    assert sum(map(len, rows.values())) == len(found)
    return Scene(box, report, said, rows, moved)


def start_all(folder: Path, ports: dict[str, int], begun_s: float, stack: ExitStack) -> Iterator[Exporter]:
    for number, name in enumerate(NAMES):
        own = folder / name.replace(" ", "_")
        own.mkdir()
        moved_s = int(time.time() - begun_s) - (number + 1) * HOUR_S
        capture = own / "moved.pcap"
        subprocess.run(
            ["editcap", "-F", "pcap", "-t", str(moved_s), CAPTURE, capture], check=True, timeout=30
        )
        process = subprocess.Popen(
            commands(own, capture, name, ports),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        stack.enter_context(process)
        stack.callback(end, process.pid)
        yield Exporter(name, moved_s, process)


def end(session: int) -> None:
    """The exporter, and the plugins that pmacctd may leave behind."""
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


def seconds(text: str) -> float:
    """UTC seconds of an instant as `search` prints it."""
    return (
        time.mktime(time.strptime(text[:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z"))
        - time.timezone
        + float("0" + text[19:].rstrip("Z"))
    )


def is_of(row: dict[str, Any], packets: list[judge.Packet], moved_s: int) -> bool:
    since_s = seconds(row["first_seen"]) - moved_s
    return packets[0].time - 2 <= since_s <= packets[-1].time + 2


def plainly(rows: list[dict[str, Any]]) -> list[list[object]]:
    told = [[-1 if row[name] is None else row[name] for name in ENDS] for row in rows]
    return in_one_order(ends + [row[name] for name in COUNTED] for ends, row in zip(told, rows, strict=True))


def whoever(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, whichever device it was: two that have no address yet may speak as 0.0.0.0."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(tuple(row[name] for name in ENDS), {**row, **dict.fromkeys(COUNTED, 0)})
        one.update({name: one[name] + row[name] for name in COUNTED})
        one["first_seen"] = min(one["first_seen"], row["first_seen"])
        one["last_seen"] = max(one["last_seen"], row["last_seen"])
    return list(found.values())


def in_one_order(connections: Iterable[list[Any]]) -> list[list[object]]:
    """Of what went one way only between two clients, or two others, a flow does not tell who began."""
    ordered = []
    for client, port, peer, peer_port, protocol, *counts in connections:
        if inside(client) == inside(peer) and 0 in counts and (peer, peer_port) < (client, port):
            client, port, peer, peer_port, counts = peer, peer_port, client, port, counts[2:] + counts[:2]
        ordered.append([client, port, peer, peer_port, protocol, *counts])
    return sorted(ordered)


def inside(address: str) -> bool:
    return address.startswith(("192.168.", "fe8"))


def as_exported(packets: list[judge.Packet], name: str) -> list[judge.Packet]:
    """NetFlow v5 has no IPv6."""
    return [packet for packet in packets if not (name.endswith(" 5") and ":" in packet.source)]


FLOWS = [name for name in NAMES if name != "sfprobe"]


@pytest.mark.parametrize("name", FLOWS)
def test_connections_are_those_in_the_capture(scene: Scene, packets: list[judge.Packet], name: str) -> None:
    expected = in_one_order(expect.connections(as_exported(packets, name), inside)["connections"])
    rows = whoever(scene.rows[name]) if "ether" in name else scene.rows[name]
    assert plainly(rows) == expected


@pytest.mark.parametrize("name", FLOWS)
def test_first_and_last_instants_are_those_in_the_capture(
    scene: Scene, packets: list[judge.Packet], name: str
) -> None:
    truth: dict[frozenset[tuple[str, int]], list[float]] = {}
    for packet in packets:
        ends = frozenset({(packet.source, packet.source_port), (packet.destination, packet.destination_port)})
        truth.setdefault(ends, []).append(packet.time)
    for row in whoever(scene.rows[name]):
        ends = frozenset((row[side + "_ip"], row[side + "_port"] or -1) for side in ("client", "peer"))
        for column, expected in (("first_seen", min(truth[ends])), ("last_seen", max(truth[ends]))):
            assert seconds(row[column]) - scene.moved_s[name] == pytest.approx(expected, abs=TOLERANCE_S)
        assert not row["by_receipt"]


TOLERANCE_S = 0.003
"""Milliseconds since the exporter began, which itself is told in milliseconds or seconds."""


def test_macs_where_the_exporter_names_them(scene: Scene, packets: list[judge.Packet]) -> None:
    expected = expect.connections(packets, inside)
    rows = scene.rows["softflowd 9 -T ether"]
    named = {(row["client_mac"] or "", row["client_ip"]) for row in rows}
    assert sorted([mac, address] for mac, address in named) == expected["clients"]
    assert [[len(rows)]] == expected["records"]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("softflowd")])
def test_softflowd_itself_says_the_same(scene: Scene, name: str) -> None:
    said = re.search(r"tcp \(6\): +(\d+) +(\d+) ", scene.said[name])
    assert said is not None
    tcp = [row for row in scene.rows[name] if row["protocol"] == 6]
    told = (
        sum(row[f"bytes_{way}"] for row in tcp for way in ("out", "in")),
        sum(row[f"packets_{way}"] for row in tcp for way in ("out", "in")),
    )
    v6 = (int(said[1]) - told[0], int(said[2]) - told[1])
    assert v6 == (0, 0) or name == "softflowd 5"


def test_what_is_sampled_is_counted_and_not_recorded(scene: Scene, packets: list[judge.Packet]) -> None:
    assert scene.rows["sfprobe"] == []
    # pmacctd looks at one packet in one, and still leaves out a few.
    assert len(packets) - 5 <= scene.report["refused"]["sampled"] <= len(packets)


def test_nothing_is_lost_and_the_records_verify(scene: Scene) -> None:
    assert not scene.report["lost"]
    assert "flow_repeated" not in scene.report["noted"]
    scene.box.run("verify")

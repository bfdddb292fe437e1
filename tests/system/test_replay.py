"""What is recorded off a wire is what is recorded out of a file of the same frames, times aside.

The file is what tcpdump saw of them: when they passed decides which are second sightings of others.
"""

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.capture.files import CaptureFile
from appliance.capture.interface import Link, link_of
from appliance.model.frames import ETHERNET
from tests.cases.expect import CASES, capture_of
from tests.system import load
from tests.system.boxes import Box, make_box
from tests.system.networks import Network, may_make
from tests.system.warm import Warm, is_alive, wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

PATIENCE_S = 60
LONGEST_GAP_S = 0.03
"""Longer silences are cut to this: longer than the time in which a second sighting is a duplicate."""

LONGEST_FRAME = 9014
SENT = (
    *("vlan-ipv4", "vlan-ipv6", "qinq-arp", "nd-and-dhcp", "dhcp-both-families", "fragments-dns"),
    *("gre-ppp", "nested-five-deep", "erspan-1", "erspan-2", "vxlan-arp", "geneve", "mpls-ipv6"),
    *("ipv6-in-ipv4", "ipip-qinq", "pppoe-qinq", "gtp-mixed", "lwapp", "twice-two-vlans", "gre-many"),
)
"""Cases of Ethernet frames, all captured whole."""

NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fe80::/10", "2001:470::/32"]
COUNTED = ("packets_out", "bytes_out", "packets_in", "bytes_in")
ASIDE = {*COUNTED, "first_seen", "last_seen", "source", "end_reason"}


def frames_of(capture: Path) -> Iterator[tuple[float, bytes]]:
    """(seconds since the frame before, bytes) of each frame."""
    with CaptureFile(capture) as batches:
        before = 0
        for batch in batches:
            assert batch.link_type == ETHERNET
            columns = (batch.time, batch.offsets, batch.captured, batch.length)
            for moment, at, size, length in zip(*(column.tolist() for column in columns), strict=True):
                assert size == length <= LONGEST_FRAME
                yield max(moment - before, 0) / 1e9, batch.data[at : at + size].tobytes()
                before = moment


def replay(interface: str, captures: list[Path]) -> list[bytes]:
    """Send every frame in order; returns them."""
    sent = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        for capture in captures:
            for gap_s, frame in frames_of(capture):
                time.sleep(min(gap_s, LONGEST_GAP_S))
                wire.send(frame)
                sent.append(frame)
    return sent


def records(box: Box) -> dict[tuple[Any, ...], list[int]]:
    """Counters of all records added up by everything else they say, times aside."""
    totals: dict[tuple[Any, ...], list[int]] = {}
    for row in box.search():
        key = tuple((name, str(value)) for name, value in sorted(row.items()) if name not in ASIDE)
        sums = totals.setdefault(key, [0] * len(COUNTED))
        totals[key] = [total + row[name] for total, name in zip(sums, COUNTED, strict=True)]
    return totals


def bindings(box: Box) -> Counter[tuple[str, str, str]]:
    said = box.run("bindings", *box.identities, "--format", "jsonl").splitlines()
    return Counter({(row["ip"], row["mac"], row["evidence"]): 1 for row in map(json.loads, said)})


def received(box: Box) -> int:
    """Packets that the living recorder says it has read; -1 before it says so."""
    alive = [state for state in box.recorders() if is_alive(state["pid"])]
    return int(alive[0]["sources"][0]["packets"]) if alive and alive[0]["sources"] else -1


def test_a_replayed_capture_gives_the_records_of_its_file(tmp_path: Path) -> None:
    captures = [capture_of(CASES / name) for name in SENT]
    wire, file = make_box(tmp_path, NETWORKS, "wire"), make_box(tmp_path, NETWORKS, "file")
    output, witness = tmp_path / "recorder", tmp_path / "witness.pcap"
    with Network() as network:
        network.cable("switch", "mirror")
        with load.witnessing(network, "mirror", witness, LONGEST_FRAME), network.inside(), Warm() as warm:
            pid = warm.start(["record", "--home", str(wire.home), "--interface", "mirror", "--json"], output)
            wait_for(lambda: received(wire) >= 0 and link_of("mirror") is Link.UP, PATIENCE_S, "the recorder")
            sent = replay("switch", captures)
            wait_for(lambda: received(wire) == len(sent), PATIENCE_S, f"all {len(sent)} frames")
            warm.end(pid, signal.SIGTERM)
    report = json.loads(next(line for line in output.read_text().splitlines() if line.startswith("{")))
    assert (report["packets"], report["lost"]) == (len(sent), 0)
    assert "dropped_or_unclaimed" not in report["noted"]
    assert [frame for _, frame in frames_of(witness)] == sent
    file.run("record", witness)
    live, read = records(wire), records(file)
    different = {
        key: (live.get(key), read.get(key)) for key in {*live, *read} if live.get(key) != read.get(key)
    }
    assert not different, f"{len(different)} of {len(read)}: {list(different.items())[:3]}"
    assert len(read) > 80
    assert bindings(wire) == bindings(file)

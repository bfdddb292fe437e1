"""Captured exports against nfdump, record by record; and what pairing makes of them against its sums.

nfcapd receives what each device sent, from an address of its own, and nfdump prints what it understood. What
it does not understand at all (options, events without counters, layer 2) is judged elsewhere.
"""

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from appliance.feeds.netflow.decoder import NetflowDecoder
from appliance.feeds.told import Messages
from appliance.flows.pairing import Pairing
from appliance.model.addresses import ip_text
from appliance.model.networks import Networks
from appliance.model.texts import Texts
from tests.feeds.netflow.exports import Case, read_cases

pytestmark = pytest.mark.skipif(shutil.which("nfcapd") is None, reason="needs nfdump")

CASES = {case.name: case for case in read_cases()}
BLIND = {
    *("ipfix-barracuda", "ipfix-barracuda-extended", "ipfix-frames", "ipfix-frames-mpls", "ipfix-ipfixprobe"),
    *("ipfix-juniper-cpid", "ipfix-juniper-mx240", "ipfix-netscaler", "ipfix-openbsd-plain", "ipfix-procera"),
    *("ipfix-physical-interfaces", "ipfix-srv6", "ipfix-viptela", "v9-cisco-1941", "v9-cisco-asr9k-late"),
    *(
        "v9-cisco-wireless",
        "v9-juniper-srx",
        "v9-nprobe-dpi",
        "v9-translations",
    ),  # no times, or nothing at all
    *("v5-juniper-mx80", "v9-sampling-options", "v9-sampling-rates"),  # it multiplies what is sampled
}
"""Cases that nfdump 1.7.1 does not understand, or otherwise: judged by tshark and by hand."""

NAMES = tuple(name for name in CASES if name not in BLIND)


@pytest.fixture(scope="module")
def understood(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """What nfdump prints of each case."""
    folder = tmp_path_factory.mktemp("nfcapd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["nfcapd", "-p", str(port), "-M", str(folder), "-t", "3600"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.5)
            for number, name in enumerate(NAMES, 1):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.bind((f"127.0.1.{number}", 0))
                    for message in CASES[name].messages:
                        sender.sendto(message, ("127.0.0.1", port))
            time.sleep(0.5)
            process.terminate()
            process.wait(20)
        finally:
            process.kill()
    return {name: _printed(folder / f"127-0-1-{number}") for number, name in enumerate(NAMES, 1)}


def _printed(folder: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        ["nfdump", "-R", folder, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "TZ": "UTC"},
    )
    if "No matching flows" in done.stdout:
        return []
    return [dict(record) for record in json.loads(done.stdout)]


def _theirs(record: dict[str, object]) -> tuple[object, ...]:
    family = "4" if "src4_addr" in record else "6"
    moment = dt.datetime.fromisoformat(str(record["first"])).replace(tzinfo=dt.UTC)
    ports = (record.get("src_port", -1), record.get("dst_port", -1))
    return (
        *(record[f"src{family}_addr"], record[f"dst{family}_addr"]),
        *(ports if record["proto"] in (6, 17) else (-1, -1)),
        *(record["proto"], record.get("in_packets", 0), record.get("in_bytes", 0)),
        round(moment.timestamp() * 1000),
    )


def _flows(case: Case) -> np.ndarray:
    # Read as from a file: so the device's clock is believed, however old its news is.
    received = np.zeros(len(case.messages), np.int64)
    return NetflowDecoder(Texts()).decode(Messages(received, case.messages)).flows


def _ours(row: np.void) -> tuple[object, ...]:
    ends = (ip_text(int(row[f"{end}_ip_hi"]), int(row[f"{end}_ip_lo"])) for end in ("src", "dst"))
    ports = (int(row["src_port"]), int(row["dst_port"])) if row["protocol"] in (6, 17) else (-1, -1)
    counts = (int(row["packets"]), int(row["octets"]))
    return (*ends, *ports, int(row["protocol"]), *counts, int(row["first"]) // 1_000_000)


@pytest.mark.parametrize("name", NAMES)
def test_records_are_as_nfdump_understands_them(
    understood: dict[str, list[dict[str, object]]], name: str
) -> None:
    theirs = Counter(_theirs(record) for record in understood[name] if "proto" in record)
    ours = Counter(map(_ours, _flows(CASES[name])))
    assert theirs
    assert not theirs - ours


@pytest.mark.parametrize("name", NAMES)
def test_paired_rows_come_to_what_nfdump_counts(
    understood: dict[str, list[dict[str, object]]], name: str
) -> None:
    case = CASES[name]
    pairs = Pairing(Networks.of(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]), 10_000)
    rows = np.concatenate([pairs.add(_flows(case), 0, 0), pairs.finish()])
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        client, peer = (
            ip_text(int(row[f"{side}_ip_hi"]), int(row[f"{side}_ip_lo"])) for side in ("client", "peer")
        )
        sums[client, peer] += int(row["bytes_out"])
        sums[peer, client] += int(row["bytes_in"])
    expected: Counter[tuple[str, str]] = Counter()
    for one in set(map(_theirs, understood[name])):  # stated twice, counted once
        expected[str(one[0]), str(one[1])] += int(str(one[6]))
    assert {ends: sums[ends] for ends in expected} == dict(expected)

"""The sender sends what it says, in tcpdump's eyes, and the live tables add up."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import listeners, live_report
from bench.live_report import Lap
from tests.system import load, networks
from tests.system.networks import Network

FRAMES, RATE = 3_000, 2_000
HEADER_BYTES, RECORD_BYTES = 24, 16
SENT = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")


@pytest.fixture
def network() -> Iterator[Network]:
    if not networks.may_make():
        pytest.skip("needs root")
    with Network() as made:
        made.cable("switch0", "mirror0")
        for end in ("switch0", "mirror0"):  # the kernel redirects no jumbo frames
            made.run("ip", "link", "set", end, "mtu", "1500")
        yield made


def capture(path: Path) -> None:
    """Numbered frames, 60 octets each, in a capture of this machine's byte order."""
    record = (0).to_bytes(8, "little") + (60).to_bytes(4, "little") * 2
    path.write_bytes(SENT + b"".join(record + load.frame_of(number) for number in range(FRAMES)))


def test_the_sender_sends_each_frame_once_at_its_rate_and_counts_right(
    tmp_path: Path, network: Network
) -> None:
    sender = listeners.compile_c("sender", tmp_path)
    capture(tmp_path / "sent.pcap")
    asked = ["switch0", "mirror0", str(tmp_path / "sent.pcap"), str(RATE), "1"]
    with load.witnessing(network, "mirror0", tmp_path / "seen.pcap"):
        said = subprocess_inside(network, [str(sender), *asked])
    numbers, times = load.testimony(tmp_path / "seen.pcap")
    assert numbers.tolist() == list(range(said["sent"]))
    # A machine that was busy at the end lets it run on for some milliseconds, at the same rate.
    assert 0.99 <= said["seconds"] < 1.1
    assert abs(said["sent"] - 1 - RATE * said["seconds"]) <= 1
    assert abs((times[-1] - times[0]) / 1e9 - said["seconds"]) < 0.05
    assert abs((times[RATE // 2] - times[0]) / 1e9 - 0.5) < 0.1  # evenly, not in one lump


def test_a_capture_is_sent_to_its_end_and_not_again(tmp_path: Path, network: Network) -> None:
    sender = listeners.compile_c("sender", tmp_path)
    capture(tmp_path / "sent.pcap")
    with load.witnessing(network, "mirror0", tmp_path / "seen.pcap"):
        said = subprocess_inside(
            network, [str(sender), "switch0", "mirror0", str(tmp_path / "sent.pcap"), "0", "0.3"]
        )
    numbers, _ = load.testimony(tmp_path / "seen.pcap")
    assert said["sent"] == FRAMES
    assert numbers.tolist() == list(range(FRAMES))


def subprocess_inside(network: Network, command: list[str]) -> dict[str, float]:
    with network.inside():
        done = subprocess.run(command, input="go\n", capture_output=True, text=True, check=True)
    ready, answer = done.stdout.splitlines()
    assert ready == "ready"
    return dict(json.loads(answer))


def lap(name: str, rate: int, *, took: int = 1_000, reported: int = 0, cpu_ns: int = 300_000) -> Lap:
    accounted = took if name == live_report.OURS else None
    return Lap(name, True, rate, 1_000, 0.002, 1_000, took, reported, accounted, cpu_ns // 2, cpu_ns)


def test_the_tables_hold_medians_and_truth_is_what_was_on_the_wire() -> None:
    laps = [
        lap("greffier", 500_000, cpu_ns=100_000),
        lap("greffier", 500_000, cpu_ns=200_000),
        lap("greffier", 500_000, cpu_ns=900_000),
        lap("nfpcapd", 500_000, took=900),
        lap("greffier", -1, took=600, reported=400),
        lap("nfpcapd", -1, took=600, reported=200),
    ]
    lost, cpu, _, beyond = live_report.tables(laps).values()
    assert lost == [["", "500 k/s"], ["greffier", "0"], ["nfpcapd", "10.00"]]
    assert cpu[1:] == [["greffier", "200 (100)"], ["nfpcapd", "333 (167)"]]
    assert beyond[1:] == [
        ["greffier", "1,000", "400", "400", "0.000%"],
        ["nfpcapd", "1,000", "400", "200", "50.000%"],
    ]
    assert all(verdict.holds for verdict in live_report.verdicts(laps))


@pytest.mark.parametrize(
    ("ours", "number"),
    [
        ([lap("greffier", 500_000, took=999)], 0),
        ([lap("greffier", 500_000, cpu_ns=301_000)], 1),
        ([lap("greffier", 500_000), lap("greffier", -1, took=600, reported=398)], 2),
    ],
)
def test_what_is_missed_is_said(ours: list[Lap], number: int) -> None:
    verdicts = live_report.verdicts([*ours, lap("nfpcapd", 500_000)])
    assert not verdicts[number].holds

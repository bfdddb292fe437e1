"""A clock that jumps: nothing is lost, nothing destroyed, and coverage says it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.system import load
from tests.system.boxes import Box, make_box
from tests.system.captures import NS, write_capture

NOW = 1_795_300_000 * NS
HOUR, DAY = 3600 * NS, 86400 * NS
JUMPS = {
    "a day back": [0, -DAY],
    "a day forth and back": [0, DAY, 0],
    "a minute back, over the hour": [HOUR - NOW % HOUR, HOUR - NOW % HOUR - 60 * NS],
    "a week forth in steps": [0, 2 * DAY, 5 * DAY, 7 * DAY],
    "to and fro": [0, -2 * HOUR, 3 * HOUR, -5 * HOUR, 0],
    "a season back": [0, -90 * DAY, 0],
}
SPAN = 20 * NS
CONNECTIONS = 300


def jumping_capture(path: Path, jumps: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(number, time) of each datagram: the same connections go on through every jump, and new ones begin."""
    numbers, times = [], []
    for period, jump in enumerate(jumps):
        begun = np.arange(CONNECTIONS * (period + 1))
        numbers += [begun, begun]
        times += [NOW + jump + begun * 1000 + at for at in (0, SPAN)]
    together = np.concatenate(numbers), np.concatenate(times)
    write_capture(path, *together)
    return together


def packets_by_connection(box: Box) -> dict[int, int]:
    """Rows of one connection that a jump tore apart are summed."""
    kept: dict[int, int] = {}
    for row in box.search():
        number = load.number_of(row["client_ip"], row["client_port"])
        kept[number] = kept.get(number, 0) + row["packets_out"]
    return kept


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS.keys())
def test_a_clock_that_jumps_neither_loses_nor_destroys(tmp_path: Path, jumps: list[int]) -> None:
    numbers, times = jumping_capture(tmp_path / "jumps.pcap", jumps)
    box = make_box(tmp_path, [load.CLIENT_NET])
    report = box.json("record", tmp_path / "jumps.pcap")
    assert report["packets"] == len(numbers)
    assert report["lost"] == 0
    expected = dict(enumerate(np.bincount(numbers).tolist()))
    assert packets_by_connection(box) == expected

    steps = np.diff(times)
    said = json.dumps(box.json("coverage"))
    if (steps < -NS).any():
        assert '"clock_stepped_back"' in said
    if (steps > HOUR).any():
        assert '"clock_stepped_forward"' in said

    box.run("verify")
    box.run("retention")
    assert packets_by_connection(box) == expected
    box.run("verify")

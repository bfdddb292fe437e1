"""A flood of spoofed sources: the oldest give way, it is said so, memory stays under its cap."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.system import load
from tests.system.boxes import GREFFIER, make_box
from tests.system.captures import NS, write_capture

STOPWATCH = Path(__file__).parent.parent.parent / "bench" / "stopwatch.py"
FLOWS = 400_000
FLOW_LIMIT, ROW_LIMIT = 5_000, 20_000
CAP_MB = 300
"""An empty recorder takes 105 MB (numpy, pyarrow). A batch of this flood, 16 MiB of capture, is 220,000
connections that begin and end at once: their rows, twice while they are joined, and their groups take up to
180 MB more. Four times the flood takes no more (both 277 to 286); without its limits this one takes some 320.
"""

READER = """
import collections, json, sys
import pyarrow.parquet
table = pyarrow.parquet.read_table(sys.argv[1])
reasons = collections.Counter(map(str, table["end_reason"].to_pylist()))
print(json.dumps([len(table), sum(table["packets_out"].to_pylist()), reasons]))
"""


def recorded(home: Path, capture: Path) -> tuple[dict[str, object], float]:
    """What `record` said, and the most memory it held, in MB; started by a process that is small itself."""
    took = home.parent / "took"
    watch = [sys.executable, "-I", "-S", STOPWATCH, took]
    command = [*watch, GREFFIER, "record", "--json", "--home", home, capture]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, _, peak_kib, code = took.read_text().split()
    assert int(code) == 0, done.stderr
    return json.loads(done.stdout), int(peak_kib) / 1024


def test_a_flood_of_one_packet_flows_is_bounded(tmp_path: Path) -> None:
    capture = tmp_path / "flood.pcap"
    numbers = np.arange(FLOWS)
    write_capture(capture, numbers, 1_795_000_000 * NS + numbers * 10_000)
    box = make_box(tmp_path, [load.CLIENT_NET])
    box.settings(flow_limit=FLOW_LIMIT, row_limit=ROW_LIMIT)
    report, peak_mb = recorded(box.home, capture)
    assert peak_mb < CAP_MB
    assert (report["packets"], report["records"], report["lost"]) == (FLOWS, FLOWS, 0)
    evicted = report["noted"]["table_full"]  # type: ignore[index]
    assert evicted >= FLOWS - 2 * FLOW_LIMIT
    answer = tmp_path / "answer.parquet"
    box.run("search", *box.identities, "--format", "parquet", "--out", answer)
    said = subprocess.run([sys.executable, "-c", READER, answer], capture_output=True, text=True, check=True)
    rows, packets, reasons = json.loads(said.stdout)
    assert (rows, packets) == (FLOWS, FLOWS)
    assert 0.9 * evicted <= reasons["5"] <= evicted  # what a seal had just cut has no further row
    segments = list((box.home / "segments" / "traffic").glob("*/*.parquet"))
    assert len(segments) <= FLOWS // (ROW_LIMIT // 4) + 1
    assert '"table_full"' in box.run("coverage", "--json")


def test_few_flows_and_many_rows_do_not_seal_at_every_batch(tmp_path: Path) -> None:
    """The table may hold more flows than rows are allowed: it stays full through a seal."""
    capture = tmp_path / "steady.pcap"
    flows, rounds = 3000, 60
    numbers = np.tile(np.arange(flows), rounds)
    write_capture(capture, numbers, 1_795_000_000 * NS + np.arange(flows * rounds) * 100_000)
    box = make_box(tmp_path, [load.CLIENT_NET])
    box.settings(flow_limit=5000, row_limit=2000)
    report, _ = recorded(box.home, capture)
    assert report["packets"] == flows * rounds
    assert len(list((box.home / "segments" / "traffic").glob("*/*.parquet"))) <= 3
    assert {row["packets_out"] for row in box.search()} == {rounds}

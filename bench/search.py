"""Bytes a record and the CPU time of searches: `python -m bench.search [--records N] [--rounds N]`.

Two homes are made under bench/work: one busy day of 20 million records in hourly segments (see
`bench.busy_day`), and a year of 8,760 segments of two thousand. Every question is put several times in
this one process, after start-up; CPU seconds of the best and of the median are printed, as a table and
as JSON. Pin it to one core: taskset -c 1 .venv/bin/python -m bench.search
"""

import argparse
import datetime as dt
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import ip_bytes, mac_bytes
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, MS, start_of
from appliance.vault import segments
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal import texts
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from bench.busy_day import BusyDay

WORK = Path(__file__).parent / "work"
DAY = dt.date(2026, 3, 14)
YEAR = dt.date(2026, 1, 1)
KEY_ID = "00" * 8
EARLY_SEAL_ROWS = 1_000_000  # `row_limit` of a box: a busier hour is sealed in more than one segment


class Keys:
    """Day keys of the benchmark; custodians and envelopes are start-up, not search."""

    def open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey:
        return DayKey(vault, day, key_id, b"benchmark".ljust(32, b"."))


@dataclass(frozen=True)
class Timing:
    question: str
    rows: int
    best_ms: float
    median_ms: float


@dataclass(frozen=True)
class Written:
    records: int
    segments: int
    bytes_a_record: float
    index_bytes_a_record: float
    rows_a_second: float


def write(home: Home, day: dt.date, hour: int, rows: NDArray[np.void]) -> tuple[int, int, float]:
    """Segments of one hour; index bytes, all bytes, CPU seconds."""
    key, index, total = Keys().open(VaultName.TRAFFIC, day, KEY_ID), 0, 0
    started = time.process_time()
    for number, part in enumerate(_cut_at_seals(rows)):
        name = f"{hour:02d}{number:02d}-{KEY_ID}-{hour * 9 + number}"
        made = segments.write(home.segments(VaultName.TRAFFIC, day), name, part, ["interface:mirror0"], key)
        index += made.files[0][2]
        total += sum(size for _, _, size in made.files)
    return index, total, time.process_time() - started


def _cut_at_seals(rows: NDArray[np.void]) -> list[NDArray[np.void]]:
    """A seal cuts every open connection, so that segments of one hour share no instant."""
    parts = []
    while len(rows) > EARLY_SEAL_ROWS:
        begun = np.sort(rows["first_seen"])[EARLY_SEAL_ROWS]
        before = rows[rows["first_seen"] < begun]
        before["last_seen"] = np.minimum(before["last_seen"], begun - MS)
        parts.append(before)
        rows = rows[rows["first_seen"] >= begun]
    return [*parts, rows]


def busy_day(home: Home, records: int) -> Written:
    """Fill a home with one busy day."""
    day, count, index, total, seconds = BusyDay(records, start_of(DAY)), 0, 0, 0, 0.0
    for hour in range(24):
        rows = day.hour(hour)
        of_index, of_hour, taken = write(home, DAY, hour, rows)
        count, index, total, seconds = count + len(rows), index + of_index, total + of_hour, seconds + taken
        print(f"\rhour {hour}: {count} records", end="", file=sys.stderr)
    print(file=sys.stderr)
    files = len(list(home.segments(VaultName.TRAFFIC, DAY).glob("*.parquet")))
    return Written(count, files, total / count, index / count, count / seconds)


def quiet_year(home: Home) -> None:
    """Fill a home with 8,760 segments: the same made-up day again and again, its times moved."""
    day = BusyDay(2_000 * 24, 0)
    hours = [day.hour(hour) for hour in range(24)]
    for number in range(365):
        date = YEAR + dt.timedelta(number)
        for hour, rows in enumerate(hours):
            moved = rows.copy()
            for name in ("first_seen", "last_seen"):
                moved[name] += start_of(date)
            write(home, date, hour, moved)


def timed(home: Home, label: str, question: Question, rounds: int, parts: bool = False) -> Timing:
    """Put one question several times."""
    taken, rows = [], 0
    for _ in range(rounds):
        started = time.process_time()
        search = Search(home, Keys(), question)
        rows = sum(map(len, search.parts() if parts else search.connections()))
        taken.append((time.process_time() - started) * 1000)
    timing = Timing(label, rows, round(min(taken), 1), round(sorted(taken)[len(taken) // 2], 1))
    print(f"{timing.question:<52} {timing.rows:>9} rows {timing.best_ms:>9} ms {timing.median_ms:>9} ms")
    return timing


def day_questions(rows: NDArray[np.void], hour_ns: int) -> dict[str, Question]:
    """Typical ones, from the rows of one hour: clients and destinations of known popularity."""
    macs, records = np.unique(rows["client_mac"], return_counts=True)
    usual, busiest = macs[np.argsort(records)[len(macs) // 2]], macs[np.argmax(records)]
    _, first, popularity = np.unique(rows["peer_ip_lo"], return_index=True, return_counts=True)
    ranked = rows[first[np.argsort(-popularity)]]
    peers = ip_bytes(ranked["peer_ip_hi"], ranked["peer_ip_lo"])
    ten = Question(from_ns=hour_ns + 20 * MINUTE_NS, to_ns=hour_ns + 30 * MINUTE_NS)
    some = np.array([usual, busiest], np.uint64)
    clients = [mac.tobytes() for mac in mac_bytes(some)]
    return {
        "a usual client, ten minutes": replace(ten, client_mac=clients[0]),
        "the busiest client, ten minutes": replace(ten, client_mac=clients[1]),
        "a destination of rank 10, the day": Question(peer_ip=peers[10].tobytes()),
        "a destination of rank 100, the day": Question(peer_ip=peers[100].tobytes()),
        "a destination of rank 1,000, the day": Question(peer_ip=peers[1000].tobytes()),
        "a rare destination, the day": Question(peer_ip=peers[-1].tobytes()),
        "a destination never seen, the day": Question(peer_ip=bytes(15) + b"\7"),
    }


def year_questions() -> dict[str, Question]:
    rows = BusyDay(2_000 * 24, 0).hour(14)
    client = mac_bytes(rows["client_mac"][:1])[0].tobytes()
    _, first, popularity = np.unique(rows["peer_ip_lo"], return_index=True, return_counts=True)
    ranked = rows[first[np.argsort(-popularity)]]
    peers = ip_bytes(ranked["peer_ip_hi"], ranked["peer_ip_lo"])
    noon = start_of(YEAR) + 200 * DAY_NS
    return {
        "a client, one day of a year": Question(client_mac=client, from_ns=noon, to_ns=noon + DAY_NS),
        "a destination of every hour, the year": Question(peer_ip=peers[3].tobytes()),
        "a destination of some hours, the year": Question(peer_ip=peers[100].tobytes()),
        "a destination never seen, the year": Question(peer_ip=bytes(15) + b"\7"),
    }


def everything(home: Home) -> dict[str, float]:
    """A search without a filter, written as CSV to nowhere: rows a second, and the most memory held."""
    started, rows = time.process_time(), 0
    for table in Search(home, Keys(), Question()).connections():
        rows += len(table)
        texts.csv(texts.readable(table))
    seconds = time.process_time() - started
    return {"connections": rows, "rows_a_second": rows / seconds, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def made(name: str, fill: Callable[[Home], object]) -> tuple[Home, object]:
    """A home under bench/work, filled anew."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    home = Home(path)
    return home, fill(home)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="use the homes that are there")
    parser.add_argument("--everything", action="store_true", help="also a search without a filter, as CSV")
    args = parser.parse_args()
    result: dict[str, object] = {}
    day, year = Home(WORK / "day"), Home(WORK / "year")
    if not args.keep:
        _, written = made("day", lambda home: busy_day(home, args.records))
        assert isinstance(written, Written)
        result["written"] = asdict(written)
        print(json.dumps(result["written"]))
        made("year", quiet_year)
    hour_ns = start_of(DAY) + 14 * HOUR_NS
    rows = BusyDay(args.records, start_of(DAY)).hour(14)
    asked = day_questions(rows, hour_ns)
    timings = [timed(day, label, question, args.rounds) for label, question in asked.items()]
    del rows
    timings += [timed(year, label, question, 2) for label, question in year_questions().items()]
    result["searches"] = [asdict(timing) for timing in timings]
    if args.everything:
        result["everything"] = everything(day)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

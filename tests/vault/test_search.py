"""A search gives what a plain loop over the rows gives, whatever is asked and however rows were sealed."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.model.errors import DestroyedError
from appliance.model.instants import HOUR_NS, MINUTE_NS, NS, start_of
from appliance.model.rows import BINDING
from appliance.vault import segments
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.run import Run
from appliance.vault.unseal.holdings import Holdings
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from tests.vault.made_homes import SOURCES, make_box
from tests.vault.made_rows import DAY, day_key, traffic

START = start_of(DAY)


@dataclasses.dataclass
class Keys:
    """Gives the keys of the tests; days in `destroyed` have none any more."""

    destroyed: tuple[dt.date, ...] = ()

    def open(self, vault: VaultName, day: dt.date, key_id: str) -> DayKey:
        if day in self.destroyed:
            raise DestroyedError(f"{day} is destroyed")
        assert key_id == day_key().key_id
        return day_key(vault, day)


def kept(home: Home, rows: NDArray[np.void], name: str, day: dt.date = DAY) -> None:
    vault = VaultName.SOURCE if rows.dtype == BINDING else VaultName.TRAFFIC
    name = f"{name}-{day_key().key_id}-1"
    segments.write(home.segments(vault, day), name, rows, SOURCES, day_key(vault, day))


def answer(
    home: Home, question: Question, parts: bool = False, keys: Keys | None = None
) -> list[dict[str, object]]:
    search = Search(home, keys or Keys(), question)
    found = search.parts() if parts else search.connections()
    return [row for table in found for row in plain(table).to_pylist()]


def plain(table: pa.Table) -> pa.Table:
    """Instants as numbers: Python's own have no nanoseconds."""
    for number, name in enumerate(("first_seen", "last_seen")):
        table = table.set_column(number, name, table[name].cast(pa.int64()))
    return table


def identity(row: dict[str, object]) -> tuple[object, ...]:
    names = (
        "client_ip",
        "client_port",
        "peer_ip",
        "peer_port",
        "protocol",
        "bytes_in",
        "bytes_out",
        "source",
    )
    return tuple(row[name] for name in names)


def expected(rows: NDArray[np.void], question: Question, slack_ns: int = 0) -> list[tuple[object, ...]]:
    """By a plain loop over the rows."""
    found = []
    for row in rows:
        client = int(row["client_ip_hi"]).to_bytes(8, "big") + int(row["client_ip_lo"]).to_bytes(8, "big")
        peer = int(row["peer_ip_hi"]).to_bytes(8, "big") + int(row["peer_ip_lo"]).to_bytes(8, "big")
        ports = {int(row["client_port"]), int(row["peer_port"])} - {-1}
        if (
            row["first_seen"] < question.to_ns
            and row["last_seen"] + slack_ns >= question.from_ns
            and question.client_ip in (None, client)
            and question.peer_ip in (None, peer)
            and question.client_mac in (None, int(row["client_mac"]).to_bytes(6, "big"))
            and (question.port is None or question.port in ports)
            and question.protocol in (None, row["protocol"])
        ):
            port = [int(row[name]) if row[name] >= 0 else None for name in ("client_port", "peer_port")]
            octets = int(row["bytes_in"]), int(row["bytes_out"])
            found.append(
                (client, port[0], peer, port[1], int(row["protocol"]), *octets, SOURCES[row["source"]])
            )
    return sorted(found, key=repr)


def questions(rows: NDArray[np.void]) -> list[Question]:
    row = rows[7]
    client = int(row["client_ip_hi"]).to_bytes(8, "big") + int(row["client_ip_lo"]).to_bytes(8, "big")
    peer = int(row["peer_ip_hi"]).to_bytes(8, "big") + int(row["peer_ip_lo"]).to_bytes(8, "big")
    middle = int(row["first_seen"])
    return [
        Question(),
        Question(client_ip=client),
        Question(client_mac=int(row["client_mac"]).to_bytes(6, "big")),
        Question(peer_ip=peer),
        Question(client_ip=client, peer_ip=peer),
        Question(port=int(row["client_port"]) if row["client_port"] >= 0 else 53),
        Question(protocol=17, port=53),
        Question(from_ns=middle - MINUTE_NS, to_ns=middle + MINUTE_NS),
        Question(from_ns=middle, to_ns=middle + 1, client_ip=client),
        Question(peer_ip=bytes(15) + b"\1"),
        Question(from_ns=START + 20 * HOUR_NS),
    ]


@pytest.mark.parametrize("number", range(11))
def test_a_search_gives_what_a_loop_gives(tmp_path: Path, number: int) -> None:
    home = Home(tmp_path)
    hours = [traffic(2_000, seed, hour) for seed, hour in ((1, 9), (2, 10), (3, 14))]
    kept(home, hours[0], "0900")
    kept(home, np.concatenate(hours[1:]), "1000")  # hours that share a segment
    rows = np.concatenate(hours)
    question = questions(rows)[number]
    found = answer(home, question, parts=True)
    assert sorted(map(identity, found), key=repr) == expected(rows, question)
    starts = [int(str(row["first_seen"])) for row in found]
    assert starts == sorted(starts)


def chain(starts_s: list[float], end_reasons: list[int], seconds: float = 50) -> NDArray[np.void]:
    """Parts of one connection from 10.0.0.7 that start so many seconds after the hour 14."""
    rows = traffic(len(starts_s))
    for name in (
        "client_mac",
        "client_port",
        "client_ip_lo",
        "peer_ip_hi",
        "peer_ip_lo",
        "peer_port",
        "ap_mac",
    ):
        rows[name] = rows[name][0]
    rows["protocol"], rows["source"] = 6, 0
    rows["first_seen"] = START + 14 * HOUR_NS + (np.array(starts_s) * NS).astype(np.int64)
    rows["last_seen"] = rows["first_seen"] + int(seconds * NS)
    rows["end_reason"] = end_reasons
    rows["bytes_out"] = [10 ** min(number, 9) for number in range(len(rows))]
    return rows


def test_a_connection_over_hours_is_shown_whole_whatever_part_of_it_is_asked_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    starts = list(np.arange(-3600 - 55, 3600 + 200, 60.0))
    rows = chain(starts, [2] * (len(starts) - 1) + [3])
    rows["bytes_out"] = 1
    for hour in (12, 13, 14, 15):
        inside = (rows["first_seen"] - START) // HOUR_NS == hour
        if inside.any():
            kept(home, np.concatenate([rows[inside], traffic(500, hour, hour)]), f"{hour}00")
    at = START + 14 * HOUR_NS + 20 * MINUTE_NS
    client = int(rows["client_ip_hi"][0]).to_bytes(8, "big") + int(rows["client_ip_lo"][0]).to_bytes(8, "big")
    for question in (
        Question(at, at + NS),
        Question(at, at + NS, client_ip=client),
        Question(START + 12 * HOUR_NS, at, client_ip=client),
        Question(at, client_ip=client),
        Question(client_ip=client),
    ):
        found = [row for row in answer(home, question) if row["bytes_out"] == len(rows)]
        assert [(row["first_seen"], row["last_seen"], row["end_reason"]) for row in found] == [
            (rows["first_seen"][0], rows["last_seen"][-1], 3)
        ]
    assert len(answer(home, Question(at, at + NS, client_ip=client), parts=True)) <= 2


def test_a_connection_that_only_touches_the_hour_asked_for_is_not_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = chain([60, 1800], [3, 3])
    kept(home, rows, "1400")
    found = answer(home, Question(START + 14 * HOUR_NS + 1000 * NS, START + 15 * HOUR_NS))
    assert [row["bytes_out"] for row in found] == [10]


def test_the_same_hour_sealed_twice_gives_the_same_answer(tmp_path: Path) -> None:
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    rows = traffic(3_000)
    kept(once, rows, "1400")
    kept(twice, rows, "1400")
    kept(twice, rows[::-1].copy(), "1401")
    for parts in (True, False):
        assert answer(twice, Question(), parts) == answer(once, Question(), parts)


def test_destroyed_days_are_named_and_the_others_are_answered(tmp_path: Path) -> None:
    home, before = Home(tmp_path), DAY - dt.timedelta(1)
    kept(home, traffic(100, day=before), "1400", before)
    kept(home, traffic(200), "1400")
    search = Search(home, Keys((before,)), Question())
    assert sum(map(len, search.parts())) == 200
    assert search.destroyed == [before]


def test_what_is_only_in_the_journal_is_found_and_what_is_in_both_counts_once(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    rows = traffic(400)
    late = traffic(50, seed=9, hour=15)
    still_open = late.copy()
    still_open["end_reason"] = 0
    for name in ("packets_out", "packets_in", "bytes_out", "bytes_in"):
        still_open[name] //= 2
    box.record(rows)
    with Run.start(box.home, box.clock) as run:
        writer = box.writer(run)
        writer.journal(rows, SOURCES)
        writer.journal(still_open, SOURCES)
        writer.journal(late, SOURCES)
        found = [
            row
            for table in Search(box.home, box.opener(), Question()).parts()
            for row in plain(table).to_pylist()
        ]
        writer.close()
    everything = expected(np.concatenate([rows, late]), Question())
    assert sorted(map(identity, found), key=repr) == everything


def binding(ip: int, mac: int, begin_s: float, until_s: float, evidence: int = 10) -> NDArray[np.void]:
    rows = np.zeros(1, BINDING)
    rows["ip_lo"], rows["mac"], rows["evidence"], rows["vlan"] = MAPPED_V4 | ip, mac, evidence, -1
    rows["from"] = START + 14 * HOUR_NS + int(begin_s * NS)
    rows["until"] = START + 14 * HOUR_NS + int(until_s * NS)
    return rows


def test_the_best_evidence_and_every_other_claimant_stand_beside_a_connection(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = chain([100, 200, 900, 1500, 3000], [3] * 5, seconds=1)
    own, ip = int(rows["client_mac"][0]), int(rows["client_ip_lo"][0]) & 0xFFFF_FFFF
    kept(home, rows, "1400")
    held = [
        binding(ip, own, 0, 150),
        binding(ip, own, 140, 1000, evidence=20),
        binding(ip, own, 1400, 1450),  # goes on within 15 minutes: the connection at 1500 lies between
        binding(ip, own, 2000, 2100),
        binding(ip, 0xAA, 150, 250),
        binding(ip, 0xBB, 190, 210),
        binding(ip + 1, 0xCC, 0, 4000),
    ]
    kept(home, np.concatenate(held), "1400")
    found = {row["first_seen"]: row for row in answer(home, Question())}
    told = [(row["evidence"], row["other_macs"]) for _, row in sorted(found.items())]
    assert told == [
        ("arp", None),
        ("dhcp", "00:00:00:00:00:aa 00:00:00:00:00:bb"),
        ("dhcp", None),
        ("arp", None),
        (None, None),
    ]


def test_holders_are_asked_for_at_an_instant_or_over_all_days(tmp_path: Path) -> None:
    home = Home(tmp_path)
    parts = [
        binding(1, 0x0200_0000_00AA, 0, 600),
        binding(1, 0x0200_0000_00AA, 500, 1400),
        binding(1, 0x0200_0000_00AA, 1400 + 901, 2500),
    ]
    kept(home, np.concatenate([*parts, *parts, binding(2, 0x01BB, 0, 60)]), "1400")
    ip = bytes(10) + b"\xff\xff" + bytes(3) + b"\1"
    hour = START + 14 * HOUR_NS

    def shown(tables: Iterator[pa.Table]) -> list[tuple[object, ...]]:
        rows = pa.concat_tables(list(tables))
        columns = [rows[name].cast(pa.int64()).to_pylist() for name in ("from", "until")]
        return list(zip(*columns, rows["randomised"].to_pylist(), strict=True))

    holdings = Holdings(home, Keys(), Question(client_ip=ip))
    assert shown(holdings.everything()) == [
        (hour, hour + 1400 * NS, True),
        (hour + 2301 * NS, hour + 2500 * NS, True),
    ]
    assert shown([holdings.at(hour + 2400 * NS)]) == [(hour + 2301 * NS, hour + 2500 * NS, True)]
    assert shown([holdings.at(hour + 1401 * NS)]) == []
    everyone = Holdings(home, Keys(), Question())
    assert len(shown(everyone.everything())) == 3


def test_a_connection_seen_at_two_places_is_whole_whatever_part_of_it_is_asked_for(tmp_path: Path) -> None:
    """What the client sent lies in the hours 13 and 14, what it got in 13 to 15."""
    home, router = Home(tmp_path), 0x0200_0000_00FE
    sent = chain(list(np.arange(-1800, 1800, 60.0)), [2] * 60, seconds=59)
    got = chain(list(np.arange(-60, 5400, 60.0)), [2] * 91, seconds=59)
    for name in ("client_port", "client_ip_lo", "peer_ip_hi", "peer_ip_lo", "peer_port"):
        got[name] = sent[name][0]
    got["client_mac"], got["packets_out"], got["bytes_out"], got["behind_router"] = router, 0, 0, False
    sent["packets_out"], sent["bytes_out"], sent["bytes_in"], sent["behind_router"] = 1, 1, 0, False
    got["bytes_in"] = 1
    rows = np.concatenate([sent, got])
    for hour in (13, 14, 15):
        kept(home, rows[(rows["first_seen"] - START) // HOUR_NS == hour], f"{hour}00")
    at = START + 14 * HOUR_NS
    client = int(rows["client_ip_hi"][0]).to_bytes(8, "big") + int(rows["client_ip_lo"][0]).to_bytes(8, "big")
    for from_ns, to_ns in ((-1700, -1600), (-10, 10), (600, 601), (5000, 5001), (-1700, 5001)):
        question = Question(at + from_ns * NS, at + to_ns * NS, client_ip=client)
        (found,) = answer(home, question)
        told = [found[name] for name in ("client_mac", "first_seen", "last_seen", "bytes_out", "bytes_in")]
        mac = int(sent["client_mac"][0]).to_bytes(6, "big")
        assert told == [mac, sent["first_seen"][0], got["last_seen"][-1], 60, 91]
    assert len(answer(home, Question(client_ip=client), parts=True)) == 151
    (asked,) = answer(home, Question(client_mac=router.to_bytes(6, "big")))
    assert (asked["bytes_out"], asked["bytes_in"]) == (0, 91)

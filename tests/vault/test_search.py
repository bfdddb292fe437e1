"""A search gives what a plain loop over the rows gives, whatever is asked and however rows were sealed."""

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from appliance.model.errors import DestroyedError
from appliance.model.instants import HOUR_NS, MINUTE_NS, start_of
from appliance.model.rows import BINDING
from appliance.vault import segments
from appliance.vault.day_keys import DayKey
from appliance.vault.names import Home, VaultName
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from tests.vault.made_rows import DAY, day_key, traffic

SOURCES = ["file:a.pcap", "interface:mirror0"]
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

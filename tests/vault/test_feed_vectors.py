"""What feeds told, at rest: the vectors open by the letter of FORMAT.md, and as our own reader gives them."""

import hashlib
import hmac
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from appliance.vault.columns import to_table
from appliance.vault.journal import pack
from appliance.vault.names import VaultName
from appliance.vault.unseal import journal, segments
from appliance.vault.unseal.question import Question
from tests.vault.made_homes import SOURCES
from tests.vault.made_rows import TEXTS, day_key, fed, held

VECTORS = Path(__file__).parent / "vectors" / "feeds"
EVIDENCE = {10: "arp", 15: "association", 20: "dhcp", 30: "radius", 40: "nat"}
Row = dict[str, object]


def address(hi: int, lo: int) -> bytes | None:
    return (int(hi) << 64 | int(lo)).to_bytes(16, "big") if hi or lo else None


def binding(row: np.void) -> Row:
    """A binding as FORMAT.md says it is kept: null where nothing is said."""
    counted = row["bytes_out"] or row["bytes_in"]
    told: Row = {name: TEXTS[row[name]] or None for name in ("ssid", "user", "session", "class")}
    told |= {name: int(row[name]) if counted else None for name in ("bytes_out", "bytes_in")}
    told |= {name: address(row[f"{name}_hi"], row[f"{name}_lo"]) for name in ("ip", "nat_ip", "peer_ip")}
    told |= {name: int(row[name]).to_bytes(6, "big") if row[name] else None for name in ("mac", "ap_mac")}
    numbers = ("nat_port", "nat_port_last", "port", "peer_port", "protocol", "end_reason")
    told |= {name: int(row[name]) or None for name in numbers}
    told |= {name: int(row[name]) for name in ("from", "until")}
    told["vlan"] = int(row["vlan"]) if row["vlan"] >= 0 else None
    return told | {"source": SOURCES[row["source"]], "evidence": EVIDENCE[int(row["evidence"])]}


def flow(row: np.void) -> Row:
    """What only feeds say of a record, and by what it is known."""
    return {
        "first_seen": int(row["first_seen"]),
        "bytes_in": int(row["bytes_in"]),
        "nat_ip": address(row["nat_ip_hi"], row["nat_ip_lo"]),
        "nat_port": int(row["nat_port"]) or None,
        "received": int(row["received"]) or None,
        "by_receipt": bool(row["by_receipt"]),
    }


def rows_of(table: pa.Table, names: list[str]) -> list[Row]:
    columns = {}
    for name in names:
        column = table[name] if name in table.column_names else pa.nulls(len(table))
        columns[name] = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    return list(pa.table(columns).to_pylist())


def same(found: list[Row], expected: list[Row]) -> bool:
    return sorted(found, key=repr) == sorted(
        ({name: row[name] for name in found[0]} for row in expected), key=repr
    )


KEPT = [("fed00001", "traffic", fed(30), flow), ("ed000002", "source", held(), binding)]


@pytest.mark.parametrize(("serial", "vault", "rows", "as_kept"), KEPT, ids=["traffic", "source"])
def test_a_segment_opens_with_pyarrow_alone(
    serial: str, vault: str, rows: NDArray[np.void], as_kept: Callable[[np.void], Row]
) -> None:
    name = f"1400-0123456789abcdef-{serial}"
    properties = pe.create_decryption_properties(
        day_key().secret, aad_prefix=f"{vault}/2026-03-14/{name}".encode()
    )
    table = pq.read_table(VECTORS / f"{name}.parquet", decryption_properties=properties)
    expected = [as_kept(row) for row in rows]
    assert same(rows_of(table, list(expected[0])), expected)


@pytest.mark.parametrize(("serial", "vault", "rows", "as_kept"), KEPT, ids=["traffic", "source"])
def test_our_reader_gives_the_same(
    serial: str, vault: str, rows: NDArray[np.void], as_kept: Callable[[np.void], Row]
) -> None:
    path, key = VECTORS / f"1400-0123456789abcdef-{serial}.parquet", day_key(VaultName(vault))
    (table,) = segments.read(path, key, segments.read_index(path, key), Question())
    expected = to_table(rows, SOURCES, TEXTS)
    assert table.schema == expected.schema
    assert same(table_rows(table), table_rows(expected))
    assert same(rows_of(table, list(as_kept(rows[0]))), [as_kept(row) for row in rows])


def table_rows(table: pa.Table) -> list[Row]:
    return rows_of(table, table.column_names)


def frames() -> list[tuple[dict[str, object], dict[str, list[int]]]]:
    """(description, columns) of each frame of the journal, from FORMAT.md alone."""
    content = next(VECTORS.glob("*.journal")).read_bytes()
    header, _, rest = content.partition(b"\n")
    key = hmac.new(day_key().secret, b"greffier journal 1", hashlib.sha256).digest()
    found = []
    while rest:
        length, at_ns = struct.unpack(">IQ", rest[:12])
        nonce, sealed, rest = rest[12:24], rest[24 : 24 + length], rest[24 + length :]
        context = header + b"\n" + struct.pack(">IQ", len(found), at_ns)
        plain = AESGCM(key).decrypt(nonce, sealed, context)
        described, size = struct.unpack(">II", plain[:8])
        description = json.loads(plain[8 : 8 + described])
        packed = plain[8 + described :]
        planes = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True).stdout
        assert len(planes) == size
        columns, at, count = {}, 0, description["rows"]
        for name, kind in description["columns"]:
            width = np.dtype(kind).itemsize
            values = [bytes(planes[at + byte * count + row] for byte in range(width)) for row in range(count)]
            columns[name] = [int.from_bytes(value, "little", signed=kind[1] == "i") for value in values]
            at += width * count
        found.append((description, columns))
    return found


def test_the_journal_opens_by_the_letter_of_the_format() -> None:
    first, second = frames()
    for (description, columns), rows in ((first, held()), (second, held()[2:4])):
        for name in rows.dtype.names or ():
            assert columns.get(name, [0] * len(rows)) == rows[name].tolist()
        assert description["sources"] == SOURCES
    assert first[0]["texts"] == [[1, TEXTS[1]], [2, TEXTS[2]], [3, TEXTS[3]], [4, TEXTS[4]]]
    assert "texts" not in second[0]  # it names none
    assert "nat_ip_lo" not in second[1]


def test_our_reader_gives_the_journal_as_it_was_told() -> None:
    class Opener:
        def open(self, *_: object) -> object:
            return day_key(VaultName.SOURCE)

    path = next(VECTORS.glob("*.journal"))
    found = [row for table in journal.read(path, Opener()) for row in table_rows(table)]  # type: ignore[arg-type]
    assert same(found, [binding(row) for row in [*held(), *held()[2:4]]])


def test_texts_of_one_frame_are_numbered_for_themselves() -> None:
    rows = held()
    rows["user"][0] = 70_000
    texts = [""] * 70_000 + ["bob"]
    texts[1], texts[3], texts[4] = TEXTS[1], TEXTS[3], TEXTS[4]
    unpacked, _, carried = journal.unpack(pack(rows, SOURCES, texts))
    assert [carried[number] for number in unpacked["user"].tolist()] == ["bob", "", "", "", "", ""]
    assert sorted(carried) == sorted(["", "Hôtel du Port", "8F00A1B2", "guests", "bob"])

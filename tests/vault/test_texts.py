"""Answers as text are what Python's own datetime, ipaddress, csv and json make of the same values."""

import csv
import datetime as dt
import io
import ipaddress
import json

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.vault.unseal import texts

NS = st.integers(0, 4_102_444_800 * 10**9)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=9)


def plain(ns: int) -> str:
    moment = dt.datetime.fromtimestamp(ns // 10**9, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ns % 10**9:09d}Z"


def address(value: bytes) -> str:
    whole = ipaddress.IPv6Address(value)
    return str(whole.ipv4_mapped or whole)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            NS,
            st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=4, max_size=4)),
            st.none() | st.binary(min_size=6, max_size=6),
            st.none() | NAME,
            st.none() | st.integers(0, 65535),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_csv_and_json_say_the_same_as_python(
    rows: list[tuple[int, bytes, bytes | None, str | None, int | None]],
) -> None:
    rows = [(ns, bytes(10) + b"\xff\xff" + ip if len(ip) == 4 else ip, *rest) for ns, ip, *rest in rows]
    table = pa.table(
        {
            "first_seen": pa.array([row[0] for row in rows]).view(pa.timestamp("ns", "UTC")),
            "client_ip": pa.array([row[1] for row in rows], pa.binary(16)),
            "client_mac": pa.array([row[2] for row in rows], pa.binary(6)),
            "source": pa.array([row[3] for row in rows], pa.string()),
            "client_port": pa.array([row[4] for row in rows], pa.uint16()),
        }
    )
    expected = [
        [plain(ns), address(ip), mac.hex(":") if mac else None, name, port]
        for ns, ip, mac, name, port in rows
    ]
    readable = texts.readable(table)
    lines = texts.json_lines(readable).decode().splitlines()
    assert [list(json.loads(line).values()) for line in lines] == expected
    assert list(json.loads(lines[0])) == table.column_names
    head, *body = csv.reader(io.StringIO(texts.csv(readable, header=True).decode(), newline=""))
    assert head == table.column_names
    assert body == [["" if value is None else str(value) for value in row] for row in expected]


def test_a_slice_is_written_as_the_rows_it_has() -> None:
    ns = np.arange(5) * 1_000_000_007
    table = pa.table(
        {"at": pa.array(ns).view(pa.timestamp("ns", "UTC")), "n": ["a", "b", "c", "d", "e"]}
    ).slice(2, 2)
    assert texts.csv(texts.readable(table)).decode().splitlines() == [
        f"{plain(2 * 1_000_000_007)},c",
        f"{plain(3 * 1_000_000_007)},d",
    ]
    assert [json.loads(line)["n"] for line in texts.json_lines(texts.readable(table)).splitlines()] == [
        "c",
        "d",
    ]


def test_an_answer_without_rows_has_its_names() -> None:
    empty = pa.table({"at": pa.array([], pa.timestamp("ns", "UTC")), "ip": pa.array([], pa.binary(16))})
    assert texts.csv(texts.readable(empty), header=True) == b"at,ip\n"
    assert texts.json_lines(texts.readable(empty)) == b""

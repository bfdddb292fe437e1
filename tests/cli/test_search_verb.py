"""`greffier search` and `greffier bindings` as a person or a script meets them."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from appliance.cli.main import main
from appliance.model.addresses import MAPPED_V4
from appliance.model.instants import HOUR_NS, NS, start_of, to_iso
from appliance.model.rows import BINDING
from appliance.vault.names import VaultName
from appliance.vault.run import Run
from tests.vault.made_homes import SOURCES, Box, make_box
from tests.vault.made_rows import DAY, traffic

Answer = tuple[int, str, str]
HOUR = start_of(DAY) + 14 * HOUR_NS

COLUMNS = [
    *(
        "first_seen",
        "last_seen",
        "client_mac",
        "client_ip",
        "client_port",
        "peer_mac",
        "peer_ip",
        "peer_port",
    ),
    *(
        "protocol",
        "vlan",
        "ap_mac",
        "behind_router",
        "packets_out",
        "bytes_out",
        "packets_in",
        "bytes_in",
        "nat_ip",
        "nat_port",
    ),
    *("nat_port_last", "end_reason", "received", "by_receipt", "source"),
    *("ssid", "user", "session", "evidence", "mac_evidence", "other_macs"),
]


def as_csv(value: object) -> str:
    """A JSON value as the CSV of the same answer has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """A home with an hour of traffic and one binding, two custodians."""
    made = make_box(tmp_path_factory.mktemp("box"))
    rows = traffic(300)
    rows["end_reason"] = 3
    held = np.zeros(1, BINDING)
    held["from"], held["until"] = HOUR, HOUR + HOUR_NS - 1
    held["ip_lo"], held["mac"], held["evidence"], held["vlan"] = (
        MAPPED_V4 | 0x0A000007,
        0x02AA00000007,
        20,
        -1,
    )
    made.record(rows)
    with Run.start(made.home, made.clock) as run:
        writer = made.writer(run, VaultName.SOURCE)
        writer.seal(held, SOURCES, ())
        writer.close()
    return made


@pytest.fixture
def greffier(box: Box, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Answer]:
    """Runs a verb with both custodians: (exit code, stdout, stderr)."""

    def run(verb: str, *arguments: object, keys: int = 2) -> Answer:
        given = [verb, "--home", box.home.path, "--identity", *box.keys[:keys], *arguments]
        code = main([str(argument) for argument in given])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_csv_json_lines_and_parquet_hold_the_same_rows(
    greffier: Callable[..., Answer], tmp_path: Path
) -> None:
    code, text, _ = greffier("search")
    head, *rows = csv.reader(io.StringIO(text))
    assert code == 0
    assert head == COLUMNS
    assert len(rows) == 300
    _, lines, _ = greffier("search", "--format", "jsonl")
    objects = [json.loads(line) for line in lines.splitlines()]
    assert [[as_csv(value) for value in row.values()] for row in objects] == rows
    assert json.loads(greffier("search", "--json")[1]) == {"rows": objects}
    greffier("search", "--format", "parquet", "--out", tmp_path / "answer.parquet")
    table = pq.read_table(tmp_path / "answer.parquet")
    assert table.column_names == COLUMNS
    assert table["peer_ip"].to_pylist() == [row["peer_ip"] for row in objects]
    assert table["client_mac"].to_pylist() == [row["client_mac"] for row in objects]


def test_what_is_written_for_a_row(greffier: Callable[..., Answer]) -> None:
    row = next(row for row in traffic(300) if row["client_ip_lo"] == MAPPED_V4 | 0x0A000007)
    period = ["--from", to_iso(int(row["first_seen"])), "--to", to_iso(int(row["first_seen"]) + 1)]
    _, lines, _ = greffier("search", "--ip", "10.0.0.7", "--format", "jsonl", *period)
    found = [json.loads(line) for line in lines.splitlines()]
    told = next(one for one in found if one["first_seen"] == to_iso(int(row["first_seen"])))
    assert told["client_mac"] == "02:aa:00:00:00:07"
    assert told["client_ip"] == "10.0.0.7"
    assert told["evidence"] == "dhcp"
    assert told["last_seen"] == to_iso(int(row["last_seen"]))
    assert told["bytes_in"] == int(row["bytes_in"])


@pytest.mark.parametrize(
    ("filters", "column", "value"),
    [
        (["--mac", "02-AA-00-00-00-07"], "client_mac", "02:aa:00:00:00:07"),
        (["--peer", "2001:db8::23"], "peer_ip", "2001:db8::23"),
        (["--protocol", "udp"], "protocol", 17),
        (["--protocol", "1"], "protocol", 1),
        (["--port", "53"], "peer_port", 53),
    ],
)
def test_filters(greffier: Callable[..., Answer], filters: list[str], column: str, value: object) -> None:
    everything = [json.loads(line) for line in greffier("search", "--format", "jsonl")[1].splitlines()]
    found = [json.loads(line) for line in greffier("search", "--format", "jsonl", *filters)[1].splitlines()]
    assert found == [row for row in everything if row[column] == value]
    assert found


def test_nothing_found_is_said(greffier: Callable[..., Answer]) -> None:
    code, out, err = greffier("search", "--peer", "203.0.113.9")
    assert code == 0
    assert out == ",".join(COLUMNS) + "\n"
    assert err == "greffier: no record answers this question\n"


@pytest.mark.parametrize(
    ("arguments", "keys", "code", "said"),
    [
        (["--ip", "10.0.0"], 2, 2, "is not an address"),
        (["--mac", "aa:bb"], 2, 2, "is not a MAC"),
        (["--from", "noon"], 2, 2, "is not an instant"),
        (["--from", "2026-03-15", "--to", "2026-03-14"], 2, 2, "later than"),
        (["--port", "70000"], 2, 2, "is not a port"),
        (["--protocol", "tpc"], 2, 2, "tcp, udp"),
        ([], 1, 5, "must come together"),
        (["--out", "/nowhere/answer"], 2, 7, "cannot write"),
    ],
)
def test_mistakes_are_one_sentence(
    greffier: Callable[..., Answer], arguments: list[str], keys: int, code: int, said: str
) -> None:
    told, out, err = greffier("search", *arguments, keys=keys)
    assert told == code
    assert said in err
    assert len(err.splitlines()) == 1
    assert not [line for line in out.splitlines() if line != ",".join(COLUMNS)]


def test_bindings(greffier: Callable[..., Answer]) -> None:
    _, lines, _ = greffier("bindings", "--ip", "10.0.0.7", "--at", to_iso(HOUR + NS), "--format", "jsonl")
    assert [json.loads(line) for line in lines.splitlines()] == [
        {
            "ip": "10.0.0.7",
            "mac": "02:aa:00:00:00:07",
            "ap_mac": None,
            "ssid": None,
            "user": None,
            "session": None,
            "from": to_iso(HOUR),
            "until": to_iso(HOUR + HOUR_NS - 1),
            "evidence": "dhcp",
            "mac_evidence": None,
            "randomised": True,
            **dict.fromkeys(("class", "bytes_out", "bytes_in", "nat_ip", "nat_port", "nat_port_last")),
            **dict.fromkeys(("port", "peer_ip", "peer_port", "protocol")),
            "source": SOURCES[0],
        }
    ]
    assert json.loads(greffier("bindings", "--ip", "10.0.0.8", "--json")[1]) == {"rows": []}
    code, out, err = greffier("bindings", "--ip", "10.0.0.8")
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == "greffier: no binding answers this question\n"


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (["--from", to_iso(HOUR - NS), "--to", to_iso(HOUR)], 0),
        (["--from", to_iso(HOUR + HOUR_NS - 1)], 1),
        (["--from", to_iso(HOUR + HOUR_NS)], 0),
        (["--to", to_iso(HOUR + 1)], 1),
        (["--mac", "02:aa:00:00:00:07", "--ip", "10.0.0.7", "--from", to_iso(HOUR)], 1),
        (["--mac", "02:aa:00:00:00:08", "--ip", "10.0.0.7"], 0),
        (["--nat-ip", "192.0.2.1", "--nat-port", "40001", "--at", to_iso(HOUR)], 0),
        ([], 1),
    ],
)
def test_bindings_of_a_period(greffier: Callable[..., Answer], asked: list[str], count: int) -> None:
    assert len(json.loads(greffier("bindings", "--json", *asked)[1])["rows"]) == count


def test_an_instant_or_a_period_not_both(greffier: Callable[..., Answer]) -> None:
    code, _, err = greffier("bindings", "--at", to_iso(HOUR), "--from", to_iso(HOUR))
    assert (code, "--at is one instant" in err) == (2, True)


@pytest.mark.parametrize("suffix", ["parquet", "index"])
@pytest.mark.parametrize("garbage", [b"", b"PAR1 not at all", b"x" * 5000])
@pytest.mark.parametrize("verb", ["search", "bindings"])
def test_a_file_that_does_not_open_is_named_and_the_rest_is_answered(
    verb: str,
    garbage: bytes,
    suffix: str,
    box: Box,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = box.copy_to(tmp_path / "home")
    identities = ["--identity", *map(str, copy.keys)]
    asked = [verb, "--home", str(copy.home.path), *identities, "--format", "jsonl"]
    assert main(asked) == 0
    whole = capsys.readouterr().out
    vault = VaultName.TRAFFIC if verb == "search" else VaultName.SOURCE
    folder = copy.home.segments(vault, DAY)
    [segment] = folder.glob("*.parquet")
    beside = folder / f"{segment.stem[:-8]}00000000.parquet"
    beside.write_bytes(segment.read_bytes())
    beside.with_suffix(".index").write_bytes(segment.with_suffix(".index").read_bytes())
    beside.with_suffix(f".{suffix}").write_bytes(garbage)
    assert main(asked) == 1
    out, err = capsys.readouterr()
    assert out == whole != ""
    assert beside.stem in err
    assert "lacks what 1 file(s) hold" in err

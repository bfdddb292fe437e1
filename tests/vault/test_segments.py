"""A segment holds exactly the rows given, in a format that plain PyArrow reads with the day key."""

import datetime as dt
import math
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from appliance.model.errors import StorageError
from appliance.model.rows import BINDING
from appliance.vault import segments
from appliance.vault.names import VaultName
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.segments import read, read_index
from tests.vault.made_rows import DAY, day_key, traffic

SOURCES = ["file:a.pcap", "interface:mirror0"]


def plain_read(path: Path, secret: bytes, aad: str) -> pa.Table:
    """What anybody does who holds the day key and PyArrow, without Greffier."""
    properties = pe.create_decryption_properties(secret, aad_prefix=aad.encode())
    return pq.ParquetFile(path, decryption_properties=properties).read()


@pytest.mark.parametrize("count", [1, 3_000, 120_000])
def test_plain_pyarrow_reads_the_rows_that_were_given(tmp_path: Path, count: int) -> None:
    rows = traffic(count)
    written = segments.write(tmp_path, "1400-x", rows, SOURCES, day_key())
    table = plain_read(tmp_path / "1400-x.parquet", day_key().secret, "traffic/2026-03-14/1400-x")
    assert written.rows == table.num_rows == count
    unit, step_ns = ("ns", 1) if count < segments.FINE_ROWS else ("ms", 1_000_000)
    found = sorted(
        zip(
            table["first_seen"].cast(pa.int64()).to_pylist(),
            table[f"duration_{unit}"].to_pylist(),
            (mac.hex() if mac else None for mac in table["client_mac"].to_pylist()),
            (ip.hex() for ip in table["client_ip"].to_pylist()),
            (ip.hex() for ip in table["peer_ip"].to_pylist()),
            table["client_port"].to_pylist(),
            table["vlan"].to_pylist() if "vlan" in table.column_names else [None] * count,
            (
                [mac.hex() if mac else None for mac in table["ap_mac"].to_pylist()]
                if "ap_mac" in table.column_names
                else [None] * count
            ),
            table["behind_router"].to_pylist() if "behind_router" in table.column_names else [False] * count,
            table["bytes_in"].to_pylist(),
            table["source"].to_pylist(),
            strict=True,
        ),
        key=repr,
    )
    given = sorted((expected_row(row, step_ns) for row in rows), key=repr)
    assert found == given


def expected_row(row: np.void, step_ns: int) -> tuple[object, ...]:
    first, last = int(row["first_seen"]), int(row["last_seen"])
    return (
        first // step_ns,
        math.ceil(Fraction(last, step_ns)) - first // step_ns,
        f"{int(row['client_mac']):012x}" if row["client_mac"] else None,
        f"{int(row['client_ip_hi']):016x}{int(row['client_ip_lo']):016x}",
        f"{int(row['peer_ip_hi']):016x}{int(row['peer_ip_lo']):016x}",
        int(row["client_port"]) if row["client_port"] >= 0 else None,
        int(row["vlan"]) if row["vlan"] >= 0 else None,
        f"{int(row['ap_mac']):012x}" if row["ap_mac"] else None,
        bool(row["behind_router"]),
        int(row["bytes_in"]),
        SOURCES[row["source"]],
    )


@pytest.mark.parametrize(("ap_mac", "behind_router"), [(0, False), (0x02B000000001, True)])
def test_what_is_alike_in_every_row_costs_next_to_nothing_and_reads_back(
    tmp_path: Path, ap_mac: int, behind_router: bool
) -> None:
    rows = traffic(30_000)
    rows["ap_mac"], rows["behind_router"] = ap_mac, behind_router
    sizes = {}
    for name, made in (("n", rows), ("plain", np.array(rows))):
        if name == "plain":
            made["ap_mac"], made["behind_router"] = 0, False
        written = segments.write(tmp_path, name, made, SOURCES, day_key())
        sizes[name] = sum(size for _, _, size in written.files)
    assert sizes["n"] - sizes["plain"] < 0.05 * len(rows)
    path = tmp_path / "n.parquet"
    assert plain_read(path, day_key().secret, f"traffic/{DAY}/n").num_rows == len(rows)
    tables = list(read(path, day_key(), read_index(path, day_key()), Question()))
    told = {value for table in tables for value in table["ap_mac"].to_pylist()}
    assert told == {ap_mac.to_bytes(6, "big") if ap_mac else None}
    assert {value for table in tables for value in table["behind_router"].to_pylist()} == {behind_router}


def test_bindings_are_kept_to_the_nanosecond(tmp_path: Path) -> None:
    rows = np.zeros(2, BINDING)
    rows["from"], rows["until"] = [1_773_000_000_000_000_001, 5], [1_773_000_000_000_000_002, 6]
    rows["ip_lo"], rows["mac"], rows["evidence"], rows["vlan"] = [1, 2], [3, 0x02FF], [10, 20], -1
    segments.write(tmp_path, "n", rows, SOURCES, day_key(VaultName.SOURCE))
    table = plain_read(tmp_path / "n.parquet", day_key().secret, f"source/{DAY}/n")
    assert sorted(table["from"].cast(pa.int64()).to_pylist()) == [5, 1_773_000_000_000_000_001]
    assert sorted(table["evidence"].to_pylist()) == ["arp", "dhcp"]
    assert sorted(mac.hex() for mac in table["mac"].to_pylist()) == ["000000000003", "0000000002ff"]


def test_another_key_name_day_or_vault_does_not_open(tmp_path: Path) -> None:
    segments.write(tmp_path, "n", traffic(50), SOURCES, day_key())
    path = tmp_path / "n.parquet"
    assert plain_read(path, day_key().secret, f"traffic/{DAY}/n").num_rows == 50
    for secret, aad in [
        (bytes(32), f"traffic/{DAY}/n"),
        (day_key().secret, f"traffic/{DAY}/m"),
        (day_key().secret, f"traffic/{DAY + dt.timedelta(1)}/n"),
        (day_key().secret, f"source/{DAY}/n"),
    ]:
        with pytest.raises(OSError, match=r"[Dd]ecrypt|AAD|finalization"):
            plain_read(path, secret, aad)


def test_no_address_lies_readable_on_disk(tmp_path: Path) -> None:
    rows = traffic(500)
    segments.write(tmp_path, "n", rows, SOURCES, day_key())
    content = (tmp_path / "n.parquet").read_bytes() + (tmp_path / "n.index").read_bytes()
    for column in ("client_mac", "peer_mac"):
        for mac in set(rows[column].tolist()) - {0}:
            assert mac.to_bytes(6, "big") not in content
            assert mac.to_bytes(6, "little") not in content
    for name in (b"interface:mirror0", b"client_ip"):
        assert name not in content


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "n.parquet").mkdir()
    with pytest.raises(StorageError):
        segments.write(tmp_path, "n", traffic(5), SOURCES, day_key())
    assert [path.name for path in tmp_path.iterdir()] == ["n.parquet"]


def test_the_period_holds_every_row_and_no_more_than_is_kept(tmp_path: Path) -> None:
    rows = traffic(200)
    written = segments.write(tmp_path, "n", rows, SOURCES, day_key())
    assert (written.first_ns, written.last_ns) == (rows["first_seen"].min(), rows["last_seen"].max())
    busy = traffic(70_000)
    coarse = segments.write(tmp_path, "m", busy, SOURCES, day_key())
    assert coarse.first_ns <= busy["first_seen"].min() < coarse.first_ns + 1_000_000
    assert coarse.last_ns - 1_000_000 < busy["last_seen"].max() <= coarse.last_ns


def test_a_file_is_named_with_its_hash_and_size(tmp_path: Path) -> None:
    written = segments.write(tmp_path, "n", traffic(20), SOURCES, day_key())
    assert [name for name, _, _ in written.files] == ["n.index", "n.parquet"]
    for name, digest, size in written.files:
        told = subprocess.run(["sha256sum", tmp_path / name], capture_output=True, text=True, check=True)
        assert told.stdout.split()[0] == digest
        assert (tmp_path / name).stat().st_size == size

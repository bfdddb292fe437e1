"""The index as FORMAT.md says it, opened without Greffier: pycryptodome, `zstd`, plain Python."""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from Crypto.Cipher import AES

from appliance.vault import segments
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.segments import read, read_index
from tests.vault.made_rows import DAY, day_key, traffic

VECTOR = Path(__file__).parent / "vectors" / "segment" / "1400-0123456789abcdef-5e9a01c2.index"
MASK = (1 << 64) - 1


def opened(sealed: bytes, aad: str) -> bytes:
    cipher = AES.new(day_key().secret, AES.MODE_GCM, nonce=sealed[:12])
    cipher.update(aad.encode())
    return cipher.decrypt_and_verify(sealed[12:-16], sealed[-16:])


def mark(hi: int, lo: int) -> int:
    number = (hi * 0x9E3779B97F4A7C15 & MASK) ^ lo
    for _ in range(2):
        number ^= number >> 32
        number = number * 0xD6E8FEB86659FD93 & MASK
    return number >> 40


def sections(path: Path) -> tuple[tuple[int, ...], dict[int, dict[int, int]]]:
    """The head's numbers, and for each section the mask of each fingerprint."""
    content, aad = path.read_bytes(), f"traffic/{DAY}/{path.name}"
    head = struct.unpack("<4sHHQqq", opened(content[:60], aad))
    assert head[0] == b"GIX1"
    packed = opened(content[60:], aad + "#sections")
    plain = subprocess.run(["zstd", "-dc"], input=packed[4:], capture_output=True, check=True).stdout
    assert len(plain) == struct.unpack("<I", packed[:4])[0]
    found: dict[int, dict[int, int]] = {}
    at, width = 0, (head[1] + 7) // 8
    while at < len(plain):
        which, count = struct.unpack_from("<BxxxI", plain, at)
        gaps, masks = plain[at + 8 :][: 3 * count], plain[at + 8 + 3 * count :][: width * count]
        at += 8 + (3 + width) * count
        known, entries = 0, {}
        for number in range(count):
            known += sum(gaps[plane * count + number] << 8 * plane for plane in range(3))
            entries[known] = sum(masks[plane * count + number] << 8 * plane for plane in range(width))
        found[which] = entries
    assert len(found) == head[2]
    return head[1:], found


def row_groups_of(path: Path, column: str) -> dict[bytes, int]:
    """Where each value of a column is, by reading the segment itself."""
    aad = f"traffic/{DAY}/{path.stem}".encode()
    properties = pe.create_decryption_properties(day_key().secret, aad_prefix=aad)
    file = pq.ParquetFile(path.with_suffix(".parquet"), decryption_properties=properties)
    found: dict[bytes, int] = {}
    for group in range(file.num_row_groups):
        for value in file.read_row_group(group, columns=[column])[column].to_pylist():
            value = bytes(6) if value is None else value
            found[value] = found.get(value, 0) | 1 << group
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segment")
    segments.write(folder, "1400-k-1", traffic(200_000), ["a", "b"], day_key())
    return folder / "1400-k-1.index"


@pytest.mark.parametrize("which", ["vector", "large"])
def test_the_index_names_every_row_group_of_every_address(which: str, request: pytest.FixtureRequest) -> None:
    path = VECTOR if which == "vector" else request.getfixturevalue("large")
    (groups, _, rows, first, last), found = sections(path)
    assert (groups, rows) == ((1, 30) if which == "vector" else (12, 200_000))
    assert first < last
    for number, column in ((1, "client_ip"), (2, "client_mac"), (3, "peer_ip")):
        expected: dict[int, int] = {}
        for value, mask in row_groups_of(path, column).items():
            address = int.from_bytes(value, "big")
            fingerprint = mark(address >> 64, address & MASK)
            expected[fingerprint] = expected.get(fingerprint, 0) | mask
        assert found[number] == expected


def test_an_address_is_spread_over_few_row_groups(large: Path) -> None:
    (groups, *_), found = sections(large)
    for number, most in ((1, 0.6), (3, 0.5)):
        spread = [mask.bit_count() / groups for mask in found[number].values()]
        assert np.mean(spread) < most


def test_the_vector_opens_as_the_rows_it_was_made_of() -> None:
    path = VECTOR.with_suffix(".parquet")
    (table,) = read(path, day_key(), read_index(path, day_key()), Question())
    rows = traffic(30)
    assert sorted(table["bytes_in"].to_pylist()) == sorted(rows["bytes_in"].tolist())
    starts = table["first_seen"].cast("int64").to_pylist()
    assert sorted(starts) == sorted(rows["first_seen"].tolist())

"""Log files are read line by line, whatever their size, their compression and their rotation."""

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.errors import CaptureError
from appliance.model.instants import NS
from appliance.services.feeds.fed_file import FedFile
from appliance.services.feeds.lines import LONGEST_LINE, lines, rotated

TEXT = b"".join(b"line %d of a log\n" % number for number in range(100_000))


@given(st.binary(max_size=200), st.lists(st.integers(1, 30), max_size=20), st.integers(1, 5))
def test_lines_do_not_depend_on_how_they_are_read(text: bytes, sizes: list[int], at_a_time: int) -> None:
    pieces, at = [], 0
    for size in [*sizes, len(text) + 1]:
        pieces.append(text[at : at + size])
        at += size
    batches = list(lines([piece for piece in pieces if piece], at_a_time))
    assert [line for batch in batches for line in batch] == [one for one in text.split(b"\n") if one.strip()]
    assert all(len(batch) <= at_a_time or batch is batches[-1] for batch in batches)


def test_a_line_without_an_end_takes_no_more_memory_than_one_may() -> None:
    endless = (b"x" * 100_000 for _ in range(300))
    (found,) = lines((*endless, b"\nnext\n"), 100)
    assert [len(line) for line in found] == [LONGEST_LINE, 4]


def test_logs_are_read_from_the_oldest_to_the_newest() -> None:
    names = ["messages", "messages.1", "messages.10.gz", "messages.2.gz", "other.log", "a/messages.1"]
    found = [str(path) for path in rotated([Path(name) for name in names])]
    assert found == ["messages.10.gz", "messages.2.gz", "messages.1", "messages", "other.log", "a/messages.1"]
    assert rotated([Path("b.log"), Path("a.log")]) == [Path("b.log"), Path("a.log")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: pa.compress(text, "zstd", asbytes=True)])
def test_a_packed_file_is_what_was_packed(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "log"
    path.write_bytes(pack(TEXT))
    with FedFile(path) as file:
        assert file.start == TEXT[:64]
        assert b"".join(file.pieces()) == TEXT
        assert (file.damaged, file.read_bytes) == (False, path.stat().st_size)


def test_when_a_file_was_written_is_known_by_its_packing_too(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(TEXT, mtime=1_600_000_000))
    with FedFile(path) as file:
        assert file.written_ns == 1_600_000_000 * NS
    os.utime(path, (1_500_000_000, 1_500_000_000))
    with FedFile(path) as file:
        assert file.written_ns == 1_500_000_000 * NS
    path.write_bytes(gzip.compress(TEXT, mtime=0))  # it does not say
    os.utime(path, (1_700_000_000, 1_700_000_000))
    with FedFile(path) as file:
        assert file.written_ns == 1_700_000_000 * NS


@pytest.mark.parametrize("packed", [gzip.compress(TEXT), pa.compress(TEXT, "zstd", asbytes=True)])
def test_what_came_before_the_damage_is_read(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(packed[: len(packed) // 2])
    with FedFile(path) as file:
        read = b"".join(file.pieces())
    assert TEXT.startswith(read)
    assert file.damaged


@pytest.mark.parametrize("magic", [b"\xfd7zXZ\0\0", b"BZh91AY", b"PK\x03\x04"])
def test_what_nothing_here_unpacks_is_said(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(magic + bytes(100))
    with pytest.raises(CaptureError, match="unpack it first"), FedFile(path):
        pass


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    with FedFile(path) as file:
        assert (file.start, list(file.pieces()), file.damaged) == (b"", [], False)

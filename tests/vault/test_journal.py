"""The journal: durable rows, whole frames or none, each in its place, none in clear."""

import json
from pathlib import Path

import numpy as np
import pytest

from appliance.model.errors import HomeError, StorageError
from appliance.model.instants import HOUR_NS, NS, from_iso
from appliance.model.rows import BINDING
from appliance.vault import journal
from appliance.vault.day_keys import DayKey
from appliance.vault.journal import Journal
from appliance.vault.names import VaultName
from appliance.vault.unseal.journal import read, unpack
from tests.runtime.full_disk import no_file_larger_than
from tests.vault.made_homes import SOURCES, Clock, as_kept, tables_of, traffic
from tests.vault.made_rows import DAY, day_key

VECTORS = Path(__file__).parent / "vectors"


class Opener:
    """Gives one key, whatever is asked."""

    def __init__(self, key: DayKey) -> None:
        self.key = key

    def open(self, vault: VaultName, day: object, key_id: str) -> DayKey:
        assert (vault, day, key_id) == (self.key.vault, self.key.day, self.key.key_id)
        return self.key


OPENER = Opener(day_key())


def make(folder: Path, clock: Clock | None = None) -> Journal:
    return Journal("cafe0123", lambda day: folder / day.isoformat(), clock or Clock())


def write_frames(folder: Path, frames: int, rows: int = 5) -> tuple[Path, list[np.ndarray]]:
    """A file of some frames, and the rows of each."""
    writer = make(folder)
    written = [traffic(rows, seed) for seed in range(frames)]
    for part in written:
        writer.write([(day_key(), part)], SOURCES)
    writer.close()
    return writer.files[0], written


def frame_offsets(content: bytes) -> list[int]:
    """Where each frame starts, and the end."""
    offset = content.index(b"\n") + 1
    offsets = [offset]
    for _, _, sealed in journal.frames(memoryview(content), offset):
        offsets.append(offsets[-1] + journal.FRAME_HEAD.size + len(sealed))
    return offsets


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path, written = write_frames(tmp_path, 3, 200)
    assert tables_of(read(path, OPENER)) == [row for part in written for row in as_kept(part)]


def test_bindings_are_written_and_read_too(tmp_path: Path) -> None:
    rows = np.zeros(3, BINDING)
    rows["ip_lo"], rows["mac"], rows["evidence"], rows["from"], rows["until"] = 5, 6, 10, 1, 2
    writer = Journal("cafe0123", lambda day: tmp_path, Clock())
    key = day_key(VaultName.SOURCE)
    writer.write([(key, rows)], SOURCES)
    writer.close()
    assert tables_of(read(writer.files[0], Opener(key))) == as_kept(rows)


def test_a_large_tick_is_split_so_that_reading_is_bounded(tmp_path: Path) -> None:
    path, _ = write_frames(tmp_path, 1, 300_000)
    sizes = [len(table) for table in read(path, OPENER)]
    assert sum(sizes) == 300_000
    assert max(sizes) <= 131_072


def test_cut_anywhere_the_whole_frames_remain(tmp_path: Path) -> None:
    path, written = write_frames(tmp_path, 2)
    content = path.read_bytes()
    ends = frame_offsets(content)
    kept = [as_kept(part) for part in written]
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = sum(end <= length for end in ends[1:])
        assert tables_of(read(path, OPENER)) == [row for part in kept[:whole] for row in part]


def test_a_power_cut_that_left_zeros_or_noise_at_the_end_costs_only_the_last_frame(tmp_path: Path) -> None:
    path, written = write_frames(tmp_path, 2)
    content = path.read_bytes()
    second = frame_offsets(content)[1]
    for tail in (bytes(500), content[second : second + 24] + bytes(len(content) - second - 24)):
        path.write_bytes(content[:second] + tail)
        assert tables_of(read(path, OPENER)) == as_kept(written[0])


def test_frames_swapped_doubled_dropped_or_changed_do_not_open(tmp_path: Path) -> None:
    path, _ = write_frames(tmp_path, 3)
    content = path.read_bytes()
    a, b, c, d = frame_offsets(content)
    head, one, two, three = content[:a], content[a:b], content[b:c], content[c:d]
    flipped = two[:9] + bytes([two[9] ^ 1]) + two[10:]  # the time a frame states
    for wrong in ([two, one, three], [one, one, two, three], [two, three], [one, flipped, three]):
        path.write_bytes(head + b"".join(wrong))
        with pytest.raises(HomeError, match="does not open"):
            tables_of(read(path, OPENER))


def test_a_file_under_another_name_or_header_does_not_open(tmp_path: Path) -> None:
    path, _ = write_frames(tmp_path, 2)
    other = path.rename(path.with_name(path.name.replace("-1-", "-2-")))
    with pytest.raises(HomeError, match="was called"):
        tables_of(read(other, OPENER))
    other.write_bytes(other.read_bytes().replace(b"-1-", b"-2-", 1))
    with pytest.raises(HomeError, match="does not open"):
        tables_of(read(other, OPENER))


def test_no_address_stands_in_clear(tmp_path: Path) -> None:
    rows = traffic(50)
    writer = make(tmp_path)
    writer.write([(day_key(), rows)], SOURCES)
    content = writer.files[0].read_bytes()
    for name in ("client_ip_lo", "peer_ip_lo", "client_mac"):
        for value in {int(value) for value in rows[name] if value}:
            for order in ("little", "big"):
                written = value.to_bytes(8, order).strip(b"\0")
                assert len(written) < 4 or written not in content
    assert b"hotel" not in content


def test_a_full_disk_leaves_what_was_there_and_the_next_try_works(tmp_path: Path) -> None:
    writer = make(tmp_path)
    first, second = traffic(100, 1), traffic(3000, 2)
    writer.write([(day_key(), first)], SOURCES)
    before = writer.files[0].read_bytes()
    with no_file_larger_than(len(before) + 1000), pytest.raises(StorageError, match="journal"):
        writer.write([(day_key(), second)], SOURCES)
    assert writer.files[0].read_bytes() == before
    with no_file_larger_than(1000), pytest.raises(StorageError, match="journal"):
        writer.write([(day_key(), second)], SOURCES)  # into a new file, which is not left behind
    assert [path.read_bytes() for path in tmp_path.rglob("*.journal")] == [before]
    writer.write([(day_key(), second)], SOURCES)
    read_back = [row for path in writer.files for row in tables_of(read(path, OPENER))]
    assert read_back == as_kept(first) + as_kept(second)


def test_a_new_file_begins_after_thirty_seconds_one_mebibyte_or_a_clock_set_back(tmp_path: Path) -> None:
    clock = Clock()
    writer = make(tmp_path, clock)
    files = []
    for step_ns, rows in ((0, 5), (29 * NS, 5), (2 * NS, 5), (0, 90_000), (NS, 5), (-HOUR_NS, 5), (0, 5)):
        clock.now_ns += step_ns
        writer.write([(day_key(), traffic(rows))], SOURCES)
        files.append(len(writer.files))
    assert files == [1, 1, 2, 2, 3, 4, 4]


def test_thirty_seconds_after_the_instant_in_its_name_a_file_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    clock.now_ns += NS * 7 // 10
    writer = make(tmp_path, clock)
    for step in range(200):
        clock.now_ns += (step % 7) * NS // 2
        writer.write([(day_key(), traffic(5, step))], SOURCES)
    assert len(writer.files) > 5
    for path in writer.files:
        content = path.read_bytes()
        named = path.name.partition("-")[0]
        opened = from_iso(f"{named[:4]}-{named[4:6]}-{named[6:11]}:{named[11:13]}:{named[13:15]}Z")
        frames = list(journal.frames(memoryview(content), content.index(b"\n") + 1))
        assert frames[0][0] - opened < NS
        assert max(at_ns for at_ns, _, _ in frames) < opened + 30 * NS


def test_dropping_removes_every_file_of_the_run_and_nothing_else(tmp_path: Path) -> None:
    other, _ = write_frames(tmp_path / "other", 1)
    writer = make(tmp_path, Clock())
    for seed in range(3):
        writer.write([(day_key(), traffic(5, seed))], SOURCES)
        writer.close()
    writer.drop()
    assert list(tmp_path.rglob("*.journal")) == [other]


def test_a_year_of_days_in_one_tick_needs_few_handles(tmp_path: Path) -> None:
    import datetime as dt
    import os
    import resource

    days = [DAY + dt.timedelta(days=number) for number in range(300)]
    parts = [(DayKey(VaultName.TRAFFIC, day, "0123456789abcdef", bytes(32)), traffic(1)) for day in days]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in os.listdir("/proc/self/fd"))  # other tests hold some, too
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, highest + 80), hard))
    try:
        writer = make(tmp_path)
        writer.write(parts, SOURCES)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(writer.files) == 300


def test_a_column_that_a_frame_does_not_name_is_not_known() -> None:
    rows = traffic(5)
    named = [name for name in rows.dtype.names or () if name not in ("ap_mac", "behind_router")]
    fewer = np.zeros(5, np.dtype([(name, rows.dtype[name]) for name in named]))
    for name in named:
        fewer[name] = rows[name]
    found, sources, _ = unpack(journal.pack(fewer, SOURCES))
    assert sources == SOURCES
    assert [found[name].tolist() for name in named] == [rows[name].tolist() for name in named]
    assert not found["ap_mac"].any()
    assert not found["behind_router"].any()
    with pytest.raises(ValueError, match="no known record"):
        unpack(journal.pack(np.ones(1, [("payload", np.uint8)]), SOURCES))


def test_the_vector_reads_as_expected() -> None:
    expected = json.loads((VECTORS / "expected.json").read_bytes())
    [path] = VECTORS.glob("*.journal")
    secret = bytes.fromhex(expected["secret"])
    opener = Opener(DayKey(VaultName.TRAFFIC, DAY, "0123456789abcdef", secret))
    assert tables_of(read(path, opener)) == as_kept(traffic(3, 1)) + as_kept(traffic(2, 2))


def test_the_vector_opens_by_the_letter_of_the_format() -> None:
    """Written from FORMAT.md alone: standard library, openssl's AES through cryptography, zstd."""
    import hashlib
    import hmac
    import struct
    import subprocess

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    expected = json.loads((VECTORS / "expected.json").read_bytes())
    content = next(VECTORS.glob("*.journal")).read_bytes()
    header, _, rest = content.partition(b"\n")
    key = hmac.new(bytes.fromhex(expected["secret"]), b"greffier journal 1", hashlib.sha256).digest()
    length, at_ns = struct.unpack(">IQ", rest[:12])
    nonce, sealed = rest[12:24], rest[24 : 24 + length]
    plain = AESGCM(key).decrypt(nonce, sealed, header + b"\n" + struct.pack(">IQ", 0, at_ns))
    described, size = struct.unpack(">II", plain[:8])
    description = json.loads(plain[8 : 8 + described])
    unpacked = subprocess.run(
        ["zstd", "-d", "-c"], input=plain[8 + described :], capture_output=True, check=True
    )
    assert len(unpacked.stdout) == size
    offset, columns = 0, {}
    for name, kind in description["columns"]:
        width = int(kind[2:])
        planes = [unpacked.stdout[offset + i * 3 : offset + (i + 1) * 3] for i in range(width)]
        columns[name] = [bytes(plane[row] for plane in planes) for row in range(3)]
        offset += width * 3
    rows = traffic(3, 1)
    assert [int.from_bytes(value, "little") for value in columns["first_seen"]] == rows["first_seen"].tolist()
    assert [int.from_bytes(value, "little") for value in columns["peer_ip_lo"]] == rows["peer_ip_lo"].tolist()
    assert description["sources"] == SOURCES

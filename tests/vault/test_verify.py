"""Verify finds every change: each byte, each file, each line; and says where."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.vault import chain, signing
from appliance.vault.chain import Chain
from appliance.vault.names import VaultName
from appliance.vault.seals import EnvelopeMade, StoredFile
from appliance.vault.verify import Report, verify
from tests.vault.made_homes import DAY, SOURCES, Box, make_box, run_that_dies, traffic


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """Two segments of one day, and an adopted journal file."""
    box = make_box(tmp_path_factory.mktemp("recorded"))
    box.record(traffic(5, 1))
    box.record(traffic(5, 2))
    run_that_dies(box, traffic(5, 3))
    with box.recording():
        pass
    assert verify(box.home).faults == ()
    return box


@pytest.fixture
def box(recorded: Box, tmp_path: Path) -> Box:
    """A copy to spoil."""
    return recorded.copy_to(tmp_path / "copy")


def places(report: Report) -> set[str]:
    return {fault.place for fault in report.faults}


def lines_of(box: Box) -> list[bytes]:
    return box.home.chain.read_bytes().splitlines(keepends=True)


def flip_every_byte(box: Box, path: Path, found: Callable[[Report], bool]) -> None:
    content = path.read_bytes()
    for position in range(len(content)):
        spoiled = bytearray(content)
        spoiled[position] ^= 1 << position % 8
        path.write_bytes(spoiled)
        assert found(verify(box.home)), f"byte {position} of {path.name}"
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("room", "suffix"), [("segments", ".parquet"), ("segments", ".index"), ("envelopes", ""), ("journal", "")]
)
def test_every_byte_of_a_file_counts(tmp_path: Path, room: str, suffix: str) -> None:
    box = make_box(tmp_path)
    if room == "journal":
        run_that_dies(box, traffic(1))
        with box.recording():
            pass
    else:
        box.record(traffic(1))
    path = box.files(room, suffix)[0]
    where = str(path.relative_to(box.home.path))
    flip_every_byte(box, path, lambda report: places(report) == {where})


def test_every_byte_of_the_chain_counts(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(1))
    assert len(lines_of(box)) == 3  # init, envelope, seal
    flip_every_byte(box, box.home.chain, lambda report: any("chain" in place for place in places(report)))


def test_every_byte_of_the_noted_head_counts(box: Box) -> None:
    path = chain.head_file(box.home)
    content = path.read_bytes()
    for position in range(len(content) - 1):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert verify(box.home).faults, position


@pytest.mark.parametrize("room", ["segments", "envelopes", "journal"])
def test_a_missing_file_is_named(box: Box, room: str) -> None:
    for path in box.files(room):
        content = path.read_bytes()
        path.unlink()
        assert places(verify(box.home)) == {str(path.relative_to(box.home.path))}
        path.write_bytes(content)
    assert verify(box.home).faults == ()


def test_two_files_swapped_are_both_named(box: Box) -> None:
    for room in ("segments", "envelopes"):
        one, *_, other = box.files(room, ".parquet" if room == "segments" else "")
        contents = one.read_bytes(), other.read_bytes()
        other.write_bytes(contents[0])
        one.write_bytes(contents[1])
        assert places(verify(box.home)) == {str(path.relative_to(box.home.path)) for path in (one, other)}
        one.write_bytes(contents[0])
        other.write_bytes(contents[1])


def test_a_truncated_or_longer_file_is_named(box: Box) -> None:
    for path in (*box.files("segments"), *box.files("envelopes"), *box.files("journal")):
        content = path.read_bytes()
        for wrong in (content[:-1], b"", content + b"\n"):
            path.write_bytes(wrong)
            assert places(verify(box.home)) == {str(path.relative_to(box.home.path))}
        path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "segments/traffic/2026-03-14/1400-0123456789abcdef-00000000.parquet",
        "segments/traffic/2026-03-14/notes.txt",
        "envelopes/traffic/2026-03-14/0123456789abcdef.envelope",
        "journal/traffic/2026-03-14/20260314T150000Z-cafe0123-1-0123456789abcdef.journal",
        "segments/other/2026-03-14/x.parquet",
        "extra",
    ],
)
def test_a_file_that_was_put_in_is_named(box: Box, name: str) -> None:
    path = box.home.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"anything")
    assert places(verify(box.home)) == {name}


def test_a_copy_of_a_true_file_under_a_new_name_is_named(box: Box) -> None:
    for room in ("segments", "envelopes", "journal"):
        path = box.files(room)[0]
        copy = path.with_name("0" + path.name[1:] if room == "segments" else "f" + path.name[1:])
        shutil.copy(path, copy)
        assert str(copy.relative_to(box.home.path)) in places(verify(box.home))
        copy.unlink()


def test_a_link_in_place_of_a_file_or_folder_is_named(box: Box, tmp_path: Path) -> None:
    path = box.files("segments")[0]
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    (box.home.path / "segments" / "more").symlink_to(tmp_path)
    assert {str(path.relative_to(box.home.path)), "segments/more"} <= places(verify(box.home))


def spoil_chain(box: Box, change: Callable[[list[bytes]], list[bytes]]) -> set[str]:
    box.home.chain.write_bytes(b"".join(change(lines_of(box))))
    return places(verify(box.home))


@pytest.mark.parametrize("number", range(8))
def test_a_line_taken_away_is_found_where_it_was(box: Box, number: int) -> None:
    count = len(lines_of(box))
    number = min(number, count - 1)
    found = spoil_chain(box, lambda lines: lines[:number] + lines[number + 1 :])
    assert "chain.jsonl" in found
    assert number == count - 1 or f"chain.jsonl line {number + 1} (seq {number})" in found


@pytest.mark.parametrize("number", range(6))
def test_lines_doubled_or_exchanged_are_found_where_they_are(box: Box, number: int) -> None:
    content = box.home.chain.read_bytes()
    doubled = spoil_chain(box, lambda lines: [*lines[: number + 1], *lines[number:]])
    assert f"chain.jsonl line {number + 2} (seq {number + 1})" in doubled
    box.home.chain.write_bytes(content)
    swapped = spoil_chain(
        box, lambda lines: [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]
    )
    assert f"chain.jsonl line {number + 1} (seq {number})" in swapped


def test_a_chain_rolled_back_alone_is_found_by_head_and_by_the_files_it_no_longer_names(box: Box) -> None:
    lines = lines_of(box)
    for kept in range(1, len(lines)):
        box.home.chain.write_bytes(b"".join(lines[:kept]))
        assert "chain.jsonl" in places(verify(box.home))
    chain.head_file(box.home).unlink()
    box.home.chain.write_bytes(b"".join(lines[:2]))
    assert {str(path.relative_to(box.home.path)) for path in box.files("segments")} < places(verify(box.home))


def test_a_home_rolled_back_whole_is_found_by_a_head_noted_elsewhere(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(3))
    old = box.copy_to(tmp_path / "old")
    box.record(traffic(3, 2))
    noted = verify(box.home).head
    assert verify(old.home).faults == ()
    assert verify(box.home, noted).faults == ()
    assert places(verify(old.home, noted)) == {"chain.jsonl"}
    old.record(traffic(3, 5))
    old.record(traffic(3, 6))
    assert f"chain.jsonl line {noted.seq + 1} (seq {noted.seq})" in places(verify(old.home, noted))


def test_a_chain_of_another_box_is_found(box: Box, tmp_path: Path) -> None:
    other = make_box(tmp_path / "other")
    other.record(traffic(3))
    shutil.copy(other.home.chain, box.home.chain)
    assert "box.key" in places(verify(box.home))


def test_a_line_signed_by_another_key_is_found(box: Box) -> None:
    forger = Chain(box.home, signing.signer(signing.generate()))
    forger.append([EnvelopeMade(VaultName.TRAFFIC, DAY, "0" * 16, "cafe0123", StoredFile("x", "0" * 64, 1))])
    assert any("not signed" in fault.what for fault in verify(box.home).faults)


def test_an_envelope_for_custodians_whom_the_chain_does_not_name_is_found(tmp_path: Path) -> None:
    """What a thief of box.key would do to read the days to come."""
    box, thief = make_box(tmp_path / "box"), make_box(tmp_path / "thief", 1, 1)
    box.config = thief.config
    box.record(traffic(3))
    [fault] = verify(box.home).faults
    assert fault.place.startswith("envelopes/")
    assert "had not named" in fault.what


def test_a_seal_under_a_key_without_an_envelope_is_found(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (run, writer):
        [seal] = writer.seal(traffic(3), SOURCES, [])
        run.chain.append([seal.__class__(**{**_fields(seal), "key_id": "f" * 16, "name": "x", "files": ()})])
    assert any("no envelope" in fault.what for fault in verify(box.home).faults)


def _fields(seal: object) -> dict[str, object]:
    import dataclasses

    return {field.name: getattr(seal, field.name) for field in dataclasses.fields(seal)}  # type: ignore[arg-type]


def test_every_fault_is_named_not_only_the_first(box: Box) -> None:
    damaged = [box.files("segments")[0], box.files("envelopes")[-1]]
    for path in damaged:
        path.write_bytes(b"x")
    missing = box.files("segments")[-1]
    missing.unlink()
    assert places(verify(box.home)) == {str(path.relative_to(box.home.path)) for path in (*damaged, missing)}


def test_verify_needs_no_right_to_write(box: Box) -> None:
    for folder, _, names in os.walk(box.home.path):
        for name in names:
            Path(folder, name).chmod(stat.S_IRUSR)
    assert verify(box.home).faults == ()


def test_progress_ends_at_all(box: Box) -> None:
    told: list[tuple[int, int]] = []
    report = verify(box.home, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (report.counts["bytes"], report.counts["bytes"])

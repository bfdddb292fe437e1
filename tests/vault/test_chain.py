"""The chain: signed lines that openssl checks, appended whole or not at all, by several processes at once."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.coverage import Coverage
from appliance.model.errors import HomeError, StorageError
from appliance.model.instants import to_iso
from appliance.vault import canonical, chain, chain_check, seals
from appliance.vault.chain import Chain
from appliance.vault.names import VaultName
from appliance.vault.seals import ClockConfirmed, Repair, Rollback, Seal, StoredFile
from tests.runtime.full_disk import no_file_larger_than
from tests.vault.made_homes import DAY, Box, make_box

KEY, RUN = "0123456789abcdef", "cafe0123"
SEAL = Seal(
    VaultName.TRAFFIC, DAY, KEY, RUN, "1400-0123456789abcdef-00000001", 7, 1, 2,
    (StoredFile("a.parquet", "0" * 64, 5),), ("b.journal",),
    (Coverage("file:é", 1, 2, 3, 4, {"not_ip": 1}, {"kernel": 2}),),
)  # fmt: skip


def append(box: Box, *bodies: seals.Body) -> list[chain.Entry]:
    opened = Chain.open(box.home)
    opened.clock = box.clock
    return opened.append(bodies)


def faults(box: Box) -> list[str]:
    checked = chain_check.check(chain.content(box.home), chain.known_head(box.home), None, None)
    return [f"{fault.place}: {fault.what}" for fault in checked.faults]


def test_every_kind_comes_back_as_it_was_written(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    files = (StoredFile("x", "1" * 64, 9),)
    bodies: list[seals.Body] = [
        seals.Custodians(("age1x",), 1),
        seals.EnvelopeMade(VaultName.SOURCE, DAY, KEY, RUN, files[0]),
        SEAL,
        Seal(VaultName.SOURCE, None, None, RUN, None, 0, None, None, (), (), ()),
        seals.Interruption(RUN, None, SEAL.coverage),
        seals.Adoption(VaultName.TRAFFIC, DAY, KEY, RUN, files[0]),
        Repair(3),
        Rollback(9, "a" * 64),
        ClockConfirmed(5),
        seals.DestructionOrdered(VaultName.TRAFFIC, DAY, (KEY,), 1, 8),
        seals.Destroyed(VaultName.TRAFFIC, DAY, (KEY,), 1, 2, 3),
        seals.Hold("2026/114", (VaultName.TRAFFIC,), DAY, DAY, DAY),
        seals.HoldEnded("2026/114"),
        seals.AuditAnchor(7, "b" * 64),
    ]
    assert {type(body) for body in bodies} | {seals.Init} == set(seals.KINDS.values())
    written = append(box, *bodies)
    assert chain.read(box.home)[1:] == written
    assert [entry.body for entry in written] == bodies


def test_openssl_agrees_with_every_signature_and_sha256sum_with_every_link(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    append(box, SEAL, ClockConfirmed(5))
    public, message, signature = tmp_path / "box.pem", tmp_path / "message", tmp_path / "signature"
    subprocess.run(["openssl", "pkey", "-in", box.home.signing_key, "-pubout", "-out", public], check=True)
    previous = "0" * 64
    for number, line in enumerate(box.home.chain.read_bytes().splitlines(keepends=True)):
        fields = json.loads(line)
        assert (fields["seq"], fields["prev"]) == (number, previous)
        signature.write_bytes(bytes.fromhex(fields.pop("sig")))
        signed = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        message.write_bytes(b"greffier chain 1\n" + signed)
        verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message]
        subprocess.run([*verify, "-sigfile", signature], check=True, capture_output=True)
        (tmp_path / "line").write_bytes(line)
        summed = subprocess.run(["sha256sum", tmp_path / "line"], capture_output=True, text=True, check=True)
        previous = summed.stdout.split()[0]
    assert str(chain.known_head(box.home)) == f"2:{previous}"


def test_processes_that_append_at_once_make_one_chain(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                opened = Chain.open(box.home)
                for number in range(25):
                    opened.append([ClockConfirmed(number), ClockConfirmed(number + 1)])
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert len(chain.read(box.home)) == 201
    assert faults(box) == []


def test_a_torn_line_does_not_count_and_is_cut_off_and_stated(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    whole = box.home.chain.read_bytes()
    append(box, SEAL)
    torn = box.home.chain.read_bytes()[len(whole) : -40]
    box.home.chain.write_bytes(whole + torn)
    chain.head_file(box.home).write_text(f"0:{hashlib.sha256(whole).hexdigest()}\n")  # as before the append
    assert len(chain.read(box.home)) == 1
    assert faults(box) == []
    append(box, ClockConfirmed(1))
    assert [entry.body for entry in chain.read(box.home)[1:]] == [Repair(len(torn)), ClockConfirmed(1)]
    assert faults(box) == []


def test_a_full_disk_leaves_the_chain_as_it_was(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    before = box.home.chain.read_bytes()
    with no_file_larger_than(len(before) + 300), pytest.raises(StorageError, match="free or repair"):
        append(box, SEAL, SEAL)
    assert box.home.chain.read_bytes() == before
    append(box, SEAL)
    assert faults(box) == []


def test_a_shortened_chain_is_stated_by_the_next_line_and_stays_a_fault(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    first = box.home.chain.read_bytes()
    lost = append(box, SEAL, SEAL)[-1]
    box.home.chain.write_bytes(first)
    assert "rolled back" in faults(box)[0]
    append(box, SEAL)
    assert chain.read(box.home)[1].body == Rollback(lost.seq, lost.hash)
    assert any("had been cut" in fault for fault in faults(box))


def test_a_missing_chain_is_never_begun_anew(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.home.chain.unlink()
    with pytest.raises(HomeError, match="missing"):
        append(box, SEAL)
    assert not box.home.chain.exists()


def test_long_lines_are_found_from_the_end(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    many = tuple(Coverage(f"file:{number}", 0, 1, 2, 3) for number in range(3000))
    append(box, Seal(VaultName.TRAFFIC, None, None, RUN, None, 0, None, None, (), (), many))
    append(box, SEAL)
    assert faults(box) == []


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_the_quick_reading_of_instants_inverts_their_writing(instant_ns: int) -> None:
    assert seals.instant(to_iso(instant_ns)) == instant_ns


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"[1]",
        b"nothing",
        b'{"a":1.0e5}',
        b"\xff",
        b"",
    ],
)
def test_bytes_that_are_not_canonical_are_refused_or_read_as_themselves(line: bytes) -> None:
    if line == b"{}":
        assert canonical.decode(line) == {}
        return
    with pytest.raises(ValueError, match="not canonical"):
        canonical.decode(line)


@pytest.mark.parametrize(
    "fields", [{}, {"kind": "seal"}, {"kind": "repair", "cut_bytes": 1, "more": 2}, {"kind": 3}]
)
def test_fields_that_are_not_those_of_a_kind_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has"):
        seals.from_json(fields)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", ".hidden"])
def test_a_file_name_that_leaves_its_folder_is_refused(name: str) -> None:
    fields = seals.to_json(SEAL)
    fields["files"][0]["name"] = name
    with pytest.raises(ValueError, match="plain name"):
        seals.from_json(fields)


HOSTILE = [
    ("coverage.0.packets", "x"), ("coverage.0.packets", -1), ("coverage.0.packets", 1 << 63),
    ("coverage.0.bytes", True), ("coverage.0.bytes", None), ("coverage.0.lost", [1]),
    ("coverage.0.lost", {"kernel": "many"}), ("coverage.0.noted", {"a": -1}), ("coverage.0.refused", None),
    ("coverage.0.refused", {"\x1b[31m": 1}), ("coverage.0.measured", {"a": 1.5}), ("coverage.0.source", 7),
    ("coverage.0.source", ""), ("coverage.0.source", "x" * 5000), ("coverage.0.first", 3),
    ("coverage.0.first", "2263-01-01T00:00:00.000000000Z"),
    ("coverage.0.last", "1969-12-31T00:00:00.000000000Z"),
    ("coverage.0.last", "2026-01-01T00:00:-1.000000000Z"),
    ("coverage.0.more", 1), ("coverage", {}), ("coverage", ["x"]), ("coverage", None),
    ("rows", "7"), ("rows", None), ("rows", 0), ("rows", -1), ("first", None), ("day", None), ("day", 3),
    ("day", "9999-12-31"), ("day", "20260314"), ("vault", None), ("vault", "other"), ("vault", ["traffic"]),
    ("key_id", "../../../../../"), ("key_id", 5), ("key_id", "0123456789abcdeF"), ("run", "cafe012"),
    ("run", None), ("name", "\x1b]0;x"), ("name", 5), ("name", "../x"), ("files", "ab"),
    ("files.0.sha256", "a" * 63),
    ("files.0.sha256", None), ("files.0.size_bytes", -1), ("files.0.size_bytes", "5"),
    ("files.0.name", "a\nb"),
    ("files.0.name", ["a"]), ("files.0.name", ""), ("files.0.more", 1), ("replaces", "ab"),
    ("replaces", [""]),
    ("replaces", ["a.journal", ".."]), ("replaces", ["a/b"]), ("replaces", [3]), ("replaces", ["\x1b"]),
    ("replaces", ["é"]), ("replaces", ["."]),
    ("replaces", ["x" * 256]), ("replaces", [["a"]]), ("replaces", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), HOSTILE)
def test_a_seal_with_a_field_of_a_wrong_type_or_beyond_its_bounds_is_refused(
    path: str, value: object
) -> None:
    fields = json.loads(json.dumps(seals.to_json(SEAL)))
    assert seals.from_json(fields) == SEAL
    *folders, last = path.split(".")
    place = fields
    for folder in folders:
        place = place[int(folder) if folder.isdigit() else folder]
    place[last] = value
    with pytest.raises(ValueError, match="has not the fields of 'seal'"):
        seals.from_json(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "custodians", "custodians": ["\x1b[31mX"], "quorum": 1},
        {"kind": "custodians", "custodians": ["age1x"], "quorum": 7},
        {"kind": "custodians", "custodians": ["age1x"], "quorum": 0},
        {"kind": "custodians", "custodians": [], "quorum": 0},
        {"kind": "custodians", "custodians": ["age1x"] * 256, "quorum": 1},
        {"kind": "custodians", "custodians": {"age1x": 1}, "quorum": 1},
        {"kind": "init", "site": "\x1b[2J", "box": "a" * 64, "custodians": ["age1x"], "quorum": 1,
         "format": 1},
        {"kind": "init", "site": "x", "box": "a" * 63, "custodians": ["age1x"], "quorum": 1,
         "format": 1},
        {"kind": "repair", "cut_bytes": "1"},
        {"kind": "rollback", "lost_seq": 1, "lost_hash": "\x1b" * 64},
        {"kind": "clock", "now": None},
        {"kind": "interruption", "run": None, "until": None, "coverage": []},
        {"kind": "destruction-ordered", "vault": "traffic", "day": "2026-03-14", "key_ids": ["a" * 16],
         "term_years": "1", "now": "2027-03-15T00:00:00.000000000Z"},
        {"kind": "destroyed", "vault": "traffic", "day": "2026-03-14", "key_ids": "a" * 16,
         "envelope_count": 1, "file_count": 1, "size_bytes": 1},
        {"kind": "\x1b[31m" + "x" * 1000},
    ],
)  # fmt: skip
def test_lines_of_every_kind_are_typed_and_their_refusal_says_nothing_foreign(
    fields: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match="has") as refused:
        seals.from_json(fields)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", ["file:a\nb", "file:caf\udce9", "fed-file:10\u202f00.log to 11.log"])
def test_a_source_keeps_whatever_name_a_person_gave_the_file(name: str) -> None:
    """Such a home was made before the lines were typed: it must be read as before."""
    part = Coverage(name, 1, 2, 3, 4)
    body = seals.Interruption(RUN, None, (part,))
    assert seals.from_json(json.loads(canonical.encode(seals.to_json(body)))) == body

"""The book: what it says of a step, that it mends itself, and that nothing is done that cannot be written."""

import json
import multiprocessing
import os
import resource
import subprocess
from pathlib import Path

import pytest

from appliance.audit import anchors, book, volume
from appliance.audit.check import check
from appliance.audit.lines import LONGEST_TEXT, MOST_DETAILS, results
from appliance.control.messages import Actor
from appliance.control.steps import Ended, Step
from appliance.model.errors import HomeError, StorageError, UsageError
from appliance.vault.names import Home
from tests.vault.made_homes import NOW_NS, make_box

CLAIRE = Actor("claire", "manager", "192.168.1.20")


def lines_of(home: Home) -> list[dict[str, object]]:
    return [json.loads(line) for line in volume.content(home).splitlines()]


def test_a_step_is_a_signed_line_that_says_who_did_what_from_where(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    book.note(box.home, CLAIRE, Step.SIGN_IN, clock=box.clock)
    noted = book.note(
        box.home, CLAIRE, Step.PLACE_HOLD, "order 12/2027", {"until": "2028-06-30"}, Ended.REFUSED, box.clock
    )
    first, second = lines_of(box.home)
    assert (first["seq"], first["prev"]) == (0, "0" * 64)
    del second["sig"], second["prev"]
    assert second == {
        "seq": 1, "at": "2026-03-14T15:00:00.000000000Z", "name": "claire", "role": "manager",
        "origin": "192.168.1.20", "step": "place-hold", "subject": "order 12/2027",
        "details": {"until": "2028-06-30"}, "ended": "refused",
    }  # fmt: skip
    assert (noted.seq, noted.at_ns, noted.actor, noted.ended) == (1, NOW_NS, CLAIRE, Ended.REFUSED)
    assert check(box.home).steps[1] == noted
    assert volume.path_of(box.home).stat().st_mode & 0o777 == 0o600


def test_openssl_agrees_with_every_signature_and_sha256sum_with_every_link(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    for subject in ("a", "Café « Été »"):
        book.note(box.home, CLAIRE, Step.DECLARE_SOURCE, subject, clock=box.clock)
    public, message, signature = tmp_path / "box.pem", tmp_path / "message", tmp_path / "signature"
    subprocess.run(["openssl", "pkey", "-in", box.home.signing_key, "-pubout", "-out", public], check=True)
    previous = "0" * 64
    for line in volume.content(box.home).splitlines(keepends=True):
        fields = json.loads(line)
        assert fields["prev"] == previous
        signature.write_bytes(bytes.fromhex(fields.pop("sig")))
        signed = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        message.write_bytes(b"greffier audit 1\n" + signed)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public]
        subprocess.run([*command, "-in", message, "-sigfile", signature], check=True, capture_output=True)
        summed = subprocess.run(["sha256sum"], input=line, capture_output=True, check=True).stdout
        previous = summed.decode()[:64]


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\ud800", "\u202eevil", "x" * 100_000, "\x00" * 5000])
def test_whatever_somebody_typed_is_one_printable_line_within_bounds(tmp_path: Path, text: str) -> None:
    box = make_box(tmp_path)
    many = {f"{text}{number}": text for number in range(100)}
    noted = book.note(box.home, Actor(text, text, text), Step.SIGN_IN_REFUSED, text, many, clock=box.clock)
    for said in (noted.subject, noted.actor.name, *noted.details, *noted.details.values()):
        assert said.isprintable()
        assert 0 < len(said) <= LONGEST_TEXT
    assert len(noted.details) <= MOST_DETAILS
    assert check(box.home).faults == []


def _note_some(home: Path, name: str) -> None:
    for number in range(20):
        book.note(Home(home), Actor(name, "system", "console"), Step.SIGN_IN, str(number))


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_note_some, args=(box.home.path, name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    checked = check(box.home)
    assert (checked.faults, len(checked.steps)) == ([], 80)
    assert [step.subject for step in checked.steps if step.actor.name == "c"] == [str(n) for n in range(20)]


def test_a_torn_end_is_cut_off_and_said_wherever_the_power_failed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    book.note(box.home, CLAIRE, Step.SIGN_IN, clock=box.clock)
    whole = volume.content(box.home)
    head = volume.head_file(box.home).read_bytes()
    book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
    torn_line = volume.content(box.home)[len(whole) :]
    for length in (1, 100, len(torn_line) - 1):
        volume.path_of(box.home).write_bytes(whole + torn_line[:length])
        volume.head_file(box.home).write_bytes(head)
        assert "is torn" in check(box.home).notices[0].what
        book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
        checked = check(box.home)
        assert [step.step for step in checked.steps] == [Step.SIGN_IN, Step.BOOK_REPAIRED, Step.SIGN_OUT]
        assert checked.steps[1].details == {"cut_bytes": str(length)}
        assert checked.faults == []


def test_a_book_that_was_shortened_says_so_for_ever(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    for _ in range(3):
        book.note(box.home, CLAIRE, Step.SIGN_IN, clock=box.clock)
    lost = volume.head(box.home)
    whole = volume.content(box.home).splitlines(keepends=True)
    for left in (b"".join(whole[:2]), b""):
        volume.path_of(box.home).write_bytes(left)
        volume.head_file(box.home).write_text(f"{lost}\n")
        book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
        checked = check(box.home)
        assert [step.step for step in checked.steps[-2:]] == [Step.BOOK_CUT, Step.SIGN_OUT]
        assert checked.steps[-2].details == {"lost_seq": "2", "lost_hash": lost.hash}
        assert ["had been cut" in fault.what for fault in checked.faults] == [True]


def test_what_fails_has_a_second_line_that_does_not_tell_the_sentence(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with (
        pytest.raises(UsageError),
        book.noted(box.home, CLAIRE, Step.DECLARE_SOURCE, "lobby", {"kinds": "syslog"}, box.clock),
    ):
        raise UsageError("10.0.0.7 is declared already")
    first, second = check(box.home).steps
    assert (first.ended, second.ended) == (Ended.BEGUN, Ended.FAILED)
    assert results([first, second]) == {0: Ended.FAILED, 1: Ended.FAILED}
    assert results([first]) == {0: Ended.DONE}
    assert (second.step, second.subject) == (first.step, first.subject)
    assert second.details == {"line": "0", "error": "UsageError"}
    assert b"10.0.0.7" not in volume.content(box.home)


def _refused_on_a_full_disk(home: Path, answer: "multiprocessing.Queue[str]") -> None:
    size = volume.path_of(Home(home)).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
    try:
        with book.noted(Home(home), CLAIRE, Step.CHANGE_BOX):
            answer.put("done")
    except StorageError as error:
        answer.put(str(error))


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    book.note(box.home, CLAIRE, Step.SIGN_IN)
    before = volume.content(box.home)
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[str] = context.Queue()
    child = context.Process(target=_refused_on_a_full_disk, args=(box.home.path, answer))
    child.start()
    assert "nothing was done" in answer.get(timeout=20)
    child.join()
    assert volume.content(box.home) == before


def test_without_the_key_of_the_box_nothing_is_noted(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.home.signing_key.unlink()
    with pytest.raises(HomeError, match=r"box\.key"):
        book.note(box.home, CLAIRE, Step.SIGN_IN)
    assert not volume.path_of(box.home).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_writes_belongs_to_whom_the_home_belongs_to(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    os.chown(box.home.path, 12345, 12346)
    book.note(box.home, CLAIRE, Step.SIGN_IN)
    anchors.anchor(box.home)
    made = [volume.path_of(box.home), volume.path_of(box.home).parent, volume.head_file(box.home)]
    for path in (*made, box.home.state / "audit.lock", box.home.state / "audit-anchor"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346), path

"""Whatever is done to an audit chain afterwards is found, also by somebody who has the box's own key."""

import itertools
import shutil
from pathlib import Path

import pytest

from appliance.audit import anchors, book, volume
from appliance.audit.check import check
from appliance.central import proofs
from appliance.control.messages import Actor
from appliance.control.steps import Step
from appliance.model.instants import HOUR_NS
from appliance.replication import names
from appliance.vault import chain, signing
from appliance.vault.seals import AuditAnchor
from appliance.vault.verify import verify
from tests.vault.made_homes import Box, make_box

CLAIRE = Actor("claire", "manager", "192.168.1.20")


def box_with_steps(folder: Path, count: int = 4) -> Box:
    box = make_box(folder)
    for number in range(count):
        book.note(box.home, CLAIRE, Step.CHANGE_BOX, str(number), clock=box.clock)
    return box


def whats(box: Box) -> list[str]:
    return [fault.what for fault in check(box.home).faults]


def test_every_bit_counts(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path, 2)
    content = volume.content(box.home)
    assert whats(box) == []
    for position, bit in itertools.product(range(0, len(content), 7), (1, 64)):
        changed = bytearray(content)
        changed[position] ^= bit
        volume.path_of(box.home).write_bytes(changed)
        assert whats(box), f"bit {bit} of byte {position}"


def test_lines_taken_away_swapped_repeated_or_made_up_are_found(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path)
    lines = volume.content(box.home).splitlines(keepends=True)
    other = box_with_steps(tmp_path / "other")
    foreign = volume.content(other.home).splitlines(keepends=True)
    tampered = {
        "first gone": lines[1:],
        "one gone": [lines[0], *lines[2:]],
        "end gone": lines[:-1],
        "all gone": [],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
        "repeated": [*lines, lines[-1]],
        "of another box": [*lines[:3], foreign[3]],
        "another box's": foreign,
    }
    for what, left in tampered.items():
        volume.path_of(box.home).write_bytes(b"".join(left))
        assert whats(box), what
    volume.path_of(box.home).write_bytes(b"".join(lines))
    assert whats(box) == []
    volume.head_file(box.home).unlink()
    assert "unnoticed" in whats(box)[0]


def test_who_has_not_the_key_cannot_write_a_line(tmp_path: Path) -> None:
    """Numbers, links and the noted head are all as they should be: only the signatures are another's."""
    box, other = box_with_steps(tmp_path), box_with_steps(tmp_path / "other")
    for file in (volume.path_of, volume.head_file):
        shutil.copy(file(other.home), file(box.home))
    assert whats(box) == ["is not signed by this box"] * 4


def test_a_step_that_is_noted_while_a_check_reads_is_no_fault(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path, 1)
    entries = chain.read(box.home)
    anchors.anchor(box.home, box.clock)
    book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
    assert check(box.home, entries).faults == []


def test_it_is_anchored_when_it_grew_and_an_hour_has_passed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    assert anchors.anchor(box.home, box.clock) is None
    book.note(box.home, CLAIRE, Step.SIGN_IN, clock=box.clock)
    written = anchors.anchor(box.home, box.clock)
    assert written is not None
    head = volume.head(box.home)
    assert written.body == AuditAnchor(1, head.hash)
    book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
    assert anchors.anchor(box.home, box.clock) is None
    box.clock.now_ns += HOUR_NS
    (box.home.state / "audit-anchor").unlink()  # only the pace hangs on it
    again = anchors.anchor(box.home, box.clock)
    assert again is not None
    assert again.body == AuditAnchor(2, volume.head(box.home).hash)
    box.clock.now_ns += HOUR_NS
    assert anchors.anchor(box.home, box.clock) is None
    assert check(box.home).anchors == 2
    assert verify(box.home).faults == ()


def test_a_book_that_was_cut_is_anchored_on_all_the_same(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path, 9)
    anchors.anchor(box.home, box.clock)
    volume.path_of(box.home).unlink()
    book.note(box.home, CLAIRE, Step.SIGN_IN, clock=box.clock)
    box.clock.now_ns += HOUR_NS
    again = anchors.anchor(box.home, box.clock)
    assert again is not None
    assert again.body == AuditAnchor(2, volume.head(box.home).hash)
    assert len(whats(box)) == 2  # what the book confesses, and what the first anchor remembers


def test_an_anchor_is_a_line_that_central_takes(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path)
    entry = anchors.anchor(box.home, box.clock)
    assert entry is not None
    line = box.home.chain.read_bytes().splitlines(keepends=True)[-1]
    name = names.parse(names.of_line(entry.seq, entry.hash))
    proven = proofs.line(line, name, signing.load(box.home.signing_key).box)
    assert proven.entry == entry
    assert (proven.fixes, proven.needless) == ((), ())


@pytest.mark.parametrize("steps", [0, 2, 4, 7])
def test_who_has_the_boxs_key_cannot_write_the_book_anew(tmp_path: Path, steps: int) -> None:
    """The thief forges other lines with the key, and the noted head as well; the anchor remains."""
    box = box_with_steps(tmp_path)
    anchors.anchor(box.home, box.clock)
    shutil.rmtree(volume.path_of(box.home).parent)
    volume.head_file(box.home).unlink()
    for _ in range(steps):
        book.note(box.home, CLAIRE, Step.SIGN_IN, "forged", clock=box.clock)
    assert any("anchor in chain.jsonl" in what for what in whats(box))


def test_a_book_put_back_to_a_copy_of_itself_is_found(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path, 2)
    kept = box.copy_to(tmp_path / "copy")
    for _ in range(2):
        book.note(box.home, CLAIRE, Step.END_HOLD, "order 12", clock=box.clock)
    anchors.anchor(box.home, box.clock)
    for file in (volume.path_of, volume.head_file):
        shutil.copy(file(kept.home), file(box.home))
    assert any("it was cut" in what for what in whats(box))


def test_a_restored_home_has_no_book_and_says_how_long_it_was(tmp_path: Path) -> None:
    box = box_with_steps(tmp_path)
    anchors.anchor(box.home, box.clock)
    shutil.rmtree(volume.path_of(box.home).parent)
    volume.head_file(box.home).unlink()
    box.home.signing_key.unlink()
    (box.home.state / "restored.json").write_text("{}\n")
    checked = check(box.home)
    assert checked.faults == []
    assert "it had 4 lines" in checked.notices[0].what

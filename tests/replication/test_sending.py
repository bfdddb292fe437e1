"""Sending to a real central in a folder: everything arrives, whatever happens in between."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.model.instants import HOUR_NS, NS
from appliance.replication import accounts, receipts
from appliance.replication.claims import Claim
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Conflict, Refused, Replaced, Unreachable, Untrusted
from appliance.vault import signing
from tests.replication.centrals_here import Here, at_home, box_of_hours, central_for, send_all, sender_for
from tests.vault.made_homes import SOURCES, Box, run_that_dies
from tests.vault.made_rows import traffic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return box_of_hours(tmp_path / "box", 3)


@pytest.fixture
def here(box: Box, tmp_path: Path) -> Here:
    return central_for(box, tmp_path / "central", "north")


def test_central_has_what_the_home_has_and_each_object_once(box: Box, here: Here) -> None:
    send_all(box, here)
    assert here.objects() == at_home(box)
    assert max(here.asked.values()) == 1
    send_all(box, here)
    assert max(here.asked.values()) == 1, "what was signed for is not sent again"


def test_envelopes_go_first_then_lines_in_order_and_segments_last(box: Box, here: Here) -> None:
    run_that_dies(box, traffic(5, 9))
    box.clock.now_ns += 60 * NS
    send_all(box, here)
    kinds = [name.partition("/")[0] for name in here.taken]
    assert list(dict.fromkeys(kinds)) == ["envelopes", "journal", "chain", "segments"]
    lines = [name for name in here.taken if name.startswith("chain/")]
    assert lines == sorted(lines)


def test_a_journal_goes_when_it_is_whole_and_not_before(box: Box, here: Here) -> None:
    with box.recording() as (_, writer):
        writer.journal(traffic(5, 1), SOURCES)
        send_all(box, here)
        assert not [name for name in here.taken if name.startswith("journal/")]
        box.clock.now_ns += 33 * NS
        for path in box.files("journal"):  # the file system has its own clock
            os.utime(path, ns=(box.clock.now_ns - 32 * NS,) * 2)
        send_all(box, here)
        assert [name for name in here.taken if name.startswith("journal/")]
        assert here.objects() == at_home(box)
        writer.seal(traffic(5, 1), SOURCES, ())
    send_all(box, here)
    assert here.objects() == at_home(box), "central lets go of what a segment replaced"


def test_an_interruption_at_every_object_resumes(box: Box, here: Here) -> None:
    class Cut(Exception):
        pass

    total = len(at_home(box))
    for number in range(total):
        lost_before = number % 2

        def cut(claim: Claim, at: int = len(here.taken) + 1) -> None:
            if len(here.taken) >= at:
                raise Cut

        here.before, here.after = (cut, lambda claim: None) if lost_before else (lambda claim: None, cut)
        with pytest.raises(Cut):
            send_all(box, here)
        if len(here.objects()) == total:
            break
    here.before = here.after = lambda claim: None
    send_all(box, here)
    assert here.objects() == at_home(box)
    assert max(here.asked.values()) <= 3


def test_a_central_put_back_is_found_out_and_gets_what_it_lost(box: Box, here: Here, tmp_path: Path) -> None:
    send_all(box, here)
    here.save(tmp_path / "yesterday")
    for seed in range(3, 8):
        box.record(traffic(40, seed))
        box.clock.now_ns += HOUR_NS
        send_all(box, here)
    assert here.objects() == at_home(box)
    here.put_back(tmp_path / "yesterday")
    assert here.objects() != at_home(box)
    box.record(traffic(40, 99))
    sender = send_all(box, here)
    assert here.objects() == at_home(box)
    assert sender.put_back_ns is not None
    evidence = list(accounts.lines(here.enrolled.folder / accounts.EVIDENCE))
    assert evidence, "both receipts are kept as proof"
    signed = accounts.read(here.enrolled.folder).signed
    assert signed == at_home(box)


def test_the_sign_of_life_alone_finds_a_central_that_was_put_back(
    box: Box, here: Here, tmp_path: Path
) -> None:
    here.save(tmp_path / "empty")
    send_all(box, here)
    here.put_back(tmp_path / "empty")
    sender, account, holdings = sender_for(box, here)
    holdings.refresh()
    assert not sender.due(True), "the box believes that all is there"
    line = sender.newest_signed_line()
    assert line
    target = here.target()
    sender.send(target, line)
    account.close()
    send_all(box, here)
    assert here.objects() == at_home(box)


def test_a_box_that_lost_its_account_sends_again_and_nothing_is_there_twice(box: Box, here: Here) -> None:
    send_all(box, here)
    (here.enrolled.folder / accounts.RECEIPTS).unlink()
    send_all(box, here)
    assert here.objects() == at_home(box)
    assert set(here.asked.values()) == {2}
    assert not (here.enrolled.folder / accounts.EVIDENCE).exists()


def test_other_bytes_under_a_name_are_an_alarm_and_everything_else_goes_on(box: Box, here: Here) -> None:
    journal = run_that_dies(box, traffic(5, 9))
    send_all(box, here)
    path = next(path for path in box.files("journal") if journal in path.name)
    path.write_bytes(path.read_bytes() + b"torn")
    with box.recording():
        pass  # adopts what is left
    box.record(traffic(40, 5))
    sender = send_all(box, here)
    [(kind, told)] = list(sender.troubles())
    assert (kind, path.name in told) == ("conflict", True)
    mine, theirs = at_home(box), here.objects()
    assert {name for name in mine if theirs.get(name) != mine[name]} == {str(path.relative_to(box.home.path))}


def test_a_segment_that_rotted_is_an_alarm_and_everything_else_goes_on(box: Box, here: Here) -> None:
    path = box.files("segments", ".parquet")[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    sender = send_all(box, here)
    assert [kind for kind, _ in sender.troubles()] == ["refused"]
    assert set(at_home(box)) - set(here.objects()) == {str(path.relative_to(box.home.path))}
    path.write_bytes(content[:-1])
    sender = send_all(box, here)
    assert [kind for kind, _ in sender.troubles()] == ["damaged"]


def test_what_vanished_meanwhile_is_no_error(box: Box, here: Here) -> None:
    run_that_dies(box, traffic(5, 9))
    sender, account, holdings = sender_for(box, here)
    holdings.refresh()
    [item] = [item for item in sender.due(True) if item.name.startswith("journal/")]
    (box.home.path / item.name).unlink()
    assert not sender.send(here.target(), item)
    assert not list(sender.troubles())
    account.close()


def test_a_central_that_refuses_everything_is_left_alone(box: Box, here: Here) -> None:
    def refuse(claim: Claim) -> None:
        raise Refused("not from you")

    here.before = refuse
    with pytest.raises(Refused):
        send_all(box, here)
    assert here.asked.total() == 3
    here.before = lambda claim: None
    send_all(box, here)
    assert here.objects() == at_home(box)


def test_a_line_that_is_in_conflict_stops_only_what_rests_on_it(box: Box, here: Here) -> None:
    stopped = 4

    def conflict(claim: Claim) -> None:
        if claim.name.startswith(f"chain/{stopped:012d}"):
            raise Conflict("other bytes")

    here.before = conflict
    run_that_dies(box, traffic(5, 9))
    send_all(box, here)
    theirs = here.objects()
    assert any(name.startswith("journal/") for name in theirs)
    assert {int(name[6:18]) for name in theirs if name.startswith("chain/")} == set(range(stopped))
    assert here.asked.most_common(1)[0][1] <= 2, "what cannot go is not tried over and over"


def test_nothing_is_kept_of_a_central_that_cannot_be_reached(box: Box, here: Here) -> None:
    def away(claim: Claim) -> None:
        raise Unreachable("away")

    here.before = away
    with pytest.raises(Unreachable):
        send_all(box, here)
    assert not accounts.read(here.enrolled.folder).signed


def test_a_box_that_was_rolled_back_and_went_on_is_kept_in_both_its_courses(
    box: Box, here: Here, tmp_path: Path
) -> None:
    send_all(box, here)
    older = box.copy_to(tmp_path / "older")
    box.record(traffic(40, 50))
    send_all(box, here)
    lost = at_home(box)
    shutil.rmtree(older.home.replication)
    shutil.copytree(box.home.replication, older.home.replication)
    older.clock.now_ns += HOUR_NS
    older.record(traffic(40, 60))
    sender = send_all(older, here)
    assert here.objects() == lost | at_home(older)
    assert len(at_home(older).keys() - lost.keys()) > 3
    assert not list(sender.troubles())


def test_what_central_has_destroyed_needs_no_receipt(box: Box, here: Here) -> None:
    def destroyed(claim: Claim) -> None:
        if claim.name.startswith("envelopes/"):
            raise Replaced("gone")

    here.before = destroyed
    sender = send_all(box, here)
    assert not sender.lacking()
    assert all(here.asked[name] == 1 for name in at_home(box))
    signed = accounts.read(here.enrolled.folder).signed
    assert signed == {
        name: digest for name, digest in at_home(box).items() if not name.startswith("envelopes/")
    }


def test_a_central_whose_key_somebody_has_gets_little_more_than_its_due(box: Box, here: Here) -> None:
    """All its receipts exclude one another: after three of them one object goes in ten minutes."""
    sender, account, holdings = sender_for(box, here)
    thief = _Thief(here.central.signer)
    for _ in range(20):
        holdings.refresh()
        with contextlib.suppress(Untrusted):
            for item in sender.due(True):
                sender.send(thief, item)
    account.close()
    assert thief.asked == 5, "the first, three that box begins anew for, and one that is not believed"


@dataclass
class _Thief:
    signer: signing.Signer
    asked: int = 0

    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        self.asked += 1
        return receipts.sign(self.signer, claim, 1, self.asked, f"{self.asked:064x}")

    def close(self) -> None:
        return None

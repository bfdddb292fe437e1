"""What centrals signed betrays a home that is not as it was: each change is found, at its place."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.central import restoring, sites
from appliance.model.instants import DAY_NS, NS
from appliance.replication import account_check, accounts, journal_check
from appliance.retention import destruction
from appliance.vault import verify
from appliance.vault.names import Home
from tests.replication.centrals_here import Here, box_of_hours, central_for, send_all
from tests.vault.made_homes import SOURCES, Box, run_that_dies
from tests.vault.made_rows import traffic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return box_of_hours(tmp_path / "box", 2)


@pytest.fixture
def here(box: Box, tmp_path: Path) -> Here:
    made = central_for(box, tmp_path / "central", "north")
    send_all(box, made)
    return made


def faults(box: Box) -> list[str]:
    return [f"{fault.place}: {fault.what}" for fault in account_check.check(box.home).faults]


def test_a_home_as_it_was_sent_has_no_fault(box: Box, here: Here) -> None:
    checked = account_check.check(box.home)
    assert (checked.faults, checked.notices) == ([], [])
    assert checked.counts["north"] == len(here.objects()) > 8
    box.record(traffic(40, 7))
    assert not faults(box), "what was not sent yet is no fault"


def test_a_whole_home_rolled_back_cannot_take_back_what_was_signed(box: Box, here: Here) -> None:
    """Its own checks find nothing: chain, note of the head and files are all of the same earlier day."""
    account = here.enrolled.folder
    older = box.copy_to(box.home.path.parent / "older")
    box.record(traffic(40, 7))
    send_all(box, here)
    shutil.rmtree(older.home.replication)
    shutil.copytree(account.parent, older.home.replication)
    assert not verify.verify(older.home).faults
    found = faults(older)
    assert any("cut or rolled back" in told for told in found)
    older.record(traffic(40, 8))
    older.record(traffic(40, 9))
    assert any("it was replaced" in told for told in faults(older)), "and went on"


def test_a_receipt_for_other_bytes_than_the_chain_fixes_is_a_fault(box: Box, here: Here) -> None:
    """Central's own key signs it: whoever swaps a file and its line cannot make the old receipt fit."""
    from appliance.replication import claims, receipts
    from appliance.vault import signing

    path = here.enrolled.folder / accounts.RECEIPTS
    lines = path.read_bytes().splitlines(keepends=True)
    last = receipts.parse(lines[-1])
    claim = claims.make(signing.load(box.home.signing_key), last.name, "ab" * 32, last.size_bytes)
    other = receipts.sign(here.central.signer, claim, last.sequence, last.received_at_ns, last.previous)
    path.write_bytes(b"".join([*lines[:-1], other.render()]))
    assert any("other bytes of segments/" in told for told in faults(box))


@pytest.mark.parametrize("field", ["sha256", "sig", "previous", "site", "central", "sequence"])
def test_a_receipt_changed_in_any_field_is_a_fault(box: Box, here: Here, field: str) -> None:
    path = here.enrolled.folder / accounts.RECEIPTS
    lines = path.read_bytes().splitlines(keepends=True)
    fields = json.loads(lines[3])
    old = fields[field]
    fields[field] = old + 1 if isinstance(old, int) else ("0" if old[0] != "0" else "1") + old[1:]
    lines[3] = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    assert any("receipts.jsonl line 4: is not signed by central 'north'" in told for told in faults(box))


def test_a_receipt_that_is_swapped_for_another_of_the_same_central_is_a_fault(box: Box, here: Here) -> None:
    path = here.enrolled.folder / accounts.RECEIPTS
    lines = path.read_bytes().splitlines(keepends=True)
    from appliance.replication import receipts

    third = receipts.parse(lines[2])
    from appliance.replication import claims
    from appliance.vault import signing

    claim = claims.make(signing.load(box.home.signing_key), third.name, third.sha256, third.size_bytes)
    again = receipts.sign(
        here.central.signer, claim, third.sequence, third.received_at_ns + 1, third.previous
    )
    path.write_bytes(b"".join([*lines[:2], again.render(), *lines[3:]]))
    assert any("is not what follows receipt 3 of 'north'" in told for told in faults(box))


def test_a_central_that_was_put_back_is_a_notice_with_its_proof(box: Box, here: Here, tmp_path: Path) -> None:
    here.save(tmp_path / "yesterday")
    for seed in (7, 8):
        box.record(traffic(40, seed))
        send_all(box, here)
    here.put_back(tmp_path / "yesterday")
    box.record(traffic(40, 9))
    send_all(box, here)
    checked = account_check.check(box.home)
    assert not checked.faults
    [notice] = checked.notices
    assert "proves that central 'north' was put back" in notice.what


def test_the_command_says_it_and_ends_with_one(box: Box, here: Here) -> None:
    def verified() -> subprocess.CompletedProcess[str]:
        greffier = Path(sys.executable).with_name("greffier")
        return subprocess.run(
            [greffier, "verify", "--home", str(box.home.path)], capture_output=True, text=True
        )

    done = verified()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(here.objects())} receipts of central 'north'." in done.stdout
    chain = box.home.chain.read_bytes().splitlines(keepends=True)
    box.home.chain.write_bytes(b"".join(chain[:-1]))
    done = verified()
    assert done.returncode == 1
    assert f"has line {len(chain)} of the chain" in done.stdout


def journal_of_a_dead_run(box: Box, here: Here) -> Path:
    """A journal that central has signed for and no line fixes yet."""
    run_that_dies(box, traffic(40, 7))
    send_all(box, here)
    [path] = box.files("journal")
    assert str(path.relative_to(box.home.path)) in here.objects()
    assert not faults(box)
    return path


def test_a_journal_that_central_signed_for_cannot_be_taken_away(box: Box, here: Here) -> None:
    path = journal_of_a_dead_run(box, here)
    path.unlink()
    assert not verify.verify(box.home).faults, "the chain alone cannot tell"
    [found] = faults(box)
    name = path.relative_to(box.home.path)
    assert found.startswith(f"{name}: is gone: central 'north' signed for it at 2026-03-14T")
    assert "'greffier central restore' there gives it back" in found
    box.record(traffic(40, 8))  # the next start has nothing to adopt
    send_all(box, here)
    assert faults(box) == [found]


def test_a_journal_that_central_signed_for_cannot_be_changed(box: Box, here: Here) -> None:
    path = journal_of_a_dead_run(box, here)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert ["was changed, its bytes are others" in found for found in faults(box)] == [True]
    path.write_bytes(content[:-1])
    assert [f"has {len(content) - 1} bytes instead of {len(content)}" in one for one in faults(box)] == [True]
    path.unlink()
    path.symlink_to("/dev/zero")
    assert ["cannot be read" in found for found in faults(box)] == [True]
    path.unlink()
    path.write_bytes(content)
    box.record(traffic(40, 8))  # adopted as it was
    assert not faults(box)


def test_a_journal_that_lost_its_frames_before_the_next_start_is_missed(box: Box, here: Here) -> None:
    """The start takes such a file for one of a power cut and removes it."""
    path = journal_of_a_dead_run(box, here)
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")
    box.record(traffic(40, 8))
    assert not path.exists()
    assert [": is gone: central 'north'" in found for found in faults(box)] == [True]


@pytest.mark.parametrize("kept", [0, 40])
def test_a_journal_without_a_whole_frame_is_not_sent_and_not_missed(box: Box, here: Here, kept: int) -> None:
    run_that_dies(box, traffic(40, 7))
    [path] = box.files("journal")
    header, _, frames = path.read_bytes().partition(b"\n")
    path.write_bytes(header + b"\n" + frames[:kept])
    send_all(box, here)
    assert str(path.relative_to(box.home.path)) not in here.objects()
    box.record(traffic(40, 8))
    send_all(box, here)
    assert not path.exists()
    assert not faults(box)


def settle(box: Box) -> None:
    """Time goes by for the journals that lie there; the file system has a clock of its own."""
    for path in box.files("journal"):
        for touched in (path, path.parent):
            os.utime(touched, ns=(box.clock.now_ns, box.clock.now_ns))
    box.clock.now_ns += 40 * NS


def test_a_journal_that_a_seal_replaced_or_whose_day_was_destroyed_is_not_missed(
    box: Box, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    with box.recording() as (_, writer):
        writer.journal(traffic(40, 7), SOURCES)
        settle(box)
        send_all(box, here)
        assert any(name.startswith("journal/") for name in here.objects())
        assert not faults(box)
        compare, sealed = journal_check.compare, []

        def compared(*given: object) -> object:
            """The seal comes between the look at the chain and the look at the file."""
            if not sealed:
                sealed.append(writer.seal(traffic(40, 7), SOURCES, ()))
            return compare(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(journal_check, "compare", compared)
        assert not faults(box)
        assert sealed
        assert not box.files("journal")
        monkeypatch.undo()
        assert not faults(box)
    journal_of_a_dead_run(box, here)
    box.record(traffic(40, 8))
    box.clock.now_ns += 3 * 366 * DAY_NS
    assert destruction.destroy(box.home, box.config, box.clock, stated_ns=box.clock.now_ns).destroyed
    assert not box.files("journal")
    assert not [found for found in faults(box) if "journal/" in found]


def test_the_journals_of_a_restored_home_are_re_read(box: Box, here: Here, tmp_path: Path) -> None:
    """Cut off as by a thief: neither the envelope nor the journal of the last run is in the chain there."""
    chain = box.home.chain.read_bytes()
    journal_of_a_dead_run(box, here)
    site = sites.find(here.central, "Hotel du Port")
    restoring.restore(here.central, site, tmp_path / "out")
    home = Home(tmp_path / "out" / "home")
    checked = account_check.check(home)
    assert (checked.faults, checked.counts["north"] > 6) == ([], True)
    home.chain.write_bytes(chain)
    assert not account_check.check(home).faults, "an envelope may come before its line"
    known = chain.decode()
    for room in ("journal", "envelopes"):
        [path] = [path for path in (home.path / room).rglob("*.*") if path.name not in known]
        content = path.read_bytes()
        path.write_bytes(content[::-1])
        found = account_check.check(home).faults
        assert [one.place for one in found] == [str(path.relative_to(home.path))]
        path.unlink()
        assert ["is gone: central 'north'" in one.what for one in account_check.check(home).faults] == [True]
        path.write_bytes(content)
    assert not account_check.check(home).faults

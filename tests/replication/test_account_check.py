"""What centrals signed betrays a home that is not as it was: each change is found, at its place."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.model.instants import HOUR_NS
from appliance.replication import account_check, accounts
from appliance.vault import verify
from tests.replication.centrals_here import Here, central_for, send_all
from tests.vault.made_homes import Box, make_box
from tests.vault.made_rows import traffic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = make_box(tmp_path / "box")
    for seed in range(2):
        made.record(traffic(40, seed))
        made.clock.now_ns += HOUR_NS
    return made


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

"""Destruction: at the term and not before, of everything, resumable anywhere, for every custodian."""

import datetime as dt
import os
from pathlib import Path

import pytest

from appliance.model.errors import DestroyedError, GreffierError, StorageError
from appliance.model.instants import DAY_NS, NS, start_of
from appliance.retention.destruction import destroy
from appliance.retention.policy import destroyed_on
from appliance.vault import chain
from appliance.vault.names import VaultName
from appliance.vault.seals import ClockConfirmed, Destroyed, DestructionOrdered, Seal
from appliance.vault.unseal import journal as journals
from appliance.vault.verify import verify
from tests.vault.made_homes import DAY, SOURCES, Box, make_box, run_that_dies, tables_of, traffic

NEXT = DAY + dt.timedelta(days=1)
TERM_OVER_NS = start_of(destroyed_on(DAY, 1))


def box_with_two_days(folder: Path) -> Box:
    """Two days, each with a segment and an adopted journal file."""
    box = make_box(folder)
    for day in (DAY, NEXT):
        box.record(traffic(9, 1, day=day))
        run_that_dies(box, traffic(9, 2, day=day))
    with box.recording():
        pass
    return box


def key_ids(box: Box, day: dt.date) -> list[str]:
    return sorted({path.stem for path in box.home.envelopes(VaultName.TRAFFIC, day).glob("*")})


def days_in(box: Box) -> set[str]:
    return {path.parent.name for room in ("envelopes", "segments", "journal") for path in box.files(room)}


def test_the_day_before_nothing_goes_and_on_the_day_all_of_it(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    early = destroy(box.home, box.config, box.clock, TERM_OVER_NS - 1)
    assert early.destroyed == ()
    assert [(kept.day, kept.until) for kept in early.kept] == [
        (day, destroyed_on(day, 1)) for day in (DAY, NEXT)
    ]
    keys = key_ids(box, DAY)
    assert len(keys) == 2
    done = destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    [certificate] = done.destroyed
    assert (certificate.day, sorted(certificate.key_ids), certificate.file_count) == (DAY, keys, 3)
    assert days_in(box) == {NEXT.isoformat()}
    assert [kept.day for kept in done.kept] == [NEXT]
    written = [entry.body for entry in chain.read(box.home)][-2:]
    assert isinstance(written[0], DestructionOrdered)
    assert written[1] == certificate
    assert verify(box.home).faults == ()


def test_all_custodians_together_cannot_read_the_day_any_more(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path / "box")
    before = box.copy_to(tmp_path / "before")  # segments and journal as a backup has them
    [gone_key, *_] = key_ids(box, DAY)
    [journal_file] = before.home.journal(VaultName.TRAFFIC, DAY).glob("*.journal")
    assert len(tables_of(journals.read(journal_file, box.opener()))) == 9
    destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    after = box.copy_to(tmp_path / "after")
    for home in (box, after):
        with pytest.raises(DestroyedError, match="destroyed after their term"):
            home.opener().open(VaultName.TRAFFIC, DAY, gone_key)
        with pytest.raises(DestroyedError):
            tables_of(journals.read(journal_file, home.opener()))
        kept_key = key_ids(home, NEXT)[0]
        assert home.opener().open(VaultName.TRAFFIC, NEXT, kept_key).day == NEXT


def test_nothing_of_an_envelope_is_left_in_its_blocks(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    path = next(iter(box.home.envelopes(VaultName.TRAFFIC, DAY).iterdir()))
    held = os.open(path, os.O_RDONLY)
    size = os.fstat(held).st_size
    destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    assert os.read(held, size) == bytes(size)
    os.close(held)


def test_a_dry_run_says_the_same_and_does_nothing(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    files = {path: path.read_bytes() for path in box.home.path.rglob("*") if path.is_file()}
    planned = destroy(box.home, box.config, box.clock, TERM_OVER_NS, dry_run=True)
    assert {path: path.read_bytes() for path in box.home.path.rglob("*") if path.is_file()} == files
    done = destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    assert planned == done


def test_cut_short_anywhere_it_is_finished_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the n-th sync, for every n, until a destruction comes through."""
    reference = box_with_two_days(tmp_path / "box")
    real_fsync, real_fdatasync = os.fsync, os.fdatasync
    survived = 0
    while True:
        box = reference.copy_to(tmp_path / f"copy{survived}")
        left = survived

        def failing(handle: int, real: object = None) -> None:
            nonlocal left
            if left == 0:
                raise OSError(5, "Input/output error")
            left -= 1
            real_fsync(handle)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing)
            patched.setattr(os, "fdatasync", failing)
            try:
                destroy(box.home, box.config, box.clock, TERM_OVER_NS)
            except StorageError:
                interrupted = True
            else:
                interrupted = False
        assert (os.fsync, os.fdatasync) == (real_fsync, real_fdatasync)
        assert verify(box.home).faults == ()
        destroy(box.home, box.config, box.clock, TERM_OVER_NS)
        assert days_in(box) == {NEXT.isoformat()}
        assert verify(box.home).faults == ()
        assert [entry.body.day for entry in chain.read(box.home) if isinstance(entry.body, Destroyed)] == [
            DAY
        ]
        if not interrupted:
            break
        survived += 1
    assert survived >= 4


def test_what_was_begun_is_finished_even_if_the_clock_is_in_doubt(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    opened = chain.Chain.open(box.home)
    opened.clock = box.clock
    opened.append([DestructionOrdered(VaultName.TRAFFIC, DAY, tuple(key_ids(box, DAY)), 1, TERM_OVER_NS)])
    outcome = destroy(box.home, box.config, lambda: box.clock.now_ns - DAY_NS)
    assert outcome.doubt
    assert days_in(box) == {NEXT.isoformat()}


def test_files_put_back_from_a_backup_are_a_fault_and_go_again(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    saved = {
        path: path.read_bytes()
        for room in ("envelopes", "segments")
        for path in box.files(room)
        if DAY.isoformat() in str(path)
    }
    destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    for path, content in saved.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert len(verify(box.home).faults) == len(saved)
    destroy(box.home, box.config, box.clock)
    assert days_in(box) == {NEXT.isoformat()}
    assert verify(box.home).faults == ()


def test_a_recorder_at_work_keeps_its_key_until_it_ends(tmp_path: Path) -> None:
    """An old capture is recorded again, past its term, while retention runs."""
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        writer.journal(traffic(5), SOURCES)
        outcome = destroy(box.home, box.config, box.clock, TERM_OVER_NS)
        assert outcome.destroyed == ()
        assert "recorder at work" in outcome.kept[0].why
        writer.seal(traffic(5), SOURCES, [])
    assert len(destroy(box.home, box.config, box.clock, TERM_OVER_NS).destroyed) == 1
    assert verify(box.home).faults == ()


def test_a_day_recorded_again_after_its_destruction_goes_again(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    box.record(traffic(4))
    assert verify(box.home).faults == ()
    assert len(destroy(box.home, box.config, box.clock, TERM_OVER_NS).destroyed) == 1
    assert days_in(box) == {NEXT.isoformat()}


def test_a_term_of_two_years_is_kept_two_years(tmp_path: Path) -> None:
    import dataclasses

    box = box_with_two_days(tmp_path)
    longer = dataclasses.replace(box.config, term_years={"traffic": 2, "source": 1})
    assert destroy(box.home, longer, box.clock, TERM_OVER_NS).destroyed == ()
    assert destroy(box.home, longer, box.clock, start_of(destroyed_on(DAY, 2))).destroyed


@pytest.mark.parametrize("jump_ns", [400 * DAY_NS, -2 * NS, 41 * DAY_NS])
def test_a_clock_that_jumped_destroys_nothing(tmp_path: Path, jump_ns: int) -> None:
    box = box_with_two_days(tmp_path)
    outcome = destroy(box.home, box.config, lambda: box.clock.now_ns + jump_ns)
    assert outcome.doubt
    assert outcome.destroyed == ()
    assert len(days_in(box)) == 2


def test_a_recorder_that_ran_with_the_wrong_clock_does_not_make_it_right(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    box.clock.now_ns += 400 * DAY_NS
    with box.recording() as (run, _):
        run.chain.append([Seal(VaultName.TRAFFIC, None, None, run.id, None, 0, None, None, (), (), ())])
    assert destroy(box.home, box.config, lambda: box.clock.now_ns + NS).doubt
    assert len(days_in(box)) == 2


def test_a_person_who_confirms_the_clock_is_believed_and_it_stays_confirmed(tmp_path: Path) -> None:
    """The house was closed for more than a year."""
    box = box_with_two_days(tmp_path)
    now_ns = TERM_OVER_NS + 5 * NS
    assert destroy(box.home, box.config, lambda: now_ns).doubt
    box.clock.now_ns = now_ns
    confirmed = destroy(box.home, box.config, lambda: now_ns, now_ns)
    assert [gone.day for gone in confirmed.destroyed] == [DAY]
    assert any(entry.body == ClockConfirmed(now_ns) for entry in chain.read(box.home))
    later = destroy(box.home, box.config, lambda: now_ns + DAY_NS)
    assert later.doubt is None
    assert [gone.day for gone in later.destroyed] == [NEXT]


def test_an_instant_that_is_not_the_clocks_confirms_nothing(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    assert not any(isinstance(entry.body, ClockConfirmed) for entry in chain.read(box.home))


def test_a_home_without_its_chain_destroys_nothing(tmp_path: Path) -> None:
    box = box_with_two_days(tmp_path)
    box.home.chain.unlink()
    with pytest.raises(GreffierError):
        destroy(box.home, box.config, box.clock, TERM_OVER_NS)
    assert len(days_in(box)) == 2

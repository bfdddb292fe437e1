"""The writer of a vault: days and hours, keys before use, all or nothing."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from appliance.model.coverage import Coverage
from appliance.model.errors import StorageError
from appliance.model.instants import DAY_NS, day_of, start_of
from appliance.vault import chain
from appliance.vault.seals import EnvelopeMade, Seal
from appliance.vault.unseal import journal as journals
from appliance.vault.verify import verify
from tests.runtime.full_disk import no_file_larger_than
from tests.vault.made_homes import DAY, SOURCES, as_kept, make_box, tables_of, traffic

SEEN = Coverage("interface:mirror0", 5, 9, 100, 200, {"not_ip": 3}, {"kernel": 1})


def test_rows_are_journaled_and_sealing_replaces_the_journal(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    rows = traffic(100)
    with box.recording() as (run, writer):
        writer.journal(rows, SOURCES)
        [file] = box.files("journal")
        assert tables_of(journals.read(file, box.opener())) == as_kept(rows)
        [seal] = writer.seal(rows, SOURCES, [SEEN])
    assert box.files("journal") == []
    assert (seal.rows, seal.run, seal.replaces, seal.coverage) == (100, run.id, (file.name,), (SEEN,))
    assert chain.read(box.home)[-1].body == seal
    assert verify(box.home).faults == ()


def test_the_envelope_and_its_line_are_there_before_the_first_row(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        assert box.files("envelopes") == []
        writer.journal(traffic(1), SOURCES)
        [made] = [entry.body for entry in chain.read(box.home) if isinstance(entry.body, EnvelopeMade)]
        assert [path.name for path in box.files("envelopes")] == [made.file.name]
        assert made.key_id in box.files("journal")[0].name


def test_days_and_hours_of_a_replayed_file_are_kept_apart(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    days = [DAY, DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=40)]
    parts = [
        traffic(50, seed, hour, day)
        for seed, (day, hour) in enumerate((d, h) for d in days for h in (3, 4, 20))
    ]
    rows = np.concatenate(parts)
    np.random.default_rng(1).shuffle(rows)
    with box.recording() as (_, writer):
        writer.journal(rows, SOURCES)
        assert {path.parent.name for path in box.files("journal")} == {day.isoformat() for day in days}
        sealed = writer.seal(rows, SOURCES, [SEEN])
    assert [(seal.day, seal.rows) for seal in sealed] == [(day, 150) for day in days]
    assert [seal.coverage for seal in sealed] == [(), (), (SEEN,)]
    assert [bool(seal.replaces) for seal in sealed] == [False, False, True]
    assert all(seal.name is not None and seal.name.startswith("03") for seal in sealed)


@pytest.mark.parametrize(
    ("hours", "pieces"), [((40_000, 30_000), 2), ((30_000, 30_000, 10), 1), ((70_000, 10), 2)]
)
def test_small_hours_share_a_segment_and_large_ones_do_not(
    tmp_path: Path, hours: tuple[int, ...], pieces: int
) -> None:
    box = make_box(tmp_path)
    rows = np.concatenate([traffic(count, hour, hour) for hour, count in enumerate(hours)])
    with box.recording() as (_, writer):
        sealed = writer.seal(rows, SOURCES, [])
    assert len(sealed) == pieces
    assert sum(seal.rows for seal in sealed) == len(rows)


def test_coverage_without_rows_is_sealed_and_nothing_at_all_is_not(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        assert writer.seal(traffic(0), SOURCES, []) == []
        [seal] = writer.seal(traffic(0), SOURCES, [SEEN])
    assert (seal.rows, seal.files, seal.day, seal.coverage) == (0, (), None, (SEEN,))
    assert box.files("envelopes") == []
    assert verify(box.home).faults == ()


def test_a_full_disk_in_a_seal_leaves_all_as_it_was(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    rows = np.concatenate([traffic(100), traffic(5000, 2, day=DAY + dt.timedelta(days=1))])
    with box.recording() as (_, writer):
        writer.journal(rows, SOURCES)
        journal_files = box.files("journal")
        with no_file_larger_than(50_000), pytest.raises(StorageError):
            writer.seal(rows, SOURCES, [SEEN])
        assert box.files("segments") == []
        assert box.files("journal") == journal_files
        assert not any(isinstance(entry.body, Seal) for entry in chain.read(box.home))
        writer.seal(rows, SOURCES, [SEEN])
    assert box.files("journal") == []
    assert verify(box.home).faults == ()


def test_a_seal_that_the_chain_refuses_leaves_no_segment(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        writer.journal(traffic(10), SOURCES)
        many = [Coverage(f"file:{number}", 0, 1, 2, 3) for number in range(400)]
        with no_file_larger_than(30_000), pytest.raises(StorageError, match=r"chain\.jsonl"):
            writer.seal(traffic(10), SOURCES, many)
        assert box.files("segments") == []
        assert len(box.files("journal")) == 1
        assert len(writer.seal(traffic(10), SOURCES, many)) == 1
    assert verify(box.home).faults == ()


def test_a_disk_too_full_for_an_envelope_draws_no_key(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        with no_file_larger_than(500), pytest.raises(StorageError):
            writer.journal(traffic(10), SOURCES)
        assert box.files("envelopes") == []
        writer.journal(traffic(10), SOURCES)
        assert len(box.files("envelopes")) == 1


def test_forgotten_days_are_drawn_anew(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        writer.journal(traffic(5), SOURCES)
        writer.forget_keys_before(DAY)
        writer.seal(traffic(5), SOURCES, [])
        assert len(box.files("envelopes")) == 1
        writer.forget_keys_before(DAY + dt.timedelta(days=1))
        writer.journal(traffic(5, 2), SOURCES)
    assert len(box.files("envelopes")) == 2


def test_every_run_and_vault_draws_its_own_key(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.record(traffic(5))
    box.record(traffic(5))
    keys = {entry.body.key_id for entry in chain.read(box.home) if isinstance(entry.body, EnvelopeMade)}
    assert len(keys) == 2


def test_a_row_belongs_to_the_utc_day_of_its_first_instant(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    rows = traffic(2)
    rows["first_seen"] = [start_of(DAY) + DAY_NS - 1, start_of(DAY) + DAY_NS]
    rows["last_seen"] = rows["first_seen"] + 10**9
    with box.recording() as (_, writer):
        sealed = writer.seal(rows, SOURCES, [])
    assert [seal.day for seal in sealed] == [day_of(int(first)) for first in rows["first_seen"]]

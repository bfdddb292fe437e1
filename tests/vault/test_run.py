"""A start after deaths: nothing lost, nothing doubled, the gap stated, living runs left alone."""

import json
from pathlib import Path

from appliance.model.coverage import Coverage
from appliance.model.instants import NS, to_iso
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import Durable, RecorderState, SourceState, StateFile
from appliance.vault import chain
from appliance.vault.liveness import is_live, unclosed
from appliance.vault.run import Run
from appliance.vault.seals import Adoption, Custodians, Interruption, Repair
from appliance.vault.unseal import journal as journals
from appliance.vault.verify import verify
from tests.vault.made_homes import NOW_NS, SOURCES, Box, as_kept, make_box, run_that_dies, tables_of, traffic


def bodies(box: Box, kind: type) -> list[object]:
    return [entry.body for entry in chain.read(box.home) if isinstance(entry.body, kind)]


def say(box: Box, run_id: str, packets: int) -> None:
    """The state file that a recorder leaves."""
    source = {
        "name": SOURCES[0],
        "packets": packets,
        "bytes": 9 * packets,
        "records": 1,
        "last_record": None,
        "lost": {"kernel": 4},
        "noted": {"ring_full": 1},
        "measured": {"clock_error_us": 70},
        "durable": {
            "until": to_iso(NOW_NS + 7 * NS),
            "asked": to_iso(NOW_NS + 7 * NS),
            "packets": packets,
            "bytes": 9 * packets,
            "last_record": None,
            "given_up": 0,
        },
        "spells": [
            [to_iso(NOW_NS), to_iso(NOW_NS + 2 * NS)],
            [to_iso(NOW_NS + 4 * NS), to_iso(NOW_NS + 7 * NS)],
        ],
        "interface": None,
    }
    content = {
        "run": run_id,
        "pid": 1,
        "started": to_iso(NOW_NS),
        "updated": to_iso(NOW_NS + 7 * NS),
        "ended": False,
        "sources": [source],
        "alarms": [],
    }
    (box.home.state / f"recorder-{run_id}.json").write_text(json.dumps(content))


def test_a_killed_runs_journal_is_adopted_as_it_lies_and_its_gap_stated(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    rows = traffic(30)
    dead = run_that_dies(box, rows)
    say(box, dead, 50)
    [file] = box.files("journal")
    before = file.read_bytes()
    assert unclosed(box.home) == [dead]
    assert verify(box.home).faults == ()
    box.clock.now_ns += 3600 * NS
    with Run.start(box.home, box.clock) as run:
        assert any("adopted" in note for note in run.notes)
    [adoption] = bodies(box, Adoption)
    assert isinstance(adoption, Adoption)
    assert (adoption.file.name, adoption.run) == (file.name, dead)
    assert file.read_bytes() == before
    assert tables_of(journals.read(file, box.opener())) == as_kept(rows)
    covered = (
        Coverage(SOURCES[0], NOW_NS, NOW_NS + 2 * NS, 0, 0, noted={"interrupted": 1}),
        Coverage(
            SOURCES[0],
            NOW_NS + 4 * NS,
            NOW_NS + 7 * NS,
            50,
            450,
            {},
            {"kernel": 4},
            {"ring_full": 1, "interrupted": 1},
            {"clock_error_us": 70},
        ),
    )
    assert bodies(box, Interruption) == [Interruption(dead, NOW_NS + 7 * NS, covered)]
    assert unclosed(box.home) == []
    assert verify(box.home).faults == ()


def tell(box: Box, run_id: str, durable: Durable, **others: object) -> None:
    """The state of a run that has read 50 packets, and has not all of them on disk."""
    spells = ((NOW_NS, NOW_NS + 2 * NS), (NOW_NS + 4 * NS, NOW_NS + 20 * NS))
    lost = {"kernel": 4, "storage": 9}
    source = SourceState(SOURCES[0], 50, 450, 1, None, lost, {}, {}, durable, spells)
    state = RecorderState(run_id, 1, NOW_NS, NOW_NS + 20 * NS, False, (source,), ())
    StateFile(box.home.state, run_id).write(state)
    assert recorder_state.read(box.home.state / f"recorder-{run_id}.json") == state


REFUSED_SINCE = Durable(NOW_NS + 5 * NS, NOW_NS + 20 * NS, 30, 270, None, given_up=2)


def settled(box: Box) -> Interruption:
    box.clock.now_ns += 3600 * NS
    Run.start(box.home, box.clock).close()
    [interruption] = bodies(box, Interruption)
    assert isinstance(interruption, Interruption)
    assert verify(box.home).faults == ()
    return interruption


def test_what_a_refusing_disk_did_not_take_died_with_the_run_and_is_said_to_be_lost(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    dead = run_that_dies(box, traffic(30))
    tell(box, dead, REFUSED_SINCE)
    stated = settled(box)
    assert stated.until_ns == NOW_NS + 5 * NS
    before, last = stated.coverage
    assert (before.packets, before.lost) == (0, {})
    assert (last.first_ns, last.last_ns) == (NOW_NS + 4 * NS, NOW_NS + 5 * NS)
    assert (last.packets, last.bytes) == (30, 270)
    assert last.lost == {"kernel": 4, "storage": 2, "unwritten": 20}


def test_what_the_journal_took_after_the_last_word_is_not_lost(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    box.clock.now_ns = NOW_NS + 21 * NS
    dead = run_that_dies(box, traffic(30))
    tell(box, dead, REFUSED_SINCE)
    stated = settled(box)
    assert stated.until_ns == NOW_NS + 21 * NS
    assert [part.packets for part in stated.coverage] == [0, 50]
    assert stated.coverage[-1].lost == {"kernel": 4, "storage": 9}


def test_nothing_of_a_run_is_on_disk_and_it_closed_its_lock(tmp_path: Path) -> None:
    """It was told to stop while the disk refused: no journal, no lock, but its last word."""
    box = make_box(tmp_path)
    with box.recording() as (run, _):
        tell(box, run.id, Durable(NOW_NS, NOW_NS + 20 * NS))
    assert not box.files("journal")
    assert unclosed(box.home) == []
    stated = settled(box)
    [part] = stated.coverage
    assert (part.packets, part.lost) == (0, {"kernel": 4, "unwritten": 50})
    assert stated.until_ns == NOW_NS
    with Run.start(box.home, box.clock) as again:
        assert again.notes == ()
    assert len(bodies(box, Interruption)) == 1


def test_a_feed_was_listened_to_from_when_it_began_until_the_last_frame(tmp_path: Path) -> None:
    """What came after the last word is in no count, and recorded: its time was seen."""
    box = make_box(tmp_path)
    box.clock.now_ns = NOW_NS + 21 * NS
    dead = run_that_dies(box, traffic(30))
    durable = Durable(NOW_NS + 20 * NS, NOW_NS + 20 * NS, 307, 900, NOW_NS + 20 * NS)
    ceased, heard = ((NOW_NS, NOW_NS + 5 * NS),), ((NOW_NS, NOW_NS + 20 * NS),)
    sources = (
        SourceState("feed:gone", 2, 9, 0, NOW_NS + 4 * NS, {}, {}, {}, durable, ceased),
        SourceState("feed:ctl", 307, 900, 0, NOW_NS + 20 * NS, {}, {}, {}, durable, heard),
    )
    state = RecorderState(dead, 1, NOW_NS, NOW_NS + 20 * NS, False, sources, ())
    StateFile(box.home.state, dead).write(state)
    gone, controller = settled(box).coverage
    assert (gone.first_ns, gone.last_ns, gone.packets) == (NOW_NS, NOW_NS + 5 * NS, 2)
    assert (controller.first_ns, controller.last_ns) == (NOW_NS, NOW_NS + 21 * NS)
    assert (controller.packets, controller.noted) == (307, {"interrupted": 1})


def test_what_was_kept_apart_died_with_the_run_and_is_said_to_be_lost(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    spells = ((NOW_NS, NOW_NS + 20 * NS),)
    durable = Durable(NOW_NS + 20 * NS, NOW_NS + 20 * NS)
    source = SourceState("feeds", 0, 0, 0, None, {"quarantined": 2}, {}, {}, durable, spells, kept_apart=5)
    with box.recording() as (run, _):
        state = RecorderState(run.id, 1, NOW_NS, NOW_NS + 20 * NS, False, (source,), ())
        StateFile(box.home.state, run.id).write(state)
    assert recorder_state.read_all(box.home.state) == [state]
    [part] = settled(box).coverage
    assert (part.source, part.lost) == ("feeds", {"quarantined": 7})


def test_what_is_settled_once_is_not_settled_again(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    run_that_dies(box, traffic(3))
    for _ in range(3):
        Run.start(box.home, box.clock).close()
    assert len(bodies(box, Adoption)) == len(bodies(box, Interruption)) == 1


def test_a_run_killed_after_its_seal_leaves_nothing_to_adopt(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    run_that_dies(box, traffic(3), seal=True)
    Run.start(box.home, box.clock).close()
    assert bodies(box, Adoption) == []
    assert verify(box.home).faults == ()


def test_a_living_runs_files_are_left_alone(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (run, writer):
        writer.journal(traffic(3), SOURCES)
        Run.start(box.home, box.clock).close()
        assert is_live(box.home, run.id)
        assert len(box.files("journal")) == 1
        assert bodies(box, Adoption) == []
        assert verify(box.home).counts["open"] == 1
        writer.seal(traffic(3), SOURCES, [])
    assert verify(box.home).faults == ()


def test_a_run_closed_with_rows_in_the_journal_loses_none(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        writer.journal(traffic(3), SOURCES)  # and the disk was too full to seal
    Run.start(box.home, box.clock).close()
    assert len(bodies(box, Adoption)) == 1


def test_an_interrupted_seal_leaves_no_file_and_its_rows_stay_in_the_journal(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    before = box.home.chain.read_bytes()
    run_that_dies(box, traffic(9), seal=True)
    # As if it had died between the segment and its line: take the seal away and put the journal back.
    lines = box.home.chain.read_bytes().splitlines(keepends=True)
    assert lines[0] == before
    dead = box.copy_to(tmp_path / "copy")
    dead.home.chain.write_bytes(b"".join(lines[:2]))
    chain.head_file(dead.home).write_text(
        str(chain.parse_head(f"1:{'0' * 64}")).replace("0" * 64, _hash(lines[1]))
    )
    assert len(dead.files("segments")) == 2
    assert verify(dead.home).faults == ()
    with Run.start(dead.home, dead.clock) as run:
        assert sum("interrupted seal" in note for note in run.notes) == 2
    assert dead.files("segments") == []
    assert verify(dead.home).faults == ()


def _hash(line: bytes) -> str:
    import hashlib

    return hashlib.sha256(line).hexdigest()


def test_after_a_rollback_unknown_files_are_evidence_and_stay(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    first = box.home.chain.read_bytes()
    run_that_dies(box, traffic(9), seal=True)
    box.home.chain.write_bytes(first)
    Run.start(box.home, box.clock).close()
    Run.start(box.home, box.clock).close()
    assert len(box.files("segments")) == 2
    assert any("had been cut" in fault.what for fault in verify(box.home).faults)


def test_a_journal_file_that_a_seal_replaced_but_was_not_deleted_goes(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.recording() as (_, writer):
        writer.journal(traffic(3), SOURCES)
        [file] = box.files("journal")
        content = file.read_bytes()
        writer.seal(traffic(3), SOURCES, [])
    file.write_bytes(content)
    assert verify(box.home).faults == ()
    Run.start(box.home, box.clock).close()
    assert not file.exists()
    assert bodies(box, Adoption) == []


def test_a_file_torn_before_its_first_frame_is_removed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    run_that_dies(box, traffic(3))
    [file] = box.files("journal")
    file.write_bytes(file.read_bytes()[:100])
    Run.start(box.home, box.clock).close()
    assert not file.exists()
    assert verify(box.home).faults == ()


def test_an_envelope_whose_line_was_never_written_is_removed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    first = box.home.chain.read_bytes()
    head = chain.head_file(box.home).read_bytes()
    run_that_dies(box, traffic(3))
    for path in box.files("journal"):
        path.unlink()
    box.home.chain.write_bytes(first)
    chain.head_file(box.home).write_bytes(head)
    assert verify(box.home).faults == ()
    Run.start(box.home, box.clock).close()
    assert box.files("envelopes") == []
    assert verify(box.home).faults == ()


def test_a_torn_chain_is_repaired_at_the_start(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    with box.home.chain.open("ab") as file:
        file.write(b'{"at":"2026')
    with Run.start(box.home, box.clock) as run:
        assert any("torn" in note for note in run.notes)
    assert bodies(box, Repair) == [Repair(11)]


def test_new_custodians_in_the_settings_are_signed_into_the_chain(tmp_path: Path) -> None:
    box, other = make_box(tmp_path / "box"), make_box(tmp_path / "other", 3, 2)
    box.record(traffic(3))
    settings = box.home.config.read_text()
    begin, end = settings.index("custodians = ["), settings.index("[recording]")
    listed = "".join(f'    "{recipient}",\n' for recipient in other.config.custodians)
    box.home.config.write_text(f"{settings[:begin]}custodians = [\n{listed}]\n\n{settings[end:]}")
    assert any("names other custodians" in notice.what for notice in verify(box.home).notices)
    box.config = other.config
    box.record(traffic(3))
    assert bodies(box, Custodians) == [Custodians(other.config.custodians, 2)]
    report = verify(box.home)
    assert report.faults == ()
    assert any("new custodians: 2 of 3" in notice.what for notice in report.notices)

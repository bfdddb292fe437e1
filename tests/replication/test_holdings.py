"""What a home holds, read while it grows, shrinks and is replaced under the reader's eyes."""

import os
import shutil
import time
from pathlib import Path

import pytest

from appliance.config.box import LEGAL_TERM_YEARS
from appliance.model.errors import HomeError, ReplicationError
from appliance.model.instants import DAY_NS, HOUR_NS, NS, from_iso
from appliance.replication.holdings import Gone, Holdings
from appliance.replication.missing import Urgency
from appliance.retention import destruction
from appliance.runtime.files import write_once
from appliance.statistics import archive
from appliance.vault import day_archive
from tests.replication.centrals_here import at_home
from tests.vault.made_homes import SOURCES, Box, make_box, run_that_dies
from tests.vault.made_rows import traffic


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = make_box(tmp_path / "box")
    made.record(traffic(40))
    return made


def held(holdings: Holdings) -> dict[str, str]:
    """Name and hash of everything that is to be sent, by reading it as a sender does."""
    holdings.refresh()
    found = {}
    for item in holdings.items:
        content = holdings.open(item)
        with content.file as file:
            read = file.read()
        assert (len(read), content.size_bytes) == (content.size_bytes, item.size_bytes)
        found[item.name] = content.sha256
    return found


def test_it_is_what_lies_in_the_home(box: Box) -> None:
    run_that_dies(box, traffic(5, 9))
    write_once(box.home.statistics / "2026-03-14" / "cafe0123-000001.jsonl", b'{"hour":1}\n')
    write_once(box.home.statistics / "2026-03-14" / "cafe0124.draft", b'{"day":1}\n')
    found = held(Holdings(box.home, box.clock))
    assert found == at_home(box)
    assert {name.partition("/")[0] for name in found} == {
        "chain", "envelopes", "journal", "segments", "statistics",
    }  # fmt: skip


def test_statistics_that_are_packed_are_sent_as_they_were_written(box: Box) -> None:
    day, text = "2026-03-14", '{"hour":"2026-03-14T05:00:00Z","users":4,"cells":[]}\n'
    for number in range(3):
        write_once(box.home.statistics / day / f"cafe0123-{number:06}.jsonl", (number + 1) * text.encode())
    holdings = Holdings(box.home, box.clock)
    before = held(holdings)
    items = [item for item in holdings.items if item.urgency is Urgency.STATISTICS]
    assert len(items) == 3
    assert archive.compact(box.home, from_iso("2026-03-16")) == 1
    with holdings.open(items[1]).file as file:  # listed before it was packed
        assert file.read() == 2 * text.encode()
    assert held(holdings) == before
    assert [item for item in holdings.items if item.urgency is Urgency.STATISTICS] == items
    packed = box.home.statistics / day / day_archive.NAME
    packed.write_bytes(packed.read_bytes()[:-3])
    with pytest.raises(ReplicationError, match="cannot be unpacked"):
        holdings.open(items[1])
    packed.unlink()
    with pytest.raises(Gone):
        holdings.open(items[1])


def test_what_is_appended_is_read_on_from_where_it_was_left(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    holdings = Holdings(box.home, box.clock)
    held(holdings)
    parsed: list[int] = []
    from appliance.replication import lines

    whole = lines.chains.entry

    def counted(fields: dict[str, object], line: bytes) -> object:
        parsed.append(1)
        return whole(fields, line)

    before = len(holdings.lines())
    version = holdings.version
    holdings.refresh()
    assert (holdings.version, parsed) == (version, [])
    box.record(traffic(40, 2))
    monkeypatch.setattr(lines.chains, "entry", counted)
    holdings.refresh()
    assert len(parsed) == len(holdings.lines()) - before > 0
    assert holdings.version > version
    monkeypatch.undo()
    assert held(holdings) == at_home(box)


def test_a_chain_that_was_cut_or_replaced_is_read_anew(box: Box, tmp_path: Path) -> None:
    older = box.copy_to(tmp_path / "older")
    holdings = Holdings(box.home, box.clock)
    box.record(traffic(40, 2))
    held(holdings)
    shutil.rmtree(box.home.path)
    shutil.copytree(older.home.path, box.home.path)
    assert held(holdings) == at_home(box)
    longer = len(holdings.lines())
    for seed in range(3, 6):  # and goes on, to a longer chain than the one that was lost
        box.record(traffic(40, seed))
    assert held(holdings) == at_home(box)
    assert len(holdings.lines()) > longer


def test_a_line_counts_when_it_is_whole(box: Box) -> None:
    holdings = Holdings(box.home, box.clock)
    whole = held(holdings)
    with box.home.chain.open("ab") as chain:
        chain.write(b'{"at":"2026-')
    assert held(holdings) == whole
    box.record(traffic(40, 2))  # cuts the torn end off and says so
    assert held(holdings) == at_home(box)


def test_a_chain_damaged_in_the_middle_is_sent_up_to_there_and_said(box: Box) -> None:
    content = box.home.chain.read_bytes().splitlines(keepends=True)
    box.home.chain.write_bytes(b"".join([*content[:2], b"rubbish\n", *content[3:]]))
    holdings = Holdings(box.home, box.clock)
    holdings.refresh()
    assert len(holdings.lines()) == 2
    assert holdings.fault
    assert "line 3" in holdings.fault
    box.home.chain.unlink()
    with pytest.raises(HomeError, match="cannot read"):
        holdings.refresh()


def test_a_journal_counts_when_it_is_whole_and_until_it_is_replaced(box: Box) -> None:
    holdings = Holdings(box.home, box.clock)

    def journals() -> list[str]:
        return [name for name in held(holdings) if name.startswith("journal/")]

    def age(seconds: float) -> None:
        """The file system has a clock of its own."""
        at_ns = box.clock.now_ns - round(seconds * NS)
        for path in box.files("journal"):
            os.utime(path, ns=(at_ns, at_ns))
            os.utime(path.parent, ns=(at_ns, at_ns))

    with box.recording() as (_, writer):
        writer.journal(traffic(5, 1), SOURCES)
        box.clock.now_ns += 31 * NS
        age(31)
        assert not journals(), "its recorder may still be about to add to it"
        box.clock.now_ns += 2 * NS
        age(1)
        assert not journals(), "something was just written"
        age(33)
        [name] = journals()
        assert held(holdings) == at_home(box), "though its recorder is alive and has nothing to add"
        assert not holdings.is_gone(name)
        writer.seal(traffic(5, 1), SOURCES, ())
        assert not journals()
        assert holdings.is_gone(name)
    assert held(holdings) == at_home(box)


def test_the_receipt_of_a_journal_that_was_taken_away_still_proves_something(box: Box) -> None:
    """It is all that shows that there was one: an account must not let go of it."""
    run_that_dies(box, traffic(5, 1))
    [path] = box.files("journal")
    holdings = Holdings(box.home, box.clock)
    held(holdings)
    path.unlink()
    held(holdings)
    assert not holdings.is_gone(str(path.relative_to(box.home.path)))


def test_a_dead_runs_journal_goes_at_once_and_is_fixed_when_it_is_adopted(box: Box) -> None:
    holdings = Holdings(box.home, box.clock)
    run_that_dies(box, traffic(5, 9))
    holdings.refresh()
    [item] = [item for item in holdings.items if item.urgency is Urgency.JOURNAL]
    assert item.sha256 is None
    box.record(traffic(40, 2))
    holdings.refresh()
    [adopted] = [adopted for adopted in holdings.items if adopted.name == item.name]
    assert (adopted.urgency, adopted.sha256 is not None) == (Urgency.BULK, True)
    assert held(holdings) == at_home(box)


def test_what_is_destroyed_is_sent_no_more(box: Box) -> None:
    holdings = Holdings(box.home, box.clock)
    held(holdings)
    keys = [item.name for item in holdings.items if item.urgency is Urgency.ENVELOPE]
    box.clock.now_ns += 39 * DAY_NS
    for _ in range(11):
        box.record(traffic(40, 2, day=destruction.day_of(box.clock.now_ns)))
        box.clock.now_ns += 39 * DAY_NS
    assert max(LEGAL_TERM_YEARS.values()) == 1
    outcome = destruction.destroy(box.home, box.config, box.clock)
    assert outcome.destroyed
    assert held(holdings) == at_home(box)
    assert holdings.is_gone(keys[0])
    assert not holdings.is_gone(holdings.lines()[0].name), "the chain is for ever"


def test_what_is_not_ours_is_left_alone(box: Box) -> None:
    folder = box.home.segments(destruction.VaultName.TRAFFIC, destruction.day_of(box.clock.now_ns))
    journal = box.home.journal(destruction.VaultName.TRAFFIC, destruction.day_of(box.clock.now_ns))
    journal.mkdir(parents=True, exist_ok=True)
    before = held(Holdings(box.home, box.clock))
    (folder / "1400-0123456789abcdef-5e9a01c2.parquet").write_bytes(b"fixed by no line")
    (journal / "notes.txt").write_bytes(b"x")
    (journal / "20260314T150000Z-cafe0123-1-0123456789abcdef.journal").symlink_to(box.home.signing_key)
    (journal / "20260314T150000Z-cafe0123-2-0123456789abcdef.journal").write_bytes(b"")
    (journal / "20260314T150000Z-cafe0123-3-0123456789abcdef.journal").write_bytes(b'{"format":"x"}\n')
    os.mkfifo(journal / "20260314T150000Z-cafe0123-4-0123456789abcdef.journal")
    assert held(Holdings(box.home, box.clock)) == before


def test_a_file_in_the_place_of_another_is_not_sent(box: Box) -> None:
    holdings = Holdings(box.home, box.clock)
    holdings.refresh()
    [item] = [item for item in holdings.items if item.name.endswith(".index")]
    path = box.home.path / item.name
    path.unlink()
    with pytest.raises(Gone):
        holdings.open(item)
    path.symlink_to(box.home.signing_key)
    with pytest.raises(ReplicationError, match="cannot read"):
        holdings.open(item)
    path.unlink()
    path.mkdir()
    with pytest.raises(ReplicationError, match=r"cannot read"):
        holdings.open(item)
    line = holdings.lines()[1]
    content = bytearray(box.home.chain.read_bytes())
    content[line.offset + 5] ^= 1
    box.home.chain.write_bytes(content)
    with pytest.raises(ReplicationError, match="has changed"):
        holdings.open(line)


def test_a_look_at_a_large_home_that_did_not_change_is_cheap(box: Box) -> None:
    """It is taken every second or two for a year; 400 days of statistics and of journal folders lie there."""
    for day in range(400):
        folder = box.home.statistics / f"{2025 + day // 360}-{day % 360 // 30 + 1:02}-{day % 30 % 28 + 1:02}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(24):
            (folder / f"cafe0123-{day * 24 + number:06}.jsonl").write_bytes(b"{}\n")
    time.sleep(0.01)
    holdings = Holdings(box.home, lambda: time.time_ns() + HOUR_NS)
    holdings.refresh()
    assert len(holdings.items) > 9000
    version, begun = holdings.version, time.process_time()
    for _ in range(10):
        holdings.refresh()
    assert (time.process_time() - begun) / 10 < 0.15
    assert holdings.version == version

"""The chain read from where it was left is the chain read whole, whatever happened to it meanwhile."""

import dataclasses
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from appliance.model.coverage import Coverage
from appliance.model.errors import HomeError
from appliance.model.instants import DAY_NS, MINUTE_NS
from appliance.services.keeping.chain_now import ChainReader
from appliance.vault import chain, periods
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain, Entry
from appliance.vault.names import VaultName
from appliance.vault.seals import ClockConfirmed, Interruption, Seal
from tests.vault.made_homes import NOW_NS, SOURCES, Box, make_box
from tests.vault.made_rows import TEXTS, held, traffic


def same(box: Box, reader: ChainReader) -> bool:
    """As the whole chain has it; of seals, what they state is joined and what they replace is left out."""
    now, entries = reader.now(), chain.read(box.home)
    whole = Catalogue.of(entries)
    lean = Catalogue.of([leaned(entry) for entry in entries])
    for run, source in {(seal.run, part.source) for seal in whole.seals for part in seal.coverage}:
        assert sums(now.catalogue.sealed_by(run, source)) == sums(whole.sealed_by(run, source))
    assert now.catalogue.periods() == periods.joined(periods.stated(whole))
    assert now.catalogue.replaced == whole.replaced  # all is of one day here
    for name in ("envelopes", "seals", "adopted", "ordered", "destroyed", "custodians", "holds"):
        assert getattr(now.catalogue, name) == getattr(lean, name)
    assert now.head == chain.Head(entries[-1].seq, entries[-1].hash)
    return now.entries == [leaned(entry) for entry in entries]


def leaned(entry: Entry) -> Entry:
    body = entry.body
    if isinstance(body, Seal):
        body = dataclasses.replace(body, coverage=(), replaces=())
    elif isinstance(body, Interruption):
        body = dataclasses.replace(body, coverage=())
    return dataclasses.replace(entry, body=body)


def sums(parts: list[Coverage]) -> tuple[object, ...]:
    """What `periods.unsealed` asks of what was sealed."""
    return (
        sum(part.packets for part in parts),
        sum(part.bytes for part in parts),
        max(part.last_ns for part in parts),
        sum((Counter(part.lost) for part in parts), Counter()),
        sum((Counter(part.noted) for part in parts), Counter()),
    )


def seen(first: int, packets: int, source: str = "interface:mirror0") -> Coverage:
    """Ten minutes of a source that begin so many minutes after the day did."""
    begun = NOW_NS + first * MINUTE_NS
    return Coverage(source, begun, begun + 10 * MINUTE_NS, packets, 9, {"not_ip": 1}, {"ring": 2}, {"x": 3})


def add(box: Box, count: int = 1) -> None:
    Chain.open(box.home).append([ClockConfirmed(number) for number in range(count)])


def test_what_comes_is_read_and_only_that(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    for _ in range(3):
        before = reader.now()
        assert reader.now() is before
        box.record(traffic(5))
        assert same(box, reader)
        assert reader.now().version > before.version
        assert reader.now().entries[: len(before.entries)] == before.entries


def test_what_was_seen_is_joined_whatever_order_it_came_in(tmp_path: Path) -> None:
    """Two vaults state the same period; sources alternate; a gap stays one; an old file is fed late."""
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    for first, packets in ((0, 5), (10, 6), (30, 7), (40, 7), (-90, 2), (20, 8)):
        both = (seen(first, packets), seen(first, packets + 1, "feed:lobby"))
        with box.recording() as (run, writer):
            writer.seal(traffic(3), SOURCES, both)
            box.writer(run, VaultName.SOURCE).seal(held(), SOURCES, both, TEXTS)
        assert same(box, reader)
    assert same(box, ChainReader(box.home))
    told = [part for part in reader.now().catalogue.periods() if part.source == "interface:mirror0"]
    assert [part.packets for part in told] == [2, 5 + 6 + 8 + 7 + 7]


def test_what_was_replaced_long_ago_is_forgotten(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    box.record(traffic(5))
    old = reader.now().catalogue.replaced
    assert old
    box.clock.now_ns += 4 * DAY_NS
    box.record(traffic(5))
    assert reader.now().catalogue.replaced
    assert not reader.now().catalogue.replaced & old


def test_who_reads_an_earlier_state_is_not_disturbed(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    box.record(traffic(5))
    before = reader.now()
    seals, lines = len(before.catalogue.seals), len(before.entries)
    box.record(traffic(5))
    reader.now()
    assert (len(before.catalogue.seals), len(before.entries)) == (seals, lines)


def test_a_line_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    before = reader.now()
    add(box)
    content = box.home.chain.read_bytes()
    box.home.chain.write_bytes(content[:-9])
    assert reader.now() is before
    box.home.chain.write_bytes(content)
    assert same(box, reader)


@pytest.mark.parametrize("how", ["shorter", "other", "replaced", "copied back"])
def test_another_chain_in_its_place_is_read_whole(tmp_path: Path, how: str) -> None:
    box = make_box(tmp_path / "one")
    reader = ChainReader(box.home)
    add(box, 3)
    reader.now()
    content = box.home.chain.read_bytes()
    if how == "shorter":
        box.home.chain.write_bytes(b"".join(content.splitlines(keepends=True)[:2]))
    elif how == "other":  # longer than what was read, and not what follows upon it
        other = make_box(tmp_path / "two")
        add(other, 9)
        box.home.chain.write_bytes(other.home.chain.read_bytes())
    elif how == "replaced":
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").rename(box.home.chain)
    else:
        shutil.copy(box.home.chain, tmp_path / "kept")
        add(box, 2)
        reader.now()
        shutil.copy(tmp_path / "kept", box.home.chain)
    assert same(box, reader)
    add(Box(box.home, box.config, box.keys), 1) if how != "other" else None
    assert same(box, reader)


def test_a_chain_that_cannot_be_read_is_said_to_be_until_it_is_mended(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    content = box.home.chain.read_bytes()
    box.home.chain.write_bytes(content + b"{}\n")
    for _ in range(2):
        with pytest.raises(HomeError, match="line 2"):
            reader.now()
    box.home.chain.write_bytes(content)
    assert same(box, reader)
    box.home.chain.unlink()
    with pytest.raises(HomeError, match="cannot read"):
        reader.now()


def test_many_may_read_while_it_grows(tmp_path: Path) -> None:
    box = make_box(tmp_path)
    reader = ChainReader(box.home)
    over, wrong = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            now = reader.now()
            if [entry.seq for entry in now.entries] != list(range(len(now.entries))):
                wrong.append(now)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for one in readers:
        one.start()
    for _ in range(30):
        add(box)
    over.set()
    for one in readers:
        one.join()
    assert wrong == []
    assert same(box, reader)

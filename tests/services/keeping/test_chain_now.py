"""The chain read from where it was left is the chain read whole, whatever happened to it meanwhile."""

import shutil
import threading
from pathlib import Path

import pytest

from appliance.model.errors import HomeError
from appliance.services.keeping.chain_now import ChainReader
from appliance.vault import chain
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Chain
from appliance.vault.seals import ClockConfirmed
from tests.vault.made_homes import Box, make_box
from tests.vault.made_rows import traffic


def same(box: Box, reader: ChainReader) -> bool:
    now = reader.now()
    entries = chain.read(box.home)
    return (
        now.entries == entries
        and now.catalogue == Catalogue.of(entries)
        and now.head == chain.Head(entries[-1].seq, entries[-1].hash)
    )


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
    assert reader.now().catalogue.sealed_by(*[*{(seal.run, part.source) for seal in before.catalogue.seals
                                                for part in seal.coverage}, ("", "")][0]) == []  # fmt: skip


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

"""A box whose own disk does not give some bytes any more: that is said of those, and all else goes on."""

import errno
import io
import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.config.replication import ReplicationConfig
from appliance.model.errors import ReplicationError
from appliance.replication import holdings
from appliance.replication.claims import Claim
from appliance.replication.courier import Writing
from appliance.replication.holdings import Holdings
from appliance.replication.stick import Stick
from appliance.replication.targets import TooEarly
from appliance.services.replicating import Replicating
from tests.replication.centrals_here import Here, at_home, box_of_hours, central_for, send_all, sender_for
from tests.vault.made_homes import Box, run_that_dies
from tests.vault.made_rows import traffic


class BadSectors(io.FileIO):
    """A file from which the disk gives nothing."""

    def readinto(self, buffer: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def readall(self) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def spoil(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    whole = holdings.opened

    def opened(path: Path) -> BinaryIO:
        return io.BufferedReader(BadSectors(path)) if path in paths else whole(path)

    monkeypatch.setattr(holdings, "opened", opened)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return box_of_hours(tmp_path / "box", 2)


@pytest.fixture
def here(box: Box, tmp_path: Path) -> Here:
    return central_for(box, tmp_path / "central", "north")


@pytest.fixture
def spoilt(box: Box, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A journal that the chain does not fix, read before it goes, and a segment, read while it goes."""
    run_that_dies(box, traffic(5, 9))
    found = [box.files("journal")[0], box.files("segments", ".parquet")[0]]
    spoil(monkeypatch, *found)
    return found


def names(box: Box, paths: list[Path]) -> set[str]:
    return {str(path.relative_to(box.home.path)) for path in paths}


def test_reading_says_what_cannot_be_read(box: Box, spoilt: list[Path]) -> None:
    held = Holdings(box.home, box.clock)
    held.refresh()
    journal, segment = spoilt
    items = {item.name: item for item in held.items}
    with pytest.raises(ReplicationError, match=rf"cannot read journal/.*{journal.name}: .*greffier verify"):
        held.open(items[str(journal.relative_to(box.home.path))])
    content = held.open(items[str(segment.relative_to(box.home.path))])
    with content.file as file, pytest.raises(ReplicationError, match=r"cannot read segments/.*verify"):
        file.read(10)


def test_both_lanes_go_on_with_everything_else(box: Box, here: Here, spoilt: list[Path]) -> None:
    service = Replicating(
        box.home,
        [here.enrolled],
        ReplicationConfig(),
        threading.Event(),
        True,
        make_target=lambda central: here.target(),
        clock=box.clock,
    )
    [outcome] = service.run()
    assert outcome.error is None
    assert set(at_home(box)) - set(here.objects()) == names(box, spoilt)
    [told] = [alarm.message for alarm in outcome.state.alarms]
    assert "cannot read" in told
    assert "(and 1 more)" in told


def test_a_line_that_cannot_be_read_while_it_is_sought_what_central_lacks_is_set_aside(
    box: Box, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the same object would be first again, and again."""
    send_all(box, here)
    box.record(traffic(40, 5))

    def too_early(claim: Claim) -> None:
        raise TooEarly("lacks what this rests on")

    here.before = too_early
    sender, account, held = sender_for(box, here)
    held.refresh()
    item = next(one for one in sender.due(True) if one.name.startswith("chain/"))
    content = bytearray(box.home.chain.read_bytes())
    for line in held.lines()[: item.line]:
        content[line.offset + 5] ^= 1
    box.home.chain.write_bytes(content)
    assert not sender.send(here.target(), item)
    assert [kind for kind, _ in sender.troubles()] == ["damaged"]
    account.close()


def test_a_courier_blames_the_box_and_not_the_stick(
    box: Box, here: Here, spoilt: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    written = Writing(box.home, Stick(folder), [here.enrolled], box.clock).run()
    assert written.objects == len(at_home(box)) - 2
    assert sorted(one.split(":")[0] for one in written.unreadable) == sorted(
        f"cannot read {name}" for name in names(box, spoilt)
    )

"""Files that say how a process stands: readable on a full disk and after another process, too."""

import json
from pathlib import Path

import pytest

from appliance.replication import state
from appliance.replication.state import ReplicationState
from appliance.runtime import recorder_state, state_file
from appliance.runtime.recorder_state import Alarm, RecorderState
from appliance.runtime.state_file import InPlace
from tests.runtime.full_disk import no_file_larger_than


def test_what_was_said_last_is_all_that_is_there(tmp_path: Path) -> None:
    first = InPlace(tmp_path / "s")
    assert first.overwrite(json.dumps(["long"] * 4_000).encode())
    first.close()
    second = InPlace(tmp_path / "s")
    assert second.overwrite(b'"short"')
    assert json.loads((tmp_path / "s").read_bytes()) == "short"
    second.close()
    assert state_file.read(tmp_path / "s", str) == "short"


def test_it_has_room_for_more_where_the_disk_has_none(tmp_path: Path) -> None:
    file = InPlace(tmp_path / "s")
    assert file.overwrite(b'"' + b"a" * 3_000 + b'"')
    size = (tmp_path / "s").stat().st_size
    with no_file_larger_than(size):
        assert file.overwrite(b'"' + b"b" * 5_000 + b'"')
        assert not file.overwrite(b'"' + b"c" * size + b'"'), "half of it is not said"
        assert file.overwrite(b'"d"')
        assert json.loads((tmp_path / "s").read_bytes()) == "d"
    file.close()
    file.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run":', b"null", b'"x"', b"\xff", b'{"run":1}'])
def test_what_is_torn_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / state.STATE).write_bytes(content)
    assert state.read(tmp_path) is None
    assert recorder_state.read(tmp_path / state.STATE) is None


def test_both_kinds_come_back_as_they_were_said(tmp_path: Path) -> None:
    alarm = Alarm("full", 5, "central 'north' is full")
    recorder = RecorderState("cafe0123", 7, 1, 2, False, (), (alarm,))
    sending = ReplicationState(7, 2, "waiting", 1, None, 3, 4, 5, 6, 7, 8, 0, (alarm,))
    for file in (recorder_state.StateFile(tmp_path, "cafe0123"), state.StateFile(tmp_path)):
        assert file.write(recorder if isinstance(file, recorder_state.StateFile) else sending)  # type: ignore[arg-type]
        file.close()
    assert recorder_state.read_all(tmp_path) == [recorder]
    assert state.read(tmp_path) == sending

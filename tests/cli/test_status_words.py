"""How `greffier status` tells of sources: the newest, what the others came to, and what was lost in any."""

from appliance.cli import status
from appliance.cli.wording import several
from appliance.runtime.recorder_state import InterfaceState, RecorderState, SourceState
from appliance.services.status import Recorder


def told(live: bool, lost: dict[int, int], count: int, interface: InterfaceState | None = None) -> list[str]:
    sources = tuple(
        SourceState(
            f"file:{number}.pcap", 1 + number % 2, 60, 1, None, {"storage": lost.get(number, 0)}, {}, {}
        )
        for number in range(count - bool(interface))
    )
    if interface:
        sources += (SourceState("interface:mirror", 5, 60, 2, None, {}, {}, {}, (), interface),)
    return status._sources(Recorder(live, RecorderState("run", 1, 0, 0, not live, sources, ())))


def test_one_is_not_many() -> None:
    assert told(False, {}, 1) == ["  file:0.pcap: 1 packet, 1 record, nothing lost"]
    assert several(0, "record") == "0 records"
    assert several(2000, "entry", "entries") == "2,000 entries"


def test_of_many_sources_the_newest_are_told_and_the_others_add_up() -> None:
    lines = told(False, {}, 91)
    assert lines[:2] == [
        "  file:79.pcap: 2 packets, 1 record, nothing lost",
        "  file:80.pcap: 1 packet, 1 record, nothing lost",
    ]
    assert lines[-1] == "  and 79 more, nothing lost: 'greffier status --json'"
    assert len(lines) == 13


def test_a_loss_is_told_however_old() -> None:
    lines = told(False, {3: 7, 90: 1}, 91)
    assert "  file:3.pcap: 2 packets, 1 record, LOST 7 at storage" in lines
    assert "  file:90.pcap: 1 packet, 1 record, LOST 1 at storage" in lines
    assert lines[-1] == "  and 78 more, nothing lost: 'greffier status --json'"


def test_twelve_sources_are_told_one_by_one() -> None:
    assert len(told(False, {}, 12)) == 12


def test_what_is_not_there_cannot_send() -> None:
    away = told(True, {}, 1, InterfaceState("absent", None, 0, False, 0))
    assert away[-1] == "    link absent"
    talking = told(True, {}, 1, InterfaceState("up", 1000, 1500, False, 0))
    assert talking[-1] == "    link up at 1,000 Mbit/s; CAN SEND"

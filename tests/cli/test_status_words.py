"""How `greffier status` tells of sources: the newest, what the others came to, and what was lost in any."""

from types import SimpleNamespace
from typing import Any

from appliance.cli import status
from appliance.cli.wording import several
from appliance.runtime.recorder_state import InterfaceState


def source(name: str, packets: int, records: int, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, packets=packets, records=records, **{"lost": {}, "noted": {}, "interface": None, **more}
    )


def told(live: bool, *sources: SimpleNamespace) -> list[str]:
    state = SimpleNamespace(sources=sources)
    return status._sources(SimpleNamespace(live=live, state=state))  # type: ignore[arg-type]


def files(count: int, lost: dict[int, int]) -> list[SimpleNamespace]:
    return [
        source(f"file:{number}.pcap", 1 + number % 2, 1, lost={"storage": lost.get(number, 0)})
        for number in range(count)
    ]


def test_one_is_not_many() -> None:
    assert told(False, *files(1, {})) == ["  file:0.pcap: 1 packet, 1 record, nothing lost"]
    assert several(0, "record") == "0 records"
    assert several(2000, "entry", "entries") == "2,000 entries"


def test_of_many_sources_the_newest_are_told_and_the_others_add_up() -> None:
    lines = told(False, *files(91, {}))
    assert lines[:2] == [
        "  file:79.pcap: 2 packets, 1 record, nothing lost",
        "  file:80.pcap: 1 packet, 1 record, nothing lost",
    ]
    assert lines[-1] == "  and 79 more, nothing lost: 'greffier status --json'"
    assert len(lines) == 13


def test_a_loss_is_told_however_old() -> None:
    lines = told(False, *files(91, {3: 7, 90: 1}))
    assert "  file:3.pcap: 2 packets, 1 record, LOST 7 at storage" in lines
    assert "  file:90.pcap: 1 packet, 1 record, LOST 1 at storage" in lines
    assert lines[-1] == "  and 78 more, nothing lost: 'greffier status --json'"


def test_twelve_sources_are_told_one_by_one() -> None:
    assert len(told(False, *files(12, {}))) == 12


def test_what_is_not_there_cannot_send() -> None:
    for stands, expected in (
        (InterfaceState("absent", None, 0, False, 0), "    link absent"),
        (InterfaceState("up", 1000, 1500, False, 0), "    link up at 1,000 Mbit/s; CAN SEND"),
        (InterfaceState("down", None, 1500, True, 0), "    link down; never sends"),
    ):
        lines = told(True, source("interface:mirror", 5, 2, interface=stands))
        assert lines == ["  interface:mirror: 5 packets, 2 records, nothing lost", expected]

"""How `greffier status` tells of sources: the newest, what the others came to, and what was lost in any."""

from types import SimpleNamespace
from typing import Any

from appliance.cli import replication_shown, status
from appliance.cli.wording import several
from appliance.replication.missing import Backlog
from appliance.replication.state import ReplicationState
from appliance.runtime.recorder_state import InterfaceState
from appliance.services.replication_status import KnownCentral, Replication


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


def test_receipts_that_this_home_does_not_remember_are_told_once_all_is_sent() -> None:
    """A box that was put back said nothing but that everything was sent."""
    for absent, left, is_told in ((3, Backlog(0, 0, None), True), (3, Backlog(1, 9, None), False)):
        state = ReplicationState(1, 0, absent_receipts=absent)
        central = KnownCentral("north", "https://north.example", True, left, 7, state)
        said = " ".join(replication_shown.as_sentences(Replication((central,), (1, 0, 0))))
        assert ("NOTICE: central north has signed for 3 objects that this home does not" in said) is is_told
    none = KnownCentral(
        "north", "https://north.example", True, Backlog(0, 0, None), 7, ReplicationState(1, 0)
    )
    assert "NOTICE" not in " ".join(replication_shown.as_sentences(Replication((none,), (1, 0, 0))))

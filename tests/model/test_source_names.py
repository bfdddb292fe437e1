"""Names of sources, spelled here as vault/FORMAT.md states them: seals hold them for ever."""

import pytest

from appliance.model import source_names


@pytest.mark.parametrize(
    ("made", "written", "unit", "live"),
    [
        (source_names.of_interface("mirror0"), "interface:mirror0", "packet", True),
        (source_names.of_file("feeds.pcap"), "file:feeds.pcap", "packet", False),
        (source_names.FEEDS, "feeds", "message", True),
        (source_names.of_feed("lobby"), "feed:lobby", "message", False),
        (source_names.of_fed("lobby"), "fed:lobby", "message", False),
        (source_names.of_fed_file("a.log to b.log"), "fed-file:a.log to b.log", "message", False),
        (source_names.INVENTORY, "inventory", "answer", False),
    ],
)
def test_a_name_tells_what_its_source_is(made: str, written: str, unit: str, live: bool) -> None:
    assert made == written
    assert source_names.unit(made) == unit
    assert source_names.is_live(made) is live
    assert source_names.is_feed(made) is (unit == "message")

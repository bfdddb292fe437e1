"""The closing words of several recorders: nothing is said of a loss that nobody can know."""

from typing import Any

from appliance.cli import closing

TOLD = {
    "packets": 100,
    "bytes": 6000,
    "records": 7,
    "bindings": 2,
    "refused": {},
    "lost": 0,
    "lost_by_place": {},
    "noted": {},
    "first": None,
    "last": None,
    "seconds": 5.0,
    "kernel_drops": 0,
}


def part(interface: str, restarts: int = 0, **told: Any) -> dict[str, Any]:
    return {"interface": interface, "restarts": restarts, **told}


def test_all_have_reported() -> None:
    shown = closing.summed([part("m0", **TOLD), part("m1", **TOLD)])
    assert (shown["packets"], shown["complete"]) == (200, True)
    words = closing.as_sentences(shown)
    assert "Nothing was lost." in words
    assert "coverage" not in words


def test_a_missing_report_is_no_report_of_no_loss() -> None:
    shown = closing.summed([part("m0", **TOLD), part("m1", seconds=None)])
    assert shown["complete"] is False
    words = closing.as_sentences(shown)
    assert "Nothing was lost" not in words
    assert "  m1: NO REPORT" in words
    assert "greffier coverage" in words


def test_what_a_restart_cost_is_said_beside_what_is_known_to_be_lost() -> None:
    lossy = {**TOLD, "lost": 3, "lost_by_place": {"kernel": 3}}
    shown = closing.summed([part("m0", **lossy), part("m1", restarts=2, **TOLD)])
    words = closing.as_sentences(shown)
    assert "Lost: 3 at kernel." in words
    assert "  m1: 100 packets, 0 lost; its recorder died 2 times" in words
    assert "not in these sums" in words


def test_the_time_without_a_link_is_said() -> None:
    shown = {**TOLD, "noted": {"interface_down_s": 12}}
    assert "Without a link: 12 seconds." in closing.as_sentences(shown)


def test_what_gave_no_record_is_explained_where_messages_came() -> None:
    shown = {**TOLD, "refused": {"defect": 1, "link_type": 2, "no_template": 3}}
    lines = closing.of_feeds(shown).splitlines()
    assert [line.partition(":")[0] for line in lines[-3:]] == ["  defect", "  link_type", "  no_template"]

"""The quick way to a line's grammars finds those, and only those, that the plain way finds."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from appliance.feeds.syslog.needles import grammars_for
from appliance.feeds.syslog.registry import GRAMMARS

LINES = [
    line
    for path in sorted(Path(__file__).parent.glob("vendors/*/lines.log"))
    for line in path.read_text(errors="replace").splitlines()
]
NEEDLES = [needle for grammar in GRAMMARS for needle in grammar.needles]


def plainly(text: str) -> list[str]:
    return sorted(grammar.name for grammar in GRAMMARS if any(needle in text for needle in grammar.needles))


def test_lines_of_every_vendor() -> None:
    assert len(LINES) > 100
    for line in LINES:
        assert [grammar.name for grammar in grammars_for(line)] == plainly(line)


@given(st.lists(st.sampled_from(NEEDLES) | st.text(max_size=5), max_size=4).map("".join))
def test_any_needles_in_any_text(text: str) -> None:
    assert [grammar.name for grammar in grammars_for(text)] == plainly(text)

"""One sentence for how the box stands: it never says well where something is wrong."""

from itertools import product

import pytest
from msgspec.structs import replace

from appliance.control.messages import Finding, Overview
from appliance.control.words import Level, Trouble
from tests.webui.made_answers import made_keeper
from tests.webui.made_overview import overview
from tests.webui.made_time import Times
from webui.standing import standing

NOW_NS = 1_795_000_000 * 10**9
GOOD: Overview = overview(Times(NOW_NS), "good", None)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_kind_of_box_has_its_sentence(language: str) -> None:
    said = {}
    for box in ("good", "failing", "empty"):
        found = standing(overview(made_keeper(box, NOW_NS).times, box, None), language)
        said[box] = (found.colour, found.headline)
    assert said["good"][0] == "well"
    assert said["failing"][0] == "failing"
    assert said["empty"][0] == "plain"
    assert len(set(said.values())) == 3


@pytest.mark.parametrize(
    ("level", "recording", "last"),
    list(product(Level, (True, False), (None, "2026-11-18T00:00:00Z"))),
)
def test_well_is_said_only_where_all_is_well(level: Level, recording: bool, last: str | None) -> None:
    findings = () if level is Level.WELL else (Finding(Trouble.DISK_FILLS, level, count=3),)
    now = replace(GOOD, level=level, findings=findings, is_recording=recording, last_record=last)
    found = standing(now, "en")
    assert (found.colour == "well") == (level is Level.WELL and recording)
    assert ("Everything is being recorded" in found.headline) <= (level is Level.WELL and recording)
    if not recording:
        assert found.colour != "well"


def test_a_part_that_is_stopped_leads_unless_something_else_fails() -> None:
    stopped = Finding(Trouble.VAULT_STOPPED, Level.FAILING, "traffic")
    lapsed = Finding(Trouble.NO_CENTRAL, Level.ATTENTION)
    now = replace(GOOD, level=Level.FAILING, findings=(stopped, lapsed))
    found = standing(now, "fr")
    assert (found.colour, found.headline) == ("failing", "Une partie n’est pas enregistrée\u00a0: Connexions")
    full = replace(now, findings=(stopped, Finding(Trouble.DISK_FULL, Level.FAILING)))
    assert standing(full, "fr").headline == "Agissez maintenant\u00a0: 2 problèmes graves"


def test_how_many_copies_there_are_is_not_overstated() -> None:
    first = GOOD.centrals[0]
    sentences = [
        standing(replace(GOOD, centrals=tuple(replace(first, sending=is_) for is_ in sending)), "en").sentence
        for sending in ((), (True,), (True, False), (True, True))
    ]
    assert [("two other places" in one, "elsewhere" in one) for one in sentences] == [
        (False, False),
        (False, True),
        (False, True),
        (True, False),
    ]

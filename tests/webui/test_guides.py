"""The guides say what `appliance/feeds/README.md` says, which names where each setting comes from."""

import re
from pathlib import Path

import pytest

from webui.guides import GUIDES, guide_of
from webui.wording import catalogue

README = (Path(__file__).parents[2] / "appliance" / "feeds" / "README.md").read_text()
BOX = "192.0.2.10"


def squeezed(text):
    """Without what only lays it out: marks, comments of the code, line breaks."""
    without = re.sub(r"[`*_“”\"]|  +# .*", "", text)
    return " ".join(without.split())


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.key)
def test_what_is_pasted_stands_in_the_manual_line_by_line(guide):
    known = squeezed(README)
    for step in guide.steps:
        for line in step.pasted.replace("{box}", BOX).splitlines():
            assert squeezed(line) in known, line


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.key)
def test_every_port_that_a_step_names_is_one_of_the_manual(guide):
    for step in guide.steps:
        for port in re.findall(r"(?:port |\{box\}:)(\d+)", step.said):
            assert f" {port}" in README or f":{port}" in README


def test_every_make_of_the_manual_has_a_guide():
    names = " ".join(guide.name for guide in GUIDES)
    chapters = re.findall(r"^## (.+)$", README, re.MULTILINE)
    makes = [
        make
        for chapter in chapters
        if "·" not in chapter
        for make in re.split(r", | and ", chapter.replace(" RouterOS 7", "").replace(" WLC", ""))
    ]
    assert "Meraki" in makes
    assert not [make for make in makes if make not in names]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.key)
def test_every_step_is_told_in_french_and_keeps_what_is_typed(guide):
    french = catalogue("fr")
    for text in (*(step.said for step in guide.steps), guide.tells, guide.lacks):
        if not text:
            continue
        told = french.gettext(text)
        assert told != text
        assert sorted(re.findall(r"\{box\}[:\d]*|\b\d{3,}\b", told)) == sorted(
            re.findall(r"\{box\}[:\d]*|\b\d{3,}\b", text)
        )


def test_an_unknown_make_has_none():
    assert guide_of("toaster") is None

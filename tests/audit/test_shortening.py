"""Lines past their time go, and the book says which; nobody else can take lines from its front."""

import os
from pathlib import Path

import pytest

from appliance.audit import anchors, book, volume
from appliance.audit.check import check
from appliance.control.steps import Step
from appliance.model.instants import DAY_NS
from tests.audit.test_book import CLAIRE
from tests.vault.made_homes import NOW_NS, Box, make_box


def box_of_days(folder: Path, days: int, step: int = 30) -> Box:
    """A line each `step` days from day 0 on, anchored; the clock stands at the last."""
    box = make_box(folder)
    for day in range(0, days + 1, step):
        box.clock.now_ns = NOW_NS + day * DAY_NS
        book.note(box.home, CLAIRE, Step.SIGN_IN, str(day), clock=box.clock)
        anchors.anchor(box.home, box.clock)
    return box


def subjects(box: Box) -> list[str]:
    return [step.subject for step in check(box.home).steps if step.step is Step.SIGN_IN]


def test_within_twelve_months_nothing_goes(tmp_path: Path) -> None:
    box = box_of_days(tmp_path, 360)
    box.clock.now_ns = NOW_NS + 365 * DAY_NS
    assert book.shorten(box.home, box.clock) is None
    assert len(subjects(box)) == 13


def test_what_is_past_its_time_goes_and_is_said_to(tmp_path: Path) -> None:
    box = box_of_days(tmp_path, 390)
    before = volume.head(box.home)
    assert subjects(box)[:3] == ["0", "30", "60"]
    said = book.shorten(box.home, box.clock)
    assert said is not None
    assert (said.seq, said.step, said.details["lines"]) == (before.seq + 1, Step.BOOK_SHORTENED, "2")
    assert subjects(box)[0] == "60"  # 330 days ago: it may stay for another month
    assert b'"30"' not in volume.content(box.home)
    checked = check(box.home)
    assert checked.faults == []
    assert (checked.first, checked.total, checked.anchors) == (2, 15, 14)
    assert "were let go" in checked.notices[0].what
    assert book.shorten(box.home, box.clock) is None
    later = box_of_days(tmp_path / "longer", 900)  # again and again
    assert book.shorten(later.home, later.clock) is not None
    book.note(later.home, CLAIRE, Step.SIGN_OUT, clock=later.clock)
    later.clock.now_ns += 100 * DAY_NS
    assert book.shorten(later.home, later.clock) is not None
    assert check(later.home).faults == []
    assert volume.path_of(later.home).stat().st_mode & 0o777 == 0o600


def test_all_may_go_but_the_line_that_says_so(tmp_path: Path) -> None:
    box = box_of_days(tmp_path, 60)
    box.clock.now_ns = NOW_NS + 4000 * DAY_NS
    assert book.shorten(box.home, box.clock) is not None
    book.note(box.home, CLAIRE, Step.SIGN_OUT, clock=box.clock)
    checked = check(box.home)
    assert ([step.step for step in checked.steps], checked.faults) == (
        [Step.BOOK_SHORTENED, Step.SIGN_OUT],
        [],
    )


@pytest.mark.parametrize("taken", [1, 2, 5, 12])
def test_nobody_else_takes_lines_from_the_front(tmp_path: Path, taken: int) -> None:
    box = box_of_days(tmp_path, 390)
    book.shorten(box.home, box.clock)
    whole = volume.content(box.home).splitlines(keepends=True)
    assert len(whole) == 13
    volume.path_of(box.home).write_bytes(b"".join(whole[taken:]))
    assert any("let go" in fault.what for fault in check(box.home).faults)


def test_a_power_cut_leaves_the_whole_book_or_the_shortened_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = box_of_days(tmp_path, 390)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(Exception, match="No space left"):
        book.shorten(box.home, box.clock)
    monkeypatch.undo()
    assert len(subjects(box)) == 14
    assert check(box.home).faults == []

"""What the keeper says of the audit chain, while it grows and when somebody changes it."""

from pathlib import Path

import pytest

from appliance.audit import book, volume
from appliance.control import messages as m
from appliance.control.steps import PAGE_STEPS, Step
from appliance.services.keeping import audited
from tests.services.keeping.test_law_answers import CLAIRE, Keeper


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path, "2026-11-22T10:00:00Z")


def numbers(keeper: Keeper, before: int | None = None, count: int = 50) -> list[int]:
    return [line.seq for line in keeper.ask(m.AskAudit(before, count), m.Audit).lines]


def test_the_page_notes_its_own_steps_and_no_other(keeper: Keeper) -> None:
    for step in sorted(PAGE_STEPS):
        keeper.ask(m.NoteStep(str(step), "zoë", {"why": "password"}), m.Done)
    for forged in (*sorted(set(Step) - PAGE_STEPS), "nonsense", ""):
        assert keeper.ask(m.NoteStep(str(forged)), m.Refused).kind == "UsageError"
    found = keeper.ask(m.AskAudit(), m.Audit)
    assert found.total == len(PAGE_STEPS)
    ended = {line.step: line.outcome for line in found.lines}
    assert {step for step, how in ended.items() if how == "refused"} == {
        "sign-in-refused", "sign-in-slowed", "access-refused",
    }  # fmt: skip
    assert {(line.actor, line.subject) for line in found.lines} == {(CLAIRE, "zoë")}
    assert found.lines[0].details == {"why": "password"}
    keeper.ask(m.NoteStep("sign-in", "", {"ended": "failed"}), m.Done)
    assert keeper.ask(m.AskAudit(None, 1), m.Audit).lines[0].outcome == "failed"
    assert keeper.ask(m.NoteStep("sign-in", "", {"ended": "nonsense"}), m.Refused).kind == "UsageError"


def test_what_the_page_began_is_shown_as_failed_where_it_says_so(keeper: Keeper) -> None:
    def outcomes() -> list[str]:
        return [line.outcome for line in reversed(keeper.ask(m.AskAudit(), m.Audit).lines)]

    line = keeper.ask(m.NoteStep("add-user", "alice", {"role": "operator", "ended": "begun"}), m.Done).said
    assert keeper.ask(m.AskAudit(), m.Audit).lines[0].seq == int(line)
    assert outcomes() == ["done"]
    keeper.ask(m.NoteStep("remove-user", "alice", {"ended": "failed", "line": line}), m.Done)
    keeper.ask(m.NoteStep("add-user", "bob", {"ended": "failed", "line": line}), m.Done)
    assert outcomes() == ["done", "failed", "failed"]  # of another step, another user: nothing of that one
    keeper.ask(m.NoteStep("add-user", "alice", {"ended": "failed", "line": line}), m.Done)
    assert outcomes() == ["failed"] * 4


def test_the_page_cannot_say_that_what_the_keeper_did_failed(keeper: Keeper) -> None:
    keeper.ask(m.DeclareSource("lobby", ("10.0.0.7",)), m.Done)
    (line,) = keeper.ask(m.AskAudit(), m.Audit).lines
    keeper.ask(m.NoteStep("sign-in", "", {"ended": "failed", "line": str(line.seq)}), m.Done)
    assert keeper.ask(m.AskAudit(), m.Audit).lines[1].outcome == "done"


def test_pages_of_the_book_follow_one_another(keeper: Keeper) -> None:
    assert keeper.ask(m.AskAudit(), m.Audit) == m.Audit((), 0, "", "")
    for _ in range(10):
        book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, clock=keeper.box.clock)
    assert numbers(keeper, None, 4) == [9, 8, 7, 6]
    assert numbers(keeper, 6, 4) == [5, 4, 3, 2]
    assert numbers(keeper, 2, 4) == [1, 0]
    assert numbers(keeper, 0, 4) == numbers(keeper, None, 0) == numbers(keeper, None, -3) == []
    assert numbers(keeper, 1000, 100_000) == list(range(9, -1, -1))
    found = keeper.ask(m.AskAudit(), m.Audit)
    assert (found.total, found.head, found.fault) == (10, str(volume.head(keeper.box.home)), "")


def test_what_comes_is_seen_at_once_and_checked_once(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, clock=keeper.box.clock)
    assert numbers(keeper) == [0]

    def never(*_: object) -> None:
        raise AssertionError("what was checked is checked again")

    monkeypatch.setattr(audited.check, "check", never)
    for number in range(1, 4):
        book.note(keeper.box.home, CLAIRE, Step.SIGN_OUT, clock=keeper.box.clock)
        assert numbers(keeper)[0] == number
    assert audited.fault(keeper.at) == ""


def test_a_changed_book_is_told(keeper: Keeper) -> None:
    for number in range(5):
        book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, str(number), clock=keeper.box.clock)
    assert audited.fault(keeper.at) == ""
    path = volume.path_of(keeper.box.home)
    good = path.read_bytes()
    for bad in (b"".join(good.splitlines(keepends=True)[:3]), good.replace(b'"3"', b'"4"'), b""):
        path.write_bytes(bad)
        assert audited.fault(keeper.at)
        assert keeper.ask(m.AskAudit(), m.Audit).fault
    path.write_bytes(good)
    assert audited.fault(keeper.at) == ""


def test_an_old_line_changed_under_a_growing_book_is_found_when_all_is_checked(keeper: Keeper) -> None:
    for number in range(5):
        book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, str(number), clock=keeper.box.clock)
    assert audited.fault(keeper.at) == ""
    path = volume.path_of(keeper.box.home)
    path.write_bytes(path.read_bytes().replace(b'"1"', b'"9"'))
    book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, clock=keeper.box.clock)
    audited.check_whole(keeper.at)
    assert "audit/chain.jsonl line 2 (seq 1)" in audited.fault(keeper.at)


def test_a_shortened_book_is_still_paged_by_its_numbers(keeper: Keeper) -> None:
    for number in range(6):
        keeper.box.clock.now_ns += 100 * 86400 * 10**9
        book.note(keeper.box.home, CLAIRE, Step.SIGN_IN, str(number), clock=keeper.box.clock)
    assert numbers(keeper)[0] == 5
    book.shorten(keeper.box.home, keeper.box.clock)
    found = keeper.ask(m.AskAudit(), m.Audit)
    assert [line.seq for line in found.lines] == [6, 5, 4, 3, 2]
    assert (found.total, found.fault) == (7, "")
    assert numbers(keeper, 4) == [3, 2]


def test_a_step_of_the_page_that_failed_is_told_by_the_number_of_its_line(keeper: Keeper) -> None:
    begun = keeper.ask(m.NoteStep("change-settings", "places", {"ended": "begun"}), m.Done)
    assert keeper.ask(m.AskAudit(None, 1), m.Audit).lines[0].outcome == "done"
    failed = {"ended": "failed", "line": begun.said, "error": "StorageError"}
    keeper.ask(m.NoteStep("change-settings", "places", failed), m.Done)
    assert [line.outcome for line in keeper.ask(m.AskAudit(None, 2), m.Audit).lines] == ["failed", "failed"]

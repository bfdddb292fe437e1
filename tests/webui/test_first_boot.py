"""The set-up code: who has it begins, who guesses waits, and who has gone is forgotten."""

import pytest

from tests.webui.visiting import Clock
from webui.first_boot import IDLE_NS, FirstBoot, NoSetUp, TooManyGuesses, WrongCode
from webui.pages.setup.draft import Draft, Made, with_key
from webui.protection import number_of

CODE = "ABCD-2345"


def made(clock: Clock | None = None) -> tuple[FirstBoot, list[str]]:
    ended: list[str] = []
    return FirstBoot(CODE, clock or Clock(), lambda: ended.append("ended")), ended


def entered(boot: FirstBoot) -> str:
    boot.check(CODE, "192.0.2.1")
    return number_of(boot.begin(Made.NOTHING))


@pytest.mark.parametrize("typed", ["ABCD-2345", "abcd2345", " abcd 2345 ", "AB.CD–23 45"])
def test_the_code_is_taken_however_it_is_typed(typed: str) -> None:
    boot, _ = made()
    boot.check(typed, "192.0.2.1")


@pytest.mark.parametrize("typed", ["", "ABCD", "ABCD-2346", "ABCD-23455", "ÁBCD-2345"])
def test_no_other_code_is(typed: str) -> None:
    boot, _ = made()
    with pytest.raises(WrongCode):
        boot.check(typed, "192.0.2.1")


def test_a_code_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="8 letters"):
        FirstBoot("abc-123", Clock(), lambda: None)


def test_who_guesses_waits_a_minute_and_the_installer_does_not() -> None:
    clock = Clock()
    boot, _ = made(clock)
    for _guess in range(10):
        with pytest.raises(WrongCode):
            boot.check("WRONGCODE", "192.0.2.66")
    with pytest.raises(TooManyGuesses):
        boot.check(CODE, "192.0.2.66")
    boot.check(CODE, "192.0.2.1")
    clock.go(60)
    boot.check(CODE, "192.0.2.66")


def test_a_hundred_thousand_guesses_are_refused_unread_and_lock_nobody_out() -> None:
    clock = Clock()
    boot, _ = made(clock)
    read = 0
    for guess in range(100_000):
        clock.go(0.001)
        try:
            boot.check(f"WRONG{guess:06}", f"2001:db8:0:{guess % 20:x}::{guess:x}")
        except WrongCode:
            read += 1
        except TooManyGuesses:
            continue
    assert read <= 20 * (10 + 100 // 6 + 1)  # of each /64 ten, and one every six of the hundred seconds
    boot.check(CODE, "2001:db8:ffff::1")


def test_only_the_session_that_entered_is_admitted_and_the_newest_takes_over() -> None:
    boot, _ = made()
    assert not boot.admits("")
    assert not boot.admits(number_of("guessed"))
    first = entered(boot)
    assert boot.admits(first)
    second = entered(boot)
    assert not boot.admits(first)
    assert boot.admits(second)
    with pytest.raises(NoSetUp):
        boot.draft(first)


def test_what_was_told_is_forgotten_after_an_idle_hour() -> None:
    clock = Clock()
    boot, _ = made(clock)
    session = entered(boot)
    boot.change(session, lambda told: with_key(told, "Alice", "age1alice", b"AGE-SECRET-KEY-1ALICE", False))
    clock.go(IDLE_NS / 1e9 - 1)
    assert boot.admits(session)
    clock.go(IDLE_NS / 1e9 + 1)
    assert not boot.admits(session)
    assert boot._draft == Draft(Made.NOTHING)


def test_the_end_is_told_once_and_nothing_is_left_in_memory() -> None:
    boot, ended = made()
    session = entered(boot)
    boot.change(session, lambda told: with_key(told, "Alice", "age1alice", b"AGE-SECRET-KEY-1ALICE", False))
    boot.finish(session)
    assert ended == ["ended"]
    assert boot.done
    assert not boot.admits(session)
    assert boot._draft == Draft(Made.NOTHING)
    with pytest.raises(NoSetUp):
        boot.finish(session)
    assert ended == ["ended"]


def test_a_change_that_fails_changes_nothing() -> None:
    boot, _ = made()
    session = entered(boot)

    def fails(told: Draft) -> Draft:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        boot.change(session, fails)
    assert boot.draft(session) == Draft(Made.NOTHING)

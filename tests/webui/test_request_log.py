"""Every request leaves a line, a day's file is bounded, a year is kept, and a full disk stops nobody."""

import datetime as dt
import os
import re
from pathlib import Path

import pytest

from appliance.model.instants import DAY_NS, NS, start_of
from webui import request_log
from webui.request_log import KEPT_DAYS, RequestLog

NOON = start_of(dt.date(2026, 11, 22)) + 43_200 * NS


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_line_says_when_who_from_where_what_and_the_result(tmp_path: Path, clock: Clock) -> None:
    log = RequestLog(tmp_path / "requests", clock, print)
    log.note("alice", "192.168.1.20", "GET /sources/<label>", "200", 12)
    log.note("", "fe80::1", "POST /sign-in", "403", 3)
    (path,) = (tmp_path / "requests").iterdir()
    assert path.name == "2026-11-22.log"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().splitlines() == [
        "2026-11-22T12:00:00Z alice 192.168.1.20 GET /sources/<label> 200 12 ms",
        "2026-11-22T12:00:00Z - fe80::1 POST /sign-in 403 3 ms",
    ]


def test_whoever_asks_without_end_fills_no_disk_and_is_counted(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "STRANGERS_BYTES", 2000)
    log = RequestLog(tmp_path, clock, print)
    for number in range(500):
        clock.now += NS // 100
        log.note("", "192.0.2.9", "GET unknown", "404", number % 7)
    clock.now += 61 * NS
    log.note("", "192.0.2.9", "GET unknown", "404", 1)
    text = (tmp_path / "2026-11-22.log").read_text()
    assert len(text) < 2400
    singly = text.count("192.0.2.9")
    counted = sum(map(int, re.findall(r"(\d+) times GET unknown 404", text)))
    assert singly + counted == 501


def test_a_new_day_has_a_file_of_its_own_and_what_is_older_than_a_year_goes(
    tmp_path: Path, clock: Clock
) -> None:
    log = RequestLog(tmp_path, clock, print)
    for _ in range(KEPT_DAYS + 10):
        log.note("alice", "::1", "GET /", "200", 1)
        clock.now += DAY_NS
    kept = sorted(path.stem for path in tmp_path.iterdir())
    assert len(kept) == KEPT_DAYS + 1
    assert kept[-1] == str(dt.date(2026, 11, 22) + dt.timedelta(days=KEPT_DAYS + 9))


def test_a_clock_that_jumps_ahead_takes_no_year_with_it(tmp_path: Path, clock: Clock) -> None:
    days = [dt.date(2026, 11, 22) - dt.timedelta(days=ago) for ago in range(300)]
    for day in days:
        (tmp_path / f"{day}.log").write_text("a line\n")
    clock.now += 800 * DAY_NS
    RequestLog(tmp_path, clock, print).note("alice", "::1", "GET /", "200", 1)
    assert len([day for day in days if (tmp_path / f"{day}.log").exists()]) == 300 - request_log.LET_GO


def test_a_stranger_takes_no_line_from_who_is_signed_in_nor_does_a_restart(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "STRANGERS_BYTES", 2000)
    for _ in range(3):
        log = RequestLog(tmp_path, clock, print)
        for _ in range(200):
            log.note("", "192.0.2.9", "GET /sign-in", "200", 1)
        log.note("alice", "::1", "POST /users/<user>/reset", "303", 1)
    text = (tmp_path / "2026-11-22.log").read_text()
    assert text.count("alice") == 3
    assert (
        30
        < text.count("192.0.2.9")
        <= 2000 // len("2026-11-22T12:00:00Z - 192.0.2.9 GET /sign-in 200 1 ms\n")
    )


def test_a_disk_that_refuses_stops_no_request_and_is_said_once_a_minute(tmp_path: Path, clock: Clock) -> None:
    told: list[str] = []
    (tmp_path / "requests").write_text("a file where a folder should be")
    log = RequestLog(tmp_path / "requests", clock, told.append)
    for _ in range(50):
        log.note("alice", "::1", "GET /", "200", 1)
        clock.now += NS
    assert len(told) == 1
    os.unlink(tmp_path / "requests")
    clock.now += 61 * NS
    log.note("alice", "::1", "GET /", "200", 1)
    text = next((tmp_path / "requests").iterdir()).read_text()
    assert text.count("alice") == 1
    assert "50 times GET / 200" in text


def test_a_name_that_is_two_lines_makes_one(tmp_path: Path, clock: Clock) -> None:
    RequestLog(tmp_path, clock, print).note("mallory\n2026 root", "::1", "GET /", "200", 1)
    assert len((tmp_path / "2026-11-22.log").read_text().splitlines()) == 1

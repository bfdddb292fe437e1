"""Silent sites are noticed once, however many look; and so is their end. On both kinds of catalogue."""

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.central import attendance, places
from appliance.central.ledger import Entry, Ledger
from appliance.central.places import Central
from appliance.central.tables import Site
from appliance.config.central import CentralConfig

MINUTE, HOUR = 60 * 10**9, 3600 * 10**9
T = 1_800_000_000 * 10**9
SITE = "5e" * 32


@pytest.fixture
def site(central: Central) -> str:
    """A site that was heard at T by a central that listens all the time."""
    add(central, SITE)
    watch(central, T)
    return SITE


def add(central: Central, fingerprint: str, heard_at_ns: int | None = T) -> None:
    Site.insert(
        fingerprint=fingerprint, public_key=fingerprint, name="Hotel du Port", terms="{}", enrolled_at_ns=T,
        heard_at_ns=heard_at_ns,
    ).execute(central.database)  # fmt: skip


def hear(central: Central, at_ns: int) -> None:
    Site.update(heard_at_ns=at_ns).execute(central.database)


def watch(central: Central, until_ns: int) -> None:
    """Look every two minutes of the last twenty, as a keeper would: central was there."""
    at = until_ns - 20 * MINUTE
    while at < until_ns:
        attendance.notice(central, at)
        at += 2 * MINUTE


def told(central: Central) -> list[tuple[str, str, int | None]]:
    """(kind, instant the silence counts from, level) of each event, in order."""
    entries: list[Entry] = list(Ledger(central).entries())
    found = [(one.kind, one.fields.get("since"), one.fields.get("minutes")) for one in entries]
    return [(kind, str(since), minutes) for kind, since, minutes in found if kind.startswith("silence")]


def look(central: Central, *instants: int) -> None:
    """Every two minutes from the first instant to the last."""
    at = instants[0]
    while at <= instants[-1]:
        attendance.notice(central, at)
        at += MINUTE


BEGUN = "2027-01-15T08:00:00.000000000Z"
"""T, as `date -u -d @1800000000` says it."""


def test_at_15_minutes_1_hour_and_24_hours_once_each(central: Central, site: str) -> None:
    look(central, T, T + 15 * MINUTE - 1)
    assert told(central) == []
    look(central, T + 14 * MINUTE, T + 59 * MINUTE)
    assert told(central) == [("silence", BEGUN, 15)]
    attendance.notice(central, T + HOUR)
    attendance.notice(central, T + HOUR + 1)
    assert told(central)[1:] == [("silence", BEGUN, 60)]
    attendance.notice(central, T + HOUR + MINUTE)
    assert len(told(central)) == 2


def test_the_third_level_after_a_day(central: Central, site: str) -> None:
    watch(central, T + 24 * HOUR)
    attendance.notice(central, T + 24 * HOUR)
    assert [minutes for _, _, minutes in told(central)] == [15, 60, 1440]
    assert Ledger(central).check() == []


def test_its_end_is_told_once_and_another_silence_is_another(central: Central, site: str) -> None:
    look(central, T, T + 16 * MINUTE)
    hear(central, T + 17 * MINUTE)
    look(central, T + 17 * MINUTE, T + 20 * MINUTE)
    assert told(central) == [("silence", BEGUN, 15), ("silence-ended", BEGUN, None)]
    look(central, T + 20 * MINUTE, T + 33 * MINUTE)
    assert told(central)[2:] == [("silence", "2027-01-15T08:17:00.000000000Z", 15)]


def test_a_site_never_heard_is_silent_since_it_was_enrolled(central: Central) -> None:
    add(central, SITE, heard_at_ns=None)
    look(central, T, T + 16 * MINUTE)
    assert told(central) == [("silence", BEGUN, 15)]


def test_a_site_whose_contract_has_ended_is_not_missed(central: Central, site: str) -> None:
    Site.update(state="destroyed").execute(central.database)
    look(central, T, T + 30 * MINUTE)
    assert told(central) == []


def test_a_central_that_was_away_does_not_call_its_sites_silent_at_once(central: Central, site: str) -> None:
    back = T + 10 * HOUR
    attendance.notice(central, back)
    assert told(central) == []
    hear(central, back + MINUTE)
    look(central, back, back + 15 * MINUTE)
    assert told(central) == []


def test_two_processes_that_look_at_once_write_each_event_once(central: Central, site: str) -> None:
    for number in range(20):
        add(central, f"{number:064x}")
    watch(central, T + HOUR)
    program = (
        "import sys; from pathlib import Path; from appliance.central import attendance, places\n"
        "central = places.open(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        f"[attendance.notice(central, {T + HOUR} + turn) for turn in range(3)]; central.close()"
    )
    command = [sys.executable, "-c", program, str(central.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    levels = [minutes for _, _, minutes in told(central)]
    assert sorted(levels) == [15] * 21 + [60] * 21
    assert Ledger(central).check() == []


def test_the_last_word_on_silence_is_found_without_reading_the_ledger(tmp_path: Path) -> None:
    """Somebody looks every 20 seconds, and the ledger only grows: says SQLite itself."""
    central = places.create(tmp_path / "central", CentralConfig("Lyon"), ("127.0.0.1",))
    try:
        query = "SELECT MAX(seq) FROM event WHERE kind IN ('silence', 'silence-ended') GROUP BY site"
        plan = " ".join(row[3] for row in central.database.execute_sql(f"EXPLAIN QUERY PLAN {query}"))
        assert "SEARCH" in plan
        assert "COVERING INDEX event_kind_site_seq" in plan
        assert "SCAN" not in plan
    finally:
        central.close()

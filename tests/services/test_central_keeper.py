"""The keeper of a central: one at work for a folder, whatever fails is said and tried again."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from appliance.central import enrolment, expiry, places, tallies
from appliance.central.expiry import Outcome
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import Code, Site
from appliance.central.tallies import Reason, Tallies
from appliance.config.central import CentralConfig
from appliance.https import tls
from appliance.model.instants import day_of
from appliance.services.central.keeper import Keeper

MINUTE, HOUR, DAY = 60 * 10**9, 3600 * 10**9, 86_400 * 10**9
T = 1_800_000_000 * 10**9


class Clock:
    def __init__(self) -> None:
        self.now = T

    def __call__(self) -> int:
        return self.now


def made(folder: Path, clock: Clock) -> Central:
    return places.create(folder / "lyon", CentralConfig("Lyon"), ["127.0.0.1"], clock)


def events(central: Central, kind: str) -> list[dict[str, object]]:
    return [dict(one.fields) for one in Ledger(central).entries() if one.kind == kind]


def test_a_turn_writes_counts_notices_silence_and_empties_lapsed_codes(tmp_path: Path) -> None:
    clock, counted = Clock(), Tallies()
    central = made(tmp_path, clock)
    said: list[str] = []
    keeper = Keeper(central, counted, clock, said.append)
    enrolment.new_code(central, "Hotel du Port", {}, T, 1)
    fields = {"public_key": "00" * 32, "name": "Hotel du Port", "terms": json.dumps({"traffic": 1})}
    Site.insert(fingerprint="5e" * 32, enrolled_at_ns=T, heard_at_ns=T, **fields).execute(central.database)
    for _ in range(3):
        counted.count(Reason.NOT_AUTHORISED)
    while clock.now <= T + 2 * HOUR:
        keeper.turn()
        clock.now += MINUTE
    keeper.stop()
    assert tallies.refused_on(central.database, day_of(T)) == {"not_authorised": 3}
    assert [event["minutes"] for event in events(central, "silence")] == [15, 60]
    assert [code.secret for code in Code.select().execute(central.database)] == [None]
    assert said == []
    central.close()


def test_terms_are_looked_at_when_the_day_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A term ends with its day, in UTC: whenever it began, central keeps it no longer."""
    clock = Clock()
    clock.now = (T // DAY + 1) * DAY - 10 * MINUTE
    central = made(tmp_path, clock)
    looked: list[int] = []
    monkeypatch.setattr(expiry, "expire", lambda _, now_ns: looked.append(now_ns) or Outcome((), 0, None))
    keeper = Keeper(central, Tallies(), clock)
    midnight = (T // DAY + 1) * DAY
    while clock.now <= midnight + 2 * HOUR:
        keeper.turn()
        clock.now += MINUTE
    keeper.stop()
    assert [(at - midnight) // MINUTE for at in looked] == [-10, 0, 60, 120]
    central.close()


def test_one_of_two_is_at_work_and_the_other_takes_over(tmp_path: Path) -> None:
    clock = Clock()
    first = made(tmp_path, clock)
    second = places.open(tmp_path / "lyon")
    Site.insert(
        fingerprint="5e" * 32, public_key="", name="", terms="{}", enrolled_at_ns=T, heard_at_ns=T
    ).execute(first.database)
    one, other = Keeper(first, Tallies(), clock), Keeper(second, Tallies(), clock)
    one.turn()
    clock.now += 20 * MINUTE
    other.turn()
    assert events(first, "silence") == []
    one.stop()
    for _ in range(18):
        clock.now += MINUTE
        other.turn()
    assert [event["minutes"] for event in events(second, "silence")] == [15]
    other.stop()
    first.close()
    second.close()


def test_what_fails_is_said_without_a_secret_and_the_rest_is_done(tmp_path: Path) -> None:
    clock, said = Clock(), list[str]()
    central = made(tmp_path, clock)
    keeper = Keeper(central, Tallies(), clock, said.append)
    enrolment.new_code(central, "Hotel du Port", {}, T - 2 * HOUR, 1)
    authority = central.folder / "tls" / "ca.key"
    authority.rename(authority.with_suffix(".away"))
    clock.now += 390 * DAY
    keeper.turn()
    assert any("renew" in sentence and "ca.key" in sentence for sentence in said)
    assert any("clock stands 390 days" in sentence for sentence in said)
    assert [code.secret for code in Code.select().execute(central.database)] == [None]
    before = len(said)
    keeper.turn()
    assert len(said) == before
    clock.now += 6 * MINUTE
    authority.with_suffix(".away").rename(authority)
    keeper.turn()
    ends = ["openssl", "x509", "-in", str(central.folder / "tls" / "server.pem"), "-noout", "-enddate"]
    shown = subprocess.run(ends, capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith("2029 GMT")
    keeper.stop()
    central.close()


def test_a_renewed_certificate_is_read_again_and_one_that_stayed_is_not(tmp_path: Path) -> None:
    central = made(tmp_path, Clock())
    files = (str(central.folder / "tls" / "server.pem"), str(central.folder / "tls" / "server.key"))
    context = tls.current_context(*files)
    assert tls.current_context(*files) is context
    Path(files[0]).write_bytes(Path(files[0]).read_bytes())
    assert tls.current_context(*files) is not context
    central.close()


def test_it_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    central = made(tmp_path, Clock())
    counted = Tallies()
    keeper = Keeper(central, counted)
    keeper.start()
    counted.count(Reason.BUSY)
    begun = time.monotonic()
    keeper.stop()
    assert time.monotonic() - begun < 8
    assert tallies.refused_on(central.database, day_of(time.time_ns())) == {"busy": 1}
    central.close()

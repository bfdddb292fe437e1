"""Expiry at central: by its own clock, all of it, never what a hold keeps, whatever interrupts it."""

import datetime as dt
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central import believed, erasures, expiry, holds, places, sites
from appliance.central.failures import IN_A_ROW
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import Erasure, Hold, Key, Stored
from appliance.cli.main import main
from appliance.config.central import CentralConfig
from appliance.model.errors import StorageError, UsageError
from appliance.model.instants import DAY_NS, HOUR_NS, start_of
from appliance.replication import claims
from appliance.replication.names import Kind
from appliance.replication.targets import Replaced
from appliance.retention import destruction
from appliance.retention import holds as box_holds
from appliance.retention.policy import destroyed_on
from appliance.runtime.clock import now_ns
from appliance.vault import seals
from appliance.vault.names import VaultName
from appliance.vault.seals import DestructionOrdered
from tests.central.dying import dies_at
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.central.made_sites import events, stored
from tests.vault.made_homes import DAY

YESTERDAY = DAY - dt.timedelta(days=1)
OVER = destroyed_on(YESTERDAY, 1)
OVER_NS = start_of(OVER)
ORDER = seals.Hold("order 12", (VaultName.TRAFFIC,), YESTERDAY, YESTERDAY, OVER + dt.timedelta(days=9))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def full(filled: Filled, central: Central) -> Central:
    """A central that has everything of the box and believes the clock when the first day's term is over."""
    enrol(filled, central)
    deposit(filled, central)
    believed.confirm(central, OVER_NS - HOUR_NS, OVER_NS - HOUR_NS)
    return central


@pytest.fixture(scope="module")
def reference(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a folder that can be copied."""
    made = places.create(tmp_path_factory.mktemp("reference") / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, made)
    deposit(filled, made)
    believed.confirm(made, OVER_NS - HOUR_NS, OVER_NS - HOUR_NS)
    made.close()
    return made.folder


def copied(reference: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", reference, to], check=True, timeout=60)
    return to


@pytest.fixture
def here(reference: Path, tmp_path: Path) -> Iterator[Central]:
    """A copy of it, opened: for what does not depend on what a central stands on."""
    opened = places.open(copied(reference, tmp_path / "here"))
    yield opened
    opened.close()


def of_day(central: Central, day: dt.date) -> set[str]:
    """Paths of what central keeps of a day's records and keys; statistics name nobody and stay."""
    return {path for path in stored(central) if f"/{day}/" in path and "/statistics/" not in path}


def test_the_day_before_nothing_goes_and_on_the_day_all_of_it(full: Central) -> None:
    before = stored(full)
    assert expiry.expire(full, OVER_NS - 1).destroyed == ()
    assert stored(full) == before
    gone = of_day(full, YESTERDAY)
    keys = {row.key_id for row in Key.select().where(Key.day == YESTERDAY).execute(full.database)}
    sizes = {path: len(content) for path, content in before.items() if path in gone}
    outcome = expiry.expire(full, OVER_NS)
    [certificate] = outcome.destroyed
    assert (certificate.vault, certificate.day, set(certificate.key_ids)) == ("traffic", YESTERDAY, keys)
    assert certificate.envelope_count == sum("/envelopes/" in path for path in gone) > 0
    assert certificate.file_count == sum("/envelopes/" not in path for path in gone) > 0
    assert certificate.size_bytes == sum(sizes.values())
    if full.config.store.is_s3:
        # Locked to that very day by the server's real clock, which is months earlier: without envelopes it
        # is noise, and it goes when the lock lets it.
        assert certificate.later == sum("/segments/" in path for path in gone)
        assert of_day(full, YESTERDAY) == {path for path in gone if "/segments/" in path}
    else:
        assert certificate.later == 0
        assert of_day(full, YESTERDAY) == set()
    assert {path: content for path, content in before.items() if path not in gone} == {
        path: content for path, content in stored(full).items() if path not in gone
    }
    states = Stored.select(Stored.state).where(Stored.day == YESTERDAY, Stored.kind != "statistics")
    assert {row.state for row in states.execute(full.database)} <= {"destroyed", "replaced"}
    assert Ledger(full).check() == []
    assert expiry.expire(full, OVER_NS).destroyed == ()


def test_one_site_that_refuses_keeps_no_other_and_is_named(
    here: Central, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first in every order has a disk that fails; the second's term is carried out all the same."""
    neighbour = make_filled(tmp_path / "gare", hours=(9,))
    enrol(neighbour, here, "Gare")
    deposit(neighbour, here, leave_out=["statistics"])
    believed.confirm(here, OVER_NS - HOUR_NS, OVER_NS - HOUR_NS)
    first, second = sites.every(here)
    destroy = here.custody.destroy

    def refuse(path: str) -> None:
        if path.startswith(first.fingerprint):
            raise StorageError("cannot destroy this: Input/output error")
        destroy(path)

    monkeypatch.setattr(here.custody, "destroy", refuse)
    for _ in range(2):
        with pytest.raises(StorageError, match=rf"{first.fingerprint[:16]}.*traffic {YESTERDAY}.*Input/out"):
            expiry.expire(here, OVER_NS)
    kept = {path.partition("/")[0] for path in of_day(here, YESTERDAY)}
    assert kept == {first.fingerprint}
    assert [event.site for event in events(here, "destroyed")] == [second.fingerprint]
    monkeypatch.undo()
    assert [one.site for one in expiry.expire(here, OVER_NS).destroyed] == [first.fingerprint]
    assert of_day(here, YESTERDAY) == set()


def test_a_site_that_has_refused_for_weeks_keeps_no_other(
    here: Central, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has left over stands first in every call, and by its number alone looks like a store's end."""
    neighbour = make_filled(tmp_path / "gare", hours=(9,))
    enrol(neighbour, here, "Gare")
    deposit(neighbour, here, leave_out=["statistics"])
    believed.confirm(here, OVER_NS - HOUR_NS, OVER_NS - HOUR_NS)
    first, second = sites.every(here)
    for number in range(IN_A_ROW + 5):
        day = YESTERDAY - dt.timedelta(days=30 + number)
        key = {"key_id": f"{number:016x}", "vault": "traffic", "day": day, "state": "ordered"}
        Key.insert(site=first, **key).execute(here.database)
    names = here.custody.names

    def refuse(prefix: str) -> Iterator[str]:
        if prefix.startswith(first.fingerprint):
            raise StorageError("cannot read this: Input/output error")
        return names(prefix)

    monkeypatch.setattr(here.custody, "names", refuse)
    with pytest.raises(StorageError, match=f"so did {IN_A_ROW + 5} more"):
        expiry.expire(here, OVER_NS)
    assert [event.site for event in events(here, "destroyed")] == [second.fingerprint]


def test_a_days_rows_are_found_by_the_day(here: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by reading every row of a site, of which there are millions, for each of its days."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    execute = here.database._execute_cursor

    def listening(sql: str, params: tuple[object, ...], **options: object) -> object:
        asked.append((sql, tuple(params or ())))
        return execute(sql, params, **options)

    monkeypatch.setattr(here.database, "_execute_cursor", listening)
    expiry.expire(here, OVER_NS)
    monkeypatch.undo()
    plans = [
        str([row[3] for row in here.database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()])
        for sql, params in asked
        if sql.startswith(('SELECT "t1"."site_id", "t1"."sequence"', 'UPDATE "stored"'))
    ]
    assert len(plans) == 2
    assert all("site_id=? AND day=? AND vault=?" in plan for plan in plans), plans


def test_a_file_that_cannot_be_deleted_is_not_the_first_again(
    here: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    [site] = sites.every(here)
    paths = [f"{site.fingerprint}/journal/{letter}.{'0' * 64}" for letter in "abc"]
    for path in paths:
        Erasure.insert(path=path).execute(here.database)
    tried: list[str] = []

    def delete(path: str) -> bool:
        tried.append(path)
        if path == paths[0]:
            raise StorageError("cannot delete it: Input/output error")
        return True

    monkeypatch.setattr(here.store, "delete", delete)
    with pytest.raises(StorageError, match="Input/output"):
        erasures.erase(here, OVER_NS)
    assert tried == paths
    assert erasures.erase(here, OVER_NS) == 0
    assert tried == paths
    with pytest.raises(StorageError):
        erasures.erase(here, OVER_NS + DAY_NS)
    assert [row.path for row in Erasure.select().execute(here.database)] == paths[:1]


def test_a_store_that_is_away_is_not_asked_for_every_file(
    here: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def away(_: str) -> bool:
        nonlocal asked
        asked += 1
        raise StorageError("the store cannot be reached")

    for number in range(100):
        Erasure.insert(path=f"{'0' * 64}/journal/{number}").execute(here.database)
    monkeypatch.setattr(here.store, "delete", away)
    with pytest.raises(StorageError, match="cannot be reached; so did"):
        erasures.erase(here, OVER_NS)
    assert asked == IN_A_ROW


def test_the_ledger_states_the_order_before_and_the_certificate_after(here: Central) -> None:
    expiry.expire(here, OVER_NS)
    kinds = [entry.kind for entry in Ledger(here).entries()]
    assert kinds[-2:] == ["destruction-ordered", "destroyed"]
    ordered, done = [json.loads(event.line) for kind in kinds[-2:] for event in events(here, kind)]
    assert ordered["key_ids"] == done["key_ids"]
    assert (ordered["term_years"], ordered["day"]) == (1, YESTERDAY.isoformat())


def test_what_a_lock_keeps_is_deleted_when_it_lets_go(full: Central) -> None:
    [certificate] = expiry.expire(full, OVER_NS).destroyed
    waiting = Erasure.select().where(Erasure.not_before.is_null(False)).count(full.database)
    assert waiting == certificate.later
    if certificate.later:
        assert certificate.later_until == OVER + dt.timedelta(days=1)
    erasures.erase(full, OVER_NS)
    assert Erasure.select().count(full.database) == certificate.later


def test_an_envelope_or_a_file_of_a_destroyed_key_is_not_taken_again(filled: Filled, full: Central) -> None:
    expiry.expire(full, OVER_NS)
    objects = filled.objects()
    from appliance.central.receiver import Receiver

    for kind in (Kind.ENVELOPE, Kind.SEGMENT):
        name = next(name for name in objects if name.startswith(f"{kind}/traffic/{YESTERDAY}"))
        claim = claims.make(filled.signer, name, _sha256(objects[name]), len(objects[name]))
        with pytest.raises(Replaced):
            Receiver(full).deposit(claim, io.BytesIO(objects[name]))
    [site] = sites.every(full)
    assert expiry.is_gone(full.database, site, VaultName.TRAFFIC, YESTERDAY)
    assert not expiry.is_gone(full.database, site, VaultName.TRAFFIC, DAY)
    assert not expiry.is_gone(full.database, site, VaultName.SOURCE, YESTERDAY)


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_a_longer_term_of_the_contract_is_kept(here: Central) -> None:
    from appliance.central.tables import Site

    Site.update(terms=json.dumps({"traffic": 2, "source": 1})).execute(here.database)
    assert expiry.expire(here, OVER_NS).destroyed == ()
    believed.confirm(here, start_of(destroyed_on(YESTERDAY, 2)), start_of(destroyed_on(YESTERDAY, 2)))
    assert [gone.day for gone in expiry.expire(here, start_of(destroyed_on(YESTERDAY, 2))).destroyed] == [
        YESTERDAY
    ]


def test_a_held_day_stays_until_its_hold_ends_and_its_neighbour_goes(here: Central) -> None:
    [site] = sites.every(here)
    holds.place(here, site, ORDER, lambda: OVER_NS)
    both_over = start_of(OVER + dt.timedelta(days=1))
    held = of_day(here, YESTERDAY)
    outcome = expiry.expire(here, both_over)
    assert [gone.day for gone in outcome.destroyed] == [DAY]
    assert outcome.held == 1
    assert of_day(here, YESTERDAY) == held
    assert expiry.expire(here, start_of(ORDER.until)).destroyed == ()
    assert [gone.day for gone in expiry.expire(here, start_of(ORDER.until) + DAY_NS).destroyed] == [YESTERDAY]


def test_the_order_of_a_thief_with_the_boxs_key_destroys_nothing(here: Central) -> None:
    [site] = sites.every(here)
    before = stored(here)
    for years, at_ns in ((1, OVER_NS - 2 * DAY_NS), (0, OVER_NS)):
        order = DestructionOrdered(VaultName.TRAFFIC, DAY, ("0123456789abcdef",), years, OVER_NS * 2)
        expiry.ordered_by_box(here, site, order, at_ns)
        expiry.ordered_by_box(here, site, order, at_ns)
    assert len(events(here, "early-order")) == 1
    expiry.expire(here, OVER_NS - 2 * DAY_NS + HOUR_NS * 47)
    assert stored(here) == before


def test_an_order_in_its_time_is_no_event(here: Central) -> None:
    [site] = sites.every(here)
    order = DestructionOrdered(VaultName.TRAFFIC, YESTERDAY, ("0123456789abcdef",), 1, OVER_NS)
    expiry.ordered_by_box(here, site, order, OVER_NS)
    assert events(here, "early-order") == []


def test_what_the_chain_says_of_holds_and_orders_counts_at_central(
    filled: Filled, central_kind: str, central: Central, tmp_path: Path
) -> None:
    """Placed on the box with box.key, sent as a line, obeyed here; lifted there, no more obeyed here."""
    box = filled.box.copy_to(tmp_path / "home")
    mine = Filled(box, filled.late)
    enrol(mine, central)
    box_holds.place(box.home, ORDER, box.clock)
    deposit(mine, central)
    believed.confirm(central, OVER_NS, OVER_NS)
    [hold] = Hold.select().execute(central.database)
    assert (hold.reference, hold.placed_by, hold.until) == (ORDER.reference, "box", ORDER.until)
    assert expiry.expire(central, OVER_NS).held == 1
    box_holds.end(box.home, ORDER.reference, box.clock)
    destruction.destroy(box.home, box.config, box.clock, OVER_NS)
    deposit(mine, central, leave_out=["envelopes", "segments", "journal", "statistics"])
    assert len(events(central, "early-order")) == 1  # by this machine's clock it is still months too early
    assert [gone.day for gone in expiry.expire(central, OVER_NS).destroyed] == [YESTERDAY]


def test_after_a_fork_holds_unite(here: Central) -> None:
    [site] = sites.every(here)
    other = seals.Hold("order 12", (VaultName.SOURCE,), YESTERDAY, DAY, ORDER.until + dt.timedelta(days=5))
    for body in (ORDER, other, ORDER):
        holds.of_line(here.database, site, body, OVER_NS)
    [hold] = holds.of_site(here, site)
    assert (hold.vaults, hold.first_day, hold.last_day, hold.until) == (
        "source traffic",
        YESTERDAY,
        DAY,
        other.until,
    )


def test_a_box_does_not_lift_what_central_placed(here: Central) -> None:
    [site] = sites.every(here)
    holds.place(here, site, ORDER, lambda: OVER_NS)
    holds.of_line(here.database, site, seals.HoldEnded(ORDER.reference), OVER_NS)
    assert len(holds.holding(here, site, OVER)) == 1
    with pytest.raises(UsageError, match="used before"):
        holds.place(here, site, ORDER, lambda: OVER_NS)
    holds.end(here, site, ORDER.reference, lambda: OVER_NS)
    assert holds.holding(here, site, OVER) == []
    assert [entry.kind for entry in Ledger(here).entries()][-2:] == ["hold", "hold-ended"]


@pytest.mark.parametrize("jump_ns", [41 * DAY_NS, 400 * DAY_NS, -2 * HOUR_NS])
def test_a_clock_that_jumped_destroys_nothing_until_a_person_confirms_it(
    reference: Path, tmp_path: Path, jump_ns: int
) -> None:
    central = places.open(copied(reference, tmp_path / "c"))
    now = OVER_NS - HOUR_NS + jump_ns
    before = stored(central)
    assert expiry.expire(central, now).doubt
    assert expiry.expire(central, now).doubt
    assert stored(central) == before
    assert len(events(central, "clock-doubt")) == 1
    with pytest.raises(UsageError, match="not what you state"):
        believed.confirm(central, now, now - 3 * DAY_NS)
    believed.confirm(central, now, now)
    assert expiry.expire(central, now + HOUR_NS).doubt is None
    central.close()


def test_a_central_where_nothing_happens_is_not_in_doubt(reference: Path, tmp_path: Path) -> None:
    central = places.open(copied(reference, tmp_path / "c"))
    for week in range(10):
        assert expiry.expire(central, OVER_NS + week * 7 * DAY_NS).doubt is None
    central.close()


def test_killed_at_any_step_it_is_finished_by_the_next_call(reference: Path, tmp_path: Path) -> None:
    step = 0
    while True:
        folder = copied(reference, tmp_path / f"c{step}")
        died = dies_at(folder, step, lambda central: expiry.expire(central, OVER_NS))
        central = places.open(folder)
        done = expiry.expire(central, OVER_NS)
        assert done.doubt is None
        assert of_day(central, YESTERDAY) == set()
        assert len(of_day(central, DAY)) > 3
        assert len(events(central, "destroyed")) == len(events(central, "destruction-ordered")) == 1
        said = json.loads(events(central, "destroyed")[0].line)
        assert (said["envelope_count"] > 0, said["file_count"] > 0) == (True, True)
        assert Ledger(central).check() == []
        assert Key.select().where(Key.state == "ordered").count(central.database) == 0
        central.close()
        if not died:
            break
        step += 1
    assert step >= 12


def test_the_commands(reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(reference, tmp_path / "c")
    where = ["--dir", str(folder)]
    assert main(["central", "clock", *where]) == 0
    said = capsys.readouterr().out
    assert "before the newest line" in said
    assert "until 'greffier central clock --confirm' states" in said
    assert main(["central", "sites", *where]) == 0
    assert f"ALARM: {said.partition(': ')[2]}" in capsys.readouterr().out
    assert main(["central", "sites", *where, "--json"]) == 0
    assert "before the newest line" in json.loads(capsys.readouterr().out)["clock_doubt"]
    hold = ["central", "hold", *where, "--site", "Hotel du Port"]
    scope = ["--vault", "traffic", "--from", str(DAY), "--until-day", str(DAY), "--expires", "2099-01-01"]
    assert main([*hold, "place", "--reference", "A", *scope]) == 0
    assert "holding" in capsys.readouterr().out
    assert main([*hold, "end", "--reference", "A"]) == 0
    assert "lifted" in capsys.readouterr().out
    assert main([*hold, "end", "--reference", "A"]) == 2
    assert main([*hold, "place", "--reference", "B", *scope[:-1], "2020-01-01"]) == 2
    assert main(["central", "clock", *where, "--confirm", "2020-01-01"]) == 2
    central = places.open(folder)
    believed.confirm(central, now_ns(), now_ns())
    central.close()
    capsys.readouterr()
    assert main(["central", "clock", *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["doubt"] is None

"""A central that is outgrown moves: the same bytes, the same receipts, and the next one follows from them."""

import contextlib
import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from appliance.central import moving, places
from appliance.central.ledger import Ledger
from appliance.central.tallies import Tallies
from appliance.cli.main import main
from appliance.config import central_toml
from appliance.config.central import CentralConfig
from appliance.model.errors import CentralError
from appliance.model.instants import to_iso
from appliance.runtime.clock import now_ns
from appliance.services.central.keeper import Keeper
from tests.central.made_sites import Sender, make_sender, stored
from tests.central.servers import S3, SERVERS, Postgresql, config_of
from tests.contracts.target_suite import STATISTICS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lyon"


@pytest.fixture
def sender(folder: Path, tmp_path: Path) -> Sender:
    """A box that has sent everything to a central in a folder, which nobody has open."""
    central = places.create(folder, CentralConfig("Lyon"), ["127.0.0.1"])
    made = make_sender(central, tmp_path / "box")
    made.record()
    made.send_everything()
    return made


def test_what_was_kept_signed_and_told_is_so_elsewhere(
    sender: Sender, folder: Path, request: pytest.FixtureRequest, s3: S3, postgresql: Postgresql
) -> None:
    before, rows = stored(sender.central), sender.rows()
    kept = {name: content for name, content in sender.everything() if name not in sender.kept}
    receipts = {name: sender.deposit(name, content).render() for name, content in kept.items()}
    ledger = [entry.line for entry in Ledger(sender.central).entries()]
    sender.central.close()
    moved = moving.move(folder, config_of(SERVERS, request, "another name, which does not count"))
    assert (moved.files, moved.envelopes) == (len(before), sum("/envelopes/" in path for path in before))
    central = places.open(folder)
    there = Sender(central, sender.box)
    assert stored(central) == before
    assert {name: there.deposit(name, content).render() for name, content in kept.items()} == receipts
    following = there.deposit(STATISTICS.format(1), b'{"a":1}\n')
    assert (following.sequence, following.previous) == (len(rows) + 1, sender.site.receipts_head)
    assert [entry.line for entry in Ledger(central).entries()] == ledger
    assert Ledger(central).check() == []
    other = make_sender(central, folder.parent / "second box")  # numbered after those that came
    assert other.send_everything()
    others = len(other.rows())
    central.close()
    counted = postgresql.psql(central.config.catalogue, "SELECT count(*) FROM stored")
    assert int(counted) == len(rows) + 1 + others
    client = s3.client()
    segment = next(path for path in before if path.rpartition(".")[0].endswith(".parquet"))
    lock = client.get_object_retention(Bucket=central.config.store.bucket, Key=segment)["Retention"]
    client.close()
    assert lock["Mode"] == "COMPLIANCE"
    assert not [path for path in (folder / "custody").rglob("*") if path.is_file()]
    assert (central.config.name, central.config.hosts) == ("Lyon", ("127.0.0.1",))


def test_a_move_that_is_broken_off_changes_nothing_and_goes_on(
    sender: Sender, folder: Path, request: pytest.FixtureRequest
) -> None:
    before = stored(sender.central)
    sender.central.close()
    wanted = config_of(SERVERS, request)

    def breaks_off(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving.move(folder, wanted, breaks_off)
    central = places.open(folder)
    assert central.config == CentralConfig("Lyon", ("127.0.0.1",))
    assert stored(central) == before
    central.close()
    moving.move(folder, wanted)
    central = places.open(folder)
    assert central.config.store == wanted.store
    assert stored(central) == before
    central.close()


def test_only_what_changes_its_place_moves(
    sender: Sender, folder: Path, request: pytest.FixtureRequest
) -> None:
    before = stored(sender.central)
    sender.central.close()
    wanted = dataclasses.replace(config_of(SERVERS, request), catalogue="")
    moved = moving.move(folder, dataclasses.replace(wanted, store=sender.central.config.store))
    assert (moved.files, moved.rows) == (moved.envelopes, 0)
    central = places.open(folder)
    assert stored(central) == before
    assert Sender(central, sender.box).rows()
    central.close()


def test_the_verb(
    sender: Sender, folder: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(sender.central)
    sender.central.close()
    settings = folder.parent / "with-servers.toml"
    settings.write_text(central_toml.render(config_of(SERVERS, request)))
    assert main(["central", "move", "--dir", str(folder), "--settings", str(settings), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == len(before)
    assert main(["central", "move", "--dir", str(folder), "--settings", str(settings)]) == 0
    assert "Moved: 0 files, 0 of them envelopes, 0 rows" in capsys.readouterr().out
    assert main(["central", "verify", "--dir", str(folder)]) == 0


def test_a_central_at_work_stays_where_it_is(sender: Sender, folder: Path) -> None:
    sender.central.close()
    with contextlib.closing(places.open(folder)), pytest.raises(CentralError, match="is at work"):
        moving.move(folder, CentralConfig("Lyon"))
    moving.move(folder, CentralConfig("Lyon"))


def test_nothing_opens_a_central_that_is_being_moved(
    sender: Sender, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sender.central.close()
    other = folder.parent / "lille"
    places.create(other, CentralConfig("Lille"), ["127.0.0.1"]).close()
    at, site = ["--dir", str(folder)], ["--site", "Hotel du Port"]
    order = [
        "--reference",
        "R",
        "--vault",
        "traffic",
        "--from",
        "2026-03-14",
        "--until-day",
        "2026-03-14",
        "--expires",
        "2030-01-01",
    ]
    verbs = (
        ["clock", *at, "--confirm", to_iso(now_ns())],
        ["enrol", *at, "--site", "Another"],
        ["hold", *at, *site, "place", *order],
        ["compare", str(other), str(folder), "--mend"],
        ["serve", *at, "--listen", "127.0.0.1:0"],
    )
    said: list[tuple[int, str]] = []

    def told(done: int, total: int) -> None:
        if done == 1:
            said.extend((main(["central", *verb]), capsys.readouterr().err) for verb in verbs)

    moving.move(folder, CentralConfig("Lyon"), told)
    assert [(code, "is being moved" in words) for code, words in said] == [(11, True)] * len(verbs)


def test_a_machine_that_serves_meanwhile_stops_the_move(
    sender: Sender, folder: Path, request: pytest.FixtureRequest
) -> None:
    sender.central.close()
    settings = (folder / central_toml.NAME).read_bytes()
    elsewhere = Sender(places.opened(folder), sender.box)  # as from a machine whose locks are not seen here

    numbers = itertools.count(1)

    def told(done: int, total: int) -> None:
        if done == total:
            elsewhere.deposit(STATISTICS.format(next(numbers)), b'{"a":1}\n')

    for wanted in (CentralConfig("Lyon"), config_of(SERVERS, request)):
        head = len(elsewhere.rows())
        with pytest.raises(CentralError, match="another machine serves"):
            moving.move(folder, wanted, told)
        assert len(elsewhere.rows()) == head + 1
        assert (folder / central_toml.NAME).read_bytes() == settings
    elsewhere.central.close()


@pytest.fixture
def half_moved(
    sender: Sender, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[CentralConfig, dict[str, bytes]]:
    """Envelopes were in a bucket and moved into the folder; the process died before the bucket's went."""
    sender.central.close()
    here = CentralConfig("Lyon")
    wanted = dataclasses.replace(here, custody=config_of(SERVERS, request).custody)
    moving.move(folder, wanted)
    assert envelopes_at(folder, here) == {}
    before = envelopes_at(folder, wanted)
    with monkeypatch.context() as patched:
        patched.setattr(moving, "leave", dies_when_left)
        with pytest.raises(KeyboardInterrupt):
            moving.move(folder, here)
    assert envelopes_at(folder, wanted) == envelopes_at(folder, here) == before != {}
    return wanted, before


def dies_when_left(central: places.Central) -> None:
    if (central.folder / moving.LEFT).exists():
        raise KeyboardInterrupt


def envelopes_at(folder: Path, config: CentralConfig) -> dict[str, bytes]:
    with contextlib.closing(places.custody_of(folder, config)) as custody:
        return {path: custody.get(path) for path in custody.names("")}


@pytest.mark.parametrize("who", ["move", "keeper"])
def test_envelopes_go_from_where_they_lay_though_the_move_was_killed(
    half_moved: tuple[CentralConfig, dict[str, bytes]],
    folder: Path,
    who: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted, before = half_moved
    assert main(["central", "verify", "--dir", str(folder)]) == 1
    assert "envelopes still lie" in capsys.readouterr().out
    if who == "move":
        moving.move(folder, CentralConfig("Lyon"))
    else:
        with contextlib.closing(places.open(folder)) as central:
            Keeper(central, Tallies()).turn()
    assert (envelopes_at(folder, wanted), envelopes_at(folder, CentralConfig("Lyon"))) == ({}, before)
    assert not (folder / moving.LEFT).exists()
    assert main(["central", "verify", "--dir", str(folder)]) == 0


def test_no_envelope_goes_that_is_nowhere_else(
    half_moved: tuple[CentralConfig, dict[str, bytes]], folder: Path
) -> None:
    wanted, before = half_moved
    lost = next(iter(before))
    with contextlib.closing(places.open(folder)) as central:
        central.custody.destroy(lost)
        with pytest.raises(CentralError, match="1 envelopes lie in the custody from before"):
            moving.leave(central)
        assert envelopes_at(folder, wanted) == {lost: before[lost]}
        central.custody.put(lost, before[lost])
        assert moving.leave(central)
    assert envelopes_at(folder, wanted) == {}


def test_what_is_damaged_is_said_and_nothing_moves(
    sender: Sender, folder: Path, request: pytest.FixtureRequest
) -> None:
    sender.central.close()
    segment = next((folder / "objects").rglob("*.parquet.*"))
    segment.write_bytes(segment.read_bytes()[:-1] + b"\x00")
    with pytest.raises(CentralError, match="is lost or damaged; mend it"):
        moving.move(folder, config_of(SERVERS, request))
    places.open(folder).close()


def test_a_database_in_use_is_refused(sender: Sender, folder: Path, request: pytest.FixtureRequest) -> None:
    sender.central.close()
    wanted = config_of(SERVERS, request)
    other = places.create(
        folder.parent / "other", dataclasses.replace(CentralConfig("x"), catalogue=wanted.catalogue), ["a"]
    )
    other.close()
    with pytest.raises(CentralError, match="has tables already"):
        moving.move(folder, wanted)
    places.open(folder).close()

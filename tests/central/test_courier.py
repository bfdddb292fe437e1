"""The courier: from the box on a stick to central and home again, whatever happens to it on the way."""

import contextlib
import hashlib
import io
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.central import places, verifying
from appliance.central.courier import Reading, Report
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tables import Site, Stored
from appliance.config.central import CentralConfig
from appliance.model.errors import StorageError
from appliance.replication import accounts, brought, claims, courier, parcels
from appliance.replication.accounts import Accounts
from appliance.replication.courier import Writing, Written
from appliance.replication.enrolled import enrolled
from appliance.replication.homecoming import Homecoming, bring_home, clean
from appliance.replication.stick import Stick
from appliance.runtime import locks
from appliance.vault.names import Home
from tests.central.filled import Filled, enrol, make_filled
from tests.vault.made_homes import Box


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("box"))


@pytest.fixture
def filled(made: Filled, tmp_path: Path) -> Filled:
    """A box of the test's own, enrolled nowhere."""
    return Filled(made.box.copy_to(tmp_path / "home"), made.late)


@contextlib.contextmanager
def new_central(folder: Path, name: str = "Lyon") -> Iterator[Central]:
    central = places.create(folder, CentralConfig(name), ("127.0.0.1",))
    try:
        yield central
    finally:
        central.close()


def new_stick(folder: Path) -> Stick:
    folder.mkdir(exist_ok=True)
    return Stick(folder)


def write(filled: Filled, stick: Stick, limit_bytes: int | None = None) -> Written:
    home = filled.box.home
    return Writing(home, stick, enrolled(home), filled.late, limit_bytes).run()


def take_in(central: Central, stick: Stick) -> Report:
    return Reading(central, Receiver(central), stick).run()


def bring(filled: Filled, stick: Stick) -> list[Homecoming]:
    return bring_home(filled.box.home, stick, filled.late)[0]


def signed(filled: Filled, place: int = 0) -> dict[str, str]:
    """What the box counts as kept at one of its centrals."""
    return dict(accounts.read(enrolled(filled.box.home)[place].folder).signed)


def kept(central: Central, fingerprint: str) -> dict[str, bytes]:
    """What a central has of a site: the bytes themselves, read by nothing of ours where it is a folder."""
    site = Site.select().where(Site.fingerprint == fingerprint).get(central.database)
    found = {}
    for row in Stored.select().where(Stored.site == site, Stored.state == "kept").execute(central.database):
        path = f"{fingerprint}/{row.name}.{bytes(row.sha256).hex()}"
        if row.name.startswith("envelopes/"):
            found[row.name] = central.custody.get(path)
        else:
            with central.store.open(path) as file:
                found[row.name] = file.read()
    return found


def assert_all_is_home(filled: Filled, central: Central, place: int = 0) -> None:
    everything = filled.objects()
    assert kept(central, filled.signer.fingerprint) == everything
    assert signed(filled, place).keys() == everything.keys()
    assert verifying.verify(central).faults == ()


def test_the_whole_way_on_both_kinds_of_central(filled: Filled, central: Central, tmp_path: Path) -> None:
    enrol(filled, central)
    stick = new_stick(tmp_path / "stick")
    everything = filled.objects()
    written = write(filled, stick)
    assert (written.objects, written.size_bytes) == (len(everything), sum(map(len, everything.values())))
    assert signed(filled) == {}
    report = take_in(central, stick)
    assert [one.is_taken for one in report.deliveries] == [True]
    assert report.receipts == len(everything)
    assert signed(filled) == {}
    (came,) = bring(filled, stick)
    assert (came.tally.new, came.tally.wrong) == (len(everything), 0)
    assert_all_is_home(filled, central)
    assert write(filled, new_stick(tmp_path / "next")).objects == 0


def test_two_boxes_and_two_centrals_on_one_stick(filled: Filled, tmp_path: Path) -> None:
    other = make_filled(tmp_path / "other", hours=(3,))
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "lyon") as lyon, new_central(tmp_path / "nantes", "Nantes") as nantes:
        for box in (filled, other):
            for central in (lyon, nantes):
                enrol(box, central)
            write(box, stick)
        assert len(stick.parcels_found()) == 2
        for central in (lyon, nantes):
            take_in(central, stick)
        for box in (filled, other):
            assert len(bring(box, stick)) == 2
            for central in (lyon, nantes):
                place = [one.identity for one in enrolled(box.box.home)].index(central.identity)
                assert_all_is_home(box, central, place)


def test_everything_may_be_done_twice(filled: Filled, tmp_path: Path) -> None:
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, stick)
        again = write(filled, stick)
        assert (again.objects, again.already) == (0, len(filled.objects()))
        first = take_in(central, stick)
        second = take_in(central, stick)
        assert sum(one.new for one in first.deliveries) == sum(one.known for one in second.deliveries)
        assert sum(one.new for one in second.deliveries) == 0
        bring(filled, stick)
        (came,) = bring(filled, stick)
        assert came.tally.new == 0
        assert_all_is_home(filled, central)


def test_what_central_lost_comes_again_from_a_box_whose_receipts_were_taken_away(
    filled: Filled, tmp_path: Path
) -> None:
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        stick = new_stick(tmp_path / "stick")
        write(filled, stick)
        take_in(central, stick)
        bring(filled, stick)
        lost = [path for path in (central.folder / "objects").rglob("*.parquet.*") if path.is_file()]
        assert lost
        for path in lost:
            path.unlink()
        assert verifying.verify(central).faults
        (enrolled(filled.box.home)[0].folder / accounts.RECEIPTS).unlink()
        again = new_stick(tmp_path / "again")
        assert write(filled, again).objects == len(filled.objects())
        assert [one.known for one in take_in(central, again).deliveries] == [len(filled.objects())]
        bring(filled, again)
        assert_all_is_home(filled, central)


def test_the_ledger_counts_what_a_stick_brought_and_not_what_came_over_the_line(
    filled: Filled, tmp_path: Path
) -> None:
    """An object more comes over the line while the stick is read."""
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        stick = new_stick(tmp_path / "stick")
        write(filled, stick)
        statistics, beside = "statistics/2031-01-01/0123abcd-1.jsonl", b"{}\n"
        claim = claims.make(filled.signer, statistics, hashlib.sha256(beside).hexdigest(), len(beside))
        line = Receiver(central)
        meanwhile = [lambda: line.deposit(claim, io.BytesIO(beside))]

        def progress(done: int, total: int) -> None:
            while meanwhile:
                assert meanwhile.pop()().sequence > 0

        Reading(central, Receiver(central, is_live=False), stick, progress=progress).run()
        (entry,) = [one for one in Ledger(central).entries() if one.kind == "courier"]
        assert entry.fields["objects"] == len(filled.objects())


def test_an_old_stick_changes_nothing(filled: Filled, tmp_path: Path) -> None:
    old, new = new_stick(tmp_path / "old"), new_stick(tmp_path / "new")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, old)
        shutil.copytree(old.path, new.path, dirs_exist_ok=True)
        take_in(central, new)
        bring(filled, new)
        before = signed(filled)
        take_in(central, old)
        bring(filled, old)
        assert signed(filled) == before
        assert_all_is_home(filled, central)


def test_parcels_are_split_and_any_order_of_sticks_will_do(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "SIZE_LIMIT_BYTES", 20_000)
    monkeypatch.setattr(parcels, "OBJECT_LIMIT", 7)
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, stick)
        found = stick.parcels_found()
        assert len(found) > 4
        sticks = [new_stick(tmp_path / f"part{number}") for number in range(len(found))]
        for path, part in zip(reversed(found), sticks, strict=True):
            part.make_folder(part.parcels)
            shutil.copy(path, part.parcels)
        early = sum(one.early for part in sticks[:-1] for one in take_in(central, part).deliveries)
        assert early > 0
        # The last stick came first: what rests on nothing yet is named, and taken when it comes again.
        for part in reversed(sticks):
            take_in(central, part)
        for part in sticks:
            take_in(central, part)
            bring(filled, part)
        assert_all_is_home(filled, central)


def test_one_stick_whose_parcels_lie_the_wrong_way_round(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "OBJECT_LIMIT", 5)
    stick, turned = new_stick(tmp_path / "stick"), new_stick(tmp_path / "turned")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, stick)
        turned.make_folder(turned.parcels)
        found = stick.parcels_found()
        for path, name in zip(found, reversed(found), strict=True):
            shutil.copy(path, turned.parcels / name.name)
        report = take_in(central, turned)
        assert all(one.is_taken for one in report.deliveries)
        bring(filled, turned)
        assert_all_is_home(filled, central)


def test_as_much_as_is_allowed_and_the_rest_on_the_next_stick(filled: Filled, tmp_path: Path) -> None:
    size = sum(map(len, filled.objects().values()))
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        for number in range(20):
            stick = new_stick(tmp_path / f"stick{number}")
            written = write(filled, stick, limit_bytes=size // 3)
            assert sum(path.stat().st_size for path in written.parcels) < size // 3 + 8_000
            take_in(central, stick)
            bring(filled, stick)
            if not written.left:
                break
        assert number >= 2
        assert_all_is_home(filled, central)


def test_a_stick_of_a_stranger_is_refused_and_named(filled: Filled, tmp_path: Path) -> None:
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "one") as one, new_central(tmp_path / "two") as two:
        enrol(filled, one)
        write(filled, stick)
        report = take_in(two, stick)
        assert report.receipts == 0
        assert [sum(delivery.refused.values()) for delivery in report.deliveries] == [len(filled.objects())]
        assert Stored.select().count(two.database) == 0
        assert bring(filled, stick) == []


def test_receipts_of_another_central_or_for_another_box_are_not_believed(
    filled: Filled, tmp_path: Path
) -> None:
    """Its name on the file is not enough: every receipt is checked against the pinned key."""
    other = make_filled(tmp_path / "other", hours=(3,))
    stick, theirs = new_stick(tmp_path / "stick"), new_stick(tmp_path / "theirs")
    with new_central(tmp_path / "one") as one, new_central(tmp_path / "two") as two:
        enrol(filled, one)
        for central in (one, two):
            enrol(other, central)
        write(other, theirs)
        take_in(one, theirs)
        take_in(two, theirs)
        stick.make_folder(stick.receipts)
        mine = filled.signer.fingerprint[:16]
        for path in theirs.receipts_found(other.signer.fingerprint):
            name = f"{mine}-{one.signer.fingerprint[:16]}{path.name[33:]}"
            shutil.copy(path, stick.receipts / name)
        (came,) = bring(filled, stick)
        assert came.tally.new == came.tally.known == 0
        assert came.tally.foreign == 2 * len(other.objects())
        assert signed(filled) == {}


def test_what_is_not_the_boxs_own_is_never_counted(filled: Filled, tmp_path: Path) -> None:
    """A thief with box.key deposits other bytes under a coming name: that receipt says nothing of ours."""
    stick = new_stick(tmp_path / "stick")
    thief = Filled(filled.box.copy_to(tmp_path / "thief"), filled.late)
    journal = next(name for name in filled.objects() if name.startswith("statistics/"))
    (thief.box.home.path / journal).write_bytes(b'{"hour":"forged"}\n')
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        shutil.copytree(filled.box.home.replication, thief.box.home.replication)
        write(thief, stick)
        take_in(central, stick)
        (came,) = bring(filled, stick)
        assert came.tally.wrong == 1
        assert journal not in signed(filled)
        named = take_in_conflict(filled, central, tmp_path)
        assert any(journal == name for name, _ in named)


def take_in_conflict(filled: Filled, central: Central, folder: Path) -> list[tuple[str, str]]:
    stick = new_stick(folder / "honest")
    write(filled, stick)
    report = take_in(central, stick)
    return [pair for one in report.deliveries for pair in one.named]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_to_a_stick_nothing_false_is_kept_or_counted(
    made: Filled, tmp_path: Path, data: st.DataObject
) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    tmp_path.mkdir()
    filled = Filled(Box(Home(tmp_path / "home"), made.box.config, made.box.keys), made.late)
    shutil.copytree(made.box.home.path, filled.box.home.path)
    everything = filled.objects()
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, stick)
        _damage(data, stick.parcels_found()[0])
        take_in(central, stick)
        for path in stick.receipts_found(filled.signer.fingerprint):
            _damage(data, path)
        bring(filled, stick)
        there = kept(central, filled.signer.fingerprint)
        assert there.items() <= everything.items()
        assert signed(filled).keys() <= there.keys()
        assert verifying.verify(central).faults == ()
        # And the next stick brings what this one cost.
        fresh = new_stick(tmp_path / "fresh")
        write(filled, fresh)
        take_in(central, fresh)
        bring(filled, fresh)
        assert_all_is_home(filled, central)


def _damage(data: st.DataObject, path: Path) -> None:
    content = path.read_bytes()
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 20_000))
        other = data.draw(st.sampled_from([b"", b"\0" * 512, b"\n", content[:700], content[-900:]]))
        content = content[:start] + other + content[start + length :]
    path.write_bytes(content)


def test_a_full_stick_costs_receipts_only(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where receipts cannot be written, objects are taken all the same; the next reading gives them."""
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        write(filled, stick)
        stick.receipts.write_bytes(b"a file where a folder should be")
        report = take_in(central, stick)
        assert report.lost == len(filled.objects())
        assert report.refusal
        stick.receipts.unlink()
        assert take_in(central, stick).lost == 0
        bring(filled, stick)
        assert_all_is_home(filled, central)


def test_central_put_back_to_yesterday_is_noticed_by_what_a_stick_brings(
    filled: Filled, tmp_path: Path
) -> None:
    first, second = new_stick(tmp_path / "first"), new_stick(tmp_path / "second")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
    shutil.copytree(tmp_path / "central", tmp_path / "yesterday")
    central = places.open(tmp_path / "central")
    write(filled, first)
    take_in(central, first)
    central.close()
    bring(filled, first)
    # A backup comes back, another box's stick order gives other numbers to the same objects.
    central = places.open(tmp_path / "yesterday")
    shutil.copytree(first.parcels, second.parcels)
    parcel = second.parcels_found()[0]
    os.truncate(parcel, parcel.stat().st_size // 2)
    take_in(central, second)
    central.close()
    (came,) = bring(filled, second)
    assert came.tally.put_back == 1 or came.tally.outdated > 0
    evidence = enrolled(filled.box.home)[0].folder / "evidence.jsonl"
    assert evidence.read_bytes().count(b"\n") >= 1


def test_receipts_wait_for_a_service_that_keeps_the_account(filled: Filled, tmp_path: Path) -> None:
    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        known = enrol(filled, central)
        write(filled, stick)
        take_in(central, stick)
        with locks.exclusive(known.folder / "lock"):
            (came,) = bring(filled, stick)
            assert came.waiting == len(filled.objects())
            assert signed(filled) == {}
            site = filled.signer.fingerprint
            account = Accounts(known.folder, known.identity, site, filled.late)
            tally = brought.settle(known.folder, known.identity.signs_as, site, account, filled.holdings())
            account.close()
        assert tally.new == len(filled.objects())
        assert list((known.folder / brought.FOLDER).iterdir()) == []
        assert_all_is_home(filled, central)


def test_only_parcels_that_every_addressed_central_has_signed_for_are_deleted(
    filled: Filled, tmp_path: Path
) -> None:
    stick = new_stick(tmp_path / "stick")
    box = filled.signer.box
    with new_central(tmp_path / "lyon") as lyon, new_central(tmp_path / "nantes", "Nantes") as nantes:
        for central in (lyon, nantes):
            enrol(filled, central)
        write(filled, stick)
        centrals = enrolled(filled.box.home)
        for central, expected in ((lyon, 0), (nantes, 1)):
            take_in(central, stick)
            assert courier.acknowledged(stick.parcels_found(), box, centrals) == []
            bring(filled, stick)
            assert len(courier.acknowledged(stick.parcels_found(), box, centrals)) == expected
        assert clean(courier.acknowledged(stick.parcels_found(), box, centrals)) == 1
        assert stick.parcels_found() == []


def test_a_stick_that_loses_what_is_written_is_found_out(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forged stick of less room than it says: bytes are gone after it took them."""
    from appliance.replication import parcel_check

    stick = new_stick(tmp_path / "stick")
    with new_central(tmp_path / "central") as central:
        enrol(filled, central)
        forget = parcel_check.forget

        def lose(path: Path) -> None:
            content = bytearray(path.read_bytes())
            content[random.Random(1).randrange(len(content) // 2, len(content) - 2000)] ^= 4
            path.write_bytes(content)
            forget(path)

        monkeypatch.setattr(parcel_check, "forget", lose)
        with pytest.raises(StorageError, match="does not give back what was written"):
            write(filled, stick)

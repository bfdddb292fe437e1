"""A home out of central alone: the box's own, verified, searched; what is missing or changed is named."""

import errno
import io
import json
import os
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.central import believed, expiry, places, restoring, sites, unfinished
from appliance.central.places import Central
from appliance.central.tables import Stored
from appliance.cli.main import main
from appliance.config import box as box_toml
from appliance.config.central import CentralConfig
from appliance.model.errors import CentralError, StorageError
from appliance.model.instants import start_of
from appliance.retention.policy import destroyed_on
from appliance.runtime.files import sync_file_system
from appliance.vault.names import Home
from appliance.vault.unseal import custody
from appliance.vault.unseal.question import Question
from appliance.vault.unseal.search import Search
from appliance.vault.unseal.texts import readable
from appliance.vault.verify import verify
from tests.central.dying import DEAD
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.central.test_expiry import YESTERDAY, copied
from tests.vault.made_homes import DAY, run_that_dies, traffic

SITE = "Hotel du Port"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="module")
def reference(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = places.create(tmp_path_factory.mktemp("reference") / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, made)
    deposit(filled, made)
    made.close()
    return made.folder


def found_in(home: Home, keys: list[Path]) -> list[str]:
    """Every connection, as texts in one order."""
    search = Search(home, custody.KeyOpener(home, custody.open_identities(keys)), Question())
    rows: list[str] = []
    for table in search.connections():
        shown = readable(table)
        for name in ("first_seen", "last_seen", "received"):
            shown = shown.set_column(shown.column_names.index(name), name, shown[name].cast("int64"))
        rows += [json.dumps(row, sort_keys=True) for row in shown.to_pylist()]
    return sorted(rows)


def restored_at(central: Central, out: Path) -> list[restoring.Restored]:
    return restoring.restore(central, sites.find(central, SITE), out).homes


def files_of(home: Home) -> dict[str, bytes]:
    rooms = ("envelopes", "segments", "journal", "statistics")
    return {
        str(path.relative_to(home.path)): path.read_bytes()
        for room in rooms
        for path in (home.path / room).rglob("*")
        if path.is_file()
    }


def test_the_home_is_the_boxs_byte_for_byte(filled: Filled, central: Central, tmp_path: Path) -> None:
    enrol(filled, central)
    deposit(filled, central)
    [restored] = restored_at(central, tmp_path / "out")
    home = Home(restored.home)
    assert restored.missing == []
    assert home.chain.read_bytes() == filled.box.home.chain.read_bytes()
    assert files_of(home) == files_of(filled.box.home)
    report = verify(home)
    assert report.faults == ()
    assert str(report.head) == restored.head
    assert found_in(home, filled.box.keys) == found_in(filled.box.home, filled.box.keys)
    assert not (home.path / "box.key").exists()
    for path in restored.home.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_its_settings_are_those_of_the_chain_and_say_what_is_to_be_set(
    filled: Filled, reference: Path, tmp_path: Path
) -> None:
    central = places.open(reference)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    path = restored.home / "box.toml"
    config = box_toml.read(path)
    assert (config.site, config.custodians, config.quorum) == (
        filled.box.config.site,
        filled.box.config.custodians,
        filled.box.config.quorum,
    )
    assert "client_networks and interfaces" in path.read_text()


def test_what_a_thief_took_before_its_chain_was_sent_is_readable(filled: Filled, tmp_path: Path) -> None:
    """Envelopes and journals come first: their lines, and seals, never came."""
    central = places.create(tmp_path / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    box = filled.box.copy_to(tmp_path / "home")
    mine = Filled(box, filled.late)
    enrol(mine, central)
    deposit(mine, central)
    run_that_dies(box, traffic(80, 33, hour=15))
    deposit(mine, central, leave_out=["chain/", "segments/", "statistics/"])
    expected = found_in(box.home, box.keys)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    home = Home(restored.home)
    assert found_in(home, box.keys) == expected
    report = verify(home)
    assert report.faults == ()
    assert any("ended without closing" in notice.what for notice in report.notices)


def test_a_changed_and_a_missing_object_are_named_and_the_rest_is_restored(
    filled: Filled, reference: Path, tmp_path: Path
) -> None:
    folder = copied(reference, tmp_path / "c")
    segments = sorted((folder / "objects").rglob("*.parquet.*"))
    envelope = min((folder / "custody").rglob("*.envelope.*"))
    changed = bytearray(segments[0].read_bytes())
    changed[len(changed) // 2] ^= 1
    segments[0].write_bytes(changed)
    segments[1].unlink()
    envelope.unlink()
    central = places.open(folder)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    named = dict(restored.missing)
    parquet = [
        str(path.relative_to(folder / "objects")).partition("/")[2].rpartition(".")[0]
        for path in segments[:2]
    ]
    assert "was changed" in named[parquet[0]]
    assert "is missing, though central has signed" in named[parquet[1]]
    assert {name.replace(".parquet", ".index") for name in parquet} <= named.keys()
    assert sum("envelopes/" in name for name in named) == 1
    assert len(named) == 5
    whole, taken = files_of(filled.box.home), files_of(Home(restored.home))
    assert {name: whole[name] for name in taken} == taken
    assert whole.keys() - taken.keys() == named.keys()
    told = json.loads((restored.home / "state" / "restored.json").read_text())
    assert {name for name, _ in told["missing"]} == named.keys()


def test_a_row_that_was_changed_in_the_catalogue_is_not_believed(reference: Path, tmp_path: Path) -> None:
    """Another object's bytes put under a name by who can write the catalogue and the store: no signature."""
    central = places.open(copied(reference, tmp_path / "c"))
    rows = Stored.select().where(Stored.kind == "segments").order_by(Stored.name).limit(2)
    one, other = rows.execute(central.database)
    Stored.update(sha256=other.sha256, size_bytes=other.size_bytes).where(Stored.name == one.name).execute(
        central.database
    )
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    assert "not the file that the chain fixes" in dict(restored.missing)[one.name]


def test_a_damaged_line_ends_the_chain_there_and_is_named(
    filled: Filled, reference: Path, tmp_path: Path
) -> None:
    folder = copied(reference, tmp_path / "c")
    lines = sorted((folder / "objects").rglob("chain/*"))
    content = lines[5].read_bytes()
    lines[5].write_bytes(content.replace(b'"seq":5', b'"seq":6'))
    central = places.open(folder)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    whole = filled.box.home.chain.read_bytes().splitlines(keepends=True)
    assert Home(restored.home).chain.read_bytes() == b"".join(whole[:5])
    assert any(name.startswith("chain/000000000005") for name, _ in restored.missing)


def test_a_box_that_was_rolled_back_gives_one_home_a_branch(filled: Filled, tmp_path: Path) -> None:
    central = places.create(tmp_path / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    one = Filled(filled.box.copy_to(tmp_path / "one"), filled.late)
    enrol(one, central)
    other = Filled(one.box.copy_to(tmp_path / "other"), filled.late)
    one.box.record(traffic(30, 41, hour=16))
    other.box.record(traffic(20, 42, hour=17))
    deposit(one, central)
    deposit(other, central)
    made = restored_at(central, tmp_path / "out")
    central.close()
    assert [restored.home.parent.name for restored in made] == ["branch-1", "branch-2"]
    for restored, box in zip(made, (other.box, one.box), strict=True):
        home = Home(restored.home)
        assert restored.missing == []
        assert home.chain.read_bytes() == box.home.chain.read_bytes()
        assert files_of(home) == files_of(box.home)
        assert verify(home).faults == ()
        assert found_in(home, box.keys) == found_in(box.home, box.keys)


def test_what_was_destroyed_after_its_term_is_said_and_not_missing(reference: Path, tmp_path: Path) -> None:
    central = places.open(copied(reference, tmp_path / "c"))
    now = start_of(destroyed_on(YESTERDAY, 1))
    believed.confirm(central, now, now)
    expiry.expire(central, now)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    assert restored.missing == []
    assert restored.destroyed
    assert all(str(YESTERDAY) in name for name in restored.destroyed)
    assert {name.split("/")[2] for name in files_of(Home(restored.home)) if "statistics" not in name} == {
        str(DAY)
    }


def test_killed_anywhere_it_goes_on(filled: Filled, reference: Path, tmp_path: Path) -> None:
    out, expected = tmp_path / "out", files_of(filled.box.home)
    for looked_at in (0, 3, 9, 15):
        pid = os.fork()
        if pid == 0:
            try:
                central = places.open(reference)

                def die(done: int, total: int, at: int = looked_at) -> None:
                    if done > at:
                        os._exit(DEAD)

                restoring.restore(central, sites.find(central, SITE), out, die)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DEAD
        assert (out / restoring.UNFINISHED).exists()
    central = places.open(reference)
    [restored] = restored_at(central, out)
    assert (restored.missing, files_of(Home(restored.home))) == ([], expected)
    with pytest.raises(StorageError, match="not empty"):
        restored_at(central, out)
    central.close()
    assert verify(Home(restored.home)).faults == ()


def test_a_site_of_which_no_line_came_is_refused_in_a_sentence(filled: Filled, tmp_path: Path) -> None:
    central = places.create(tmp_path / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, central)
    with pytest.raises(CentralError, match="nothing to restore"):
        restored_at(central, tmp_path / "out")
    central.close()


def test_the_command_gives_the_custodians_everything(
    filled: Filled, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [str(path) for path in filled.box.keys]
    out = tmp_path / "out"
    verb = ["central", "restore", "--dir", str(reference), "--site", SITE, "--to", str(out)]
    assert main([*verb, "--identity", *keys]) == 0
    told = capsys.readouterr().out
    assert f"Restored to {out / 'home'}" in told
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=out / "data", capture_output=True, timeout=30).returncode == 0
    home = ["--home", str(out / "home")]
    for reads in (["verify"], ["coverage"], ["status"], ["hold", "list"]):
        assert main([reads[0], *home, *reads[1:]]) == 0, reads
    assert main(["search", *home, "--identity", *keys, "--out", str(tmp_path / "found.csv")]) == 0
    assert main(["bindings", *home, "--identity", *keys]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    "verb",
    [
        ["record"],
        ["retention"],
        ["retention", "--end-of-contract"],
        ["hold", "end", "--reference", "x"],
    ],
    ids=" ".join,
)
def test_what_needs_the_boxs_key_says_so(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    central = places.open(reference)
    [restored] = restored_at(central, tmp_path / "out")
    central.close()
    (tmp_path / "empty.pcap").write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    files = [str(tmp_path / "empty.pcap")] if verb == ["record"] else []
    rest = verb[1:]
    assert main([verb[0], "--home", str(restored.home), *rest, *files]) in (4, 10)
    error = capsys.readouterr().err
    assert "box.key" in error
    assert "can be read and not continued" in error


def test_killed_in_the_middle_of_a_file_it_goes_on(reference: Path, filled: Filled, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pid = os.fork()
    if pid == 0:
        try:
            central = places.open(reference)
            whole = central.store.open

            class Torn(io.BytesIO):
                """Gives its first hundred bytes; then the process is gone."""

                def read(self, size: int | None = -1) -> bytes:
                    return super().read(100) if self.tell() == 0 else os._exit(DEAD)

            def torn(path: str) -> BinaryIO:
                with whole(path) as file:
                    return (Torn if ".parquet." in path else io.BytesIO)(file.read())

            central.store.open = torn  # type: ignore[method-assign]
            restoring.restore(central, sites.find(central, SITE), out)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DEAD
    left = list(out.rglob(".*.new"))
    assert len(left) == 1
    left[0].rename(left[0].with_name(".of-another-name.7.new"))  # its object may be destroyed meanwhile
    central = places.open(reference)
    [restored] = restored_at(central, out)
    central.close()
    assert (restored.missing, files_of(Home(restored.home))) == ([], files_of(filled.box.home))
    assert restoring.days(restored)


def test_a_home_is_on_the_disk_before_its_mark_goes(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, synced = tmp_path / "out", []

    def watched(folder: Path) -> None:
        synced.append(
            (folder, (folder / restoring.UNFINISHED).exists(), (folder / "home/state/restored.json").exists())
        )
        sync_file_system(folder)

    monkeypatch.setattr(unfinished, "sync_file_system", watched)
    central = places.open(reference)
    restored_at(central, out)
    central.close()
    assert synced == [(out, True, True)]
    assert not (out / restoring.UNFINISHED).exists()


def test_a_store_that_is_away_ends_the_call_and_a_bad_sector_does_not(
    reference: Path, filled: Filled, tmp_path: Path
) -> None:
    central = places.open(reference)
    real, out = central.store.open, tmp_path / "out"

    def away(path: str) -> BinaryIO:
        raise StorageError("cannot read from the bucket objects: EndpointConnectionError; see to it")

    central.store.open = away  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="EndpointConnectionError"):
        restored_at(central, out)
    assert (out / restoring.UNFINISHED).exists()

    def bad(path: str) -> BinaryIO:
        if ".parquet." in path:
            raise StorageError("cannot read it") from OSError(errno.EIO, "Input/output error")
        return real(path)

    central.store.open = bad  # type: ignore[method-assign]
    [restored] = restored_at(central, out)
    central.close()
    assert {why for name, why in restored.missing if name.endswith(".parquet")} == {
        "cannot be read: the disk under it is damaged"
    }

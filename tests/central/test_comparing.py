"""`greffier central compare`: what one lacks or has lost comes from the other; what is gone never."""

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.central import believed, comparing, expiry, mending, places, verifying
from appliance.central.places import Central
from appliance.central.tables import Key, Site, Stored
from appliance.config.central import CentralConfig
from appliance.model.instants import DAY_NS, start_of
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.central.test_courier import kept
from tests.central.test_verifying import files
from tests.vault.made_homes import traffic

GREFFIER = Path(sys.executable).parent / "greffier"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("box"))


@pytest.fixture
def nantes(tmp_path: Path) -> Iterator[Central]:
    made = places.create(tmp_path / "nantes", CentralConfig("Nantes"), ("127.0.0.1",))
    yield made
    made.close()


def said(pair: tuple[Central, Central], reread: bool = True) -> comparing.Compared:
    (found,) = comparing.compare(pair, reread=reread)
    return found


def assert_equal(filled: Filled, pair: tuple[Central, Central]) -> None:
    everything = filled.objects()
    for central in pair:
        assert kept(central, filled.signer.fingerprint) == everything
        assert verifying.verify(central).faults == ()
    assert said(pair).is_equal
    assert said(pair).same == len(everything)


def test_each_gets_what_it_lacks_on_both_kinds_of_central(
    filled: Filled, central: Central, nantes: Central
) -> None:
    pair = (central, nantes)
    for one in pair:
        enrol(filled, one)
    deposit(filled, central, leave_out=("envelopes/source", "journal/", "segments/traffic/2026-03-13"))
    deposit(filled, nantes, leave_out=("statistics/", "envelopes/traffic", "segments/traffic/2026-03-14"))
    before = said(pair)
    everything = filled.objects().keys()
    for place, one in enumerate(pair):
        lacking = everything - kept(one, filled.signer.fingerprint).keys()
        other = kept(pair[1 - place], filled.signer.fingerprint).keys()
        assert set(before.sides[place].lacking.named) == lacking & other
        assert lacking
    assert not before.is_equal
    done = mending.mend(pair)
    assert done.brought == [side.lacking.count for side in before.sides]
    assert done.refused.count == 0
    assert_equal(filled, pair)
    again = mending.mend(pair)
    assert (again.brought, again.healed) == ([0, 0], [0, 0])


def test_what_was_lost_comes_back_where_its_row_stands(
    filled: Filled, central: Central, nantes: Central
) -> None:
    pair = (central, nantes)
    for one in pair:
        enrol(filled, one)
        deposit(filled, one)
    hurt = files(nantes.folder)
    for number, path in enumerate(hurt):
        match number % 3:
            case 0:
                path.unlink()
            case 1:
                os.truncate(path, path.stat().st_size - 1)
            case _:
                path.write_bytes(b"\0" * path.stat().st_size)
    assert said(pair, reread=False).is_equal
    assert said(pair).sides[1].lost.count == len(hurt)
    done = mending.mend(pair)
    assert (done.brought, done.healed) == ([0, 0], [0, len(hurt)])
    assert_equal(filled, pair)


def test_a_whole_new_place_is_filled_from_the_other(
    filled: Filled, central: Central, nantes: Central
) -> None:
    """One central burnt; the site is enrolled at the new one, and everything comes from the other."""
    enrol(filled, nantes)
    deposit(filled, nantes)
    assert said((nantes, central)).unknown_at == 1
    enrol(filled, central)
    assert mending.mend((nantes, central)).brought == [0, len(filled.objects())]
    assert_equal(filled, (nantes, central))


@pytest.fixture(scope="module")
def two(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two equal centrals, closed."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("lyon", "nantes"):
        made = places.create(folder / name, CentralConfig(name.title()), ("127.0.0.1",))
        enrol(filled, made)
        deposit(filled, made)
        made.close()
    return folder


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_the_bytes_of_one_is_mended_and_of_both_is_named(
    filled: Filled, two: Path, tmp_path: Path, data: st.DataObject
) -> None:
    shutil.rmtree(tmp_path / "two", ignore_errors=True)
    shutil.copytree(two, tmp_path / "two")
    hurt: list[set[str]] = []
    for name in ("lyon", "nantes"):
        mine = files(tmp_path / "two" / name)
        chosen = data.draw(st.sets(st.sampled_from(range(len(mine))), max_size=5))
        for number in chosen:
            content = mine[number].read_bytes()
            at = data.draw(st.integers(0, len(content) - 1))
            how = data.draw(st.sampled_from(["flip", "cut", "delete", "insert"]))
            if how == "delete":
                mine[number].unlink()
                continue
            changed = {
                "flip": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
                "cut": content[:at],
                "insert": content[:at] + b"x" + content[at:],
            }
            mine[number].write_bytes(changed[how])
        hurt.append(
            {"/".join(mine[number].parts[-8:]).partition(filled.signer.fingerprint)[2] for number in chosen}
        )
    pair = (places.open(tmp_path / "two" / "lyon"), places.open(tmp_path / "two" / "nantes"))
    try:
        both = hurt[0] & hurt[1]
        done = mending.mend(pair)
        assert done.healed == [len(hurt[0] - both), len(hurt[1] - both)]
        assert done.refused.count == 2 * len(both)
        if not both:
            assert_equal(filled, pair)
        for central in pair:
            assert len(verifying.verify(central).faults) == len(both)
    finally:
        for central in pair:
            central.close()


def test_what_one_has_destroyed_is_named_and_never_comes_back(
    filled: Filled, central: Central, nantes: Central
) -> None:
    pair = (central, nantes)
    for one in pair:
        enrol(filled, one)
        deposit(filled, one, leave_out=("segments/traffic/2026-03-13/09",) if one is central else ())
    first = min(key.day for key in Key.select().execute(central.database))
    gone = _expire(central, start_of(first) + 366 * DAY_NS + 1)
    assert gone
    found = said(pair)
    assert set(found.sides[0].destroyed.named) == gone
    assert found.is_equal, "what is destroyed on one side is no lack there"
    done = mending.mend(pair)
    assert (done.brought, done.healed, done.refused.count) == ([0, 0], [0, 0], 0)
    keys = {text.rpartition(" ")[2] for text in gone}
    for path in central.custody.names(f"{filled.signer.fingerprint}/"):
        assert not any(key in path for key in keys)
    assert verifying.verify(central).faults == ()


def _expire(central: Central, now_ns: int) -> set[str]:
    """Destroy what has passed its term at an instant, said by a person to be the right one."""
    believed.confirm(central, now_ns, now_ns)
    expiry.expire(central, now_ns)
    rows = Key.select().where(Key.state == "destroyed").execute(central.database)
    return {f"{key.vault} {key.day} {key.key_id}" for key in rows}


def test_a_fork_is_mended_in_both_directions(tmp_path: Path, nantes: Central) -> None:
    """Each central got another branch of a box that was rolled back; both have both in the end."""
    filled = make_filled(tmp_path / "box", hours=(9,))
    other = dataclasses.replace(filled, box=filled.box.copy_to(tmp_path / "other"))
    lyon = places.create(tmp_path / "lyon", CentralConfig("Lyon"), ("127.0.0.1",))
    for central, box, seed in ((lyon, filled, 31), (nantes, other, 32)):
        enrol(box, central)
        box.box.record(traffic(40, seed=seed, hour=15))
        box.box.record(traffic(40, seed=seed + 10, hour=16))
        deposit(box, central)
    done = mending.mend((lyon, nantes))
    assert min(done.brought) > 4
    assert done.refused.count == 0
    expected = {**filled.objects(), **other.objects()}
    for central in (lyon, nantes):
        assert kept(central, filled.signer.fingerprint) == expected
        report = verifying.verify(central)
        assert report.faults == ()
        assert any("put back to line" in notice.what for notice in report.notices)
    lyon.close()


def test_other_bytes_under_one_name_are_a_conflict_that_nobody_mends(
    filled: Filled, tmp_path: Path, nantes: Central
) -> None:
    thief = Filled(filled.box.copy_to(tmp_path / "thief"), filled.late)
    name = next(name for name in filled.objects() if name.startswith("statistics/"))
    (thief.box.home.path / name).write_bytes(b'{"hour":"forged"}\n')
    lyon = places.create(tmp_path / "lyon", CentralConfig("Lyon"), ("127.0.0.1",))
    for central, box in ((lyon, filled), (nantes, thief)):
        enrol(box, central)
        deposit(box, central)
    mending.mend((lyon, nantes))
    found = said((lyon, nantes))
    assert found.differ.named == [name]
    assert not found.is_equal
    lyon.close()


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([GREFFIER, *arguments], capture_output=True, text=True, timeout=60)


def test_by_hand_and_interrupted(filled: Filled, two: Path, tmp_path: Path) -> None:
    """The verb, killed at some of its writes: begun anew it ends where one run would have ended."""
    shutil.copytree(two, tmp_path / "two")
    first, second = tmp_path / "two" / "lyon", tmp_path / "two" / "nantes"
    new = places.create(tmp_path / "two" / "paris", CentralConfig("Paris"), ("127.0.0.1",))
    enrol(filled, new)
    new.close()
    third = tmp_path / "two" / "paris"
    for path in files(first)[::7]:
        path.unlink()
    assert run("central", "verify", "--dir", first).returncode == 1
    for number in (1, 14):
        subprocess.run(
            ["strace", "-f", "-qqq", "-e", "trace=fdatasync,link", "-e",
             f"inject=fdatasync,link:signal=KILL:when={number}",
             GREFFIER, "central", "compare", first, third, "--mend"],
            capture_output=True, timeout=60,
        )  # fmt: skip
    mended = run("central", "compare", second, first, "--mend", "--json")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    done = run("central", "compare", first, third, "--mend")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The two are equal.")
    assert run("central", "verify", "--dir", third, "--json").returncode == 0
    with sqlite3.connect(third / "catalogue.sqlite") as database:
        rows = database.execute("SELECT name, count(*), hex(sha256) FROM stored GROUP BY name").fetchall()
    database.close()
    assert {name: int(count) for name, count, _ in rows} == dict.fromkeys(filled.objects(), 1)
    assert json.loads(run("central", "compare", first, second, "--json").stdout)["sites"][0]["equal"]


def test_what_was_agreed_otherwise_is_said(filled: Filled, two: Path, tmp_path: Path) -> None:
    shutil.copytree(two, tmp_path / "two")
    lyon, nantes = places.open(tmp_path / "two" / "lyon"), places.open(tmp_path / "two" / "nantes")
    Site.update(terms='{"source":1,"traffic":3}').execute(nantes.database)
    Stored.delete().where(Stored.kind == "statistics").execute(nantes.database)
    found = said((lyon, nantes))
    assert any("traffic 3" in what for what in found.settings)
    lyon.close()
    nantes.close()

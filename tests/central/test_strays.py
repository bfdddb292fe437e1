"""Strays: envelopes without a row go with their day, and what is left of an ended contract goes at all."""

import hashlib
import io
from pathlib import Path

import pytest

from appliance.central import acceptance, believed, erasures, expiry, holds, places, sites, strays
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tables import Erasure, Key, Stored
from appliance.central.tallies import Tallies
from appliance.config.central import CentralConfig
from appliance.model.errors import CentralError, StorageError
from appliance.model.instants import DAY_NS, HOUR_NS
from appliance.replication import claims
from appliance.services.central.keeper import Keeper
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.central.made_sites import events, stored
from tests.central.test_expiry import ORDER, OVER_NS, YESTERDAY
from tests.vault.made_homes import DAY


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("filled"), hours=(9,))


@pytest.fixture
def enrolled(filled: Filled, tmp_path: Path) -> Central:
    """A central that knows the box, has nothing of it, and believes the clock."""
    made = places.create(tmp_path / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, made)
    believed.confirm(made, OVER_NS - HOUR_NS, OVER_NS - HOUR_NS)
    return made


def cut_off(filled: Filled, central: Central, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deposits that are stored and get no receipt: the catalogue goes away in between."""

    def away(*_: object) -> None:
        raise CentralError("PostgreSQL does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(acceptance, "accept", away)
        for name, content in filled.objects().items():
            if name.startswith(part):
                digest = hashlib.sha256(content).hexdigest()
                with pytest.raises(CentralError):
                    Receiver(central).deposit(
                        claims.make(filled.signer, name, digest, len(content)), io.BytesIO(content)
                    )


def test_an_envelope_without_a_row_goes_with_its_day_and_the_ledger_says_so(
    filled: Filled, enrolled: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(filled, enrolled, "envelopes/traffic/", monkeypatch)
    before = stored(enrolled)
    over = {path for path in before if f"/{YESTERDAY}/" in path}
    assert 0 < len(over) < len(before)
    assert Stored.select().count(enrolled.database) == Key.select().count(enrolled.database) == 0
    assert strays.sweep(enrolled, OVER_NS - 1) == 0
    assert strays.sweep(enrolled, OVER_NS + 400 * DAY_NS) == 0  # a clock that sprang
    [site] = sites.every(enrolled)
    holds.place(enrolled, site, ORDER, lambda: OVER_NS)
    assert strays.sweep(enrolled, OVER_NS) == 0
    holds.end(enrolled, site, ORDER.reference, lambda: OVER_NS)
    assert strays.sweep(enrolled, OVER_NS) == len(over)
    assert set(stored(enrolled)) == set(before) - over
    [event] = events(enrolled, "stray-destroyed")
    assert (event.site, str(YESTERDAY) in event.line) == (site.fingerprint, True)
    assert strays.sweep(enrolled, OVER_NS) == 0
    assert Ledger(enrolled).check() == []
    enrolled.close()


def test_an_envelope_that_comes_back_without_a_row_after_its_day_goes(
    filled: Filled, enrolled: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key was destroyed while the bytes came, and the process died before it could take them away."""
    deposit(filled, enrolled, leave_out=["statistics"])
    with_rows = stored(enrolled)
    assert strays.sweep(enrolled, OVER_NS) == 0
    assert stored(enrolled) == with_rows  # what has a row is for expiry, which certifies it
    expiry.expire(enrolled, OVER_NS)
    kept = stored(enrolled)
    of_yesterday = {path for path in with_rows if f"/envelopes/traffic/{YESTERDAY}/" in path}
    assert of_yesterday == {path for path in with_rows if "/envelopes/" in path} - kept.keys()
    for path, content in with_rows.items():
        if "/envelopes/" in path and path not in kept:
            enrolled.custody.put(path, content)
    assert len(stored(enrolled)) > len(kept)
    assert strays.sweep(enrolled, OVER_NS) == len(of_yesterday)
    assert stored(enrolled) == kept
    enrolled.close()


def test_what_is_left_of_an_ended_contract_goes_and_of_an_unknown_site_stays(
    filled: Filled, enrolled: Central
) -> None:
    ended, unknown = "e" * 64, "a" * 64
    Ledger(enrolled).append("contract-end", ended)
    for site in (ended, unknown):
        sha256 = hashlib.sha256(b"x").hexdigest()
        enrolled.custody.put(f"{site}/envelopes/traffic/{DAY}/{'0' * 16}.envelope.{sha256}", b"x")
        journal = f"journal/traffic/{DAY}/20260314T140000Z-0123abcd-1-{'0' * 16}.journal"
        enrolled.store.put(f"{site}/{journal}.{sha256}", io.BytesIO(b"x"), 1, sha256, None)
    before = stored(enrolled)
    assert strays.sweep(enrolled, OVER_NS) == 2
    erasures.erase(enrolled, OVER_NS)
    assert set(stored(enrolled)) == {path for path in before if path.startswith(unknown)}
    assert Erasure.select().count(enrolled.database) == 0
    assert strays.sweep(enrolled, OVER_NS) == 0
    enrolled.close()


def test_one_that_cannot_be_destroyed_keeps_no_other_and_the_keeper_tries_again(
    filled: Filled, enrolled: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(filled, enrolled, "envelopes/", monkeypatch)
    now = OVER_NS + (DAY - YESTERDAY).days * DAY_NS
    paths = sorted(stored(enrolled))
    destroy = enrolled.custody.destroy

    def refuse(path: str) -> None:
        if path == paths[0]:
            raise StorageError("cannot destroy this: Input/output error")
        destroy(path)

    said: list[str] = []
    keeper = Keeper(enrolled, Tallies(), lambda: now, said.append)
    monkeypatch.setattr(enrolled.custody, "destroy", refuse)
    keeper.turn()
    assert [sentence for sentence in said if "past its day" in sentence and "Input/output" in sentence]
    assert set(stored(enrolled)) == {paths[0]}
    monkeypatch.undo()
    now += HOUR_NS
    keeper.turn()
    assert stored(enrolled) == {}
    keeper.stop()
    enrolled.close()

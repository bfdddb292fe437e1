"""The contract's end at central: two operators, all of one site, nothing of another, a certificate."""

import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.central import contract_end, erasures, holds, operators, places, sites, verifying
from appliance.central.ledger import Ledger
from appliance.central.operators import Operator
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.refusals import NotAuthorised
from appliance.central.tables import MODELS, About, Erasure, Event, Key, Site, Stored
from appliance.cli.main import main
from appliance.config import central_toml
from appliance.config.central import CentralConfig
from appliance.model.errors import CustodyError, StorageError, UsageError
from appliance.model.instants import DAY_NS, HOUR_NS, day_of
from appliance.replication import claims
from appliance.replication.targets import Refused
from appliance.runtime.clock import now_ns
from appliance.vault import seals
from appliance.vault.names import VaultName
from tests.central.dying import dies_at
from tests.central.filled import Filled, deposit, enrol, make_filled
from tests.central.made_sites import stored
from tests.central.test_expiry import YESTERDAY, copied
from tests.vault.made_homes import DAY

NAMES = ("first operator", "second operator")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("filled"), hours=(9,))


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return make_filled(tmp_path_factory.mktemp("neighbour"), hours=(9,))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    for name in NAMES:
        operators.new(folder / name, None)
    return {name: folder / name for name in NAMES}


def with_operators(central: Central, keys: dict[str, Path]) -> Central:
    """The same central once its settings name the operators."""
    from appliance.vault import signing

    named = {name: signing.load(path).box for name, path in keys.items()}
    config = replace(central.config, operators=named)
    (central.folder / central_toml.NAME).write_text(central_toml.render(config), encoding="utf-8")
    central.close()
    return places.open(central.folder)


@pytest.fixture
def full(filled: Filled, neighbour: Filled, keys: dict[str, Path], central: Central) -> Iterator[Central]:
    enrol(filled, central, "Hotel du Port")
    deposit(filled, central)
    enrol(neighbour, central, "Gare")
    deposit(neighbour, central)
    opened = with_operators(central, keys)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reference(filled: Filled, keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = places.create(tmp_path_factory.mktemp("reference") / "c", CentralConfig("Lyon"), ("127.0.0.1",))
    enrol(filled, made)
    deposit(filled, made)
    with_operators(made, keys).close()
    return made.folder


@pytest.fixture
def here(reference: Path, tmp_path: Path) -> Iterator[Central]:
    """A copy of it, opened: for what does not depend on what a central stands on."""
    opened = places.open(copied(reference, tmp_path / "here"))
    yield opened
    opened.close()


def come(central: Central, keys: dict[str, Path], number: int) -> Operator:
    return operators.come(central, keys[NAMES[number]])


def end(central: Central, keys: dict[str, Path], now: int) -> contract_end.Answer:
    site = sites.find(central, "Hotel du Port")
    contract_end.sign(central, site, come(central, keys, 0), now)
    return contract_end.sign(central, site, come(central, keys, 1), now + HOUR_NS)


def openssl_verifies(folder: Path, public_key: str, message: bytes, signature: str) -> bool:
    """Ed25519 by openssl: the key wrapped as a SubjectPublicKeyInfo (RFC 8410)."""
    public, said, signed = folder / "pub.der", folder / "message", folder / "sig"
    public.write_bytes(bytes.fromhex("302a300506032b6570032100" + public_key))
    said.write_bytes(message)
    signed.write_bytes(bytes.fromhex(signature))
    verb = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public, "-rawin"]
    done = subprocess.run([*verb, "-in", said, "-sigfile", signed], capture_output=True, timeout=30)
    return done.returncode == 0


def test_one_operator_alone_destroys_nothing(here: Central, keys: dict[str, Path]) -> None:
    before, now, site = stored(here), now_ns(), sites.find(here, "Hotel du Port")
    answer = contract_end.sign(here, site, come(here, keys, 0), now)
    assert answer.certificate is None
    with pytest.raises(UsageError, match="another operator has to"):
        contract_end.sign(here, site, come(here, keys, 0), now + HOUR_NS)
    late = contract_end.sign(here, site, come(here, keys, 1), now + DAY_NS)
    assert (late.certificate, late.signed_by) == (None, (NAMES[1],))  # the first word has lapsed: this is one
    assert stored(here) == before


@pytest.mark.parametrize("kind", [contract_end.ORDERED, contract_end.ENDED, "enrolled"])
def test_what_was_asked_of_an_earlier_contract_does_not_count_for_the_next(
    here: Central, keys: dict[str, Path], kind: str
) -> None:
    """The same fingerprint under another contract is not one signature from its end."""
    before, now, site = stored(here), now_ns(), sites.find(here, "Hotel du Port")
    contract_end.sign(here, site, come(here, keys, 0), now)
    Ledger(here, lambda: now + HOUR_NS).append(kind, site.fingerprint)
    answer = contract_end.sign(here, site, come(here, keys, 1), now + 2 * HOUR_NS)
    assert (answer.certificate, answer.signed_by) == (None, (NAMES[1],))
    assert stored(here) == before


def test_a_box_whose_contract_has_ended_is_not_taken_in_again(
    here: Central, filled: Filled, keys: dict[str, Path]
) -> None:
    end(here, keys, now_ns())
    with pytest.raises(NotAuthorised):
        enrol(filled, here)
    assert sites.every(here) == []


def test_an_envelope_that_comes_while_its_contract_ends_stays_nowhere(
    here: Central, filled: Filled, keys: dict[str, Path]
) -> None:
    name = next(name for name in filled.objects() if name.startswith("envelopes/"))
    content = filled.objects()[name]
    site = sites.find(here, "Hotel du Port")
    for model in (Key, Stored):
        model.delete().where(model.key_id == name.split("/")[-1].split(".")[0]).execute(here.database)
    for path in list(here.custody.names(f"{site.fingerprint}/{name}")):
        here.custody.destroy(path)
    put = here.custody.put

    def put_meanwhile(path: str, stored_bytes: bytes) -> None:
        end(here, keys, now_ns())
        put(path, stored_bytes)

    here.custody.put = put_meanwhile  # type: ignore[method-assign]
    claim = claims.make(filled.signer, name, _sha256(content), len(content))
    with pytest.raises(NotAuthorised):
        Receiver(here).deposit(claim, io.BytesIO(content))
    assert stored(here) == {}


def test_two_operators_destroy_the_site_and_not_its_neighbour(
    full: Central, filled: Filled, neighbour: Filled, keys: dict[str, Path]
) -> None:
    before, now = stored(full), now_ns()
    mine = {path for path in before if path.startswith(filled.signer.fingerprint)}
    answer = end(full, keys, now)
    assert answer.certificate is not None
    done, order = json.loads(answer.certificate), json.loads(answer.order)
    assert (order["site"], order["name"]) == (filled.signer.fingerprint, "Hotel du Port")
    assert order["objects"] == done["envelope_count"] + done["file_count"] == len(mine)
    assert done["size_bytes"] == sum(len(before[path]) for path in mine)
    locked = {path for path in mine if "/segments/" in path} if full.config.store.is_s3 else set()
    left = stored(full)
    assert {path for path in left if path in mine} == locked
    assert done["later_count"] == len(locked)
    if locked:
        assert done["later_until"] == "2027-03-15"  # the day on which DAY has had its year
    assert {path: content for path, content in left.items() if path not in mine} == {
        path: content for path, content in before.items() if path not in mine
    }
    assert [site.name for site in sites.every(full)] == ["Gare"]
    assert Ledger(full).check() == []
    report = verifying.verify(full)
    assert report.faults == ()
    assert sum("is of a contract that ended" in one.what for one in report.notices) == len(locked)
    name, content = next(iter(filled.objects().items()))
    claim = claims.make(filled.signer, name, _sha256(content), len(content))
    with pytest.raises(Refused):
        Receiver(full).deposit(claim, io.BytesIO(content))


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_nothing_of_the_site_is_left_but_the_ledger_and_what_a_lock_keeps(
    full: Central, filled: Filled, keys: dict[str, Path]
) -> None:
    """Every table but the ledger, and every file of central's folder, searched for the site's every hash."""
    fingerprint = filled.signer.fingerprint
    # Its statistics are, byte for byte, those of its neighbour, which stay.
    own = [content for name, content in filled.objects().items() if not name.startswith("statistics")]
    traces = {fingerprint, filled.signer.box, *map(_sha256, own)}
    key_ids = {path.stem for path in filled.box.files("envelopes")}
    end(full, keys, now_ns())
    locked = full.config.store.is_s3
    for model in MODELS:
        if model not in (Event, About) and not (locked and model is Erasure):
            for row in model.select().dicts().execute(full.database):
                text = " ".join(
                    bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)
                    for value in row.values()
                )
                assert not [trace for trace in (*traces, *key_ids) if trace in text], model
    if not locked:
        full.close()
        ledger = {trace for trace in traces if trace in _ledger_of(full)}
        for path in sorted(full.folder.rglob("*")):
            if path.is_file() and contract_end.CERTIFICATES not in path.parts:
                content = path.read_bytes()
                assert fingerprint not in str(path)
                for trace in (traces | key_ids) - ledger:
                    assert trace.encode() not in content, (path, trace)
                    assert bytes.fromhex(trace) not in content, (path, trace)
    erasures.erase(full, now_ns())
    assert (
        Erasure.select().count(full.database)
        == sum(name.startswith("segments/") for name in filled.objects()) * locked
    )


def _ledger_of(central: Central) -> str:
    opened = places.open(central.folder)
    try:
        return "\n".join(entry.line for entry in Ledger(opened).entries())
    finally:
        opened.close()


def test_one_site_that_refuses_keeps_no_other(
    here: Central, neighbour: Filled, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(neighbour, here, "Gare")
    deposit(neighbour, here)
    now, first, second = now_ns(), *sites.every(here)
    destroy = here.custody.destroy

    def refuse(path: str) -> None:
        if path.startswith(first.fingerprint):
            raise StorageError("cannot destroy this: Input/output error")
        destroy(path)

    monkeypatch.setattr(here.custody, "destroy", refuse)
    contract_end.sign(here, first, come(here, keys, 0), now)
    with pytest.raises(StorageError):
        contract_end.sign(here, first, come(here, keys, 1), now)
    left = {path for path in stored(here) if path.startswith(first.fingerprint)}
    assert left
    assert all("/envelopes/" in path for path in left)  # the rest of it has gone
    Site.update(state=sites.ENDING).where(Site.id == second.id).execute(here.database)
    Ledger(here).append(contract_end.ORDERED, second.fingerprint, order="{}", signatures=[])
    with pytest.raises(StorageError, match=f"{first.fingerprint[:16]}.*Input/output"):
        contract_end.finish(here, now)
    assert set(stored(here)) == left
    assert [site.fingerprint for site in sites.every(here)] == [first.fingerprint]
    monkeypatch.undo()
    assert len(contract_end.finish(here, now)) == 1
    assert stored(here) == {}


def test_openssl_verifies_both_signatures_and_the_certificate(
    here: Central, keys: dict[str, Path], tmp_path: Path
) -> None:
    end(here, keys, now_ns())
    [path] = (here.folder / contract_end.CERTIFICATES).iterdir()
    fields = json.loads(path.read_bytes())
    order = b"greffier contract end 1\n" + fields["order"].encode()
    signed = {one["operator"]: one for one in fields["signatures"]}
    assert set(signed) == set(NAMES)
    for name, one in signed.items():
        assert one["key"] == here.config.operators[name]
        assert openssl_verifies(tmp_path, one["key"], order, one["sig"])
        assert not openssl_verifies(tmp_path, one["key"], order + b" ", one["sig"])
    signature = fields.pop("sig")
    said = b"greffier ledger 1\n" + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert openssl_verifies(tmp_path, here.identity.key, said, signature)
    [event] = Event.select().where(Event.kind == contract_end.ENDED).execute(here.database)
    assert path.read_text() == event.line + "\n"


def test_a_hold_wins_until_it_ends_and_then_the_rest_goes(
    full: Central, filled: Filled, keys: dict[str, Path]
) -> None:
    now, site = now_ns(), sites.find(full, "Hotel du Port")
    until = day_of(now + 5 * DAY_NS)
    holds.place(full, site, seals.Hold("order 12", (VaultName.TRAFFIC,), YESTERDAY, YESTERDAY, until))
    answer = end(full, keys, now)
    assert (answer.certificate, [hold.reference for hold in answer.held]) == (None, ["order 12"])
    mine = [path for path in stored(full) if path.startswith(filled.signer.fingerprint)]
    kinds = {path.split("/")[1] for path in mine if str(DAY) in path}
    assert kinds == ({"segments"} if full.config.store.is_s3 else set())
    assert {path.split("/")[1] for path in mine if str(YESTERDAY) in path} == {"envelopes", "segments"}
    assert sum("/chain/" in path for path in mine) == sum("chain/" in name for name in filled.objects())
    name, content = next(iter(filled.objects().items()))
    with pytest.raises(Refused):
        Receiver(full).deposit(
            claims.make(filled.signer, name, _sha256(content), len(content)), io.BytesIO(content)
        )
    assert [one.certificate for one in contract_end.finish(full, now + 2 * DAY_NS)] == [None]
    [done] = contract_end.finish(full, now + 7 * DAY_NS)
    assert done.certificate is not None
    left = [path for path in stored(full) if path.startswith(filled.signer.fingerprint)]
    assert all("/segments/" in path for path in left)
    assert bool(left) == full.config.store.is_s3
    assert contract_end.finish(full, now + 8 * DAY_NS) == []


def test_killed_at_any_step_it_is_finished(
    reference: Path, keys: dict[str, Path], filled: Filled, tmp_path: Path
) -> None:
    step, now = 0, now_ns()
    while True:
        folder = copied(reference, tmp_path / f"c{step}")
        died = dies_at(folder, step, lambda central: end(central, keys, now))
        central = places.open(folder)
        contract_end.finish(central, now + 2 * HOUR_NS)
        left = Site.select().count(central.database)
        ordered = Event.select().where(Event.kind == contract_end.ORDERED).count(central.database)
        assert left == (0 if ordered else 1)
        if ordered:
            assert stored(central) == {}
            assert len(list((folder / contract_end.CERTIFICATES).iterdir())) == 1
        else:
            assert len(stored(central)) == len(filled.objects())
        assert Event.select().where(Event.kind == contract_end.ENDED).count(central.database) == ordered
        assert Ledger(central).check() == []
        central.close()
        if not died:
            break
        step += 3  # odd and even: before a step, and after it
    assert step >= 30


def test_a_strangers_key_a_wrong_passphrase_and_a_single_operator_are_refused(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "asked, and wrong too")
    central = places.open(copied(reference, tmp_path / "c"))
    operators.new(tmp_path / "stranger", None)
    with pytest.raises(CustodyError, match="of no operator"):
        operators.come(central, tmp_path / "stranger")
    operators.new(tmp_path / "locked", "right words")
    (tmp_path / "wrong").write_text("wrong words\n")
    (tmp_path / "noise").write_bytes(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n")
    for key in ("locked", "noise"):
        with pytest.raises(CustodyError, match="does not open"):
            operators.come(central, tmp_path / key, [tmp_path / "wrong"])
    with pytest.raises(UsageError, match="never written over"):
        operators.new(tmp_path / "locked", None)
    central.close()
    alone = replace(central.config, operators={NAMES[0]: central.config.operators[NAMES[0]]})
    (central.folder / central_toml.NAME).write_text(central_toml.render(alone), encoding="utf-8")
    again = places.open(central.folder)
    with pytest.raises(UsageError, match="fewer than two operators"):
        contract_end.sign(again, sites.find(again, "Hotel du Port"), Operator("x", again.signer), now_ns())
    again.close()


def test_openssl_opens_a_key_under_its_passphrase(tmp_path: Path) -> None:
    public_key = operators.new(tmp_path / "key", "right words")
    told = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key", "-passin", "pass:right words", "-pubout", "-outform",
         "DER"],
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    assert told.stdout[-32:].hex() == public_key
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_the_command_twice_by_two_operators(
    reference: Path, keys: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(reference, tmp_path / "c")
    verb = ["central", "destroy", "--dir", str(folder), "--site", "Hotel du Port", "--operator"]
    assert main([*verb, str(keys[NAMES[0]])]) == 0
    assert "Nothing was destroyed" in capsys.readouterr().out
    assert main([*verb, str(keys[NAMES[0]])]) == 2
    assert main([*verb, str(keys[NAMES[1]])]) == 0
    told = capsys.readouterr().out
    assert "Destroyed: 'Hotel du Port'" in told
    assert "Certificate: line" in told
    assert main([*verb, str(keys[NAMES[1]])]) == 11
    assert main(["central", "operator", "new", "--out", str(tmp_path / "new.key")]) == 0
    assert "[operators]" in capsys.readouterr().out

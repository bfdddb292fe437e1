"""The ledger: signed, chained, once; and every way of changing it is noticed."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.central import places
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import About, Event
from appliance.config.central import CentralConfig
from appliance.vault.signing import fingerprint
from tests.central.servers import FOLDER, SERVERS

SITE = "5e" * 32
AT_NS = 1_773_500_400_000_000_000

both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


@pytest.fixture
def ledger(central: Central) -> Ledger:
    return Ledger(central, lambda: AT_NS)


def lines(central: Central) -> list[str]:
    return [row.line for row in Event.select().order_by(Event.seq).execute(central.database)]


def test_each_line_names_the_hash_of_the_one_before_as_sha256sum_says_it(
    central: Central, ledger: Ledger
) -> None:
    for number in range(3):
        assert ledger.append("silence", SITE, minutes=number, names=["a", "é"], deep={"x": None})
    previous = "0" * 64
    for seq, line in enumerate(lines(central), start=1):
        said = json.loads(line)
        assert (said["seq"], said["prev"], said["kind"], said["site"]) == (seq, previous, "silence", SITE)
        assert said["at"] == "2026-03-14T15:00:00.000000000Z"
        judge = subprocess.run(["sha256sum"], input=f"{line}\n".encode(), capture_output=True, check=True)
        previous = judge.stdout.split()[0].decode()
    assert [entry.fields["minutes"] for entry in ledger.entries()] == [0, 1, 2]
    assert [entry.seq for entry in ledger.newest(AT_NS)] == [3, 2, 1]
    assert list(ledger.newest(AT_NS + 1)) == []
    assert ledger.check() == []


def test_openssl_says_who_signed_it(central: Central, ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("enrolled", SITE, name="Hôtel du Port")
    said = json.loads(lines(central)[0])
    signature = tmp_path / "signature"
    signature.write_bytes(bytes.fromhex(said.pop("sig")))
    message = tmp_path / "message"
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    message.write_bytes(b"greffier ledger 1\n" + canonical.encode("ascii"))
    public = tmp_path / "public.pem"
    openssl = ["openssl", "pkey", "-in", central.folder / "central.key", "-pubout", "-out", public]
    subprocess.run(openssl, check=True)
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", message]
    subprocess.run([*verify, "-sigfile", signature], check=True, capture_output=True)
    assert fingerprint(central.identity.key) == central.signer.fingerprint


def test_what_is_said_once_is_said_once(central: Central, ledger: Ledger) -> None:
    assert ledger.append("fork", SITE, "fork 1")
    assert not ledger.append("fork", SITE, "fork 1")
    assert ledger.append("fork", SITE, "fork 2")
    assert len(lines(central)) == 2


def test_inside_a_transaction_that_fails_nothing_is_said(central: Central, ledger: Ledger) -> None:
    def fail() -> None:
        with central.database.atomic():
            ledger.append("fork", SITE, "fork 1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert lines(central) == []
    with central.database.atomic():
        assert ledger.append("fork", SITE, "fork 1")
        assert ledger.append("silence", SITE)
    assert ledger.check() == []
    assert len(lines(central)) == 2


def test_its_own_fields_are_not_given_away(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="seq"):
        ledger.append("fork", SITE, seq=7)


APPENDER = """
import sys
from pathlib import Path
from appliance.central import places
from appliance.central.ledger import Ledger

central = places.open(Path(sys.argv[1]))
for number in range(15):
    Ledger(central).append("silence", number=number)
    Ledger(central).append("fork", once=f"fork {number}")
central.close()
"""


@both
def test_processes_and_threads_append_to_one_ledger(central: Central, ledger: Ledger) -> None:
    command = [sys.executable, "-c", APPENDER, str(central.folder)]
    running = [subprocess.Popen(command) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ledger.append("fork", once=f"fork {number}"), range(15)))
    assert [process.wait(60) for process in running] == [0, 0]
    kinds = [json.loads(line)["kind"] for line in lines(central)]
    assert (kinds.count("silence"), kinds.count("fork")) == (30, 15)
    assert ledger.check() == []


def _changed(line: str) -> str:
    return line.replace('"minutes":1', '"minutes":9')


def test_every_change_is_noticed(central: Central, ledger: Ledger) -> None:
    for number in range(4):
        ledger.append("silence", SITE, minutes=number)
    good = list(Event.select().order_by(Event.seq).dicts().execute(central.database))
    changes = {
        "a line changed": [good[0], {**good[1], "line": _changed(good[1]["line"])}, *good[2:]],
        "a line taken away": [good[0], *good[2:]],
        "the last taken away": good[:3],
        "the first taken away": good[1:],
        "all taken away": [],
        "two changed places": [good[0], {**good[2], "seq": 2}, {**good[1], "seq": 3}, good[3]],
        "nonsense": [*good[:3], {**good[3], "line": "{}"}],
        "unsigned": [*good[:3], {**good[3], "line": re.sub(r',"sig":"[0-9a-f]*"', "", good[3]["line"])}],
        "no text": [*good[:3], {**good[3], "line": "é"}],
        "another time in the catalogue": [*good[:3], {**good[3], "at_ns": 0}],
        "another kind in the catalogue": [{**good[0], "kind": "destroyed"}, *good[1:]],
    }
    for why, rows in changes.items():
        Event.delete().execute(central.database)
        for row in rows:
            Event.insert(row).execute(central.database)
        assert ledger.check(), why
    Event.delete().execute(central.database)
    for row in good:
        Event.insert(row).execute(central.database)
    assert ledger.check() == []


def test_a_ledger_signed_by_another_key_is_noticed(central: Central, ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("silence", SITE)
    other = places.create(tmp_path / "other", CentralConfig("Paris"), ("localhost",))
    for row in Event.select().dicts().execute(central.database):
        Event.insert(row).execute(other.database)
    head = About.select().where(About.key == "ledger").get(central.database).value
    About.update(value=head).where(About.key == "ledger").execute(other.database)
    (fault,) = Ledger(other).check()
    other.close()
    assert "not signed by this central" in fault.what

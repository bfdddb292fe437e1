"""Which seals let go of a journal, and which do not, however well they are signed."""

import hashlib
from pathlib import Path

import pytest

from appliance.central.places import Central
from appliance.central.tables import Replacement
from appliance.central.verifying import verify
from appliance.runtime.clock import now_ns
from appliance.vault import chain, journal, seals
from appliance.vault.chain import Chain
from tests.central.made_sites import Sender, make_sender, stored
from tests.central.servers import FOLDER, SERVERS
from tests.vault.made_homes import run_that_dies, traffic

both = pytest.mark.parametrize("central_kind", [FOLDER, SERVERS], indirect=True)


@pytest.fixture
def central_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FOLDER))


@pytest.fixture
def sender(central: Central, tmp_path: Path) -> Sender:
    made = make_sender(central, tmp_path / "box")
    made.record()
    return made


def sign_seal(sender: Sender, replaces: list[str], files: tuple[seals.StoredFile, ...]) -> str:
    """What a thief with box.key has the chain of a box say, and central with it; the name of the line."""
    envelope = next(
        entry.body for entry in chain.read(sender.box.home) if isinstance(entry.body, seals.EnvelopeMade)
    )
    assert isinstance(envelope, seals.EnvelopeMade)
    day, key_id = (envelope.day, envelope.key_id) if files else (None, None)
    at_ns = now_ns() if files else None
    run = journal.run_of(replaces[0])
    body = seals.Seal(
        envelope.vault,
        day,
        key_id,
        run,
        "x" if files else None,
        len(files),
        at_ns,
        at_ns,
        files,
        tuple(replaces),
        (),
    )
    Chain(sender.box.home, sender.signer).append([body])
    name, content = list(sender.lines().items())[-1]
    sender.deposit(name, content)
    return name


@both
def test_a_seal_that_holds_nothing_replaces_nothing(sender: Sender) -> None:
    """One whose real segment has not come yet; signed by a thief with the box's key."""
    everything = dict(sender.everything())
    segments = {name: everything.pop(name) for name in list(everything) if name.startswith("segments/")}
    for name, content in everything.items():
        sender.deposit(name, content)
    (kept,) = sender.kept
    forged = sign_seal(sender, [kept.rpartition("/")[2]], ())
    assert [row.state for row in sender.rows() if row.name == kept] == ["kept"]
    assert [path for path in stored(sender.central) if "/journal/" in path]
    (seq,) = {int(forged[6:18])}
    report = verify(sender.central)
    assert [notice.what for notice in report.notices if notice.place.endswith(f"line {seq}")] == [
        "seals no file and names journals as replaced, as no box does; they are kept here"
    ]
    assert report.faults == ()
    for name, content in segments.items():
        sender.deposit(name, content)
    assert [row.state for row in sender.rows() if row.name == kept] == ["replaced"]


@both
def test_a_journal_waits_for_every_seal_that_claims_it(sender: Sender) -> None:
    """A segment of noise, signed by a thief, comes whole before the real one."""
    everything = dict(sender.everything())
    segments = {name: everything.pop(name) for name in list(everything) if name.startswith("segments/")}
    for name, content in everything.items():
        sender.deposit(name, content)
    (kept,) = sender.kept
    file = kept.rpartition("/")[2]
    noise = f"1400-{file[-24:-8]}-00000000.parquet"
    sign_seal(sender, [file], (seals.StoredFile(noise, hashlib.sha256(b"noise").hexdigest(), 5),))
    folder = next(iter(segments)).rpartition("/")[0]
    sender.deposit(f"{folder}/{noise}", b"noise")
    assert [row.state for row in sender.rows() if row.name == kept] == ["kept"]
    assert sender.deposit(kept, sender.kept[kept])
    for name, content in segments.items():
        sender.deposit(name, content)
    assert [row.state for row in sender.rows() if row.name == kept] == ["replaced"]


def test_what_an_adoption_fixed_and_what_another_run_wrote_is_not_replaced(
    central: Central, tmp_path: Path
) -> None:
    sender = make_sender(central, tmp_path / "box")
    run_that_dies(sender.box, traffic(5))
    with sender.box.recording():
        pass
    ((adopted, content),) = sender.files("journal").items()
    for objects in (sender.files("envelopes"), {adopted: content}, sender.lines()):
        for name, bytes_ in objects.items():
            sender.deposit(name, bytes_)
    file = adopted.rpartition("/")[2]
    other = file.replace(journal.run_of(file), "0" * 8)
    noise = seals.StoredFile(f"1400-{file[-24:-8]}-00000000.parquet", hashlib.sha256(b"noise").hexdigest(), 5)
    for replaces in ([file], [other, file]):
        sign_seal(sender, replaces, (noise,))
    sender.deposit(f"segments/{adopted.split('/', 1)[1].rpartition('/')[0]}/{noise.name}", b"noise")
    assert [row.state for row in sender.rows() if row.name == adopted] == ["kept"]
    claimed = Replacement.select(Replacement.journal).tuples().execute(central.database)
    assert sum(name.endswith(other) for (name,) in claimed) == 1
    assert sum(name.endswith(file) for (name,) in claimed) == 1
    assert verify(central).faults == ()

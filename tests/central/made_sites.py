"""Sites for the tests of central: real homes of boxes, enrolled by a code, and what they send."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.central import enrolment, sites
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tables import Event, Site, Stored
from appliance.replication import claims, enrolments, names
from appliance.replication.claims import Claim
from appliance.replication.receipts import Receipt
from appliance.runtime.clock import now_ns
from appliance.vault import chain, signing
from tests.vault.made_homes import SOURCES, Box, make_box, traffic


@dataclass(repr=False)
class Sender:
    """A box that sends to one central. `kept` holds journal files that the box has dropped since."""

    central: Central
    box: Box
    kept: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signer = signing.load(self.box.home.signing_key)
        self.receiver = Receiver(self.central)

    @property
    def site(self) -> Site:
        found = sites.known(self.central, self.signer.fingerprint)
        assert found is not None
        return found

    def claim(self, name: str, content: bytes) -> Claim:
        return claims.make(self.signer, name, hashlib.sha256(content).hexdigest(), len(content))

    def deposit(self, name: str, content: bytes) -> Receipt:
        return self.receiver.deposit(self.claim(name, content), io.BytesIO(content))

    def record(self, count: int = 20) -> None:
        """Rows that are journalled, looked at while they are, and sealed."""
        with self.box.recording() as (_, writer):
            rows = traffic(count)
            writer.journal(rows, SOURCES)
            self.kept.update(self.files("journal"))
            writer.seal(rows, SOURCES, ())

    def files(self, room: str) -> dict[str, bytes]:
        return {str(path.relative_to(self.box.home.path)): path.read_bytes() for path in self.box.files(room)}

    def lines(self) -> dict[str, bytes]:
        whole = self.box.home.chain.read_bytes().splitlines(keepends=True)
        return {
            names.of_line(number, hashlib.sha256(line).hexdigest()): line for number, line in enumerate(whole)
        }

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """All that the box has to send, in an order in which central takes it."""
        for objects in (self.files("envelopes"), self.kept, self.lines(), self.files("segments")):
            yield from objects.items()

    def send_everything(self) -> list[Receipt]:
        return [self.deposit(name, content) for name, content in self.everything()]

    def rows(self) -> list[Stored]:
        query = Stored.select().where(Stored.site == self.site).order_by(Stored.sequence)
        return list(query.execute(self.central.database))


def enrolment_request(central: Central, box: Box, name: str = "Hôtel du Port") -> bytes:
    """What a box sends with a fresh code."""
    code = enrolment.new_code(central, name, {}, now_ns())
    line = chain.content(box.home).partition(b"\n")[0].decode("ascii")
    return enrolments.request(signing.load(box.home.signing_key), name, code, line)


def make_sender(central: Central, folder: Path, name: str = "Hôtel du Port") -> Sender:
    """A new box, enrolled at a central."""
    box = make_box(folder)
    enrolment.admit(central, enrolment_request(central, box, name), now_ns())
    return Sender(central, box)


def stored(central: Central) -> dict[str, bytes]:
    """Every byte that a central keeps, by path, custody among it."""
    found = {}
    for path, _ in central.store.names(""):
        with central.store.open(path) as file:
            found[path] = file.read()
    return found | {path: central.custody.get(path) for path in central.custody.names("")}


def events(central: Central, kind: str) -> list[Event]:
    return list(Event.select().where(Event.kind == kind).order_by(Event.seq).execute(central.database))

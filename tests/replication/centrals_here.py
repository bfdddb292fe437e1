"""Real centrals in folders of this machine, and a box enrolled at them, without a line between."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from appliance.central import enrolment, places
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tables import Stored
from appliance.config.central import CentralConfig
from appliance.model.instants import HOUR_NS
from appliance.replication import enrolments
from appliance.replication.accounts import Accounts
from appliance.replication.claims import Claim
from appliance.replication.enrolled import Enrolled, keep
from appliance.replication.holdings import Holdings
from appliance.replication.receipts import Receipt
from appliance.replication.sending import Sender
from appliance.replication.targets import Target
from appliance.vault import chain, signing
from tests.vault.made_homes import Box, Clock, make_box
from tests.vault.made_rows import traffic


@dataclass
class Here:
    """A central on this machine and the box's place in it."""

    central: Central
    enrolled: Enrolled
    clock: Clock
    asked: Counter[str] = field(default_factory=Counter)
    taken: list[str] = field(default_factory=list)
    before: Callable[[Claim], None] = lambda claim: None
    after: Callable[[Claim], None] = lambda claim: None

    def target(self) -> Target:
        return _Watching(self, Receiver(self.central, self.clock))

    def objects(self) -> dict[str, str]:
        """Name and hash of all that the catalogue says is kept."""
        rows = Stored.select().where(Stored.state == "kept").execute(self.central.database)
        return {row.name: row.sha256.hex() for row in rows}

    def save(self, folder: Path) -> None:
        self.central.close()
        shutil.copytree(self.central.folder, folder)
        self.central = places.open(self.central.folder)

    def put_back(self, folder: Path) -> None:
        """Central as it was when it was saved."""
        self.central.close()
        shutil.rmtree(self.central.folder)
        shutil.copytree(folder, self.central.folder)
        self.central = places.open(self.central.folder)


class _Watching:
    """A Receiver, with what a test wants to happen before and after."""

    def __init__(self, here: Here, receiver: Receiver) -> None:
        self._here = here
        self._receiver = receiver

    def deposit(self, claim: Claim, content: BinaryIO) -> Receipt:
        self._here.asked[claim.name] += 1
        self._here.before(claim)
        receipt = self._receiver.deposit(claim, content)
        self._here.taken.append(claim.name)
        self._here.after(claim)
        return receipt

    def close(self) -> None:
        self._receiver.close()


def box_of_hours(folder: Path, hours: int) -> Box:
    """A box that has sealed so many hours, one after the other."""
    made = make_box(folder)
    for seed in range(hours):
        made.record(traffic(40, seed))
        made.clock.now_ns += HOUR_NS
    return made


def central_for(box: Box, folder: Path, name: str) -> Here:
    """A new central at which the box is enrolled."""
    made = places.create(folder, CentralConfig(name), ["localhost"], box.clock)
    code = enrolment.new_code(made, "Hotel du Port", {}, box.clock())
    line = chain.content(box.home).partition(b"\n")[0].decode("ascii")
    request = enrolments.request(signing.load(box.home.signing_key), box.config.site, code, line)
    enrolment.admit(made, request, box.clock())
    known = keep(box.home, made.identity, f"https://{name}.example:443")
    return Here(made, known, box.clock)


def sender_for(box: Box, here: Here) -> tuple[Sender, Accounts, Holdings]:
    signer = signing.load(box.home.signing_key)
    holdings = Holdings(box.home, box.clock)
    accounts = Accounts(here.enrolled.folder, here.enrolled.identity, signer.fingerprint, box.clock)
    return Sender(holdings, accounts, signer, box.clock), accounts, holdings


def send_all(box: Box, here: Here) -> Sender:
    """One go, as `--once` does: what is due, until nothing is."""
    sender, accounts, holdings = sender_for(box, here)
    target = here.target()
    try:
        for _ in range(50):
            holdings.refresh()
            waiting = sender.due(True)
            if not waiting:
                break
            upsets = sender.upsets
            for item in waiting:
                sender.send(target, item)
                if sender.upsets != upsets:
                    break
    finally:
        accounts.close()
        target.close()
    return sender


def at_home(box: Box) -> dict[str, str]:
    """Name and hash of all that a central should have, by what lies there and not by our own listing."""
    import hashlib

    found: dict[str, str] = {}
    for number, line in enumerate(box.home.chain.read_bytes().splitlines(keepends=True)):
        digest = hashlib.sha256(line).hexdigest()
        found[f"chain/{number:012d}-{digest[:16]}"] = digest
    for room in ("envelopes", "segments", "journal", "statistics"):
        for path in (box.home.path / room).rglob("*.*"):
            if path.is_file() and path.suffix != ".draft":
                name = str(path.relative_to(box.home.path))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found

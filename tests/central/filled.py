"""A box with two days of records, journals of dead runs and statistics; centrals that hold it."""

import dataclasses
import datetime as dt
import io
from collections.abc import Sequence
from pathlib import Path

from appliance.central import enrolment
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.model.instants import NS
from appliance.replication import claims, enrolments, missing
from appliance.replication.enrolled import Enrolled, keep
from appliance.replication.holdings import Holdings
from appliance.runtime.clock import now_ns
from appliance.vault import chain, signing
from tests.vault.made_homes import DAY, Box, Clock, make_box, run_that_dies, traffic


@dataclasses.dataclass
class Filled:
    """A box, and a clock by which everything it has is settled."""

    box: Box
    late: Clock

    @property
    def signer(self) -> signing.Signer:
        return signing.load(self.box.home.signing_key)

    def holdings(self) -> Holdings:
        found = Holdings(self.box.home, self.late)
        found.refresh()
        return found

    def objects(self) -> dict[str, bytes]:
        """Everything that is to be at a central, by name."""
        holdings = self.holdings()
        found = {}
        for item in holdings.items:
            with holdings.open(item).file as file:
                found[item.name] = file.read()
        return found


def make_filled(folder: Path, hours: Sequence[int] = (9, 14)) -> Filled:
    """A box; it has recorded an hour each of yesterday and today, and died once in between."""
    box = make_box(folder)
    yesterday = DAY - dt.timedelta(days=1)
    for day in (yesterday, DAY):
        for hour in hours:
            box.record(traffic(300, seed=hour, hour=hour, day=day))
    run_that_dies(box, traffic(50, seed=99, hour=14))
    box.record(traffic(60, seed=5, hour=14))
    run_that_dies(box, traffic(70, seed=7, hour=14))
    statistics = box.home.statistics / DAY.isoformat()
    statistics.mkdir(parents=True)
    (statistics / "cafe0123-1.jsonl").write_bytes(
        b'{"cells":[],"hour":"2026-03-14T14:00:00.000000000Z","users":9}\n'
    )
    return Filled(box, Clock(now_ns() + 3600 * NS))


def enrol(filled: Filled, central: Central, name: str = "Hotel du Port") -> Enrolled:
    """Make the two known to each other, as `greffier enrol` does."""
    now = now_ns()
    code = enrolment.new_code(central, name, {}, now)
    line = chain.content(filled.box.home).partition(b"\n")[0].decode("ascii")
    enrolment.admit(central, enrolments.request(filled.signer, name, code, line), now)
    return keep(filled.box.home, central.identity, f"https://{central.identity.name.lower()}.example:8443")


def deposit(filled: Filled, central: Central, leave_out: Sequence[str] = ()) -> None:
    """Everything of the box but what is left out, as over the line."""
    receiver, holdings, signer = Receiver(central), filled.holdings(), filled.signer
    for item in missing.missing(holdings.items, {}, DAY):
        if not any(part in item.name for part in leave_out):
            content = holdings.open(item)
            claim = claims.make(signer, item.name, content.sha256, content.size_bytes)
            with content.file:
                receiver.deposit(claim, io.BytesIO(content.file.read()))

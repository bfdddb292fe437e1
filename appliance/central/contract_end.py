"""The end of a site's contract: two operators order it, then everything of the site goes from this central.

The first one's order names the site, its fingerprint and what it has here; the second signs the same text
within a day. Envelopes go first. What a hold keeps stays until it ends, what a lock keeps until its day; both
are said in the certificate, a line of the ledger. Cut short anywhere, `finish` carries it on.
"""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from peewee import fn

from appliance.central import holds, removal, sites
from appliance.central.databases import locking, writing
from appliance.central.failures import Failures
from appliance.central.ledger import Entry, Ledger
from appliance.central.operators import Operator
from appliance.central.places import Central
from appliance.central.tables import Event, Hold, Site, Stored
from appliance.model.errors import UsageError
from appliance.model.instants import DAY_NS, day_of, to_iso
from appliance.replication.names import Kind
from appliance.runtime.files import write_once
from appliance.vault import canonical, signing

FORMAT = "greffier contract end 1"
PURPOSE = b"greffier contract end 1"
ASKED, ORDERED, ENDED = "contract-end-asked", "contract-end-ordered", "contract-end"
_ANEW = (ORDERED, ENDED, "enrolled")
"""What was asked before one of these was carried out, or was asked of another contract."""
CERTIFICATES = "ended"
"""The folder of certificates: each is the ledger's line, as a file."""


@dataclass(frozen=True)
class Answer:
    """What a call came to: the order's text, who has signed it, the certificate once it is carried out."""

    order: str
    signed_by: tuple[str, ...]
    certificate: str | None
    held: tuple[Hold, ...] = ()


def sign(central: Central, site: Site, operator: Operator, now_ns: int) -> Answer:
    """One operator signs: the first asks, another carries out.

    Raises UsageError if the same operator signs twice, StorageError; after that `finish` goes on.
    """
    if len(central.config.operators) < 2:
        raise UsageError("central.toml names fewer than two operators, and two have to sign; add [operators]")
    with writing(central.database):
        locked = locking(central.database, Site.select().where(Site.id == site.id)).get(central.database)
        if locked.state == sites.ENROLLED:
            asked = _asked(central, site, now_ns)
            if asked is None:
                order = _order(central, site, now_ns)
                signatures = [_signature(operator, order)]
                Ledger(central, lambda: now_ns).append(
                    ASKED, site.fingerprint, order=order, signatures=signatures
                )
                return Answer(order, (operator.name,), None)
            first = asked.fields["signatures"][0]
            if first["key"] == operator.signer.box:
                raise UsageError(
                    f"'{operator.name}' has signed this already: another operator has to, within 24 hours of "
                    f"{to_iso(asked.at_ns)[:19]}Z"
                )
            order = asked.fields["order"]
            signatures = [first, _signature(operator, order)]
            Site.update(state=sites.ENDING).where(Site.id == site.id).execute(central.database)
            Ledger(central, lambda: now_ns).append(
                ORDERED, site.fingerprint, order=order, signatures=signatures
            )
    return _carry_out(central, site, now_ns)


def finish(central: Central, now_ns: int) -> list[Answer]:
    """Carry on with every contract that was ended: after an interruption, or when a hold has ended.

    Raises StorageError for those that cannot be carried out, when the others are, and CentralError at once.
    """
    failures, answers = Failures(), list[Answer]()
    ending = Site.select().where(Site.state == sites.ENDING).order_by(Site.id)
    for site in list(ending.execute(central.database)):
        with failures.of(f"site {site.fingerprint[:16]} ('{site.name}')", site.fingerprint):
            answers.append(_carry_out(central, site, now_ns))
    for row in Event.select(Event.line, Event.site).where(Event.kind == ENDED).execute(central.database):
        with failures.of(f"the certificate of site {row.site[:16]}"):
            _keep_certificate(central, row.site, row.line)
    failures.tell()
    return answers


def _carry_out(central: Central, site: Site, now_ns: int) -> Answer:
    """Remove what may go; the certificate when nothing is left but what a lock keeps."""
    ordered = _newest(central, site, ORDERED)
    assert ordered is not None  # written with the state that brought us here
    order, signatures = ordered.fields["order"], ordered.fields["signatures"]
    who = tuple(one["operator"] for one in signatures)
    held = holds.holding(central, site, day_of(now_ns))
    removed = removal.remove(central, site, held, day_of(now_ns))
    if removed.held_files:
        return Answer(order, who, None, tuple(held))
    with writing(central.database):
        found = locking(central.database, Site.select().where(Site.id == site.id)).get_or_none(
            central.database
        )
        if found is not None:
            removal.forget(central, site, removed)
            Ledger(central, lambda: now_ns).append(
                ENDED,
                site.fingerprint,
                order=order,
                signatures=signatures,
                envelope_count=removed.envelopes,
                file_count=removed.files,
                size_bytes=removed.size_bytes,
                later_count=len(removed.later),
                later_until=removed.later_until and removed.later_until.isoformat(),
            )
    removal.scrub(central)
    ended = _newest(central, site, ENDED)
    assert ended is not None
    _keep_certificate(central, site.fingerprint, ended.line)
    return Answer(order, who, ended.line)


def _order(central: Central, site: Site, now_ns: int) -> str:
    """What both operators sign: canonical JSON that a person can read."""
    mine = Stored.site == site
    kept = Stored.select(fn.COUNT(Stored.sequence), fn.COALESCE(fn.SUM(Stored.size_bytes), 0)).where(
        mine, Stored.state == "kept"
    )
    objects, size_bytes = kept.tuples().first(central.database)
    days = Stored.select(fn.MIN(Stored.day), fn.MAX(Stored.day)).where(mine, Stored.state == "kept")
    first, last = days.tuples().first(central.database)
    envelopes = Stored.select().where(mine, Stored.kind == Kind.ENVELOPE.value, Stored.state == "kept")
    fields: dict[str, Any] = {
        "format": FORMAT,
        "central": central.signer.fingerprint,
        "site": site.fingerprint,
        "name": site.name,
        "objects": objects,
        "size_bytes": int(size_bytes),
        "envelopes": envelopes.count(central.database),
        "first_day": _iso(first),
        "last_day": _iso(last),
        "at": to_iso(now_ns),
    }
    return canonical.encode(fields).decode("ascii")


def _signature(operator: Operator, order: str) -> dict[str, str]:
    signature = operator.signer.sign(PURPOSE, order.encode("ascii"))
    return {"operator": operator.name, "key": operator.signer.box, "sig": signature}


def _asked(central: Central, site: Site, now_ns: int) -> Entry | None:
    """The order that waits for a second operator: of this contract, less than a day old, by one who is one.

    A box that was enrolled anew after its contract's end has another contract under the same fingerprint.
    """
    entry = _newest(central, site, ASKED)
    if entry is None or not 0 <= now_ns - entry.at_ns < DAY_NS:
        return None
    since = (Event.site == site.fingerprint) & (Event.seq > entry.seq) & Event.kind.in_(_ANEW)
    if Event.select(Event.seq).where(since).exists(central.database):
        return None
    [first] = entry.fields["signatures"]
    known = first["key"] in central.config.operators.values()
    message = entry.fields["order"].encode("ascii")
    return entry if known and signing.holds(first["key"], PURPOSE, message, first["sig"]) else None


def _newest(central: Central, site: Site, kind: str) -> Entry | None:
    query = Event.select(Event.line).where(Event.site == site.fingerprint, Event.kind == kind)
    row = query.order_by(Event.seq.desc()).limit(1).tuples().first(central.database)
    if row is None:
        return None
    fields = json.loads(row[0])
    at_ns = Event.select(Event.at_ns).where(Event.seq == fields["seq"]).tuples().first(central.database)[0]
    return Entry(fields["seq"], at_ns, kind, site.fingerprint, fields, row[0])


def _keep_certificate(central: Central, fingerprint: str, line: str) -> None:
    path = central.folder / CERTIFICATES / f"{fingerprint[:16]}-{json.loads(line)['seq']}.json"
    if not path.exists():
        write_once(path, line.encode("ascii") + b"\n")


def _iso(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None

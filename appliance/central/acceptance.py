"""Acceptance: the one transaction that gives a stored object its number and receipt, and what follows."""

import dataclasses

from appliance.central import expiry, holds, lines, sites
from appliance.central.databases import writing
from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.proofs import ProvenLine
from appliance.central.refusals import NotAuthorised
from appliance.central.statements import Statement
from appliance.central.tables import Key, Site, Stored
from appliance.replication import receipts
from appliance.replication.claims import Claim
from appliance.replication.names import Kind, ObjectName
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Replaced
from appliance.vault.seals import DestructionOrdered, Hold, HoldEnded


@dataclasses.dataclass(frozen=True)
class Accepted:
    """A receipt, and the paths of journals that may be erased now."""

    receipt: Receipt
    needless: tuple[str, ...]


_READ = (
    "site_id", "sequence", "name", "kind", "key_id", "sha256", "size_bytes", "received_at_ns", "previous",
    "claim_signature", "state",
)  # fmt: skip
_KNOWN = Statement(
    lambda _, mark: Stored.select(*(getattr(Stored, name) for name in _READ)).where(
        Stored.site == mark, Stored.name == mark
    )
)
_INSERT = Statement(lambda _, mark: Stored.insert(dict.fromkeys(Stored._meta.sorted_fields, mark)))
_ADVANCE = Statement(
    lambda _, mark: Site.update(receipts=mark, receipts_head=mark, heard_at_ns=mark).where(Site.id == mark)
)


def known(central: Central, site: Site, name: ObjectName) -> Stored | None:
    """The row of an object, if a receipt was given for one of this name."""
    values = _KNOWN.first(central.database, site.id, name.text)
    return None if values is None else Stored(**dict(zip(_READ, values, strict=True)))


def check(central: Central, site: Site, name: ObjectName, claim: Claim) -> None:
    """What can be said before a byte was read, and is asked again at the end.

    Raises Replaced for what a segment holds by now and for what can be opened never again; TooEarly and
    Unproven as `lines.check_fixed`.
    """
    if name.vault is not None and name.day is not None and name.key_id is not None:
        if expiry.is_gone(central.database, site, name.vault, name.day):
            raise Replaced(f"the day of {name} has been destroyed here")
        lines.check_fixed(central, site, name, claim)
    if name.kind is Kind.JOURNAL and lines.needless(central, site, name.text):
        raise Replaced(f"a segment has replaced {name}")


def accept(
    central: Central,
    site: Site,
    name: ObjectName,
    claim: Claim,
    line: ProvenLine | None,
    now_ns: int,
    is_live: bool = True,
) -> Accepted | Stored:
    """Durable on return; the row instead where another deposit of this name was quicker.

    The site has been heard where it `is_live`, and not by what a stick or another central brings.

    Raises what `check` does if that came true meanwhile, and NotAuthorised; then nothing has changed.
    """
    database = central.database
    with writing(database):
        locked = sites.locked(central, site)
        if locked.state != sites.ENROLLED:
            raise NotAuthorised
        if sooner := known(central, locked, name):
            return sooner
        check(central, locked, name, claim)
        receipt = _give(central, locked, name, claim, now_ns, is_live)
        return Accepted(receipt, tuple(_follow(central, locked, name, line, now_ns)))


def _give(
    central: Central, site: Site, name: ObjectName, claim: Claim, now_ns: int, is_live: bool
) -> Receipt:
    """The next receipt of a locked site, and its row."""
    sequence = site.receipts + 1
    receipt = receipts.sign(central.signer, claim, sequence, now_ns, site.receipts_head)
    _INSERT.run(
        central.database,
        site.id,
        sequence,
        name.text,
        name.kind.value,
        name.vault and name.vault.value,
        name.day and name.day.isoformat(),
        name.key_id,
        bytes.fromhex(claim.sha256),
        claim.size_bytes,
        now_ns,
        bytes.fromhex(site.receipts_head),
        bytes.fromhex(claim.signature),
        "kept",
    )
    heard_at_ns = now_ns if is_live else site.heard_at_ns
    _ADVANCE.run(central.database, sequence, receipt.hash, heard_at_ns, site.id)
    return receipt


def _follow(
    central: Central, site: Site, name: ObjectName, line: ProvenLine | None, now_ns: int
) -> list[str]:
    """What a stored object means for others; paths that may be erased."""
    if name.kind is Kind.ENVELOPE:
        _keep_key(central, site, name)
    if name.kind is Kind.SEGMENT:
        return lines.replace(central, site, lines.seals_of(central, site, name.text))
    if line is None:
        return []
    lines.follow(central, Ledger(central, lambda: now_ns), site, line)
    match line.entry.body:
        case (Hold() | HoldEnded()) as hold:
            holds.of_line(central.database, site, hold, now_ns)
        case DestructionOrdered() as order:
            expiry.ordered_by_box(central, site, order, now_ns)
        case _:
            pass
    return lines.replace(central, site, [line.entry.hash]) if line.needless else []


def _keep_key(central: Central, site: Site, name: ObjectName) -> None:
    values = {"site": site, "key_id": name.key_id, "vault": name.vault, "day": name.day, "state": "kept"}
    Key.insert(values).on_conflict_ignore().execute(central.database)
    announced = (Key.site == site) & (Key.key_id == name.key_id) & (Key.state == "announced")
    Key.update(state="kept").where(announced).execute(central.database)

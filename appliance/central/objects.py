"""Objects as central keeps them: where the bytes lie, and the receipt that follows from a row."""

import datetime as dt
import json

from appliance.central.tables import Site, Stored
from appliance.replication import receipts
from appliance.replication.claims import Claim
from appliance.replication.names import Kind, ObjectName
from appliance.replication.receipts import Receipt
from appliance.retention.policy import destroyed_on
from appliance.vault.names import VaultName
from appliance.vault.signing import Signer


def path_of(fingerprint: str, name: str, sha256: str) -> str:
    """Where the bytes of an object lie in the store, or in custody: `SITE/NAME.SHA256`.

    The hash is part of the path, so that two deposits of one name at the same moment never overwrite each
    other, and a store can be checked with sha256sum alone.
    """
    return f"{fingerprint}/{name}.{sha256}"


def claim_of(site: Site, row: Stored) -> Claim:
    """What the box had signed for a stored object."""
    return Claim(
        site.fingerprint, row.name, bytes(row.sha256).hex(), row.size_bytes, bytes(row.claim_signature).hex()
    )


def receipt_of(signer: Signer, site: Site, row: Stored) -> Receipt:
    """The receipt that was given for a stored object, byte for byte."""
    previous = bytes(row.previous).hex()
    return receipts.sign(signer, claim_of(site, row), row.sequence, row.received_at_ns, previous)


def kept_until(site: Site, vault: VaultName, day: dt.date) -> dt.date:
    """The first day on which records of this day may be destroyed, by the terms of the site's contract."""
    return destroyed_on(day, json.loads(site.terms)[vault])


def locked_until(site: Site, name: ObjectName, today: dt.date) -> dt.date | None:
    """Until when a store with locks keeps an object. Journals are replaced; nothing else has records.

    A day that has not come is locked as today's would be: a box's clock that is ahead must not lock for
    longer than a term, since nobody could ever undo it.
    """
    if name.kind is not Kind.SEGMENT or name.vault is None or name.day is None:
        return None
    return kept_until(site, name.vault, min(name.day, today))

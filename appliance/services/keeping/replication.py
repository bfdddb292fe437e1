"""How copies stand, central by central."""

from appliance.control.messages import Actor, AskReplication, CentralNow, Replication
from appliance.model.instants import to_iso
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.copies import copies
from appliance.services.replication_status import KnownCentral
from appliance.services.replication_status import Replication as Known


def _replication(at: AtHand, _: Actor, __: AskReplication) -> Replication:
    return of(copies(at)[0])


def of(known: Known | None) -> Replication:
    """As the page is told it; no centrals where the box is enrolled nowhere."""
    if known is None:
        return Replication((), (0, 0, 0))
    return Replication(tuple(_central(one) for one in known.centrals), known.safe)


def _central(one: KnownCentral) -> CentralNow:
    told = one.state
    contact_ns = told.contact_ns if told else None
    return CentralNow(
        one.name,
        one.url,
        one.fingerprint,
        one.is_sending,
        one.left.objects,
        one.left.size_bytes,
        None if one.left.oldest_ns is None else to_iso(one.left.oldest_ns),
        one.receipts,
        None if contact_ns is None else to_iso(contact_ns),
        float(told.bytes_per_s) if told and one.is_sending else None,
        (),
    )


HANDLERS: Handlers = {AskReplication: _replication}

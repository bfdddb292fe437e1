"""How copies stand, central by central."""

from collections.abc import Sequence

from appliance.control.messages import Actor, AskReplication, CentralNow, Finding, Replication
from appliance.control.words import Trouble
from appliance.model.instants import to_iso
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.standing import standing
from appliance.services.replication_status import KnownCentral
from appliance.services.replication_status import Replication as Known

_OF_A_CENTRAL = (Trouble.CENTRAL_NEGLECTED, Trouble.CENTRAL_STUCK)


def _replication(at: AtHand, _: Actor, __: AskReplication) -> Replication:
    found = standing(at)
    return of(found.replication, found.findings)


def of(known: Known | None, findings: Sequence[Finding]) -> Replication:
    """As the page is told it, each central with what is wrong with it; none where the box knows none."""
    if known is None:
        return Replication((), (0, 0, 0))
    return Replication(tuple(_central(one, findings) for one in known.centrals), known.safe)


def _central(one: KnownCentral, findings: Sequence[Finding]) -> CentralNow:
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
        tuple(found for found in findings if found.trouble in _OF_A_CENTRAL and found.subject == one.name),
    )


HANDLERS: Handlers = {AskReplication: _replication}

"""How `greffier status` says how replication stands."""

from typing import TYPE_CHECKING

from appliance.cli.wording import several
from appliance.model.instants import to_iso

if TYPE_CHECKING:
    from appliance.services.replication_status import KnownCentral, Replication


def as_json(replication: "Replication") -> dict[str, object]:
    """Counts and instants; an instant that there is not is null."""
    none, one, two = replication.safe
    return {
        "segments_safe": {"at_two": two, "at_one": one, "at_none": none},
        "centrals": [_central_as_json(central) for central in replication.centrals],
    }


def as_sentences(replication: "Replication") -> list[str]:
    """A line a central, and how many segments are safe."""
    none, one, two = replication.safe
    lines = [line for central in replication.centrals for line in (_central(central), *_absent(central))]
    if len(replication.centrals) == 1:
        lines.append(
            f"Segments at central: {one + two:,}, not there yet: {none:,}. With a second one they are safe."
        )
    else:
        lines.append(f"Segments safe at two centrals: {two:,}; at one only: {one:,}; at none: {none:,}.")
    return lines


def _central(central: "KnownCentral") -> str:
    state, left = central.state, central.left
    told = f"Central {central.name} ({central.url}): "
    contact = state.contact_ns if state else None
    told += f"last contact {to_iso(contact)[:19]}Z, " if contact else "no contact yet, "
    if left.objects:
        since = f" since {to_iso(left.oldest_ns)[:19]}Z" if left.oldest_ns is not None else ""
        told += f"{several(left.objects, 'object')} unsent ({several(left.size_bytes, 'byte')}){since}"
    else:
        told += "everything sent"
    if not central.is_sending:
        return told + "; NOT RUNNING."
    if state and state.doing == "waiting" and state.again_ns is not None:
        return told + f"; tried again at {to_iso(state.again_ns)[:19]}Z."
    if state and state.doing == "resting":
        return told + "; what is left waits for its hours, or is refused."
    if state and left.objects and state.bytes_per_s:
        return told + f"; {state.bytes_per_s * 8 // 1000:,} kbit/s."
    return told + "."


def _absent(central: "KnownCentral") -> list[str]:
    """Nothing is left to send, and still central has given receipts that are not here.

    No fault: an answer gets lost with the line, and a segment replaces the journal before it goes again.
    """
    count = central.state.absent_receipts if central.state and not central.left.objects else 0
    if not count:
        return []
    return [
        f"NOTICE: central {central.name} has signed for {several(count, 'object')} that this home does not "
        "remember: answers were lost with the line, this box was put back to an earlier state, or somebody "
        "else sends as this box. If nobody knows why, ask its operator for forks in 'greffier central sites'."
    ]


def _central_as_json(central: "KnownCentral") -> dict[str, object]:
    state, left = central.state, central.left

    def instant(at_ns: int | None) -> str | None:
        return None if at_ns is None else to_iso(at_ns)

    return {
        "name": central.name,
        "url": central.url,
        "sending": central.is_sending,
        "doing": state.doing if state and central.is_sending else None,
        "last_contact": instant(state.contact_ns if state else None),
        "last_receipt": instant(state.receipt_ns if state else None),
        "receipts": central.receipts,
        "absent_receipts": state.absent_receipts if state else 0,
        "unsent": {"objects": left.objects, "bytes": left.size_bytes, "oldest": instant(left.oldest_ns)},
        "bytes_per_s": state.bytes_per_s if state and central.is_sending else 0,
        "alarms": [
            {"kind": alarm.kind, "since": to_iso(alarm.since_ns), "message": alarm.message}
            for alarm in (state.alarms if state else ())
        ],
    }

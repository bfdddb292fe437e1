"""Checks the lines of a chain: form, signature, number, the line before, and that none was taken away."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.vault import canonical, chain, signed_lines, signing
from appliance.vault.chain import NO_LINE, PURPOSE, Entry, Head
from appliance.vault.seals import ClockConfirmed, Custodians, Init, Interruption, Repair, Rollback


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was sealed: exactly where, and what."""

    place: str
    what: str


@dataclass(frozen=True)
class CheckedChain:
    """The entries that could be read, and what is wrong. `box` is "" if no line says whose chain it is."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    notices: tuple[Fault, ...]
    box: str
    head: Head


def place(number: int) -> str:
    """How a line is named to a person: counted from 1, with its number in the chain."""
    return f"chain.jsonl line {number + 1} (seq {number})"


def check(content: bytes, noted: Head | None, known: Head | None, own_box: str | None) -> CheckedChain:
    """Check the bytes of a chain.

    `noted` is the head in the state folder, `known` one noted elsewhere, `own_box` the public key of the
    home's box.key where there is one.
    """
    lines, torn = chain.split_lines(content)
    box = _box(lines)
    faults = [] if box else [Fault(place(0), "does not say whose chain this is")]
    if box and own_box and own_box != box:
        faults.append(Fault("box.key", "is not the key that signs this chain"))
    entries, hashes = [], [NO_LINE]
    for number, line in enumerate(lines):
        entry, wrong = signed_lines.check(number, line, hashes[-1], box, PURPOSE, chain.entry)
        hashes.append(canonical.sha256(line))
        faults += [Fault(place(number), what) for what in wrong]
        if entry:
            entries.append(entry)
            faults += [Fault(place(number), what) for what in _confessed(entry)]
    notices = [Fault(place(entry.seq), what) for entry in entries for what in _remarkable(entry)]
    if torn:
        notices.append(Fault(place(len(lines)), f"is torn ({torn} bytes); the next start cuts it off"))
    if noted is None:
        faults.append(Fault("state/head", "is missing or damaged: a shortened chain could pass unnoticed"))
    for head, source in ((noted, "state/head"), (known, "the head given")):
        if head:
            faults += _check_head(head, hashes[1:], source)
    return CheckedChain(tuple(entries), tuple(faults), tuple(notices), box, Head(len(lines) - 1, hashes[-1]))


def _box(lines: Sequence[bytes]) -> str:
    try:
        first = chain.entry(canonical.decode(lines[0][:-1]), lines[0]).body
    except (ValueError, IndexError):
        return ""
    return first.box if isinstance(first, Init) and signing.is_public_key(first.box) else ""


def _confessed(entry: Entry) -> list[str]:
    """Faults that the box itself found and signed."""
    match entry.body:
        case Rollback(lost_seq=seq, lost_hash=lost):
            return [f"states that the chain had been cut: seq {seq} ({lost[:16]}...) was lost before it"]
        case Init() if entry.seq:
            return ["begins a second chain"]
        case _:
            return []


def _remarkable(entry: Entry) -> list[str]:
    match entry.body:
        case Repair(cut_bytes=count):
            return [f"states that a torn end of {count} bytes was cut off before it"]
        case Interruption(run=run):
            return [f"states that run {run} ended without closing"]
        case Custodians(custodians=custodians, quorum=quorum):
            return [f"states new custodians: {quorum} of {len(custodians)}"]
        case ClockConfirmed():
            return ["states that the operator confirmed the time after a jump of the clock"]
        case _:
            return []


def _check_head(head: Head, hashes: Sequence[str], source: str) -> list[Fault]:
    if head.seq >= len(hashes):
        what = (
            f"ends at seq {len(hashes) - 1}, but {source} says that it had reached seq {head.seq}: it was cut"
        )
        return [Fault("chain.jsonl", f"{what} or rolled back")]
    if hashes[head.seq] != head.hash:
        return [Fault(place(head.seq), f"is not the line that {source} remembers: the chain was replaced")]
    return []

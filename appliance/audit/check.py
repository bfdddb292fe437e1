"""Checks an audit chain: form, signature, number, the line before, its noted head and its anchors.

Needs no custodian. A restored home has no audit chain: that stays on the box, and centrals have its anchors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.audit import anchors, lines, volume
from appliance.audit.lines import Noted
from appliance.control.steps import Step
from appliance.model.errors import HomeError
from appliance.vault import canonical, chain, signed_lines, signing
from appliance.vault.chain import NO_LINE, Entry, Head
from appliance.vault.chain_check import Fault
from appliance.vault.names import Home
from appliance.vault.seals import Init

_FILE = "audit/chain.jsonl"


@dataclass
class Checked:
    """What was found: the steps that could be read, the hash of every line, and what is wrong.

    `before` is the hash of the line before the first.
    """

    steps: list[Noted] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    before: str = NO_LINE
    anchors: int = 0
    size_bytes: int = 0
    """Of the whole lines that were checked."""
    first: int = 0
    """The number of the first line: those before it were let go when their time had passed."""

    @property
    def head(self) -> Head:
        """The last line; number -1 if there is none."""
        return Head(self.total - 1, self.hashes[-1]) if self.hashes else volume.NOTHING

    @property
    def total(self) -> int:
        """How many lines were ever written."""
        return self.first + len(self.hashes)


def place(number: int) -> str:
    """How a line is named to a person: counted from 1, with its number in the chain."""
    return f"{_FILE} line {number + 1} (seq {number})"


def check(home: Home, entries: Sequence[Entry] | None = None) -> Checked:
    """Check the whole audit chain. `entries` are those of the seal chain, read if not given.

    A step may be noted meanwhile: the audit chain is read after the seals and the noted head.
    """
    checked = Checked()
    entries = _entries(home, checked) if entries is None else entries
    known = volume.known_head(home)
    try:
        content = volume.content(home)
    except HomeError as error:
        checked.faults.append(Fault(_FILE, str(error)))
        return checked
    whole, torn = chain.split_lines(content)
    if not whole and _is_restored(home):
        _say_left_behind(entries, checked)
        return checked
    _begin(checked, whole)
    follow(checked, whole, _box(entries))
    _check_shortened(checked)
    if torn:
        what = f"is torn ({torn} bytes); the next step that is noted cuts it off"
        checked.notices.append(Fault(place(checked.total), what))
    _check_head(checked, known)
    _check_anchors(checked, entries)
    return checked


def _begin(checked: Checked, whole: Sequence[bytes]) -> None:
    """Take number and predecessor of the first line as it says them; whether that may be is asked after."""
    try:
        fields = canonical.decode(whole[0][:-1])
        seq, before = fields["seq"], fields["prev"]
    except (IndexError, ValueError, KeyError):
        return
    if type(seq) is int and seq > 0 and signing.is_public_key(before):  # the same form: 64 digits
        checked.first, checked.before = seq, before


def _check_shortened(checked: Checked) -> None:
    """What is missing in front must be what the box let go and said so."""
    said = [step for step in checked.steps if step.step is Step.BOOK_SHORTENED]
    if said:
        went = said[-1].details.get("before", "?")[:10]
        checked.notices.append(
            Fault(place(said[-1].seq), f"states that lines from before {went} were let go")
        )
    if checked.first and (not said or said[-1].details.get("prev") != checked.before):
        what = f"begins with seq {checked.first}, and no line says that those before it were let go"
        checked.faults.append(Fault(_FILE, what))


def follow(checked: Checked, whole: Sequence[bytes], box: str) -> None:
    """Check further lines (each with its newline) that stand behind those checked."""
    for line in whole:
        number = checked.total
        previous = checked.hashes[-1] if checked.hashes else checked.before
        step, wrong = signed_lines.check(number, line, previous, box, lines.PURPOSE, lines.parse)
        checked.hashes.append(canonical.sha256(line))
        checked.size_bytes += len(line)
        checked.faults += [Fault(place(number), what) for what in wrong]
        if step:
            checked.steps.append(step)
            _confess(checked, step)


def _confess(checked: Checked, step: Noted) -> None:
    """What the box itself found and signed."""
    if step.step is Step.BOOK_CUT:
        lost = step.details.get("lost_seq", "?")
        what = f"states that the audit chain had been cut: what had reached seq {lost} was lost before it"
        checked.faults.append(Fault(place(step.seq), what))
    elif step.step is Step.BOOK_REPAIRED:
        checked.notices.append(Fault(place(step.seq), "states that a torn end was cut off before it"))


def _check_head(checked: Checked, known: Head | None) -> None:
    if known is None:
        if checked.hashes:
            what = "is missing or damaged: a shortened audit chain could pass unnoticed"
            checked.faults.append(Fault("state/audit-head", what))
        return
    wrong = _against(checked, known.seq, known.hash, "state/audit-head")
    if wrong:
        checked.faults.append(wrong)


def _check_anchors(checked: Checked, entries: Sequence[Entry]) -> None:
    for entry, anchor in anchors.of(entries):
        checked.anchors += 1
        source = f"the anchor in chain.jsonl (seq {entry.seq})"
        wrong = _against(checked, anchor.audit_lines - 1, anchor.audit_hash, source)
        if wrong:
            checked.faults.append(wrong)


def _against(checked: Checked, seq: int, digest: str, source: str) -> Fault | None:
    """What is wrong with the chain by what somebody remembers of it."""
    if seq >= checked.total:
        ends = f"ends at seq {checked.total - 1}" if checked.hashes else "is gone"
        return Fault(_FILE, f"{ends}, but {source} says that it had reached seq {seq}: it was cut")
    at = seq - checked.first  # of lines before the first only the last one's hash is known
    if at >= -1 and (checked.hashes[at] if at >= 0 else checked.before) != digest:
        return Fault(place(seq), f"is not the line that {source} remembers: the audit chain was replaced")
    return None


def _entries(home: Home, checked: Checked) -> Sequence[Entry]:
    try:
        return chain.read(home)
    except HomeError as error:
        checked.faults.append(Fault("chain.jsonl", f"cannot be read, so no anchor could be checked: {error}"))
        return ()


def _box(entries: Sequence[Entry]) -> str:
    first = entries[0].body if entries else None
    return first.box if isinstance(first, Init) else ""


def _is_restored(home: Home) -> bool:
    return (home.state / "restored.json").exists() and not home.signing_key.exists()


def _say_left_behind(entries: Sequence[Entry], checked: Checked) -> None:
    found = anchors.of(entries)
    if found:
        count = found[-1][1].audit_lines
        what = f"is not in a restored home; it had {count} lines when it was last anchored"
        checked.notices.append(Fault(_FILE, what))

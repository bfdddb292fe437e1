"""Checks what centrals signed against the home: a receipt for other bytes, or for a line that is gone.

Whoever rolls a whole home back, its note of the head included, cannot take back what centrals have signed.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.model.errors import HomeError
from appliance.replication import accounts, names, receipts
from appliance.replication.accounts import EVIDENCE, FORMAT, RECEIPTS
from appliance.replication.enrolled import Enrolled, enrolled
from appliance.replication.identity import CentralIdentity
from appliance.replication.names import Kind
from appliance.replication.receipts import Receipt
from appliance.vault import canonical, chain, signing
from appliance.vault.chain_check import Fault
from appliance.vault.names import Home
from appliance.vault.seals import Adoption, EnvelopeMade, Init, Seal, StoredFile

Progress = Callable[[int, int], None]


@dataclass
class Checked:
    """What was found; `counts` holds how many receipts there are of each central, by its name."""

    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Fixed:
    """What the chain fixes: the hash of each line by number, of each file by name; and whose it is."""

    site: str
    lines: tuple[str, ...]
    files: dict[str, StoredFile]


def check(home: Home, progress: Progress = lambda done, total: None) -> Checked:
    """Check every receipt of every central. Replication may be at work meanwhile.

    Raises HomeError only if there is no chain; a central that cannot be read is a fault.
    """
    checked = Checked()
    try:
        known = enrolled(home)
    except HomeError as error:
        checked.faults.append(Fault("replication", str(error)))
        return checked
    # Receipts before the chain: what was signed for stood in the chain by then.
    accounts_of = [(central, [*accounts.lines(central.folder / RECEIPTS)]) for central in known]
    fixed = _fixed(home)
    total, done = sum(len(lines) for _, lines in accounts_of), 0
    for central, lines in accounts_of:
        where = f"replication/{central.folder.name}"
        account = _Account(central.identity, fixed, f"{where}/{RECEIPTS}", checked)
        for number, line in enumerate(lines, 1):
            account.check(number, line)
            done += 1
            if done % 500 == 0:
                progress(done, total)
        checked.counts[central.identity.name] += len(account.by_sequence)
        _check_evidence(central, f"{where}/{EVIDENCE}", checked)
    return checked


class _Account:
    """The receipts of one central, checked in the order in which they came."""

    def __init__(self, identity: CentralIdentity, fixed: _Fixed, where: str, checked: Checked) -> None:
        self._identity = identity
        self._fixed = fixed
        self._where = where
        self._checked = checked
        self.by_sequence: dict[int, Receipt] = {}

    def check(self, number: int, line: bytes) -> None:
        place = f"{self._where} line {number}"
        try:
            receipt = receipts.parse(line)
        except ValueError:
            if not self._mark(line):
                what = "is neither a receipt nor a mark; 'greffier replicate' gets it anew"
                self._checked.notices.append(Fault(place, what))
            return
        for what in _wrong(receipt, self._identity, self._fixed):
            self._checked.faults.append(Fault(place, what))
        self._follow(receipt, place)

    def _mark(self, line: bytes) -> bool:
        """A mark of ours: from this number on receipts were found to be void."""
        with contextlib.suppress(ValueError, TypeError):
            mark = canonical.decode(line.removesuffix(b"\n"))
            if mark.get("format") == FORMAT:
                void = mark.get("void")
                if isinstance(void, int):
                    self.by_sequence = {at: one for at, one in self.by_sequence.items() if at < void}
                return True
        return False

    def _follow(self, receipt: Receipt, place: str) -> None:
        """Receipts of one central must follow from one another."""
        before, after = (self.by_sequence.get(receipt.sequence + step) for step in (-1, 1))
        same = self.by_sequence.get(receipt.sequence)
        if (same and same != receipt) or (before and before.hash != receipt.previous):
            what = f"is not what follows receipt {receipt.sequence - 1} of '{self._identity.name}'"
            self._checked.faults.append(Fault(place, what))
        elif after and after.previous != receipt.hash:
            what = f"is not what receipt {after.sequence} of '{self._identity.name}' follows"
            self._checked.faults.append(Fault(place, what))
        self.by_sequence[receipt.sequence] = receipt


def _wrong(receipt: Receipt, identity: CentralIdentity, fixed: _Fixed) -> Iterator[str]:
    """What a receipt says that cannot be."""
    name = identity.name
    if receipt.central != identity.signs_as or not receipt.holds(identity.key):
        yield f"is not signed by central '{name}'"
        return
    if receipt.site != fixed.site:
        yield "is for another box"
        return
    try:
        told = names.parse(receipt.name)
    except ValueError:
        yield f"is for {receipt.name!r}, which no box has"
        return
    if told.kind is Kind.CHAIN and told.seq is not None:
        if told.seq >= len(fixed.lines):
            yield (
                f"shows that central '{name}' has line {told.seq + 1} of the chain, which here has "
                f"{len(fixed.lines)}: it was cut or rolled back"
            )
        elif fixed.lines[told.seq] != receipt.sha256:
            yield f"shows that central '{name}' has another line {told.seq + 1} of the chain: it was replaced"
        return
    file = fixed.files.get(receipt.name)
    if file and (file.sha256, file.size_bytes) != (receipt.sha256, receipt.size_bytes):
        yield f"shows that central '{name}' has other bytes of {receipt.name} than the chain fixes"
    elif file is None and told.kind in (Kind.ENVELOPE, Kind.SEGMENT):
        yield f"is for {receipt.name}, which no line of the chain fixes: the chain was cut or replaced"


def _fixed(home: Home) -> _Fixed:
    """Read without stopping at a damaged line, of which `verify` tells."""
    site, hashes, files = "", [], dict[str, StoredFile]()
    for line in chain.split_lines(chain.content(home))[0]:
        hashes.append(canonical.sha256(line))
        with contextlib.suppress(ValueError, AttributeError):
            match chain.entry(json.loads(line), line).body:
                case Init(box=box) if not site:
                    site = signing.fingerprint(box)
                case EnvelopeMade() as made:
                    files[f"{Kind.ENVELOPE}/{made.vault}/{made.day}/{made.file.name}"] = made.file
                case Seal() as seal:
                    files |= {f"{Kind.SEGMENT}/{seal.vault}/{seal.day}/{one.name}": one for one in seal.files}
                case Adoption() as left:
                    files[f"{Kind.JOURNAL}/{left.vault}/{left.day}/{left.file.name}"] = left.file
    return _Fixed(site, tuple(hashes), files)


def _check_evidence(central: Enrolled, where: str, checked: Checked) -> None:
    """Contradictions of a central that this box has noted, each with both its signatures."""
    for number, line in enumerate(accounts.lines(central.folder / EVIDENCE), 1):
        at = _proven_at(line, central.identity)
        what = (
            f"proves that central '{central.identity.name}' was put back to an earlier state, noticed at "
            f"{at[:19]}Z; what it lost is sent again"
            if at
            else "proves nothing: it was damaged"
        )
        checked.notices.append(Fault(f"{where} line {number}", what))


def _proven_at(line: bytes, identity: CentralIdentity) -> str | None:
    """When a contradiction was noticed, if central signed both sides of it."""
    try:
        proof = canonical.decode(line.removesuffix(b"\n"))
        signed = [receipts.parse(text.encode()) for text in (proof["came"], *proof["known"])]
        at = str(proof["at"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return at if len(signed) > 1 and all(one.holds(identity.key) for one in signed) else None

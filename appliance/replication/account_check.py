"""Checks what centrals signed against the home: a receipt for other bytes, or for what is gone.

Whoever rolls a whole home back, its note of the head included, cannot take back what centrals have signed.
The receipts of a home that `greffier central restore` made are checked the same way.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from appliance.model.errors import HomeError
from appliance.replication import accounts, fixings, journal_check, names, receipts
from appliance.replication import identity as identities
from appliance.replication.accounts import EVIDENCE, FORMAT, RECEIPTS
from appliance.replication.enrolled import enrolled
from appliance.replication.fixings import Fixings
from appliance.replication.identity import CentralIdentity
from appliance.replication.journal_check import Suspect
from appliance.replication.names import Kind, ObjectName
from appliance.replication.receipts import Receipt
from appliance.vault import canonical
from appliance.vault.chain_check import Fault
from appliance.vault.names import Home

Progress = Callable[[int, int], None]

_RESTORED = "state/restored"
"""Where a restored home has the receipts of what it was made of (FORMAT.md)."""


@dataclass
class Checked:
    """What was found; `counts` holds how many receipts there are of each central, by its name."""

    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Source:
    """A folder of the home with receipts of a central, by its path there."""

    folder: str
    identity: CentralIdentity
    is_restored: bool = False


def check(home: Home, progress: Progress = lambda done, total: None) -> Checked:
    """Check every receipt of every central. Replication may be at work meanwhile.

    Raises HomeError only if there is no chain; a central that cannot be read is a fault.
    """
    checked = Checked()
    try:
        known = _sources(home)
    except HomeError as error:
        checked.faults.append(Fault("replication", str(error)))
        return checked
    # Receipts before the chain: what was signed for stood in the chain by then.
    accounts_of = [(one, [*accounts.lines(home.path / one.folder / RECEIPTS)]) for one in known]
    fixed = fixings.read(home)
    total, done = sum(len(lines) for _, lines in accounts_of), 0
    suspects: list[Suspect] = []
    for source, lines in accounts_of:
        account = _Account(home, source, fixed, checked)
        for number, line in enumerate(lines, 1):
            account.check(number, line)
            done += 1
            if done % 500 == 0:
                progress(done, total)
        suspects += account.suspects.values()
        checked.counts[source.identity.name] += len(account.by_sequence)
        _check_evidence(home, source, checked)
    checked.faults += _unexplained(home, suspects)
    return checked


def _sources(home: Home) -> list[_Source]:
    known = [_Source(f"replication/{one.folder.name}", one.identity) for one in enrolled(home)]
    path = home.path / _RESTORED / "central.json"
    if path.exists():
        try:
            known.append(_Source(_RESTORED, identities.parse(path.read_bytes()), is_restored=True))
        except OSError as error:
            raise HomeError(f"cannot read {path}: {error.strerror}; restore this home again") from error
        except ValueError as error:
            raise HomeError(f"{path} {error}; restore this home again") from None
    return known


def _unexplained(home: Home, suspects: list[Suspect]) -> list[Fault]:
    """Those that the chain does not explain now either: a seal may have replaced some meanwhile."""
    if not suspects:
        return []
    fixed = fixings.read(home)
    return [
        one.fault for one in suspects if not journal_check.is_explained(one.name, fixed.replaced, fixed.ended)
    ]


class _Account:
    """The receipts of one central, checked in the order in which they came."""

    def __init__(self, home: Home, source: _Source, fixed: Fixings, checked: Checked) -> None:
        self._home = home
        self._source = source
        self._identity = source.identity
        self._fixed = fixed
        self._where = f"{source.folder}/{RECEIPTS}"
        self._checked = checked
        self.by_sequence: dict[int, Receipt] = {}
        self.suspects: dict[str, Suspect] = {}

    def check(self, number: int, line: bytes) -> None:
        place = f"{self._where} line {number}"
        try:
            receipt = receipts.parse(line)
        except ValueError:
            if not self._mark(line):
                what = "is neither a receipt nor a mark; 'greffier replicate' gets it anew"
                self._checked.notices.append(Fault(place, what))
            return
        wrong = [*_wrong(receipt, self._source, self._fixed)]
        self._checked.faults += [Fault(place, what) for what in wrong]
        if not wrong:
            self._compare(receipt)
        self._follow(receipt, place)

    def _compare(self, receipt: Receipt) -> None:
        """Re-read what no line fixes: nobody else does."""
        told = names.parse(receipt.name)
        if receipt.name in self._fixed.files or not _is_loose(told, self._source):
            return
        if not journal_check.is_explained(told, self._fixed.replaced, self._fixed.ended):
            suspect = journal_check.compare(self._home, told, receipt, self._identity.name)
            if suspect:
                self.suspects[receipt.name] = suspect

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


def _is_loose(told: ObjectName, source: _Source) -> bool:
    """Whether it may be here with no line that fixes it; on a box envelopes are sent with theirs only."""
    return told.kind is Kind.JOURNAL or (source.is_restored and told.kind is Kind.ENVELOPE)


def _wrong(receipt: Receipt, source: _Source, fixed: Fixings) -> Iterator[str]:
    """What a receipt says that cannot be."""
    identity, name = source.identity, source.identity.name
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
    elif file is None and told.kind in (Kind.ENVELOPE, Kind.SEGMENT) and not source.is_restored:
        yield f"is for {receipt.name}, which no line of the chain fixes: the chain was cut or replaced"


def _check_evidence(home: Home, source: _Source, checked: Checked) -> None:
    """Contradictions of a central that this box has noted, each with both its signatures."""
    where = f"{source.folder}/{EVIDENCE}"
    for number, line in enumerate(accounts.lines(home.path / where), 1):
        at = _proven_at(line, source.identity)
        what = (
            f"proves that central '{source.identity.name}' was put back to an earlier state, noticed at "
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

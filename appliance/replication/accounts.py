"""The account that a home keeps of one central: its receipts, and the proof when they contradict one another.

`receipts.jsonl` holds them as they came, a line each, and marks. Losing its end only means sending again what
central then signs for once more; so it is made durable in batches. FORMAT.md specifies it.
"""

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.model.errors import StorageError
from appliance.model.instants import to_iso
from appliance.replication import receipts
from appliance.replication.book import Book, Kept, Verdict
from appliance.replication.claims import Claim
from appliance.replication.contradictions import EVIDENCE as EVIDENCE
from appliance.replication.contradictions import FORMAT as FORMAT
from appliance.replication.contradictions import Contradictions
from appliance.replication.identity import CentralIdentity
from appliance.replication.line_file import LineFile, whole_lines
from appliance.replication.receipts import Receipt
from appliance.replication.targets import Contradicted, Untrusted
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_once
from appliance.vault import canonical

RECEIPTS = "receipts.jsonl"
_BATCH = 64
_BATCH_S = 1.0
_MOST_UNWRITTEN = 10_000
_WORTH = 2_000
"""Fewer lines than this are not worth writing the file anew: a busy box has 5,800 journal files a day."""

_FORM = re.compile(
    rb'\{"central":"[0-9a-f]{64}","format":"greffier receipt 1","name":"([^"\\]{1,200})",'
    rb'"previous":"([0-9a-f]{64})","received_at":"[^"\\]{30}","sequence":([0-9]{1,18}),'
    rb'"sha256":"([0-9a-f]{64})","sig":"[0-9a-f]{128}","site":"[0-9a-f]{64}","size_bytes":[0-9]{1,18}\}\n'
)
"""A line as `Receipt.render` writes it: so a year of them, 63,000, is read in 0.7 s."""


def read(folder: Path) -> Book:
    """The receipts that count, without checking a signature again. Raises HomeError."""
    book = Book()
    for line in lines(folder / RECEIPTS):
        apply(book, line)
    return book


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file of an account. Raises HomeError."""
    return whole_lines(path)


class Accounts:
    """The account of one central, open for more. One process at a time: see `services.replicating`."""

    def __init__(self, folder: Path, identity: CentralIdentity, site: str, clock: Clock = now_ns) -> None:
        """Reads what there is and cuts a torn end off. Raises HomeError, StorageError."""
        self._folder = folder
        self._identity = identity
        self._site = site
        self._clock = clock
        self._unwritten: list[bytes] = []
        self._unsynced = 0
        self._synced_at = time.monotonic()
        self._lock = threading.RLock()
        self._is_closed = False
        self.book = read(folder)
        self._contradictions = Contradictions(folder, clock)
        self._file: LineFile | None = LineFile(self._path)

    @property
    def is_saved(self) -> bool:
        """Whether the disk took everything so far."""
        return not self._unwritten

    def take(self, receipt: Receipt, claim: Claim, is_live: bool = True) -> Verdict:
        """Check a receipt against the claim it is to answer, and keep it.

        `is_live`: central gave it just now; one that came by another way may be of before central was put
        back, and then does not count. Raises Untrusted, Contradicted where it does so too often, and
        StorageError where a contradiction cannot be written down.
        """
        self._check(receipt, claim)
        with self._lock:
            return self._take(receipt, is_live)

    def _take(self, receipt: Receipt, is_live: bool) -> Verdict:
        came = Kept(receipt.sequence, receipt.name, receipt.sha256, receipt.hash, receipt.previous)
        known = self.book.by_name.get(came.name)
        if known == came:
            return Verdict.KNOWN
        against = self.book.contradictions(came)
        if not against:
            self._append(receipt.render())
            self.book.put(came)
            return Verdict.NEW
        proof = self._rendered(against)
        self._contradictions.testify(receipt, proof)
        others = [receipts.parse(line) for line in proof]
        if not is_live and any(other.received_at_ns >= receipt.received_at_ns for other in others):
            return Verdict.OUTDATED
        if again_ns := self._contradictions.believed_again_ns():
            raise Contradicted(
                f"it contradicts itself over and over; before {to_iso(again_ns)[:19]}Z nothing is begun anew "
                "for it: ask its operator who else may have its key (the proof is in evidence.jsonl)"
            )
        self._contradictions.follow()
        first = min(came.sequence, *(one.sequence for one in against))
        self._append(canonical.encode({"format": FORMAT, "void": first}) + b"\n" + receipt.render())
        self.book.void(first)
        self.book.put(came)
        if self.book.void_count >= max(_WORTH, len(self.book) // 8):
            with contextlib.suppress(StorageError):
                self._write_anew([])
        return Verdict.PUT_BACK

    def tidy(self, is_gone: Callable[[str], bool]) -> int:
        """Let go of receipts for what is no more, once they are many; how many. Raises StorageError."""
        with self._lock:
            gone = self.book.gone(is_gone)
            if len(gone) >= max(_WORTH, len(self.book) // 8):
                self._write_anew(gone)
                return len(gone)
            return 0

    def _write_anew(self, gone: list[Kept]) -> None:
        self.flush()
        self.book.drop(gone)
        self.book.void_count = 0
        hashes = {kept.hash for kept in self.book.by_name.values()}
        head = {"format": FORMAT, "gaps": self.book.gaps, "highest": self.book.highest}
        kept = [line for line in dict.fromkeys(lines(self._path)) if canonical.sha256(line) in hashes]
        write_once(self._path, b"".join([canonical.encode(head), b"\n", *kept]))
        old, self._file = self._file, None  # of no name any more: what it still took would be lost
        if old:
            old.close()
        self._file = LineFile(self._path)

    def flush(self) -> None:
        """Make everything durable, as far as the disk lets us; `is_saved` says whether it did."""
        with self._lock:
            self._write()
            if self._file and self._unsynced and not self._unwritten:
                with contextlib.suppress(OSError):
                    self._file.sync()
                    self._unsynced = 0
            self._synced_at = time.monotonic()

    def close(self) -> None:
        """Flush and let the file go."""
        with self._lock:
            if not self._is_closed:
                self.flush()
                self._is_closed = True
            if self._file:
                self._file.close()
                self._file = None

    def put_back_ns(self) -> int | None:
        """When central last contradicted itself; None if it never did."""
        return self._contradictions.newest_ns()

    @property
    def _path(self) -> Path:
        return self._folder / RECEIPTS

    def _check(self, receipt: Receipt, claim: Claim) -> None:
        wrong = None
        if receipt.central != self._identity.signs_as:
            wrong = "another central signed it"
        elif receipt.site != self._site or not receipt.answers(claim):
            wrong = "it is for something else than what was sent"
        elif not receipt.holds(self._identity.key):
            wrong = "its signature is wrong"
        if wrong:
            raise Untrusted(f"a receipt of '{self._identity.name}' is not believed: {wrong}")

    def _append(self, line: bytes) -> None:
        if len(self._unwritten) >= _MOST_UNWRITTEN:
            raise StorageError(f"cannot write {self._path}: the disk takes nothing; free or repair it")
        self._unwritten.append(line)
        self._unsynced += 1
        self._write()
        if self._unsynced >= _BATCH or time.monotonic() - self._synced_at > _BATCH_S:
            self.flush()

    def _write(self) -> None:
        if self._unwritten and not self._file and not self._is_closed:
            with contextlib.suppress(StorageError):  # the disk did not give it when it was written anew
                self._file = LineFile(self._path)
        if self._file and self._unwritten:
            with contextlib.suppress(OSError):
                self._file.append(b"".join(self._unwritten))
                self._unwritten = []

    def _rendered(self, known: list[Kept]) -> list[bytes]:
        """The bytes of receipts that are known."""
        self.flush()
        wanted = {kept.hash for kept in known}
        return [line for line in dict.fromkeys(lines(self._path)) if canonical.sha256(line) in wanted]


def apply(book: Book, line: bytes, lean: bool = False) -> None:
    """One line of the file, a receipt or a mark. What is neither was damaged, and is sent again.

    `lean`: for who only counts what was signed for, and compares no receipt with another.
    """
    if found := _FORM.fullmatch(line):
        name, previous, sequence, sha256 = found.groups()
        if lean:  # several centrals sign for the same
            book.put(Kept(int(sequence), sys.intern(name.decode()), sys.intern(sha256.decode()), "", ""))
            return
        book.put(
            Kept(
                int(sequence),
                name.decode("ascii"),
                sha256.decode(),
                canonical.sha256(line),
                previous.decode(),
            )
        )
        return
    with contextlib.suppress(ValueError, TypeError, KeyError):
        mark = canonical.decode(line.removesuffix(b"\n"))
        if mark["format"] == FORMAT and "void" in mark:
            book.void(int(mark["void"]))
        elif mark["format"] == FORMAT:
            book.highest = int(mark["highest"])
            book.gaps = [(int(first), int(last)) for first, last in mark["gaps"]]

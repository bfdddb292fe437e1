"""Sending to one central: an object, its claim, the receipt that comes back, and what to make of a refusal.

Of central nothing is ever learnt but its receipts and why it did not take something. What it will not take is
set aside, told as an alarm and tried again later; everything else goes on.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from appliance.model.errors import ReplicationError
from appliance.model.instants import day_of
from appliance.replication import brought, claims, recovery
from appliance.replication.accounts import Accounts
from appliance.replication.book import Verdict, settled
from appliance.replication.holdings import Gone, Holdings
from appliance.replication.missing import Item, Urgency, due, missing
from appliance.replication.targets import Conflict, Contradicted, Refused, Replaced, Target, TooEarly
from appliance.runtime.clock import Clock, now_ns
from appliance.vault.signing import Signer

AGAIN_S = 600.0
"""After so long what was set aside is tried again: somebody may have mended it."""

DISTRUST_S = 600.0
"""So long nothing goes to a central that contradicts itself too often; then one object, to see."""

_VANISHED_S = 10.0
_MOST_REFUSALS = 3
"""So many refusals in a row, of different objects, are no fault of the objects."""


@dataclass(frozen=True)
class _Aside:
    """An object that was not taken: `kind` of the alarm ("" for none), and until when it waits."""

    kind: str
    message: str
    until: float
    line: int


class Watched:
    """The bytes of an object on their way; `told` hears how many have gone."""

    def __init__(self, file: BinaryIO, told: Callable[[int], None]) -> None:
        self._file = file
        self._told = told

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._told(len(chunk))
        return chunk

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int) -> int:
        """Back to where a connection that had gone idle failed: what went with it did not count."""
        self._told(offset - self._file.tell())
        return self._file.seek(offset)


class Sender:
    """What one central has, lacks and refuses. Several threads may send, each through a target of its own.

    `version` grows with everything that changes what is missing, `upsets` when what was to come next no
    longer is, `answers` with each answer of central. `contact_ns` and `receipt_ns` are when central last
    answered as itself, and last signed for something new.
    """

    def __init__(self, holdings: Holdings, accounts: Accounts, signer: Signer, clock: Clock = now_ns) -> None:
        self._holdings = holdings
        self._accounts = accounts
        self._signer = signer
        self._clock = clock
        self._lock = threading.RLock()
        self._needless: dict[str, str] = {}
        self._aside: dict[str, _Aside] = {}
        self._under_way: set[str] = set()
        self._refusals = 0
        self._distrusted: tuple[float, Contradicted] | None = None
        self._lacking: list[Item] = []
        self._compared: tuple[object, ...] = ()
        self.version = 0
        self.answers = 0
        self.contact_ns: int | None = None
        self.receipt_ns: int | None = None
        self.put_back_ns = accounts.put_back_ns()
        self.upsets = 0

    def tidy(self) -> None:
        """Let receipts go that are for nothing any more. Raises StorageError."""
        with self._lock:
            self._accounts.tidy(self._holdings.is_gone)

    def enter_brought(self, folder: Path, signs_as: str) -> None:
        """Enter the receipts that a courier left in the folder of a central. Raises StorageError."""
        with self._lock:
            tally = brought.settle(folder, signs_as, self._signer.fingerprint, self._accounts, self._holdings)
            if tally.new or tally.put_back:
                self.version += 1
            if tally.put_back:
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Central was put back: nothing that it said before counts."""
        self.put_back_ns = self._clock()
        self._needless, self._aside = {}, {}
        self.upsets += 1

    def lacking(self) -> list[Item]:
        """What central has not signed for, in the order in which it is to go."""
        with self._lock:
            today = day_of(self._clock())
            known = (self._holdings.version, self.version, today)
            if known != self._compared:
                signed = settled(self._accounts.book, self._needless)
                self._lacking = missing(self._holdings.items, signed, today)
                self._compared = known
            return self._lacking

    def due(self, may_bulk: bool) -> list[Item]:
        """What of it may go now."""
        with self._lock:
            now = time.monotonic()
            self._aside = {name: one for name, one in self._aside.items() if one.until > now}
            stopped = min((one.line for one in self._aside.values() if one.line >= 0), default=None)
            return due(self.lacking(), self._aside, stopped, may_bulk)

    def troubles(self) -> Iterator[tuple[str, str]]:
        """(kind, sentence) of what stands in the way: of what is set aside the first of each kind."""
        if self._holdings.fault:
            yield "chain", self._holdings.fault
        if not self._accounts.is_saved:
            yield "unsaved", "receipts cannot be written, so much will be sent again; free or repair the disk"
        with self._lock:
            standing = list(self._aside.values())
        for kind in dict.fromkeys(one.kind for one in standing if one.kind):
            of_kind = [one for one in standing if one.kind == kind]
            more = f" (and {len(of_kind) - 1:,} more)" if len(of_kind) > 1 else ""
            yield kind, of_kind[0].message + more

    @contextlib.contextmanager
    def holding(self, item: Item, again: bool = False) -> Iterator[bool]:
        """Whether nobody else sends it just now, or has sent it meanwhile unless it is to go `again`."""
        with self._lock:
            is_there = not again and not missing([item], self._accounts.book.signed, day_of(self._clock()))
            is_ours = item.name not in self._under_way and not is_there
            if is_ours:
                self._under_way.add(item.name)
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    self._under_way.discard(item.name)

    def newest_signed_line(self) -> Item | None:
        """The last line that central has signed for: sent again, it is a sign of life."""
        signed = self._accounts.book.signed
        return next((line for line in reversed(self._holdings.lines()) if line.name in signed), None)

    def send(self, target: Target, item: Item, told: Callable[[int], None] = lambda count: None) -> bool:
        """Send one item; whether central has signed for it, or needs it no more.

        Raises Unreachable, Untrusted, StorageError; and Refused when central takes nothing from this box.
        """
        if self._distrusted and self._distrusted[0] > time.monotonic():
            raise self._distrusted[1]
        try:
            return self._sent(target, item, told)
        except Contradicted as error:
            self._distrusted = time.monotonic() + DISTRUST_S, error
            raise

    def _sent(self, target: Target, item: Item, told: Callable[[int], None]) -> bool:
        try:
            self._deposit(target, item, told)
        except Gone:
            self._set_aside(item, "", "", _VANISHED_S)
        except Replaced:
            self._answered()
            with self._lock:
                self._needless[item.name] = item.sha256 or ""
                self.version += 1
            return True
        except TooEarly as error:
            self._answered()
            self.upsets += 1
            lines = self._holdings.lines()
            if stuck := recovery.begin_anew(lines, item, error, lambda one: self._deposit(target, one, told)):
                self._set_aside(*stuck)
        except Conflict as error:
            self._answered()
            self._set_aside(item, "conflict", str(error))
        except Refused as error:
            self._refused(item, error)
        except ReplicationError as error:
            if type(error) is not ReplicationError:
                raise
            self._set_aside(item, "damaged", str(error))
        else:
            return True
        return False

    def _deposit(self, target: Target, item: Item, told: Callable[[int], None]) -> Verdict:
        content = self._holdings.open(item)
        with content.file as file:
            claim = claims.make(self._signer, item.name, content.sha256, content.size_bytes)
            receipt = target.deposit(claim, cast(BinaryIO, Watched(file, told)))
        with self._lock:
            verdict = self._accounts.take(receipt, claim)
            self._answered()
            self._refusals = 0
            self._aside.pop(item.name, None)
            if verdict is not Verdict.KNOWN:
                self.version += 1
                self.receipt_ns = self._clock()
            if verdict is Verdict.PUT_BACK:
                self._begin_anew()
            return verdict

    def _refused(self, item: Item, error: Refused) -> None:
        """One object is set aside; central that refuses whatever comes is to be left alone for a while."""
        self._answered()
        with self._lock:
            self._refusals += 1
            if self._refusals >= _MOST_REFUSALS:
                self._aside = {name: one for name, one in self._aside.items() if one.kind != "refused"}
                raise error
            self._set_aside(item, "refused", str(error))

    def _set_aside(self, item: Item, kind: str, message: str, wait_s: float = AGAIN_S) -> None:
        line = item.line if item.urgency is Urgency.LINE and kind else -1
        with self._lock:
            self._aside[item.name] = _Aside(kind, message, time.monotonic() + wait_s, line)

    def _answered(self) -> None:
        self.answers += 1
        self.contact_ns = self._clock()

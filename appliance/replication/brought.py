"""Receipts that a courier brought home: checked, and entered in the account of the central that signed them.

While a service keeps an account, what was brought waits beside it in `brought/` and the service enters it.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import ReplicationError, StorageError
from appliance.replication import receipts
from appliance.replication.accounts import Accounts
from appliance.replication.book import Verdict
from appliance.replication.claims import Claim
from appliance.replication.holdings import Gone, Holdings
from appliance.replication.missing import Item
from appliance.replication.names import Kind
from appliance.replication.receipts import Receipt
from appliance.replication.stick import lines
from appliance.replication.targets import Untrusted
from appliance.runtime.files import sync_folder

FOLDER = "brought"


@dataclass
class Tally:
    """Receipts by what came of them. `new` count from now on, `known` did before.

    `put_back` contradict others: central had been put back to an earlier state. `outdated` were signed before
    it was, and do not count. `foreign` are for another site or of another central, `wrong` are not believed:
    a bad signature, other bytes than the box has, no receipt at all.
    """

    new: int = 0
    known: int = 0
    put_back: int = 0
    outdated: int = 0
    foreign: int = 0
    wrong: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.new + other.new,
            self.known + other.known,
            self.put_back + other.put_back,
            self.outdated + other.outdated,
            self.foreign + other.foreign,
            self.wrong + other.wrong,
        )


_FIELD = {
    Verdict.NEW: "new",
    Verdict.KNOWN: "known",
    Verdict.PUT_BACK: "put_back",
    Verdict.OUTDATED: "outdated",
}


class Entering:
    """Enters receipts in one account. `signs_as` is the fingerprint of the central's key."""

    def __init__(self, accounts: Accounts, signs_as: str, site: str, holdings: Holdings) -> None:
        self._accounts = accounts
        self._signs_as = signs_as
        self._site = site
        self._holdings = holdings
        self._items = {item.name: item for item in holdings.items}

    def enter(self, found: Iterable[bytes]) -> Tally:
        """Take the receipts in some lines; durable on return. Raises StorageError."""
        tally = Tally()
        for line in found:
            field = self._enter(line)
            setattr(tally, field, getattr(tally, field) + 1)
        self._accounts.flush()
        if not self._accounts.is_saved:
            raise StorageError(
                "the box's disk does not take the receipts; free or repair it, then read the stick again"
            )
        return tally

    def _enter(self, line: bytes) -> str:
        try:
            receipt = receipts.parse(line)
        except ValueError:
            return "wrong"
        if (receipt.central, receipt.site) != (self._signs_as, self._site):
            return "foreign"
        claim = self._own(receipt)
        if claim is None:
            return "wrong"
        try:
            return _FIELD[self._accounts.take(receipt, claim, is_live=False)]
        except Untrusted:
            return "wrong"

    def _own(self, receipt: Receipt) -> Claim | None:
        """What the box itself has under the receipt's name; None if it never had it, or it cannot be read."""
        if item := self._items.get(receipt.name):
            with contextlib.suppress(Gone, ReplicationError):
                return self._as_it_lies(item)
        elif self._holdings.is_gone(receipt.name) or receipt.name.startswith(f"{Kind.JOURNAL}/"):
            # A journal file that nothing explains was taken away: its receipt is what shows it.
            return Claim(self._site, receipt.name, receipt.sha256, receipt.size_bytes, "")
        return None

    def _as_it_lies(self, item: Item) -> Claim:
        if item.sha256 is not None:
            return Claim(self._site, item.name, item.sha256, item.size_bytes, "")
        content = self._holdings.open(item)
        content.file.close()
        return Claim(self._site, item.name, content.sha256, content.size_bytes, "")


def settle(folder: Path, signs_as: str, site: str, accounts: Accounts, holdings: Holdings) -> Tally:
    """Enter what waits in the folder of a central, and take it away. Raises StorageError."""
    tally = Tally()
    waiting = sorted((folder / FOLDER).glob("*.receipts"))
    if not waiting:
        return tally
    entering = Entering(accounts, signs_as, site, holdings)
    try:
        for path in waiting:
            tally += entering.enter(lines(path))
            path.unlink()
        sync_folder(folder / FOLDER)
    except OSError as error:
        raise StorageError(
            f"cannot read what waits in {folder / FOLDER}: {error.strerror}; repair the disk"
        ) from error
    return tally

"""The courier, at the box: what its centrals lack goes on a stick, and their receipts come home on it.

Writing changes nothing in the home: only a receipt, checked against the central's pinned key and the box's
own bytes, makes an object count as kept. So a stick that is lost, torn or forged costs the way, nothing else.
"""

import errno
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.model.errors import ReplicationError, StorageError
from appliance.model.instants import day_of
from appliance.replication import accounts, claims, missing, parcel_check, parcels
from appliance.replication.enrolled import Enrolled
from appliance.replication.holdings import Content, Gone, Holdings
from appliance.replication.missing import Item
from appliance.replication.parcel_writer import ParcelWriter
from appliance.replication.parcels import Head
from appliance.replication.receipts import LIMIT_BYTES
from appliance.replication.stick import Stick
from appliance.runtime.clock import Clock, now_ns
from appliance.vault import signing
from appliance.vault.names import Home

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes to do)."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SLACK_BYTES = 1 << 20
"""Room left for closing lines, folders and the last cluster of each file."""


@dataclass
class Written:
    """What came of a writing. `already` lay whole on the stick before; `left` did not fit.

    `full` says that the stick was the reason, and not the limit; `unreadable` says of objects why the box
    itself could not give them.
    """

    parcels: list[Path] = field(default_factory=list)
    objects: int = 0
    size_bytes: int = 0
    already: int = 0
    left: int = 0
    left_bytes: int = 0
    full: bool = False
    unreadable: list[str] = field(default_factory=list)


def backlog(holdings: Holdings, centrals: Sequence[Enrolled], now: int) -> list[Item]:
    """What at least one of these centrals has not signed for, in the order in which it is to go."""
    today = day_of(now)
    lacking: dict[str, Item] = {}
    for central in centrals:
        signed = accounts.read(central.folder).signed
        lacking.update((item.name, item) for item in missing.missing(holdings.items, signed, today))
    return missing.missing(lacking.values(), {}, today)


class Writing:
    """One writing of one home's backlog on one stick."""

    def __init__(
        self,
        home: Home,
        stick: Stick,
        centrals: Sequence[Enrolled],
        clock: Clock = now_ns,
        limit_bytes: int | None = None,
        progress: Progress = lambda done, total: None,
    ) -> None:
        self._stick = stick
        self._centrals = centrals
        self._addressed = tuple(central.identity.signs_as for central in centrals)
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._progress = progress
        self._signer = signing.load(home.signing_key)
        self._holdings = Holdings(home, clock)
        self._writing = secrets.token_hex(4)
        self._parcel: ParcelWriter | None = None
        self._used_bytes = 0
        self.written = Written()

    def run(self) -> Written:
        """Put on the stick what fits. Raises StorageError if the stick gives up; what was closed counts."""
        self._holdings.refresh()
        todo = backlog(self._holdings, self._centrals, self._clock())
        try:
            present = parcel_check.present(self._stick, self._signer.box, self._addressed)
            self.written.already = sum(1 for item in todo if item.name in present)
            todo = [item for item in todo if item.name not in present]
            if todo:
                self._stick.make_folder(self._stick.parcels)
                self._put_all(todo)
            self._read_back()
        except OSError as error:
            raise StorageError(
                f"the stick at {self._stick.path} gave up: {error.strerror}; nothing is lost and nothing "
                "counts as sent - write again, on this one or on another"
            ) from error
        finally:
            if self._parcel:
                self._parcel.abandon()
        return self.written

    def _put_all(self, todo: Sequence[Item]) -> None:
        total = sum(item.size_bytes for item in todo)
        done = 0
        for number, item in enumerate(todo):
            if not self._put(item):
                rest = todo[number:]
                self.written.left = len(rest)
                self.written.left_bytes = sum(one.size_bytes for one in rest)
                break
            done += item.size_bytes
            self._progress(done, total)
        self._close(last=True)

    def _put(self, item: Item) -> bool:
        """Put one object on the stick, or note that it is not there any more; false if there is no room."""
        try:
            content = self._holdings.open(item)
        except Gone:
            return True
        except ReplicationError as error:
            self.written.unreadable.append(str(error))
            return True
        with content.file:
            if content.size_bytes > parcels.LARGEST_OBJECT_BYTES:
                self.written.unreadable.append(
                    f"{item.name} is too large for a stick; it goes by the line only"
                )
                return True
            if not self._has_room(content.size_bytes):
                return False
            return self._add(item, content)

    def _add(self, item: Item, content: Content) -> bool:
        parcel = self._opened(content.size_bytes)
        claim = claims.make(self._signer, item.name, content.sha256, content.size_bytes)
        try:
            whole = parcel.add(claim, content.file)
        except OSError as error:
            if not parcel.is_open or error.errno not in _FULL:
                raise
            # After all: others write on it, or its file system needs more than it says.
            self.written.full = True
            return False
        except ReplicationError as error:
            self.written.unreadable.append(str(error))
            return True
        if whole:
            self._used_bytes += content.size_bytes + LIMIT_BYTES
            self.written.objects += 1
            self.written.size_bytes += content.size_bytes
        else:
            self.written.unreadable.append(f"{item.name} is not as the chain fixes it; see 'greffier verify'")
        return True

    def _has_room(self, size_bytes: int) -> bool:
        """Room for the object, and for the receipts of everything on the stick: they must fit, too."""
        written = self.written
        frame = size_bytes + LIMIT_BYTES
        if self._limit_bytes is not None and self._used_bytes + frame > self._limit_bytes:
            return False
        receipts = (written.already + written.objects + 1) * LIMIT_BYTES * len(self._centrals)
        if self._stick.free_bytes() < frame + receipts + _SLACK_BYTES:
            written.full = True
            return False
        return True

    def _opened(self, size_bytes: int) -> ParcelWriter:
        """The parcel that the next object goes into: a new one if this one has enough."""
        parcel = self._parcel
        if parcel and parcel.objects:
            too_large = parcel.size_bytes + size_bytes > parcels.SIZE_LIMIT_BYTES
            if too_large or parcel.objects >= parcels.OBJECT_LIMIT:
                self._close(last=False)
                parcel = None
        if parcel is None:
            number = len(self.written.parcels) + 1
            head = Head(self._signer.fingerprint, self._addressed, self._writing, number, self._clock())
            parcel = self._parcel = ParcelWriter(self._stick.parcel_path(head), head, self._signer)
            parcel.open()
            self.written.parcels.append(parcel.path)
        return parcel

    def _close(self, last: bool) -> None:
        if self._parcel:
            self._parcel.close(last)
            self._stick.sync(self._stick.parcels)
            self._parcel = None

    def _read_back(self) -> None:
        """What the stick says now, and not what memory says: a worn or forged stick loses silently."""
        for path in self.written.parcels:
            if not parcel_check.is_whole(path, self._signer.box):
                raise StorageError(
                    f"the stick at {self._stick.path} does not give back what was written on it "
                    f"({path.name}); use another one"
                )


def acknowledged(paths: Iterable[Path], box: str, centrals: Sequence[Enrolled]) -> list[Path]:
    """Of the box's own parcels those in which nothing is left that an addressed central has not signed for.

    A parcel that cannot be read to its end, or has an object that cannot be made out, is not among them.
    """
    books = {central.identity.signs_as: accounts.read(central.folder).signed for central in centrals}
    return [path for path in paths if parcel_check.is_acknowledged(path, box, books)]

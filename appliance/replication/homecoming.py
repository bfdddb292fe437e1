"""A stick that comes home: the receipts on it go into the accounts of the centrals that this box knows."""

import os
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import StorageError
from appliance.replication import receipts
from appliance.replication.accounts import Accounts
from appliance.replication.brought import FOLDER, Entering, Tally
from appliance.replication.enrolled import Enrolled, enrolled
from appliance.replication.holdings import Holdings
from appliance.replication.stick import RECEIPTS, Stick, lines
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.files import write_once
from appliance.vault import signing
from appliance.vault.names import Home


@dataclass
class Homecoming:
    """What one central's receipts on a stick came to.

    `waiting` receipts were handed to the service at work, which enters them; `unread` files the stick did not
    give, or not to their end.
    """

    central: Enrolled
    files: int
    tally: Tally
    waiting: int = 0
    unread: int = 0


def bring_home(home: Home, stick: Stick, clock: Clock = now_ns) -> tuple[list[Homecoming], int]:
    """Enter every receipt on a stick that is for this box; also, how many files are of centrals unknown here.

    Each central's are durable before the next. Raises HomeError, StorageError; what was entered counts.
    """
    site = signing.load(home.signing_key).fingerprint
    found = stick.receipts_found(site)
    holdings = Holdings(home, clock)
    holdings.refresh()
    came, known = [], 0
    for central in enrolled(home):
        mine = [path for path in found if _central(path) == central.identity.signs_as[:16]]
        known += len(mine)
        if mine:
            came.append(_enter(central, mine, site, holdings, clock))
    return came, len(found) - known


def _central(path: Path) -> str:
    match = RECEIPTS.fullmatch(path.name)
    return match[2] if match else ""


def _enter(central: Enrolled, paths: list[Path], site: str, holdings: Holdings, clock: Clock) -> Homecoming:
    came = Homecoming(central, len(paths), Tally())
    lock = locks.attempt(central.folder / "lock")
    if lock is None:
        for path in paths:
            came.waiting += _hand_over(central, path, site, came)
        return came
    try:
        accounts = Accounts(central.folder, central.identity, site, clock)
        try:
            entering = Entering(accounts, central.identity.signs_as, site, holdings)
            for path in paths:
                try:
                    came.tally += entering.enter(lines(path))
                except OSError:
                    came.unread += 1
        finally:
            accounts.close()
    finally:
        os.close(lock)
    return came


def _hand_over(central: Enrolled, path: Path, site: str, came: Homecoming) -> int:
    """Lay what central has signed for this site where the service at work finds it."""
    good = []
    try:
        for line in lines(path):
            if _is_ours(line, central, site):
                good.append(line)
            else:
                came.tally.wrong += 1
    except OSError:
        came.unread += 1
    if good:
        write_once(central.folder / FOLDER / path.name, b"".join(dict.fromkeys(good)))
    return len(good)


def _is_ours(line: bytes, central: Enrolled, site: str) -> bool:
    try:
        receipt = receipts.parse(line)
    except ValueError:
        return False
    return receipt.site == site and receipt.holds(central.identity.key)


def clean(paths: list[Path]) -> int:
    """Delete files from a stick, durably; how many. Raises StorageError."""
    try:
        for path in paths:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in paths}:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise StorageError(
            f"the stick lets nothing be deleted: {error.strerror}; it may be locked, or gone"
        ) from error
    return len(paths)

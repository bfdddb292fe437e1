"""How replication stands, for `status`: of each central what is left, and how many segments are safe."""

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.model.errors import GreffierError
from appliance.model.instants import day_of
from appliance.replication import state
from appliance.replication.enrolled import LOCK, Enrolled, enrolled
from appliance.replication.following import Following
from appliance.replication.holdings import Holdings
from appliance.replication.missing import Backlog, backlog, missing
from appliance.replication.names import Kind
from appliance.replication.state import ReplicationState
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.vault.catalogue import Catalogue
from appliance.vault.names import Home

LOOK_AGAIN_S = 2.0
"""So often folders are looked into at most: what a box holds changes every second while it records."""


@dataclass(frozen=True)
class KnownCentral:
    """One central: who it is, what is left, and what the process that sends last said, if it ever ran."""

    name: str
    url: str
    is_sending: bool
    left: Backlog
    receipts: int
    state: ReplicationState | None
    fingerprint: str = ""


@dataclass(frozen=True)
class Replication:
    """`safe` says how many segments so many centrals have signed for: [none, one, two or more]."""

    centrals: tuple[KnownCentral, ...]
    safe: tuple[int, int, int]


Looked = tuple[Replication | None, list[str]]
"""How it stands, and what cannot be read, in sentences; None where the box is enrolled nowhere."""


class Looking:
    """Looks again and again, and reads only what has come; safe between threads."""

    def __init__(self, home: Home, clock: Clock = now_ns) -> None:
        self._home = home
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[Path, Following] = {}
        self._holdings = Holdings(home, clock)
        self._left: dict[Path, tuple[tuple[int, int, dt.date], Backlog]] = {}
        self._counted: tuple[object, tuple[int, int, int]] = (None, (0, 0, 0))

    def look(self, catalogue: Catalogue, version: int = 0) -> Looked:
        """How it stands now; `version` of the chain that the catalogue was made of."""
        with self._lock:
            try:
                known = enrolled(self._home)
                if not known:
                    return None, []
                signed = [self._account(central).look().signed for central in known]
                centrals = tuple(self._known(one, names) for one, names in zip(known, signed, strict=True))
            except GreffierError as error:
                return None, [str(error)]
            basis = (version, *(self._account(central).version for central in known))
            if self._counted[0] != basis:
                self._counted = basis, _safe(catalogue, signed)
            return Replication(centrals, self._counted[1]), []

    def _account(self, central: Enrolled) -> Following:
        return self._accounts.setdefault(central.folder, Following(central.folder))

    def _known(self, central: Enrolled, signed: dict[str, str]) -> KnownCentral:
        told = state.read(central.folder)
        is_sending = locks.is_held(central.folder / LOCK)
        if is_sending and told:
            left = Backlog(told.objects, told.size_bytes, told.oldest_ns)
        else:
            left = self._backlog(central, signed)
        identity = central.identity
        return KnownCentral(
            identity.name, central.url, is_sending, left, len(signed), told, identity.fingerprint
        )

    def _backlog(self, central: Enrolled, signed: dict[str, str]) -> Backlog:
        """What is missing there while nobody says so."""
        self._holdings.refresh(LOOK_AGAIN_S)
        today = day_of(self._clock())
        basis = (self._holdings.version, self._account(central).version, today)
        found = self._left.get(central.folder)
        if found is None or found[0] != basis:
            found = self._left[central.folder] = basis, backlog(missing(self._holdings.items, signed, today))
        return found[1]


def replication(home: Home, catalogue: Catalogue, clock: Clock = now_ns) -> Looked:
    """How it stands, looked at once."""
    return Looking(home, clock).look(catalogue)


def _safe(catalogue: Catalogue, signed: Sequence[dict[str, str]]) -> tuple[int, int, int]:
    counts = [0, 0, 0]
    for seal in catalogue.seals:
        if seal.rows and seal.key_id not in catalogue.destroyed and seal.key_id not in catalogue.ordered:
            folder = f"{Kind.SEGMENT}/{seal.vault}/{seal.day}"
            places = sum(
                all(names.get(f"{folder}/{file.name}") == file.sha256 for file in seal.files)
                for names in signed
            )
            counts[min(places, 2)] += 1
    return counts[0], counts[1], counts[2]

"""How replication stands, for `status`: of each central what is left, and how many segments are safe."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.model.errors import GreffierError
from appliance.model.instants import day_of
from appliance.replication import accounts, state
from appliance.replication.enrolled import LOCK, Enrolled, enrolled
from appliance.replication.holdings import Holdings
from appliance.replication.missing import Backlog, backlog, missing
from appliance.replication.names import Kind
from appliance.replication.state import ReplicationState
from appliance.runtime import locks
from appliance.vault.catalogue import Catalogue
from appliance.vault.names import Home


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


def replication(home: Home, catalogue: Catalogue, now_ns: int) -> tuple[Replication | None, list[str]]:
    """How it stands, and what cannot be read, in sentences; None where the box is enrolled nowhere."""
    try:
        known = enrolled(home)
        signed = [accounts.read(central.folder).signed for central in known]
    except GreffierError as error:
        return None, [str(error)]
    if not known:
        return None, []
    try:
        centrals = tuple(_known(home, one, names, now_ns) for one, names in zip(known, signed, strict=True))
    except GreffierError as error:
        return None, [str(error)]
    return Replication(centrals, _safe(catalogue, signed)), []


def _known(home: Home, central: Enrolled, signed: dict[str, str], now_ns: int) -> KnownCentral:
    told = state.read(central.folder)
    is_sending = locks.is_held(central.folder / LOCK)
    if is_sending and told:
        left = Backlog(told.objects, told.size_bytes, told.oldest_ns)
    else:
        holdings = Holdings(home, lambda: now_ns)
        holdings.refresh()
        left = backlog(missing(holdings.items, signed, day_of(now_ns)))
    identity = central.identity
    return KnownCentral(identity.name, central.url, is_sending, left, len(signed), told, identity.fingerprint)


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

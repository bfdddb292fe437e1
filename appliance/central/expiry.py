"""Expiry at central: what has passed its term by central's own clock is destroyed, whatever a box says.

Per vault and day of a site: the ledger states the order; the envelopes are overwritten and deleted; the
objects that their keys encrypted go, or wait until a lock lets them go; the ledger takes the certificate.
Cut short anywhere it is finished by the next call, whatever the clock says.
"""

import datetime as dt
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from appliance.central import believed, holds, sites
from appliance.central.databases import locking, writing
from appliance.central.failures import Failures
from appliance.central.ledger import Ledger
from appliance.central.objects import kept_until, path_of
from appliance.central.places import Central
from appliance.central.statements import Statement
from appliance.central.tables import Erasure, Key, Site, Stored
from appliance.model.instants import day_of, to_iso
from appliance.replication.names import Kind
from appliance.vault import canonical
from appliance.vault.names import VaultName
from appliance.vault.seals import DestructionOrdered

LIVING = ("announced", "kept")


@dataclass(frozen=True)
class Certificate:
    """What went of one vault and day: `later` files are kept by a lock of the store until `later_until`."""

    site: str
    vault: str
    day: dt.date
    key_ids: tuple[str, ...]
    envelope_count: int
    file_count: int
    size_bytes: int
    later: int
    later_until: dt.date | None


@dataclass(frozen=True)
class Outcome:
    """What a call destroyed, how many days of vaults a hold kept, and why nothing more went, if so."""

    destroyed: tuple[Certificate, ...]
    held: int
    doubt: str | None


@dataclass(frozen=True)
class _Scope:
    """The keys of one vault and day of one site."""

    site: Site
    vault: str
    day: dt.date
    key_ids: tuple[str, ...]


def expire(central: Central, now_ns: int) -> Outcome:
    """Destroy what has passed its term. The next call goes on with what could not be destroyed.

    Raises StorageError for that, when the rest is destroyed, and CentralError at once.
    """
    finished: list[Certificate] = []
    failures = Failures()
    for scope in _scopes(central, ("ordered",), None):
        with failures.of(_named(scope), scope.site.fingerprint):
            finished.append(_carry_out(central, scope, now_ns))
    why = believed.doubt(central, now_ns)
    if why:
        today = day_of(now_ns).isoformat()
        Ledger(central, lambda: now_ns).append("clock-doubt", once=f"clock-doubt {today}", why=why)
        failures.tell()
        return Outcome(tuple(finished), 0, why)
    believed.sign_of_life(central, now_ns)
    held = 0
    for scope in _scopes(central, LIVING, day_of(now_ns) - dt.timedelta(days=364)):
        with failures.of(_named(scope), scope.site.fingerprint):
            if day_of(now_ns) < kept_until(scope.site, VaultName(scope.vault), scope.day):
                continue
            if _order(central, scope, now_ns):
                finished.append(_carry_out(central, scope, now_ns))
            else:
                held += 1
    failures.tell()
    return Outcome(tuple(finished), held, None)


def ordered_by_box(central: Central, site: Site, order: DestructionOrdered, now_ns: int) -> None:
    """What central makes of a destruction that a site's chain states, inside the transaction of the line.

    Central destroys by its own clock and terms: where they agree the next `expire` does. An order that comes
    before its time by them, whatever term it names, is an event, one a day of a vault: whoever has box.key
    can sign any number. Its line names the keys; the event counts them.
    """
    if day_of(now_ns) < kept_until(site, order.vault, order.day):
        Ledger(central, lambda: now_ns).append(
            "early-order",
            site.fingerprint,
            f"early-order {site.fingerprint} {order.vault} {order.day}",
            vault=str(order.vault),
            day=order.day.isoformat(),
            key_count=len(order.key_ids),
            keys_sha256=canonical.sha256("".join(sorted(order.key_ids)).encode()),
            term_years=order.term_years,
        )


def is_gone(database: Any, site: Site, vault: VaultName, day: dt.date) -> bool:
    """Whether this vault's day of a site was destroyed here: no other key of it is taken any more."""
    return bool(_GONE.all(database, site.id, str(vault), day.isoformat(), *LIVING, 1))


_GONE = Statement(
    lambda _, mark: (
        Key.select(Key.state)
        .where(Key.site == mark, Key.vault == mark, Key.day == mark)
        .where(Key.state != mark, Key.state != mark)
        .limit(mark)
    )
)


def _scopes(central: Central, states: tuple[str, ...], before: dt.date | None) -> list[_Scope]:
    query = Key.select().where(Key.state.in_(states)).order_by(Key.day, Key.site, Key.vault, Key.key_id)
    if before:
        query = query.where(Key.day < before)
    known = {site.id: site for site in sites.every(central)}
    rows = list(query.execute(central.database))
    return [
        _Scope(known[site_id], vault, day, tuple(row.key_id for row in of_scope))
        for (day, site_id, vault), of_scope in groupby(rows, lambda row: (row.day, row.site_id, row.vault))
        if site_id in known
    ]


def _order(central: Central, scope: _Scope, now_ns: int) -> bool:
    """State the destruction, unless a hold keeps this day: then false."""
    database = central.database
    with writing(database):
        locking(database, Site.select().where(Site.id == scope.site.id)).get(database)
        keeping = holds.holding(central, scope.site, day_of(now_ns))
        if any(holds.covers(hold, scope.vault, scope.day) for hold in keeping):
            return False
        Key.update(state="ordered").where(*_keys(scope)).execute(database)
        Ledger(central, lambda: now_ns).append(
            "destruction-ordered",
            scope.site.fingerprint,
            vault=scope.vault,
            day=scope.day.isoformat(),
            key_ids=list(scope.key_ids),
            term_years=sites.terms_of(scope.site)[scope.vault],
            now=to_iso(now_ns),
        )
    return True


def _carry_out(central: Central, scope: _Scope, now_ns: int) -> Certificate:
    """Envelopes, then objects, then what the catalogue and the ledger say of them."""
    _destroy_envelopes(central, scope)
    of_day = (Stored.site == scope.site) & (Stored.day == scope.day) & (Stored.vault == scope.vault)
    mine = of_day & Stored.key_id.in_(scope.key_ids)
    rows = list(Stored.select().where(mine, Stored.state == "kept").execute(central.database))
    objects = [row for row in rows if row.kind != Kind.ENVELOPE]
    paths = [path_of(scope.site.fingerprint, row.name, bytes(row.sha256).hex()) for row in objects]
    later = [path for path in paths if not central.store.delete(path)]
    until = (
        kept_until(scope.site, VaultName(scope.vault), scope.day) + dt.timedelta(days=1) if later else None
    )
    certificate = Certificate(
        scope.site.fingerprint, scope.vault, scope.day, scope.key_ids, len(rows) - len(objects),
        len(objects), sum(row.size_bytes for row in rows), len(later), until,
    )  # fmt: skip
    with writing(central.database):
        locking(central.database, Site.select().where(Site.id == scope.site.id)).get(central.database)
        state = Key.select(Key.key_id).where(*_keys(scope), Key.state == "ordered")
        if not state.exists(central.database):
            return certificate  # another process was quicker, and wrote it down
        for path in later:
            Erasure.insert(path=path, not_before=until).on_conflict_ignore().execute(central.database)
        Stored.update(state="destroyed").where(mine).execute(central.database)
        Key.update(state="destroyed").where(*_keys(scope)).execute(central.database)
        Ledger(central, lambda: now_ns).append("destroyed", scope.site.fingerprint, **_said(certificate))
    return certificate


def _destroy_envelopes(central: Central, scope: _Scope) -> None:
    """Also one for which no receipt was given: what lies in custody under these keys goes."""
    folder = f"{scope.site.fingerprint}/{Kind.ENVELOPE}/{scope.vault}/{scope.day}/"
    failures = Failures()
    for path in list(central.custody.names(folder)):
        if path.removeprefix(folder).partition(".")[0] in scope.key_ids:
            with failures.of("cannot destroy an envelope"):
                central.custody.destroy(path)
    failures.tell()


def _named(scope: _Scope) -> str:
    return f"site {scope.site.fingerprint[:16]} ('{scope.site.name}') {scope.vault} {scope.day}"


def _keys(scope: _Scope) -> tuple[Any, ...]:
    return Key.site == scope.site, Key.key_id.in_(scope.key_ids)


def _said(certificate: Certificate) -> dict[str, Any]:
    return {
        "vault": certificate.vault,
        "day": certificate.day.isoformat(),
        "key_ids": list(certificate.key_ids),
        "envelope_count": certificate.envelope_count,
        "file_count": certificate.file_count,
        "size_bytes": certificate.size_bytes,
        "later_count": certificate.later,
        "later_until": certificate.later_until and certificate.later_until.isoformat(),
    }

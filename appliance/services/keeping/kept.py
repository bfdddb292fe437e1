"""What is kept, how long and on which basis, and what was destroyed, as chain and calendar say it."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import islice

from appliance.control.messages import (
    Actor,
    AskCertificate,
    AskRetention,
    Basis,
    Certificate,
    Held,
    Line,
    Retention,
    VaultTerm,
)
from appliance.model.errors import UsageError
from appliance.model.instants import day_of, to_iso
from appliance.retention import holds, lawful, policy
from appliance.retention.legal.calendar import Standing
from appliance.retention.legal.shipped import france
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.chain_now import ChainNow
from appliance.services.keeping.standing import chained, memory, settings
from appliance.vault.names import VaultName
from appliance.vault.seals import Destroyed, Hold, Init

MOST_CERTIFICATES = 400
"""A year of both vaults is 730; older ones are in the chain."""


def _retention(at: AtHand, _: Actor, __: AskRetention) -> Retention:
    chain, now_ns = at.chain(), at.clock()
    said = lawful.read(at.home())
    certificates = list(_certificates(chain))
    return Retention(
        _terms(at, chain, day_of(now_ns)),
        tuple(certificates[::-1][:MOST_CERTIFICATES]),
        len(certificates),
        _holds(chain, day_of(now_ns)),
        tuple(_basis(one) for one in lawful.standings(said, now_ns)),
        france().dated.isoformat(),
        {str(vault): said.lapse(vault) for vault in VaultName},
        chained(at, settings(at)).doubt,
        {language: dict(parts) for language, parts in france().general.items()},
    )


def _terms(at: AtHand, chain: ChainNow, today: dt.date) -> tuple[VaultTerm, ...]:
    terms = settings(at).term_years
    basis = (chain.version, today, tuple(terms.items()))
    found: tuple[VaultTerm, ...] = memory(at).of("terms", basis, lambda: _vaults(chain, terms, today))
    return found


def _vaults(chain: ChainNow, terms: Mapping[str, int], today: dt.date) -> tuple[VaultTerm, ...]:
    catalogue = chain.catalogue
    gone = catalogue.destroyed | catalogue.ordered
    days: dict[VaultName, list[dt.date]] = {vault: [] for vault in VaultName}
    for (vault, day), keys in catalogue.living_keys().items():
        if not gone.issuperset(keys):
            days[vault].append(day)
    segments, records = dict.fromkeys(VaultName, 0), dict.fromkeys(VaultName, 0)
    for seal in catalogue.seals:
        if seal.key_id is not None and seal.key_id not in gone:
            segments[seal.vault] += 1
            records[seal.vault] += seal.rows
    return tuple(
        _term(chain, vault, terms[vault], sorted(days[vault]), segments[vault], records[vault], today)
        for vault in (VaultName.TRAFFIC, VaultName.SOURCE)
    )


def _term(
    chain: ChainNow,
    vault: VaultName,
    years: int,
    days: list[dt.date],
    segments: int,
    records: int,
    today: dt.date,
) -> VaultTerm:
    ends = ((_goes_on(chain, vault, day, years, today), day) for day in days)
    next_on, next_day = min(ends, default=(None, None))
    return VaultTerm(
        str(vault),
        years,
        len(days),
        segments,
        records,
        days[0].isoformat() if days else None,
        days[-1].isoformat() if days else None,
        next_day.isoformat() if next_day else None,
        next_on.isoformat() if next_on else None,
    )


def _goes_on(chain: ChainNow, vault: VaultName, day: dt.date, years: int, today: dt.date) -> dt.date:
    """The first day on which a day of records may be destroyed, holds and all."""
    until = policy.destroyed_on(day, years)
    hold = holds.keeping(chain.catalogue, vault, day, today)
    return max(until, holds.free_on(hold)) if hold else until


def _certificates(chain: ChainNow) -> Iterator[Certificate]:
    for entry in chain.entries:
        if isinstance(entry.body, Destroyed):
            gone = entry.body
            yield Certificate(
                entry.seq, to_iso(entry.at_ns), str(gone.vault), gone.day.isoformat(), len(gone.key_ids),
                gone.envelope_count, gone.file_count, gone.size_bytes,
            )  # fmt: skip


def _holds(chain: ChainNow, today: dt.date) -> tuple[Held, ...]:
    if not chain.catalogue.holds:
        return ()
    placed = {entry.body.reference: entry.at_ns for entry in chain.entries if isinstance(entry.body, Hold)}
    return tuple(
        Held(
            scope.hold.reference,
            tuple(str(vault) for vault in scope.hold.vaults),
            scope.hold.first_day.isoformat(),
            scope.hold.last_day.isoformat(),
            scope.hold.until.isoformat(),
            scope.state,
            to_iso(placed[scope.hold.reference]),
            scope.kept_days,
            scope.gone_days,
        )
        for scope in reversed(holds.of_catalogue(chain.catalogue, today))
    )


def _basis(standing: Standing) -> Basis:
    basis, confirmed = standing.basis, standing.confirmation
    return Basis(
        basis.key,
        basis.vaults,
        basis.term_years,
        basis.articles,
        dict(basis.texts),
        basis.sources,
        str(standing.state),
        standing.first_day.isoformat() if standing.first_day else None,
        standing.last_day.isoformat() if standing.last_day else None,
        standing.days_left,
        standing.must_confirm,
        confirmed.by if confirmed else None,
        confirmed.text if confirmed else None,
        basis.longest_days,
    )


def _certificate(at: AtHand, _: Actor, ask: AskCertificate) -> Line:
    entries = at.chain().entries
    if not 0 <= ask.seq < len(entries) or not isinstance(entries[ask.seq].body, Destroyed):
        raise UsageError(f"line {ask.seq} of the chain is no certificate of destruction")
    with at.home().chain.open("rb") as file:
        raw = next(islice(file, ask.seq, None), b"")
    first = entries[0].body
    return Line(ask.seq, raw.decode("ascii").rstrip("\n"), first.box if isinstance(first, Init) else "")


HANDLERS: Handlers = {AskRetention: _retention, AskCertificate: _certificate}

"""What was seen and what was not, for some days."""

import datetime as dt

from appliance.control.messages import Actor, AskCoverage, CoverageOf, Gap, Seen, SourceCoverage
from appliance.model.coverage import Coverage
from appliance.model.errors import UsageError
from appliance.model.instants import DAY_NS, start_of, to_iso
from appliance.services import coverage
from appliance.services.coverage import Covered
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.standing import memory
from appliance.vault import periods

PERIODS_LIMIT = 20_000
"""An answer has to stay one: a box that restarted more often in what was asked tells the latest."""


def _coverage(at: AtHand, _: Actor, ask: AskCoverage) -> CoverageOf:
    from_ns, until_ns = days_asked(ask.first_day, ask.last_day)
    found = covered_now(at).between(from_ns, until_ns)
    sources: dict[str, tuple[list[Seen], list[Gap]]] = {}
    for part in found.seen[-PERIODS_LIMIT:]:
        sources.setdefault(part.source, ([], []))[0].append(_seen(part))
    for gap in found.silent[-PERIODS_LIMIT:]:
        sources.setdefault(gap.source, ([], []))[1].append(_gap(gap))
    return CoverageOf(
        tuple(
            SourceCoverage(name, tuple(seen), tuple(gaps)) for name, (seen, gaps) in sorted(sources.items())
        )
    )


def covered_now(at: AtHand) -> Covered:
    """What seals state, put together once for each state of the chain, and what has come since."""
    chain = at.chain()
    stated = memory(at).of("coverage", chain.version, chain.catalogue.periods)
    return coverage.since(at.home(), chain.catalogue, stated, at.clock())


def days_asked(first_day: str, last_day: str) -> tuple[int, int]:
    """[from, until) in nanoseconds of the days (UTC) of a question. Raises UsageError."""
    try:
        first, last = dt.date.fromisoformat(first_day), dt.date.fromisoformat(last_day)
    except ValueError:
        raise UsageError(
            f"'{first_day}' and '{last_day}' are not two days; write them like 2026-11-21"
        ) from None
    return start_of(first), start_of(last) + DAY_NS


def _seen(part: Coverage) -> Seen:
    return Seen(
        to_iso(part.first_ns),
        to_iso(part.last_ns),
        part.packets,
        0,
        dict(part.lost),
        dict(part.noted),
        dict(part.refused),
    )


def _gap(gap: periods.Gap) -> Gap:
    return Gap(to_iso(gap.from_ns), to_iso(gap.until_ns))


HANDLERS: Handlers = {AskCoverage: _coverage}

"""Periods: what each source gave and when, and the gaps between, put together from what seals state. Pure."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.model.coverage import Coverage
from appliance.model.instants import NS
from appliance.model.source_names import FEED, is_live
from appliance.runtime.recorder_state import RecorderState, SourceState
from appliance.vault.catalogue import Catalogue

# A restart or a kill loses nothing older than two seconds: what is closer together is one period.
_JOINED_WITHIN_NS = 2 * NS


@dataclass(frozen=True)
class Gap:
    """A live source gave nothing between two instants: nobody can say what passed."""

    source: str
    from_ns: int
    until_ns: int


def stated(catalogue: Catalogue) -> list[Coverage]:
    """Every statement of the chain once, though each vault's seals may carry it."""
    parts = [part for seal in catalogue.seals for part in seal.coverage]
    parts += [part for interruption in catalogue.interruptions for part in interruption.coverage]
    said = {(part.source, part.first_ns, part.last_ns, part.packets, part.bytes): part for part in parts}
    return list(said.values())


def unsealed(state: RecorderState, source: SourceState, catalogue: Catalogue) -> list[Coverage]:
    """What a source of a run gave since its last seal, as far as the recorder had told: to the second."""
    sealed = catalogue.sealed_by(state.run, source.name)
    # What was sealed after the recorder last told is no longer open.
    begun_ns = max((part.last_ns for part in sealed), default=0)
    spells = [(max(first, begun_ns), last) for first, last in source.spells if last > begun_ns]
    if not (is_live(source.name) or source.name.startswith(FEED)):
        last_ns = source.last_record_ns or state.updated_ns
        spells = [(min(begun_ns or last_ns, last_ns), last_ns)]
    lost = _left(source.lost, [part.lost for part in sealed])
    packets = max(0, source.packets - sum(part.packets for part in sealed))
    if (lost or packets) and not spells:  # nothing listened since, or nothing of it is on disk
        spells = [(begun_ns or state.updated_ns, begun_ns or state.updated_ns)]
    parts = [Coverage(source.name, first, last, 0, 0) for first, last in spells]
    if parts:
        parts[-1] = dataclasses.replace(
            parts[-1],
            packets=packets,
            bytes=max(0, source.bytes - sum(part.bytes for part in sealed)),
            lost=lost,
            noted=_left(source.noted, [part.noted for part in sealed]),
            measured=source.measured,
        )
    return parts


def _left(totals: Mapping[str, int], stated: Iterable[Mapping[str, int]]) -> dict[str, int]:
    left = Counter(totals)
    for counts in stated:
        left.subtract(counts)
    return {key: count for key, count in left.items() if count > 0}


def joined(parts: Iterable[Coverage]) -> list[Coverage]:
    """Statements that follow one another become one; by source, then in order of time."""
    periods: list[Coverage] = []
    for part in sorted(parts, key=lambda part: (part.source, part.first_ns)):
        last = periods[-1] if periods else None
        if last and last.source == part.source and part.first_ns <= last.last_ns + _JOINED_WITHIN_NS:
            periods[-1] = _sum(last, part)
        else:
            periods.append(part)
    return periods


def gaps(periods: Iterable[Coverage], now_ns: int) -> list[Gap]:
    """The silences between the periods of live sources, and since the last one."""
    found = []
    previous: dict[str, int] = {}
    for period in periods:
        if is_live(period.source):
            before = previous.get(period.source)
            if before is not None:
                found.append(Gap(period.source, before, period.first_ns))
            previous[period.source] = period.last_ns
    for source, last_ns in previous.items():
        if now_ns > last_ns + _JOINED_WITHIN_NS:
            found.append(Gap(source, last_ns, now_ns))
    return sorted(found, key=lambda gap: (gap.source, gap.from_ns))


def clipped(parts: Iterable[Coverage], from_ns: int, until_ns: int) -> list[Coverage]:
    """The statements that touch [from, until); counts cannot be cut, so they stay whole."""
    return [part for part in parts if part.first_ns < until_ns and part.last_ns >= from_ns]


def _sum(one: Coverage, other: Coverage) -> Coverage:
    return Coverage(
        one.source,
        one.first_ns,
        max(one.last_ns, other.last_ns),
        one.packets + other.packets,
        one.bytes + other.bytes,
        _added(one.refused, other.refused),
        _added(one.lost, other.lost),
        _added(one.noted, other.noted),
        {
            key: max(one.measured.get(key, 0), other.measured.get(key, 0))
            for key in sorted({*one.measured, *other.measured})
        },
    )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}

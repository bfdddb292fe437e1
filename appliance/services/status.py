"""How a box stands: put together for a person out of the chain, the settings and what recorders say."""

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.capture.interface import name_of
from appliance.config import box
from appliance.config.box import BoxConfig
from appliance.model.errors import HomeError
from appliance.model.instants import NS, day_of, to_iso
from appliance.model.source_names import of_interface
from appliance.retention import destruction, holds, policy
from appliance.retention.holds import HeldScope
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import RecorderState
from appliance.services.feeds import hearing
from appliance.services.feeds.hearing import Hearing
from appliance.services.replication_status import Replication, replication
from appliance.vault import chain, journal, liveness, signing
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry, Head
from appliance.vault.names import Home, VaultName
from appliance.vault.seals import Destroyed, Init, Seal

SILENT_NS = 5 * NS
"""A recorder speaks every second; a seal of a full hour may hold it up for two."""

FULL_BYTES = 1 << 20


@dataclass(frozen=True)
class KnownRun:
    """One run as it last told; `live` if its process is alive."""

    live: bool
    state: RecorderState


@dataclass(frozen=True)
class NextDestruction:
    """The vault and day that go first, and the first day (UTC) on which they may."""

    vault: VaultName
    day: dt.date
    on: dt.date


@dataclass(frozen=True)
class Status:
    """The whole answer of `greffier status`; `size_bytes` is all that the chain fixes, and the chain.

    `hearing` is None where sources.toml cannot be read, which is a fault; `replication` where the box is
    enrolled at no central.
    """

    config: BoxConfig
    fingerprint: str
    head: Head
    recorders: tuple[KnownRun, ...]
    last_record_ns: int | None
    segments: int
    records: dict[VaultName, int]
    size_bytes: int
    oldest: dt.date | None
    newest: dt.date | None
    next_destruction: NextDestruction | None
    certificates: tuple[tuple[int, Destroyed], ...]
    holds: tuple[HeldScope, ...]
    hearing: Hearing | None
    replication: Replication | None
    faults: tuple[str, ...]


def status(home: Home, now_ns: int) -> Status:
    """Raises HomeError. Reads the chain once and checks no signature: that is for `verify`."""
    config = box.read(home.config)
    noted = chain.known_head(home)
    entries = chain.read(home)
    catalogue = Catalogue.of(entries)
    living = catalogue.living_keys()
    days = sorted(day for _, day in living)
    today = day_of(now_ns)
    going = sorted((_goes_on(catalogue, config, vault, day, today), day, vault) for vault, day in living)
    kept = [seal for seal in catalogue.seals if seal.rows and seal.key_id not in catalogue.destroyed]
    recorders = tuple(
        KnownRun(liveness.is_live(home, state.run), state) for state in recorder_state.read_all(home.state)
    )
    heard, unreadable = _hearing(home, now_ns)
    replicated, unsent = replication(home, catalogue, now_ns)
    return Status(
        config,
        _fingerprint(entries),
        Head(entries[-1].seq, entries[-1].hash),
        recorders,
        _last_record_ns(recorders, kept, now_ns),
        len(kept),
        {vault: sum(seal.rows for seal in kept if seal.vault == vault) for vault in VaultName},
        _size(home, catalogue),
        days[0] if days else None,
        days[-1] if days else None,
        NextDestruction(going[0][2], going[0][1], going[0][0]) if going else None,
        tuple(catalogue.certificates),
        tuple(holds.of_catalogue(catalogue, today)),
        heard,
        replicated,
        (*unreadable, *unsent, *_faults(home, config, entries, catalogue, noted, recorders, going, now_ns)),
    )


def _goes_on(
    catalogue: Catalogue, config: BoxConfig, vault: VaultName, day: dt.date, today: dt.date
) -> dt.date:
    """The first day on which a vault's day may be destroyed: its term is over, and no hold keeps it."""
    hold = holds.keeping(catalogue, vault, day, today)
    over = policy.destroyed_on(day, config.term_years[vault])
    return max(over, holds.free_on(hold)) if hold else over


def _hearing(home: Home, now_ns: int) -> tuple[Hearing | None, tuple[str, ...]]:
    """Who speaks and who may; or what is wrong with the declarations."""
    try:
        return hearing.hearing(home, now_ns), ()
    except HomeError as error:
        return None, (str(error),)


def _last_record_ns(recorders: Sequence[KnownRun], kept: Sequence[Seal], now_ns: int) -> int | None:
    """When the last record came. Who held an address is recorded ahead, until its hour or lease ends."""
    told = [source.last_record_ns for recorder in recorders for source in recorder.state.sources]
    sealed = [seal.last_ns if seal.vault is VaultName.TRAFFIC else seal.first_ns for seal in kept]
    known = [at_ns for at_ns in (*told, *sealed) if at_ns is not None]
    return min(max(known), now_ns) if known else None


def _fingerprint(entries: list[Entry]) -> str:
    first = entries[0].body
    return signing.fingerprint(first.box) if isinstance(first, Init) else ""


def _size(home: Home, catalogue: Catalogue) -> int:
    files = [
        file for seal in catalogue.seals if seal.key_id not in catalogue.destroyed for file in seal.files
    ]
    files += [made.file for made in catalogue.envelopes.values() if made.key_id not in catalogue.destroyed]
    files += [
        adopted.file for adopted in catalogue.adopted.values() if adopted.key_id not in catalogue.destroyed
    ]
    return sum(file.size_bytes for file in files) + home.chain.stat().st_size


def _faults(
    home: Home,
    config: BoxConfig,
    entries: Sequence[Entry],
    catalogue: Catalogue,
    noted: Head | None,
    recorders: Sequence[KnownRun],
    going: Sequence[tuple[dt.date, dt.date, VaultName]],
    now_ns: int,
) -> Iterator[str]:
    """What a person should look at, each in one sentence with what to do."""
    for recorder in recorders:
        for alarm in recorder.state.alarms:
            yield f"{alarm.message} (since {to_iso(alarm.since_ns)[:19]}Z)"
        if recorder.live and now_ns - recorder.state.updated_ns > SILENT_NS:
            seen = to_iso(recorder.state.updated_ns)[:19]
            yield f"the recorder runs but has said nothing since {seen}Z; if the disk is well, restart it"
    yield from _disk_faults(home)
    yield from _recorder_faults(config, recorders)
    orphans = _orphans(home, catalogue)
    if orphans:
        waiting = "1 journal file waits" if orphans == 1 else f"{orphans} journal files wait"
        yield f"{waiting} of a dead recorder; the next 'greffier record' seals what it left"
    intact = noted and noted.seq < len(entries) and entries[noted.seq].hash == noted.hash
    if not intact or catalogue.rolled_back:
        yield "the chain was cut, rolled back or replaced; see 'greffier verify'"
    if catalogue.ordered - catalogue.destroyed:
        yield "a destruction was begun and not finished; run 'greffier retention'"
    why = destruction.doubt(entries, now_ns)
    if why:
        yield f"{why}: nothing is destroyed until someone confirms the time with 'greffier retention --now'"
    late = [day for on, day, _ in going if on < day_of(now_ns)]
    if late:
        past = (
            "1 day is past its term:"
            if len(late) == 1
            else f"{len(late)} days are past their term, the oldest"
        )
        yield f"{past} {late[0]}; run 'greffier retention'"


def _recorder_faults(config: BoxConfig, recorders: Sequence[KnownRun]) -> Iterator[str]:
    """Recorders that died, and interfaces that nobody records."""
    for recorder in recorders:
        if not recorder.live and not recorder.state.ended:
            seen = to_iso(recorder.state.updated_ns)[:19]
            names = ", ".join(source.name for source in recorder.state.sources)
            of_what = f" of {names}" if names else ""
            yield (
                f"the recorder{of_what} ended without closing (last seen {seen}Z); "
                "start 'greffier record' again"
            )
    listening = {source.name for one in recorders if one.live for source in one.state.sources}
    for interface in config.capture.interfaces:
        if not {of_interface(interface), of_interface(name_of(interface))} & listening:
            yield f"'{interface}' stands in box.toml and is not recorded; start 'greffier record'"


def _disk_faults(home: Home) -> Iterator[str]:
    """What stops every write, and so the recorder's own alarm as well."""
    disk = os.statvfs(home.path)
    if disk.f_flag & os.ST_RDONLY:
        yield f"the disk of {home.path} is read-only; repair it and make it writable"
    elif disk.f_bavail * disk.f_frsize < FULL_BYTES:
        yield f"the disk of {home.path} is full; free some room"


def _orphans(home: Home, catalogue: Catalogue) -> int:
    runs: dict[str, bool] = {}
    count = 0
    for path in (home.path / "journal").glob(f"*/*/*{journal.SUFFIX}"):
        run_id = journal.run_of(path.name)
        if path.name not in catalogue.adopted and path.name not in catalogue.replaced:
            if run_id not in runs:
                runs[run_id] = liveness.is_live(home, run_id)
            count += not runs[run_id]
    return count

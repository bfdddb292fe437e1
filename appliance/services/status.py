"""How a box stands: put together for a person out of the chain, the settings and what recorders say."""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from appliance.capture.interface import name_of
from appliance.config import box
from appliance.config.box import BoxConfig
from appliance.control.messages import Finding
from appliance.model.errors import HomeError
from appliance.model.instants import day_of
from appliance.model.source_names import of_interface
from appliance.retention import destruction, holds
from appliance.retention.holds import HeldScope
from appliance.runtime import recorder_state
from appliance.runtime.recorder_state import Alarm, RecorderState
from appliance.services import kept as keeps
from appliance.services.feeds import hearing
from appliance.services.feeds.hearing import Hearing
from appliance.services.kept import Going, Kept
from appliance.services.replication_status import KnownCentral, Replication, replication
from appliance.supervision.facts import Copying, Facts, Feeds, Process, Raised, Room
from appliance.supervision.filling import filling
from appliance.supervision.findings import WANTING, findings
from appliance.vault import chain, journal, liveness, signing
from appliance.vault.catalogue import Catalogue
from appliance.vault.chain import Entry, Head
from appliance.vault.names import Home
from appliance.vault.seals import Destroyed, Init


@dataclass(frozen=True)
class KnownRun:
    """One run as it last told; `live` if its process is alive."""

    live: bool
    state: RecorderState


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
    kept: Kept
    size_bytes: int
    room: Room
    certificates: tuple[tuple[int, Destroyed], ...]
    holds: tuple[HeldScope, ...]
    hearing: Hearing | None
    replication: Replication | None
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the box in sentences, each with what to do."""
        return tuple(one.said for one in self.findings if one.trouble not in WANTING)

    @property
    def next_destruction(self) -> Going | None:
        """What goes first."""
        return self.kept.going[0] if self.kept.going else None


@dataclass(frozen=True)
class Chained:
    """What the chain says and what follows from it, read once; `doubt` says why the clock is not believed."""

    entries: Sequence[Entry]
    catalogue: Catalogue
    kept: Kept
    doubt: str | None


def status(home: Home, now_ns: int) -> Status:
    """Raises HomeError. Reads the chain once and checks no signature: that is for `verify`."""
    config = box.read(home.config)
    noted = chain.known_head(home)
    entries = chain.read(home)
    catalogue = Catalogue.of(entries)
    chained = Chained(
        entries,
        catalogue,
        keeps.kept(catalogue, config, day_of(now_ns)),
        destruction.doubt(entries, now_ns),
    )
    return of(home, config, noted, chained, replication(home, catalogue, lambda: now_ns), now_ns)


def of(
    home: Home,
    config: BoxConfig,
    noted: Head | None,
    chained: Chained,
    replicated: tuple[Replication | None, list[str]],
    now_ns: int,
) -> Status:
    """`status` of what was read before; `noted` is the known head as it was before the chain was read."""
    catalogue, kept, today = chained.catalogue, chained.kept, day_of(now_ns)
    recorders = tuple(
        KnownRun(liveness.is_live(home, state.run), state) for state in recorder_state.read_all(home.state)
    )
    heard, unreadable = _hearing(home, now_ns)
    room = _room(home, kept, today)
    facts = Facts(
        now_ns,
        len(config.capture.interfaces),
        _unrecorded(config, recorders),
        tuple(map(_process, recorders)),
        room,
        Feeds(len(heard.heard), heard.listening, len(heard.strangers)) if heard else None,
        _copying(*replicated),
        unreadable,
        tuple(replicated[1]),
        _orphans(home, catalogue),
        _is_whole(noted, chained),
        bool(catalogue.ordered - catalogue.destroyed),
        chained.doubt,
        tuple(going.day for going in takewhile(lambda going: going.on < today, kept.going)),
    )
    return Status(
        config,
        _fingerprint(chained.entries),
        Head(chained.entries[-1].seq, chained.entries[-1].hash),
        recorders,
        _last_record_ns(recorders, kept, now_ns),
        kept,
        kept.size_bytes + home.chain.stat().st_size,
        room,
        tuple(catalogue.certificates),
        tuple(holds.of_catalogue(catalogue, today)),
        heard,
        replicated[0],
        findings(facts),
    )


def _hearing(home: Home, now_ns: int) -> tuple[Hearing | None, tuple[str, ...]]:
    """Who speaks and who may; or what is wrong with the declarations."""
    try:
        return hearing.hearing(home, now_ns), ()
    except HomeError as error:
        return None, (str(error),)


def _last_record_ns(recorders: Sequence[KnownRun], kept: Kept, now_ns: int) -> int | None:
    """When the last record came, by what recorders tell and what is sealed."""
    told = [source.last_record_ns for recorder in recorders for source in recorder.state.sources]
    known = [at_ns for at_ns in (*told, kept.last_ns) if at_ns is not None]
    return min(max(known), now_ns) if known else None


def _fingerprint(entries: Sequence[Entry]) -> str:
    first = entries[0].body
    return signing.fingerprint(first.box) if isinstance(first, Init) else ""


def _is_whole(noted: Head | None, chained: Chained) -> bool:
    entries = chained.entries
    intact = noted and noted.seq < len(entries) and entries[noted.seq].hash == noted.hash
    return bool(intact) and not chained.catalogue.rolled_back


def _process(recorder: KnownRun) -> Process:
    state = recorder.state
    names = tuple(source.name for source in state.sources)
    return Process(recorder.live, state.ended, state.updated_ns, names, _raised(state.alarms))


def _raised(alarms: Sequence[Alarm]) -> tuple[Raised, ...]:
    return tuple(Raised(alarm.kind, alarm.since_ns, alarm.message) for alarm in alarms)


def _unrecorded(config: BoxConfig, recorders: Sequence[KnownRun]) -> tuple[str, ...]:
    """The interfaces of the settings that nobody records."""
    listening = {source.name for one in recorders if one.live for source in one.state.sources}
    return tuple(
        name
        for name in config.capture.interfaces
        if not {of_interface(name), of_interface(name_of(name))} & listening
    )


def _room(home: Home, kept: Kept, today: dt.date) -> Room:
    disk = os.statvfs(home.path)
    free = disk.f_bavail * disk.f_frsize
    fills = filling(free, kept.taken, {going.day: going.on for going in kept.going}, today)
    read_only = bool(disk.f_flag & os.ST_RDONLY)
    size = disk.f_blocks * disk.f_frsize
    return Room(str(home.path), read_only, free, fills.days_left, fills.is_enough, size)


def _copying(known: Replication | None, unknown: Sequence[str]) -> tuple[Copying, ...] | None:
    if known is None:
        return None if unknown else ()
    return tuple(map(_copied, known.centrals))


def _copied(central: KnownCentral) -> Copying:
    told = central.state
    return Copying(
        central.name,
        central.is_sending,
        central.left.objects,
        told.contact_ns if told else None,
        told.updated_ns if told else None,
        _raised(told.alarms) if told else (),
    )


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

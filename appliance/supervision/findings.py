"""What is wrong with a box, each with how grave it is and what to do about it. Pure."""

from collections.abc import Iterator, Sequence

from appliance.control.messages import Finding
from appliance.control.words import Level, Trouble
from appliance.model.instants import HOUR_NS, NS, to_iso
from appliance.supervision import alarms
from appliance.supervision.facts import Copying, Facts, Process

SILENT_NS = 5 * NS
"""A recorder speaks every second; a seal of a full hour may hold it up for two."""

FULL_BYTES = 1 << 20

NEGLECTED_NS = HOUR_NS
"""After so long without anybody sending, what is left is a fault: it is as lost as the box if that burns."""

STUCK_NS = 60 * NS

_ORDER = (Level.FAILING, Level.ATTENTION, Level.WELL)

WANTING = frozenset(
    {
        Trouble.NO_SOURCE, Trouble.NOT_LISTENING, Trouble.SENDERS_WAIT, Trouble.NO_CENTRAL,
        Trouble.ONE_CENTRAL, Trouble.DISK_FILLS,
    }
)  # fmt: skip
"""What is no fault of a box, but wanting at a site: the page says it, 'greffier status' does not."""


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Everything that is not as it should be, in the order in which a person would look."""
    return (
        *_of_settings(facts),
        *_of_processes(facts),
        *_of_disk(facts),
        *_of_sources(facts),
        *_of_chain(facts),
        *_of_term(facts),
        *_of_centrals(facts),
    )


def level(found: Sequence[Finding]) -> Level:
    """How the box stands: as the worst of what was found."""
    return min((one.level for one in found), key=_ORDER.index, default=Level.WELL)


def gravest_first(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same, what is worse before what is less."""
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.level)))


def _of_settings(facts: Facts) -> Iterator[Finding]:
    for sentence in facts.unreadable:
        yield Finding(Trouble.SETTINGS_BROKEN, Level.FAILING, said=sentence)
    for sentence in facts.uncopied:
        yield Finding(Trouble.CENTRAL_STUCK, Level.ATTENTION, said=sentence)
    for central in facts.centrals or ():
        yield from _of_central(central, facts.now_ns)


def _of_processes(facts: Facts) -> Iterator[Finding]:
    for process in facts.processes:
        for alarm in process.alarms:
            yield alarms.of_process(process, alarm)
        if process.live and facts.now_ns - process.updated_ns > SILENT_NS:
            seen = to_iso(process.updated_ns)
            yield Finding(
                Trouble.RECORDER_STUCK,
                Level.FAILING,
                since=seen,
                said=f"the recorder runs but has said nothing since {seen[:19]}Z; if the disk is well, "
                "restart it",
            )


def _of_disk(facts: Facts) -> Iterator[Finding]:
    """What stops every write, and so the recorder's own alarm as well."""
    room = facts.room
    if room.read_only:
        said = f"the disk of {room.home} is read-only; repair it and make it writable"
        yield Finding(Trouble.DISK_READ_ONLY, Level.FAILING, said=said)
    elif room.free_bytes < FULL_BYTES:
        yield Finding(
            Trouble.DISK_FULL, Level.FAILING, said=f"the disk of {room.home} is full; free some room"
        )
    elif room.days_left is not None and not room.is_enough:
        yield Finding(
            Trouble.DISK_FILLS,
            Level.ATTENTION,
            count=room.days_left,
            said=f"the disk of {room.home} is full in {room.days_left} days, before the oldest records have "
            "passed their term; give the box a larger one",
        )


def _of_sources(facts: Facts) -> Iterator[Finding]:
    """Recorders that died, and sources that nobody records."""
    living = {name for one in facts.processes if one.live for name in one.sources}
    for process in facts.processes:
        if not process.live and not process.ended:
            yield _died(process, living)
    for name in facts.unrecorded:
        said = f"'{name}' stands in box.toml and is not recorded; start 'greffier record'"
        yield Finding(Trouble.NOT_RECORDING, Level.FAILING, name, said=said)
    feeds = facts.feeds
    if feeds and feeds.declared and not feeds.listening:
        said = "sources are declared and nobody receives what they tell; start 'greffier listen'"
        yield Finding(Trouble.NOT_LISTENING, Level.FAILING, count=feeds.declared, said=said)
    if feeds and not feeds.declared and not facts.interfaces and not living:
        said = "there is nothing to record: name an interface in box.toml or declare a source"
        yield Finding(Trouble.NO_SOURCE, Level.FAILING, said=said)
    if feeds and feeds.strangers:
        said = "senders that nobody declared are kept apart and not recorded; see 'greffier sources'"
        yield Finding(Trouble.SENDERS_WAIT, Level.ATTENTION, count=feeds.strangers, said=said)


def _died(process: Process, living: set[str]) -> Finding:
    seen, names = to_iso(process.updated_ns), ", ".join(process.sources)
    of_what = f" of {names}" if names else ""
    replaced = bool(process.sources) and living.issuperset(process.sources)
    return Finding(
        Trouble.RECORDER_DIED,
        Level.ATTENTION if replaced else Level.FAILING,
        names,
        seen,
        said=f"the recorder{of_what} ended without closing (last seen {seen[:19]}Z); "
        "start 'greffier record' again",
    )


def _of_chain(facts: Facts) -> Iterator[Finding]:
    if facts.orphans:
        one = facts.orphans == 1
        waiting = "1 journal file waits" if one else f"{facts.orphans} journal files wait"
        said = f"{waiting} of a dead recorder; the next 'greffier record' seals what it left"
        yield Finding(Trouble.JOURNALS_WAIT, Level.ATTENTION, count=facts.orphans, said=said)
    if not facts.chain_is_whole:
        said = "the chain was cut, rolled back or replaced; see 'greffier verify'"
        yield Finding(Trouble.CHAIN_BROKEN, Level.FAILING, said=said)


def _of_term(facts: Facts) -> Iterator[Finding]:
    if facts.unfinished:
        said = "a destruction was begun and not finished; run 'greffier retention'"
        yield Finding(Trouble.DESTRUCTION_UNFINISHED, Level.ATTENTION, said=said)
    if facts.clock_doubt:
        yield Finding(
            Trouble.CLOCK_DOUBTED,
            Level.ATTENTION,
            said=f"{facts.clock_doubt}: nothing is destroyed until someone confirms the time with "
            "'greffier retention --now'",
        )
    if facts.late:
        count, oldest = len(facts.late), facts.late[0]
        past = "1 day is past its term:" if count == 1 else f"{count} days are past their term, the oldest"
        yield Finding(
            Trouble.DESTRUCTION_LATE,
            Level.ATTENTION,
            oldest.isoformat(),
            count=count,
            said=f"{past} {oldest}; run 'greffier retention'",
        )


def _of_centrals(facts: Facts) -> Iterator[Finding]:
    """What is wanting: one fire must not take both the box and its only copy."""
    if facts.centrals is not None and len(facts.centrals) < 2:
        trouble = Trouble.ONE_CENTRAL if facts.centrals else Trouble.NO_CENTRAL
        said = "enrol the box with two centrals at two places: 'greffier enrol'"
        yield Finding(trouble, Level.ATTENTION, said=said)


def _of_central(central: Copying, now_ns: int) -> Iterator[Finding]:
    for alarm in central.alarms:
        yield alarms.of_central(central, alarm)
    if not central.is_sending:
        if central.left and now_ns - (central.contact_ns or 0) > NEGLECTED_NS:
            yield Finding(
                Trouble.CENTRAL_NEGLECTED,
                Level.ATTENTION,
                central.name,
                to_iso(central.contact_ns) if central.contact_ns else None,
                central.left,
                f"nothing is sent to central '{central.name}'; start 'greffier replicate'",
            )
    elif central.updated_ns is not None and now_ns - central.updated_ns > STUCK_NS:
        seen = to_iso(central.updated_ns)
        yield Finding(
            Trouble.CENTRAL_STUCK,
            Level.ATTENTION,
            central.name,
            seen,
            central.left,
            f"replication to central '{central.name}' has said nothing since {seen[:19]}Z; restart it",
        )

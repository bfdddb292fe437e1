"""What is wrong with a box, of facts that are given."""

import dataclasses
import datetime as dt

import pytest

from appliance.control.messages import Finding
from appliance.control.words import Level, Trouble
from appliance.model.instants import HOUR_NS, MINUTE_NS, NS, start_of
from appliance.supervision.facts import Copying, Facts, Feeds, Process, Raised, Room
from appliance.supervision.findings import WANTING, findings, gravest_first, level

DAY = dt.date(2026, 11, 22)
NOW_NS = start_of(DAY) + 9 * HOUR_NS
MIRROR = Process(True, False, NOW_NS, ("interface:mirror0",), ())
LISTENER = Process(True, False, NOW_NS, ("feeds", "feed:lobby"), ())
WELL = Facts(
    NOW_NS,
    1,
    (),
    (MIRROR, LISTENER),
    Room("/var/lib/greffier", False, 1 << 40, 900, True),
    Feeds(1, True, 0),
    (
        Copying("Lyon", True, 3, NOW_NS, NOW_NS, ()),
        Copying("Lille", True, 0, NOW_NS - HOUR_NS, NOW_NS, ()),
    ),
    (),
    (),
    0,
    True,
    False,
    None,
    (),
)


def raised(kind: str, message: str = "something") -> tuple[Raised, ...]:
    return (Raised(kind, NOW_NS - MINUTE_NS, message),)


def recording(**changes: object) -> Facts:
    """The mirror's process otherwise."""
    return dataclasses.replace(WELL, processes=(dataclasses.replace(MIRROR, **changes), LISTENER))


def listening(**changes: object) -> Facts:
    return dataclasses.replace(WELL, processes=(MIRROR, dataclasses.replace(LISTENER, **changes)))


def having(**changes: object) -> Facts:
    return dataclasses.replace(WELL, **changes)


def room(**changes: object) -> Facts:
    return dataclasses.replace(WELL, room=dataclasses.replace(WELL.room, **changes))


def lyon(**changes: object) -> Facts:
    assert WELL.centrals
    return dataclasses.replace(
        WELL, centrals=(dataclasses.replace(WELL.centrals[0], **changes), WELL.centrals[1])
    )


DEAD = {"live": False, "updated_ns": NOW_NS - HOUR_NS}

CASES = [
    (recording(alarms=raised("interface_down")), Trouble.LINK_DOWN, Level.FAILING, "mirror0", 0),
    (recording(alarms=raised("mirror_silent")), Trouble.NOTHING_ARRIVES, Level.ATTENTION, "mirror0", 0),
    (recording(alarms=raised("packets_lost")), Trouble.PACKETS_LOST, Level.ATTENTION, "mirror0", 0),
    (recording(alarms=raised("interface_can_send")), Trouble.CAN_SEND, Level.ATTENTION, "mirror0", 0),
    (recording(alarms=raised("clock_unsynchronised")), Trouble.CLOCK_UNSYNCHRONISED, Level.ATTENTION, "", 0),
    (recording(alarms=raised("storage")), Trouble.ALARM, Level.FAILING, "", 0),
    (recording(alarms=raised("traffic_stopped")), Trouble.VAULT_STOPPED, Level.FAILING, "traffic", 0),
    (recording(alarms=raised("never heard of")), Trouble.ALARM, Level.ATTENTION, "mirror0", 0),
    (listening(alarms=raised("silent:lobby")), Trouble.SOURCE_SILENT, Level.ATTENTION, "lobby", 0),
    (listening(alarms=raised("silent:a/bar")), Trouble.ACCESS_POINT_SILENT, Level.ATTENTION, "a/bar", 0),
    (listening(alarms=raised("sources")), Trouble.SETTINGS_BROKEN, Level.ATTENTION, "", 0),
    (listening(alarms=raised("feeds_lost")), Trouble.PACKETS_LOST, Level.ATTENTION, "", 0),
    (recording(updated_ns=NOW_NS - 6 * NS), Trouble.RECORDER_STUCK, Level.FAILING, "", 0),
    (recording(**DEAD), Trouble.RECORDER_DIED, Level.FAILING, "interface:mirror0", 0),
    (having(unrecorded=("mirror1",)), Trouble.NOT_RECORDING, Level.FAILING, "mirror1", 0),
    (having(feeds=Feeds(2, False, 0)), Trouble.NOT_LISTENING, Level.FAILING, "", 2),
    (
        having(feeds=Feeds(0, False, 0), processes=(), interfaces=0),
        Trouble.NO_SOURCE, Level.FAILING, "", 0,
    ),
    (having(feeds=Feeds(1, True, 7)), Trouble.SENDERS_WAIT, Level.ATTENTION, "", 7),
    (room(read_only=True), Trouble.DISK_READ_ONLY, Level.FAILING, "", 0),
    (room(free_bytes=9), Trouble.DISK_FULL, Level.FAILING, "", 0),
    (room(days_left=12, is_enough=False), Trouble.DISK_FILLS, Level.ATTENTION, "", 12),
    (having(chain_is_whole=False), Trouble.CHAIN_BROKEN, Level.FAILING, "", 0),
    (having(orphans=4), Trouble.JOURNALS_WAIT, Level.ATTENTION, "", 4),
    (having(unfinished=True), Trouble.DESTRUCTION_UNFINISHED, Level.ATTENTION, "", 0),
    (having(late=(DAY, DAY)), Trouble.DESTRUCTION_LATE, Level.ATTENTION, "2026-11-22", 2),
    (having(clock_doubt="the clock jumped"), Trouble.CLOCK_DOUBTED, Level.ATTENTION, "", 0),
    (having(centrals=()), Trouble.NO_CENTRAL, Level.ATTENTION, "", 0),
    (having(centrals=WELL.centrals and WELL.centrals[:1]), Trouble.ONE_CENTRAL, Level.ATTENTION, "", 0),
    (lyon(alarms=raised("unreachable")), Trouble.CENTRAL_STUCK, Level.ATTENTION, "Lyon", 3),
    (lyon(alarms=raised("contradicted")), Trouble.CENTRAL_STUCK, Level.FAILING, "Lyon", 3),
    (lyon(updated_ns=NOW_NS - 61 * NS), Trouble.CENTRAL_STUCK, Level.ATTENTION, "Lyon", 3),
    (
        lyon(is_sending=False, contact_ns=NOW_NS - HOUR_NS - 1),
        Trouble.CENTRAL_NEGLECTED, Level.ATTENTION, "Lyon", 3,
    ),
    (having(unreadable=("sources.toml line 3: no",)), Trouble.SETTINGS_BROKEN, Level.FAILING, "", 0),
    (having(uncopied=("it is torn",), centrals=None), Trouble.CENTRAL_STUCK, Level.ATTENTION, "", 0),
]  # fmt: skip


def test_a_box_that_is_well_has_no_finding() -> None:
    assert findings(WELL) == ()
    assert level(findings(WELL)) is Level.WELL


@pytest.mark.parametrize(
    ("facts", "trouble", "grave", "subject", "count"), CASES, ids=lambda case: str(case)[:30]
)
def test_what_is_wrong_is_found_and_nothing_else(
    facts: Facts, trouble: Trouble, grave: Level, subject: str, count: int
) -> None:
    (found,) = findings(facts)
    assert (found.trouble, found.level, found.subject, found.count) == (trouble, grave, subject, count)
    assert found.said
    assert level([found]) is grave


def test_every_trouble_that_facts_can_tell_is_found_by_some() -> None:
    """The rest is said by the keeper itself, by the law, or by the audit chain."""
    elsewhere = {
        Trouble.NOT_SET_UP, Trouble.AUDIT_BROKEN, Trouble.BASIS_LAPSES, Trouble.BASIS_LAPSED,
    }  # fmt: skip
    assert {trouble for _, trouble, *_ in CASES} == set(Trouble) - elsewhere


@pytest.mark.parametrize(
    "facts",
    [
        recording(updated_ns=NOW_NS - 5 * NS),
        recording(live=False, ended=True),
        lyon(updated_ns=NOW_NS - 60 * NS),
        lyon(is_sending=False, contact_ns=NOW_NS - HOUR_NS),
        lyon(is_sending=False, left=0, contact_ns=None),
        room(days_left=12),
        room(days_left=None),
        having(feeds=Feeds(0, False, 0)),
        having(feeds=Feeds(0, False, 0), interfaces=0),
        having(feeds=None),
    ],
)
def test_what_is_just_not_wrong_is_no_finding(facts: Facts) -> None:
    assert findings(facts) == ()


def test_a_recorder_that_died_and_was_replaced_is_less_grave() -> None:
    """Nothing is missed any more; that it died is still to be looked at."""
    dead = dataclasses.replace(MIRROR, **DEAD)
    (found,) = findings(having(processes=(dead, MIRROR, LISTENER)))
    assert (found.trouble, found.level) == (Trouble.RECORDER_DIED, Level.ATTENTION)


def test_the_level_is_that_of_the_worst_and_the_worst_comes_first() -> None:
    found = [
        Finding(Trouble.ONE_CENTRAL, Level.ATTENTION),
        Finding(Trouble.CHAIN_BROKEN, Level.FAILING),
        Finding(Trouble.DISK_FILLS, Level.ATTENTION),
    ]
    assert level(found) is Level.FAILING
    assert [one.trouble for one in gravest_first(found)] == [
        Trouble.CHAIN_BROKEN, Trouble.ONE_CENTRAL, Trouble.DISK_FILLS,
    ]  # fmt: skip


def test_what_is_only_wanting_is_never_what_stops_a_record_from_being_kept() -> None:
    assert not WANTING & {Trouble.NOT_RECORDING, Trouble.DISK_FULL, Trouble.CHAIN_BROKEN, Trouble.LINK_DOWN}

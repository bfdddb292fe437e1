"""The closed sets of words that the page and the keeper share. Pure."""

from enum import StrEnum


class Level(StrEnum):
    """How the box stands, and how grave a finding is: the worst of its findings is the level of the box."""

    WELL = "well"
    ATTENTION = "attention"
    FAILING = "failing"


class Trouble(StrEnum):
    """What is wrong, in a word that the page has a sentence for, and what to do."""

    NOT_SET_UP = "not-set-up"
    NO_SOURCE = "no-source"
    """Neither an interface is recorded nor a feed declared."""
    NOT_RECORDING = "not-recording"
    """An interface of the settings (`subject`) that nobody records."""
    NOT_LISTENING = "not-listening"
    """Feeds are declared and no process receives them."""
    RECORDER_DIED = "recorder-died"
    RECORDER_STUCK = "recorder-stuck"
    LINK_DOWN = "link-down"
    NOTHING_ARRIVES = "nothing-arrives"
    """A live source (`subject`) brings nothing, and usually does."""
    PACKETS_LOST = "packets-lost"
    SOURCE_SILENT = "source-silent"
    ACCESS_POINT_SILENT = "access-point-silent"
    SENDERS_WAIT = "senders-wait"
    """`count` senders that nobody declared are kept apart."""
    CAN_SEND = "can-send"
    """An interface that should never send could."""
    DISK_READ_ONLY = "disk-read-only"
    DISK_FULL = "disk-full"
    DISK_FILLS = "disk-fills"
    """The disk is full in `count` days, before the oldest records have passed their term."""
    CHAIN_BROKEN = "chain-broken"
    AUDIT_BROKEN = "audit-broken"
    JOURNALS_WAIT = "journals-wait"
    DESTRUCTION_UNFINISHED = "destruction-unfinished"
    DESTRUCTION_LATE = "destruction-late"
    CLOCK_DOUBTED = "clock-doubted"
    """It jumped, or disagrees with what is written: nothing is destroyed until a person confirms the time."""
    CLOCK_UNSYNCHRONISED = "clock-unsynchronised"
    """Nothing keeps it right: it may drift. What is past its term is destroyed all the same."""
    NO_CENTRAL = "no-central"
    ONE_CENTRAL = "one-central"
    CENTRAL_NEGLECTED = "central-neglected"
    """Nothing was sent to central `subject` for an hour and something waits."""
    CENTRAL_STUCK = "central-stuck"
    BASIS_LAPSES = "basis-lapses"
    """The legal basis `subject` ends in `count` days."""
    BASIS_LAPSED = "basis-lapsed"
    VAULT_STOPPED = "vault-stopped"
    """What vault `subject` would keep is not recorded, because its basis has lapsed and the site said so."""
    SETTINGS_BROKEN = "settings-broken"
    ALARM = "alarm"
    """Anything else that a process of the box says, in its own words."""


class Period(StrEnum):
    """What totals are put together by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Lapse(StrEnum):
    """What happens to a vault whose legal basis has ended: say so and go on, or record it no more."""

    ALERT = "alert"
    STOP = "stop"


class Check(StrEnum):
    """What the last screen of the first boot tests."""

    HOME = "home"
    DISK = "disk"
    CLOCK = "clock"
    CHAIN = "chain"
    AUDIT = "audit"
    CUSTODIANS = "custodians"
    INTERFACE = "interface"
    TRAFFIC = "traffic"
    RECORDING = "recording"
    CENTRALS = "centrals"


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    LATER = "later"
    """It cannot be known yet, or is not wanted at this site."""

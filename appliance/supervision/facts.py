"""What has to be known of a box to say how it stands. Pure; no address of anybody."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Raised:
    """An alarm that a process of the box has raised: `kind` in its word, since when, and its sentence."""

    kind: str
    since_ns: int
    message: str


@dataclass(frozen=True)
class Process:
    """A process that records, of what sources, as it last told; `ended`: it closed in good order."""

    live: bool
    ended: bool
    updated_ns: int
    sources: tuple[str, ...]
    alarms: tuple[Raised, ...]


@dataclass(frozen=True)
class Room:
    """The disk of the home."""

    home: str
    read_only: bool
    free_bytes: int
    days_left: int | None
    """Before it is full; None where that cannot be said yet."""
    is_enough: bool
    """It will not be full before the oldest records have passed their term."""
    size_bytes: int = 0


@dataclass(frozen=True)
class Feeds:
    """Who was declared, whether anybody listens to them, and how many senders nobody declared."""

    declared: int
    listening: bool
    strangers: int


@dataclass(frozen=True)
class Copying:
    """How it stands with one central; instants None where there was none yet."""

    name: str
    is_sending: bool
    left: int
    contact_ns: int | None
    updated_ns: int | None
    alarms: tuple[Raised, ...]


@dataclass(frozen=True)
class Facts:
    """`unrecorded` are interfaces of the settings that nobody records; `interfaces` how many stand there.

    `unreadable` says in sentences what settings and states could not be read. `centrals` None: that is not
    known. `late` are the days past their term, the oldest first.
    """

    now_ns: int
    interfaces: int
    unrecorded: tuple[str, ...]
    processes: tuple[Process, ...]
    room: Room
    feeds: Feeds | None
    centrals: tuple[Copying, ...] | None
    unreadable: tuple[str, ...]
    uncopied: tuple[str, ...]
    orphans: int
    chain_is_whole: bool
    unfinished: bool
    clock_doubt: str | None
    late: tuple[dt.date, ...]

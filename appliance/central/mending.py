"""Mends two centrals from each other: what one lacks is deposited there, what it has lost is put back.

What is lacking goes through the receiver with the claim that the box had signed, in the order in which the
other central took it, which satisfies every dependency. Cut short anywhere, it is simply begun anew.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from appliance.central import object_check, objects, sites
from appliance.central.comparing import Counted, Pair, bytes_of
from appliance.central.databases import locking, writing
from appliance.central.findings import Progress, pages
from appliance.central.object_check import Faulty
from appliance.central.places import Central
from appliance.central.receiver import Receiver
from appliance.central.tables import Site, Stored
from appliance.model.errors import ReplicationError
from appliance.model.instants import day_of
from appliance.replication import names
from appliance.replication.targets import Conflict, Refused, Replaced, TooEarly
from appliance.runtime.clock import now_ns


@dataclass
class Mended:
    """Objects brought to each of the two that were lacking, and put back whose bytes were lost.

    `refused` says of each other object why it stays away.
    """

    brought: list[int] = field(default_factory=lambda: [0, 0])
    healed: list[int] = field(default_factory=lambda: [0, 0])
    refused: Counted = field(default_factory=Counted)


def mend(pair: Pair, reread: bool = True, progress: Progress = lambda done, total: None) -> Mended:
    """Bring to each what the other has. With `reread` each object's bytes are read, and lost ones put back.

    Raises CentralError, StorageError; nothing half done counts.
    """
    mended = Mended()
    total, done = sum(bytes_of(central) for central in pair), 0

    def told(size_bytes: int) -> None:
        nonlocal done
        done += size_bytes
        progress(done, max(done, total))

    for site in sites.every(pair[0]):
        theirs = sites.known(pair[1], site.fingerprint)
        if theirs is None or {site.state, theirs.state} != {sites.ENROLLED}:
            continue
        both = (site, theirs)
        if reread:
            for place in (0, 1):
                _heal(pair, both, place, mended, told)
        # Lines may come from either side alternately, after a fork: each pass brings what rests on the last.
        while _bring(pair, both, 0, mended) + _bring(pair, both, 1, mended):
            pass
        _name_the_rest(pair, both, mended)
    return mended


def _heal(
    pair: Pair, both: tuple[Site, Site], place: int, mended: Mended, told: Callable[[int], None]
) -> None:
    """Put back at one central the bytes it has signed for and lost, as far as the other has them unhurt."""
    central, site, other = pair[place], both[place], 1 - place
    rows = Stored.select().where(Stored.site == site, Stored.state == "kept")
    for page in pages(rows, Stored.sequence, central.database):
        for row in page:
            try:
                object_check.check_bytes(central, site, row)
            except Faulty as error:
                if object_check.is_kept(central, site, row):
                    _put_back(central, site, row, pair[other], both[other], str(error), mended, place)
            told(row.size_bytes)


def _put_back(
    central: Central,
    site: Site,
    row: Stored,
    source: Central,
    theirs: Site,
    why: str,
    mended: Mended,
    place: int,
) -> None:
    query = Stored.select().where(Stored.site == theirs, Stored.name == row.name, Stored.sha256 == row.sha256)
    found = query.where(Stored.state == "kept").get_or_none(source.database)
    where = f"{row.name} at {central.identity.name}"
    if found is None:
        mended.refused.add(f"{where} {why}, and the other central does not keep it")
        return
    try:
        object_check.check_bytes(source, theirs, found)
    except Faulty as error:
        mended.refused.add(f"{where} {why}, and at the other central it {error}")
        return
    if object_check.lies_in_custody(row.name):
        _put_envelope(central, site, row, source.custody.get(object_check.path_of(theirs, found)))
    else:
        _put_object(central, site, row, source, theirs)
    mended.healed[place] += 1


def _put_envelope(central: Central, site: Site, row: Stored, content: bytes) -> None:
    """Under the site's lock: nobody destroys its day meanwhile, and nothing that is to be gone comes back."""
    with writing(central.database):
        locking(central.database, Site.select().where(Site.id == site.id)).get(central.database)
        if object_check.is_kept(central, site, row):
            central.custody.put(object_check.path_of(site, row), content)


def _put_object(central: Central, site: Site, row: Stored, source: Central, theirs: Site) -> None:
    """Large ones would keep everybody else waiting under a lock; without its envelope one is noise."""
    path, sha256 = object_check.path_of(site, row), bytes(row.sha256).hex()
    with _opened(source, theirs, row) as content:
        until = objects.locked_until(site, names.parse(row.name), day_of(now_ns()))
        central.store.put(path, content, row.size_bytes, sha256, until)
    if not object_check.is_kept(central, site, row):
        central.store.delete(path)


def _bring(pair: Pair, both: tuple[Site, Site], place: int, mended: Mended) -> int:
    """Deposit at one central what it lacks of what the other keeps; how many objects."""
    receiver, source, theirs = Receiver(pair[place], is_live=False), pair[1 - place], both[1 - place]
    count = 0
    for row in _lacking(pair, both, place):
        try:
            with _opened(source, theirs, row) as content:
                receiver.deposit(objects.claim_of(theirs, row), content)
        except (TooEarly, Replaced, Conflict, Refused, KeyError):
            continue  # named in the end, if it stays so
        count += 1
    mended.brought[place] += count
    return count


def _name_the_rest(pair: Pair, both: tuple[Site, Site], mended: Mended) -> None:
    """Say of everything that one still lacks why it does not take it."""
    for place in (0, 1):
        receiver, source, theirs = Receiver(pair[place], is_live=False), pair[1 - place], both[1 - place]
        for row in _lacking(pair, both, place):
            try:
                with _opened(source, theirs, row) as content:
                    receiver.deposit(objects.claim_of(theirs, row), content)
            except Replaced:
                continue  # it is to be gone there
            except KeyError:
                mended.refused.add(f"{row.name} at {pair[1 - place].identity.name} is missing")
            except ReplicationError as error:
                mended.refused.add(f"{row.name} for {pair[place].identity.name}: {error}")


def _lacking(pair: Pair, both: tuple[Site, Site], place: int) -> Iterator[Stored]:
    """The rows that the other central keeps and this one has none of, in the order they came there."""
    source, theirs = pair[1 - place], both[1 - place]
    rows = Stored.select().where(Stored.site == theirs, Stored.state == "kept")
    for page in pages(rows, Stored.sequence, source.database):
        wanted = [row.name for row in page]
        query = Stored.select(Stored.name).where(Stored.site == both[place], Stored.name.in_(wanted))
        known = {name for (name,) in query.tuples().execute(pair[place].database)}
        yield from (row for row in page if row.name not in known)


def _opened(central: Central, site: Site, row: Stored) -> BinaryIO:
    """The bytes of a row, to be closed. KeyError if they are not there."""
    path = object_check.path_of(site, row)
    if object_check.lies_in_custody(row.name):
        return io.BytesIO(central.custody.get(path))
    return central.store.open(path)

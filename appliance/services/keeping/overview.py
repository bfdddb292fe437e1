"""How the box stands: the one answer that everybody sees first."""

import os

from appliance.control.messages import Actor, AskOverview, Disk, Finding, Overview
from appliance.control.words import Level, Trouble
from appliance.model.instants import to_iso
from appliance.services import status as standing
from appliance.services.keeping import replication
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.services.keeping.copies import copies
from appliance.services.keeping.sources_now import feeds_now, interfaces_now, listened


def _overview(at: AtHand, _: Actor, __: AskOverview) -> Overview:
    if not at.is_set_up:
        return _not_set_up()
    home = at.home()
    found = standing.status(home, at.clock())
    findings = tuple(Finding(Trouble.ALARM, Level.ATTENTION, said=fault) for fault in found.faults)
    sources = interfaces_now(home, found.config)
    if found.hearing:
        sources += feeds_now(found.hearing.heard, found.hearing, listened(home))
    copied = replication.of(copies(at)[0])
    going = found.next_destruction
    room = os.statvfs(home.path)
    return Overview(
        True,
        found.config.site,
        Level.ATTENTION if findings else Level.WELL,
        findings,
        any(source.live for source in sources),
        sources,
        None if found.last_record_ns is None else to_iso(found.last_record_ns),
        None,
        None,
        (found.newest - found.oldest).days + 1 if found.oldest and found.newest else 0,
        found.oldest.isoformat() if found.oldest else None,
        found.newest.isoformat() if found.newest else None,
        going.day.isoformat() if going else None,
        going.on.isoformat() if going else None,
        Disk(room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize, None),
        copied.centrals,
        copied.safe,
    )


def _not_set_up() -> Overview:
    return Overview(
        False, "", Level.ATTENTION, (Finding(Trouble.NOT_SET_UP, Level.ATTENTION),), False, (), None, None,
        None, 0, None, None, None, None, None, (), (0, 0, 0),
    )  # fmt: skip


HANDLERS: Handlers = {AskOverview: _overview}

"""What moves, for the stream of a page: many ask, and it is found out once a second."""

import threading
import time

from appliance.control.messages import Actor, AskLive, AskOverview, Live, Overview
from appliance.model.instants import to_iso
from appliance.services.keeping import overview, present
from appliance.services.keeping.at_hand import AtHand, Handlers

_EVERY_S = 1.0


class _Told:
    """The last answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at = float("-inf")
        self.live: Live | None = None


def _live(at: AtHand, actor: Actor, _: AskLive) -> Live:
    told = at.once("live", _Told)
    with told.lock:
        if told.live is None or time.monotonic() - told.at > _EVERY_S:
            told.live = _of(at, overview.HANDLERS[AskOverview](at, actor, AskOverview()))
            told.at = time.monotonic()
        return told.live


def _of(at: AtHand, found: object) -> Live:
    assert isinstance(found, Overview)
    figures = present.figures(at) if found.set_up else present.Figures(False, None, None, None)
    return Live(
        to_iso(at.clock()),
        found.level,
        len(found.findings),
        found.is_recording,
        found.last_record,
        figures.users_now,
        figures.bits_per_s,
        figures.packets_per_s,
        {source.name: source.last for source in found.sources},
        sum(central.left_objects for central in found.centrals),
    )


HANDLERS: Handlers = {AskLive: _live}

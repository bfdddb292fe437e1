"""What the keeper does without being asked: it destroys what is due, and looks ahead of questions."""

import datetime as dt
import threading
from collections.abc import Callable

from appliance.audit import anchors
from appliance.model.errors import GreffierError
from appliance.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, day_of
from appliance.runtime import memory
from appliance.services import term
from appliance.services.keeping import activity, audited, copies, coverage, overview, standing
from appliance.services.keeping.at_hand import AtHand
from appliance.statistics import archive

TURN_S = 5.0
AGAIN_NS = 5 * MINUTE_NS
"""What failed is tried again so much later."""


def _apply(at: AtHand) -> None:
    """Where something is due, and once a day anyway: it reads a year's chain whole, several times."""
    today = day_of(at.clock())
    applied: list[dt.date] = at.once("term applied", list)
    going = standing.chained(at, standing.settings(at)).kept.going
    if applied == [today] and not (going and going[0].on <= today):
        anchors.anchor(at.home(), at.clock)
        return
    term.apply(at.home(), at.clock)
    applied[:] = [today]
    memory.give_back()


def _compact(at: AtHand) -> None:
    archive.compact(at.home(), at.clock())


def _look(at: AtHand) -> None:
    """What takes long is looked at here, so that whoever asks for a page does not wait for it."""
    copies.copies(at, latest_s=TURN_S)
    overview.found_wrong(at, standing.standing(at))
    coverage.covered_now(at)
    activity.warm(at)


Work = Callable[[AtHand], None]

WORKS: tuple[tuple[str, Work], ...] = (
    ("destroy what has passed its term", _apply),
    ("check the audit chain", audited.check_whole),
    ("put the statistics of past days together", _compact),
)
"""Looked at every hour, at midnight (UTC, when terms end) and at the start; each says what it then does."""

LOOK = ("look how the box stands", _look)
"""Each turn."""


class Hourly:
    """`start` begins its turns, `stop` ends them after the one that is under way; `turn` is one of them."""

    def __init__(self, at: AtHand, told: Callable[[str], None]) -> None:
        self._at = at
        self._told = told
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hourly", daemon=True)
        self._next_ns: dict[str, int] = {}
        self._said: dict[str, str] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def turn(self) -> None:
        """Do what is due."""
        if not self._at.is_set_up:
            return
        now_ns = self._at.clock()
        self._try(*LOOK)
        for what, work in WORKS:
            if (
                not now_ns < self._next_ns.get(what, 0) <= now_ns + HOUR_NS
            ):  # also after the clock was set back
                later_ns = now_ns + (HOUR_NS if self._try(what, work) else AGAIN_NS)
                self._next_ns[what] = min(later_ns, (now_ns // DAY_NS + 1) * DAY_NS)

    def _run(self) -> None:
        while True:
            self.turn()
            if self._stopping.wait(TURN_S):
                return

    def _try(self, what: str, work: Callable[[AtHand], None]) -> bool:
        try:
            work(self._at)
        except Exception as error:  # noqa: BLE001  a keeper that ends would destroy nothing any more
            told = str(error) if isinstance(error, GreffierError) else type(error).__name__
            if self._said.get(what) != told:  # once, not every five seconds
                self._said[what] = told
                self._told(f"cannot {what}: {told}; it is tried again")
            return False
        self._said.pop(what, None)
        return True

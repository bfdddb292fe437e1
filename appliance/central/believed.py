"""Which instant central believes: its own machine's clock, checked against what its ledger was written at.

A clock that sprang ahead would destroy every site at once; until a person confirms it nothing is destroyed.
"""

from appliance.central.ledger import Ledger
from appliance.central.places import Central
from appliance.central.tables import Event
from appliance.model.errors import UsageError
from appliance.model.instants import DAY_NS, HOUR_NS, to_iso
from appliance.retention import policy

_SIGN_OF_LIFE_NS = 7 * DAY_NS
"""So often the ledger has a line at least: a central where nothing happens is not one that was off."""

_APART_NS = HOUR_NS
"""So far the clocks of machines that share a catalogue may be apart."""


def doubt(central: Central, now_ns: int) -> str | None:
    """Why this instant is not believed, and what a person does then, in words; None if it is."""
    confirmed = (
        Event.select(Event.seq).where(Event.kind == "clock").order_by(Event.seq.desc()).limit(1).tuples()
    )
    found = confirmed.first(central.database)
    query = Event.select(Event.at_ns).where(Event.seq >= (found[0] if found else 0)).order_by(Event.seq)
    written = [at_ns for (at_ns,) in query.tuples().iterator(central.database)]
    if not written:
        return None
    newest = max(written)
    if newest - now_ns < _APART_NS:  # another process, or another machine, wrote meanwhile
        now_ns = max(now_ns, newest)
    wrong = policy.doubt(written, now_ns)
    if wrong is None:
        return None
    why = wrong.why.replace("the chain", "the ledger")
    return f"{why}; nothing is destroyed until 'greffier central clock --confirm' states the true time"


def confirm(central: Central, stated_ns: int, now_ns: int) -> None:
    """A person vouches for the machine's clock. Raises UsageError if it shows another time than stated."""
    if abs(stated_ns - now_ns) > DAY_NS:
        raise UsageError(
            f"the machine's clock shows {to_iso(now_ns)[:19]}Z, not what you state; set it right first"
        )
    Ledger(central, lambda: now_ns).append("clock", now=to_iso(stated_ns))


def sign_of_life(central: Central, now_ns: int) -> None:
    """A line in a ledger that is silent for a week; only while the clock is believed."""
    newest = Event.select(Event.at_ns).order_by(Event.seq.desc()).limit(1).tuples().first(central.database)
    if newest is None or now_ns - newest[0] >= _SIGN_OF_LIFE_NS:
        Ledger(central, lambda: now_ns).append("running")

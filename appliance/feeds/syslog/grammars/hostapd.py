"""hostapd: who joined and left an access point (hostapd 2.x, src/ap: `hostapd_logger`, AP-STA-CONNECTED).

The line names an interface, never its BSSID: the access point is the one that the source is declared to be.
"""

import re

from appliance.feeds.syslog.addresses import station
from appliance.feeds.syslog.grammar import Grammar, Line
from appliance.feeds.told import Teller
from appliance.model.reasons import Evidence, Refusal

_EVENT = re.compile(
    r"(?:[\w.:-]{1,32}: )?(?:<\d>)?(?:STA ([0-9a-f:]{17}) (?:IEEE 802\.11|IEEE 802\.1X|WPA|RADIUS): (.*)"
    r"|AP-STA-(CONNECTED|DISCONNECTED) ([0-9a-f:]{17})(?![0-9a-f:]))",
    re.ASCII | re.DOTALL,
)
_JOINED = ("associated", "reassociated", "pairwise key handshake completed", "starting accounting session ")
_LEFT = ("disassociated", "deauthenticated", "stopped accounting session ")
_SESSION = re.compile(r"(?:starting|stopped) accounting session ([0-9A-Fa-f-]{8,64})(?=\s|$)", re.ASCII)
_IDENTITY = re.compile(r"STA identity '([^'/\s\0]{1,253})'")
"""Of a person: `host/NAME` is a device's."""


def read(line: Line, teller: Teller) -> bool:
    """An association, its end, the user or the accounting session; other events of a station tell nothing."""
    found = _EVENT.match(line.text)
    if found is None:
        if line.program != "hostapd":
            return False
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return True
    said = found[2]
    if said is None:
        _tell(line, teller, found[4], released=found[3] == "DISCONNECTED")
    elif said.startswith(_JOINED):
        session = _SESSION.match(said)
        _tell(line, teller, found[1], session=session[1] if session else "")
    elif said.startswith(_LEFT):
        session = _SESSION.match(said)
        _tell(line, teller, found[1], released=True, session=session[1] if session else "")
    elif said.startswith("STA identity "):
        identity = _IDENTITY.match(said)
        _tell(line, teller, found[1], user=identity[1] if identity else "")
    else:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
    return True


def _tell(
    line: Line, teller: Teller, mac: str, *, released: bool = False, session: str = "", user: str = ""
) -> None:
    number = station(mac)
    if number == 0:
        teller.refused[Refusal.NOTHING_TO_KEEP] += 1
        return
    if line.ap_mac:
        teller.spoken_by.add(line.ap_mac)
    teller.claim(
        line.seen_ns,
        Evidence.ASSOCIATION,
        number,
        ap_mac=line.ap_mac,
        released=released,
        session=session,
        user=user,
    )


GRAMMAR = Grammar("hostapd", read, frozenset(("hostapd",)), ("AP-STA-", "IEEE 802.1", " WPA: ", " RADIUS: "))
